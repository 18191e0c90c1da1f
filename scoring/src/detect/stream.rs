//! Methods with their states: one series ([`Single`]), many keys ([`Keyed`]), or by name.

use super::batch::score_values;
use super::{Detector, KeyedRows, Memo, Score, Scores};
use crate::error::{Error, Result};

/// A detector with its state, on rows of one or several values. Object-safe: what a command line
/// or a plan holds.
pub trait Stream: Send {
    /// How many values a row has.
    fn dimensions(&self) -> usize;

    /// Scores a row of [`dimensions`](Self::dimensions) values (missing ones are NaN) at
    /// `time_us`, then learns from it. A row of another length is taken as missing.
    fn push(&mut self, time_us: i64, row: &[f64]) -> Score;

    /// Scores the rows that lie one after another in `rows` into `scores`, as
    /// [`push`](Self::push) would one by one; a method whose state is large does it faster.
    ///
    /// # Panics
    /// When there is not one time, one row and one score each.
    fn push_batch(&mut self, times_us: &[i64], rows: &[f64], scores: &mut [Score]) {
        let width = self.dimensions();
        assert!(times_us.len() == scores.len() && rows.len() == width * scores.len());
        for ((time_us, row), score) in times_us.iter().zip(rows.chunks_exact(width)).zip(scores) {
            *score = self.push(*time_us, row);
        }
    }

    /// Bytes of state.
    fn bytes(&self) -> usize;

    /// How much each value contributed to the latest score: appends one number a value, larger
    /// is more. Methods that can't tell append nothing.
    fn contributions(&self, _into: &mut Vec<f64>) {}

    /// Whether the method has a use for labels.
    fn uses_labels(&self) -> bool {
        false
    }

    /// What must be remembered of the latest row, as [`Detector::memo`].
    fn memo(&self) -> Option<Memo> {
        None
    }

    /// Tells the method whether the row that `memo` is of was an anomaly.
    fn feedback(&mut self, _memo: Memo, _anomalous: bool) {}
}

/// A method and the state of one series.
#[derive(Debug, Clone)]
pub struct Single<D: Detector> {
    method: D,
    state: D::State,
}

impl<D: Detector> Single<D> {
    /// A series that nothing is known of.
    pub fn new(method: D) -> Self {
        let state = method.state();
        Self { method, state }
    }

    /// Scores one value, then learns from it.
    pub fn push_value(&mut self, time_us: i64, value: f64) -> Score {
        self.method.push(&mut self.state, time_us, value)
    }
}

impl<D: Detector<State: Send> + Send> Stream for Single<D> {
    fn dimensions(&self) -> usize {
        1
    }

    fn push(&mut self, time_us: i64, row: &[f64]) -> Score {
        match row {
            [value] => self.push_value(time_us, *value),
            _ => Score::MISSING,
        }
    }

    fn bytes(&self) -> usize {
        self.method.bytes(&self.state)
    }

    fn uses_labels(&self) -> bool {
        self.method.uses_labels()
    }

    fn memo(&self) -> Option<Memo> {
        self.method.memo(&self.state)
    }

    fn feedback(&mut self, memo: Memo, anomalous: bool) {
        self.method.feedback(&mut self.state, memo, anomalous);
    }
}

/// A method and the states of many keys, side by side, addressed by dense ids.
#[derive(Debug, Clone)]
pub struct Keyed<D: Detector> {
    method: D,
    states: Vec<D::State>,
}

impl<D: Detector> Keyed<D> {
    /// No key yet.
    pub fn new(method: D) -> Self {
        Self { method, states: Vec::new() }
    }

    /// Scores one value of the key with dense id `key`; ids in between begin empty.
    #[inline]
    pub fn push(&mut self, key: u32, time_us: i64, value: f64) -> Score {
        let key = key as usize;
        if key >= self.states.len() {
            let method = &self.method;
            self.states.resize_with(key + 1, || method.state());
        }
        self.method.push(&mut self.states[key], time_us, value)
    }

    /// Appends the scores of rows of one value to `scores`, in order: what [`push`](Self::push)
    /// gives, faster.
    ///
    /// # Panics
    /// As [`score_values`].
    pub fn push_batch(&mut self, rows: KeyedRows<'_>, scores: &mut Scores) {
        let keys = rows.keys.iter().max().map_or(0, |key| *key as usize + 1);
        if keys > self.states.len() {
            let method = &self.method;
            self.states.resize_with(keys, || method.state());
        }
        score_values(&self.method, &mut self.states, rows, scores);
    }

    /// Whether the method has a use for labels.
    pub fn uses_labels(&self) -> bool {
        self.method.uses_labels()
    }

    /// What must be remembered of the latest row of `key`.
    pub fn memo(&self, key: u32) -> Option<Memo> {
        self.method.memo(self.states.get(key as usize)?)
    }

    /// Tells the method whether the row of `key` that `memo` is of was an anomaly.
    pub fn feedback(&mut self, key: u32, memo: Memo, anomalous: bool) {
        if let Some(state) = self.states.get_mut(key as usize) {
            self.method.feedback(state, memo, anomalous);
        }
    }

    /// Bytes of all states.
    pub fn bytes(&self) -> usize {
        self.states.iter().map(|state| self.method.bytes(state)).sum()
    }

    /// How many keys there are, with those between the ones seen.
    pub fn keys(&self) -> usize {
        self.states.len()
    }
}

/// The names that [`by_name`] knows, with what each is.
pub const METHODS: &[(&str, &str)] = &[
    ("auto", "the combination that needs no parameter"),
    ("windowed-gaussian", "distance from the mean of the last 6,400 values"),
    ("ewma", "residual of an exponentially weighted mean"),
    ("holt-winters", "residual of level, trend and season"),
    ("hampel", "distance from a rolling median, in median absolute deviations"),
    ("novelty", "distance to the nearest values seen before"),
    ("cusum", "cumulative sum, both sides"),
    ("page-hinkley", "cumulative sum against its extreme, both sides"),
    ("spot", "extreme-value threshold"),
    ("dspot", "extreme-value threshold on a drifting series"),
    ("control-chart", "Western Electric's and Nelson's rules"),
    ("signal", "constant or missing signal"),
    ("change-point", "Bayesian online change point"),
    ("half-space-trees", "mass in random half-spaces"),
    ("cut-forest", "robust random cut forest"),
    ("isolation-forest", "isolation forest over a sliding window"),
    ("nearest", "conformal distance to the nearest rows"),
    ("mahalanobis", "Hotelling's T² of all columns"),
    ("pca", "T² and Q of principal components"),
];

/// The detector called `name` with its usual parameters, for rows of `dimensions` values.
///
/// # Errors
/// A name that is none; no dimension; several for a method on one value.
pub fn by_name(name: &str, dimensions: usize) -> Result<Box<dyn Stream>> {
    if dimensions == 0 {
        return Err(Error::new("a detector needs a value").advise("name at least one column"));
    }
    if let Some(stream) = rows_by_name(name, dimensions) {
        return Ok(stream);
    }
    let Some(stream) = values_by_name(name) else {
        let names: Vec<&str> = METHODS.iter().map(|(name, _)| *name).collect();
        return Err(Error::new(format!("there is no detector {name:?}"))
            .advise(format!("one of {}", names.join(", "))));
    };
    if dimensions > 1 {
        return Err(Error::new(format!("{name} takes one value, not {dimensions}"))
            .advise("auto, half-space-trees, cut-forest, isolation-forest, nearest, mahalanobis and pca take several"));
    }
    Ok(stream)
}

fn rows_by_name(name: &str, dimensions: usize) -> Option<Box<dyn Stream>> {
    use super::{auto, correlation, cut_forest, half_space_trees, isolation_forest, nearest};
    Some(match name {
        "auto" if dimensions > 1 => Box::new(auto::Rows::new(dimensions)),
        "half-space-trees" => Box::new(half_space_trees::HalfSpaceTrees::new(dimensions)),
        "cut-forest" => Box::new(cut_forest::CutForest::new(dimensions)),
        "isolation-forest" => Box::new(isolation_forest::IsolationForest::new(dimensions)),
        "nearest" => Box::new(nearest::Nearest::new(dimensions)),
        "mahalanobis" => Box::new(correlation::Correlation::mahalanobis(dimensions)),
        "pca" => Box::new(correlation::Correlation::pca(dimensions)),
        _ => return None,
    })
}

fn values_by_name(name: &str) -> Option<Box<dyn Stream>> {
    with_method(name, IntoStream)
}

/// What is done with a method on one value, whatever its type.
pub(super) trait WithMethod {
    /// What comes of it.
    type Out;

    /// Does it.
    fn with<D>(self, method: D) -> Self::Out
    where
        D: Detector<State: Send> + Send + 'static;
}

struct IntoStream;

impl WithMethod for IntoStream {
    type Out = Box<dyn Stream>;

    fn with<D>(self, method: D) -> Self::Out
    where
        D: Detector<State: Send> + Send + 'static,
    {
        Box::new(Single::new(method))
    }
}

/// Finds the method on one value called `name`, with its usual parameters.
pub(super) fn with_method<W: WithMethod>(name: &str, what: W) -> Option<W::Out> {
    use super::*;
    Some(match name {
        "auto" => what.with(auto::Auto::default()),
        "windowed-gaussian" => what.with(windowed_gaussian::WindowedGaussian::default()),
        "ewma" => what.with(ewma::Ewma::default()),
        "holt-winters" => what.with(holt_winters::HoltWinters::<24>::default()),
        "hampel" => what.with(hampel::Hampel::default()),
        "novelty" => what.with(novelty::Novelty::default()),
        "cusum" => what.with(cusum::Cusum::default()),
        "page-hinkley" => what.with(page_hinkley::PageHinkley::default()),
        "spot" => what.with(spot::Spot::default()),
        "dspot" => what.with(spot::Spot::drifting()),
        "control-chart" => what.with(control_chart::ControlChart::default()),
        "signal" => what.with(signal::Signal::default()),
        "change-point" => what.with(change_point::ChangePoint::default()),
        _ => return None,
    })
}
