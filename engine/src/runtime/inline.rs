//! One shard, on the caller's thread: no ring, no hand-over, no waiting.

use std::collections::VecDeque;

use super::stage::{Stage, run_map};
use super::{Executor, Item};
use crate::error::Result;
use crate::operator::StateSize;

pub(super) struct Inline {
    stages: Vec<Stage>,
    done: VecDeque<Item>,
}

impl Inline {
    pub(super) fn new(mut stages: Vec<Stage>) -> Self {
        for stage in &mut stages {
            if let Stage::Keyed(keyed) = stage {
                keyed.set_alone();
            }
        }
        Self { stages, done: VecDeque::new() }
    }
}

impl Executor for Inline {
    fn submit(&mut self, mut item: Item) -> Result<()> {
        for stage in &mut self.stages {
            item = match stage {
                Stage::Map(map) => run_map(map, item)?,
                Stage::Keyed(keyed) => {
                    let part = keyed.run(&item, 0, 1)?;
                    keyed.join(item, vec![part])?
                }
            };
        }
        self.done.push_back(item);
        Ok(())
    }

    fn is_full(&self) -> bool {
        false
    }

    fn poll(&mut self) -> Result<Option<Item>> {
        Ok(self.done.pop_front())
    }

    fn wait(&mut self) {}

    fn under_way(&self) -> usize {
        self.done.len()
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
