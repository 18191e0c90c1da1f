//! A step without state on one core, and the items that it holds while another device works on
//! them ([`crate::offload`]).
//!
//! Items leave in the order in which they came: what is done waits behind what is under way, be it
//! rows, a watermark, a tick or the end of the input. Where nothing is under way nothing is held,
//! and an item passes through without a stop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::Item;
use crate::accel::Accelerator;
use crate::batch::Batch;
use crate::error::Result;
use crate::offload::{Begun, Flight, Offload};
use crate::operator::MapOperator;

/// What has been under way for so long is waited for, so that it is known what became of it: a device
/// that hangs is given up then.
const PATIENCE: Duration = Duration::from_secs(60);

/// A step, and what it holds.
pub(crate) struct MapStage {
    step: Arc<dyn MapOperator>,
    accelerator: Option<Accelerator>,
    held: VecDeque<Held>,
    under_way: usize,
}

enum Held {
    Done(Item),
    /// The item without its rows, they, and since when.
    UnderWay(Item, Box<dyn Flight<Batch>>, Instant),
}

impl MapStage {
    pub(crate) fn new(step: Arc<dyn MapOperator>) -> Self {
        Self { step, accelerator: None, held: VecDeque::new(), under_way: 0 }
    }

    pub(super) fn set_accelerator(&mut self, accelerator: &Accelerator) {
        self.accelerator = Some(accelerator.clone());
    }

    pub(super) fn has_accelerator(&self) -> bool {
        self.accelerator.is_some()
    }

    /// Items that are held.
    pub(super) fn held(&self) -> usize {
        self.held.len()
    }

    /// Runs the step on an item. `None`: it is held, and comes from [`next`](Self::next).
    pub(super) fn take(&mut self, item: Item) -> Result<Option<Item>> {
        let Item { batch, .. } = item;
        let item = Item { batch: None, ..item };
        let Some(batch) = batch else { return Ok(self.in_turn(item)) };
        if self.is_waited_for() && self.under_way >= crate::offload::UNDER_WAY_MAX {
            self.land_oldest()?;
        }
        let (accelerator, under_way) = (self.accelerator.as_ref(), self.under_way);
        match self.step.begin(batch, Offload { accelerator, under_way })? {
            Begun::Done(batch) => Ok(self.in_turn(Item { batch: Some(batch), ..item })),
            Begun::UnderWay(flight) => {
                self.held.push_back(Held::UnderWay(item, flight, Instant::now()));
                self.under_way += 1;
                Ok(None)
            }
        }
    }

    /// Whether every pass is asked for, so that no core does a batch in the device's place.
    fn is_waited_for(&self) -> bool {
        self.accelerator.as_ref().is_some_and(Accelerator::is_forced)
    }

    /// What is done, unless others are to leave before it.
    fn in_turn(&mut self, item: Item) -> Option<Item> {
        if self.held.is_empty() {
            return Some(item);
        }
        self.held.push_back(Held::Done(item));
        None
    }

    /// The oldest item that is held, if it is done; does not wait for a device that works.
    pub(super) fn next(&mut self) -> Result<Option<Item>> {
        if let Some(Held::UnderWay(_, flight, since)) = self.held.front_mut()
            && !flight.is_done()
            && since.elapsed() < PATIENCE
        {
            return Ok(None);
        }
        self.wait_for_next()
    }

    /// The oldest item that is held, as soon as it is done.
    pub(super) fn wait_for_next(&mut self) -> Result<Option<Item>> {
        match self.held.pop_front() {
            None => Ok(None),
            Some(Held::Done(item)) => Ok(Some(item)),
            Some(Held::UnderWay(item, flight, _)) => {
                self.under_way -= 1;
                Ok(Some(Item { batch: Some(flight.land()?), ..item }))
            }
        }
    }

    /// Waits for the one that has been under way for longest; it keeps its place.
    fn land_oldest(&mut self) -> Result<()> {
        let is_under_way = |held: &Held| matches!(held, Held::UnderWay(..));
        let Some(at) = self.held.iter().position(is_under_way) else { return Ok(()) };
        if let Some(Held::UnderWay(item, flight, _)) = self.held.remove(at) {
            self.under_way -= 1;
            let batch = Some(flight.land()?);
            self.held.insert(at, Held::Done(Item { batch, ..item }));
        }
        Ok(())
    }
}
