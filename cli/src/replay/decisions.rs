//! What the report counts, row by row: decisions of the champion, and beside them what the
//! challenger would have decided.

use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, DictionaryArray, RecordBatch, StringArray,
};
use arrow::datatypes::{Float64Type, Int32Type, TimestampMicrosecondType, UInt64Type};
use pelton_pipelines::fraud::FraudConfig;

use crate::report::FraudReport;
use crate::report::collect::{AlertMark, Label, RowCollector, ScoredRow};
use crate::report::models::ChallengerReport;

/// Kinds that labels may name; a rule of the same name looks for them.
const KINDS: [&str; 6] = [
    "card_testing",
    "compromised_terminal",
    "impossible_travel",
    "large_amount",
    "multiplied_amount",
    OTHER_KIND,
];

/// Frauds whose kind the recording does not name.
const OTHER_KIND: &str = "other";

/// Feeds the report's collector from batches.
pub(super) struct Collector {
    rows: RowCollector,
    challenger: Option<Challenger>,
    /// For each rule, the kind that it looks for.
    aims: Vec<Option<u8>>,
}

/// The challenger's decisions.
struct Challenger {
    threshold: f64,
    rows: RowCollector,
    counts: ChallengerReport,
}

impl Collector {
    pub(super) fn new(rules: &[String], config: &FraudConfig) -> Self {
        let names: Vec<&str> = rules.iter().map(String::as_str).collect();
        let aims = names.iter().map(|rule| kind_index(rule)).collect();
        let challenger = config.challenger.as_ref().map(|judge| Challenger {
            threshold: judge.threshold,
            rows: RowCollector::new(&KINDS, &names),
            counts: ChallengerReport::default(),
        });
        Self { rows: RowCollector::new(&KINDS, &names), challenger, aims }
    }

    /// Writes what was counted into the report.
    pub(super) fn finish(&self, report: &mut FraudReport) {
        self.rows.finish(report);
        let seen = |quality: &crate::report::Quality| quality.labelled > 0 || quality.alerts > 0;
        report.quality.retain(|_, quality| seen(quality));
        report.challenger = self.challenger.as_ref().map(|challenger| {
            let mut own = FraudReport::default();
            challenger.rows.finish(&mut own);
            own.quality.retain(|_, quality| seen(quality));
            ChallengerReport {
                alerts: own.alerts,
                quality: own.quality,
                precision_recall: own.precision_recall,
                ..challenger.counts.clone()
            }
        });
    }

    pub(super) fn add(&mut self, rows: &RecordBatch) {
        let (Some(ts), Some(rules), Some(scores), Some(alerts)) = (
            rows.column_by_name("ts")
                .and_then(|c| c.as_primitive_opt::<TimestampMicrosecondType>()),
            rows.column_by_name("rules").and_then(|c| c.as_primitive_opt::<UInt64Type>()),
            rows.column_by_name("score").and_then(|c| c.as_primitive_opt::<Float64Type>()),
            rows.column_by_name("alert").and_then(|c| c.as_boolean_opt()),
        ) else {
            return;
        };
        let labels = rows.column_by_name("is_fraud").and_then(|c| c.as_boolean_opt());
        let labels = labels.map(|labels| (known(labels), holds(labels)));
        let kinds = KindColumn::of(rows.column_by_name("fraud_kind"));
        let alerts = holds(alerts);
        let others = rows
            .column_by_name("challenger_score")
            .and_then(|column| column.as_primitive_opt::<Float64Type>());
        let columns = ts.values().iter().zip(scores.values()).zip(rules.values());
        for (row, ((&time_us, &score), &rules)) in columns.enumerate() {
            let label = match &labels {
                Some((known, _)) if !bit(known, row) => Label::Unknown,
                Some((_, fraud)) if bit(fraud, row) => Label::Fraud(kinds.kind(row)),
                Some(_) => Label::Honest,
                None => Label::Unknown,
            };
            let first = rules.trailing_zeros() as usize;
            let mark = AlertMark { rules, aimed_at: self.aims.get(first).copied().flatten() };
            let is_alert = bit(&alerts, row);
            let alert = is_alert.then_some(mark);
            self.rows.row(ScoredRow { time_us, score, label, alert });
            if let (Some(challenger), Some(scores)) = (&mut self.challenger, others) {
                let score = scores.value(row);
                let would_alert = rules != 0 || score >= challenger.threshold;
                challenger.counts.count(is_alert, would_alert, matches!(label, Label::Fraud(_)));
                let alert = would_alert.then_some(mark);
                challenger.rows.row(ScoredRow { time_us, score, label, alert });
            }
        }
    }
}

/// A bit for each row that is not null.
fn known(column: &BooleanArray) -> Vec<u64> {
    match column.nulls() {
        Some(nulls) => nulls.inner().bit_chunks().iter_padded().collect(),
        None => vec![u64::MAX; column.len().div_ceil(64)],
    }
}

/// A bit for each row that is true.
fn holds(column: &BooleanArray) -> Vec<u64> {
    let values = column.values().bit_chunks();
    values.iter_padded().zip(known(column)).map(|(value, known)| value & known).collect()
}

fn bit(words: &[u64], row: usize) -> bool {
    words[row / 64] >> (row % 64) & 1 == 1
}

fn kind_index(name: &str) -> Option<u8> {
    KINDS.iter().position(|kind| *kind == name).map(|index| index as u8)
}

/// The column `fraud_kind`, as text or as a dictionary whose values were looked up once.
enum KindColumn<'a> {
    None,
    Text(&'a StringArray),
    Codes(&'a DictionaryArray<Int32Type>, Vec<u8>),
}

/// Index of [`OTHER_KIND`].
const OTHER: u8 = KINDS.len() as u8 - 1;

impl<'a> KindColumn<'a> {
    fn of(column: Option<&'a ArrayRef>) -> Self {
        let Some(column) = column else { return Self::None };
        if let Some(text) = column.as_string_opt::<i32>() {
            return Self::Text(text);
        }
        let codes = column.as_dictionary_opt::<Int32Type>();
        match codes.and_then(|codes| Some((codes, codes.values().as_string_opt::<i32>()?))) {
            Some((codes, names)) => {
                let kinds = names.iter().map(|name| name.and_then(kind_index).unwrap_or(OTHER));
                Self::Codes(codes, kinds.collect())
            }
            None => Self::None,
        }
    }

    fn kind(&self, row: usize) -> u8 {
        match self {
            Self::None => OTHER,
            Self::Text(text) if text.is_valid(row) => kind_index(text.value(row)).unwrap_or(OTHER),
            Self::Text(_) => OTHER,
            Self::Codes(codes, kinds) => codes.key(row).map_or(OTHER, |code| kinds[code]),
        }
    }
}
