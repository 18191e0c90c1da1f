//! The combination that needs no parameter: is the value new, in one of four contexts, and is
//! that rare for this series?
//!
//! ```text
//! x ─┬─ as it is ────────────────────────────▶ novelty, tail ──────────────┐
//!    ├─ minus its slow mean (drift) ─────────▶ novelty, tail ─ × ¾ ─┐      │
//!    ├─ minus the mean of its hour of week ──▶ novelty, tail ─ × ¾ ─┼─ max ┴─ onset ─ budget ─▶ score
//!    └─ minus the mean of its hour of day ───▶ novelty, tail ─ × ¾ ─┘
//!         (both only where they explain the series)
//! ```
//! 1. **Views.** Each is [`super::novelty`]'s distance to the nearest value ever seen, made
//!    −ln probability by [`super::tail`]'s peaks. The plain view finds what never happened; the
//!    others what never happened *here*: at this level, at this hour. Hours of the day and of
//!    the week are profiles learned from the times (UTC) of the rows; one counts only once it
//!    has seen each hour twice, and while its residuals are at least [`EXPLAINED`] smaller than
//!    the distances from the slow mean.
//! 2. **Combined** by the maximum. A context counts [`CONTEXT_WEIGHT`] of the plain view,
//!    because it is one of several looks.
//! 3. **Onset.** One incident is one score: a row scores only where it is stranger than all of
//!    the [`REFRACTORY_ROWS`] rows before it; a rise scores at each new height.
//! 4. **Budget.** A series that cries often must cry louder: ln(1 + past onsets nearly as
//!    strange) is taken off, which is what a rank among them costs. "Nearly": [`NEARLY`] of it.
//!
//! **Probability.** The score above is made for alarms: nearly always 0, and its flag is where the
//! benchmark wants it. How rare a row is, onset or not, is said by the probability: the largest
//! distance from anything seen, over the views and in units of the view's usual one, among the
//! series' own past distances ([`super::rarity`]). Of a series that goes on as it was, one row in a
//! hundred has a probability of at most 1 %, whatever its law.
//!
//! The raw score is what is left, in nats; 0 for nearly all rows. The constants are the same for
//! every series, were chosen on the public half of NAB and lie on a plateau: `docs/DETECTORS.md`
//! gives the score with thresholds from other categories, and how it moves with each constant.
//! Nothing depends on how long the series will be. Cf. the score with other parts (HTM's anomaly
//! likelihood: Ahmad et al., *Unsupervised real-time anomaly detection for streaming data*,
//! Neurocomputing 262, 2017).
//!
//! Labels: an onset that [`Detector::feedback`] calls wrong enters the budget eight times over,
//! one that is right leaves it.
//!
//! [`Rows`] runs it on each of several columns and adds up how correlated they are
//! ([`super::correlation`]); the largest evidence counts.

use std::collections::VecDeque;

use super::correlation::Correlation;
use super::novelty::View;
use super::rarity::{Rarity, Usual};
use super::stream::Stream;
use super::tail::Peaks;
use super::{Detector, Law, Memo, Score, is_usable};

/// What a view in context counts beside the plain one.
pub const CONTEXT_WEIGHT: f64 = 0.75;
/// Rows before an onset that must all be less strange.
pub const REFRACTORY_ROWS: u64 = 100;
/// Past onsets with at least this share of the evidence count against a new one.
pub const NEARLY: f64 = 0.85;
/// How much smaller a profile's residuals must be for it to count.
pub const EXPLAINED: f64 = 0.3;
/// Weight of the newest value in the slow mean.
const SLOW: f64 = 0.01;
/// Weight of the newest residual in what a profile explains.
const EXPLAINED_WEIGHT: f64 = 0.002;
/// Evidence below this is none.
const EVIDENCE_MIN: f64 = 0.2;
/// Onsets that are remembered.
const ONSETS_KEPT: usize = 128;
/// The default flag: the best threshold on the public half of NAB, standard profile.
const THRESHOLD: f64 = 2.7;
const HOUR_US: i64 = 3_600_000_000;

/// The mean of each hour of a day or week.
#[derive(Debug, Clone, PartialEq)]
struct Profile {
    /// Mean and number of the hours seen, by phase.
    hours: Vec<(f32, f32)>,
    /// Weight of the newest hour in its phase.
    alpha: f64,
    /// The hour that is being averaged, and its sum and count.
    current: Option<i64>,
    sum: f64,
    count: f64,
    /// Weighted means of |residual| and of |distance from the slow mean|, and how many.
    residual: f64,
    spread: f64,
    judged: u32,
}

impl Profile {
    fn new(hours: usize, alpha: f64) -> Self {
        Self {
            hours: vec![(0.0, 0.0); hours],
            alpha,
            current: None,
            sum: 0.0,
            count: 0.0,
            residual: 0.0,
            spread: 0.0,
            judged: 0,
        }
    }

    /// The distance of `value` from the mean of its hour in earlier days or weeks, and whether
    /// the profile explains the series so far; `None` before the hour was seen twice.
    fn residual(&mut self, time_us: i64, value: f64, distance: f64) -> Option<(f64, bool)> {
        let hour = time_us.div_euclid(HOUR_US);
        if self.current != Some(hour) {
            self.close();
            self.current = Some(hour);
        }
        self.sum += value;
        self.count += 1.0;
        let (mean, seen) = self.hours[self.phase(hour)];
        if seen < 2.0 {
            return None;
        }
        let residual = value - f64::from(mean);
        let explains = self.judged > 50 && self.residual <= (1.0 - EXPLAINED) * self.spread;
        self.judged = self.judged.saturating_add(1);
        let weight = EXPLAINED_WEIGHT.max(1.0 / f64::from(self.judged));
        self.residual += weight * (residual.abs() - self.residual);
        self.spread += weight * (distance.abs() - self.spread);
        Some((residual, explains))
    }

    fn phase(&self, hour: i64) -> usize {
        hour.rem_euclid(self.hours.len() as i64) as usize
    }

    /// The hour that was averaged enters the profile.
    fn close(&mut self) {
        if let Some(hour) = self.current {
            let phase = self.phase(hour);
            let (mean, seen) = &mut self.hours[phase];
            *seen += 1.0;
            let weight = self.alpha.max(1.0 / f64::from(*seen));
            *mean += (weight * (self.sum / self.count - f64::from(*mean))) as f32;
        }
        (self.sum, self.count) = (0.0, 0.0);
    }
}

/// Steps 3 and 4: onsets and what they cost.
#[derive(Debug, Clone, Default, PartialEq)]
struct Onsets {
    row: u64,
    /// Evidence of the last rows that no later one exceeds, with their rows: descending.
    recent: VecDeque<(u64, f64)>,
    /// Evidence of past onsets, the largest ones, ascending.
    past: Vec<f64>,
    /// The evidence of the latest row, where it is an onset.
    latest: Option<f64>,
}

impl Onsets {
    /// The score of a row's evidence.
    fn score(&mut self, evidence: f64) -> f64 {
        self.row += 1;
        self.latest = None;
        while self.recent.front().is_some_and(|(row, _)| self.row - row > REFRACTORY_ROWS) {
            self.recent.pop_front();
        }
        if evidence <= EVIDENCE_MIN {
            return 0.0;
        }
        let largest = self.recent.front().map_or(0.0, |(_, evidence)| *evidence);
        while self.recent.back().is_some_and(|(_, earlier)| *earlier <= evidence) {
            self.recent.pop_back();
        }
        self.recent.push_back((self.row, evidence));
        if evidence <= largest {
            return 0.0;
        }
        let alike = self.past.len() - self.past.partition_point(|e| *e < NEARLY * evidence);
        self.remember(evidence);
        self.latest = Some(evidence);
        (evidence - libm::log1p(alike as f64)).max(0.0)
    }

    fn remember(&mut self, evidence: f64) {
        let place = self.past.partition_point(|e| *e < evidence);
        self.past.insert(place, evidence);
        if self.past.len() > ONSETS_KEPT {
            self.past.remove(0);
        }
    }

    fn memo(&self) -> Option<Memo> {
        self.latest.map(|evidence| [evidence, 0.0])
    }

    fn feedback(&mut self, [evidence, _]: Memo, anomalous: bool) {
        if !anomalous {
            (0..7).for_each(|_| self.remember(evidence));
        } else if let Some(place) = self.past.iter().position(|e| *e == evidence) {
            self.past.remove(place);
        }
    }

    fn heap_bytes(&self) -> usize {
        self.recent.capacity() * size_of::<(u64, f64)>() + self.past.capacity() * size_of::<f64>()
    }
}

/// The combination. It has no parameter that a series would need; the flag's limit is there for
/// those who want more or fewer alerts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Auto {
    /// Raw scores of at least this are flagged.
    pub threshold: f64,
}

impl Default for Auto {
    fn default() -> Self {
        Self { threshold: THRESHOLD }
    }
}

/// What is remembered of a series.
#[derive(Debug, Clone, PartialEq)]
pub struct State {
    plain: View,
    drift: View,
    weekly: View,
    daily: View,
    mean: f64,
    slow_mean: f64,
    seen: u64,
    week: Profile,
    day: Profile,
    onsets: Onsets,
    /// Of the views' distances.
    usual: [Usual; 4],
    /// Of the rows, by the largest distance of the latest one.
    rarity: Rarity,
    distance: f64,
}

impl State {
    /// Steps 1 and 2: the evidence of a finite value.
    fn evidence(&mut self, time_us: i64, value: f64) -> f64 {
        self.seen += 1;
        let first_weights = 1.0 / self.seen as f64;
        if self.seen == 1 {
            self.mean = value;
        }
        let drift = value - self.mean;
        self.mean += SLOW.max(first_weights) * drift;
        self.slow_mean += EXPLAINED_WEIGHT.max(first_weights) * (value - self.slow_mean);
        let distance = value - self.slow_mean;

        let [usual, usual_drift, usual_week, usual_day] = &mut self.usual;
        let (plain, new) = self.plain.look(value);
        let (mut context, new_drift) = self.drift.look(drift);
        let mut farthest = CONTEXT_WEIGHT * usual_drift.ratio(new_drift);
        let profiles = [
            (&mut self.week, &mut self.weekly, usual_week),
            (&mut self.day, &mut self.daily, usual_day),
        ];
        for (profile, view, usual) in profiles {
            if let Some((residual, explains)) = profile.residual(time_us, value, distance) {
                let (evidence, new) = view.look(residual);
                let ratio = CONTEXT_WEIGHT * usual.ratio(new);
                if explains {
                    (context, farthest) = (context.max(evidence), farthest.max(ratio));
                }
            }
        }
        self.distance = farthest.max(usual.ratio(new));
        plain.max(CONTEXT_WEIGHT * context)
    }
}

impl Detector for Auto {
    type State = State;

    fn state(&self) -> State {
        State {
            plain: View::default(),
            drift: View::default(),
            weekly: View::default(),
            daily: View::default(),
            mean: 0.0,
            slow_mean: 0.0,
            seen: 0,
            week: Profile::new(168, 0.2),
            day: Profile::new(24, 0.1),
            onsets: Onsets::default(),
            usual: Default::default(),
            rarity: Rarity::default(),
            distance: 0.0,
        }
    }

    fn push(&self, state: &mut State, time_us: i64, value: f64) -> Score {
        if !is_usable(value) {
            return Score::MISSING;
        }
        let warming_up = state.plain.is_warming_up();
        let evidence = state.evidence(time_us, value);
        let raw = state.onsets.score(evidence);
        let probability = state.rarity.tail(state.distance);
        if warming_up {
            return Score::WARMING_UP;
        }
        Score::new(raw, Law::Known(probability), raw >= self.threshold)
    }

    fn bytes(&self, state: &State) -> usize {
        let views = [&state.plain, &state.drift, &state.weekly, &state.daily];
        let hours = state.week.hours.len() + state.day.hours.len();
        size_of::<State>()
            + views.iter().map(|view| view.heap_bytes()).sum::<usize>()
            + hours * size_of::<(f32, f32)>()
            + state.onsets.heap_bytes()
    }

    fn uses_labels(&self) -> bool {
        true
    }

    fn memo(&self, state: &State) -> Option<Memo> {
        state.onsets.memo()
    }

    fn feedback(&self, state: &mut State, memo: Memo, anomalous: bool) {
        state.onsets.feedback(memo, anomalous);
    }
}

/// The combination on rows of several values.
#[derive(Debug, Clone)]
pub struct Rows {
    method: Auto,
    columns: Vec<State>,
    together: Correlation,
    peaks: Peaks,
    onsets: Onsets,
    /// Each column's evidence in the latest row.
    latest: Vec<f64>,
    /// Of the statistic of all columns together.
    usual: Usual,
    rarity: Rarity,
}

impl Rows {
    /// For rows of `dimensions` values.
    #[must_use]
    pub fn new(dimensions: usize) -> Self {
        let method = Auto::default();
        Self {
            method,
            columns: (0..dimensions).map(|_| method.state()).collect(),
            together: Correlation::mahalanobis(dimensions),
            peaks: Peaks::default(),
            onsets: Onsets::default(),
            latest: vec![0.0; dimensions],
            usual: Usual::default(),
            rarity: Rarity::default(),
        }
    }
}

impl Stream for Rows {
    fn dimensions(&self) -> usize {
        self.columns.len()
    }

    fn push(&mut self, time_us: i64, row: &[f64]) -> Score {
        if row.len() != self.columns.len() || row.iter().all(|value| !is_usable(*value)) {
            return Score::MISSING;
        }
        let warming_up = self.columns.iter().all(|column| column.plain.is_warming_up());
        let mut farthest = 0.0_f64;
        for ((column, value), latest) in self.columns.iter_mut().zip(row).zip(&mut self.latest) {
            *latest = 0.0;
            if is_usable(*value) {
                *latest = column.evidence(time_us, *value);
                farthest = farthest.max(column.distance);
            }
        }
        let together = self.together.push(time_us, row);
        let mut evidence = self.latest.iter().copied().fold(0.0, f64::max);
        if together != Score::MISSING && !together.warming_up {
            evidence = evidence.max(CONTEXT_WEIGHT * self.peaks.evidence(together.raw));
            self.peaks.learn(together.raw);
            farthest = farthest.max(CONTEXT_WEIGHT * self.usual.ratio(together.raw));
        }
        let raw = self.onsets.score(evidence);
        let probability = self.rarity.tail(farthest);
        if warming_up {
            return Score::WARMING_UP;
        }
        Score::new(raw, Law::Known(probability), raw >= self.method.threshold)
    }

    fn bytes(&self) -> usize {
        let columns = self.columns.iter().map(|column| self.method.bytes(column)).sum::<usize>();
        size_of::<Self>() + columns + self.together.bytes() + self.onsets.heap_bytes()
    }

    fn contributions(&self, into: &mut Vec<f64>) {
        into.extend_from_slice(&self.latest);
    }

    fn uses_labels(&self) -> bool {
        true
    }

    fn memo(&self) -> Option<Memo> {
        self.onsets.memo()
    }

    fn feedback(&mut self, memo: Memo, anomalous: bool) {
        self.onsets.feedback(memo, anomalous);
    }
}
