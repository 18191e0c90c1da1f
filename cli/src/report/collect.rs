//! From rows and samples to the parts of a report, in memory that does not grow with the run.
//!
//! Three collectors, each for one kind of input:
//! [`RowCollector`] sees every decision (one a shard, merged at the end), [`Timeline`] sees the
//! counters a few times a second, [`latency`] reads an hdrhistogram.
//!
//! Bounds: scores fall into [`SCORE_BINS`] bins of equal width, alerts into hours of event time
//! (a year holds 8,760 of them, only those with alerts are kept), samples into at most
//! [`TIMELINE_POINTS`] points (two neighbours become one when there are more).

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use super::{
    ALL_KINDS, AlertsBucket, FraudReport, LatencyBucket, LatencyUs, NO_KIND, PrecisionRecall,
    Quality, RuleCount, TimelinePoint,
};

/// Bins of the score for the precision-recall curve: a step of 0.001 on a score from 0 to 1.
pub const SCORE_BINS: usize = 1_000;

/// Most points that a timeline holds.
pub const TIMELINE_POINTS: usize = 400;

/// Most buckets that "alerts over event time" shows: as many bars as one can tell apart.
pub const ALERT_BUCKETS: usize = 90;

const HOUR_US: i64 = 3_600_000_000;

/// What a label says about a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    /// The recording has no labels, or this row has none.
    Unknown,
    /// No fraud.
    Honest,
    /// Fraud of the kind with this index.
    Fraud(u8),
}

/// What is known of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AlertMark {
    /// Bit `i` is set where rule `i` fired; 0: the score alone.
    pub rules: u64,
    /// The kind that the first rule which fired looks for.
    pub aimed_at: Option<u8>,
}

/// One decision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScoredRow {
    /// Event time in µs.
    pub time_us: i64,
    /// The score, from 0 to 1; what lies outside, or is no number, counts at the nearer end.
    pub score: f64,
    /// What the label says.
    pub label: Label,
    /// The alert, if the row raised one.
    pub alert: Option<AlertMark>,
}

/// Counts decisions.
#[derive(Debug, Clone)]
pub struct RowCollector {
    // Set once.
    kinds: Vec<String>,
    rules: Vec<String>,
    // Changes with each row.
    rows: u64,
    labelled_rows: u64,
    alerts: u64,
    /// The earliest and the latest time, where there is a row.
    time_us: (i64, i64),
    by_kind: Vec<KindCount>,
    by_rule: Vec<RuleCount>,
    honest_scores: Vec<u64>,
    fraud_scores: Vec<u64>,
    alerts_by_hour: BTreeMap<i64, Vec<u64>>,
}

#[derive(Debug, Clone, Copy, Default)]
struct KindCount {
    labelled: u64,
    found: u64,
    false_alerts: u64,
}

impl RowCollector {
    /// A collector for these kinds of fraud and these rules (64 at most).
    ///
    /// # Contract
    /// Asserts at most 255 kinds and 64 rules: they are named by the pipeline, not by a user.
    pub fn new(kinds: &[&str], rules: &[&str]) -> Self {
        assert!(kinds.len() <= 255 && rules.len() <= 64, "too many kinds or rules");
        Self {
            kinds: kinds.iter().map(|&kind| kind.to_owned()).collect(),
            rules: rules.iter().map(|&rule| rule.to_owned()).collect(),
            rows: 0,
            labelled_rows: 0,
            alerts: 0,
            time_us: (i64::MAX, i64::MIN),
            by_kind: vec![KindCount::default(); kinds.len()],
            by_rule: vec![RuleCount::default(); rules.len()],
            honest_scores: vec![0; SCORE_BINS + 1],
            fraud_scores: vec![0; SCORE_BINS + 1],
            alerts_by_hour: BTreeMap::new(),
        }
    }

    /// Counts one decision.
    ///
    /// # Contract
    /// Kind and rule indices lie within the names given to [`RowCollector::new`]; a kind beyond
    /// them panics.
    #[inline]
    pub fn row(&mut self, row: ScoredRow) {
        self.rows += 1;
        let (first, last) = self.time_us;
        self.time_us = (first.min(row.time_us), last.max(row.time_us));
        // NaN and what is below 0 become 0 in the cast.
        let bin = ((row.score * SCORE_BINS as f64) as u32 as usize).min(SCORE_BINS);
        match row.label {
            Label::Unknown => {}
            Label::Honest => {
                self.labelled_rows += 1;
                self.honest_scores[bin] += 1;
            }
            Label::Fraud(kind) => {
                self.labelled_rows += 1;
                self.fraud_scores[bin] += 1;
                self.by_kind[usize::from(kind)].labelled += 1;
            }
        }
        if let Some(alert) = row.alert {
            self.alert(row.time_us, row.label, alert);
        }
    }

    fn alert(&mut self, time_us: i64, label: Label, alert: AlertMark) {
        self.alerts += 1;
        let is_fraud = matches!(label, Label::Fraud(_));
        for (i, rule) in self.by_rule.iter_mut().enumerate() {
            if alert.rules >> i & 1 == 1 {
                rule.alerts += 1;
                rule.hits += u64::from(is_fraud);
            }
        }
        // The slot after the kinds is NO_KIND. Without labels the rule's own kind is all there is.
        let slot = match (label, alert.aimed_at) {
            (Label::Fraud(kind), _) => {
                self.by_kind[usize::from(kind)].found += 1;
                usize::from(kind)
            }
            (Label::Honest, aimed_at) => {
                if let Some(kind) = aimed_at {
                    self.by_kind[usize::from(kind)].false_alerts += 1;
                }
                self.kinds.len()
            }
            (Label::Unknown, Some(kind)) => usize::from(kind),
            (Label::Unknown, None) => self.kinds.len(),
        };
        let hour = time_us.div_euclid(HOUR_US);
        let slots = self.kinds.len() + 1;
        self.alerts_by_hour.entry(hour).or_insert_with(|| vec![0; slots])[slot] += 1;
    }

    /// Adds what another collector (of the same kinds and rules) has counted.
    pub fn merge(&mut self, other: &Self) {
        debug_assert!(self.kinds == other.kinds && self.rules == other.rules);
        self.rows += other.rows;
        self.labelled_rows += other.labelled_rows;
        self.alerts += other.alerts;
        let ((first, last), (others_first, others_last)) = (self.time_us, other.time_us);
        self.time_us = (first.min(others_first), last.max(others_last));
        for (a, b) in self.by_kind.iter_mut().zip(&other.by_kind) {
            a.labelled += b.labelled;
            a.found += b.found;
            a.false_alerts += b.false_alerts;
        }
        for (a, b) in self.by_rule.iter_mut().zip(&other.by_rule) {
            a.alerts += b.alerts;
            a.hits += b.hits;
        }
        add(&mut self.honest_scores, &other.honest_scores);
        add(&mut self.fraud_scores, &other.fraud_scores);
        for (hour, counts) in &other.alerts_by_hour {
            let mine = self.alerts_by_hour.entry(*hour).or_insert_with(|| vec![0; counts.len()]);
            add(mine, counts);
        }
    }

    /// Writes what was counted into a report: `rows_scored`, `alerts`, the event times,
    /// `quality`, `rules`, `precision_recall` and `alerts_over_time`.
    pub fn finish(&self, report: &mut FraudReport) {
        report.rows_scored = self.rows;
        report.alerts = self.alerts;
        report.first_time_us = (self.rows > 0).then_some(self.time_us.0);
        report.last_time_us = (self.rows > 0).then_some(self.time_us.1);
        report.rules = self.rules.iter().cloned().zip(self.by_rule.iter().copied()).collect();
        report.quality = self.quality();
        report.precision_recall = self.precision_recall();
        (report.alerts_bucket_us, report.alerts_over_time) = self.alerts_over_time();
    }

    fn quality(&self) -> BTreeMap<String, Quality> {
        if self.labelled_rows == 0 {
            return BTreeMap::new();
        }
        let mut labelled = 0;
        let mut found = 0;
        let mut quality = BTreeMap::new();
        for (kind, count) in self.kinds.iter().zip(&self.by_kind) {
            labelled += count.labelled;
            found += count.found;
            let alerts = count.found + count.false_alerts;
            quality.insert(kind.clone(), Quality::new(count.labelled, count.found, alerts));
        }
        quality.insert(ALL_KINDS.into(), Quality::new(labelled, found, self.alerts));
        quality
    }

    fn precision_recall(&self) -> Vec<PrecisionRecall> {
        let frauds: u64 = self.fraud_scores.iter().sum();
        if frauds == 0 {
            return Vec::new();
        }
        let mut points = Vec::new();
        let (mut caught, mut raised) = (0u64, 0u64);
        for bin in (0..=SCORE_BINS).rev() {
            let here = self.fraud_scores[bin] + self.honest_scores[bin];
            if here == 0 {
                continue;
            }
            caught += self.fraud_scores[bin];
            raised += here;
            points.push(PrecisionRecall {
                threshold: bin as f64 / SCORE_BINS as f64,
                precision: caught as f64 / raised as f64,
                recall: caught as f64 / frauds as f64,
            });
        }
        points.reverse();
        points
    }

    fn alerts_over_time(&self) -> (i64, Vec<AlertsBucket>) {
        let (Some(first), Some(last)) =
            (self.alerts_by_hour.keys().next(), self.alerts_by_hour.keys().next_back())
        else {
            return (HOUR_US, Vec::new());
        };
        let hours = bucket_hours(*first, *last);
        let mut buckets: BTreeMap<i64, Vec<u64>> = BTreeMap::new();
        for (hour, counts) in &self.alerts_by_hour {
            let bucket =
                buckets.entry(hour.div_euclid(hours)).or_insert_with(|| vec![0; counts.len()]);
            add(bucket, counts);
        }
        let names: Vec<&str> =
            self.kinds.iter().map(String::as_str).chain(std::iter::once(NO_KIND)).collect();
        let bucket = |(bucket, counts): (i64, Vec<u64>)| AlertsBucket {
            bucket_start_us: bucket.saturating_mul(hours).saturating_mul(HOUR_US),
            counts: names
                .iter()
                .zip(counts)
                .filter(|(_, count)| *count > 0)
                .map(|(name, count)| ((*name).to_owned(), count))
                .collect(),
        };
        (hours.saturating_mul(HOUR_US), buckets.into_iter().map(bucket).collect())
    }
}

fn add(to: &mut [u64], from: &[u64]) {
    for (a, b) in to.iter_mut().zip(from) {
        *a += b;
    }
}

/// The smallest width that people count in and that shows the span in few enough buckets.
fn bucket_hours(first: i64, last: i64) -> i64 {
    const WIDTHS: [i64; 10] = [1, 2, 3, 6, 12, 24, 48, 168, 336, 672];
    let fits = |hours: &i64| {
        (last.div_euclid(*hours) - first.div_euclid(*hours)).unsigned_abs() < ALERT_BUCKETS as u64
    };
    WIDTHS.into_iter().find(fits).unwrap_or_else(|| {
        let span = last.saturating_sub(first).saturating_add(1);
        (span / (ALERT_BUCKETS as i64 - 1) + 1).max(1)
    })
}

/// Samples a run's counters into a bounded number of points.
#[derive(Debug, Clone)]
pub struct Timeline {
    points: Vec<Sample>,
    open: Sample,
    last_rows: u64,
    last_s: f64,
    step_s: f64,
}

/// Rows and seconds of a stretch of the run, and the largest lag within it.
#[derive(Debug, Clone, Copy, Default)]
struct Sample {
    end_s: f64,
    length_s: f64,
    rows: u64,
    lag_ms: f64,
}

impl Timeline {
    /// A timeline with a first step of 20 ms.
    pub fn new() -> Self {
        Self {
            points: Vec::with_capacity(TIMELINE_POINTS),
            open: Sample::default(),
            last_rows: 0,
            last_s: 0.0,
            step_s: 0.02,
        }
    }

    /// Takes a sample: seconds since the start, rows so far, and the event time between the
    /// newest row and the watermark. Call it as often as is handy (once a batch).
    pub fn sample(&mut self, wall_s: f64, rows: u64, lag_ms: f64) {
        self.open.length_s += (wall_s - self.last_s).max(0.0);
        self.open.rows += rows.saturating_sub(self.last_rows);
        self.open.lag_ms = self.open.lag_ms.max(lag_ms);
        self.open.end_s = wall_s;
        self.last_s = wall_s;
        self.last_rows = rows;
        if self.open.length_s >= self.step_s {
            self.close();
        }
    }

    fn close(&mut self) {
        self.points.push(std::mem::take(&mut self.open));
        if self.points.len() < TIMELINE_POINTS {
            return;
        }
        let pair = |pair: &[Sample]| Sample {
            end_s: pair[pair.len() - 1].end_s,
            length_s: pair.iter().map(|s| s.length_s).sum(),
            rows: pair.iter().map(|s| s.rows).sum(),
            lag_ms: pair.iter().map(|s| s.lag_ms).fold(0.0, f64::max),
        };
        self.points = self.points.chunks(2).map(pair).collect();
        self.step_s *= 2.0;
    }

    /// The points. A last stretch shorter than half a step would show a rate of chance: it
    /// joins the point before it.
    pub fn finish(mut self) -> Vec<TimelinePoint> {
        if self.open.length_s > 0.0 {
            match self.points.last_mut() {
                Some(last) if self.open.length_s < self.step_s / 2.0 => {
                    last.end_s = self.open.end_s;
                    last.length_s += self.open.length_s;
                    last.rows += self.open.rows;
                    last.lag_ms = last.lag_ms.max(self.open.lag_ms);
                }
                _ => self.points.push(self.open),
            }
        }
        let point = |s: &Sample| TimelinePoint {
            wall_s: s.end_s,
            rows_per_s: s.rows as f64 / s.length_s,
            watermark_lag_ms: s.lag_ms,
        };
        self.points.iter().map(point).collect()
    }
}

impl Default for Timeline {
    fn default() -> Self {
        Self::new()
    }
}

/// Percentiles and log buckets (ten a decade) of latencies recorded in ns.
pub fn latency(histogram_ns: &Histogram<u64>) -> (LatencyUs, Vec<LatencyBucket>) {
    if histogram_ns.is_empty() {
        return (LatencyUs::default(), Vec::new());
    }
    let at = |quantile: f64| histogram_ns.value_at_quantile(quantile) as f64 / 1e3;
    let percentiles = LatencyUs {
        p50: at(0.5),
        p90: at(0.9),
        p99: at(0.99),
        p999: at(0.999),
        p9999: at(0.9999),
        max: histogram_ns.max() as f64 / 1e3,
    };
    // Bucket edges in ns, from 1 ns to 1,000 s; decimal text to f64 is exact everywhere.
    let edge_us = |step: usize| {
        DECADE[step % 10]
            * [1e-3, 1e-2, 0.1, 1.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9][step / 10]
    };
    let mut counts = [0u64; 120];
    for value in histogram_ns.iter_recorded() {
        let us = value.value_iterated_to() as f64 / 1e3;
        let after = (0..counts.len()).find(|step| edge_us(step + 1) > us);
        counts[after.unwrap_or(counts.len() - 1)] += value.count_since_last_iteration();
    }
    let bucket = |(step, count): (usize, &u64)| LatencyBucket {
        us: edge_us(step),
        us_to: edge_us(step + 1),
        count: *count,
    };
    let buckets = counts.iter().enumerate().filter(|(_, count)| **count > 0).map(bucket).collect();
    (percentiles, buckets)
}

/// Ten edges of equal ratio in a decade (the R10 series of preferred numbers).
const DECADE: [f64; 10] = [1.0, 1.25, 1.6, 2.0, 2.5, 3.15, 4.0, 5.0, 6.3, 8.0];

#[cfg(test)]
mod tests;
