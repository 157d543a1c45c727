//! The controller's end: a bounded channel to the thread that writes. A send never waits.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, SyncSender, TrySendError, channel, sync_channel};
use std::time::{Duration, Instant};

use super::Entry;
use crate::telemetry::metrics::Metrics;

/// Entries that wait for the writer; one more is left out.
const MAX_WAITING: usize = 1_024;
/// How long [`Recorder::flush`] and [`Recorder::close`] wait for the writer.
const WRITER_ANSWERS: Duration = Duration::from_secs(3);
/// How often they look whether there is room in the channel.
const GLANCE: Duration = Duration::from_millis(5);

/// Takes what passes leave. Cheap to clone; all clones are the same one.
#[derive(Clone)]
pub struct Recorder {
    open: Option<Open>,
}

#[derive(Clone)]
struct Open {
    messages: SyncSender<Message>,
    metrics: Arc<Metrics>,
}

/// What the writer is told.
#[cfg_attr(not(feature = "history"), expect(dead_code, reason = "nothing writes in such a build"))]
pub(super) enum Message {
    /// Keep it.
    Entry(Entry),
    /// Write what is kept so far, and answer.
    Flush(Sender<()>),
    /// The same, and close the file.
    Close(Sender<()>),
}

impl Recorder {
    /// Where no history is kept: takes everything and keeps nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self { open: None }
    }

    /// A recorder, and the writer's end of its channel.
    #[cfg_attr(not(feature = "history"), expect(dead_code, reason = "nothing writes in such a build"))]
    pub(super) fn new(metrics: Arc<Metrics>) -> (Self, Receiver<Message>) {
        let (messages, received) = sync_channel(MAX_WAITING);
        (Self { open: Some(Open { messages, metrics }) }, received)
    }

    /// Is anything kept at all?
    #[must_use]
    pub const fn is_on(&self) -> bool {
        self.open.is_some()
    }

    /// Hands an entry to the writer. Where too many wait, or there is no writer, it is left out and counted.
    pub fn record(&self, entry: Entry) {
        let Some(Open { messages, metrics }) = &self.open else { return };
        if messages.try_send(Message::Entry(entry)).is_err() {
            metrics.history_dropped(1);
        }
    }

    /// Waits until everything that was recorded before is in the file, or cannot be. Blocks; not for a pass.
    pub fn flush(&self) {
        self.tell(Message::Flush);
    }

    /// The same, and the file is closed; what is recorded afterwards is left out. Blocks; not for a pass.
    pub fn close(&self) {
        self.tell(Message::Close);
    }

    fn tell(&self, message: impl FnOnce(Sender<()>) -> Message) {
        let Some(Open { messages, .. }) = &self.open else { return };
        let (answer, answered) = channel();
        let until = Instant::now() + WRITER_ANSWERS;
        let mut message = message(answer);
        while let Err(refused) = messages.try_send(message) {
            let TrySendError::Full(again) = refused else { return };
            if Instant::now() >= until {
                return;
            }
            message = again;
            std::thread::sleep(GLANCE);
        }
        // No answer in time is a writer that waits for the disk; what it has, it still writes.
        let _ = answered.recv_timeout(WRITER_ANSWERS);
    }
}
