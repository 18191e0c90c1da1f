//! A running pipeline that is fed by hand: push rows, poll decisions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::builder::{Input, Pipeline};
use super::compile::Plan;
use super::driver::Driver;
use super::options::{Options, Summary};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::time::{Clock, SystemClock};

/// A running pipeline. With one shard everything happens inside `push`, on the caller's
/// thread, and the result can be polled at once; with several, results come in order as the
/// shards finish. Where a GPU works on a batch ([`Options::accelerator`]), `push` comes back at
/// once also with one shard, and the result can be polled when it is done; a batch of one row goes
/// there only where everything must.
pub struct Live {
    driver: Driver,
    schema: SchemaRef,
    clock: Arc<dyn Clock>,
    ready: VecDeque<Batch>,
    /// When windows are next given out early, and how long after that again.
    early: Option<(Duration, Duration)>,
}

impl Pipeline {
    /// Starts the pipeline for rows that are pushed, one input partition.
    ///
    /// # Errors
    /// When the plan does not fit the schema or an output cannot be opened.
    pub fn open(self, options: Options) -> Result<Live> {
        self.open_partitions(1, options)
    }

    /// Starts the pipeline for rows that are pushed into so many input partitions, each with
    /// its own order of time.
    ///
    /// # Errors
    /// As [`Pipeline::open`].
    pub fn open_partitions(self, partitions: usize, options: Options) -> Result<Live> {
        let Input::Pushed(schema) = &self.input else {
            return Err(Error::usage("this pipeline reads files")
                .advise("start it with Pipeline::rows(schema) to push rows"));
        };
        let schema = schema.clone();
        let plan = Plan::new(&self, &schema)?;
        let clock = options.clock.clone().unwrap_or_else(|| Arc::new(SystemClock::start()));
        let early = plan.early_interval().map(|every| (clock.now().saturating_add(every), every));
        let driver = Driver::start(self, plan, &options, partitions.max(1))?;
        Ok(Live { driver, schema, clock, ready: VecDeque::new(), early })
    }
}

impl Live {
    /// Schema of the rows that are pushed.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// Schema of the results.
    pub fn output_schema(&self) -> &SchemaRef {
        &self.driver.plan.output
    }

    /// Takes rows in; waits while the engine is full.
    ///
    /// # Errors
    /// When a step failed on these rows or earlier ones.
    pub fn push(&mut self, rows: RecordBatch) -> Result<()> {
        self.push_to(0, rows)
    }

    /// Takes rows into a partition; waits while the engine is full.
    ///
    /// # Errors
    /// As [`Live::push`]; and when there is no such partition.
    pub fn push_to(&mut self, partition: u32, rows: RecordBatch) -> Result<()> {
        self.push_arrived(partition, rows, Instant::now())
    }

    /// As [`Live::push_to`], with the moment from which latency counts.
    ///
    /// # Errors
    /// As [`Live::push_to`].
    pub fn push_arrived(
        &mut self,
        partition: u32,
        rows: RecordBatch,
        arrived: Instant,
    ) -> Result<()> {
        if rows.schema().fields() != self.schema.fields() {
            return Err(Error::usage("these rows have other columns than the pipeline")
                .advise("build them with Live::schema()"));
        }
        let now = self.clock.now();
        let batch = self.driver.stamp(partition, "pushed", rows, None, arrived, now)?;
        let ready = &mut self.ready;
        let mut parts = self.driver.split(batch).into_iter();
        parts.try_for_each(|part| self.driver.submit(part, &mut |batch| ready.push_back(batch)))
    }

    /// Takes rows in unless the engine is full; then they come back.
    ///
    /// # Errors
    /// As [`Live::push`].
    pub fn try_push(&mut self, rows: RecordBatch) -> Result<Option<RecordBatch>> {
        self.drain()?;
        if self.driver.is_full() {
            return Ok(Some(rows));
        }
        self.push(rows)?;
        Ok(None)
    }

    /// The next result: for each pushed batch one, in order, possibly without rows (no alert);
    /// and windows as they close.
    ///
    /// # Errors
    /// When a step failed.
    pub fn poll(&mut self) -> Result<Option<Batch>> {
        if self.ready.is_empty() {
            self.drain()?;
        }
        Ok(self.ready.pop_front())
    }

    fn drain(&mut self) -> Result<()> {
        let ready = &mut self.ready;
        self.driver.drain(&mut |batch| ready.push_back(batch))?;
        Ok(())
    }

    /// Lets partitions that have been silent too long hold no window back any more, by the
    /// clock, and gives windows out early where an interval of the clock says when. Call it now
    /// and then, also while rows come.
    ///
    /// # Errors
    /// When a step failed.
    pub fn tick(&mut self) -> Result<()> {
        let now = self.clock.now();
        if let Some(stage) = self.driver.time_stage() {
            let before = stage.watermark();
            let watermark = stage.on_tick(now);
            if watermark > before {
                self.driver.advance(watermark)?;
            }
        }
        if let Some((next, every)) = &mut self.early
            && now >= *next
        {
            // Intervals that nobody looked at are not made up for.
            *next = now.saturating_add(*every);
            self.driver.tick()?;
        }
        self.drain()
    }

    /// When the next call of [`Live::tick`] can change anything, on the clock.
    pub fn next_tick(&mut self) -> Option<Duration> {
        let idle = self.driver.time_stage().and_then(|stage| stage.next_idle_at());
        let early = self.early.map(|(next, _)| next);
        idle.into_iter().chain(early).min()
    }

    /// Starts counting rows, latency and wall time anew (after a warm-up); state is kept.
    pub fn reset_measurements(&mut self) {
        self.driver.reset_measurements();
    }

    /// Ends the input: all windows close, outputs become final; the last results and the
    /// account of all rows come back.
    ///
    /// # Errors
    /// When a step failed or an output cannot be written.
    pub fn close(self) -> Result<(Vec<Batch>, Summary)> {
        let Self { driver, mut ready, .. } = self;
        let summary = driver.finish(false, "none", &mut |batch| ready.push_back(batch))?;
        Ok((ready.into(), summary))
    }
}
