//! Order: which way of scaling acts, where a policy has both. One at a time, so that they never answer the same load
//! twice.

use std::cmp::Ordering;

use crate::api::policy::Order;
use crate::model::decision::Dimension;

/// Whose turn it is, by which way each would go: growing goes before shrinking; of two that would grow, the one that
/// is named first in `order` goes until it can no more; of two that would shrink, the other one.
#[must_use]
pub fn turn(order: Order, replicas: Ordering, resources: Ordering) -> Dimension {
    let (first, second) = match order {
        Order::ReplicasFirst => (Dimension::Replicas, Dimension::Resources),
        Order::ResourcesFirst => (Dimension::Resources, Dimension::Replicas),
    };
    match (replicas, resources) {
        (Ordering::Greater, Ordering::Greater) => first,
        (Ordering::Less, Ordering::Less) => second,
        (Ordering::Greater, _) | (Ordering::Less, Ordering::Equal) => Dimension::Replicas,
        (_, Ordering::Greater) | (Ordering::Equal, _) => Dimension::Resources,
    }
}

#[cfg(test)]
mod tests {
    use std::cmp::Ordering::{Equal, Greater, Less};

    use super::*;

    #[test]
    fn growing_goes_before_shrinking_and_the_order_decides_between_equals() {
        use Dimension::{Replicas, Resources};
        for (replicas, resources, replicas_first, resources_first) in [
            (Greater, Greater, Replicas, Resources),
            (Less, Less, Resources, Replicas),
            (Greater, Less, Replicas, Replicas),
            (Less, Greater, Resources, Resources),
            (Greater, Equal, Replicas, Replicas),
            (Less, Equal, Replicas, Replicas),
            (Equal, Greater, Resources, Resources),
            (Equal, Less, Resources, Resources),
        ] {
            assert_eq!(turn(Order::ReplicasFirst, replicas, resources), replicas_first);
            assert_eq!(turn(Order::ResourcesFirst, replicas, resources), resources_first);
        }
    }
}
