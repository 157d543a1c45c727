//! Which replica new ones are cloned from, and whether this is a moment to clone at all. Pure.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use super::find::{ComposeContainer, State};
use super::survey::Looks;
use crate::actuators::Obstacle;
use crate::api::condition::Reason;
use crate::api::target::ComposeTarget;
use crate::model::observation::{Health, Limits};

/// What Compose calls a replica, in front of its final name, while it takes another's place: 12 hex digits and `_`.
const REPLACING_PREFIX: usize = 13;

/// How a service's containers are named.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// `project-service-number`, with that separator.
    Numbered(char),
    /// By `container_name`, so there can be but one.
    Fixed,
}

/// The configuration (hash and image) that most replicas have; the newer one on a tie.
pub(super) fn current(containers: &[ComposeContainer]) -> Option<(Option<&str>, Option<&str>)> {
    let mut tally = BTreeMap::new();
    for it in containers {
        // The engine's list tells whole seconds, so the number decides between those of one second.
        let age = (it.created_at, it.number);
        let (count, newest) = tally.entry(it.configuration()).or_insert((0_u32, age));
        *count += 1;
        *newest = (*newest).max(age);
    }
    tally.into_iter().max_by_key(|(_, weight)| *weight).map(|(configuration, _)| configuration)
}

/// The replica to clone: of the current configuration, running and healthy if there is such a one, with the limits
/// that most of those have (`docker compose up --scale` makes replicas that nobody resized yet), rather one that
/// Compose made (it names the image by its reference, even if that has moved), the newest, lowest number on a tie. A
/// replica that rests at zero will do.
pub(super) fn choose<'a>(containers: &'a [ComposeContainer], looks: &Looks) -> Option<&'a ComposeContainer> {
    let current = current(containers)?;
    let candidates: Vec<_> = containers
        .iter()
        .filter(|it| it.configuration() == current && !it.is_half_made())
        .filter(|it| !matches!(it.state, State::Removing | State::Dead))
        .collect();
    let limits = |it: &ComposeContainer| looks.get(&it.id).map(|look| look.limits);
    let tally = tally(candidates.iter().copied().map(limits));
    let alike = |it| tally.iter().find(|(of, _)| *of == limits(it)).map(|(_, count)| *count);
    candidates
        .into_iter()
        .max_by_key(|it| (fitness(it), alike(it), it.change.is_none(), it.created_at, Reverse(it.number)))
}

/// How many have the same limits.
fn tally(all: impl Iterator<Item = Option<Limits>>) -> Vec<(Option<Limits>, usize)> {
    let mut tally: Vec<(Option<Limits>, usize)> = Vec::new();
    for limits in all {
        match tally.iter_mut().find(|(it, _)| *it == limits) {
            Some((_, count)) => *count += 1,
            None => tally.push((limits, 1)),
        }
    }
    tally
}

/// Higher is better. The configuration is the same in all; health only says where to look first.
fn fitness(container: &ComposeContainer) -> u8 {
    match (container.state, container.health) {
        (State::Running, Health::Healthy | Health::NoCheck) => 3,
        (State::Running, _) => 2,
        (State::Restarting | State::Paused, _) => 1,
        _ => 0,
    }
}

/// Why nothing can be cloned at present: the service is Swarm's, two projects share it, or an `up` is under way.
pub(super) fn obstacle(containers: &[ComposeContainer]) -> Option<Obstacle> {
    swarm_managed(containers).or_else(|| mixed_project(containers)).or_else(|| rollout(containers))
}

fn swarm_managed(containers: &[ComposeContainer]) -> Option<Obstacle> {
    let found = containers.iter().find(|it| it.swarm)?;
    Some(Obstacle {
        reason: Reason::SwarmManaged,
        message: format!(
            "container {} belongs to a Swarm service; name that as the target instead",
            found.name
        ),
    })
}

fn mixed_project(containers: &[ComposeContainer]) -> Option<Obstacle> {
    let folders: BTreeSet<_> = containers.iter().filter_map(|it| it.working_dir.as_deref()).collect();
    if folders.len() < 2 {
        return None;
    }
    let folders = folders.into_iter().collect::<Vec<_>>().join(" and ");
    Some(Obstacle {
        reason: Reason::MixedProject,
        message: format!("replicas come from {folders}; give one of the two projects another name"),
    })
}

/// More than one configuration hash, or a replica that is just taking another's place.
fn rollout(containers: &[ComposeContainer]) -> Option<Obstacle> {
    let waiting = |found: String| {
        Some(Obstacle {
            reason: Reason::RolloutInProgress,
            message: format!("{found}; let `docker compose up -d` finish, or run it again"),
        })
    };
    if let Some(replacing) = containers.iter().find(|it| is_replacing(&it.name)) {
        return waiting(format!("{} is taking another replica's place", replacing.name));
    }
    let hashes: BTreeSet<_> = containers.iter().map(|it| it.config_hash.as_deref()).collect();
    if hashes.len() > 1 {
        return waiting(format!("replicas have {} different configurations", hashes.len()));
    }
    None
}

fn is_replacing(name: &str) -> bool {
    name.len() > REPLACING_PREFIX
        && name.as_bytes()[REPLACING_PREFIX - 1] == b'_'
        && name
            .bytes()
            .take(REPLACING_PREFIX - 1)
            .all(|it| it.is_ascii_hexdigit() && !it.is_ascii_uppercase())
}

/// How the donor is named; its siblings are named the same way.
pub(super) fn naming(donor: &ComposeContainer, target: &ComposeTarget) -> Naming {
    let is = |separator| donor.name == replica_name(target, separator, donor.number);
    ['-', '_'].into_iter().find(|it| is(*it)).map_or(Naming::Fixed, Naming::Numbered)
}

/// The name of replica `number`.
pub(super) fn replica_name(target: &ComposeTarget, separator: char, number: u32) -> String {
    format!("{}{separator}{}{separator}{number}", target.project, target.service)
}

/// The number that the next replica gets. Gaps are not filled, as Compose does not.
pub(super) fn next_number(containers: &[ComposeContainer]) -> u32 {
    containers.iter().map(|it| it.number).max().unwrap_or(0).saturating_add(1)
}

#[cfg(test)]
mod tests {
    use super::super::find::sample;
    use super::super::survey::Look;
    use super::*;
    use crate::model::change::ChangeId;
    use crate::units::Timestamp;

    fn target() -> ComposeTarget {
        ComposeTarget {
            project: "shop".to_owned(),
            service: "web".to_owned(),
            docker: None,
            strategy: None,
            delete_anonymous_volumes: None,
            stateful: None,
        }
    }

    fn with_hash(number: u32, hash: &str) -> ComposeContainer {
        ComposeContainer { config_hash: Some(hash.to_owned()), ..sample(number) }
    }

    #[test]
    fn the_donor_is_the_newest_healthy_replica_of_the_majority() {
        let unhealthy = ComposeContainer { health: Health::Unhealthy, ..sample(3) };
        let stopped = ComposeContainer { state: State::Exited, ..sample(4) };
        let other = with_hash(9, "h0");
        assert_eq!(
            choose(&[sample(1), sample(2), unhealthy, stopped, other], &Looks::new()).unwrap().number,
            2
        );
    }

    #[test]
    fn among_replicas_made_together_the_lowest_number_is_the_donor() {
        let made = Timestamp::from_secs(7);
        let twins = [2, 1, 3].map(|number| ComposeContainer { created_at: made, ..sample(number) });
        assert_eq!(choose(&twins, &Looks::new()).unwrap().number, 1);
    }

    #[test]
    fn a_replica_that_compose_made_is_cloned_before_a_clone() {
        let clone = ComposeContainer { change: Some(ChangeId::new("c")), ..sample(2) };
        assert_eq!(choose(&[sample(1), clone.clone()], &Looks::new()).unwrap().number, 1);
        assert_eq!(choose(&[clone], &Looks::new()).unwrap().number, 2);
    }

    #[test]
    fn a_replica_with_the_limits_of_its_siblings_is_cloned_before_one_that_nobody_resized() {
        let host = |memory: u64| serde_json::json!({"HostConfig": {"Memory": memory}});
        let resized = |number| ComposeContainer { change: Some(ChangeId::new("c")), ..sample(number) };
        let containers = [resized(1), resized(2), sample(3)];
        let look = |it: &ComposeContainer, memory| (it.id.clone(), Look::at(&host(memory), it));
        let chosen = |memory: [u64; 3]| {
            let looks = containers.iter().zip(memory).map(|(it, memory)| look(it, memory)).collect();
            choose(&containers, &looks).unwrap().number
        };
        assert_eq!(chosen([512, 512, 64]), 2);
        assert_eq!(chosen([512, 64, 64]), 3);
        assert_eq!(chosen([64, 64, 64]), 3);
    }

    #[test]
    fn a_replica_resting_at_zero_is_a_donor_but_a_half_made_one_is_not() {
        let resting = ComposeContainer { state: State::Exited, ..sample(1) };
        let half = ComposeContainer { state: State::Created, change: Some(ChangeId::new("c")), ..sample(2) };
        assert_eq!(choose(&[resting, half.clone()], &Looks::new()).unwrap().number, 1);
        assert_eq!(choose(&[half], &Looks::new()), None);
        assert_eq!(choose(&[], &Looks::new()), None);
    }

    #[test]
    fn on_a_tie_the_newer_configuration_is_the_current_one() {
        assert_eq!(current(&[with_hash(1, "zz"), with_hash(2, "aa")]), Some((Some("aa"), Some("i1"))));
    }

    #[test]
    fn a_mixed_or_moving_service_is_not_cloned() {
        let replacing = ComposeContainer { name: "0123456789ab_shop-web-1".to_owned(), ..sample(1) };
        let elsewhere = ComposeContainer { working_dir: Some("/tmp/shop".to_owned()), ..sample(2) };
        let swarm = ComposeContainer { swarm: true, ..sample(2) };
        for (second, reason) in [
            (with_hash(2, "h2"), Reason::RolloutInProgress),
            (replacing, Reason::RolloutInProgress),
            (elsewhere, Reason::MixedProject),
            (swarm, Reason::SwarmManaged),
        ] {
            assert_eq!(obstacle(&[sample(1), second]).unwrap().reason, reason);
        }
        assert_eq!(obstacle(&[sample(1), sample(2)]), None);
    }

    #[test]
    fn another_image_alone_is_no_rollout() {
        let rebuilt = ComposeContainer { image_digest: Some("i2".to_owned()), ..sample(2) };
        assert_eq!(obstacle(&[sample(1), rebuilt]), None);
    }

    #[test]
    fn names_follow_the_donors() {
        let named = |name: &str| ComposeContainer { name: name.to_owned(), ..sample(3) };
        assert_eq!(naming(&named("shop-web-3"), &target()), Naming::Numbered('-'));
        assert_eq!(naming(&named("shop_web_3"), &target()), Naming::Numbered('_'));
        assert_eq!(naming(&named("front"), &target()), Naming::Fixed);
        assert_eq!(naming(&named("shop-web-4"), &target()), Naming::Fixed);
    }

    #[test]
    fn numbers_go_on_from_the_highest() {
        assert_eq!(next_number(&[sample(1), sample(3)]), 4);
        assert_eq!(next_number(&[]), 1);
    }
}
