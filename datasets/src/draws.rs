//! Random draws that are the same on every machine.
//!
//! The bits come from ChaCha with 8 rounds, whose output is fixed by its definition; the seed
//! fills the key and the [`Stream`] picks one of its independent streams, so that one part of a
//! generator can draw more or less without moving the draws of another. Everything above the
//! bits is integer arithmetic, the four IEEE operations, or the `libm` crate: none of them
//! depends on the platform.

use std::sync::OnceLock;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// The independent streams of draws of one seed.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Stream {
    Terminals = 1,
    Cards = 2,
    Trips = 3,
    Frauds = 4,
    Moments = 5,
    Purchases = 6,
    Arrivals = 7,
}

/// A stream of draws.
#[derive(Debug, Clone)]
pub(crate) struct Draws {
    rng: ChaCha8Rng,
}

impl Draws {
    /// The draws of `stream` under `seed`.
    pub(crate) fn new(seed: u64, stream: Stream) -> Self {
        let mut key = *b"........ pelton payments, key 01";
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut rng = ChaCha8Rng::from_seed(key);
        rng.set_stream(stream as u64);
        Self { rng }
    }

    /// 32 random bits.
    #[inline]
    pub(crate) fn bits(&mut self) -> u32 {
        self.rng.next_u32()
    }

    /// An integer in `0..n`; 0 where `n` is 0. The bias of the multiplication is below n / 2³².
    #[inline]
    pub(crate) fn below(&mut self, n: u32) -> u32 {
        ((u64::from(self.bits()) * u64::from(n)) >> 32) as u32
    }

    /// An integer in `from..until` (in `from..=from` where the range is empty).
    #[inline]
    pub(crate) fn range(&mut self, from: i64, until: i64) -> i64 {
        let width = until.saturating_sub(from).max(0) as u64;
        from + ((u128::from(self.rng.next_u64()) * u128::from(width)) >> 64) as i64
    }

    /// True once in `million / per_million` draws.
    #[inline]
    pub(crate) fn chance(&mut self, per_million: u32) -> bool {
        self.below(1_000_000) < per_million
    }

    /// A number in `low..high`, of 32 bits.
    #[inline]
    pub(crate) fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * (f64::from(self.bits()) / 4_294_967_296.0)
    }

    /// A standard normal number, by linear interpolation of its quantiles; the tails end at
    /// ±3.67 (1 in 8,192 on each side lies beyond in truth).
    #[inline]
    pub(crate) fn normal(&mut self) -> f64 {
        let bits = self.bits();
        let cell = (bits >> (32 - QUANTILE_BITS)) as usize;
        let within = f64::from(bits & ((1 << (32 - QUANTILE_BITS)) - 1))
            / f64::from(1u32 << (32 - QUANTILE_BITS));
        let z = quantiles();
        z[cell] + (z[cell + 1] - z[cell]) * within
    }
}

const QUANTILE_BITS: u32 = 12;
const QUANTILES: usize = 1 << QUANTILE_BITS;

/// Quantiles of the standard normal distribution at i / 4096, the ends at half a cell.
fn quantiles() -> &'static [f64; QUANTILES + 1] {
    static TABLE: OnceLock<Box<[f64; QUANTILES + 1]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let mut table = Box::new([0.0; QUANTILES + 1]);
        for i in 0..QUANTILES / 2 {
            let share = (i as f64).max(0.5) / QUANTILES as f64;
            let z = normal_quantile(share);
            table[i] = z;
            table[QUANTILES - i] = -z;
        }
        table
    })
}

/// z with Φ(z) = `share`, for shares below one half, by bisection of erfc.
fn normal_quantile(share: f64) -> f64 {
    let (mut low, mut high) = (-8.0f64, 0.0f64);
    for _ in 0..48 {
        let middle = (low + high) / 2.0;
        let below = libm::erfc(-middle / std::f64::consts::SQRT_2) / 2.0;
        if below < share {
            low = middle;
        } else {
            high = middle;
        }
    }
    (low + high) / 2.0
}

#[cfg(test)]
mod tests;
