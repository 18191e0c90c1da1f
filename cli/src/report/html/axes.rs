//! Frame, grid, ticks and axis titles of a plot.

use super::scale::Scale;
use super::svg::{Anchor, Svg};

/// Draws the grid lines and tick labels of both axes, and their titles: the vertical one above
/// the frame (never turned: turned text is hard to read), the horizontal one below it.
pub fn draw(svg: &mut Svg, x: &Scale, y: &Scale, titles: (&str, &str)) {
    let (left, right) = x.ends_px();
    let (bottom, top) = y.ends_px();
    for tick in &y.ticks {
        let at = y.px(tick.at);
        svg.line("grid", (left, at), (right, at));
        svg.label("tick", (left - 8.0, at + 4.0), Anchor::End, &tick.label);
    }
    draw_x(svg, x, bottom, true);
    svg.line("axis", (left, bottom), (right, bottom));
    svg.label("axis-title", (left - 8.0, top - 12.0), Anchor::Start, titles.1);
    svg.label("axis-title", (right, bottom + 36.0), Anchor::End, titles.0);
}

/// The ticks of the horizontal axis; labels that would touch the one before are left out.
pub fn draw_x(svg: &mut Svg, x: &Scale, bottom: f64, labels: bool) {
    let mut free_from = f64::NEG_INFINITY;
    for tick in &x.ticks {
        let at = x.px(tick.at);
        svg.line("axis", (at, bottom), (at, bottom + 4.0));
        let half = text_width(&tick.label) / 2.0;
        if labels && at - half >= free_from {
            svg.label("tick", (at, bottom + 18.0), Anchor::Middle, &tick.label);
            free_from = at + half + 6.0;
        }
    }
}

/// Width of a label of 12 units in height. Text cannot be measured without its font: 7.2 units
/// a character is more than digits and small letters take in the fonts that the page asks for.
pub fn text_width(text: &str) -> f64 {
    text.chars().count() as f64 * 7.2
}

/// Moves labels of the same height apart so that none touches the next: `(centre, width)`, in
/// order of the centres; gives the new centres, within `from` and `to` as far as they fit.
pub fn spread(labels: &[(f64, f64)], gap: f64, from: f64, to: f64) -> Vec<f64> {
    let mut centres: Vec<f64> = Vec::with_capacity(labels.len());
    let mut free_from = from;
    for (centre, width) in labels {
        let at = centre.max(free_from + width / 2.0);
        centres.push(at);
        free_from = at + width / 2.0 + gap;
    }
    let mut free_to = to;
    for (at, (_, width)) in centres.iter_mut().zip(labels).rev() {
        *at = at.min(free_to - width / 2.0);
        free_to = *at - width / 2.0 - gap;
    }
    centres
}
