//! The wiring: the one place that puts concrete parts together and runs them until a signal.

mod activation;
mod background;
pub mod config;
pub mod ends;
mod notify;
pub mod program;
pub mod shutdown;

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use anyhow::Context;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::Admin;
use crate::clock::Clock;
use crate::controller::forecast::Forecasts;
use crate::controller::reconcile::Parts;
use crate::controller::{CONCURRENT_GROWTH, Controller};
use crate::history;
use crate::http::Services;
use crate::http::access::Token;
use crate::http::server::{SocketServer, TcpServer};
use crate::store::Store;
use crate::store::lock::StateLock;
use crate::store::memory::MemoryStore;
use crate::store::sidecar::Sidecars;
use crate::store::watch::Watcher;
use crate::telemetry::chain;
use crate::telemetry::event::{Event, Events};
use crate::telemetry::metrics::Metrics;
use activation::Inherited;
use config::{Config, Listen};
use ends::Ends;
use notify::ServiceManager;

/// Wake-ups that wait; more than that, and who wakes waits.
const MAX_WAITING_WAKES: usize = 1_024;

/// Runs the controller until SIGTERM, SIGINT, or a mistake that makes it impossible.
///
/// # Errors
/// When another docktor uses the state folder, when that folder cannot be used, or when the engine's address
/// is none. Everything else is told and worked around.
pub async fn run(config: Config, inherited: Inherited) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    shutdown::on_signal(stop.clone())?;
    run_until(config, inherited, stop).await
}

/// Runs the controller until `stop`.
///
/// # Errors
/// As [`run`].
pub async fn run_until(config: Config, inherited: Inherited, stop: CancellationToken) -> anyhow::Result<()> {
    let clock = Clock::system();
    let _lock = StateLock::acquire(&config.state_dir)?;
    let metrics = Arc::new(Metrics::new(env!("CARGO_PKG_VERSION")));
    let events = Arc::new(Events::new(clock, Arc::clone(&metrics)));
    events.emit(&Event::Started { version: env!("CARGO_PKG_VERSION") });

    let memories = MemoryStore::open(&config.state_dir).context("the state folder cannot be used")?;
    let mut store = Store::open(&config.policies, &config.state_dir, clock.now())?;
    for problem in &store.catalog().problems {
        tracing::warn!(problem, "policy folder");
    }

    let living = store.entries().map(|it| it.key.clone()).collect();
    memories.sweep(&living, clock.now()).context("old memories cannot be removed")?;
    let sidecars = Sidecars::new(&config.policies, config.status_dir.as_deref(), &config.state_dir);
    sidecars.sweep(&store.catalog().files.keys().cloned().collect());

    let (wakes, waking) = mpsc::channel(MAX_WAITING_WAKES);
    let (history, archive) = history::start(&config.state_dir, config.history_retention, &metrics);
    let (admin, orders) = Admin::with_history(archive.clone());
    let tasks = TaskTracker::new();
    let ends = Ends::new(config.docker.as_deref(), &config.state_dir, clock, &metrics)?;
    ends.introduce(&mut store, config.docker.as_deref()).await;
    ends.run(&tasks, &wakes, &stop);
    let services = Services {
        admin: admin.clone(),
        events: Arc::clone(&events),
        metrics: Arc::clone(&metrics),
        stop: stop.clone(),
    };
    serve(&config, inherited, services, &tasks).await;
    let manager = ServiceManager::of_this_process(admin.clone());
    if manager.is_some() {
        let hangup = shutdown::hangup()?;
        tasks.spawn(ServiceManager::attend(admin.clone(), stop.clone()));
        tokio::spawn(ServiceManager::reload_on(hangup, wakes.clone()));
    }

    let parts = Parts {
        clock,
        actuators: ends.actuators(),
        usage: ends.usage(),
        memories: Arc::new(memories),
        sidecars: Arc::new(sidecars),
        stop: store.stop_file().clone(),
        history: history.clone(),
        admin,
        events,
        metrics,
        growth: Arc::new(Semaphore::new(CONCURRENT_GROWTH)),
        wakes,
        forecasts: Forecasts::new(Arc::new(archive)),
        changes: AtomicU64::new(0),
    };
    let watcher = Watcher::new(config.poll);
    let mut controller = Controller::new(Arc::new(parts), store, watcher, waking, orders);
    if let Some(manager) = manager {
        controller = controller.supervised(Box::new(manager));
    }
    controller.run(stop.clone()).await;

    stop.cancel();
    tasks.close();
    shutdown::within_grace(tasks.wait()).await;
    // An error here is a panic of the recorder, which has nothing more to write then.
    let _ = tokio::task::spawn_blocking(move || history.close()).await;
    Ok(())
}

/// Serves the socket and TCP: what was inherited, else what is configured. What cannot be bound is told; control goes
/// on without it.
async fn serve(config: &Config, inherited: Inherited, services: Services, tasks: &TaskTracker) {
    for refused in inherited.refused {
        tracing::error!(refused, "no listener; only stream sockets can be passed to docktor");
    }
    let mut sockets: Vec<_> = inherited.sockets.into_iter().map(SocketServer::adopt).collect();
    if sockets.is_empty() {
        sockets.push(SocketServer::bind(&config.socket).await);
    }
    for server in sockets {
        match server {
            Ok(server) => {
                tracing::info!(socket = %server.path().display(), "listening");
                tasks.spawn(server.serve(services.clone()));
            }
            Err(error) => failed(&error),
        }
    }
    let configured = match &config.listen {
        Listen::At(address) => Some(address.as_str()),
        Listen::Off => None,
    };
    if inherited.tcp.is_empty() && configured.is_none() {
        return;
    }
    let token = match config.token_file.as_deref().map(Token::read).transpose() {
        Ok(token) => token,
        Err(error) => return failed(&error),
    };
    let adopt = |listener| TcpServer::adopt(listener, configured.unwrap_or_default(), token.clone());
    let mut servers: Vec<_> = inherited.tcp.into_iter().map(adopt).collect();
    if let (true, Some(address)) = (servers.is_empty(), configured) {
        servers.push(TcpServer::bind(address, token).await);
    }
    for server in servers {
        match server {
            Ok(server) => {
                tracing::info!(address = %server.address(), "listening");
                tasks.spawn(server.serve(services.clone()));
            }
            Err(error) => failed(&error),
        }
    }
}

fn failed(error: &dyn std::error::Error) {
    tracing::error!(error = chain(error), "no listener; control goes on without it");
}
