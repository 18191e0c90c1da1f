//! Links: what a library makes of the sum of leaves or of weights × values.
//!
//! Transcendental functions come from the `libm` crate, so a prediction is the same on every
//! machine; the libraries use the platform's, which differ in the last bits. Hence sums are
//! compared with the library to the bit, and predictions within [`LINK_TOLERANCE_F64`] or
//! [`LINK_TOLERANCE_F32`].

/// How far a prediction may lie from a library that computes its link in `f64`, relative to the
/// larger of the two.
pub const LINK_TOLERANCE_F64: f64 = 4e-15;

/// The same for a library that computes its link in `f32` (four units in the last place).
pub const LINK_TOLERANCE_F32: f64 = 5e-7;

/// From sums to predictions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Link {
    /// The sums themselves.
    Identity,
    /// `1 / (1 + exp(−scale × x))`, each output for itself.
    Logistic {
        /// LightGBM's parameter `sigmoid`; 1 elsewhere.
        scale: f64,
    },
    /// `exp(x)` (Poisson, gamma, Tweedie, Cox).
    Exp,
    /// `ln(1 + exp(x))` (LightGBM's `cross_entropy_lambda`).
    LogOnePlusExp,
    /// `sign(x) × x²` (LightGBM's `reg_sqrt`).
    SignedSquare,
    /// `exp(xₖ) / Σ exp(xⱼ)` over the outputs.
    Softmax,
    /// The number of the greatest output, the first of equals.
    ArgMax,
    /// 1 where x > 0, else 0 (XGBoost's `binary:hinge`).
    Hinge,
    /// `1 − p` and `p` for one sum `x`, with `p = 1 / (1 + exp(−x))`.
    BothLogistic,
    /// `1 − x` and `x` for one sum `x`.
    BothIdentity,
    /// `offset − 2^(−x / scale)` for a mean path length `x`: an isolation forest's decision
    /// function, negative for outliers (F. T. Liu, K. M. Ting, Z.-H. Zhou, "Isolation Forest",
    /// ICDM 2008).
    Isolation {
        /// Mean path length of an unsuccessful search in the sample, c(n).
        scale: f64,
        /// What is subtracted from the score of samples, negated.
        offset: f64,
    },
}

impl Link {
    /// Number of predictions that `sums` sums become.
    #[must_use]
    pub fn predictions(self, sums: usize) -> usize {
        match self {
            Self::ArgMax => 1,
            Self::BothLogistic | Self::BothIdentity => 2,
            _ => sums,
        }
    }

    /// Turns the sums of one row into its predictions.
    ///
    /// # Contract
    /// `out` has [`Link::predictions`] values (asserted in debug builds).
    pub fn apply(self, sums: &[f64], out: &mut [f64]) {
        debug_assert_eq!(out.len(), self.predictions(sums.len()));
        match self {
            Self::Softmax => softmax(sums, out),
            Self::ArgMax => out[0] = arg_max(sums) as f64,
            Self::BothLogistic => {
                let p = logistic(sums[0]);
                out.copy_from_slice(&[1.0 - p, p]);
            }
            Self::BothIdentity => out.copy_from_slice(&[1.0 - sums[0], sums[0]]),
            _ => {
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = self.one(*sum);
                }
            }
        }
    }

    fn one(self, x: f64) -> f64 {
        match self {
            Self::Logistic { scale } => logistic(scale * x),
            Self::Exp => libm::exp(x),
            Self::LogOnePlusExp => libm::log1p(libm::exp(x)),
            Self::SignedSquare => x.signum() * x * x,
            Self::Hinge => f64::from(u8::from(x > 0.0)),
            Self::Isolation { scale, offset } => offset - libm::exp2(-x / scale),
            _ => x,
        }
    }
}

/// `1 / (1 + exp(−x))`.
#[must_use]
pub fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + libm::exp(-x))
}

fn softmax(sums: &[f64], out: &mut [f64]) {
    let greatest = sums.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut total = 0.0;
    for (out, sum) in out.iter_mut().zip(sums) {
        *out = libm::exp(sum - greatest);
        total += *out;
    }
    for out in out {
        *out /= total;
    }
}

fn arg_max(sums: &[f64]) -> usize {
    let mut best = 0;
    for (at, sum) in sums.iter().enumerate() {
        if *sum > sums[best] {
            best = at;
        }
    }
    best
}
