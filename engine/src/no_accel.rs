//! Built without the feature `gpu`: no run has a GPU.

/// There is none, and nothing makes one.
#[derive(Debug, Clone)]
pub struct Accelerator(());
