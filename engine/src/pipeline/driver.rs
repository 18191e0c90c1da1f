//! The caller's side of a running plan: stamps rows with positions and times, hands them to
//! the executor, and gives results to the sinks, in order, with an account of every row.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow::array::{RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take_record_batch};
use hdrhistogram::Histogram;

use super::budget::Budget;
use super::builder::{Output, Pipeline};
use super::compile::Plan;
use super::letters::{reason_class, time_letter};
use super::options::{Options, Summary};
use super::pace::Schedule;
use super::split::LateSplitter;
use crate::batch::{Batch, Offsets};
use crate::decode::{DeadLetter, TextOrigin};
use crate::error::{Error, Result};
use crate::operator::Barrier;
use crate::runtime::{self, Executor, Item};
use crate::sink::{DeadLetterSink, Sink, open_sink};
use crate::time::{Span, TimeOptions, TimeStage};

/// Longest latency that the histogram tells apart: one hour.
const LATENCY_NS_MAX: u64 = 3_600_000_000_000;

/// A running plan.
pub(crate) struct Driver {
    // Set once.
    pub plan: Plan,
    pub shards: usize,
    time_name: String,
    started: Instant,
    // Stages and sinks.
    executor: Box<dyn Executor>,
    time: Option<TimeStage>,
    splitter: Option<LateSplitter>,
    sink: Option<Box<dyn Sink>>,
    late: Option<Box<dyn Sink>>,
    dead_letters: Option<DeadLetterSink>,
    schedule: Option<Schedule>,
    // Changes.
    sequence: u64,
    epoch: u64,
    next_offset: Vec<u64>,
    under_way: VecDeque<UnderWay>,
    pub ledger: Ledger,
    rejected_because: BTreeMap<String, u64>,
    latency_ns: Histogram<u64>,
    pub largest_time: i64,
    pub watermark_done: i64,
    /// Rows filtered before counting began.
    filtered_before: u64,
    budget: Option<Arc<Budget>>,
}

/// What the driver remembers of an item until its result is out.
struct UnderWay {
    rows: u64,
    arrived: Instant,
    epoch: u64,
    /// Index of the first row in the schedule, where rows are due one by one.
    due: Option<Vec<Duration>>,
}

/// Counts of rows by fate.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ledger {
    pub rows_in: u64,
    pub rejected: u64,
    pub late: u64,
    pub submitted: u64,
    pub done: u64,
    pub out: u64,
}

impl Driver {
    pub(crate) fn start(
        pipeline: Pipeline,
        plan: Plan,
        options: &Options,
        partitions: usize,
    ) -> Result<Self> {
        let shards = options.shard_count();
        let time = match (&plan.time, &pipeline.time) {
            (Some((index, _, watermark)), Some(event_time)) => {
                let time = TimeOptions {
                    unit: event_time.unit,
                    // What is late by less than the lateness still counts.
                    delay: sum(watermark.delay, plan.lateness()),
                    ahead_max: watermark.ahead.unwrap_or(Span::ZERO),
                    idle_after: watermark.idle.map(to_duration),
                };
                Some(TimeStage::new(plan.input.field(*index).data_type(), &time, partitions)?)
            }
            _ => None,
        };
        let borders = plan.borders()?;
        let splitter = match &plan.time {
            Some((_, unit, watermark)) if plan.lateness().is_some() || !borders.is_empty() => {
                let lateness = plan.lateness().unwrap_or(Span::ZERO);
                let [delay, lateness] = [watermark.delay, lateness].map(|s| s.to_units(*unit));
                Some(LateSplitter::new(delay?, lateness?, borders, partitions))
            }
            _ => None,
        };
        let budget = options.state_bytes_max.map(|max| Budget::new(max, options.at_cap));
        let accelerator = options.accelerator.as_ref();
        let executor = runtime::start(shards, partitions, accelerator, &|| {
            plan.build(budget.as_ref(), shards, accelerator)
        })?;
        let sink = match pipeline.output {
            None => None,
            Some(Output::Sink(sink)) => Some(sink),
            Some(Output::File(file)) => Some(open_sink(&file.path, file.format, &plan.output)?),
        };
        let late = pipeline.late.map(|f| open_sink(&f.path, f.format, &plan.input)).transpose()?;
        let dead_letters = pipeline.dead_letters.map(|f| DeadLetterSink::create(&f.path));
        Ok(Self {
            time_name: pipeline.time.map(|time| time.column).unwrap_or_default(),
            shards,
            plan,
            started: Instant::now(),
            executor,
            time,
            splitter,
            sink,
            late,
            dead_letters: dead_letters.transpose()?,
            schedule: Schedule::new(options.pace),
            sequence: 0,
            epoch: 0,
            next_offset: vec![0; partitions],
            under_way: VecDeque::new(),
            ledger: Ledger::default(),
            rejected_because: BTreeMap::new(),
            latency_ns: Histogram::new_with_bounds(1, LATENCY_NS_MAX, 3)
                .map_err(|error| Error::run(error.to_string()))?,
            largest_time: i64::MIN,
            watermark_done: i64::MIN,
            filtered_before: 0,
            budget,
        })
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// Sets rejected rows aside.
    pub(crate) fn reject(&mut self, letters: &[DeadLetter]) -> Result<()> {
        self.ledger.rows_in += letters.len() as u64;
        self.ledger.rejected += letters.len() as u64;
        for letter in letters {
            *self.rejected_because.entry(reason_class(letter)).or_default() += 1;
        }
        if let Some(sink) = &mut self.dead_letters {
            for letter in letters {
                sink.write(letter)?;
            }
        }
        Ok(())
    }

    /// Stamps rows that have come with positions and times. What is left can be submitted.
    pub(crate) fn stamp(
        &mut self,
        partition: u32,
        file: &str,
        mut rows: RecordBatch,
        origin: Option<TextOrigin>,
        arrived: Instant,
        now: Duration,
    ) -> Result<Batch> {
        self.pass_barrier();
        let mut times = None;
        let mut rejected = 0;
        if let (Some(stage), Some((index, ..))) = (&mut self.time, &self.plan.time) {
            let staged = stage.on_batch(partition, rows.column(*index), now)?;
            self.largest_time = stage.largest_time().unwrap_or(i64::MIN);
            if !staged.rejected.is_empty() {
                rejected = staged.rejected.len();
                let first = self.next_offset[partition as usize];
                let letters: Vec<DeadLetter> = staged
                    .rejected
                    .iter()
                    .map(|r| time_letter(file, &self.time_name, r, origin.as_ref(), &rows, first))
                    .collect();
                self.reject(&letters)?;
            }
            if let Some(accepted) = staged.accepted {
                rows = take_record_batch(&rows, &UInt32Array::from(accepted))?;
            }
            times = Some(staged.times);
        }
        let next = &mut self.next_offset[partition as usize];
        let offset = *next;
        // Rejected rows keep their number: a position is the same in every format.
        *next += (rows.num_rows() + rejected) as u64;
        self.ledger.rows_in += rows.num_rows() as u64;
        let batch = Batch {
            rows,
            partition,
            offsets: Offsets::Contiguous(offset),
            times,
            origin: None,
            arrived,
            epoch: self.epoch,
        };
        self.set_late_aside(&batch)?;
        Ok(batch)
    }

    /// Takes what was changed from outside into force from the next row on.
    fn pass_barrier(&mut self) {
        let oldest = self.under_way.front().map_or(self.epoch, |item| item.epoch);
        let barrier = Barrier { epoch: self.epoch + 1, oldest };
        if self.plan.on_barrier(barrier) {
            self.epoch = barrier.epoch;
        }
    }

    /// The batch in the parts in which it must be submitted.
    pub(crate) fn split(&mut self, batch: Batch) -> Vec<Batch> {
        match &mut self.splitter {
            Some(splitter) => splitter.split(batch),
            None => vec![batch],
        }
    }

    fn set_late_aside(&mut self, batch: &Batch) -> Result<()> {
        let Some(late) = batch.times.as_ref().and_then(|times| times.late.as_ref()) else {
            return Ok(());
        };
        self.ledger.late += late.count_set_bits() as u64;
        if let Some(sink) = &mut self.late {
            let rows = filter_record_batch(&batch.rows, &late.clone().into())?;
            sink.write(&Batch::new(rows, 0))?;
        }
        Ok(())
    }

    /// Waits for what only this thread moves on: before it may be held up elsewhere.
    pub(crate) fn settle(&mut self, results: &mut Results<'_>) -> Result<()> {
        loop {
            self.drain(results)?;
            if !self.executor.is_holding() {
                return Ok(());
            }
            self.executor.wait();
        }
    }

    /// Whether there is something that only this thread moves on.
    pub(crate) fn is_holding(&self) -> bool {
        self.executor.is_holding()
    }

    /// Hands rows over, waiting while too many are under way.
    pub(crate) fn submit(&mut self, batch: Batch, results: &mut Results<'_>) -> Result<()> {
        while self.executor.is_full() {
            if !self.drain(results)? {
                self.executor.wait();
            }
        }
        let due = self.schedule.as_mut().map(|schedule| schedule.take(batch.len()));
        self.under_way.push_back(UnderWay {
            rows: batch.len() as u64,
            arrived: batch.arrived,
            epoch: batch.epoch,
            due,
        });
        self.ledger.submitted += batch.len() as u64;
        let watermark = batch.times.as_ref().map_or(i64::MIN, |times| times.watermark);
        let epoch = batch.epoch;
        self.send(Some(batch), watermark, false, epoch)?;
        self.drain(results)?;
        Ok(())
    }

    fn send(&mut self, batch: Option<Batch>, watermark: i64, tick: bool, epoch: u64) -> Result<()> {
        let item = Item { sequence: self.sequence, batch, watermark, tick, epoch, more: false };
        self.sequence += 1;
        self.executor.submit(item)
    }

    /// Whether another batch would be over the bound.
    pub(crate) fn is_full(&self) -> bool {
        self.executor.is_full()
    }

    /// Tells the stages how far time has come without rows.
    pub(crate) fn advance(&mut self, watermark: i64) -> Result<()> {
        self.send_alone(watermark, false)
    }

    /// Tells windows that an interval of processing time has passed.
    pub(crate) fn tick(&mut self) -> Result<()> {
        self.send_alone(i64::MIN, true)
    }

    /// An item without rows.
    fn send_alone(&mut self, watermark: i64, tick: bool) -> Result<()> {
        let epoch = self.epoch;
        self.under_way.push_back(UnderWay { rows: 0, arrived: Instant::now(), epoch, due: None });
        self.send(None, watermark, tick, epoch)
    }

    /// Takes in what is finished; whether anything was.
    pub(crate) fn drain(&mut self, results: &mut Results<'_>) -> Result<bool> {
        let mut any = false;
        while let Some(item) = self.executor.poll()? {
            any = true;
            self.finished(item, results)?;
        }
        Ok(any)
    }

    fn finished(&mut self, item: Item, results: &mut Results<'_>) -> Result<()> {
        self.ledger.out += item.rows() as u64;
        if item.watermark != i64::MAX {
            self.watermark_done = self.watermark_done.max(item.watermark);
        }
        let known = if item.more { None } else { self.under_way.pop_front() };
        let has_rows = known.as_ref().is_some_and(|known| known.rows > 0);
        if let Some(batch) = item.batch {
            if let Some(sink) = self.sink.as_mut().filter(|_| !batch.is_empty()) {
                sink.write(&batch)?;
            }
            if has_rows || !batch.is_empty() {
                results(batch);
            }
        }
        if let Some(known) = known {
            self.ledger.done += known.rows;
            self.record_latency(&known);
        }
        Ok(())
    }

    fn record_latency(&mut self, known: &UnderWay) {
        let nanos = |elapsed: Duration| elapsed.as_nanos().clamp(1, LATENCY_NS_MAX.into()) as u64;
        match &known.due {
            // Open loop: each row from the moment it was due, however late it was let in.
            Some(due) => {
                let now = self.started.elapsed();
                for &due in due {
                    self.latency_ns.saturating_record(nanos(now.saturating_sub(due)));
                }
            }
            None if known.rows > 0 => {
                let elapsed = nanos(known.arrived.elapsed());
                self.latency_ns.saturating_record_n(elapsed, known.rows);
            }
            None => {}
        }
    }

    /// Counts rows, latency and wall time from here on. Nothing must be under way.
    pub(crate) fn reset_measurements(&mut self) {
        self.ledger = Ledger::default();
        self.filtered_before = self.plan.filtered();
        self.shed();
        self.latency_ns.reset();
        self.rejected_because.clear();
        self.started = Instant::now();
    }

    /// Rows shed since this was last asked.
    fn shed(&self) -> u64 {
        self.budget.as_ref().map_or(0, |budget| budget.take_shed())
    }

    /// The schedule of paced runs.
    pub(crate) fn schedule(&mut self) -> Option<&mut Schedule> {
        self.schedule.as_mut()
    }

    /// A partition has ended.
    pub(crate) fn end_partition(&mut self, partition: u32) {
        if let Some(stage) = &mut self.time {
            stage.end_partition(partition, Duration::ZERO);
        }
    }

    /// The time stage, for live runs.
    pub(crate) fn time_stage(&mut self) -> Option<&mut TimeStage> {
        self.time.as_mut()
    }

    /// Ends the run: closes all windows (unless it was interrupted), makes outputs final.
    pub(crate) fn finish(
        mut self,
        interrupted: bool,
        io: &'static str,
        results: &mut Results<'_>,
    ) -> Result<Summary> {
        self.advance(if interrupted { self.watermark_done } else { i64::MAX })?;
        while self.executor.under_way() > 0 {
            if !self.drain(results)? {
                self.executor.wait();
            }
        }
        let state = self.executor.finish()?;
        let wall = self.started.elapsed();
        if let Some(sink) = self.sink.take() {
            sink.commit()?;
        }
        if let Some(sink) = self.late.take() {
            sink.commit()?;
        }
        if let Some(sink) = self.dead_letters.take() {
            sink.commit()?;
        }
        let rows_set_aside = if self.plan.sets_late_aside() { self.ledger.late } else { 0 };
        let rows_filtered = self.plan.filtered() - self.filtered_before;
        let rows_shed = self.shed();
        let set_apart = rows_set_aside + rows_filtered + rows_shed;
        let summary = Summary {
            rows_in: self.ledger.rows_in,
            rows_rejected: self.ledger.rejected,
            rejected_because: self.rejected_because,
            rows_late: self.ledger.late,
            rows_set_aside,
            rows_filtered,
            rows_shed,
            rows_used: self.ledger.done.saturating_sub(set_apart),
            rows_out: self.ledger.out,
            wall,
            latency_ns: self.latency_ns,
            state,
            shards: self.shards,
            io,
            interrupted,
        };
        let accounted = summary.rows_used
            + summary.rows_filtered
            + summary.rows_shed
            + summary.rows_set_aside
            + summary.rows_rejected;
        if summary.rows_in != accounted {
            return Err(Error::run(format!(
                "the ledger does not balance: {} rows in, {accounted} accounted for",
                summary.rows_in
            ))
            .advise("this is a bug of Pelton: please report it with the command that you ran"));
        }
        Ok(summary)
    }
}

/// Where finished batches go besides the sink.
pub(crate) type Results<'a> = dyn FnMut(Batch) + 'a;

fn sum(delay: Span, lateness: Option<Span>) -> Span {
    Span::from_nanos(delay.as_nanos() + lateness.unwrap_or(Span::ZERO).as_nanos())
}

pub(super) fn to_duration(span: Span) -> Duration {
    Duration::from_nanos(span.as_nanos().clamp(0, u64::MAX.into()) as u64)
}
