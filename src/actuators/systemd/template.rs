//! The names of a template's instances. Pure.
//!
//! Replicas are the instances whose name is a number from 1 (`worker@1.service`). Any other instance
//! (`worker@blue.service`, `worker@01.service`) was named by a person for a purpose of its own: it is neither counted
//! nor stopped.

/// A template unit: `worker@.service`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    /// `worker@`.
    prefix: String,
    /// `.service`.
    suffix: String,
}

impl Template {
    /// The template of that name, unless the name is that of one unit.
    pub fn of(unit: &str) -> Option<Self> {
        let (prefix, suffix) = unit.split_once("@.")?;
        Some(Self { prefix: format!("{prefix}@"), suffix: format!(".{suffix}") })
    }

    /// The instance of that number.
    pub fn instance(&self, number: u32) -> String {
        format!("{}{number}{}", self.prefix, self.suffix)
    }

    /// The number of a unit, if it is a replica of this template.
    pub fn number(&self, unit: &str) -> Option<u32> {
        let instance = unit.strip_prefix(&self.prefix)?.strip_suffix(&self.suffix)?;
        let number = instance.parse().ok().filter(|it| *it > 0)?;
        (self.instance(number) == unit).then_some(number)
    }

    /// What the names of its instances match, as of glob(7).
    pub fn pattern(&self) -> String {
        // Of the characters that a unit's name may have, only the backslash has a meaning there.
        format!("{}*{}", self.prefix.replace('\\', "\\\\"), self.suffix)
    }

    /// The lowest `count` numbers that are not taken.
    pub fn free(taken: &[u32], count: u32) -> Vec<u32> {
        let wanted = usize::try_from(count).unwrap_or(usize::MAX);
        (1..=u32::MAX).filter(|it| !taken.contains(it)).take(wanted).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instances_are_known_by_their_number() {
        let template = Template::of("worker@.service").unwrap();
        assert_eq!(template.instance(12), "worker@12.service");
        for (unit, number) in [
            ("worker@1.service", Some(1)),
            ("worker@4294967295.service", Some(u32::MAX)),
            ("worker@4294967296.service", None),
            ("worker@0.service", None),
            ("worker@01.service", None),
            ("worker@+1.service", None),
            ("worker@blue.service", None),
            ("worker@1.socket", None),
            ("other@1.service", None),
            ("worker@.service", None),
        ] {
            assert_eq!(template.number(unit), number, "{unit}");
        }
    }

    #[test]
    fn a_single_unit_and_an_instance_are_no_templates() {
        for unit in ["worker.service", "worker@1.service", "work.slice"] {
            assert_eq!(Template::of(unit), None, "{unit}");
        }
    }

    #[test]
    fn a_backslash_in_the_name_stands_for_itself() {
        assert_eq!(Template::of("a\\x2db@.service").unwrap().pattern(), "a\\\\x2db@*.service");
    }

    #[test]
    fn the_lowest_free_numbers_are_given_out() {
        assert_eq!(Template::free(&[], 2), [1, 2]);
        assert_eq!(Template::free(&[2, 4], 3), [1, 3, 5]);
        assert_eq!(Template::free(&[1], 0), [0_u32; 0]);
    }
}
