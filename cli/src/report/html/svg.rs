//! A text buffer that knows how to write SVG elements.
//!
//! Why not the `plotters` crate: its SVGs fix colours and fonts in each element, so they cannot
//! follow the reader's light or dark theme through CSS variables, and they have no `<title>`
//! tooltips. What four plots need beyond that is lines, rectangles, ticks and labels: less code
//! than the glue would be. Colour lives in `style.css` only; here elements have classes.
//!
//! Coordinates are written with two decimals at most: a tenth of a pixel is not visible, and
//! the page stays small.

use std::fmt::Write;

/// Text for an element or an attribute: the five characters that mean something are replaced,
/// and control characters (which no XML may hold) become U+FFFD.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\t' | '\n' => safe.push(c),
            c if c.is_control() => safe.push('\u{fffd}'),
            c => safe.push(c),
        }
    }
    safe
}

/// Where a label stands from its point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// The point is the label's left end.
    Start,
    /// The point is its middle.
    Middle,
    /// The point is its right end.
    End,
}

/// An `<svg>` element in the making.
#[derive(Debug)]
pub struct Svg {
    text: String,
}

impl Svg {
    /// An empty picture of `width` × `height` units with an accessible name.
    pub fn new(width: f64, height: f64, name: &str) -> Self {
        let name = escape(name);
        Self {
            text: format!(
                "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
                 role=\"img\" aria-label=\"{name}\">\n"
            ),
        }
    }

    /// A straight line.
    pub fn line(&mut self, class: &str, from: (f64, f64), to: (f64, f64)) {
        let (x1, y1, x2, y2) = (px(from.0), px(from.1), px(to.0), px(to.1));
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>\n"
        ));
    }

    /// A rectangle from its top left corner, with a tooltip where `title` is not empty.
    pub fn rect(&mut self, class: &str, at: (f64, f64), size: (f64, f64), title: &str) {
        let (x, y, w, h) = (px(at.0), px(at.1), px(size.0.max(0.0)), px(size.1.max(0.0)));
        let open =
            format!("<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"");
        self.titled("rect", &open, title);
    }

    /// A circle, with a tooltip where `title` is not empty.
    pub fn circle(&mut self, class: &str, at: (f64, f64), radius: f64, title: &str) {
        let (x, y, r) = (px(at.0), px(at.1), px(radius));
        let open = format!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{y}\" r=\"{r}\"");
        self.titled("circle", &open, title);
    }

    /// A line through points; nothing for fewer than two.
    pub fn polyline(&mut self, class: &str, points: &[(f64, f64)]) {
        if points.len() > 1 {
            let points = joined(points);
            self.push(format_args!("<polyline class=\"{class}\" points=\"{points}\"/>\n"));
        }
    }

    /// The area between a line and a base height; nothing for fewer than two points.
    pub fn area(&mut self, class: &str, points: &[(f64, f64)], base: f64) {
        if let (Some(first), Some(last), true) = (points.first(), points.last(), points.len() > 1) {
            let (from, to, base, points) = (px(first.0), px(last.0), px(base), joined(points));
            self.push(format_args!(
                "<polygon class=\"{class}\" points=\"{from},{base} {points} {to},{base}\"/>\n"
            ));
        }
    }

    /// A label.
    pub fn label(&mut self, class: &str, at: (f64, f64), anchor: Anchor, text: &str) {
        let (x, y) = (px(at.0), px(at.1));
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.push(format_args!(
            "<text class=\"{class}\" x=\"{x}\" y=\"{y}\" text-anchor=\"{anchor}\">{text}</text>\n"
        ));
    }

    /// The finished element.
    pub fn finish(mut self) -> String {
        self.text.push_str("</svg>\n");
        self.text
    }

    fn titled(&mut self, element: &str, open: &str, title: &str) {
        if title.is_empty() {
            self.push(format_args!("{open}/>\n"));
        } else {
            let title = escape(title);
            self.push(format_args!("{open}><title>{title}</title></{element}>\n"));
        }
    }

    fn push(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a String cannot fail.
        let _ = self.text.write_fmt(element);
    }
}

/// A coordinate with at most two decimals; 0 for what is no number (a report read back from
/// JSON may hold one), so that the file stays valid.
fn px(x: f64) -> f64 {
    if x.is_finite() { (x * 100.0).round() / 100.0 + 0.0 } else { 0.0 }
}

fn joined(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 12);
    for (i, (x, y)) in points.iter().enumerate() {
        let gap = if i == 0 { "" } else { " " };
        let _ = write!(text, "{gap}{},{}", px(*x), px(*y));
    }
    text
}
