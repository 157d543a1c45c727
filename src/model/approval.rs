//! Approvals: in mode `Approve` a change is proposed first, and made only once a person has approved it.
//!
//! Values, and the few sentences that change them; when a change is proposed, and when an approval fits one, is in
//! `decide::approve`.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use crate::api::limits::LimitSet;
use crate::units::{Duration, Timestamp};

/// How long a proposal waits; if the same is wanted after that, it is asked anew under another id.
pub const PROPOSAL_LASTS: Duration = Duration::from_secs(3_600);
/// How long an approval is good for its change.
pub const APPROVAL_LASTS: Duration = Duration::from_secs(600);
/// How long a rejected change is not asked again.
pub const REJECTION_LASTS: Duration = Duration::from_secs(600);
/// Most rejected changes that are remembered; the oldest goes.
const MAX_REJECTIONS: usize = 16;
/// Letters of a code: none that can be taken for another.
const LETTERS: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
/// Length of a code.
const CODE_LENGTH: u32 = 4;
/// How many codes there are.
const CODES: u64 = (LETTERS.len() as u64).pow(CODE_LENGTH);
/// Codes of proposals that follow one another lie this far apart, so that a slip of a finger meets none that waits.
/// It has no divisor in common with [`CODES`], so that every code comes up before one comes again.
const STRIDE: u64 = 570_787;

/// A change, before it is made. It is the same change only where all of it is the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Plan {
    /// Replicas before.
    pub from: u32,
    /// Replicas after.
    pub to: u32,
    /// Limits of each replica before, where they change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits_before: Option<LimitSet>,
    /// Limits of each replica after, where they change.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limits: Option<LimitSet>,
}

/// A change that waits for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Proposal {
    /// What a person types: the policy's name and a code, as in `web-7f3k`.
    pub id: String,
    /// The change.
    pub plan: Plan,
    /// Why, in one line.
    pub reason: String,
    /// Since when it waits.
    pub since: Timestamp,
    /// Until when it can be answered.
    pub until: Timestamp,
}

/// What a person says to a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// It may be made, once.
    Approve,
    /// It may not.
    Reject,
}

/// A proposal that a person has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    /// The proposal's id.
    pub id: String,
    /// The change.
    pub plan: Plan,
    /// Who, as the socket or the token told.
    pub by: String,
    /// Why, in the person's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it ends.
    pub until: Timestamp,
}

/// What waits for a person, and what persons have answered.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Approvals {
    /// The number of the latest proposal; its code follows from it.
    number: u64,
    /// The change that waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Proposal>,
    /// The change that may be made once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Answer>,
    /// Changes that are not asked again for a while, oldest first.
    #[serde(skip_serializing_if = "VecDeque::is_empty")]
    pub rejections: VecDeque<Answer>,
}

/// Why a proposal cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unanswerable {
    /// Nothing waits.
    #[error("`{id}` does not wait for an approval, and nothing else does")]
    NothingWaits {
        /// As it was asked for.
        id: String,
    },
    /// Another one waits.
    #[error("`{id}` does not wait for an approval; `{}` does: {}, because {}", .waits.id, .waits.plan, .waits.reason)]
    AnotherWaits {
        /// As it was asked for.
        id: String,
        /// What waits.
        waits: Box<Proposal>,
    },
    /// Nobody answered in time.
    #[error("`{id}` ended at {at}; what is still wanted is asked anew")]
    Ended {
        /// Which.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// Somebody has approved it.
    #[error("`{}` is approved already, by {}, until {}", .0.id, .0.by, .0.until)]
    Approved(Box<Answer>),
    /// Somebody has rejected it.
    #[error("`{}` was rejected by {}; what is still wanted is asked anew after {}", .0.id, .0.by, .0.until)]
    Rejected(Box<Answer>),
}

impl Approvals {
    /// Nothing was ever proposed.
    #[must_use]
    pub fn is_unused(&self) -> bool {
        *self == Self::default()
    }

    /// A new proposal, which waits from now on. Numbers begin with the time, so that a policy whose memory was lost
    /// does not give an old id again.
    pub fn propose(&mut self, policy: Option<&str>, plan: Plan, reason: String, now: Timestamp) -> &Proposal {
        let next = if self.number == 0 { now.as_millis().unsigned_abs() } else { self.number };
        self.number = next.wrapping_add(1);
        let code = code(self.number);
        let id = policy.map_or_else(|| code.clone(), |policy| format!("{policy}-{code}"));
        self.proposal.insert(Proposal { id, plan, reason, since: now, until: now.plus(PROPOSAL_LASTS) })
    }

    /// A person answers a proposal.
    ///
    /// # Errors
    /// When that one does not wait.
    pub fn answer(
        &mut self,
        id: &str,
        verdict: Verdict,
        by: &str,
        reason: Option<&str>,
        now: Timestamp,
    ) -> Result<Answer, Unanswerable> {
        let waits = self.proposal.take_if(|it| it.id == id && it.until > now);
        let Some(proposal) = waits else { return Err(self.unanswerable(id, now)) };
        let lasts = match verdict {
            Verdict::Approve => APPROVAL_LASTS,
            Verdict::Reject => REJECTION_LASTS,
        };
        let answer = Answer {
            id: proposal.id,
            plan: proposal.plan,
            by: by.to_owned(),
            reason: reason.map(str::to_owned),
            until: now.plus(lasts),
        };
        match verdict {
            Verdict::Approve => self.approval = Some(answer.clone()),
            Verdict::Reject => {
                if self.rejections.len() >= MAX_REJECTIONS {
                    self.rejections.pop_front();
                }
                self.rejections.push_back(answer.clone());
            }
        }
        Ok(answer)
    }

    fn unanswerable(&self, id: &str, now: Timestamp) -> Unanswerable {
        let named = |it: &&Answer| it.id == id && it.until > now;
        if let Some(approved) = self.approval.iter().find(named) {
            return Unanswerable::Approved(Box::new(approved.clone()));
        }
        if let Some(rejected) = self.rejections.iter().find(named) {
            return Unanswerable::Rejected(Box::new(rejected.clone()));
        }
        let id = id.to_owned();
        match &self.proposal {
            Some(ended) if ended.id == id => Unanswerable::Ended { id, at: ended.until },
            Some(waits) if waits.until > now => {
                Unanswerable::AnotherWaits { id, waits: Box::new(waits.clone()) }
            }
            _ => Unanswerable::NothingWaits { id },
        }
    }

    /// The approval of that id is used; no other change may use it.
    pub fn use_up(&mut self, id: &str) {
        self.approval.take_if(|it| it.id == id);
    }

    /// Nobody is asked any more. Only the numbers of proposals go on.
    pub fn end(&mut self) {
        *self = Self { number: self.number, ..Self::default() };
    }

    /// Forgets what has ended. Nothing ends later than it would if it were new, though the clock was set back.
    pub(super) fn forget(&mut self, now: Timestamp) {
        let ended = |until: &mut Timestamp, lasts| {
            *until = (*until).min(now.plus(lasts));
            *until <= now
        };
        self.proposal.take_if(|it| ended(&mut it.until, PROPOSAL_LASTS));
        self.approval.take_if(|it| ended(&mut it.until, APPROVAL_LASTS));
        self.rejections.retain_mut(|it| !ended(&mut it.until, REJECTION_LASTS));
    }
}

/// The policy that an id names; none where it is no id.
#[must_use]
pub fn policy_of(id: &str) -> Option<&str> {
    let (policy, code) = id.rsplit_once('-')?;
    let whole = code.len() == CODE_LENGTH as usize && code.bytes().all(|it| LETTERS.contains(&it));
    (whole && !policy.is_empty()).then_some(policy)
}

fn code(number: u64) -> String {
    let mut rest = (number % CODES) * STRIDE % CODES;
    let letter = |_| {
        let letter = LETTERS[(rest % LETTERS.len() as u64) as usize];
        rest /= LETTERS.len() as u64;
        char::from(letter)
    };
    (0..CODE_LENGTH).map(letter).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const PLAN: Plan = Plan { from: 2, to: 4, limits_before: None, limits: None };

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_secs(1_000_000 + seconds)
    }

    fn waiting() -> (Approvals, String) {
        let mut approvals = Approvals::default();
        let id = approvals.propose(Some("web"), PLAN, "cpu.avg 90 > 75".to_owned(), at(0)).id.clone();
        (approvals, id)
    }

    fn answer(approvals: &mut Approvals, id: &str, verdict: Verdict, now: i64) -> Result<Answer, String> {
        approvals.answer(id, verdict, "ada", None, at(now)).map_err(|error| error.to_string())
    }

    #[test]
    fn every_code_comes_up_before_one_comes_again() {
        let codes: HashSet<_> = (0..CODES).map(code).collect();
        assert_eq!(codes.len() as u64, CODES);
    }

    #[test]
    fn an_id_names_its_policy() {
        let (_, id) = waiting();
        assert_eq!(policy_of(&id), Some("web"), "{id}");
        for (id, policy) in [
            ("web-front-7f3k", Some("web-front")),
            ("web", None),
            ("web-front", None),
            ("web-7f3", None),
            ("web-7F3K", None),
            ("-7f3k", None),
            ("7f3k", None),
        ] {
            assert_eq!(policy_of(id), policy, "{id}");
        }
    }

    #[test]
    fn what_waits_is_answered_once() {
        let (mut approvals, id) = waiting();
        let approved = answer(&mut approvals, &id, Verdict::Approve, 60).unwrap();
        assert_eq!((approved.plan, approved.until), (PLAN, at(660)));
        assert_eq!(approvals.proposal, None);
        let again = answer(&mut approvals, &id, Verdict::Reject, 61).unwrap_err();
        assert!(again.contains("is approved already, by ada"), "{again}");
        approvals.use_up(&id);
        let used = answer(&mut approvals, &id, Verdict::Approve, 62).unwrap_err();
        assert_eq!(used, format!("`{id}` does not wait for an approval, and nothing else does"));
    }

    #[test]
    fn a_wrong_or_late_answer_says_what_waits() {
        let (mut approvals, id) = waiting();
        let wrong = answer(&mut approvals, "web-2222", Verdict::Approve, 1).unwrap_err();
        let told = format!("`{id}` does: 2 -> 4 replicas, because cpu.avg 90 > 75");
        assert!(wrong.ends_with(&told), "{wrong}");
        let late = answer(&mut approvals, &id, Verdict::Approve, 3_600).unwrap_err();
        assert!(late.starts_with(&format!("`{id}` ended at ")), "{late}");
        answer(&mut approvals, &id, Verdict::Reject, 3_599).unwrap();
        let rejected = answer(&mut approvals, &id, Verdict::Approve, 3_600).unwrap_err();
        assert!(rejected.contains("was rejected by ada"), "{rejected}");
    }

    #[test]
    fn everything_ends_also_where_the_clock_was_set_back() {
        let (mut approvals, id) = waiting();
        approvals.forget(at(-100_000));
        assert_eq!(approvals.proposal.as_ref().unwrap().until, at(-100_000 + 3_600));
        answer(&mut approvals, &id, Verdict::Approve, -100_000).unwrap();
        approvals.forget(at(-100_000 + 599));
        assert!(approvals.approval.is_some());
        approvals.forget(at(-100_000 + 600));
        assert_eq!(approvals.approval, None);
    }

    #[test]
    fn rejections_are_bounded() {
        let mut approvals = Approvals::default();
        for to in 0..100 {
            let plan = Plan { to, ..PLAN };
            let id = approvals.propose(Some("web"), plan, String::new(), at(0)).id.clone();
            answer(&mut approvals, &id, Verdict::Reject, 0).unwrap();
        }
        assert_eq!(approvals.rejections.len(), MAX_REJECTIONS);
        assert_eq!(approvals.rejections.back().unwrap().plan.to, 99);
    }
}
