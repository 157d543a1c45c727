//! Limits of each replica, and whose turn it is where a policy moves both these and the count.

use std::cmp::Ordering;

use super::super::recommend::Way;
use super::super::size::Sized;
use super::super::{Constraints, gate, order};
use super::Draft;
use crate::api::effective::Spec;
use crate::api::policy::Order;
use crate::api::status::Stage;
use crate::model::decision::{Dimension, Limitation};
use crate::model::memory::{Memory, Purpose};
use crate::units::Timestamp;

impl Draft {
    /// Which way the count would go if nothing held it back but its bounds.
    pub(in crate::decide) fn would_go(&self) -> Ordering {
        self.bounds.clamp(self.wanted).cmp(&self.from)
    }

    /// Limits, once it is clear whose turn it is. `would` is the way that the count would go.
    pub(in crate::decide) fn resize(
        &mut self,
        mut sized: Sized,
        would: Ordering,
        constraints: &Constraints,
        memory: &Memory,
        spec: &Spec,
        now: Timestamp,
    ) {
        let moves = self.wanted != self.from;
        // Bounds, drift and a person are obeyed whoever's turn it is.
        let is_forced = moves && self.purpose != Purpose::Recommendation;
        let order = spec.order.unwrap_or(Order::ReplicasFirst);
        let turn = if is_forced { Dimension::Replicas } else { order::turn(order, would, sized.would) };
        for (way, ordering) in [(Way::Up, Ordering::Greater), (Way::Down, Ordering::Less)] {
            let limitation = if spec.horizontal && constraints.growing {
                Some(Limitation::Unfinished)
            } else if turn == Dimension::Replicas && (moves || would.is_ne()) {
                Some(Limitation::Turn(Dimension::Replicas))
            } else {
                gate::forbids_resize(way, constraints, memory, spec.safety, now)
            };
            if let Some(limitation) = limitation {
                sized.forbid(ordering, limitation);
            }
        }
        if turn == Dimension::Resources && sized.would.is_ne() && moves {
            self.keep_back(Stage::Gate, self.from, Some(Limitation::Turn(Dimension::Resources)));
        }
        let acts = sized.resize.changes();
        if acts || (turn == Dimension::Resources && (sized.would.is_ne() || !spec.horizontal)) {
            self.why = sized.why;
            self.purpose = sized.purpose;
            self.limited_by = sized.limited_by;
        }
        self.wait(sized.limited_by.and_then(Limitation::until));
        self.trail.append(&mut sized.lines);
        self.trail.sort_by_key(|it| it.stage);
        self.resize = Some(Box::new(sized.resize));
        self.limits_drifted = sized.drifted;
    }
}
