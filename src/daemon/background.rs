//! `docktor daemon`: the controller in the background, for a laptop. A service manager does this better.
//!
//! Who runs is told by the lock on the state folder; the log is a file beside it.

use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};

use super::config::{Config, DaemonCommand, RunArgs, StateArgs};
use super::program::flags;
use crate::cli::exit::Exit;
use crate::places::Places;
use crate::store::lock::{LockError, StateLock};

/// The log's name in the state folder.
const LOG_FILE: &str = "docktor.log";
/// Longest wait until a controller that was started answers.
const START_DEADLINE: Duration = Duration::from_secs(10);
/// Longest wait until a controller that was asked to stop has stopped.
const STOP_DEADLINE: Duration = Duration::from_secs(15);
/// Time between two looks.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// How much of a log's end is searched for its last lines.
const LOG_TAIL_BYTES: u64 = 256 * 1_024;

/// Run a command of `docktor daemon`.
#[must_use]
pub fn execute(command: DaemonCommand) -> Exit {
    let done = match command {
        DaemonCommand::Start(args) => start(args),
        DaemonCommand::Stop(args) => stop(&state_dir(&args)).map(|()| Exit::Done),
        DaemonCommand::Restart(args) => {
            let state = StateArgs { state_dir: args.state_dir.clone() };
            stop(&state_dir(&state)).and_then(|()| start(args))
        }
        DaemonCommand::Status(args) => status(&state_dir(&args)),
        DaemonCommand::Logs { state, lines, follow } => logs(&state_dir(&state), lines, follow),
    };
    done.unwrap_or_else(|error| {
        eprintln!("docktor: {error:#}");
        Exit::Failed
    })
}

fn start(args: RunArgs) -> anyhow::Result<Exit> {
    let config = Config::of_this_process(args);
    if let Some(holder) = holder(&config.state_dir)? {
        bail!("docktor runs already{}", holder.shown());
    }
    std::fs::create_dir_all(&config.state_dir)
        .with_context(|| format!("cannot make {}", config.state_dir.display()))?;
    let path = config.state_dir.join(LOG_FILE);
    let log = OpenOptions::new().create(true).append(true).open(&path);
    let log = log.with_context(|| format!("cannot write {}", path.display()))?;
    let mut child = Command::new(std::env::current_exe()?)
        .arg("run")
        .args(flags(&config))
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        // A group of its own, so that Ctrl-C in this terminal does not reach it.
        .process_group(0)
        .spawn()
        .context("cannot start docktor")?;
    if answers(&mut child, &config.socket)? {
        println!("docktor runs, pid {}; its log is {}", child.id(), path.display());
        return Ok(Exit::Done);
    }
    eprint!("{}", last_lines(&path, 10)?);
    bail!("docktor did not start; see {}", path.display())
}

/// Wait until the child answers on its socket; `false` when it ends or takes too long.
fn answers(child: &mut Child, socket: &Path) -> anyhow::Result<bool> {
    let looks = START_DEADLINE.as_millis() / LOOK_AGAIN.as_millis();
    for _ in 0..looks {
        if child.try_wait()?.is_some() {
            return Ok(false);
        }
        if UnixStream::connect(socket).is_ok() {
            return Ok(true);
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    Ok(false)
}

fn stop(state: &Path) -> anyhow::Result<()> {
    let Some(holder) = holder(state)? else {
        println!("docktor does not run on {}", state.display());
        return Ok(());
    };
    let pid = holder.pid.and_then(|it| Pid::from_raw(i32::try_from(it).ok()?));
    let pid = pid.ok_or_else(|| anyhow!("docktor runs, but its lock does not tell its pid; try again"))?;
    kill_process(pid, Signal::TERM).context("cannot signal docktor")?;
    let looks = STOP_DEADLINE.as_millis() / LOOK_AGAIN.as_millis();
    for _ in 0..looks {
        if self::holder(state)?.is_none() {
            println!("docktor stopped");
            return Ok(());
        }
        std::thread::sleep(LOOK_AGAIN);
    }
    bail!("docktor{} did not stop within {}s", holder.shown(), STOP_DEADLINE.as_secs())
}

fn status(state: &Path) -> anyhow::Result<Exit> {
    Ok(match holder(state)? {
        Some(holder) => {
            println!("docktor runs{}", holder.shown());
            Exit::Done
        }
        None => {
            println!("docktor does not run on {}", state.display());
            Exit::Unreachable
        }
    })
}

fn logs(state: &Path, lines: usize, follow: bool) -> anyhow::Result<Exit> {
    let path = state.join(LOG_FILE);
    if !path.exists() {
        eprintln!("docktor: there is no {}; `docktor daemon start` writes it", path.display());
        return Ok(Exit::NothingFound);
    }
    let mut shown = File::open(&path)?.seek(SeekFrom::End(0))?;
    let mut output = std::io::stdout();
    output.write_all(last_lines(&path, lines)?.as_bytes())?;
    if !follow {
        return Ok(Exit::Done);
    }
    loop {
        output.flush()?;
        std::thread::sleep(LOOK_AGAIN);
        let mut file = File::open(&path)?;
        // A log that became shorter was emptied or replaced.
        if file.metadata()?.len() < shown {
            shown = 0;
        }
        file.seek(SeekFrom::Start(shown))?;
        shown += std::io::copy(&mut file, &mut output)?;
    }
}

fn last_lines(path: &Path, lines: usize) -> anyhow::Result<String> {
    let mut file = File::open(path)?;
    let begin = file.metadata()?.len().saturating_sub(LOG_TAIL_BYTES);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<_> = text.lines().collect();
    let last = &all[all.len().saturating_sub(lines)..];
    Ok(last.iter().map(|line| format!("{line}\n")).collect())
}

/// The controller that has the lock on a state folder.
struct Holder {
    pid: Option<u32>,
}

impl Holder {
    fn shown(&self) -> String {
        self.pid.map_or_else(String::new, |pid| format!(", pid {pid}"))
    }
}

fn holder(state: &Path) -> anyhow::Result<Option<Holder>> {
    if !state.is_dir() {
        return Ok(None);
    }
    match StateLock::acquire(state) {
        Ok(_) => Ok(None),
        Err(LockError::Held { pid, .. }) => Ok(Some(Holder { pid })),
        Err(error) => Err(error.into()),
    }
}

fn state_dir(args: &StateArgs) -> PathBuf {
    args.state_dir.clone().unwrap_or_else(|| Places::of_this_process().state)
}
