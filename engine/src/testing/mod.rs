//! For tests of pipelines, ours and yours: a script of what comes when, on a clock that the
//! script turns, run with batches and shards of several sizes, and compared with a definition
//! that sees all rows at once.
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//! use arrow::array::{ArrayRef, Int64Array, RecordBatch};
//! use arrow::datatypes::TimeUnit;
//! use pelton::pipeline::{Pipeline, Watermark, count, tumble};
//! use pelton::testing::{Script, agree};
//! use pelton::time::seconds;
//!
//! let rows = |times: &[i64]| {
//!     let times: ArrayRef = Arc::new(Int64Array::from(times.to_vec()));
//!     RecordBatch::try_from_iter([("ts", times)]).unwrap()
//! };
//! // Two inputs, of which the second falls silent: after 5 s it holds no window back.
//! let script = Script::of_partitions(2)
//!     .rows(0, rows(&[1, 2, 11]))
//!     .rows(1, rows(&[3]))
//!     .wait(Duration::from_secs(5))
//!     .rows(0, rows(&[12]));
//! let pipeline = || {
//!     Pipeline::rows(rows(&[]).schema())
//!         .event_time_in("ts", TimeUnit::Second, Watermark::bounded(seconds(1)).idle_after(seconds(5)))
//!         .window(tumble(seconds(10)), [count()])
//! };
//! let outcome = agree(&script, pipeline, |rows| {
//!     assert_eq!(rows.len(), 5);
//!     let column = |values: &[i64]| -> ArrayRef { Arc::new(Int64Array::from(values.to_vec())) };
//!     RecordBatch::try_from_iter([
//!         ("window_start", column(&[0, 10])),
//!         ("window_end", column(&[10, 20])),
//!         ("count", column(&[3, 2])),
//!     ])
//!     .unwrap()
//! })?;
//! // The first window was out before the input ended.
//! assert_eq!(outcome.rows_before_the_end, 1);
//! # Ok::<(), pelton::Error>(())
//! ```
//!
//! Nothing in a plan reads the machine's clock: processing time comes from
//! [`Options::clock`](crate::pipeline::Options::clock) alone, in tests as in service.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use arrow::array::RecordBatch;
use arrow::compute::concat_batches;
use arrow::util::display::array_value_to_string;

use crate::batch::{Batch, Position};
use crate::error::{Error, Result};
use crate::pipeline::{Live, Options, Pipeline, Summary};
use crate::time::VirtualClock;

/// What comes when.
#[derive(Debug, Clone)]
pub struct Script {
    partitions: usize,
    events: Vec<Event>,
}

#[derive(Debug, Clone)]
enum Event {
    /// Rows of a partition.
    Rows(u32, RecordBatch),
    /// Processing time passes.
    Wait(Duration),
}

/// A row of a script, for definitions.
#[derive(Debug, Clone)]
pub struct Arrived {
    /// The rows that came with it.
    pub rows: Arc<RecordBatch>,
    /// Its index among them.
    pub row: usize,
    /// Its place in its partition (rejected rows have one too).
    pub position: Position,
    /// When it came, on the clock.
    pub at: Duration,
}

/// How a script is run; the answer must not depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Trial {
    /// Most rows of a batch.
    pub batch_rows: usize,
    /// Shards.
    pub shards: usize,
}

/// The trials of [`agree`]: single rows, small batches, all that came at once; one shard and
/// several.
pub const TRIALS: [Trial; 6] = [
    Trial { batch_rows: usize::MAX, shards: 1 },
    Trial { batch_rows: 1, shards: 1 },
    Trial { batch_rows: 3, shards: 1 },
    Trial { batch_rows: 7, shards: 1 },
    Trial { batch_rows: 1, shards: 2 },
    Trial { batch_rows: 5, shards: 3 },
];

/// What a run gave.
#[derive(Debug)]
pub struct Outcome {
    /// All rows given out, in order.
    pub rows: RecordBatch,
    /// How many of them came before the input ended.
    pub rows_before_the_end: usize,
    /// The account of the run.
    pub summary: Summary,
}

impl Default for Script {
    fn default() -> Self {
        Self::of_partitions(1)
    }
}

impl Script {
    /// Nothing yet, for so many input partitions.
    pub fn of_partitions(partitions: usize) -> Self {
        Self { partitions: partitions.max(1), events: Vec::new() }
    }

    /// Rows come to a partition.
    #[must_use]
    pub fn rows(mut self, partition: u32, rows: RecordBatch) -> Self {
        self.events.push(Event::Rows(partition, rows));
        self
    }

    /// So much processing time passes, without rows.
    #[must_use]
    pub fn wait(mut self, time: Duration) -> Self {
        self.events.push(Event::Wait(time));
        self
    }

    /// All rows, in the order in which they come.
    pub fn arrivals(&self) -> Vec<Arrived> {
        let mut at = Duration::ZERO;
        let mut offsets = vec![0; self.partitions];
        let mut arrivals = Vec::new();
        for event in &self.events {
            match event {
                Event::Wait(time) => at += *time,
                Event::Rows(partition, rows) => {
                    let shared = Arc::new(rows.clone());
                    for row in 0..rows.num_rows() {
                        let offset = &mut offsets[*partition as usize];
                        let position = Position { partition: *partition, offset: *offset };
                        *offset += 1;
                        arrivals.push(Arrived { rows: shared.clone(), row, position, at });
                    }
                }
            }
        }
        arrivals
    }
}

/// Runs a pipeline (made by [`Pipeline::rows`]) over a script.
///
/// While the script waits, [`Live::tick`] is called whenever it could change something, and at
/// the end of the wait.
///
/// # Errors
/// When the plan does not fit, a step fails, or a partition does not exist.
pub fn run(pipeline: Pipeline, script: &Script, trial: Trial) -> Result<Outcome> {
    let clock = VirtualClock::default();
    let options = Options { clock: Some(Arc::new(clock.clone())), ..Options::default() };
    let mut live = pipeline.open_partitions(script.partitions, options.shards(trial.shards))?;
    let schema = live.output_schema().clone();
    let mut given: Vec<RecordBatch> = Vec::new();
    for event in &script.events {
        match event {
            Event::Wait(time) => wait(&mut live, &clock, *time)?,
            Event::Rows(partition, _) if *partition as usize >= script.partitions => {
                return Err(Error::usage(format!("the script has no partition {partition}")));
            }
            Event::Rows(partition, rows) => {
                let mut at = 0;
                while at < rows.num_rows() {
                    let part = trial.batch_rows.clamp(1, rows.num_rows() - at);
                    live.push_to(*partition, rows.slice(at, part))?;
                    at += part;
                }
            }
        }
        while let Some(batch) = live.poll()? {
            given.extend(rows_of(batch));
        }
    }
    let before: usize = given.iter().map(RecordBatch::num_rows).sum();
    let (rest, summary) = live.close()?;
    // With several shards some of what was ready comes only now: what the end closed is not told
    // apart then.
    given.extend(rest.into_iter().filter_map(rows_of));
    let rows = concat_batches(&schema, &given)?;
    Ok(Outcome { rows, rows_before_the_end: before, summary })
}

fn wait(live: &mut Live, clock: &VirtualClock, time: Duration) -> Result<()> {
    use crate::time::Clock;
    let end = clock.now().saturating_add(time);
    while let Some(next) = live.next_tick().filter(|next| (clock.now()..end).contains(next)) {
        // At least a nanosecond, or a moment that has come would be waited for for ever.
        let step = next.saturating_sub(clock.now()).max(Duration::from_nanos(1));
        clock.advance(step);
        live.tick()?;
    }
    clock.advance(end.saturating_sub(clock.now()));
    live.tick()
}

fn rows_of(batch: Batch) -> Option<RecordBatch> {
    Some(batch.rows).filter(|rows| rows.num_rows() > 0)
}

/// Runs the pipeline that `make` makes over a script in every one of [`TRIALS`]: all must give
/// the rows of `definition` (made from all rows of the script), in its order, and leave no row
/// unaccounted for. Gives the first trial's outcome.
///
/// # Errors
/// When a run fails, or its rows differ: the error shows the trial and the first rows that do.
pub fn agree(
    script: &Script,
    make: impl Fn() -> Pipeline,
    definition: impl FnOnce(&[Arrived]) -> RecordBatch,
) -> Result<Outcome> {
    let expected = definition(&script.arrivals());
    let mut first = None;
    for trial in TRIALS {
        let outcome = run(make(), script, trial)?;
        same_rows(&outcome.rows, &expected).map_err(|error| error.at(format!("{trial:?}")))?;
        first.get_or_insert(outcome);
    }
    first.ok_or_else(|| Error::run("there is no trial"))
}

/// Whether two results hold the same columns (names and types) and rows.
///
/// # Errors
/// When they do not: the error shows where they first differ.
pub fn same_rows(got: &RecordBatch, expected: &RecordBatch) -> Result<()> {
    let columns = |rows: &RecordBatch| -> Vec<String> {
        let fields = rows.schema();
        fields.fields().iter().map(|f| format!("{} {}", f.name(), f.data_type())).collect()
    };
    if columns(got) != columns(expected) {
        let [got, expected] = [got, expected].map(|rows| columns(rows).join(", "));
        return Err(Error::run(format!("the columns are {got}; expected are {expected}")));
    }
    let rows = got.num_rows().min(expected.num_rows());
    let same = |row: usize| {
        got.columns()
            .iter()
            .zip(expected.columns())
            .all(|(a, b)| a.slice(row, 1) == b.slice(row, 1))
    };
    let differs = (0..rows).find(|row| !same(*row));
    let Some(at) = differs.or((got.num_rows() != expected.num_rows()).then_some(rows)) else {
        return Ok(());
    };
    let mut text =
        format!("row {at} differs ({} rows, expected {})", got.num_rows(), expected.num_rows());
    for (name, rows) in [("got", got), ("expected", expected)] {
        let from = at.saturating_sub(1);
        // Writing to a string cannot fail.
        let _ = write!(text, "\n{name}, from row {from}:");
        for row in from..(from + 4).min(rows.num_rows()) {
            let shown = rows.columns().iter().map(|column| array_value_to_string(column, row));
            let shown: Vec<String> = shown.collect::<Result<_, _>>()?;
            let _ = write!(text, "\n  {}", shown.join(", "));
        }
    }
    Err(Error::run(text))
}
