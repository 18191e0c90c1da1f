//! Running a plan to the end of a recording.

use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;

use super::builder::{Input, Pipeline};
use super::compile::Plan;
use super::driver::Driver;
use super::lookup::units_per_second;
use super::options::{Options, Pace, Progress, Summary};
use crate::batch::{Batch, Offsets};
use crate::decode::{Decoded, Decoder};
use crate::error::{Error, Result};

/// Longest sleep while a row's time is waited for: results and Ctrl-C are looked at between.
const NAP_MAX: Duration = Duration::from_millis(20);

/// The same while another device works on rows: then results are looked for that often.
const NAP_HOLDING: Duration = Duration::from_micros(100);

impl Pipeline {
    /// Reads the input to its end and gives every result to the output.
    ///
    /// # Errors
    /// When the plan does not fit the input, the input cannot be read, an aggregate overflows
    /// or an output cannot be written. Outputs then keep what they held before.
    pub fn run(mut self, mut options: Options) -> Result<Summary> {
        let input = std::mem::replace(&mut self.input, Input::Files(Vec::new()));
        let opened = match input {
            Input::Opened(opened) => opened,
            Input::Files(files) => files
                .into_iter()
                .map(|file| file.batch_rows(options.batch_rows).open())
                .collect::<Result<Vec<_>>>()?,
            Input::Pushed(_) => {
                return Err(Error::usage(
                    "this pipeline has no input to run: rows are pushed into it",
                )
                .advise("use open() and push, or run_rows() with an iterator"));
            }
        };
        let Some(first) = opened.first() else {
            return Err(Error::usage("there is no input file"));
        };
        let (schema, io) = (first.schema(), first.io);
        for other in &opened[1..] {
            if other.schema().fields() != schema.fields() {
                return Err(Error::run("its columns differ from those of the first input")
                    .at(other.name.clone())
                    .advise("give files with the same columns"));
            }
        }
        let plan = replayed(Plan::new(&self, &schema)?)?;
        let mut driver = Driver::start(self, plan, &options, opened.len())?;
        let mut interrupted = false;
        for (partition, mut file) in opened.into_iter().enumerate() {
            // Of what has no known end nobody knows when the next rows come.
            let is_stream = file.decoder.progress().1.is_none();
            let (driver, options) = (&mut driver, &mut options);
            let mut feed = Feed { driver, options, name: &file.name, is_stream };
            interrupted = feed.partition(partition as u32, &mut *file.decoder)?;
            if interrupted || feed.is_over() {
                break;
            }
            driver.end_partition(partition as u32);
        }
        driver.finish(interrupted, io, &mut |_| {})
    }

    /// Runs over rows from an iterator (one partition), as `run` does over files.
    ///
    /// # Errors
    /// As [`Pipeline::run`]; and when the iterator gives an error or rows of another schema.
    pub fn run_rows(
        self,
        rows: impl Iterator<Item = Result<RecordBatch>> + Send,
        mut options: Options,
    ) -> Result<Summary> {
        let Input::Pushed(schema) = &self.input else {
            return Err(Error::usage("this pipeline reads files")
                .advise("start it with Pipeline::rows(schema)"));
        };
        let schema = schema.clone();
        let plan = replayed(Plan::new(&self, &schema)?)?;
        let mut driver = Driver::start(self, plan, &options, 1)?;
        let mut decoder = Iterated { rows, schema };
        let (name, is_stream) = ("rows", false);
        let mut feed = Feed { driver: &mut driver, options: &mut options, name, is_stream };
        let interrupted = feed.partition(0, &mut decoder)?;
        driver.finish(interrupted, "none", &mut |_| {})
    }

    /// Schema of the rows after the last step.
    ///
    /// # Errors
    /// As [`Pipeline::explain_plan`].
    pub fn schema(&self) -> Result<SchemaRef> {
        Ok(Plan::new(self, &self.input_schema()?)?.output)
    }

    pub(super) fn input_schema(&self) -> Result<SchemaRef> {
        let nothing = || Error::usage("there is no input file");
        match &self.input {
            Input::Pushed(schema) => Ok(schema.clone()),
            Input::Files(files) => Ok(files.first().ok_or_else(nothing)?.clone().open()?.schema()),
            Input::Opened(files) => Ok(files.first().ok_or_else(nothing)?.schema()),
        }
    }
}

/// The plan, if it can be run over a recording.
fn replayed(plan: Plan) -> Result<Plan> {
    if plan.early_interval().is_some() {
        return Err(Error::usage(
            "a recording has no processing time to give windows out early by",
        )
        .advise("give an interval of event time or a number of rows, or open() the pipeline"));
    }
    Ok(plan)
}

/// Feeds one partition.
struct Feed<'a> {
    driver: &'a mut Driver,
    options: &'a mut Options,
    name: &'a str,
    /// Whether the next rows may be long in coming.
    is_stream: bool,
}

impl Feed<'_> {
    fn is_over(&self) -> bool {
        self.options.limit.is_some_and(|limit| self.driver.ledger.rows_in >= limit)
    }

    fn is_stopped(&self) -> bool {
        self.options.stop.as_ref().is_some_and(|stop| stop())
    }

    /// Whether the user stopped the run.
    fn partition(&mut self, partition: u32, decoder: &mut dyn Decoder) -> Result<bool> {
        while !self.is_over() {
            if self.is_stopped() {
                return Ok(true);
            }
            if self.is_stream {
                self.driver.settle(&mut |_| {})?;
            }
            let Some(mut decoded) = decoder.next_batch()? else { break };
            self.cut_to_limit(&mut decoded);
            self.driver.reject(&decoded.rejects)?;
            let Decoded { rows, origin, read_at, .. } = decoded;
            if rows.num_rows() == 0 {
                continue;
            }
            let batch =
                self.driver.stamp(partition, self.name, rows, origin, read_at, Duration::ZERO)?;
            for part in self.driver.split(batch) {
                if self.submit(part)? {
                    return Ok(true);
                }
            }
            self.observe(decoder.progress());
        }
        Ok(false)
    }

    fn cut_to_limit(&self, decoded: &mut Decoded) {
        let Some(limit) = self.options.limit else { return };
        let left = (limit - self.driver.ledger.rows_in.min(limit)) as usize;
        decoded.rejects.truncate(left);
        let left = left - decoded.rejects.len();
        if decoded.rows.num_rows() > left {
            decoded.rows = decoded.rows.slice(0, left);
        }
    }

    /// Submits a batch, or its rows as they become due; whether the user stopped the run.
    fn submit(&mut self, batch: Batch) -> Result<bool> {
        if self.options.pace == Pace::Max {
            self.driver.submit(batch, &mut |_| {})?;
            return Ok(false);
        }
        let units = self.driver.plan.time.map_or(1, |(_, unit, _)| units_per_second(unit));
        if let Some(schedule) = self.driver.schedule() {
            for row in 0..batch.len() {
                schedule.add(batch.times.as_ref().map(|times| times.time[row]), units);
            }
        }
        let mut at = 0;
        while at < batch.len() {
            if self.is_stopped() {
                return Ok(true);
            }
            let now = self.driver.elapsed();
            let due = self.driver.schedule().map_or(batch.len(), |schedule| schedule.due_by(now));
            if due == 0 {
                self.rest(now)?;
                continue;
            }
            let rows = due.min(batch.len() - at).min(self.options.batch_rows.max(1));
            self.driver.submit(slice(&batch, at, rows), &mut |_| {})?;
            at += rows;
        }
        Ok(false)
    }

    /// Waits for the next due row.
    fn rest(&mut self, now: Duration) -> Result<()> {
        let next = self.driver.schedule().and_then(|schedule| schedule.next());
        let nap = next.unwrap_or(now).saturating_sub(now);
        if self.driver.drain(&mut |_| {})? || self.options.busy_poll {
            std::hint::spin_loop();
        } else {
            let nap_max = if self.driver.is_holding() { NAP_HOLDING } else { NAP_MAX };
            std::thread::sleep(nap.min(nap_max));
        }
        Ok(())
    }

    fn observe(&mut self, (bytes_read, bytes_total): (u64, Option<u64>)) {
        let Some(observer) = &mut self.options.observer else { return };
        let driver = &self.driver;
        let known = driver.watermark_done != i64::MIN && driver.largest_time != i64::MIN;
        observer(&Progress {
            elapsed: driver.elapsed(),
            rows_in: driver.ledger.rows_in,
            rows_out: driver.ledger.out,
            rows_done: driver.ledger.done,
            bytes_read,
            bytes_total,
            watermark_lag: known.then(|| driver.largest_time.saturating_sub(driver.watermark_done)),
        });
    }
}

/// Rows `at..at + rows` of a batch whose rows are contiguous in their source.
pub(super) fn slice(batch: &Batch, at: usize, rows: usize) -> Batch {
    let times = batch.times.as_ref().map(|times| crate::batch::RowTimes {
        time: times.time.slice(at, rows),
        sorted: times.sorted,
        late: times.late.as_ref().map(|late| late.slice(at, rows)),
        largest_before: times.largest_before.as_ref().map(|l| l.slice(at, rows)),
        // Of the whole batch: only right once all of it is in.
        watermark: if at + rows == batch.len() { times.watermark } else { i64::MIN },
    });
    Batch {
        rows: batch.rows.slice(at, rows),
        offsets: Offsets::Contiguous(batch.offsets.get(at)),
        times,
        ..batch.clone()
    }
}

/// An iterator of rows as a decoder.
struct Iterated<I> {
    rows: I,
    schema: SchemaRef,
}

impl<I: Iterator<Item = Result<RecordBatch>> + Send> Decoder for Iterated<I> {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn next_batch(&mut self) -> Result<Option<Decoded>> {
        let Some(rows) = self.rows.next().transpose()? else { return Ok(None) };
        if rows.schema().fields() != self.schema.fields() {
            return Err(Error::run("rows came with other columns than the pipeline was made for"));
        }
        let read_at = Instant::now();
        Ok(Some(Decoded { rows, origin: None, rejects: Vec::new(), read_at }))
    }

    fn progress(&self) -> (u64, Option<u64>) {
        (0, None)
    }
}
