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
