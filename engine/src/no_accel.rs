//! Built without the feature `gpu`: no run has a GPU.

use std::convert::Infallible;

/// There is none.
#[derive(Debug, Clone)]
pub struct Accelerator(#[allow(dead_code)] Infallible);
