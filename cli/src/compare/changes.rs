//! Two runs side by side: a merge of two sorted maps.

use std::collections::BTreeMap;
use std::path::Path;

use pelton::{Error, Result};
use serde::{Deserialize, Serialize};

use super::read::{Alert, Place, Run};

/// What one run found.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RunSummary {
    /// The file of alerts, with its folder.
    pub file: String,
    /// Its alerts.
    pub alerts: u64,
    /// Of them, those with a label.
    pub labelled: u64,
    /// Of them, those labelled as frauds.
    pub frauds: u64,
    /// `frauds / labelled`; `None` where no alert has a label.
    pub precision: Option<f64>,
    /// `frauds / frauds_in_all`; `None` where these are not known.
    pub recall: Option<f64>,
    /// Labelled frauds in the whole recording, where known.
    pub frauds_in_all: Option<u64>,
}

/// What became of the alerts with one reason.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ReasonCount {
    /// Alerts of the first run that have it.
    pub before: u64,
    /// Alerts of the second run.
    pub after: u64,
    /// Alerts that only the second run has.
    pub came: u64,
    /// Of them, labelled frauds.
    pub came_frauds: u64,
    /// Alerts that only the first run has.
    pub went: u64,
    /// Of them, labelled frauds.
    pub went_frauds: u64,
}

/// What happened to an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Only the second run has it.
    Came,
    /// Only the first run has it.
    Went,
    /// Both have it, with another score or other reasons.
    Changed,
}

/// One alert that is not the same in both runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// What happened.
    pub change: Kind,
    /// Where the row stands in the recording.
    pub partition: i64,
    /// Where the row stands in its partition.
    pub offset: i64,
    /// Event time, µs since 1970.
    pub ts: Option<i64>,
    /// Score in the first run.
    pub score_before: Option<f64>,
    /// Score in the second run.
    pub score_after: Option<f64>,
    /// Rules of the first run.
    pub reasons_before: Option<Vec<String>>,
    /// Rules of the second run.
    pub reasons_after: Option<Vec<String>>,
    /// The label.
    pub is_fraud: Option<bool>,
}

impl Change {
    fn new(change: Kind, place: Place, before: Option<&Alert>, after: Option<&Alert>) -> Self {
        let any = after.or(before);
        Self {
            change,
            partition: place.0,
            offset: place.1,
            ts: any.and_then(|alert| alert.time_us),
            score_before: before.and_then(|alert| alert.score),
            score_after: after.and_then(|alert| alert.score),
            reasons_before: before.map(|alert| alert.reasons.clone()),
            reasons_after: after.map(|alert| alert.reasons.clone()),
            is_fraud: any.and_then(|alert| alert.is_fraud),
        }
    }

    /// How far the score moved, where both runs have one.
    pub fn score_change(&self) -> Option<f64> {
        Some(self.score_after? - self.score_before?)
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// Never: it holds numbers and texts.
    pub fn line(&self) -> Result<String> {
        let line = serde_json::to_string(self)
            .map_err(|error| Error::run(format!("cannot write JSON: {error}")))?;
        Ok(line + "\n")
    }
}

/// Two runs.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Comparison {
    /// The first run.
    pub before: RunSummary,
    /// The second.
    pub after: RunSummary,
    /// Alerts that are the same in both.
    pub same: u64,
    /// Alerts that only the second run has.
    pub came: u64,
    /// Of them, labelled frauds.
    pub came_frauds: u64,
    /// Alerts that only the first run has.
    pub went: u64,
    /// Of them, labelled frauds.
    pub went_frauds: u64,
    /// Alerts of both with another score.
    pub score_changed: u64,
    /// Alerts of both with other reasons.
    pub reasons_changed: u64,
    /// Largest change of a score, by size.
    pub score_change_max: Option<f64>,
    /// Mean change of the scores that changed, by size.
    pub score_change_mean: Option<f64>,
    /// By rule; an alert with several counts for each.
    pub by_reason: BTreeMap<String, ReasonCount>,
    /// What makes the runs hard to compare.
    pub notes: Vec<String>,
    /// Every alert that is not the same, by its place. Not part of the summary as JSON.
    #[serde(skip)]
    pub changes: Vec<Change>,
}

impl Comparison {
    /// Compares two runs. `frauds_in_all` is what a file of labels says; scores that differ by
    /// no more than `tolerance` are the same.
    pub fn of(before: &Run, after: &Run, frauds_in_all: Option<u64>, tolerance: f64) -> Self {
        let mut comparison = Self {
            before: summary(before, frauds_in_all),
            after: summary(after, frauds_in_all),
            notes: notes(before, after, frauds_in_all),
            ..Self::default()
        };
        for alert in before.alerts.values() {
            comparison.count(alert, |count| count.before += 1);
        }
        for alert in after.alerts.values() {
            comparison.count(alert, |count| count.after += 1);
        }
        let mut places: Vec<Place> =
            before.alerts.keys().chain(after.alerts.keys()).copied().collect();
        places.sort_unstable();
        places.dedup();
        let mut moved = 0.0;
        for place in places {
            let (a, b) = (before.alerts.get(&place), after.alerts.get(&place));
            moved += comparison.add(place, a, b, tolerance);
        }
        if comparison.score_changed > 0 {
            comparison.score_change_mean = Some(moved / comparison.score_changed as f64);
        }
        comparison
    }

    /// Whether anything is not the same.
    pub fn differs(&self) -> bool {
        !self.changes.is_empty()
    }

    fn count(&mut self, alert: &Alert, add: impl Fn(&mut ReasonCount)) {
        for reason in &alert.reasons {
            add(self.by_reason.entry(reason.clone()).or_default());
        }
    }

    /// Adds what became of one place; how far its score moved.
    fn add(
        &mut self,
        place: Place,
        before: Option<&Alert>,
        after: Option<&Alert>,
        tolerance: f64,
    ) -> f64 {
        let is_fraud = |alert: &Alert| u64::from(alert.is_fraud == Some(true));
        let (a, b) = match (before, after) {
            (None, None) => return 0.0,
            (None, Some(alert)) => {
                self.came += 1;
                self.came_frauds += is_fraud(alert);
                self.count(alert, |count| {
                    count.came += 1;
                    count.came_frauds += is_fraud(alert);
                });
                self.changes.push(Change::new(Kind::Came, place, None, after));
                return 0.0;
            }
            (Some(alert), None) => {
                self.went += 1;
                self.went_frauds += is_fraud(alert);
                self.count(alert, |count| {
                    count.went += 1;
                    count.went_frauds += is_fraud(alert);
                });
                self.changes.push(Change::new(Kind::Went, place, before, None));
                return 0.0;
            }
            (Some(a), Some(b)) => (a, b),
        };
        let moved = match (a.score, b.score) {
            (Some(a), Some(b)) => (b - a).abs(),
            _ => 0.0,
        };
        let score_changed = moved > tolerance || a.score.is_some() != b.score.is_some();
        let reasons_changed = a.reasons != b.reasons;
        if !score_changed && !reasons_changed {
            self.same += 1;
            return 0.0;
        }
        self.score_changed += u64::from(score_changed);
        self.reasons_changed += u64::from(reasons_changed);
        self.changes.push(Change::new(Kind::Changed, place, before, after));
        if !score_changed {
            return 0.0;
        }
        let largest = self.score_change_max.unwrap_or(0.0);
        self.score_change_max = Some(largest.max(moved));
        moved
    }
}

fn summary(run: &Run, frauds_in_all: Option<u64>) -> RunSummary {
    let labels = || run.alerts.values().filter_map(|alert| alert.is_fraud);
    let (labelled, frauds) = (labels().count() as u64, labels().filter(|l| *l).count() as u64);
    let frauds_in_all = frauds_in_all.or_else(|| run.frauds_in_all());
    let ratio = |part: u64, of: u64| (of > 0).then(|| part as f64 / of as f64);
    RunSummary {
        file: short_name(&run.path),
        alerts: run.alerts.len() as u64,
        labelled,
        frauds,
        precision: ratio(frauds, labelled),
        recall: frauds_in_all.filter(|_| labelled > 0).and_then(|all| ratio(frauds, all)),
        frauds_in_all,
    }
}

/// The file and its folder: two runs mostly call their alerts alike.
fn short_name(path: &Path) -> String {
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    parts[parts.len().saturating_sub(2)..].join("/")
}

fn notes(before: &Run, after: &Run, frauds_in_all: Option<u64>) -> Vec<String> {
    let mut notes = Vec::new();
    if let (Some(a), Some(b)) = (&before.report, &after.report)
        && (a.rows_in, a.first_time_us, a.last_time_us)
            != (b.rows_in, b.first_time_us, b.last_time_us)
    {
        notes.push(format!(
            "the runs are not over the same rows: {} of {}, and {} of {}",
            a.rows_in, a.recording, b.rows_in, b.recording
        ));
    }
    for (run, which) in [(before, "first"), (after, "second")] {
        if run.report.as_ref().is_some_and(|report| report.interrupted) {
            notes.push(format!("the {which} run was interrupted"));
        }
    }
    let labelled = |run: &Run| run.alerts.values().any(|alert| alert.is_fraud.is_some());
    let unknown = |run: &Run| frauds_in_all.is_none() && run.frauds_in_all().is_none();
    if (labelled(before) || labelled(after)) && (unknown(before) || unknown(after)) {
        notes.push("recall needs the number of frauds in all: give --labels RECORDING".to_owned());
    }
    notes
}
