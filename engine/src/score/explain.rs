//! The reasons of an alert as JSON text:
//!
//! ```json
//! {"rules":[{"rule":"impossible_travel","because":"878 km apart within 60 s","values":{…}}],
//!  "features":[{"feature":"speed_kmh","value":52680.0,"contribution":9.1}, …],"rest":0.2,"base":-4.1,
//!  "windows":[{"window":"10m","start":1699999400,"end":1700000000}]}
//! ```
//!
//! `base` is what the model says of a row that it knows nothing of, `rest` the sum of the
//! contributions that are not shown: base + rest + those shown = the raw score, before the
//! model's link (log-odds, where that is logistic). Of a model of several classes the likeliest is explained, and named (`class`).
//!
//! Only what is asked for is in it. Keys stand in this order and numbers in their shortest exact
//! form, so that the same row gives the same bytes.

use std::sync::Arc;

use arrow::array::{BooleanArray, RecordBatch, StringBuilder};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};

use super::column::with_columns;
use super::rule::{BoundRule, check_rules};
use super::template::{Cell, write_json_float, write_json_text};
use super::{Contribution, Explanation, Rule, Scorer};
use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::expr::{BindCache, schema_with};
use crate::operator::{Barrier, MapOperator};

/// How many features an alert shows unless told otherwise.
const FEATURES_SHOWN: usize = 5;

/// A window behind a decision: (t − delay − length, t − delay] for a row at time t.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WindowBounds {
    /// What the reader knows it as ("10m").
    pub name: String,
    /// Its length, in the unit of the event time.
    pub length: i64,
    /// How long before the row it ends, in the unit of the event time.
    pub delay: i64,
}

/// Adds the Utf8 column `reasons`: JSON text, marked as `arrow.json` in the field's metadata.
pub struct Explain {
    column: String,
    rules: Vec<Rule>,
    scorer: Option<Arc<dyn Scorer>>,
    features_shown: usize,
    windows: Vec<WindowBounds>,
    bound: BindCache<Bound>,
}

struct Bound {
    rules: Vec<BoundRule>,
    /// Each window's name as JSON, up to its start.
    windows: Vec<String>,
    /// Its schema, and what becomes of a batch without rows.
    none: RecordBatch,
}

impl Default for Explain {
    fn default() -> Self {
        Self::new()
    }
}

impl Explain {
    /// Reasons that name nothing yet.
    pub fn new() -> Self {
        Self {
            column: "reasons".to_owned(),
            rules: Vec::new(),
            scorer: None,
            features_shown: FEATURES_SHOWN,
            windows: Vec::new(),
            bound: BindCache::default(),
        }
    }

    /// Another name for the column.
    #[must_use]
    pub fn column(mut self, name: impl Into<String>) -> Self {
        self.column = name.into();
        self
    }

    /// Names the rules that hold, with their sentences and values.
    #[must_use]
    pub fn rules(mut self, rules: impl IntoIterator<Item = Rule>) -> Self {
        self.rules = rules.into_iter().collect();
        self
    }

    /// Names the features that moved this scorer's score most, at most `shown` (those that moved
    /// it not at all are left out).
    #[must_use]
    pub fn scorer(mut self, scorer: impl Scorer + 'static, shown: usize) -> Self {
        self.scorer = Some(Arc::new(scorer));
        self.features_shown = shown;
        self
    }

    /// Gives the bounds of these windows at the row's event time.
    #[must_use]
    pub fn windows(mut self, windows: impl IntoIterator<Item = WindowBounds>) -> Self {
        self.windows = windows.into_iter().collect();
        self
    }

    fn bind(&self, input: &Schema) -> Result<Bound> {
        check_rules(&self.rules)?;
        if let Some(scorer) = &self.scorer {
            scorer.check(input)?;
        }
        let rules = self.rules.iter().map(|rule| rule.bind(input)).collect::<Result<_>>()?;
        let json = [("ARROW:extension:name".to_owned(), "arrow.json".to_owned())];
        let field = Field::new(&self.column, DataType::Utf8, false).with_metadata(json.into());
        let windows = self.windows.iter().map(|window| {
            let mut json = String::from("{\"window\":");
            write_json_text(&mut json, &window.name);
            json + ",\"start\":"
        });
        let windows = windows.collect();
        let none = RecordBatch::new_empty(schema_with(input, field)?);
        Ok(Bound { rules, windows, none })
    }

    fn write_row(&self, json: &mut String, of: &Explained<'_>, row: usize) -> Result<()> {
        json.push('{');
        if !self.rules.is_empty() {
            json.push_str("\"rules\":[");
            for (rule, _) in of.rules.iter().filter(|(_, holds)| holds.value(row)) {
                write_rule(json, rule, &of.batch.rows, row)?;
            }
            close(json, "],");
        }
        if let Some(scorer) = &self.scorer {
            write_explanation(json, scorer.explain(of.batch, row)?, self.features_shown);
        }
        if !self.windows.is_empty() {
            json.push_str("\"windows\":[");
            let times = of.batch.times.as_ref().ok_or_else(|| {
                Error::usage("reasons with windows need rows with an event time")
                    .advise("name the time column of the pipeline, or leave the windows out")
            })?;
            for (window, head) in self.windows.iter().zip(of.windows) {
                json.push_str(head);
                write_window(json, window, times.time[row]);
            }
            close(json, "],");
        }
        close(json, "}");
        Ok(())
    }
}

/// A batch and which rules hold for its rows.
struct Explained<'a> {
    batch: &'a Batch,
    rules: Vec<(&'a BoundRule, BooleanArray)>,
    windows: &'a [String],
}

/// Ends a list: the comma behind its last element, if there is one, gives way to `end`.
fn close(json: &mut String, end: &str) {
    if json.ends_with(',') {
        json.pop();
    }
    json.push_str(end);
}

fn write_rule(json: &mut String, rule: &BoundRule, rows: &RecordBatch, row: usize) -> Result<()> {
    json.push_str(&rule.json_head);
    let mut because = String::with_capacity(160);
    rule.because.render(rows, row, &mut because)?;
    write_json_text(json, &because);
    json.push_str(",\"values\":{");
    for (index, name) in &rule.json_columns {
        json.push_str(name);
        json.push(':');
        Cell::of(rows.column(*index), row)?.write_json(json);
        json.push(',');
    }
    close(json, "}},");
    Ok(())
}

/// The contributions that are largest in size, ties by name; and the sum of the others, in the
/// model's order.
fn largest(contributions: Vec<Contribution>, count: usize) -> (Vec<Contribution>, f64) {
    let order = |a: &Contribution, b: &Contribution| {
        let by_size = b.contribution.abs().total_cmp(&a.contribution.abs());
        by_size.then_with(|| a.feature.cmp(&b.feature))
    };
    let mut shown: Vec<_> =
        contributions.into_iter().enumerate().filter(|(_, c)| c.contribution != 0.0).collect();
    let mut rest = 0.0;
    if count < shown.len() {
        shown.select_nth_unstable_by(count, |(_, a), (_, b)| order(a, b));
        let mut others = shown.split_off(count);
        others.sort_unstable_by_key(|(place, _)| *place);
        rest = others.iter().fold(rest, |sum, (_, other)| sum + other.contribution);
    }
    shown.sort_unstable_by(|(_, a), (_, b)| order(a, b));
    (shown.into_iter().map(|(_, contribution)| contribution).collect(), rest)
}

fn write_explanation(json: &mut String, explanation: Explanation, count: usize) {
    json.push_str("\"features\":[");
    let (shown, rest) = largest(explanation.contributions, count);
    for contribution in &shown {
        write_contribution(json, contribution);
    }
    close(json, "],");
    if rest != 0.0 {
        json.push_str("\"rest\":");
        write_json_float(json, rest);
        json.push(',');
    }
    json.push_str("\"base\":");
    write_json_float(json, explanation.base);
    json.push(',');
    if let Some(class) = explanation.class {
        json.push_str("\"class\":");
        json.push_str(itoa::Buffer::new().format(class));
        json.push(',');
    }
}

fn write_contribution(json: &mut String, contribution: &Contribution) {
    json.push_str("{\"feature\":");
    write_json_text(json, &contribution.feature);
    json.push_str(",\"value\":");
    write_json_float(json, contribution.value.unwrap_or(f64::NAN));
    json.push_str(",\"contribution\":");
    write_json_float(json, contribution.contribution);
    json.push_str("},");
}

/// The bounds of a window whose name has been written.
fn write_window(json: &mut String, window: &WindowBounds, time: i64) {
    let end = time.saturating_sub(window.delay);
    let start = end.saturating_sub(window.length);
    json.push_str(itoa::Buffer::new().format(start));
    json.push_str(",\"end\":");
    json.push_str(itoa::Buffer::new().format(end));
    json.push_str("},");
}

impl MapOperator for Explain {
    fn output_schema(&self, input: &SchemaRef) -> Result<SchemaRef> {
        Ok(self.bind(input)?.none.schema())
    }

    fn map(&self, batch: Batch) -> Result<Batch> {
        let bound = self.bound.get(batch.rows.schema_ref(), |schema| self.bind(schema))?;
        with_columns(batch, &bound.none, |batch| {
            let mut reasons = StringBuilder::new();
            let rules: Result<Vec<_>> =
                bound.rules.iter().map(|rule| Ok((rule, rule.holds(&batch.rows)?))).collect();
            let explained = Explained { batch, rules: rules?, windows: &bound.windows };
            let mut json = String::new();
            for row in 0..batch.len() {
                json.clear();
                self.write_row(&mut json, &explained, row)?;
                reasons.append_value(&json);
            }
            Ok(vec![Arc::new(reasons.finish())])
        })
    }

    fn on_barrier(&self, barrier: Barrier) -> bool {
        self.scorer.as_ref().is_some_and(|scorer| scorer.on_barrier(barrier))
    }

    fn reads(&self) -> Option<Vec<String>> {
        // A rule whose sentence is broken is an error when the plan is made.
        let rules = self.rules.iter().filter_map(|rule| rule.columns().ok()).flatten();
        Some(rules.chain(self.scorer.iter().flat_map(|scorer| scorer.inputs())).collect())
    }

    fn describe(&self) -> String {
        let scorer = self.scorer.as_ref().map_or(String::new(), |s| format!(", {}", s.name()));
        let (rules, windows) = (self.rules.len(), self.windows.len());
        format!("explain {}: {rules} rules{scorer}, {windows} windows", self.column)
    }
}
