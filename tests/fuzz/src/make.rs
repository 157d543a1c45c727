//! From bytes to choices: which features a policy has, and what happens to its workload. Bytes that run out choose
//! what is first or least.

use libfuzzer_sys::arbitrary::Unstructured;

/// Makes choices from bytes.
pub struct Chooser<'a>(Unstructured<'a>);

impl<'a> Chooser<'a> {
    /// Of those bytes.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self(Unstructured::new(bytes))
    }

    /// Are there no bytes left?
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One of them.
    ///
    /// # Panics
    /// Where there is none.
    pub fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.0.choose_index(of.len()).unwrap_or(0)]
    }

    /// Once in `n` times.
    pub fn once_in(&mut self, n: u8) -> bool {
        self.0.int_in_range(0..=n - 1).unwrap_or(1) == 0
    }

    /// From `least` to `most`.
    pub fn count(&mut self, least: u32, most: u32) -> u32 {
        self.0.int_in_range(least..=most).unwrap_or(least)
    }

    /// A measured value: mostly of the sizes that are usual, at times any number that there is.
    pub fn value(&mut self) -> f64 {
        match self.count(0, 9) {
            0 => f64::from_bits(self.0.int_in_range(0..=u64::MAX).unwrap_or(0)),
            1 => self.one(&[0.0, -0.0, -1.0, 1e-300, 1e300, 9e18, f64::MAX, f64::MIN_POSITIVE]),
            2..=4 => f64::from(self.count(0, 1_000_000)) / 10.0,
            _ => f64::from(self.count(0, 2_000)) / 10.0,
        }
    }

    /// A finite number above zero, as targets and limits are.
    pub fn positive(&mut self) -> f64 {
        let value = self.value().abs();
        if value.is_finite() && value > 0.0 { value } else { 60.0 }
    }

    /// Seconds as a policy writes them.
    pub fn seconds(&mut self, least: u32, most: u32) -> String {
        let most = if self.once_in(4) { most } else { most.min(600) };
        format!("{}s", self.count(least, most))
    }
}
