//! Which policy is due when. Each key stands in it at most once; of two wishes the earlier wins.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use crate::model::key::PolicyKey;

/// No pass is planned further ahead than this: whatever a deadline says, the world is looked at again by then.
pub const LONGEST_WAIT: Duration = Duration::from_secs(300);

/// Policies that wait for their next pass.
#[derive(Debug, Default)]
pub struct Queue {
    due: BTreeSet<(Instant, PolicyKey)>,
    waiting: HashMap<PolicyKey, Instant>,
}

impl Queue {
    /// Asks for a pass at `at`, or keeps the earlier wish that is there.
    pub fn add(&mut self, key: PolicyKey, at: Instant, now: Instant) {
        let at = at.min(now + LONGEST_WAIT);
        match self.waiting.get(&key) {
            Some(earlier) if *earlier <= at => return,
            Some(later) => {
                self.due.remove(&(*later, key.clone()));
            }
            None => {}
        }
        self.waiting.insert(key.clone(), at);
        self.due.insert((at, key));
    }

    /// Takes the key back, as its policy is gone.
    pub fn remove(&mut self, key: &PolicyKey) {
        if let Some(at) = self.waiting.remove(key) {
            self.due.remove(&(at, key.clone()));
        }
    }

    /// When the next pass is due.
    #[must_use]
    pub fn next(&self) -> Option<Instant> {
        self.due.first().map(|(at, _)| *at)
    }

    /// Takes the most overdue key, with how late it is.
    pub fn pop(&mut self, now: Instant) -> Option<(PolicyKey, Duration)> {
        let (at, _) = self.due.first()?;
        if *at > now {
            return None;
        }
        let (at, key) = self.due.pop_first()?;
        self.waiting.remove(&key);
        Some((key, now - at))
    }

    /// How many wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.due.len()
    }

    /// Does nobody wait?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.due.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> PolicyKey {
        PolicyKey::new(name)
    }

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn of_two_wishes_for_one_key_the_earlier_wins() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add(key("web"), now + 5 * SECOND, now);
        queue.add(key("web"), now + SECOND, now);
        queue.add(key("web"), now + 9 * SECOND, now);
        assert_eq!(queue.len(), 1);
        assert_eq!(queue.next(), Some(now + SECOND));
        assert_eq!(queue.pop(now), None);
        assert_eq!(queue.pop(now + 3 * SECOND), Some((key("web"), 2 * SECOND)));
        assert!(queue.is_empty());
    }

    #[test]
    fn the_most_overdue_comes_first() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add(key("b"), now + 2 * SECOND, now);
        queue.add(key("a"), now + SECOND, now);
        let later = now + 10 * SECOND;
        assert_eq!(queue.pop(later).unwrap().0, key("a"));
        assert_eq!(queue.pop(later).unwrap().0, key("b"));
    }

    #[test]
    fn a_far_deadline_is_brought_near() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add(key("web"), now + Duration::from_secs(86_400), now);
        assert_eq!(queue.next(), Some(now + LONGEST_WAIT));
    }

    #[test]
    fn a_removed_key_is_not_due_any_more() {
        let now = Instant::now();
        let mut queue = Queue::default();
        queue.add(key("web"), now, now);
        queue.remove(&key("web"));
        assert_eq!(queue.pop(now), None);
        assert_eq!(queue.next(), None);
    }
}
