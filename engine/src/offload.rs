//! Work of a step that another device does while the core goes on.
//!
//! ```text
//!  core   ──▶ begin(1) ─▶ begin(2) ─▶ begin(3) ─▶ does 4 itself ─▶ … ─▶ land(1) ─▶ on to the next step
//!  device        └─ 1 ─────────┬─ 2 ─────────┬─ 3 ────────┬─ …
//! ```
//!
//! A step that can, gives back a [`Flight`] instead of its result; whoever runs the steps keeps it
//! with the batch, takes what comes next, and hands results on in the order in which batches came:
//! rows, watermarks, ticks and the end of the input keep their places, so nothing behind the step
//! can tell who did it. A flight that fails is done by the core, from the batch that it keeps.
//!
//! Who decides what goes where is the step, by the [`Offload`] that it is given with each batch. It
//! keeps nothing of it: the same step may run in another pipeline with another device, or none.

use crate::accel::Accelerator;
use crate::error::Result;

/// Batches of a step that are under way on a core: with more, the device is behind.
pub const UNDER_WAY_MAX: usize = 3;

/// What a step may use besides the core that runs it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Offload<'a> {
    /// The run's GPU.
    pub accelerator: Option<&'a Accelerator>,
    /// Batches of the step that this core has under way.
    pub under_way: usize,
}

impl Offload<'_> {
    /// Whether the device has not done what it was given. A forced one is waited for before it is
    /// asked, so the core is to do this batch.
    #[must_use]
    pub fn is_behind(&self) -> bool {
        self.under_way >= UNDER_WAY_MAX
    }
}

/// What became of a batch.
pub enum Begun<T> {
    /// It is done.
    Done(T),
    /// Another device does it.
    UnderWay(Box<dyn Flight<T>>),
}

impl<T> std::fmt::Debug for Begun<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Done(_) => "Done",
            Self::UnderWay(_) => "UnderWay",
        })
    }
}

impl<T: 'static> Begun<T> {
    /// Waits for the result, where it is not here yet.
    ///
    /// # Errors
    /// As [`Flight::land`].
    pub fn land(self) -> Result<T> {
        match self {
            Self::Done(result) => Ok(result),
            Self::UnderWay(flight) => flight.land(),
        }
    }
}

/// A result that is on its way. One that is dropped is forgotten.
pub trait Flight<T>: Send {
    /// Whether [`Flight::land`] would not wait (it may have to compute). Never waits.
    fn is_done(&mut self) -> bool;

    /// The result. Where the device has failed, the core makes it: with the same bits.
    ///
    /// # Errors
    /// As the step itself.
    fn land(self: Box<Self>) -> Result<T>;
}
