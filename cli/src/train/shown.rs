//! What the terminal shows of a training.

use super::{Outcome, Test};
use crate::args::{ProtocolArg, TrainFraudArgs};
use crate::report::format::thousands;
use crate::terminal::{Paint, printable};

/// What others reached on the Handbook's test week (the Handbook, chapters 5 to 7).
const PUBLISHED: [(&str, &str); 5] = [
    ("logistic regression", ".871       .606       .291"),
    ("random forest, 100 trees", ".867       .658       .287"),
    ("XGBoost, tuned on 4 folds", ".869       .687       .303"),
    ("XGBoost, best possible", ".872       .694       .304"),
    ("feed-forward network", ".876       .675          –"),
];

/// The table of tests.
pub(super) fn text(args: &TrainFraudArgs, outcome: &Outcome, paint: Paint) -> String {
    let mut text = format!(
        "\n {} {}\n {} payments, {} frauds; {}, learned from {} to {}\n\n",
        paint.bold("trained"),
        printable(&outcome.recording),
        thousands(outcome.rows as u64),
        thousands(outcome.frauds as u64),
        outcome.model,
        outcome.train_from,
        outcome.train_to,
    );
    let head = "AUC ROC   av. prec.   CP@100   tested (frauds)";
    text.push_str(&format!("   {:<28}{}\n", "", paint.dim(head)));
    for test in &outcome.tests {
        text.push_str(&line(test, paint));
    }
    let mean = &outcome.mean;
    if outcome.tests.len() > 1 && args.protocol.is_none() {
        let figures = [mean.auc_roc, mean.average_precision, mean.card_precision_at_100];
        text.push_str(&format!("   {:<28}{}\n", "mean", paint.bold(three(figures))));
    }
    if args.protocol == Some(ProtocolArg::Handbook) {
        text.push_str(&format!("\n   {}\n", paint.dim("published on this week")));
        for (name, figures) in PUBLISHED {
            text.push_str(&format!("   {name:<28}   {figures}\n"));
        }
    }
    let (threshold, precision) = (outcome.threshold, outcome.precision * 100.0);
    text.push_str(&format!(
        "\n   --threshold {threshold:.2}: at least {precision:.0} % of what scores that in these \
         tests is fraud\n\n"
    ));
    text
}

fn three(figures: [Option<f64>; 3]) -> String {
    let [auc, precision, cards] =
        figures.map(|figure| figure.map_or_else(|| "–".to_owned(), |x| format!("{x:.4}")));
    format!("{auc:>7}   {precision:>9}   {cards:>6}")
}

fn line(test: &Test, paint: Paint) -> String {
    let of = &test.figures;
    let figures = three([of.auc_roc, of.average_precision, of.card_precision_at_100]);
    let tested =
        format!("{} ({})", thousands(of.test_rows as u64), thousands(of.test_frauds as u64));
    format!("   {:<28}{}   {tested}\n", test.name, paint.cyan(figures))
}
