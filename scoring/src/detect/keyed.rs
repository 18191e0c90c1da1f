//! A detector by name, with a state for each of many keys: what an engine's shard holds.
//!
//! Methods on one value keep their states side by side in one array ([`Keyed`]); methods on rows
//! of several values, whose state is large, hold one [`Stream`] a key, made when its first row
//! comes.

use super::stream::{WithMethod, with_method};
use super::{Detector, Keyed, KeyedRows, Memo, Score, Scores, Stream, by_name, is_usable};
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

    /// Appends the scores of rows to `scores` (which are empty), in order: what
    /// [`push`](Self::push) gives, faster. Where `scores` have columns for contributions, those
    /// are filled as well.
    ///
    /// # Panics
    /// When the slices have different lengths.
    fn push_batch(&mut self, rows: KeyedRows<'_>, scores: &mut Scores);

    /// How much each value contributed to the latest score of `key`, as
    /// [`Stream::contributions`].
    fn contributions(&self, key: u32, into: &mut Vec<f64>);

    /// What must be remembered of the latest row of `key`, as [`Detector::memo`].
    fn memo(&self, key: u32) -> Option<Memo>;

    /// Tells the detector whether the row of `key` that `memo` is of was an anomaly.
    fn feedback(&mut self, key: u32, memo: Memo, anomalous: bool);

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

    fn push_batch(&mut self, rows: KeyedRows<'_>, scores: &mut Scores) {
        Keyed::push_batch(self, rows, scores);
    }

    fn contributions(&self, _key: u32, _into: &mut Vec<f64>) {}

    fn memo(&self, key: u32) -> Option<Memo> {
        Keyed::memo(self, key)
    }

    fn feedback(&mut self, key: u32, memo: Memo, anomalous: bool) {
        Keyed::feedback(self, key, memo, anomalous);
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
    // Buffers: rows of one key that follow each other, and their scores.
    rows: Vec<f64>,
    scores: Vec<Score>,
    parts: Vec<f64>,
}

impl Streams {
    fn stream(&mut self, key: u32) -> Option<&mut Box<dyn Stream>> {
        let key = key as usize;
        if key >= self.streams.len() {
            self.streams.resize_with(key + 1, || None);
        }
        let stream = &mut self.streams[key];
        if stream.is_none() {
            // The name and the dimensions were tried when this was made.
            *stream = by_name(&self.name, self.dimensions).ok();
        }
        stream.as_mut()
    }

    /// The rows from `from` to `to`, all of one key.
    fn push_run(&mut self, rows: KeyedRows<'_>, from: usize, to: usize, into: &mut Scores) {
        let mut values = std::mem::take(&mut self.rows);
        let mut scores = std::mem::take(&mut self.scores);
        values.clear();
        for row in from..to {
            values.extend(rows.columns.iter().map(|column| column[row]));
        }
        scores.clear();
        scores.resize(to - from, Score::MISSING);
        if let Some(stream) = self.stream(rows.keys[from]) {
            stream.push_batch(&rows.times_us[from..to], &values, &mut scores);
        }
        for (row, score) in values.chunks_exact(self.dimensions).zip(&scores) {
            into.push(score, row.iter().all(|value| is_usable(*value)));
        }
        (self.rows, self.scores) = (values, scores);
    }

    fn contribute(&mut self, key: u32, into: &mut Scores) {
        let mut parts = std::mem::take(&mut self.parts);
        parts.clear();
        self.contributions(key, &mut parts);
        parts.resize(self.dimensions, 0.0);
        for (column, part) in into.contributions.iter_mut().zip(&parts) {
            column.push(*part);
        }
        self.parts = parts;
    }
}

impl KeyedStream for Streams {
    fn push(&mut self, key: u32, time_us: i64, row: &[f64]) -> Score {
        self.stream(key).map_or(Score::MISSING, |stream| stream.push(time_us, row))
    }

    /// Rows of a key that follow each other go to its stream together.
    fn push_batch(&mut self, rows: KeyedRows<'_>, scores: &mut Scores) {
        rows.check();
        assert_eq!(rows.columns.len(), self.dimensions, "a column a dimension");
        let explains = !scores.contributions.is_empty();
        let mut from = 0;
        while from < rows.len() {
            let key = rows.keys[from];
            let alike = rows.keys[from..].iter().take_while(|other| **other == key).count();
            // What the latest row's contributions are must be asked after each row.
            let to = if explains { from + 1 } else { from + alike };
            self.push_run(rows, from, to, scores);
            if explains {
                self.contribute(key, scores);
            }
            from = to;
        }
    }

    fn contributions(&self, key: u32, into: &mut Vec<f64>) {
        if let Some(Some(stream)) = self.streams.get(key as usize) {
            stream.contributions(into);
        }
    }

    fn memo(&self, key: u32) -> Option<Memo> {
        self.streams.get(key as usize)?.as_ref()?.memo()
    }

    fn feedback(&mut self, key: u32, memo: Memo, anomalous: bool) {
        if let Some(Some(stream)) = self.streams.get_mut(key as usize) {
            stream.feedback(memo, anomalous);
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
    Ok(Box::new(Streams {
        name: name.to_owned(),
        dimensions,
        streams: Vec::new(),
        rows: Vec::new(),
        scores: Vec::new(),
        parts: Vec::new(),
    }))
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

/// Whether the detector has a use for labels: it can be told which rows were anomalies.
///
/// # Errors
/// As [`by_name`].
pub fn uses_labels(name: &str, dimensions: usize) -> Result<bool> {
    Ok(by_name(name, dimensions)?.uses_labels())
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
