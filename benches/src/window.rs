//! Windows over columns that are already in memory: what the engine does without a decoder.
//!
//! Each case makes its columns from a fixed seed, pushes them through a pipeline on one core, and
//! holds what came out against a plain computation over all rows. The time is that of pushing and
//! polling; making columns and checking is not in it.
//!
//! | case | columns, bytes a row | window |
//! |---|---|---|
//! | `sliding` | time i64, key u32 of 500, value f64 (or i64): 20 | average of 60 s each second, 400 rows a second |
//! | `distinct` | time i64, key i64, value i64: 24 | count and sum of 60 s; every key once |
//! | `ysb` | time i64, event type u8, ad u32 of 1,000: 13 | filter a third, campaign of the ad by lookup (100), count of 10 s |
//! | `global` | time i64, value i64: 16 | least, greatest, sum of 1 s, 1 M rows a second |

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use arrow::array::{
    Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, StringArray,
    TimestampMillisecondArray, UInt8Array, UInt32Array,
};
use arrow::datatypes::{
    DataType, Float64Type, Int64Type, TimestampMillisecondType, UInt8Type, UInt32Type,
};
use pelton::expr::col;
use pelton::pipeline::{
    Lookup, Options, Pipeline, Watermark, count, hop, max, mean, min, sum, tumble,
};
use pelton::time::{Span, seconds};
use pelton::{Error, Result};
use serde::{Deserialize, Serialize};

/// Rows of a batch that is pushed.
const BATCH_ROWS: usize = 65_536;

/// One measured case.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CaseReport {
    /// Its name.
    pub case: String,
    /// Rows pushed.
    pub rows_in: u64,
    /// Rows given out.
    pub rows_out: u64,
    /// Bytes of the columns, a row.
    pub bytes_per_row: f64,
    /// Seconds of the fastest round.
    pub seconds: f64,
    /// Rows a second of the fastest round.
    pub rows_per_s: f64,
    /// Rows a second of the slowest round.
    pub rows_per_s_min: f64,
}

/// A case: columns, a plan, and what must come out.
struct Case {
    columns: fn(usize) -> Result<Vec<RecordBatch>>,
    plan: fn(Pipeline) -> Pipeline,
    check: fn(&[RecordBatch], &[RecordBatch]) -> Result<()>,
    rows: usize,
}

/// The names of the cases.
pub const CASES: [&str; 5] = ["ysb", "sliding", "sliding-integers", "distinct", "global"];

fn case(name: &str) -> Option<Case> {
    Some(match name {
        "ysb" => Case {
            columns: ysb_columns,
            plan: |pipeline| {
                pipeline
                    .filter(col("event_type").eq(0))
                    .lookup(Lookup::rows(campaigns()).on("ad"))
                    .key_by(["campaign"])
                    .window(tumble(seconds(10)), [count()])
            },
            check: check_ysb,
            rows: 32_000_000,
        },
        "sliding" => Case {
            columns: |rows| sliding_columns(rows, false),
            plan: |pipeline| {
                pipeline.key_by(["key"]).window(hop(seconds(60), seconds(1)), [mean("value")])
            },
            check: check_sliding,
            rows: 8_000_000,
        },
        "sliding-integers" => Case {
            columns: |rows| sliding_columns(rows, true),
            plan: |pipeline| {
                pipeline.key_by(["key"]).window(hop(seconds(60), seconds(1)), [mean("value")])
            },
            check: check_sliding,
            rows: 8_000_000,
        },
        "distinct" => Case {
            columns: distinct_columns,
            plan: |pipeline| {
                pipeline.key_by(["key"]).window(tumble(seconds(60)), [count(), sum("value")])
            },
            check: check_distinct,
            rows: 10_000_000,
        },
        "global" => Case {
            columns: global_columns,
            plan: |pipeline| {
                let all = [min("value"), max("value"), sum("value")];
                pipeline.window(tumble(seconds(1)), all)
            },
            check: check_global,
            rows: 32_000_000,
        },
        _ => return None,
    })
}

/// Whether there are cases of these names.
///
/// # Errors
/// When there is none of one of them.
pub fn check_names(names: &[&str]) -> Result<()> {
    names.iter().find(|name| case(name).is_none()).map_or(Ok(()), |name| Err(unknown(name)))
}

fn unknown(name: &str) -> Error {
    Error::usage(format!("there is no case \"{name}\""))
        .advise(format!("the cases are: {}", CASES.join(", ")))
}

/// Checks a case's answer, then measures it in so many rounds, each with a fresh pipeline.
///
/// # Errors
/// When there is no such case, a run fails, or its answer is wrong.
pub fn run(name: &str, rows: Option<usize>, rounds: usize) -> Result<CaseReport> {
    let case = case(name).ok_or_else(|| unknown(name))?;
    let batches = (case.columns)(rows.unwrap_or(case.rows))?;
    let Some(first) = batches.first() else { return Err(Error::usage("a bench of no rows")) };
    let mut seconds_of = Vec::new();
    let (mut given, mut rows_out) = (Vec::new(), 0);
    for round in 0..=rounds.max(1) {
        rows_out = 0;
        let pipeline = Pipeline::rows(first.schema())
            .event_time("ts", Watermark::bounded(Span::ZERO).implausible_after(None));
        let begin = Instant::now();
        let mut live = (case.plan)(pipeline).open(Options::default().shards(1))?;
        for batch in &batches {
            live.push(batch.clone())?;
            while let Some(rows) = live.poll()? {
                rows_out += rows.len();
                // Only the round that is checked keeps what came out, and it isn't timed.
                if round == 0 {
                    given.push(rows.rows);
                }
            }
        }
        let last = live.close()?.0.into_iter().map(|batch| batch.rows);
        if round == 0 {
            given.extend(last);
            (case.check)(&batches, &given)?;
            given = Vec::new();
        } else {
            rows_out += last.map(|rows| rows.num_rows()).sum::<usize>();
            seconds_of.push(begin.elapsed().as_secs_f64());
        }
    }
    let rows_in: usize = batches.iter().map(RecordBatch::num_rows).sum();
    let values = |batch: &RecordBatch| -> usize {
        batch
            .columns()
            .iter()
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum()
    };
    let seconds = seconds_of.iter().copied().fold(f64::INFINITY, f64::min);
    Ok(CaseReport {
        case: name.to_owned(),
        rows_in: rows_in as u64,
        rows_out: rows_out as u64,
        bytes_per_row: batches.iter().map(values).sum::<usize>() as f64 / rows_in as f64,
        seconds,
        rows_per_s: rows_in as f64 / seconds,
        rows_per_s_min: rows_in as f64 / seconds_of.iter().copied().fold(0.0, f64::max),
    })
}

/// Numbers without a pattern that a window could profit from.
pub(crate) fn scrambled(row: usize) -> u64 {
    // splitmix64 (Steele, Lea, Flood 2014).
    let mut bits = (row as u64).wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// Batches of the columns that `make` gives for a range of rows.
fn in_batches(
    rows: usize,
    make: impl Fn(std::ops::Range<usize>) -> Vec<(&'static str, ArrayRef)>,
) -> Result<Vec<RecordBatch>> {
    (0..rows.div_ceil(BATCH_ROWS))
        .map(|batch| {
            let from = batch * BATCH_ROWS;
            Ok(RecordBatch::try_from_iter(make(from..rows.min(from + BATCH_ROWS)))?)
        })
        .collect()
}

fn times(rows: std::ops::Range<usize>, rows_per_s: usize) -> ArrayRef {
    let millis = rows.map(|row| (row * 1000 / rows_per_s) as i64);
    Arc::new(TimestampMillisecondArray::from_iter_values(millis))
}

const ADS: u32 = 1_000;
const ADS_A_CAMPAIGN: u32 = 10;

/// Yahoo's streaming benchmark: one event of three is a view, and views are counted.
fn ysb_columns(rows: usize) -> Result<Vec<RecordBatch>> {
    in_batches(rows, |rows| {
        let kinds =
            UInt8Array::from_iter_values(rows.clone().map(|row| (scrambled(row) % 3) as u8));
        let ads = rows.clone().map(|row| (scrambled(row) >> 32) as u32 % ADS);
        let ads = Arc::new(UInt32Array::from_iter_values(ads));
        let times = times(rows, 1_000_000);
        vec![("ts", times), ("event_type", Arc::new(kinds) as ArrayRef), ("ad", ads)]
    })
}

fn campaigns() -> RecordBatch {
    let ads = UInt32Array::from_iter_values(0..ADS);
    let names = (0..ADS).map(|ad| format!("campaign {}", ad / ADS_A_CAMPAIGN));
    let names = StringArray::from_iter_values(names);
    RecordBatch::try_from_iter([
        ("ad", Arc::new(ads) as ArrayRef),
        ("campaign", Arc::new(names) as ArrayRef),
    ])
    .expect("two columns of one length")
}

fn check_ysb(input: &[RecordBatch], given: &[RecordBatch]) -> Result<()> {
    let mut want: HashMap<(i64, String), i64> = HashMap::new();
    for batch in input {
        let times = batch.column(0).as_primitive::<TimestampMillisecondType>();
        let kinds = batch.column(1).as_primitive::<UInt8Type>();
        let ads = batch.column(2).as_primitive::<UInt32Type>();
        for row in (0..batch.num_rows()).filter(|&row| kinds.value(row) == 0) {
            let campaign = format!("campaign {}", ads.value(row) / ADS_A_CAMPAIGN);
            *want.entry((times.value(row) / 10_000, campaign)).or_default() += 1;
        }
    }
    let mut got = HashMap::new();
    for batch in given {
        let starts = batch.column(0).as_primitive::<TimestampMillisecondType>();
        let campaigns = arrow::compute::cast(batch.column(2), &DataType::Utf8)?;
        let counts = batch.column(3).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let campaign = campaigns.as_string::<i32>().value(row).to_owned();
            got.insert((starts.value(row) / 10_000, campaign), counts.value(row));
        }
    }
    if got == want { Ok(()) } else { Err(wrong(format!("{} counts", got.len()))) }
}

const SLIDING_KEYS: u64 = 500;

fn sliding_columns(rows: usize, integers: bool) -> Result<Vec<RecordBatch>> {
    in_batches(rows, |rows| {
        let keys = rows.clone().map(|row| (scrambled(row) % SLIDING_KEYS) as u32);
        let values = rows.clone().map(|row| (scrambled(row) >> 40) as i64);
        let values: ArrayRef = if integers {
            Arc::new(Int64Array::from_iter_values(values))
        } else {
            Arc::new(Float64Array::from_iter_values(values.map(|value| value as f64 / 8.0)))
        };
        let keys = Arc::new(UInt32Array::from_iter_values(keys));
        vec![("ts", times(rows, 400)), ("key", keys as ArrayRef), ("value", values)]
    })
}

fn wrong(what: impl std::fmt::Display) -> Error {
    Error::run(format!("a wrong answer: {what}"))
}

/// Start (ms), key and mean of each row given out, against all rows of its window. The values are
/// such that every sum of them is exact.
fn check_sliding(input: &[RecordBatch], given: &[RecordBatch]) -> Result<()> {
    let mut panes: HashMap<i64, Vec<(f64, u32)>> = HashMap::new();
    for batch in input {
        let times = batch.column(0).as_primitive::<TimestampMillisecondType>();
        let keys = batch.column(1).as_primitive::<UInt32Type>();
        let values = arrow::compute::cast(batch.column(2), &DataType::Float64)?;
        let values = values.as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let pane = panes.entry(times.value(row).div_euclid(1000));
            let pane = pane.or_insert_with(|| vec![(0.0, 0); SLIDING_KEYS as usize]);
            let (sum, count) = &mut pane[keys.value(row) as usize];
            (*sum, *count) = (*sum + values.value(row), *count + 1);
        }
    }
    let mut totals = vec![(0.0, 0u32); SLIDING_KEYS as usize];
    let (mut at, mut seen) = (i64::MIN, 0);
    for batch in given {
        let starts = batch.column(0).as_primitive::<TimestampMillisecondType>();
        let keys = batch.column(2).as_primitive::<UInt32Type>();
        let means = batch.column(3).as_primitive::<Float64Type>();
        for row in 0..batch.num_rows() {
            let start = starts.value(row) / 1000;
            if start != at {
                at = start;
                totals.fill((0.0, 0));
                for pane in (start..start + 60).filter_map(|second| panes.get(&second)) {
                    for (total, (sum, count)) in totals.iter_mut().zip(pane) {
                        *total = (total.0 + sum, total.1 + count);
                    }
                }
                seen += totals.iter().filter(|(_, count)| *count > 0).count();
            }
            let (sum, count) = totals[keys.value(row) as usize];
            if means.value(row) != sum / f64::from(count) {
                return Err(wrong(format!("second {start}, key {}", keys.value(row))));
            }
        }
    }
    let rows: usize = given.iter().map(RecordBatch::num_rows).sum();
    let last = panes.keys().max().copied().unwrap_or(0);
    if rows != seen || at != last {
        return Err(wrong(format!("{rows} rows up to second {at}, expected {seen} up to {last}")));
    }
    Ok(())
}

fn distinct_columns(rows: usize) -> Result<Vec<RecordBatch>> {
    in_batches(rows, |rows| {
        let keys = Int64Array::from_iter_values(rows.clone().map(|row| scrambled(row) as i64));
        let values = Int64Array::from_iter_values(rows.clone().map(|row| row as i64));
        let times = times(rows, 1_000_000);
        vec![("ts", times), ("key", Arc::new(keys) as ArrayRef), ("value", Arc::new(values))]
    })
}

fn check_distinct(input: &[RecordBatch], given: &[RecordBatch]) -> Result<()> {
    let rows: usize = input.iter().map(RecordBatch::num_rows).sum();
    let mut seen = HashSet::with_capacity(rows);
    for batch in given {
        let keys = batch.column(2).as_primitive::<Int64Type>();
        let counts = batch.column(3).as_primitive::<Int64Type>();
        let sums = batch.column(4).as_primitive::<Int64Type>();
        for row in 0..batch.num_rows() {
            let of = sums.value(row) as usize;
            let own = counts.value(row) == 1 && keys.value(row) == scrambled(of) as i64;
            if !own || of >= rows || !seen.insert(of) {
                return Err(wrong(format!("key {}", keys.value(row))));
            }
        }
    }
    if seen.len() == rows { Ok(()) } else { Err(wrong(format!("{} keys", seen.len()))) }
}

fn global_columns(rows: usize) -> Result<Vec<RecordBatch>> {
    in_batches(rows, |rows| {
        let values = rows.clone().map(|row| (scrambled(row) >> 24) as i64 - (1 << 39));
        let values = Int64Array::from_iter_values(values);
        vec![("ts", times(rows, 1_000_000)), ("value", Arc::new(values) as ArrayRef)]
    })
}

fn check_global(input: &[RecordBatch], given: &[RecordBatch]) -> Result<()> {
    let mut want: Vec<(i64, i64, i64)> = Vec::new();
    for batch in input {
        let times = batch.column(0).as_primitive::<TimestampMillisecondType>();
        let values = batch.column(1).as_primitive::<Int64Type>();
        for (time, value) in times.values().iter().zip(values.values()) {
            let second = (time / 1000) as usize;
            want.resize(want.len().max(second + 1), (i64::MAX, i64::MIN, 0));
            let (least, greatest, sum) = want[second];
            want[second] = (least.min(*value), greatest.max(*value), sum + value);
        }
    }
    let mut got = Vec::new();
    for batch in given {
        let column = |at: usize| batch.column(at).as_primitive::<Int64Type>();
        let (least, greatest, sums) = (column(2), column(3), column(4));
        got.extend(
            (0..batch.num_rows())
                .map(|row| (least.value(row), greatest.value(row), sums.value(row))),
        );
    }
    if got == want { Ok(()) } else { Err(wrong(format!("{} windows", got.len()))) }
}
