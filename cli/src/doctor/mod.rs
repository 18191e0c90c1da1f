//! `pelton doctor`: what this machine offers to a stream engine, found and measured.
//!
//! [`machine`] reads what the system says (files of `/proc` and `/sys` on Linux; elsewhere what
//! the standard library knows), [`measure`] measures memory and clock, [`text`] shows both.
//! A report of a run holds the [`Machine`] too, so that figures can be told apart later.

use pelton::Result;
use serde::{Deserialize, Serialize};

use crate::args::DoctorArgs;
use crate::terminal::{self, Paint};

mod gpu;
mod machine;
mod measure;
mod simd;
mod text;

pub use gpu::{AdapterFound, Gpus};
pub use machine::{Cache, IoUring, Machine};
pub use measure::Measured;
pub use simd::KernelLevel;

/// All that the doctor has found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Findings {
    /// Version of pelton.
    pub pelton: String,
    /// Whether this is a debug build, whose measurements say little.
    pub debug_build: bool,
    /// What the system says.
    pub machine: Machine,
    /// The GPUs.
    #[serde(default)]
    pub gpus: Gpus,
    /// What was measured.
    pub measured: Measured,
}

/// Looks, measures, and prints.
///
/// # Errors
/// When standard output cannot be written.
pub fn run(args: &DoctorArgs) -> Result<()> {
    let machine = Machine::look();
    let measured = Measured::now(&machine);
    let gpus = gpu::look(&machine);
    let findings = Findings {
        pelton: env!("CARGO_PKG_VERSION").into(),
        debug_build: cfg!(debug_assertions),
        machine,
        gpus,
        measured,
    };
    if args.json {
        terminal::print(&crate::report::json::text(&findings)?)
    } else {
        terminal::print(&text::text(&findings, Paint::for_stdout()))
    }
}
