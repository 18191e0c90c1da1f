//! Which GPU: what there is, what each can do, and how one is chosen.
//!
//! `PELTON_GPU` is `off`, `cpu` (a software Vulkan, to try things out), a number from the list
//! that `pelton doctor` prints, or a part of a name. Without it the first discrete GPU is taken,
//! else an integrated one, else a virtual one; never software, which is slower than our own code.

use std::fmt;
use std::str::FromStr;

use pelton_shaders::Flags;

use super::{GpuError, block_on};

/// The environment variable that chooses.
pub const GPU_VARIABLE: &str = "PELTON_GPU";

/// Which adapter is wanted.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Choice {
    /// The best hardware there is.
    #[default]
    Best,
    /// None.
    Off,
    /// One that runs on the CPU.
    Software,
    /// The one of this number.
    Index(usize),
    /// The first with this in its name, whatever the case.
    Name(String),
}

impl FromStr for Choice {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        Ok(match text.to_ascii_lowercase().as_str() {
            "" | "auto" | "best" => Self::Best,
            "off" | "none" => Self::Off,
            "cpu" | "software" => Self::Software,
            lower => lower.parse().map_or(Self::Name(text.to_owned()), Self::Index),
        })
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Best => f.write_str("best"),
            Self::Off => f.write_str("off"),
            Self::Software => f.write_str("cpu"),
            Self::Index(index) => write!(f, "{index}"),
            Self::Name(name) => f.write_str(name),
        }
    }
}

impl Choice {
    /// What `PELTON_GPU` says.
    #[must_use]
    pub fn from_env() -> Self {
        let text = std::env::var(GPU_VARIABLE).unwrap_or_default();
        text.parse().unwrap_or_default()
    }
}

/// An adapter, as it describes itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Adapter {
    /// Its number, for `PELTON_GPU`.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Name and version of its driver.
    pub driver: String,
    /// The interface: "vulkan", "metal", "dx12".
    pub api: String,
    /// discrete, integrated, virtual, software or other.
    pub kind: &'static str,
    /// What permutations it can run.
    pub flags: Flags,
    /// Smallest and largest subgroup; 0 where there are none.
    pub subgroup: (u32, u32),
    /// Whether passes can be timed on the device.
    pub has_timestamps: bool,
    /// Bytes that one binding can show.
    pub binding_bytes_max: u64,
    /// Bytes of a buffer.
    pub buffer_bytes_max: u64,
    /// Bytes that a workgroup can share.
    pub workgroup_bytes_max: u32,
    /// Workgroups in a dimension of a dispatch.
    pub groups_max: u32,
}

impl Adapter {
    /// "int64, subgroups of 32, timestamps".
    #[must_use]
    pub fn abilities(&self) -> String {
        let has = |flag| self.flags.contains(flag);
        let mut words: Vec<String> = Vec::new();
        if self.subgroup.0 == self.subgroup.1 && self.subgroup.0 > 0 {
            words.push(format!("subgroups of {}", self.subgroup.0));
        } else if self.subgroup.1 > 0 {
            words.push(format!("subgroups of {} to {}", self.subgroup.0, self.subgroup.1));
        }
        let named = [
            (Flags::INT64, "64-bit integers"),
            (Flags::ATOMIC64, "64-bit atomics"),
            (Flags::FLOAT64, "f64"),
        ];
        words.extend(named.iter().filter(|(f, _)| has(*f)).map(|(_, name)| (*name).to_owned()));
        if self.has_timestamps {
            words.push("timestamps".to_owned());
        }
        if words.is_empty() { "nothing beyond WebGPU".to_owned() } else { words.join(", ") }
    }

    /// What a measurement of this adapter depends on, as the name of a file.
    #[must_use]
    pub fn key(&self) -> String {
        let text = format!("{} {} {}", self.api, self.name, self.driver).to_ascii_lowercase();
        let word = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let mut key: String = text.chars().map(word).collect();
        while key.contains("--") {
            key = key.replace("--", "-");
        }
        key.trim_matches('-').to_owned()
    }
}

/// Features that are asked for where they are.
pub(super) fn wanted_features() -> wgpu::Features {
    wgpu::Features::SHADER_INT64
        | wgpu::Features::SHADER_INT64_ATOMIC_MIN_MAX
        | wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS
        | wgpu::Features::SHADER_F64
        | wgpu::Features::SUBGROUP
        | wgpu::Features::TIMESTAMP_QUERY
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> Adapter {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
    let has = |feature| features.contains(feature);
    let subgroup = if has(wgpu::Features::SUBGROUP) {
        (info.subgroup_min_size, info.subgroup_max_size)
    } else {
        (0, 0)
    };
    // A scan asks for one size of subgroups, of which 256 invocations are a multiple.
    let even = subgroup.0 == subgroup.1 && subgroup.0 >= 4 && 256 % subgroup.0 == 0;
    let atomics =
        wgpu::Features::SHADER_INT64_ATOMIC_MIN_MAX | wgpu::Features::SHADER_INT64_ATOMIC_ALL_OPS;
    let flags = Flags::INT64.when(has(wgpu::Features::SHADER_INT64))
        | Flags::ATOMIC64.when(has(atomics))
        | Flags::FLOAT64.when(has(wgpu::Features::SHADER_F64))
        | Flags::SUBGROUPS.when(even);
    Adapter {
        index,
        name: info.name.clone(),
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        api: info.backend.to_string(),
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        },
        flags: flags.consistent(),
        subgroup,
        has_timestamps: has(wgpu::Features::TIMESTAMP_QUERY),
        binding_bytes_max: limits.max_storage_buffer_binding_size,
        buffer_bytes_max: limits.max_buffer_size,
        workgroup_bytes_max: limits.max_compute_workgroup_storage_size,
        groups_max: limits.max_compute_workgroups_per_dimension,
    }
}

fn all() -> Vec<(Adapter, wgpu::Adapter)> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    // No validation layers: wgpu validates, and a layer would be another program's choice.
    descriptor.flags = wgpu::InstanceFlags::empty();
    let backends = descriptor.backends;
    let instance = wgpu::Instance::new(descriptor);
    let adapters = block_on(instance.enumerate_adapters(backends));
    adapters.into_iter().enumerate().map(|(i, raw)| (describe(i, &raw), raw)).collect()
}

/// Every adapter of this machine, in the order of their numbers. Takes some milliseconds, and more
/// where a driver has to be loaded.
#[must_use]
pub fn adapters() -> Vec<Adapter> {
    all().into_iter().map(|(described, _)| described).collect()
}

/// The number of the adapter that a choice means.
fn chosen(choice: &Choice, listed: &[&Adapter]) -> Result<usize, GpuError> {
    let of_kind = |kind: &str| listed.iter().position(|adapter| adapter.kind == kind);
    let found = match choice {
        Choice::Off => return Err(GpuError::Absent(format!("{GPU_VARIABLE} is off"))),
        Choice::Best => {
            ["discrete", "integrated", "virtual", "other"].into_iter().find_map(of_kind)
        }
        Choice::Software => of_kind("software"),
        Choice::Index(index) => (*index < listed.len()).then_some(*index),
        Choice::Name(name) => {
            let lower = name.to_ascii_lowercase();
            listed.iter().position(|adapter| adapter.name.to_ascii_lowercase().contains(&lower))
        }
    };
    found.ok_or_else(|| {
        let names: Vec<String> =
            listed.iter().map(|a| format!("{} ({}, {})", a.index, a.name, a.kind)).collect();
        let there = if names.is_empty() { "none".to_owned() } else { names.join("; ") };
        GpuError::Absent(format!("no adapter for {GPU_VARIABLE}={choice}; there are: {there}"))
    })
}

/// The adapter that a choice means.
pub(super) fn choose(choice: &Choice) -> Result<(Adapter, wgpu::Adapter), GpuError> {
    if *choice == Choice::Off {
        // Not even drivers are loaded.
        chosen(choice, &[])?;
    }
    let mut all = all();
    let listed: Vec<&Adapter> = all.iter().map(|(described, _)| described).collect();
    let index = chosen(choice, &listed)?;
    Ok(all.swap_remove(index))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn adapter(index: usize, name: &str, kind: &'static str) -> Adapter {
        Adapter {
            index,
            name: name.to_owned(),
            driver: "radv Mesa 25.0 (git-12)".to_owned(),
            api: "vulkan".to_owned(),
            kind,
            flags: Flags::INT64,
            subgroup: (32, 64),
            has_timestamps: false,
            binding_bytes_max: 1 << 27,
            buffer_bytes_max: 1 << 28,
            workgroup_bytes_max: 1 << 15,
            groups_max: 65_535,
        }
    }

    #[test]
    fn a_choice_is_read_and_meant() {
        let adapters = [
            adapter(0, "llvmpipe (LLVM 15)", "software"),
            adapter(1, "Radeon Graphics", "integrated"),
            adapter(2, "NVIDIA H200", "discrete"),
        ];
        let listed: Vec<&Adapter> = adapters.iter().collect();
        let of = |text: &str| chosen(&text.parse().unwrap_or_default(), &listed).ok();
        assert_eq!(
            ["", "auto", "cpu", "1", "h200", "7", "off", "arc"].map(of),
            [Some(2), Some(2), Some(0), Some(1), Some(2), None, None, None]
        );
        // Software is never taken unasked.
        assert_eq!(chosen(&Choice::Best, &listed[..1]).ok(), None);
        let error = chosen(&Choice::Name("arc".into()), &listed).unwrap_err().to_string();
        assert!(error.contains("PELTON_GPU=arc") && error.contains("2 (NVIDIA H200"), "{error}");
    }

    #[test]
    fn an_adapter_describes_itself() {
        let adapter = adapter(0, "Radeon  RX", "discrete");
        assert_eq!(adapter.key(), "vulkan-radeon-rx-radv-mesa-25.0-git-12");
        assert_eq!(adapter.abilities(), "subgroups of 32 to 64, 64-bit integers");
    }
}
