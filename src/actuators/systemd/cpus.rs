//! Sets of CPUs as systemd writes them: a bit for each CPU, the lowest first. Pure.

/// The lowest `count` of these CPUs; none where there are fewer.
pub(super) fn lowest(online: &[u32], count: u32) -> Option<Vec<u8>> {
    let mut online = online.to_vec();
    online.sort_unstable();
    let chosen = online.get(..usize::try_from(count).ok()?)?;
    let mut mask = Vec::new();
    for cpu in chosen {
        let (byte, bit) = (usize::try_from(cpu / 8).ok()?, cpu % 8);
        if mask.len() <= byte {
            mask.resize(byte + 1, 0);
        }
        mask[byte] |= 1_u8 << bit;
    }
    Some(mask)
}

/// How many CPUs are in a set.
pub(super) fn count(mask: &[u8]) -> u32 {
    mask.iter().map(|byte| byte.count_ones()).sum()
}

/// The set without the zeroes at its end, by which equal sets may differ.
pub(super) fn trimmed(mut mask: Vec<u8>) -> Vec<u8> {
    let length = mask.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    mask.truncate(length);
    mask
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_set_has_the_lowest_cpus_that_are_online() {
        for (online, wanted, mask) in [
            (&[0, 1, 2, 3][..], 2, Some(vec![0b11])),
            (&[0, 2, 3], 2, Some(vec![0b101])),
            (&[3, 0], 1, Some(vec![0b1])),
            (&[0, 9], 2, Some(vec![0b1, 0b10])),
            (&[0, 1], 3, None),
            (&[0, 1], 0, Some(vec![])),
        ] {
            assert_eq!(lowest(online, wanted), mask, "{wanted} of {online:?}");
        }
    }

    #[test]
    fn sets_that_differ_only_by_zeroes_at_their_end_are_equal() {
        assert_eq!(trimmed(vec![3, 0, 0]), trimmed(vec![3]));
        assert_eq!(trimmed(vec![0, 3]), [0, 3]);
        assert_eq!(trimmed(vec![0, 0]), [0_u8; 0]);
    }

    proptest! {
        #[test]
        fn a_set_has_as_many_cpus_as_were_asked_for(
            online in proptest::collection::btree_set(0..512_u32, 1..64),
            share in 0.0..=1.0,
        ) {
            let online: Vec<_> = online.into_iter().collect();
            let wanted = (online.len() as f64 * share) as u32;
            let mask = lowest(&online, wanted).unwrap();
            prop_assert_eq!(count(&mask), wanted);
            prop_assert_eq!(trimmed(mask.clone()), mask);
        }
    }
}
