//! What the system says about itself. Everything is optional: a file that is not there (another
//! system, a container) leaves its field empty.

use std::fs::read_to_string;

use serde::{Deserialize, Serialize};

use super::simd::{self, KernelLevel};
use crate::memory::field_bytes;
use crate::report::format::bytes;

/// The machine, as far as the system tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Machine {
    /// Name and version of the system.
    pub os: Option<String>,
    /// Version of the kernel.
    pub kernel: Option<String>,
    /// Architecture ("x86_64").
    pub arch: String,
    /// Whether a hypervisor was seen.
    pub virtual_machine: bool,
    /// Name of the CPU.
    pub cpu_model: Option<String>,
    /// Cores that this process may use: its affinity and the limits of its container counted.
    pub cores_usable: usize,
    /// Cores that the system runs on.
    pub cores_online: Option<usize>,
    /// The CPUs that this process may run on ("0-1").
    pub affinity: Option<String>,
    /// Level of vector instructions that the kernels use ("avx512").
    pub simd_level: String,
    /// The kernels, and the level whose code each of them runs.
    pub kernels: Vec<KernelLevel>,
    /// Extensions found.
    pub simd_features: Vec<String>,
    /// Caches of the first core.
    pub caches: Vec<Cache>,
    /// Memory of the machine.
    pub memory_total_bytes: Option<u64>,
    /// Memory that can be had without swapping.
    pub memory_available_bytes: Option<u64>,
    /// Limit of the container, where one is set.
    pub memory_limit_bytes: Option<u64>,
    /// Transparent huge pages: always, madvise or never.
    pub huge_pages: Option<String>,
    /// What `Instant` reads ("tsc", "kvm-clock").
    pub clock_source: Option<String>,
    /// Whether io_uring can be used.
    pub io_uring: IoUring,
}

/// One cache.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// 1, 2 or 3.
    pub level: u32,
    /// Data, Instruction or Unified.
    pub kind: String,
    /// Size in bytes.
    pub size_bytes: u64,
    /// CPUs that share it ("0-1").
    pub shared_by: String,
}

/// Whether io_uring can be used, and why not.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IoUring {
    /// Whether a ring can be set up.
    pub usable: bool,
    /// What stands against it.
    pub reason: Option<String>,
}

impl IoUring {
    /// One line.
    pub fn text(&self) -> String {
        match (&self.reason, self.usable) {
            (_, true) => "usable".into(),
            (Some(reason), false) => format!("not usable: {reason}"),
            (None, false) => "not usable".into(),
        }
    }
}

impl Machine {
    /// Looks at the machine; takes no time worth naming.
    pub fn look() -> Self {
        let cpuinfo = read_to_string("/proc/cpuinfo").unwrap_or_default();
        let meminfo = read_to_string("/proc/meminfo").unwrap_or_default();
        let status = read_to_string("/proc/self/status").unwrap_or_default();
        let (simd_level, simd_features) = simd::detect();
        Self {
            os: os_name(),
            kernel: line_of("/proc/sys/kernel/osrelease"),
            arch: std::env::consts::ARCH.into(),
            virtual_machine: value(&cpuinfo, "flags").is_some_and(|f| f.contains(" hypervisor")),
            cpu_model: value(&cpuinfo, "model name").or_else(|| value(&cpuinfo, "Model")),
            cores_usable: std::thread::available_parallelism().map_or(1, usize::from),
            cores_online: Some(cpuinfo.lines().filter(|l| l.starts_with("processor")).count())
                .filter(|count| *count > 0),
            affinity: value(&status, "Cpus_allowed_list"),
            simd_level,
            kernels: simd::kernels(),
            simd_features,
            caches: caches(),
            memory_total_bytes: field_bytes(&meminfo, "MemTotal:"),
            memory_available_bytes: field_bytes(&meminfo, "MemAvailable:"),
            memory_limit_bytes: line_of("/sys/fs/cgroup/memory.max").and_then(|l| l.parse().ok()),
            huge_pages: line_of("/sys/kernel/mm/transparent_hugepage/enabled")
                .and_then(|line| chosen(&line)),
            clock_source: line_of(
                "/sys/devices/system/clocksource/clocksource0/current_clocksource",
            ),
            io_uring: io_uring(),
        }
    }

    /// "2 usable of 16, CPUs 0-1".
    pub fn cores_text(&self) -> String {
        let mut text = format!("{} usable", self.cores_usable);
        if let Some(online) = self.cores_online.filter(|online| *online != self.cores_usable) {
            text.push_str(&format!(" of {online}"));
        }
        if let Some(affinity) = &self.affinity {
            text.push_str(&format!(", CPUs {affinity}"));
        }
        text
    }

    /// The kernels by the level that they run, the highest first: "csv_scan, math".
    pub fn kernels_texts(&self) -> Vec<(&str, String)> {
        let mut texts: Vec<(&str, String)> = Vec::new();
        for kernel in &self.kernels {
            match texts.iter_mut().find(|(level, _)| *level == kernel.level) {
                Some((_, names)) => {
                    names.push_str(", ");
                    names.push_str(&kernel.name);
                }
                None => texts.push((&kernel.level, kernel.name.clone())),
            }
        }
        let rank = |level: &str| level.parse::<pelton_kernels::simd::Level>().ok();
        texts.sort_by_key(|(level, _)| std::cmp::Reverse(rank(level)));
        texts
    }

    /// "L1d 48 KiB, L2 2 MiB, L3 32 MiB".
    pub fn caches_text(&self) -> String {
        let name = |cache: &Cache| match cache.kind.as_str() {
            "Data" => format!("L{}d", cache.level),
            _ => format!("L{}", cache.level),
        };
        let data = self.caches.iter().filter(|cache| cache.kind != "Instruction");
        let texts: Vec<String> =
            data.map(|cache| format!("{} {}", name(cache), bytes(cache.size_bytes))).collect();
        texts.join(", ")
    }

    /// Memory that this process may fill: the smaller of what is free and what is allowed.
    pub fn memory_free_bytes(&self) -> Option<u64> {
        match (self.memory_available_bytes, self.memory_limit_bytes) {
            (Some(available), Some(limit)) => Some(available.min(limit)),
            (available, limit) => available.or(limit),
        }
    }
}

/// First line of a small file, without blanks at its ends; `None` where it is empty.
fn line_of(path: &str) -> Option<String> {
    let text = read_to_string(path).ok()?;
    let line = text.lines().next()?.trim();
    (!line.is_empty()).then(|| line.to_owned())
}

/// The value of the first `name : value` line.
fn value(text: &str, name: &str) -> Option<String> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim().to_owned())
    })
}

/// The word in brackets of `always [madvise] never`.
fn chosen(line: &str) -> Option<String> {
    let (_, rest) = line.split_once('[')?;
    rest.split_once(']').map(|(word, _)| word.to_owned())
}

fn os_name() -> Option<String> {
    let release = read_to_string("/etc/os-release").unwrap_or_default();
    let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    let name = name.map(|name| name.trim_matches('"').to_owned());
    name.or_else(|| Some(std::env::consts::OS.to_owned()))
}

fn caches() -> Vec<Cache> {
    let read = |index: usize| {
        let file = |name: &str| {
            line_of(&format!("/sys/devices/system/cpu/cpu0/cache/index{index}/{name}"))
        };
        Some(Cache {
            level: file("level")?.parse().ok()?,
            kind: file("type")?,
            size_bytes: size_bytes(&file("size")?)?,
            shared_by: file("shared_cpu_list").unwrap_or_default(),
        })
    };
    (0..8).map_while(read).collect()
}

/// `2048K` in bytes.
fn size_bytes(text: &str) -> Option<u64> {
    let (digits, unit) = match text.strip_suffix('K') {
        Some(digits) => (digits, 1 << 10),
        None => text.strip_suffix('M').map_or((text, 1), |digits| (digits, 1 << 20)),
    };
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

/// Asks the engine's file source for a ring.
fn io_uring() -> IoUring {
    match pelton::source::uring_available() {
        Ok(()) => IoUring { usable: true, reason: None },
        Err(reason) => IoUring { usable: false, reason: Some(reason) },
    }
}

#[cfg(test)]
mod tests;
