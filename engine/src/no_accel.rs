//! Built without the feature `gpu`: no run has a GPU.

/// There is none, and nothing makes one.
#[derive(Debug, Clone)]
pub struct Accelerator(());

impl Accelerator {
    /// Nothing is asked of what is not there.
    #[must_use]
    pub fn is_forced(&self) -> bool {
        false
    }
}
