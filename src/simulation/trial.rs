//! A trial: one policy on a trace, or two side by side; in the open loop, where the trace says what was observed, or
//! in the closed one, where a modelled workload follows what the policy decides.

use super::closed::{ClosedLoop, Mismatch, Workload};
use super::replay::Replay;
use super::report::{Report, Summing};
use super::trace::{At, Row};
use super::world::World;
use crate::api::effective::Spec;
use crate::model::decision::Decision;
use crate::model::observation::Snapshot;
use crate::units::Timestamp;

/// Policies on their way through one trace.
#[derive(Debug, Clone, Default)]
pub struct Trial {
    lanes: Vec<Lane>,
    /// The trace's last row so far.
    latest: Option<Timestamp>,
}

/// One policy of a trial.
#[derive(Debug, Clone)]
pub struct Lane {
    replay: Replay,
    closed: Option<ClosedLoop>,
    summing: Summing,
    decision: Option<Decision>,
}

/// A moment at which a policy decided.
#[derive(Debug, Clone, Copy)]
pub struct Step<'a> {
    /// When, in the form of the trace.
    pub at: &'a At,
    /// The same.
    pub moment: Timestamp,
    /// Every policy with its latest decision.
    pub lanes: &'a [Lane],
}

/// Why a trial stopped.
#[derive(Debug)]
pub enum Stopped<E> {
    /// What is wrong with the row.
    Row(String),
    /// The step could not be shown.
    Show(E),
}

impl Trial {
    /// Before the first row, with no policy yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// One more policy, in the open loop.
    pub fn open(&mut self, spec: Spec) {
        self.lanes.push(Lane::new(spec, None));
    }

    /// One more policy, in the closed loop of that workload.
    ///
    /// # Errors
    /// When they do not go together.
    pub fn closed(&mut self, spec: Spec, workload: Workload) -> Result<(), Mismatch> {
        let closed = ClosedLoop::new(&spec, workload)?;
        self.lanes.push(Lane::new(spec, Some(closed)));
        Ok(())
    }

    /// The trace's next row. `show` gets every step that can be decided now.
    ///
    /// # Errors
    /// When the row is wrong, after the steps before it, or `show` fails.
    pub fn row<E>(
        &mut self,
        row: &Row,
        mut show: impl FnMut(Step<'_>) -> Result<(), E>,
    ) -> Result<(), Stopped<E>> {
        let gaps = self.lanes.iter().filter_map(|it| it.closed.as_ref()).try_for_each(|it| it.check_gap(row));
        gaps.map_err(Stopped::Row)?;
        self.steps(|due| due < row.at, &mut show)?;
        self.latest = Some(row.at);
        let mut decided = false;
        for lane in &mut self.lanes {
            match &mut lane.closed {
                Some(closed) => closed.take(row).map_err(Stopped::Row)?,
                None => {
                    let decision = lane.replay.decide(row);
                    lane.summing.add(&decision);
                    lane.decision = Some(decision);
                    decided = true;
                }
            }
        }
        if decided {
            show(Step { at: &row.written, moment: row.at, lanes: &self.lanes }).map_err(Stopped::Show)?;
        }
        Ok(())
    }

    /// The trace is over.
    ///
    /// # Errors
    /// When `show` fails.
    pub fn end<E>(&mut self, mut show: impl FnMut(Step<'_>) -> Result<(), E>) -> Result<(), Stopped<E>> {
        let latest = self.latest;
        self.steps(|due| latest.is_some_and(|latest| due <= latest), &mut show)
    }

    /// The policies with what came of them.
    #[must_use]
    pub fn lanes(&self) -> &[Lane] {
        &self.lanes
    }

    /// The steps of closed loops that are due.
    fn steps<E>(
        &mut self,
        is_due: impl Fn(Timestamp) -> bool,
        show: &mut impl FnMut(Step<'_>) -> Result<(), E>,
    ) -> Result<(), Stopped<E>> {
        while let Some(due) = self.lanes.iter().filter_map(Lane::due).min().filter(|due| is_due(*due)) {
            self.lanes.iter_mut().filter(|it| it.due() == Some(due)).for_each(Lane::step);
            let at =
                self.lanes.iter().filter(|it| it.decided_at() == Some(due)).find_map(|it| it.closed.as_ref());
            if let Some(closed) = at {
                let step = Step { at: &closed.row().written, moment: due, lanes: &self.lanes };
                show(step).map_err(Stopped::Show)?;
            }
        }
        Ok(())
    }
}

impl Lane {
    fn new(spec: Spec, closed: Option<ClosedLoop>) -> Self {
        Self { replay: Replay::new(spec), closed, summing: Summing::default(), decision: None }
    }

    /// Its latest decision.
    #[must_use]
    pub const fn decision(&self) -> Option<&Decision> {
        self.decision.as_ref()
    }

    /// The policy.
    #[must_use]
    pub const fn spec(&self) -> &Spec {
        self.replay.spec()
    }

    /// What it looked at last.
    #[must_use]
    pub const fn snapshot(&self) -> &Snapshot {
        self.replay.snapshot()
    }

    /// Its modelled workload, in a closed loop.
    #[must_use]
    pub fn world(&self) -> Option<&World> {
        self.closed.as_ref()?.world()
    }

    /// What came of it so far.
    #[must_use]
    pub fn report(&self) -> Report {
        self.summing.report(self.world().map(World::totals))
    }

    /// Metrics that the policy reads and nothing has given so far.
    pub fn never_given(&self) -> impl Iterator<Item = &str> {
        self.replay.never_given()
    }

    /// Metrics that the trace gives and the model makes itself.
    pub fn left_aside(&self) -> impl Iterator<Item = &str> {
        self.closed.iter().flat_map(ClosedLoop::left_aside)
    }

    fn due(&self) -> Option<Timestamp> {
        self.closed.as_ref()?.due()
    }

    fn decided_at(&self) -> Option<Timestamp> {
        self.decision.as_ref().map(|it| it.at)
    }

    fn step(&mut self) {
        let Some(closed) = &mut self.closed else { return };
        let Some((row, constraints)) = closed.observe() else { return };
        let decision = self.replay.decide_within(row, &constraints);
        closed.follow(&decision);
        self.summing.add(&decision);
        self.decision = Some(decision);
    }
}
