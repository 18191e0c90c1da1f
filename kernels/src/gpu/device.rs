//! A GPU that was opened: device, queue, and what all users of it share.
//!
//! wgpu's answer to most mistakes is to call a handler, whose default panics. Here nothing does:
//! what can fail is asked for within an error scope, and what a handler or the lost-device
//! callback is told is kept, and comes back from the next call as an error ([`GpuError`]).

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use pelton_shaders::{Flags, Pass};

use super::adapter::{self, Adapter, Choice};
use super::buffer::Pools;
use super::fault::Injected;
use super::pipeline::Pipelines;
use super::{GpuError, Stats, block_on};

/// What may go wrong at any time.
#[derive(Debug, Default)]
pub(super) struct Trouble {
    /// Why the device is gone.
    pub lost: Option<String>,
    /// The first thing that was refused without a scope around it.
    pub refused: Option<String>,
}

/// What the handles of one device share.
pub(super) struct Inner {
    // Set once.
    pub adapter: Adapter,
    pub device: wgpu::Device,
    pub queue: wgpu::Queue,
    /// Nanoseconds a tick of its clock.
    pub tick_ns: f32,
    // Change.
    pub trouble: Arc<Mutex<Trouble>>,
    pub injected: Mutex<Option<Injected>>,
    pub pipelines: Mutex<Pipelines>,
    pub pools: Arc<Mutex<Pools>>,
    pub stats: Mutex<Stats>,
    /// Whether its f64 additions are those of IEEE 754.
    pub float64_is_exact: OnceLock<bool>,
}

/// A lock that a panic elsewhere does not take away.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A handle to a GPU. Cheap to clone, may be used from any thread; work of several threads is
/// done in the order in which it is submitted.
#[derive(Clone)]
pub struct Gpu {
    pub(super) inner: Arc<Inner>,
    /// What permutations may use: the device's abilities, or fewer.
    flags: Flags,
    /// Bytes that a binding may show: the device's limit, or less.
    binding_bytes_max: u64,
    timed: bool,
    /// Passes that their CPU twins do.
    twins: &'static [Pass],
}

impl fmt::Debug for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Gpu")
            .field("adapter", &self.inner.adapter.name)
            .field("flags", &self.flags.to_string())
            .finish_non_exhaustive()
    }
}

impl Gpu {
    /// Opens the adapter that a choice means, with all that it has of what passes can use.
    ///
    /// # Errors
    /// [`GpuError::Absent`] where there is none (or none is wanted), [`GpuError::Refused`] where
    /// its driver gives no device.
    pub fn open(choice: &Choice) -> Result<Self, GpuError> {
        let (described, raw) = adapter::choose(choice)?;
        let descriptor = wgpu::DeviceDescriptor {
            label: Some("pelton"),
            required_features: raw.features() & adapter::wanted_features(),
            required_limits: raw.limits(),
            ..wgpu::DeviceDescriptor::default()
        };
        let (device, queue) = block_on(raw.request_device(&descriptor))
            .map_err(|error| GpuError::Refused(format!("{}: {error}", described.name)))?;
        let trouble = Arc::new(Mutex::new(Trouble::default()));
        let told = Arc::clone(&trouble);
        device.set_device_lost_callback(move |reason, message| {
            lock(&told).lost.get_or_insert(format!("{reason:?}: {message}"));
        });
        let told = Arc::clone(&trouble);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            lock(&told).refused.get_or_insert(error.to_string());
        }));
        let (flags, binding_bytes_max) = (described.flags, described.binding_bytes_max);
        let inner = Inner {
            tick_ns: queue.get_timestamp_period(),
            adapter: described,
            device,
            queue,
            trouble,
            injected: Mutex::default(),
            pipelines: Mutex::default(),
            pools: Arc::default(),
            stats: Mutex::default(),
            float64_is_exact: OnceLock::new(),
        };
        Ok(Self { inner: Arc::new(inner), flags, binding_bytes_max, timed: false, twins: &[] })
    }

    /// The process's GPU, opened at the first call as `PELTON_GPU` says. Where there is none, the
    /// reason is here, to be said once.
    ///
    /// # Errors
    /// As [`Gpu::open`].
    pub fn of_process() -> Result<Self, GpuError> {
        static OPENED: OnceLock<Result<Gpu, GpuError>> = OnceLock::new();
        let open = || {
            let gpu = Self::open(&Choice::from_env())?;
            if let Some(injected) = Injected::from_env() {
                gpu.inject(injected);
            }
            Ok(gpu)
        };
        OPENED.get_or_init(open).clone()
    }

    /// The adapter.
    #[must_use]
    pub fn adapter(&self) -> &Adapter {
        &self.inner.adapter
    }

    /// Whether both are the same device, with the same restrictions: what one put there is of use
    /// to the other.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let of = |gpu: &Self| (gpu.flags, gpu.binding_bytes_max, gpu.twins);
        Arc::ptr_eq(&self.inner, &other.inner) && of(self) == of(other)
    }

    /// Whether it still works.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.check().is_ok()
    }

    /// What permutations may use.
    #[must_use]
    pub fn flags(&self) -> Flags {
        self.flags
    }

    /// The same device, made weaker: permutations use only those of `flags` that it has. Tests run
    /// every variant so on one device.
    #[must_use]
    pub fn limited_to(&self, flags: Flags) -> Self {
        Self { flags: self.flags.and(flags).consistent(), ..self.clone() }
    }

    /// The same device, as if a binding could show no more bytes than these (at least 64 KiB).
    #[must_use]
    pub fn with_bindings_of(&self, bytes: u64) -> Self {
        let bytes = bytes.max(1 << 16).min(self.binding_bytes_max);
        Self { binding_bytes_max: bytes, ..self.clone() }
    }

    /// The same device; passes are timed on it, where it can.
    #[must_use]
    pub fn timed(&self) -> Self {
        Self { timed: self.inner.adapter.has_timestamps, ..self.clone() }
    }

    /// The same device, but that these passes are done by their CPU twins, on the same buffers:
    /// to find out which pass is wrong. Only `score_forest` has twins of its passes; the other
    /// kernels are one pass, whose twin is the kernel's CPU code.
    #[must_use]
    pub fn with_twins(&self, twins: &'static [Pass]) -> Self {
        Self { twins, ..self.clone() }
    }

    pub(crate) fn has_twins(&self) -> bool {
        !self.twins.is_empty()
    }

    pub(crate) fn is_twin(&self, pass: Pass) -> bool {
        self.twins.contains(&pass)
    }

    pub(super) fn is_timed(&self) -> bool {
        self.timed
    }

    /// Rows of so many bytes that one binding can show, a multiple of `step`, at least one step.
    #[must_use]
    pub fn rows_a_binding(&self, row_bytes: usize, step: usize) -> usize {
        let bytes = usize::try_from(self.binding_bytes_max.min(1 << 31)).unwrap_or(1 << 31);
        let rows = (bytes - 64) / row_bytes.max(1);
        (rows / step * step).max(step)
    }

    /// Bytes that a binding may show.
    #[must_use]
    pub fn binding_bytes_max(&self) -> u64 {
        self.binding_bytes_max
    }

    /// A grid of at least so many workgroups: one dimension, or two where that is too short.
    #[must_use]
    pub fn grid(&self, groups: usize) -> [u32; 2] {
        let width = self.inner.adapter.groups_max as usize;
        if groups <= width {
            return [groups as u32, 1];
        }
        [width as u32, groups.div_ceil(width) as u32]
    }

    /// What was done so far: dispatches and bytes by pass, over all handles of the device.
    #[must_use]
    pub fn stats(&self) -> Stats {
        lock(&self.inner.stats).clone()
    }

    /// Makes a later dispatch fail: for tests of what users do then.
    pub fn inject(&self, injected: Injected) {
        *lock(&self.inner.injected) = Some(injected);
    }

    /// What has happened meanwhile, if anything.
    pub(super) fn check(&self) -> Result<(), GpuError> {
        let trouble = lock(&self.inner.trouble);
        if let Some(why) = &trouble.lost {
            return Err(GpuError::Lost(why.clone()));
        }
        trouble.refused.clone().map_or(Ok(()), |why| Err(GpuError::Refused(why)))
    }

    /// Runs `make` so that what it is refused comes back as an error. `bytes` is what it asks for.
    pub(super) fn scoped<T>(&self, bytes: u64, make: impl FnOnce() -> T) -> Result<T, GpuError> {
        let device = &self.inner.device;
        let memory = device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let refused = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let internal = device.push_error_scope(wgpu::ErrorFilter::Internal);
        let made = make();
        let errors = [block_on(internal.pop()), block_on(refused.pop())];
        if block_on(memory.pop()).is_some() {
            return Err(GpuError::OutOfMemory { bytes });
        }
        if let Some(error) = errors.into_iter().flatten().next() {
            self.check()?;
            return Err(GpuError::Refused(error.to_string()));
        }
        Ok(made)
    }
}
