//! What a device is tried on before it is believed.
//!
//! A device that has f64 may still flush subnormal numbers to zero, or round a sum otherwise than
//! to nearest. So before its own additions are used, it adds pairs that tell: ties, carries,
//! cancellation, subnormals, infinities, and many at random. One wrong bit, and sums are made
//! of integers on this device (`shared/float64.wgsl`).

use pelton_shaders::{CombineParams, Flags, INVOCATIONS, Pass};

use super::{Gpu, GpuError};

/// Pairs at random.
const PAIRS: usize = 4096;

/// Numbers at which additions go wrong.
const HARD: [f64; 16] = [
    0.0,
    -0.0,
    1.0,
    f64::EPSILON,
    -f64::EPSILON / 2.0,
    1.5 * f64::EPSILON,
    f64::MAX,
    -f64::MAX,
    f64::MIN_POSITIVE,
    -f64::MIN_POSITIVE,
    5e-324,
    -5e-324,
    f64::INFINITY,
    4_503_599_627_370_496.0,
    9_007_199_254_740_992.0,
    -0.1,
];

/// Pairs that tell an exact addition from another.
fn pairs() -> (Vec<f64>, Vec<f64>) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    for x in HARD {
        for y in HARD {
            a.push(x);
            b.push(y);
        }
    }
    // A linear congruential generator (D. Knuth's MMIX): any other would do.
    let mut state = 1_u64;
    let mut next = || {
        state =
            state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state
    };
    for _ in 0..PAIRS {
        let x = next() ^ next() >> 32;
        // Exponents up to 63 apart, so that mantissas meet; none of infinity.
        let exponent = 64 + x % 1900;
        let near = (exponent + next() % 64).saturating_sub(next() % 64);
        let make = |exponent: u64, bits: u64| {
            f64::from_bits(bits & 0x800f_ffff_ffff_ffff | exponent.min(2046) << 52)
        };
        a.push(make(exponent, next() ^ next() >> 32));
        b.push(make(near, next() ^ next() >> 32));
    }
    (a, b)
}

impl Gpu {
    /// Whether the device's own f64 additions are those of IEEE 754; tried once.
    pub(super) fn float64_is_exact(&self) -> bool {
        let has = self.flags().contains(Flags::FLOAT64);
        has && *self.inner.float64_is_exact.get_or_init(|| self.adds_exactly().unwrap_or(false))
    }

    fn adds_exactly(&self) -> Result<bool, GpuError> {
        let (a, b) = pairs();
        let pipeline = self.pipeline_of(Pass::WindowCombine, Flags::INT64 | Flags::FLOAT64)?;
        let (to, other) = (self.buffer(size_of_val(&*a))?, self.buffer(size_of_val(&*b))?);
        let mut work = self.work()?;
        work.upload(&to, &a)?;
        work.upload(&other, &b)?;
        let params = CombineParams { entries: a.len() as u32, operation: 3 };
        let grid = self.grid(a.len().div_ceil(INVOCATIONS as usize));
        work.dispatch_pipeline(Pass::WindowCombine, &pipeline, &params, &[&other, &to], grid)?;
        let read = work.read(&to, 0..to.bytes())?;
        let sums: Vec<f64> = work.submit()?.wait()?.values(read);
        let same = |sum: f64, wanted: f64| {
            sum.to_bits() == wanted.to_bits() || (sum.is_nan() && wanted.is_nan())
        };
        let all = sums.iter().zip(a.iter().zip(&b));
        Ok(sums.len() == a.len() && all.into_iter().all(|(sum, (a, b))| same(*sum, a + b)))
    }
}
