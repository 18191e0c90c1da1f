//! The account of a run: as JSON, and in a few lines for people.

use serde::{Deserialize, Serialize};

use super::incidents::Alert;
use super::labels::Labels;
use super::watch::Found;
use crate::args::DetectArgs;
use crate::report::format::{Utc, percent, short, significant, thousands};
use crate::terminal::{Paint, printable};
use crate::window::WindowReport;

/// Alerts that the terminal shows.
const ALERTS_SHOWN: usize = 8;

/// The account of a run. Field names are a public format: add, don't rename.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DetectReport {
    /// What became of every row.
    #[serde(flatten)]
    pub run: WindowReport,
    /// The detector.
    pub detector: String,
    /// The watched columns.
    pub values: Vec<String>,
    /// The key columns.
    pub key: Vec<String>,
    /// How far out of order rows might be.
    pub delay: String,
    /// Rows that the detector flagged.
    pub flagged: u64,
    /// Rows that it did not judge, having seen too little of their key.
    pub warming_up: u64,
    /// Rows without an observation.
    pub missing: u64,
    /// Incidents: rows over the level, those near each other together.
    pub incidents: u64,
    /// Those that alerted; the others fell into a cool-down, or the budget was spent.
    pub alerts: u64,
    /// How flags and alerts agree with labels.
    pub labels: Option<LabelReport>,
}

/// How flags and alerts agree with labels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LabelReport {
    /// Rows with a label, true or false.
    pub rows: u64,
    /// Rows labelled true.
    pub rows_labelled: u64,
    /// Flags by row.
    pub by_row: Quality,
    /// Flagged among the rows labelled false, in percent.
    pub false_alarm_percent: f64,
    /// Not flagged among the rows labelled true, in percent.
    pub missed_alarm_percent: f64,
    /// Runs of labelled rows of a key.
    pub windows: u64,
    /// Those with a flagged row.
    pub windows_flagged: u64,
    /// Those with a row of an incident that alerted.
    pub windows_alerted: u64,
    /// Alerts with a labelled row.
    pub alerts_right: u64,
    /// Alerts by window: precision is the share of alerts that are right, recall that of windows
    /// that were alerted.
    pub by_window: Quality,
}

/// Precision, recall and their harmonic mean, from 0 to 1; none where nothing is divided.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Quality {
    /// Right ones among those found.
    pub precision: Option<f64>,
    /// Found ones among those that are there.
    pub recall: Option<f64>,
    /// 2 · precision · recall / (precision + recall).
    pub f1: Option<f64>,
}

impl Quality {
    /// From the right among the found, and the found among those there.
    fn new((right, found): (u64, u64), (hit, there): (u64, u64)) -> Self {
        let share = |part: u64, whole: u64| (whole > 0).then(|| part as f64 / whole as f64);
        let (precision, recall) = (share(right, found), share(hit, there));
        let f1 = match (precision, recall) {
            (Some(p), Some(r)) if p + r > 0.0 => Some(2.0 * p * r / (p + r)),
            (Some(_), Some(_)) => Some(0.0),
            _ => None,
        };
        Self { precision, recall, f1 }
    }

    fn text(&self) -> String {
        let f1 = self.f1.map_or_else(|| "–".to_owned(), |f1| format!("{f1:.3}"));
        let (precision, recall) = (percent(self.precision), percent(self.recall));
        format!("precision {precision}, recall {recall}, F1 {f1}")
    }
}

impl LabelReport {
    fn new(labels: &Labels, alerts: &[Alert]) -> Self {
        let rows = &labels.rows;
        let there = rows.true_positives + rows.false_negatives;
        let found = rows.true_positives + rows.false_positives;
        let count = |of: &dyn Fn(&super::labels::Window) -> bool| {
            labels.windows.iter().filter(|window| of(window)).count() as u64
        };
        let (windows, alerted) = (labels.windows.len() as u64, count(&|window| window.alerted));
        let right = alerts.iter().filter(|alert| alert.labelled == Some(true)).count() as u64;
        Self {
            rows: there + rows.false_positives + rows.true_negatives,
            rows_labelled: there,
            by_row: Quality::new((rows.true_positives, found), (rows.true_positives, there)),
            false_alarm_percent: rows.false_alarm_percent(),
            missed_alarm_percent: rows.missed_alarm_percent(),
            windows,
            windows_flagged: count(&|window| window.flagged),
            windows_alerted: alerted,
            alerts_right: right,
            by_window: Quality::new((right, alerts.len() as u64), (alerted, windows)),
        }
    }

    /// In three lines.
    pub(super) fn lines(&self) -> [String; 3] {
        [
            format!(
                "labels: {} rows of {} in {} windows; flags find {}, alerts {}",
                thousands(self.rows_labelled),
                thousands(self.rows),
                thousands(self.windows),
                thousands(self.windows_flagged),
                thousands(self.windows_alerted),
            ),
            format!(
                "  flags by row:     {}; false alarms {} %, missed {} %",
                self.by_row.text(),
                significant(self.false_alarm_percent),
                significant(self.missed_alarm_percent)
            ),
            format!("  alerts by window: {}", self.by_window.text()),
        ]
    }
}

impl DetectReport {
    pub(super) fn new(args: &DetectArgs, run: WindowReport, found: &Found) -> Self {
        Self {
            run,
            detector: args.detector.clone(),
            values: args.value.clone(),
            key: args.key.clone(),
            delay: args.delay.to_string(),
            flagged: found.counted.flagged,
            warming_up: found.counted.warming_up,
            missing: found.counted.missing,
            incidents: found.incidents,
            alerts: found.alerts.len() as u64,
            labels: found.labels.as_ref().map(|labels| LabelReport::new(labels, &found.alerts)),
        }
    }

    /// In a few lines.
    pub(super) fn text(&self, found: &Found, paint: Paint) -> String {
        let mut text = self.run.text(true, paint);
        if self.run.rows_late > 0 {
            let delay = &self.delay;
            text.push_str(&format!(
                "  late: more than {delay} behind the newest row; raise --delay to let them count \
                 (over the whole span where files or keys follow one another)\n"
            ));
        }
        text.push_str(&format!("{}\n", self.outcome()));
        for alert in found.alerts.iter().take(ALERTS_SHOWN) {
            text.push_str(&format!("  {}\n", alert_line(alert, found, paint)));
        }
        if found.alerts.len() > ALERTS_SHOWN {
            let more = thousands((found.alerts.len() - ALERTS_SHOWN) as u64);
            text.push_str(&format!("  … and {more} more (--alerts FILE has them all)\n"));
        }
        if let Some(labels) = &self.labels {
            labels.lines().iter().for_each(|line| text.push_str(&format!("{line}\n")));
        }
        text
    }

    /// What was found, in a sentence.
    pub(super) fn outcome(&self) -> String {
        let count = |n: u64, one: &str, many: &str| match n {
            1 => format!("1 {one}"),
            n => format!("{} {many}", thousands(n)),
        };
        let mut text = format!(
            "{} on {}: {} flagged, {}, {}",
            self.detector,
            self.values.join(", "),
            count(self.flagged, "row", "rows"),
            count(self.incidents, "incident", "incidents"),
            count(self.alerts, "alert", "alerts"),
        );
        let held = self.incidents - self.alerts;
        if held > 0 {
            text.push_str(&format!(" ({} held back by budget or cool-down)", thousands(held)));
        }
        let some = |rows: u64, what: &str| match rows {
            0 => String::new(),
            rows => format!("; {} {what}", count(rows, "row", "rows")),
        };
        text.push_str(&some(self.warming_up, "while warming up"));
        text.push_str(&some(self.missing, "without a value"));
        text
    }
}

/// `2014-04-11 00:05`, with seconds where there are any.
pub(super) fn moment(us: i64) -> String {
    let utc = Utc::from_micros(us);
    let second = if utc.second > 0 { format!(":{:02}", utc.second) } else { String::new() };
    format!("{} {}{second}", utc.date(), utc.hour_and_minute())
}

/// `score 5.2, 1 in 181`.
pub(super) fn strangeness(alert: &Alert) -> String {
    let Some(score) = alert.score else { return "no value".to_owned() };
    let odds = alert.probability.map(|p| 1.0 / p.max(f64::MIN_POSITIVE));
    let odds = odds.filter(|odds| *odds >= 2.0).map(|odds| match odds {
        odds if odds < 1e9 => format!(", 1 in {}", short(odds)),
        _ => ", less than 1 in 1 G".to_owned(),
    });
    format!("score {}{}", significant(score), odds.unwrap_or_default())
}

/// The first three reasons: `cpu 99.3, memory 12`.
pub(super) fn reasons(alert: &Alert) -> String {
    let reason = |reason: &super::incidents::Reason| {
        let value = reason.value.map_or_else(|| "missing".to_owned(), significant);
        format!("{} {value}", reason.column)
    };
    let shown: Vec<String> = alert.reasons.iter().take(3).map(reason).collect();
    let more = if alert.reasons.len() > 3 { ", …" } else { "" };
    format!("{}{more}", shown.join(", "))
}

fn alert_line(alert: &Alert, found: &Found, paint: Paint) -> String {
    let at = moment(found.columns.micros(alert.alerted));
    let key = found.keys.get(alert.key_id).map_or("", |key| key.text.as_str());
    let key = if key.is_empty() { String::new() } else { format!("{}  ", printable(key)) };
    let rows = match alert.rows {
        1 => String::new(),
        rows => {
            let end = moment(found.columns.micros(alert.end));
            format!("  {} rows, to {end}", thousands(rows))
        }
    };
    let why = printable(&reasons(alert));
    format!("{}  {key}{}  {why}{rows}", paint.bold(at), paint.yellow(strangeness(alert)))
}
