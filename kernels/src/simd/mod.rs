//! Which vector instructions the kernels use: detected once, or forced by `PELTON_SIMD`.
//!
//! A level is a *set* of instructions that our kernels are written for, not a single CPU flag:
//!
//! | level | needs | found on |
//! |---|---|---|
//! | `avx512` | AVX-512 F, BW, DQ, VL, VBMI2; AVX2's set | Intel Ice Lake and later, AMD Zen 4 and later |
//! | `avx2` | AVX2, BMI1, BMI2, POPCNT, PCLMULQDQ | most x86-64 since 2013 |
//! | `neon` | the AArch64 baseline (portable kernels, compiled for it) | Apple, Graviton, Ampere |
//! | `scalar` | nothing | everywhere |
//!
//! Every level gives the same bytes; only the time differs.
//!
//! # How a level reaches a kernel
//! Every kernel runs at a [`Level`] that is a value, not a build: either its first argument, or
//! (for the small loops of expressions) [`level`], which is decided once. So `PELTON_SIMD` and
//! [`force`] reach all of them, and [`KERNELS`] says which code each then runs.

mod catalogue;
pub(crate) mod dispatch;

use std::fmt;
use std::str::FromStr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

pub use catalogue::{KERNELS, Kernel};
pub(crate) use dispatch::multiversion;

/// The environment variable that forces a level.
pub const LEVEL_VARIABLE: &str = "PELTON_SIMD";

/// A set of vector instructions. Higher levels compare greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Plain Rust.
    Scalar,
    /// AArch64's vectors.
    Neon,
    /// 256-bit vectors of x86-64.
    Avx2,
    /// 512-bit vectors of x86-64 with byte compress.
    Avx512,
}

impl Level {
    /// All levels, lowest first.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Neon, Self::Avx2, Self::Avx512];

    /// Whether this processor has what the level needs. Asked once; then a load and a test.
    #[must_use]
    #[inline]
    pub fn is_available(self) -> bool {
        let known = AVAILABLE.load(Ordering::Relaxed);
        (if known == 0 { ask_processor() } else { known }) & self.bit() != 0
    }

    #[inline]
    const fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The levels that this processor has, lowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|level| level.is_available()).collect()
    }

    /// The highest level that this processor has.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().rev().find(|level| level.is_available()).unwrap_or(Self::Scalar)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Scalar => "scalar",
            Self::Neon => "neon",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
        })
    }
}

impl FromStr for Level {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|level| level.to_string() == text)
            .ok_or_else(|| format!("{text:?} is no SIMD level: use scalar, avx2, avx512 or neon"))
    }
}

/// A bit for each level that the processor has; 0: not asked yet (the scalar level is always
/// there). Every thread that asks finds the same.
static AVAILABLE: AtomicU8 = AtomicU8::new(0);

#[cold]
fn ask_processor() -> u8 {
    let has = |level: Level| match level {
        Level::Scalar => true,
        Level::Neon => cfg!(target_arch = "aarch64"),
        Level::Avx2 => has_avx2(),
        Level::Avx512 => has_avx512(),
    };
    let found = Level::ALL.into_iter().filter(|level| has(*level));
    let found = found.fold(0, |bits, level| bits | level.bit());
    AVAILABLE.store(found, Ordering::Relaxed);
    found
}

static LEVEL: OnceLock<Result<Level, String>> = OnceLock::new();

/// Makes this the level that the kernels use, whatever `PELTON_SIMD` says.
///
/// # Errors
/// When this processor lacks it, or another level has been chosen already.
pub fn force(level: Level) -> Result<(), String> {
    if !level.is_available() {
        return Err(format!("this processor has no {level}"));
    }
    if LEVEL.get_or_init(|| Ok(level)).as_ref() == Ok(&level) {
        return Ok(());
    }
    Err(format!("the SIMD level is chosen already; set {LEVEL_VARIABLE}={level} instead"))
}

/// The level that the kernels use: what `PELTON_SIMD` asks for, else the best that the
/// processor has. Chosen at the first call and kept.
///
/// # Errors
/// When `PELTON_SIMD` names no level, or one that this processor lacks.
pub fn try_level() -> Result<Level, String> {
    LEVEL.get_or_init(|| choose(std::env::var_os(LEVEL_VARIABLE))).clone()
}

/// [`try_level`], with the best level of the processor where `PELTON_SIMD` is wrong. Programs
/// report that error once at their start through `try_level`.
#[must_use]
#[inline]
pub fn level() -> Level {
    #[cfg(test)]
    if let Some(level) = tests::FORCED.get() {
        return level;
    }
    match LEVEL.get() {
        Some(Ok(level)) => *level,
        _ => try_level().unwrap_or_else(|_| Level::best()),
    }
}

fn choose(wish: Option<std::ffi::OsString>) -> Result<Level, String> {
    let Some(wish) = wish.filter(|wish| !wish.is_empty()) else { return Ok(Level::best()) };
    let level: Level =
        wish.to_string_lossy().parse().map_err(|error| format!("{LEVEL_VARIABLE}: {error}"))?;
    if level.is_available() {
        return Ok(level);
    }
    let available: Vec<_> = Level::available().iter().map(Level::to_string).collect();
    Err(format!("{LEVEL_VARIABLE}: this processor has no {level}; it has {}", available.join(", ")))
}

#[cfg(target_arch = "x86_64")]
fn has_avx2() -> bool {
    is_x86_feature_detected!("avx2")
        && is_x86_feature_detected!("bmi1")
        && is_x86_feature_detected!("bmi2")
        && is_x86_feature_detected!("lzcnt")
        && is_x86_feature_detected!("popcnt")
        && is_x86_feature_detected!("pclmulqdq")
}

#[cfg(target_arch = "x86_64")]
fn has_avx512() -> bool {
    has_avx2()
        && is_x86_feature_detected!("avx512f")
        && is_x86_feature_detected!("avx512bw")
        && is_x86_feature_detected!("avx512dq")
        && is_x86_feature_detected!("avx512vl")
        && is_x86_feature_detected!("avx512vbmi2")
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx2() -> bool {
    false
}

#[cfg(not(target_arch = "x86_64"))]
fn has_avx512() -> bool {
    false
}

#[cfg(test)]
pub(crate) mod tests;
