//! Where a trace comes from: a file, standard input, or what a controller has stored of a policy. Rows are passed on as
//! they come, whichever it is.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeWriter, Write, pipe, stdin};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Sender, channel};
use std::thread::JoinHandle;

use super::super::args::{Global, PastArgs, SimulateArgs, bare_name};
use super::super::client::segment;
use super::super::exit::{Exit, Failure};
use super::super::history::stored;
use super::super::origin::{Origin, controller};
use super::policy::{Policy, notes, profile};
use super::{STANDARD_INPUT, is_standard_input};
use crate::api::effective::{Spec, effective_policy};
use crate::clock::Clock;
use crate::http::past::RAW_SINCE;
use crate::units::Timestamp;

/// Bytes of a trace that are read together.
const READ_BYTES: usize = 64 * 1024;

/// A trace that is being read.
pub(super) struct Trace {
    /// What it is called in messages.
    pub(super) name: String,
    pub(super) lines: Box<dyn BufRead>,
    past: Option<Past>,
}

/// The stored past on its way through a pipe, and what was seen of it.
struct Past {
    feeder: JoinHandle<Result<(), Failure>>,
    raw_since: Option<Timestamp>,
    span: Option<(Timestamp, Timestamp)>,
    rows: u64,
    means: u64,
}

/// Which past.
struct Wanted {
    policy: String,
    since: Timestamp,
    state_dir: Option<PathBuf>,
    global: Global,
}

/// From when on rows are single evaluations; told before the first row.
type Head = Sender<Result<Option<Timestamp>, Failure>>;

impl Trace {
    /// The trace that the arguments mean.
    pub(super) fn open(args: &SimulateArgs, global: &Global) -> Result<Self, Failure> {
        match (&args.past.from_history, &args.trace) {
            (Some(policy), _) => Self::of_policy(bare_name(policy), &args.past, global),
            (None, Some(path)) => Self::of_file(path),
            (None, None) => Err(Failure::say(Exit::Usage, "give --trace or --from-history")),
        }
    }

    fn of_file(path: &Path) -> Result<Self, Failure> {
        if is_standard_input(path) {
            let name = STANDARD_INPUT.to_owned();
            return Ok(Self { name, lines: Box::new(stdin().lock()), past: None });
        }
        let name = path.display().to_string();
        let file = File::open(path)
            .map_err(|error| Failure::say(Exit::Failed, format!("cannot read {name}: {error}")))?;
        Ok(Self { name, lines: Box::new(BufReader::with_capacity(READ_BYTES, file)), past: None })
    }

    fn of_policy(policy: &str, args: &PastArgs, global: &Global) -> Result<Self, Failure> {
        let wanted = Wanted {
            policy: policy.to_owned(),
            since: args.since.moment(Clock::system().now()),
            state_dir: args.state_dir.clone(),
            global: global.clone(),
        };
        let (reader, writer) = pipe()?;
        let (head, headed) = channel();
        let feeder = std::thread::spawn(move || wanted.feed(&head, writer));
        let raw_since = match headed.recv() {
            Ok(raw_since) => raw_since?,
            // It ended before it had anything to tell of.
            Err(_) => return Err(ended(feeder).err().unwrap_or_else(broken)),
        };
        let past = Past { feeder, raw_since, span: None, rows: 0, means: 0 };
        let name = format!("the history of {policy}");
        let lines = Box::new(BufReader::with_capacity(READ_BYTES, reader));
        Ok(Self { name, lines, past: Some(past) })
    }

    /// Takes note of a row.
    pub(super) fn saw(&mut self, at: Timestamp) {
        let Some(past) = &mut self.past else { return };
        past.rows += 1;
        past.means += u64::from(past.raw_since.is_none_or(|raw| at < raw));
        past.span = Some((past.span.map_or(at, |it| it.0), at));
    }

    /// At the end of the rows: what they were, or why they ended too soon.
    pub(super) fn end(self) -> Result<(), Failure> {
        let Some(past) = self.past else { return Ok(()) };
        ended(past.feeder)?;
        if let Some((from, to)) = past.span {
            let Past { rows, means, .. } = past;
            eprintln!(
                "docktorctl: note: {}: {rows} rows, {from} to {to}; {means} of them are five-minute means",
                self.name
            );
        }
        Ok(())
    }
}

impl Wanted {
    fn feed(self, head: &Head, to: PipeWriter) -> Result<(), Failure> {
        let fed = match &self.state_dir {
            Some(folder) => self.read(folder, head, to),
            None => {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
                runtime.block_on(self.ask(head, to))
            }
        };
        fed.or_else(|failure| if failure.is_broken_pipe() { Ok(()) } else { Err(failure) })
    }

    /// From the controller, over HTTP.
    async fn ask(&self, head: &Head, mut to: PipeWriter) -> Result<(), Failure> {
        let client = controller(&self.global).await?;
        let (policy, since) = (segment(&self.policy), segment(&self.since.to_string()));
        let mut body = client.stream(&format!("/api/v1/policies/{policy}/history?since={since}")).await?;
        let raw_since = body.header(RAW_SINCE).and_then(|it| it.parse().ok());
        // Whoever opened the trace waits for it.
        let _ = head.send(Ok(raw_since));
        while let Some(bytes) = body.next().await? {
            to.write_all(&bytes)?;
        }
        Ok(())
    }

    /// From the file in the state folder, with no controller.
    fn read(&self, folder: &Path, head: &Head, mut to: PipeWriter) -> Result<(), Failure> {
        let failed = |error| Failure::new(Exit::Failed, anyhow::Error::from(error));
        let past = stored(folder)?.past(&self.policy, self.since).map_err(failed)?;
        let Some(mut past) = past else {
            let message = format!("{} has no history of a policy `{}`", folder.display(), self.policy);
            return Err(Failure::say(Exit::NothingFound, message));
        };
        let _ = head.send(Ok(past.raw_since()));
        loop {
            let page = past.page().map_err(failed)?;
            if page.is_empty() {
                return Ok(());
            }
            for row in page {
                to.write_all(row.line().as_bytes())?;
            }
        }
    }
}

fn ended(feeder: JoinHandle<Result<(), Failure>>) -> Result<(), Failure> {
    feeder.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

fn broken() -> Failure {
    Failure::say(Exit::Failed, "the history ended before it began")
}

/// The policy where none is given by a file: the one in force, or that of the folder where no controller is asked.
pub(super) async fn policy(args: &SimulateArgs, global: &Global) -> Result<Policy, Failure> {
    let is_told = global.policies.is_some() || global.socket.is_some() || global.server.is_some();
    if args.past.state_dir.is_some() && !is_told {
        let message =
            "with --state-dir no controller is asked; give the policy by -f, or its folder by --policies";
        return Err(Failure::say(Exit::Usage, message));
    }
    running_policy(args, global).await
}

/// The policy as it is in force: by its name, else the one whose history it is.
async fn running_policy(args: &SimulateArgs, global: &Global) -> Result<Policy, Failure> {
    let name = args.name.as_ref().or(args.past.from_history.as_ref()).map_or("", |it| bare_name(it));
    let nothing = |why: &str| Failure::say(Exit::NothingFound, format!("the policy `{name}` {why}"));
    let view = Origin::find(global).await?.policy(name).await?;
    let view = view.ok_or_else(|| nothing("is not there; give another by -f"))?;
    let written = view.spec.ok_or_else(|| nothing("has no valid text; give another by -f"))?;
    let profile = profile(&written, &[], global)?;
    if view.effective.is_some_and(|it| it != effective_policy(&written, profile.as_ref())) {
        let message =
            format!("the policy `{name}` runs with another profile than is found here; give --policies DIR");
        return Err(Failure::say(Exit::Usage, message));
    }
    let spec = Spec::effective(&written, profile.as_ref())
        .map_err(|error| Failure::new(Exit::Usage, anyhow::Error::from(error).context(name.to_owned())))?;
    let notes = notes(&spec);
    let file = format!("the running policy `{name}`");
    Ok(Policy { file, name: name.to_owned(), spec, notes })
}
