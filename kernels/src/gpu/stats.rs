//! What a GPU has done, by pass: so that a report shows it.

use std::collections::BTreeMap;

use pelton_shaders::Pass;

/// Of one pass.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct PassStats {
    /// How often it ran.
    pub dispatches: u64,
    /// Bytes of the buffers that were bound.
    pub bound_bytes: u64,
}

/// Of a device, since it was opened.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stats {
    /// By the name of the pass.
    pub passes: BTreeMap<&'static str, PassStats>,
    /// Bytes copied to the device.
    pub uploaded_bytes: u64,
    /// Bytes read back.
    pub read_bytes: u64,
}

impl Stats {
    pub(super) fn count(&mut self, pass: Pass, bytes: u64) {
        let of_pass = self.passes.entry(pass.name()).or_default();
        of_pass.dispatches += 1;
        of_pass.bound_bytes += bytes;
    }

    /// Dispatches of all passes.
    #[must_use]
    pub fn dispatches(&self) -> u64 {
        self.passes.values().map(|pass| pass.dispatches).sum()
    }

    /// What was done since an earlier look.
    #[must_use]
    pub fn since(&self, earlier: &Self) -> Self {
        let mut passes = self.passes.clone();
        for (name, before) in &earlier.passes {
            if let Some(pass) = passes.get_mut(name) {
                pass.dispatches -= before.dispatches;
                pass.bound_bytes -= before.bound_bytes;
            }
        }
        passes.retain(|_, pass| pass.dispatches > 0);
        Self {
            passes,
            uploaded_bytes: self.uploaded_bytes - earlier.uploaded_bytes,
            read_bytes: self.read_bytes - earlier.read_bytes,
        }
    }
}
