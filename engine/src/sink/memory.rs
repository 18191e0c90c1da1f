//! Rows kept in memory: for tests, and for programs that want the answer as Arrow batches.

use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;

use super::Sink;
use crate::batch::Batch;
use crate::error::Result;

/// Collects batches; clones share what they collect.
#[derive(Debug, Clone, Default)]
pub struct MemorySink {
    batches: Arc<Mutex<Vec<RecordBatch>>>,
}

impl MemorySink {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The shared list that batches are added to.
    pub fn batches(&self) -> Arc<Mutex<Vec<RecordBatch>>> {
        self.batches.clone()
    }
}

impl Sink for MemorySink {
    fn write(&mut self, batch: &Batch) -> Result<()> {
        let mut batches = self.batches.lock().unwrap_or_else(PoisonError::into_inner);
        batches.push(batch.rows.clone());
        Ok(())
    }

    fn commit(self: Box<Self>) -> Result<()> {
        Ok(())
    }
}
