//! A detector by name, with a state for each of many keys: what an engine's shard holds.
//!
//! Methods on one value keep their states side by side in one array ([`Keyed`]); methods on rows
//! of several values, whose state is large, hold one [`Stream`] a key, made when its first row
//! comes.

use super::stream::{WithMethod, with_method};
use super::{Detector, Keyed, Score, Stream, by_name};
use crate::error::Result;

/// The methods whose state is a forest: 10⁴ to 10⁶ bytes a key, so that whoever has many keys
/// must let some of them share a state.
pub const FORESTS: [&str; 3] = ["half-space-trees", "cut-forest", "isolation-forest"];

/// Rows after which [`state_bytes`] looks: windows are full by then. Of the slow methods, whose
/// windows are short, fewer: it takes some 50 ms at most.
const TYPICAL_ROWS: i64 = 16_384;
const TYPICAL_ROWS_SLOW: i64 = 512;
/// Methods that take more than 5 µs a row.
const SLOW: [&str; 6] =
    ["cut-forest", "isolation-forest", "nearest", "spot", "dspot", "change-point"];

/// A detector on rows of values, with a state for each key. Object-safe.
pub trait KeyedStream: Send {
    /// Scores a row of the key with dense id `key` at `time_us`, then learns from it. Missing
    /// values are NaN; a row of another length than the detector's is taken as missing.
    fn push(&mut self, key: u32, time_us: i64, row: &[f64]) -> Score;

    /// How much each value contributed to the latest score of `key`, as
    /// [`Stream::contributions`].
    fn contributions(&self, key: u32, into: &mut Vec<f64>);

    /// Tells the detector whether the latest flag of `key` was right.
    fn feedback(&mut self, key: u32, anomalous: bool);

    /// Bytes of all states.
    fn bytes(&self) -> usize;
}

impl<D: Detector<State: Send> + Send> KeyedStream for Keyed<D> {
    #[inline]
    fn push(&mut self, key: u32, time_us: i64, row: &[f64]) -> Score {
        match row {
            [value] => Keyed::push(self, key, time_us, *value),
            _ => Score::MISSING,
        }
    }

    fn contributions(&self, _key: u32, _into: &mut Vec<f64>) {}

    fn feedback(&mut self, key: u32, anomalous: bool) {
        Keyed::feedback(self, key, anomalous);
    }

    fn bytes(&self) -> usize {
        Keyed::bytes(self)
    }
}

/// One stream a key.
struct Streams {
    name: String,
    dimensions: usize,
    streams: Vec<Option<Box<dyn Stream>>>,
}

impl KeyedStream for Streams {
    fn push(&mut self, key: u32, time_us: i64, row: &[f64]) -> Score {
        let key = key as usize;
        if key >= self.streams.len() {
            self.streams.resize_with(key + 1, || None);
        }
        let stream = &mut self.streams[key];
        if stream.is_none() {
            // The name and the dimensions were tried when this was made.
            *stream = by_name(&self.name, self.dimensions).ok();
        }
        stream.as_mut().map_or(Score::MISSING, |stream| stream.push(time_us, row))
    }

    fn contributions(&self, key: u32, into: &mut Vec<f64>) {
        if let Some(Some(stream)) = self.streams.get(key as usize) {
            stream.contributions(into);
        }
    }

    fn feedback(&mut self, key: u32, anomalous: bool) {
        if let Some(Some(stream)) = self.streams.get_mut(key as usize) {
            stream.feedback(anomalous);
        }
    }

    fn bytes(&self) -> usize {
        let own = self.streams.capacity() * size_of::<Option<Box<dyn Stream>>>();
        own + self.streams.iter().flatten().map(|stream| stream.bytes()).sum::<usize>()
    }
}

struct IntoKeyed;

impl WithMethod for IntoKeyed {
    type Out = Box<dyn KeyedStream>;

    fn with<D>(self, method: D) -> Self::Out
    where
        D: Detector<State: Send> + Send + 'static,
    {
        Box::new(Keyed::new(method))
    }
}

/// The detector called `name` with its usual parameters, for rows of `dimensions` values of any
/// number of keys.
///
/// # Errors
/// As [`by_name`].
pub fn keyed_by_name(name: &str, dimensions: usize) -> Result<Box<dyn KeyedStream>> {
    by_name(name, dimensions)?;
    if dimensions == 1
        && let Some(keyed) = with_method(name, IntoKeyed)
    {
        return Ok(keyed);
    }
    Ok(Box::new(Streams { name: name.to_owned(), dimensions, streams: Vec::new() }))
}

/// Whether the detector can tell what each of several values contributed.
///
/// # Errors
/// As [`by_name`].
pub fn has_contributions(name: &str, dimensions: usize) -> Result<bool> {
    let mut parts = Vec::new();
    by_name(name, dimensions)?.contributions(&mut parts);
    Ok(dimensions > 1 && parts.len() == dimensions)
}

/// Bytes of one key's state, measured on a run of random rows.
///
/// # Errors
/// As [`by_name`].
pub fn state_bytes(name: &str, dimensions: usize) -> Result<usize> {
    let mut stream = by_name(name, dimensions)?;
    let mut random = super::random::Random::new(1);
    let mut row = vec![0.0; dimensions];
    let rows = if SLOW.contains(&name) { TYPICAL_ROWS_SLOW } else { TYPICAL_ROWS };
    for minute in 0..rows {
        row.fill_with(|| random.unit());
        stream.push(minute * 60_000_000, &row);
    }
    Ok(stream.bytes())
}
