//! Faults on demand: so that what users do when a GPU fails is tested, and on any device.

use super::device::lock;
use super::{Gpu, GpuError};

/// What is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The dispatch finds no memory; the device stays.
    OutOfMemory,
    /// The device is destroyed, and really so: everything after it fails as well.
    Lost,
}

/// A fault to come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Injected {
    /// What.
    pub fault: Fault,
    /// Dispatches that still succeed.
    pub after_dispatches: u64,
}

/// The environment variable of a fault in a process that a test starts: `lost@3` or `memory@3`,
/// after three dispatches.
pub const FAULT_VARIABLE: &str = "PELTON_GPU_FAULT";

impl Injected {
    /// What [`FAULT_VARIABLE`] says.
    pub(super) fn from_env() -> Option<Self> {
        Self::read(&std::env::var(FAULT_VARIABLE).ok()?)
    }

    fn read(text: &str) -> Option<Self> {
        let (fault, after) = text.split_once('@')?;
        let fault = match fault {
            "lost" => Fault::Lost,
            "memory" => Fault::OutOfMemory,
            _ => return None,
        };
        Some(Self { fault, after_dispatches: after.parse().ok()? })
    }
}

impl Gpu {
    /// Counts a dispatch, and lets it fail where that is due.
    pub(super) fn dispatch_may_fail(&self) -> Result<(), GpuError> {
        let mut injected = lock(&self.inner.injected);
        let Some(due) = injected.as_mut() else { return Ok(()) };
        if due.after_dispatches > 0 {
            due.after_dispatches -= 1;
            return Ok(());
        }
        let fault = due.fault;
        *injected = None;
        match fault {
            Fault::OutOfMemory => Err(GpuError::OutOfMemory { bytes: 0 }),
            Fault::Lost => {
                self.inner.device.destroy();
                let told = &mut lock(&self.inner.trouble).lost;
                Err(GpuError::Lost(told.get_or_insert("destroyed by a test".to_owned()).clone()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_are_read() {
        let lost = Injected { fault: Fault::Lost, after_dispatches: 3 };
        assert_eq!(Injected::read("lost@3"), Some(lost));
        assert_eq!(["memory@x", "lost", "burnt@1"].map(Injected::read), [None; 3]);
    }
}
