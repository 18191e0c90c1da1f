//! What can go wrong on a GPU, and what follows: the caller goes on with the CPU.

use std::fmt;

/// Why the GPU gave no answer. Nothing of it is fatal: the kernel's CPU path has the same answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GpuError {
    /// There is no adapter to choose, or none was wanted; with what was looked for.
    Absent(String),
    /// Memory of the device is used up.
    OutOfMemory {
        /// What was asked for last.
        bytes: u64,
    },
    /// The device is gone (a driver's reset, a removed card, a hang): a new one must be opened.
    Lost(String),
    /// More than a binding, a buffer or the numbers of a pass can hold; split it.
    TooLarge {
        /// What.
        what: &'static str,
        /// How large it is, in its unit.
        size: u64,
        /// How large it may be.
        limit: u64,
    },
    /// The driver or wgpu refused something that it should not: a mistake of ours or of theirs.
    Refused(String),
}

impl GpuError {
    /// Whether the device can still be used.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        matches!(self, Self::Lost(_) | Self::Absent(_))
    }
}

impl fmt::Display for GpuError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent(why) => write!(f, "no GPU: {why}"),
            Self::OutOfMemory { bytes } => {
                write!(f, "the GPU has no memory left for {bytes} bytes more: smaller batches help")
            }
            Self::Lost(why) => write!(f, "the GPU was lost: {why}"),
            Self::TooLarge { what, size, limit } => {
                write!(f, "{what} of {size} is more than the GPU takes at a time ({limit})")
            }
            Self::Refused(why) => write!(f, "the GPU's driver refused: {why}"),
        }
    }
}

impl std::error::Error for GpuError {}
