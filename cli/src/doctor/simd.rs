//! Which vector instructions this CPU has, and which of them the kernels use.

use pelton_kernels::simd;
use serde::{Deserialize, Serialize};

/// A kernel, and the level whose code it runs.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelLevel {
    /// Name of the kernel ("csv_scan").
    pub name: String,
    /// The level ("avx2"): the highest that the kernel has code for, up to the machine's.
    pub level: String,
}

/// Every kernel with the level whose code runs here.
pub fn kernels() -> Vec<KernelLevel> {
    let level = simd::level();
    let one = |kernel: &simd::Kernel| KernelLevel {
        name: kernel.name.to_owned(),
        level: kernel.chosen(level).to_string(),
    };
    simd::KERNELS.iter().map(one).collect()
}

/// Name of the level that the kernels use (`PELTON_SIMD` can lower it), and the single
/// extensions that were found.
pub fn detect() -> (String, Vec<String>) {
    (simd::level().to_string(), extensions().into_iter().map(str::to_owned).collect())
}

#[cfg(target_arch = "x86_64")]
fn extensions() -> Vec<&'static str> {
    use std::arch::is_x86_feature_detected as has;
    let all = [
        ("sse4.2", has!("sse4.2")),
        ("popcnt", has!("popcnt")),
        ("bmi2", has!("bmi2")),
        ("pclmulqdq", has!("pclmulqdq")),
        ("avx2", has!("avx2")),
        ("fma", has!("fma")),
        ("avx512f", has!("avx512f")),
        ("avx512bw", has!("avx512bw")),
        ("avx512dq", has!("avx512dq")),
        ("avx512vl", has!("avx512vl")),
        ("avx512vbmi2", has!("avx512vbmi2")),
        ("avx512vpopcntdq", has!("avx512vpopcntdq")),
    ];
    all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

#[cfg(target_arch = "aarch64")]
fn extensions() -> Vec<&'static str> {
    use std::arch::is_aarch64_feature_detected as has;
    let all = [("neon", has!("neon")), ("sve", has!("sve")), ("sve2", has!("sve2"))];
    all.into_iter().filter(|(_, there)| *there).map(|(name, _)| name).collect()
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn extensions() -> Vec<&'static str> {
    Vec::new()
}
