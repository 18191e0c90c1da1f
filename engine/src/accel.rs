//! What a GPU computes for a pipeline: which kernels, from how many rows on, and what became of it.
//!
//! An [`Accelerator`] is given to a run ([`Options::accelerator`](crate::pipeline::Options)); steps
//! that have a kernel with a GPU twin ask it for each batch. Both sides give the same bits, so a
//! batch may go either way, and does (but for kernels that are only near the CPU's bits there,
//! [`Kernel::has_the_same_bits`]: those need the first way):
//!
//! * *forced*, every batch goes to the GPU whose kernel has a pass;
//! * *calibrated*, those from which on the GPU was measured to be faster, and only as long as the
//!   GPU keeps up: where it is behind, the core does the batch itself.
//!
//! Where the GPU fails, the core goes on from the last consistent state: what a step keeps on the
//! device is a *difference* to what it keeps in memory, and the rows of that difference are kept
//! until it was read back. A lost device is not asked again; what happened is in the report.

mod explain;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use pelton_kernels::gpu::{Gpu, GpuError, PassStats, Stats};

pub use explain::{KernelUse, explain};

/// A kernel that steps run on either side.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kernel {
    /// Rows that a condition keeps, copied.
    Filter,
    /// Rows into the totals of so many keys.
    Reduce {
        /// Keys that there are.
        groups: usize,
    },
    /// Rows through a forest.
    Forest {
        /// Trees that it has.
        trees: usize,
    },
    /// Rows through a network: to within a bound, so only where a GPU is asked for.
    Network,
    /// The rows that are nearest to others.
    Nearest {
        /// Numbers of all rows that may be near.
        numbers: usize,
    },
    /// The items of the greatest products with rows.
    Products {
        /// Numbers of all items.
        numbers: usize,
    },
    /// The windows of a series that are most alike: the nearest to within a bound, so only where a
    /// GPU is asked for.
    Profile,
    /// Which shard a key belongs to. Every shard asks for all rows, so it goes to a GPU only
    /// where everything does.
    Hash,
}

impl Kernel {
    /// What it is called where kernels are named.
    pub fn name(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Reduce { .. } => "reduce",
            Self::Forest { .. } => "forest",
            Self::Network => "network",
            Self::Nearest { .. } => "nearest",
            Self::Products { .. } => "products",
            Self::Profile => "profile",
            Self::Hash => "hash",
        }
    }

    /// Whether a GPU's answer has the CPU's bits.
    #[must_use]
    pub fn has_the_same_bits(self) -> bool {
        !matches!(self, Self::Network | Self::Profile)
    }

    /// Its name in a calibration.
    fn probe(self) -> &'static str {
        match self {
            Self::Filter => "filter",
            Self::Reduce { groups: 0..=FEW_GROUPS } => "window-64",
            Self::Reduce { groups: ..=SOME_GROUPS } => "window-4k",
            Self::Reduce { .. } => "window-1m",
            Self::Forest { .. } => "forest",
            Self::Network => "network",
            Self::Nearest { .. } => "nearest",
            Self::Products { .. } => "products",
            Self::Profile => "profile",
            Self::Hash => "hash",
        }
    }
}

/// Numbers of the items that calibrations measure.
const MEASURED_NUMBERS: usize = 16_384 * 64;

/// Numbers of the rows that calibrations look for the nearest among.
const MEASURED_NEAR: usize = 4096 * 8;

/// Up to so many groups the smallest table that calibrations measure stands for all.
const FEW_GROUPS: usize = 1024;

/// Up to so many the middle one does.
const SOME_GROUPS: usize = 65_536;

/// Trees of the forest that calibrations measure.
const MEASURED_TREES: usize = 500;

/// A GPU at the service of a run's steps. A clone is the same one.
#[derive(Debug, Clone)]
pub struct Accelerator {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    gpu: Gpu,
    /// From how many rows on, by the name of the probe, `None` where it never paid; `None`: forced.
    rows_min: Option<BTreeMap<String, Option<usize>>>,
    /// Kernels that the CPU does all the same.
    twins: Vec<String>,
    /// What the device had done before.
    before: Stats,
    lost: AtomicBool,
    /// Batches that the CPU did after the GPU had failed or was behind.
    handed_back: AtomicU64,
    notes: Mutex<Vec<String>>,
}

/// What a GPU did for a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The adapter's name.
    pub adapter: String,
    /// Whether every pass that there is was asked for.
    pub forced: bool,
    /// What each pass did.
    pub passes: BTreeMap<String, PassStats>,
    /// Bytes copied to the device.
    pub uploaded_bytes: u64,
    /// Bytes read back.
    pub read_bytes: u64,
    /// Batches of a step that the CPU did because the GPU had failed or was behind.
    pub batches_handed_back: u64,
    /// What went wrong, each once.
    pub notes: Vec<String>,
}

impl Accelerator {
    /// Every batch goes to the GPU whose kernel has a pass.
    #[must_use]
    pub fn forced(gpu: Gpu) -> Self {
        Self::new(gpu, None, Vec::new())
    }

    /// Batches go where they were measured to be done sooner: from how many rows on the GPU was
    /// faster, by the name of the probe
    /// ([`Calibration`](pelton_kernels::gpu::calibrate::Calibration)).
    #[must_use]
    pub fn calibrated(gpu: Gpu, rows_min: BTreeMap<String, usize>) -> Self {
        Self::measured(gpu, rows_min.into_iter().map(|(name, rows)| (name, Some(rows))).collect())
    }

    /// As [`Accelerator::calibrated`], naming the probes as well that were measured and never
    /// paid (`None`), so that they can be told from those that were not measured.
    #[must_use]
    pub fn measured(gpu: Gpu, rows_min: BTreeMap<String, Option<usize>>) -> Self {
        Self::new(gpu, Some(rows_min), Vec::new())
    }

    /// The same, but these kernels ([`Kernel::name`]) stay with the CPU: to find the one that gives
    /// a wrong answer.
    #[must_use]
    pub fn with_twins(self, kernels: Vec<String>) -> Self {
        Self::new(self.inner.gpu.clone(), self.inner.rows_min.clone(), kernels)
    }

    fn new(
        gpu: Gpu,
        rows_min: Option<BTreeMap<String, Option<usize>>>,
        twins: Vec<String>,
    ) -> Self {
        let before = gpu.stats();
        Self {
            inner: Arc::new(Inner {
                gpu,
                rows_min,
                twins,
                before,
                lost: AtomicBool::new(false),
                handed_back: AtomicU64::new(0),
                notes: Mutex::default(),
            }),
        }
    }

    /// Whether every pass that there is is asked for.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        self.inner.rows_min.is_none()
    }

    /// From how many rows on a batch goes to the GPU; `None`: it never does.
    #[must_use]
    pub fn rows_min(&self, kernel: Kernel) -> Option<usize> {
        if self.inner.twins.iter().any(|twin| twin == kernel.name()) {
            return None;
        }
        match &self.inner.rows_min {
            None => Some(1),
            Some(_) if !kernel.has_the_same_bits() => None,
            Some(measured) => {
                let rows = (*measured.get(kernel.probe())?)?;
                match kernel {
                    // As much work as the forest that was measured.
                    Kernel::Forest { trees } => {
                        Some(rows.saturating_mul(MEASURED_TREES) / trees.max(1))
                    }
                    Kernel::Nearest { numbers } => {
                        Some(rows.saturating_mul(MEASURED_NEAR) / numbers.max(1))
                    }
                    Kernel::Products { numbers } => {
                        Some(rows.saturating_mul(MEASURED_NUMBERS) / numbers.max(1))
                    }
                    Kernel::Hash => None,
                    _ => Some(rows),
                }
            }
        }
    }

    /// The GPU, where a batch of so many rows is to go to it.
    #[must_use]
    pub fn gpu_for(&self, kernel: Kernel, rows: usize) -> Option<&Gpu> {
        let is_lost = self.inner.lost.load(Ordering::Relaxed);
        // What is pushed row by row is wanted at once.
        let rows_min = self.rows_min(kernel)?.max(if self.is_forced() { 1 } else { 2 });
        let enough = !is_lost && rows >= rows_min;
        enough.then_some(&self.inner.gpu)
    }

    /// The GPU has failed a step, which goes on without it.
    pub fn failed(&self, kernel: Kernel, error: &GpuError) {
        if error.is_lost() {
            self.inner.lost.store(true, Ordering::Relaxed);
        }
        self.hand_back();
        self.note(format!("{}: {error}; the CPU went on", kernel.name()));
    }

    fn note(&self, note: String) {
        let mut notes = self.notes();
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// A step that a GPU was asked for cannot be done there: the CPU does it, and it shows.
    pub fn declined(&self, kernel: Kernel, why: &str) {
        self.hand_back();
        self.note(format!("{}: {why}", kernel.name()));
    }

    /// A batch that the GPU could have done was done by the CPU.
    pub fn hand_back(&self) {
        self.inner.handed_back.fetch_add(1, Ordering::Relaxed);
    }

    fn notes(&self) -> MutexGuard<'_, Vec<String>> {
        self.inner.notes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What was done so far.
    #[must_use]
    pub fn report(&self) -> Report {
        let done = self.inner.gpu.stats().since(&self.inner.before);
        let passes = done.passes.iter().map(|(name, pass)| ((*name).to_owned(), *pass));
        Report {
            adapter: self.inner.gpu.adapter().name.clone(),
            forced: self.is_forced(),
            passes: passes.collect(),
            uploaded_bytes: done.uploaded_bytes,
            read_bytes: done.read_bytes,
            batches_handed_back: self.inner.handed_back.load(Ordering::Relaxed),
            notes: self.notes().clone(),
        }
    }
}
