//! Threads, rings and order: runs stages without knowing what they do.
//!
//! One shard runs everything on the caller's thread (`inline`). With several, the caller's
//! thread reads, decodes and stamps times; each *item* (a batch, or only a watermark) then goes
//! to all shards, each works on the rows of its own keys, and the parts meet again on shard
//! `sequence mod shards`, which puts them together by row and runs the steps without state
//! (`threads`). The caller's thread gives the results out in the order of the sequence.
//!
//! Nothing is shared but read-only batches; all rings are bounded, and the number of items
//! under way is too, so no ring can ever be full for its writer and nobody waits in a circle.

mod held;
mod inline;
mod park;
mod stage;
#[cfg(test)]
mod tests;
mod threads;

use crate::accel::Accelerator;
use crate::batch::Batch;
use crate::error::Result;
use crate::operator::StateSize;

pub(crate) use held::MapStage;
pub(crate) use stage::{Keyed, Stage};

/// What flows through the stages: rows (if any), and how far time has come after them.
#[derive(Debug, Clone)]
pub(crate) struct Item {
    /// Place in the order of all items.
    pub sequence: u64,
    pub batch: Option<Batch>,
    /// `i64::MAX`: the end of the input.
    pub watermark: i64,
    /// An interval of processing time has passed: windows may be given out early.
    pub tick: bool,
    /// How many barriers came before it.
    pub epoch: u64,
    /// Whether more of what came of it follows.
    pub more: bool,
}

impl Item {
    pub(crate) fn rows(&self) -> usize {
        self.batch.as_ref().map_or(0, Batch::len)
    }
}

/// Items under way for each shard: enough that no shard waits for its next one while parts
/// meet elsewhere; more would only add memory and latency.
const ITEMS_PER_SHARD: usize = 4;

/// The same where another device has items too: those that it may have, and as many that the core
/// has done meanwhile.
const ITEMS_PER_SHARD_HOLDING: usize = ITEMS_PER_SHARD + 2 * crate::offload::UNDER_WAY_MAX;

/// Runs items through stages.
pub(crate) trait Executor: Send {
    /// Takes an item in.
    ///
    /// # Errors
    /// When a stage failed (on this item or an earlier one).
    fn submit(&mut self, item: Item) -> Result<()>;

    /// Whether `submit` would go over the bound on items under way.
    fn is_full(&self) -> bool;

    /// The next finished item, in order, if it is finished.
    ///
    /// # Errors
    /// When a stage failed.
    fn poll(&mut self) -> Result<Option<Item>>;

    /// Waits until `poll` has something to say. Must not be called with nothing under way.
    fn wait(&mut self);

    /// Number of items submitted and not yet polled.
    fn under_way(&self) -> usize;

    /// Whether another device works on items that only a call of `poll` moves on.
    fn is_holding(&self) -> bool;

    /// Ends the shards and adds up their states.
    ///
    /// # Errors
    /// When a shard panicked.
    fn finish(&mut self) -> Result<StateSize>;
}

/// An executor for these stages, of rows from so many partitions; `build` makes the stages of one
/// shard (`0..shards`).
pub(crate) fn start(
    shards: usize,
    partitions: usize,
    accelerator: Option<&Accelerator>,
    build: &dyn Fn() -> Result<Vec<Stage>>,
) -> Result<Box<dyn Executor>> {
    if shards == 1 {
        Ok(Box::new(inline::Inline::new(build()?, partitions)))
    } else {
        let stages = (0..shards).map(|_| build()).collect::<Result<Vec<_>>>()?;
        Ok(Box::new(threads::Threads::start(stages, accelerator)?))
    }
}
