//! From how many rows on the GPU pays on this machine: measured at first use, then remembered.
//!
//! The file lies under the user's cache folder (`$XDG_CACHE_HOME`, else `~/.cache`; Windows:
//! `%LOCALAPPDATA%`), one an adapter, driver, processor and version of pelton: change one of them,
//! and it is measured again. A file that cannot be read or written only costs the measurement.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use pelton_kernels::gpu::Gpu;
use pelton_kernels::gpu::calibrate::Calibration;
use pelton_kernels::gpu::probe::PROBES;
use serde::{Deserialize, Serialize};

use crate::doctor::Machine;
use crate::report::json::write_file;

/// What each kernel may take.
const BUDGET: Duration = Duration::from_millis(400);

/// From where on the GPU pays.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Crossovers {
    /// Whether it was measured before, and where that is kept.
    pub cached_in: Option<PathBuf>,
    /// By kernel, in the order of the data.
    pub kernels: Vec<Crossover>,
}

/// From where on the GPU pays for one kernel.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crossover {
    /// Name of the probe.
    pub name: String,
    /// Rows of a batch; none where it was never faster.
    pub rows: Option<usize>,
    /// Whether its answer was the CPU's.
    pub same_answer: bool,
}

/// What was measured on this machine, now or before.
///
/// # Errors
/// What the GPU answers, as text.
pub fn crossovers(gpu: &Gpu, machine: &Machine) -> Result<Crossovers, String> {
    let processor = machine.cpu_model.as_deref().unwrap_or(&machine.arch);
    let key = format!(
        "{} {processor} {} pelton-{}{}",
        gpu.adapter().key(),
        machine.simd_level,
        env!("CARGO_PKG_VERSION"),
        if cfg!(debug_assertions) { "-debug" } else { "" },
    );
    let file = folder().map(|folder| folder.join(format!("{:016x}.calibration", named(&key))));
    let known = file.as_ref().and_then(|file| std::fs::read_to_string(file).ok());
    let known = known.and_then(|text| Calibration::from_text(&text, &key));
    // What an earlier build wrote may lack a kernel.
    let is_whole = |known: &Calibration| PROBES.iter().all(|kind| known.of(kind.name).is_some());
    if let Some(known) = known.filter(is_whole) {
        return Ok(Crossovers { cached_in: file, kernels: listed(&known) });
    }
    let begin = Instant::now();
    let measured = Calibration::measure(gpu, &key, BUDGET, &|| begin.elapsed())
        .map_err(|error| error.to_string())?;
    if let Some(file) = &file {
        let made = file.parent().is_none_or(|folder| std::fs::create_dir_all(folder).is_ok());
        // Without the file it is measured again next time.
        let _ = made.then(|| write_file(file, &measured.to_text()));
    }
    Ok(Crossovers { cached_in: None, kernels: listed(&measured) })
}

fn listed(calibration: &Calibration) -> Vec<Crossover> {
    let one = |measured: &pelton_kernels::gpu::calibrate::Measured| Crossover {
        name: measured.name.clone(),
        rows: measured.crossover_rows(),
        same_answer: measured.same_answer,
    };
    calibration.kernels.iter().map(one).collect()
}

/// The name of a file for a key: names of processors and drivers hold anything.
fn named(key: &str) -> u64 {
    pelton_kernels::shard_hash::bytes_word(key.as_bytes())
}

fn folder() -> Option<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from);
    let absolute = |path: PathBuf| path.is_absolute().then_some(path);
    let base = variable("XDG_CACHE_HOME")
        .and_then(absolute)
        .or_else(|| variable("LOCALAPPDATA").and_then(absolute))
        .or_else(|| variable("HOME").map(|home| home.join(".cache")).and_then(absolute));
    base.map(|base| base.join("pelton"))
}
