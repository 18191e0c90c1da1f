//! What the terminal shows of a training.

use super::Outcome;
use super::learn::Figures;
use crate::report::format::thousands;
use crate::terminal::Paint;

/// The table of subsets.
pub(super) fn text(outcome: &Outcome, paint: Paint) -> String {
    let mut text = format!("\n {} remaining cycles of engines\n\n", paint.bold("trained"));
    let head = "  RMSE    bias   NASA's score   estimates (engines)";
    text.push_str(&format!("   {:<28}{}\n", "", paint.dim(head)));
    for subset in &outcome.subsets {
        if let Some(figures) = &subset.validation {
            text.push_str(&line(&format!("{} validation", subset.name), figures, paint));
        }
        text.push_str(&line(&format!("{} test", subset.name), &subset.test, paint));
    }
    text.push_str(&format!(
        "\n   {}\n\n",
        paint.dim("of uncapped truths; validation: training engines that the model did not see")
    ));
    text
}

fn line(name: &str, figures: &Figures, paint: Paint) -> String {
    let numbers = format!(
        "{:>6.2}  {:>+6.2}   {:>12}",
        figures.rmse,
        figures.bias,
        thousands(figures.nasa_score.round() as u64)
    );
    let of = thousands(figures.estimates as u64);
    let engines = thousands(figures.engines as u64);
    format!("   {name:<28}{}   {of} ({engines})\n", paint.cyan(numbers))
}
