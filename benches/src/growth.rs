//! How windows grow: one parameter at a time, the others held, over columns in memory.
//!
//! Rows are counted per key in windows of event time; 400 rows come in each second of event time,
//! keys uniform. Each point is the fastest of some rounds on one core (but for the shards), pushed
//! in batches of 65,536 rows; what comes out is counted and held against its definition by the
//! number of rows.

use std::sync::Arc;
use std::time::Instant;

use arrow::array::{ArrayRef, Int64Array, RecordBatch, TimestampMillisecondArray};
use pelton::pipeline::{
    Aggregate, Options, Pipeline, Watermark, Window, count, hop, max, mean, min, sum, tumble,
};
use pelton::time::{millis, seconds};
use pelton::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::window::scrambled;

const BATCH_ROWS: usize = 65_536;
const ROWS_PER_S: usize = 400;

/// A measured point.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// The value of the parameter, in its unit.
    pub at: f64,
    /// Rows pushed.
    pub rows_in: u64,
    /// Rows given out.
    pub rows_out: u64,
    /// Rows pushed a second.
    pub rows_per_s: f64,
    /// Bytes of state at the end of the input.
    pub state_bytes: u64,
}

/// The points of one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Curve {
    /// The parameter.
    pub parameter: String,
    /// What is held.
    pub setting: String,
    /// The points, in the order of the parameter.
    pub points: Vec<Point>,
}

/// What one point runs.
#[derive(Debug, Clone)]
struct Setting {
    keys: u64,
    /// `None`: tumbling windows of a minute.
    slide_s: Option<i64>,
    /// Rows are up to so far behind.
    disorder_ms: i64,
    aggregates: usize,
    shards: usize,
}

const BASE: Setting =
    Setting { keys: 10_000, slide_s: None, disorder_ms: 0, aggregates: 2, shards: 1 };

/// Measures every curve, with so many rows a point.
///
/// # Errors
/// When a run fails, or gives out a wrong number of rows.
pub fn run(rows: usize, rounds: usize, mut seen: impl FnMut(&str, f64)) -> Result<Vec<Curve>> {
    let mut curve = |parameter: &str, setting: &str, points: Vec<(f64, Setting)>| {
        let measured = points.into_iter().map(|(at, setting)| {
            seen(parameter, at);
            measure(at, &setting, rows, rounds)
        });
        Ok::<_, Error>(Curve {
            parameter: parameter.to_owned(),
            setting: setting.to_owned(),
            points: measured.collect::<Result<Vec<_>>>()?,
        })
    };
    let keys = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];
    let keys = keys.map(|keys| (keys as f64, Setting { keys, ..BASE }));
    let slides = [60, 30, 10, 5, 2, 1];
    let slides =
        slides.map(|slide| (slide as f64, Setting { slide_s: Some(slide), keys: 1_000, ..BASE }));
    let disorders = [0, 1_000, 2_000, 10_000, 60_000];
    let disorders = disorders.map(|ms| (ms as f64 / 1e3, Setting { disorder_ms: ms, ..BASE }));
    let aggregates = [1, 2, 5, 10, 20];
    let aggregates = aggregates.map(|n| (n as f64, Setting { aggregates: n, ..BASE }));
    let shards = [1, 2].map(|n| (n as f64, Setting { shards: n, ..BASE }));
    Ok(vec![
        curve("keys", "tumbling, 60 s, count and sum", keys.to_vec())?,
        curve("slide (s)", "hopping, 60 s, count and sum, 1,000 keys", slides.to_vec())?,
        curve("disorder (s)", "tumbling, 60 s, count and sum, 10,000 keys", disorders.to_vec())?,
        curve("aggregates", "tumbling, 60 s, 10,000 keys", aggregates.to_vec())?,
        curve("shards", "tumbling, 60 s, count and sum, 10,000 keys", shards.to_vec())?,
    ])
}

fn measure(at: f64, setting: &Setting, rows: usize, rounds: usize) -> Result<Point> {
    let batches = columns(setting, rows)?;
    let Some(first) = batches.first() else { return Err(Error::usage("a bench of no rows")) };
    let mut point =
        Point { at, rows_in: rows as u64, rows_out: 0, rows_per_s: 0.0, state_bytes: 0 };
    for _ in 0..rounds.max(1) {
        let delay = millis(setting.disorder_ms);
        let pipeline = Pipeline::rows(first.schema())
            .event_time("ts", Watermark::bounded(delay).implausible_after(None))
            .key_by(["key"])
            .window(window(setting), aggregates(setting.aggregates));
        let begin = Instant::now();
        let mut live = pipeline.open(Options::default().shards(setting.shards))?;
        let mut rows_out = 0;
        for batch in &batches {
            live.push(batch.clone())?;
            while let Some(rows) = live.poll()? {
                rows_out += rows.len();
            }
        }
        let (last, summary) = live.close()?;
        rows_out += last.iter().map(pelton::batch::Batch::len).sum::<usize>();
        point.rows_per_s = point.rows_per_s.max(rows as f64 / begin.elapsed().as_secs_f64());
        (point.rows_out, point.state_bytes) = (rows_out as u64, summary.state.bytes);
    }
    let expected = expected_rows(&batches, setting);
    if point.rows_out != expected {
        return Err(Error::run(format!(
            "a wrong answer: {} rows at {at}, expected {expected}",
            point.rows_out
        )));
    }
    Ok(point)
}

fn window(setting: &Setting) -> Window {
    match setting.slide_s {
        Some(slide) => hop(seconds(60), seconds(slide)),
        None => tumble(seconds(60)),
    }
}

/// So many, each over a column of its own as long as there are any.
fn aggregates(count_of: usize) -> Vec<Aggregate> {
    let each = |at: usize| {
        let column = format!("value{}", at % 2);
        let aggregate = match at % 5 {
            0 => return count().named(&format!("count_{at}")),
            1 => sum(&column),
            2 => max(&column),
            3 => min(&column),
            _ => mean(&column),
        };
        aggregate.named(&format!("aggregate_{at}"))
    };
    (0..count_of).map(each).collect()
}

fn columns(setting: &Setting, rows: usize) -> Result<Vec<RecordBatch>> {
    let time = |row: usize| {
        let behind = match setting.disorder_ms {
            0 => 0,
            most => (scrambled(row ^ 0x5555) % (most as u64 + 1)) as i64,
        };
        (row * 1000 / ROWS_PER_S) as i64 - behind
    };
    let starts = (0..rows).step_by(BATCH_ROWS);
    starts
        .map(|from| {
            let range = || from..rows.min(from + BATCH_ROWS);
            let ints = |make: &dyn Fn(usize) -> i64| -> ArrayRef {
                Arc::new(Int64Array::from_iter_values(range().map(make)))
            };
            let times = TimestampMillisecondArray::from_iter_values(range().map(time));
            Ok(RecordBatch::try_from_iter([
                ("ts", Arc::new(times) as ArrayRef),
                ("key", ints(&|row| (scrambled(row) % setting.keys) as i64)),
                ("value0", ints(&|row| (scrambled(row) >> 40) as i64)),
                ("value1", ints(&|row| (scrambled(row) >> 50) as i64)),
            ])?)
        })
        .collect()
}

/// Distinct pairs of key and window.
fn expected_rows(batches: &[RecordBatch], setting: &Setting) -> u64 {
    use arrow::array::AsArray;
    use arrow::datatypes::{Int64Type, TimestampMillisecondType};
    let slide = setting.slide_s.unwrap_or(60) * 1000;
    let mut pairs: Vec<(i64, i64)> = Vec::new();
    for batch in batches {
        let times = batch.column(0).as_primitive::<TimestampMillisecondType>();
        let keys = batch.column(1).as_primitive::<Int64Type>();
        pairs.extend(keys.values().iter().copied().zip(times.values().iter().copied()));
    }
    pairs.iter_mut().for_each(|(_, time)| *time = time.div_euclid(slide));
    pairs.sort_unstable();
    pairs.dedup();
    // A pane of a key lies in so many windows; those that the pane before reaches as well are
    // counted once.
    let reach = 60_000 / slide;
    let mut total = 0;
    for (at, &(key, pane)) in pairs.iter().enumerate() {
        let before = at.checked_sub(1).map(|before| pairs[before]);
        let gap = before.filter(|(other, _)| *other == key).map_or(reach, |(_, p)| pane - p);
        total += gap.min(reach);
    }
    total as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_curve_answers_right() {
        let curves = run(20_000, 1, |_, _| {}).expect("right answers");
        assert_eq!(curves.len(), 5);
        assert!(curves.iter().flat_map(|curve| &curve.points).all(|p| p.rows_per_s > 0.0));
    }
}
