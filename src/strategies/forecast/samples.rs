//! Series for tests, out of a fixed sequence.

/// A season of the shape of a sine, on a trend, with noise.
#[derive(Clone, Copy)]
pub struct Wave {
    /// Steps of a season.
    pub period: usize,
    /// Rise per step.
    pub trend: f64,
    /// Largest noise, either way.
    pub noise: f64,
}

/// The first `count` values of a wave around 100 and 50 high.
pub fn wave(it: Wave, count: usize) -> Vec<f64> {
    let mut noise = Noise(7);
    (0..count)
        .map(|place| {
            let turn = std::f64::consts::TAU * place as f64 / it.period as f64;
            100.0 + 50.0 * turn.sin() + it.trend * place as f64 + it.noise * noise.next()
        })
        .collect()
}

/// Numbers between -1 and 1: a linear congruential generator with the constants of Knuth's MMIX.
pub struct Noise(pub u64);

impl Noise {
    pub fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 52) as f64 - 1.0
    }
}
