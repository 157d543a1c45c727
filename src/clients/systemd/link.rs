//! One connection to a manager, and the task that reads what it tells.

use std::pin::pin;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::broadcast;
use tokio_util::task::AbortOnDropHandle;
use zbus::message::{Flags, Message, Type};
use zbus::proxy::CacheProperties;
use zbus::{Connection, MatchRule, MessageStream, connection};

use super::address::Address;
use super::proxy::{ManagerProxy, PropertiesProxy};
use super::signal::Signal;
use super::{path, private};

/// Signals that wait for a slow listener; it loses the oldest ones beyond, and is told.
const KEPT_SIGNALS: usize = 1_024;
/// The pause before the first message that helps the very first one; each one after is twice as long.
const FIRST_NUDGE: Duration = Duration::from_millis(100);
/// The bus's name of every manager.
const NAME: &str = "org.freedesktop.systemd1";
/// All that a manager tells, it tells of objects below this one.
const ROOT: &str = "/org/freedesktop/systemd1";

/// One connection to a manager.
#[derive(Debug)]
pub(super) struct Link {
    connection: Connection,
    pub manager: ManagerProxy<'static>,
    /// The reading task holds the sender, so it is gone when the connection is.
    signals: broadcast::WeakSender<Signal>,
    _reader: AbortOnDropHandle<()>,
}

impl Link {
    /// Connects, and has signals sent.
    pub async fn open(address: &Address) -> zbus::Result<Self> {
        let connection = match address {
            Address::Private(socket) => {
                let stream = private::connect(socket).await?;
                connection::Builder::socket(stream).p2p().build().await?
            }
            Address::SystemBus => connection::Builder::system()?.build().await?,
            Address::Bus(address) => connection::Builder::address(address.as_str())?.build().await?,
        };
        Self::over(connection).await
    }

    async fn over(connection: Connection) -> zbus::Result<Self> {
        let mut rule = MatchRule::builder().msg_type(Type::Signal).path_namespace(ROOT)?;
        if connection.is_bus() {
            rule = rule.sender(NAME)?;
        }
        let messages = MessageStream::for_match_rule(rule.build(), &connection, Some(KEPT_SIGNALS)).await?;
        let manager =
            ManagerProxy::builder(&connection).cache_properties(CacheProperties::No).build().await?;
        answered(&connection, manager.subscribe()).await?;

        let (sender, _) = broadcast::channel(KEPT_SIGNALS);
        let signals = sender.downgrade();
        let reader = AbortOnDropHandle::new(tokio::spawn(read(messages, sender)));
        Ok(Self { connection, manager, signals, _reader: reader })
    }

    /// Can it still be used?
    pub fn is_alive(&self) -> bool {
        self.signals.upgrade().is_some()
    }

    /// What the manager tells from now on; none when the connection is gone.
    pub fn signals(&self) -> Option<broadcast::Receiver<Signal>> {
        Some(self.signals.upgrade()?.subscribe())
    }

    /// What reads the properties of a unit.
    pub async fn properties(&self, unit: &str) -> zbus::Result<PropertiesProxy<'static>> {
        self.properties_at(path::of_unit(unit)).await
    }

    /// What reads the properties of the manager itself.
    pub async fn own_properties(&self) -> zbus::Result<PropertiesProxy<'static>> {
        self.properties_at(ROOT.to_owned()).await
    }

    async fn properties_at(&self, path: String) -> zbus::Result<PropertiesProxy<'static>> {
        PropertiesProxy::builder(&self.connection)
            .path(path)?
            .cache_properties(CacheProperties::No)
            .build()
            .await
    }
}

/// The answer to the first call. systemd does not see a message that it read together with the end of the handshake
/// until another one comes, so others come until it answers.
async fn answered(connection: &Connection, call: impl Future<Output = zbus::Result<()>>) -> zbus::Result<()> {
    let mut call = pin!(call);
    let mut pause = FIRST_NUDGE;
    loop {
        match tokio::time::timeout(pause, &mut call).await {
            Ok(answer) => return answer,
            Err(_) => connection.send(&nudge()?).await?,
        }
        pause *= 2;
    }
}

/// A message that means nothing and wants no answer.
fn nudge() -> zbus::Result<Message> {
    Message::method_call(ROOT, "Ping")?
        .destination(NAME)?
        .interface("org.freedesktop.DBus.Peer")?
        .with_flags(Flags::NoReplyExpected)?
        .build(&())
}

/// Passes signals on until the connection ends. It never waits for a listener, as nothing else reads from the
/// connection meanwhile.
async fn read(mut messages: MessageStream, signals: broadcast::Sender<Signal>) {
    while let Some(Ok(message)) = messages.next().await {
        if let Some(signal) = Signal::read(&message) {
            // An error here means that nobody listens at present.
            let _ = signals.send(signal);
        }
    }
}
