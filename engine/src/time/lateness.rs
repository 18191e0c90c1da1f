//! The time stage: reads each row's event time, rejects rows whose time cannot be used, and
//! marks rows that are late.
//!
//! Both are decided per row, in the order of the rows of a partition, so that the result does
//! not depend on how rows were cut into batches. With m the largest accepted time before the
//! row in its partition:
//!
//! - no time, or one outside 64 bits: rejected;
//! - time > m + ahead (1 day by default, 0 = off): rejected as implausible, so that one
//!   poisoned clock cannot make all others late; the first row of a partition is always
//!   plausible;
//! - time < m − delay: late. It is kept and marked; what happens to it is the plan's matter.
//!
//! Such rows are rare. So the stage looks at blocks of 64 rows: if the smallest time of a block
//! is not below (largest so far, the block's own included) − delay, and its largest not above m +
//! ahead, no row of it needs a look. A block that fails (a sparse stream spans more than the delay
//! in 64 rows) is walked row by row, and the rows that are late or rejected are noted. Columns
//! and masks are only made where there is something to say in them.

use std::time::Duration;

use arrow::array::types::*;
use arrow::array::{Array, ArrayRef, AsArray, BooleanBufferBuilder};
use arrow::buffer::{NullBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, TimeUnit};
use arrow::temporal_conversions::{
    timestamp_ms_to_datetime, timestamp_ns_to_datetime, timestamp_s_to_datetime,
    timestamp_us_to_datetime,
};

use pelton_kernels::simd::level;
use pelton_kernels::window_assign;

use super::duration::{Span, days};
use super::watermark::WatermarkTracker;
use crate::batch::RowTimes;
use crate::error::{Error, Result};

/// Rows that are judged at once.
const BLOCK: usize = 64;

/// What the time stage needs to know.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeOptions {
    /// Unit of an integer time column; a timestamp column has its own.
    pub unit: Option<TimeUnit>,
    /// How far a row may stand behind the largest time before it without being late.
    pub delay: Span,
    /// How far a row may be ahead of the largest time before it; zero: any far.
    pub ahead_max: Span,
    /// A partition without rows for so long holds no window back; `None` in a replay.
    pub idle_after: Option<Duration>,
}

impl Default for TimeOptions {
    /// No disorder, implausible beyond a day, never idle.
    fn default() -> Self {
        Self { unit: None, delay: Span::ZERO, ahead_max: days(1), idle_after: None }
    }
}

/// A row whose time cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RejectedRow {
    /// Index of the row in the batch.
    pub row: u32,
    /// Why.
    pub reason: String,
}

/// What the time stage made of a batch.
#[derive(Debug, Clone)]
pub struct StagedRows {
    /// Times of the *accepted* rows, in order. Its watermark is the stream's after this batch.
    pub times: RowTimes,
    /// Indices of the accepted rows in the batch; `None`: all.
    pub accepted: Option<Vec<u32>>,
    /// The rejected rows, in order.
    pub rejected: Vec<RejectedRow>,
}

/// Event times of one stream of several partitions.
#[derive(Debug)]
pub struct TimeStage {
    // Set once.
    data_type: DataType,
    unit: TimeUnit,
    bounds: Bounds,
    ahead_max: Span,
    // Changes.
    /// The largest accepted time of each partition.
    largest: Vec<Option<i64>>,
    /// The largest accepted time of all partitions.
    largest_of_all: Option<i64>,
    watermarks: WatermarkTracker,
}

/// The options in units of the time column.
#[derive(Debug, Clone, Copy)]
struct Bounds {
    delay: i64,
    /// Unsigned, so that `u64::MAX` (off) is further than any two times are apart.
    ahead: u64,
}

impl TimeStage {
    /// A stage for a time column of type `data_type` and so many partitions.
    ///
    /// # Errors
    /// When the type is no time, an integer's unit is missing, or a span is negative or no
    /// whole number of units.
    pub fn new(data_type: &DataType, options: &TimeOptions, partitions: usize) -> Result<Self> {
        let unit = unit_of(data_type, options.unit)?;
        for (name, span) in [("delay", options.delay), ("bound ahead", options.ahead_max)] {
            if span.is_negative() {
                return Err(Error::usage(format!("the {name} is negative ({span})")));
            }
        }
        let ahead = match options.ahead_max.to_units(unit)? {
            0 => u64::MAX,
            ahead => ahead.unsigned_abs(),
        };
        let bounds = Bounds { delay: options.delay.to_units(unit)?, ahead };
        Ok(Self {
            data_type: data_type.clone(),
            unit,
            bounds,
            ahead_max: options.ahead_max,
            largest: vec![None; partitions],
            largest_of_all: None,
            watermarks: WatermarkTracker::new(partitions, bounds.delay, options.idle_after),
        })
    }

    /// The unit of event time.
    pub fn unit(&self) -> TimeUnit {
        self.unit
    }

    /// Judges a batch of a partition by its time column. `now` is processing time (any constant
    /// where no partition can become idle).
    ///
    /// # Errors
    /// When the column's type is not the one that the stage was made for.
    ///
    /// # Panics
    /// When there is no such partition.
    pub fn on_batch(
        &mut self,
        partition: u32,
        column: &ArrayRef,
        now: Duration,
    ) -> Result<StagedRows> {
        if column.data_type() != &self.data_type {
            return Err(Error::run(format!(
                "the time column was of type {}, but is now of type {}",
                self.data_type,
                column.data_type()
            )));
        }
        let times = Times::read(column);
        let before = Running { own: self.largest[partition as usize], all: self.largest_of_all };
        let mut running = before;
        let found = self.judge(&times, &mut running);
        let mut staged = found.staged(times, before.all);
        self.largest[partition as usize] = running.own;
        self.largest_of_all = running.all;
        staged.times.watermark = if column.is_empty() {
            self.watermarks.advance(now)
        } else {
            self.watermarks.observe(partition, running.own, now)
        };
        Ok(staged)
    }

    /// A partition has ended. Returns the watermark.
    ///
    /// # Panics
    /// When there is no such partition.
    pub fn end_partition(&mut self, partition: u32, now: Duration) -> i64 {
        self.watermarks.end(partition, now)
    }

    /// Time has passed without rows. Returns the watermark.
    pub fn on_tick(&mut self, now: Duration) -> i64 {
        self.watermarks.advance(now)
    }

    /// The watermark as last computed.
    pub fn watermark(&self) -> i64 {
        self.watermarks.watermark()
    }

    /// When a partition next becomes idle, where one can.
    pub fn next_idle_at(&self) -> Option<Duration> {
        self.watermarks.next_idle_at()
    }

    /// The largest accepted time of all partitions; `None` before the first row.
    pub fn largest_time(&self) -> Option<i64> {
        self.largest_of_all
    }

    /// Finds the rows that are not like most; moves `running` on over all accepted ones.
    fn judge(&self, times: &Times, running: &mut Running) -> Found {
        let mut found = Found::default();
        let all_usable = times.nulls.is_none() && times.too_large.is_empty();
        if all_usable && is_sorted_in_bounds(&times.values, running, self.bounds) {
            found.sorted = true;
            return found;
        }
        for (block, values) in times.values.chunks(BLOCK).enumerate() {
            if !(all_usable && in_order(values, running, self.bounds)) {
                self.judge_rows(times, block * BLOCK, values.len(), running, &mut found);
            }
        }
        found
    }

    /// Row by row: the definition.
    fn judge_rows(
        &self,
        times: &Times,
        start: usize,
        len: usize,
        running: &mut Running,
        found: &mut Found,
    ) {
        for row in start..start + len {
            if let Some(reason) = self.unusable(times, row, running.own) {
                found.rejected.push(RejectedRow { row: row as u32, reason });
                continue;
            }
            let time = times.values[row];
            let behind = |m: i64| time < m.saturating_sub(self.bounds.delay);
            if running.own.is_some_and(behind) {
                found.late.push((row - found.rejected.len()) as u32);
            }
            found.any_behind |= running.all.is_some_and(behind);
            running.own = running.own.max(Some(time));
            running.all = running.all.max(Some(time));
        }
    }

    /// Why the row's time cannot be used, where it cannot.
    fn unusable(&self, times: &Times, row: usize, largest: Option<i64>) -> Option<String> {
        if times.nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            return Some("event time is empty".into());
        }
        if times.too_large.binary_search(&row).is_ok() {
            return Some("event time is beyond 64 bits".into());
        }
        let largest = largest?;
        (times.values[row] > largest.saturating_add_unsigned(self.bounds.ahead)).then(|| {
            format!(
                "event time is more than {} ahead of the largest so far ({})",
                self.ahead_max,
                self.show(largest)
            )
        })
    }

    fn show(&self, time: i64) -> String {
        if let DataType::Timestamp(..) = self.data_type {
            let date = match self.unit {
                TimeUnit::Second => timestamp_s_to_datetime(time),
                TimeUnit::Millisecond => timestamp_ms_to_datetime(time),
                TimeUnit::Microsecond => timestamp_us_to_datetime(time),
                TimeUnit::Nanosecond => timestamp_ns_to_datetime(time),
            };
            if let Some(date) = date {
                return date.to_string();
            }
        }
        time.to_string()
    }
}

/// The largest accepted times so far.
#[derive(Debug, Clone, Copy)]
struct Running {
    /// Of the row's partition.
    own: Option<i64>,
    /// Of all partitions; never below `own`.
    all: Option<i64>,
}

/// What was found in a batch.
#[derive(Default)]
struct Found {
    rejected: Vec<RejectedRow>,
    /// Late rows, by their number among the accepted ones.
    late: Vec<u32>,
    /// Whether a row is behind the largest of all partitions by more than the delay.
    any_behind: bool,
    /// Whether times are known to never fall.
    sorted: bool,
}

impl Found {
    /// The accepted rows' times and marks. `largest` is the largest time before the batch.
    fn staged(self, times: Times, largest: Option<i64>) -> StagedRows {
        let mut accepted = None;
        let mut time = times.values;
        if !self.rejected.is_empty() {
            let mut rejected = self.rejected.iter().map(|rejected| rejected.row).peekable();
            let rows = 0..time.len() as u32;
            let kept: Vec<u32> = rows.filter(|row| rejected.next_if_eq(row).is_none()).collect();
            time = kept.iter().map(|row| time[*row as usize]).collect();
            accepted = Some(kept);
        }
        let late = (!self.late.is_empty()).then(|| {
            let mut late = BooleanBufferBuilder::new(time.len());
            late.append_n(time.len(), false);
            self.late.iter().for_each(|row| late.set_bit(*row as usize, true));
            late.finish()
        });
        let largest_before = self.any_behind.then(|| {
            let mut largest = largest.unwrap_or(i64::MIN);
            let before = time.iter().map(|time| {
                let before = largest;
                largest = largest.max(*time);
                before
            });
            before.collect()
        });
        let times =
            RowTimes { time, sorted: self.sorted, late, largest_before, watermark: i64::MIN };
        StagedRows { times, accepted, rejected: self.rejected }
    }
}

/// Whether no row of a block is implausible, late, or behind the largest of all partitions by
/// more than the delay. Then `running` is moved on over it.
fn in_order(block: &[i64], running: &mut Running, bounds: Bounds) -> bool {
    // The first row of a partition is plausible, and not late, whatever its time.
    let Some(&first) = block.first() else { return true };
    let own = running.own.unwrap_or(first);
    let all = running.all.unwrap_or(first);
    let (low, high) = min_max(block);
    let fits = high <= own.saturating_add_unsigned(bounds.ahead)
        && low >= all.max(high).saturating_sub(bounds.delay);
    if fits {
        *running = Running { own: Some(own.max(high)), all: Some(all.max(high)) };
        return true;
    }
    let (mut own, mut all) = (own, all);
    let far = [low, high, own, all].iter().any(|time| time.unsigned_abs() > i64::MAX as u64 / 2);
    if !far && bounds.delay <= i64::MAX / 2 && high <= own.saturating_add_unsigned(bounds.ahead) {
        // What is to be known of each row is whether it is late, and no difference overflows.
        let mut any_behind = false;
        for &time in block {
            any_behind |= time < all - bounds.delay;
            all = all.max(time);
        }
        if !any_behind {
            *running = Running { own: Some(own.max(high)), all: Some(all) };
        }
        return !any_behind;
    }
    for &time in block {
        let ahead = time > own.saturating_add_unsigned(bounds.ahead);
        if ahead | (time < all.saturating_sub(bounds.delay)) {
            return false;
        }
        own = own.max(time);
        all = all.max(time);
    }
    *running = Running { own: Some(own), all: Some(all) };
    true
}

/// Whether times never fall, the first is not behind the largest of all partitions by more than
/// the delay, and the last is plausible. Then `running` is moved on.
fn is_sorted_in_bounds(times: &[i64], running: &mut Running, bounds: Bounds) -> bool {
    let (Some(&first), Some(&last)) = (times.first(), times.last()) else { return true };
    let (own, all) = (running.own.unwrap_or(first), running.all.unwrap_or(first));
    let fits = last <= own.saturating_add_unsigned(bounds.ahead)
        && first >= all.saturating_sub(bounds.delay)
        && window_assign::is_sorted(level(), times);
    if fits {
        *running = Running { own: Some(own.max(last)), all: Some(all.max(last)) };
    }
    fits
}

/// Smallest and largest of at least one time.
#[inline]
fn min_max(times: &[i64]) -> (i64, i64) {
    let first = times[0];
    times.iter().fold((first, first), |(low, high), &time| (low.min(time), high.max(time)))
}

/// A time column as 64-bit integers.
struct Times {
    values: ScalarBuffer<i64>,
    nulls: Option<NullBuffer>,
    /// Rows whose (unsigned) time does not fit, increasing.
    too_large: Vec<usize>,
}

impl Times {
    fn read(column: &ArrayRef) -> Self {
        let nulls = column.nulls().filter(|nulls| nulls.null_count() > 0).cloned();
        let mut too_large = Vec::new();
        macro_rules! widen {
            ($type:ty) => {
                column.as_primitive::<$type>().values().iter().map(|&v| i64::from(v)).collect()
            };
        }
        let values = match column.data_type() {
            DataType::Int8 => widen!(Int8Type),
            DataType::Int16 => widen!(Int16Type),
            DataType::Int32 => widen!(Int32Type),
            DataType::UInt8 => widen!(UInt8Type),
            DataType::UInt16 => widen!(UInt16Type),
            DataType::UInt32 => widen!(UInt32Type),
            DataType::UInt64 => {
                let values = column.as_primitive::<UInt64Type>().values().iter().enumerate();
                let fit = values.map(|(row, &value)| {
                    i64::try_from(value).unwrap_or_else(|_| {
                        too_large.push(row);
                        i64::MAX
                    })
                });
                fit.collect()
            }
            DataType::Timestamp(TimeUnit::Second, _) => {
                column.as_primitive::<TimestampSecondType>().values().clone()
            }
            DataType::Timestamp(TimeUnit::Millisecond, _) => {
                column.as_primitive::<TimestampMillisecondType>().values().clone()
            }
            DataType::Timestamp(TimeUnit::Microsecond, _) => {
                column.as_primitive::<TimestampMicrosecondType>().values().clone()
            }
            DataType::Timestamp(TimeUnit::Nanosecond, _) => {
                column.as_primitive::<TimestampNanosecondType>().values().clone()
            }
            _ => column.as_primitive::<Int64Type>().values().clone(),
        };
        Self { values, nulls, too_large }
    }
}

/// The unit that a time column counts in.
fn unit_of(data_type: &DataType, declared: Option<TimeUnit>) -> Result<TimeUnit> {
    match data_type {
        DataType::Timestamp(unit, _) => match declared {
            Some(declared) if declared != *unit => Err(Error::usage(format!(
                "the time column counts {unit:?}s, but {declared:?}s were declared"
            ))
            .advise("leave the unit away: a timestamp column has its own")),
            _ => Ok(*unit),
        },
        other if other.is_integer() => declared.ok_or_else(|| {
            Error::usage("the unit of the integer time column is missing")
                .advise("name it after the column: ts:s, ts:ms, ts:us or ts:ns")
        }),
        other => Err(Error::usage(format!("a column of type {other} is no event time"))
            .advise("use a timestamp, or an integer with its unit (ts:us)")),
    }
}
