//! One shard, on the caller's thread: no ring, no hand-over, and no waiting but for another device
//! that is asked for everything.

use std::collections::VecDeque;

use super::stage::Stage;
use super::{Executor, ITEMS_PER_SHARD_HOLDING, Item};
use crate::error::{Error, Result};
use crate::operator::StateSize;

pub(super) struct Inline {
    stages: Vec<Stage>,
    done: VecDeque<Item>,
    /// Items that stages hold.
    held: usize,
    /// Stages that have more to give out of an item, and that item; the last one's comes first.
    left: Vec<(usize, Item)>,
    failed: Option<Error>,
}

impl Inline {
    pub(super) fn new(mut stages: Vec<Stage>, partitions: usize) -> Self {
        for stage in &mut stages {
            if let Stage::Keyed(keyed) = stage {
                keyed.set_alone(partitions);
            }
        }
        Self { stages, done: VecDeque::new(), held: 0, left: Vec::new(), failed: None }
    }

    /// Runs the stages from `first` on with an item that is new to them: behind all that came of
    /// those before it. What stages before them have left came of items behind it.
    fn enter(&mut self, first: usize, item: Item) -> Result<()> {
        while self.left.last().is_some_and(|(at, _)| *at >= first) {
            self.give_out_more()?;
        }
        self.run(first, item)
    }

    /// Runs the stages from `first` on, until the end or one that holds the item.
    fn run(&mut self, first: usize, mut item: Item) -> Result<()> {
        for (stage, at) in self.stages[first..].iter_mut().zip(first..) {
            item = match stage {
                Stage::Map(map) => match map.take(item)? {
                    Some(item) => item,
                    None => {
                        self.held += 1;
                        return Ok(());
                    }
                },
                Stage::Keyed(keyed) => {
                    let part = keyed.run(&item, (0, 1), None)?;
                    if keyed.has_more() {
                        let piece = piece_of(&item);
                        self.left.push((at, std::mem::replace(&mut item, piece)));
                    }
                    keyed.join(item, vec![part])?
                }
            };
        }
        self.done.push_back(item);
        Ok(())
    }

    /// Gives out more of an item, where there is more.
    fn give_out_more(&mut self) -> Result<()> {
        let Some((at, mut item)) = self.left.pop() else { return Ok(()) };
        let Stage::Keyed(keyed) = &mut self.stages[at] else { return Ok(()) };
        let part = keyed.next_rows()?;
        if keyed.has_more() {
            let piece = piece_of(&item);
            self.left.push((at, std::mem::replace(&mut item, piece)));
        }
        let item = keyed.join(item, vec![part])?;
        self.run(at + 1, item)
    }

    /// Moves on what is held and done. The last stage first: it makes room.
    fn move_on(&mut self) -> Result<()> {
        if self.held == 0 {
            return Ok(());
        }
        for at in (0..self.stages.len()).rev() {
            while let Stage::Map(map) = &mut self.stages[at]
                && let Some(item) = map.next()?
            {
                self.held -= 1;
                self.enter(at + 1, item)?;
            }
        }
        Ok(())
    }

    /// Waits for the oldest item that is held, and moves it on.
    fn wait_for_oldest(&mut self) -> Result<()> {
        for at in (0..self.stages.len()).rev() {
            if let Stage::Map(map) = &mut self.stages[at]
                && let Some(item) = map.wait_for_next()?
            {
                self.held -= 1;
                return self.enter(at + 1, item);
            }
        }
        Ok(())
    }

    /// An error that nobody has been told of yet.
    fn check(&mut self) -> Result<()> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

/// The item as it is on its way with rows that are not the last of it: without a word on how far
/// time has come.
fn piece_of(item: &Item) -> Item {
    Item { watermark: i64::MIN, more: true, ..item.clone() }
}

impl Executor for Inline {
    fn submit(&mut self, item: Item) -> Result<()> {
        self.check()?;
        self.move_on()?;
        self.enter(0, item)
    }

    fn is_full(&self) -> bool {
        self.held >= ITEMS_PER_SHARD_HOLDING || !self.left.is_empty()
    }

    fn poll(&mut self) -> Result<Option<Item>> {
        self.check()?;
        self.move_on()?;
        while self.done.is_empty() && !self.left.is_empty() {
            self.give_out_more()?;
        }
        Ok(self.done.pop_front())
    }

    fn wait(&mut self) {
        if self.done.is_empty() {
            self.failed = self.wait_for_oldest().err();
        }
    }

    fn under_way(&self) -> usize {
        self.done.len() + self.held + self.left.len()
    }

    fn is_holding(&self) -> bool {
        self.held > 0
    }

    fn finish(&mut self) -> Result<StateSize> {
        let mut size = StateSize::default();
        for stage in &self.stages {
            if let Stage::Keyed(keyed) = stage {
                size += keyed.state();
            }
        }
        Ok(size)
    }
}
