//! The GPUs of this machine, and from where on the chosen one pays.

use serde::{Deserialize, Serialize};

/// An adapter, as it describes itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AdapterFound {
    /// Its number, for `PELTON_GPU`.
    pub index: usize,
    /// Its name.
    pub name: String,
    /// Name and version of its driver.
    pub driver: String,
    /// "vulkan", "metal" or "dx12".
    pub api: String,
    /// discrete, integrated, virtual, software or other.
    pub kind: String,
    /// What passes can use of it, in words.
    pub abilities: String,
    /// Bytes that one binding can show.
    pub binding_bytes_max: u64,
    /// Bytes that a workgroup can share.
    pub workgroup_bytes_max: u32,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Gpus {
    /// Whether this build can use any.
    pub built_in: bool,
    /// All adapters.
    pub adapters: Vec<AdapterFound>,
    /// The number of the one that would be used.
    pub chosen: Option<usize>,
    /// Why none would be.
    pub reason: Option<String>,
    /// From where on it pays.
    #[cfg(feature = "gpu")]
    pub crossovers: Option<crate::gpu::Crossovers>,
}

#[cfg(feature = "gpu")]
impl From<&pelton_kernels::gpu::Adapter> for AdapterFound {
    fn from(adapter: &pelton_kernels::gpu::Adapter) -> Self {
        Self {
            index: adapter.index,
            name: adapter.name.clone(),
            driver: adapter.driver.clone(),
            api: adapter.api.clone(),
            kind: adapter.kind.to_owned(),
            abilities: adapter.abilities(),
            binding_bytes_max: adapter.binding_bytes_max,
            workgroup_bytes_max: adapter.workgroup_bytes_max,
        }
    }
}

/// Looks for GPUs; the chosen one is measured where that was not done before.
#[cfg(feature = "gpu")]
pub fn look(machine: &super::Machine) -> Gpus {
    use pelton_kernels::gpu::{Choice, Gpu, adapters};
    let adapters = adapters().iter().map(AdapterFound::from).collect();
    let mut gpus = Gpus { built_in: true, adapters, ..Gpus::default() };
    match Gpu::open(&Choice::from_env()) {
        Ok(gpu) => {
            gpus.chosen = Some(gpu.adapter().index);
            // A debug build measures itself, and software is no GPU.
            if !cfg!(debug_assertions) && gpu.adapter().kind != "software" {
                match crate::gpu::crossovers(&gpu, machine) {
                    Ok(crossovers) => gpus.crossovers = Some(crossovers),
                    Err(reason) => gpus.reason = Some(reason),
                }
            }
        }
        Err(error) => gpus.reason = Some(error.to_string()),
    }
    gpus
}

/// This build has no GPU code.
#[cfg(not(feature = "gpu"))]
pub fn look(_: &super::Machine) -> Gpus {
    Gpus { reason: Some("built without the feature `gpu`".to_owned()), ..Gpus::default() }
}
