//! Rows a second by batch size, for scalar code, SIMD and the GPU: a panel a kernel.

use pelton_benches::gpu::{KernelReport, PointReport};

use super::GpuReport;
use crate::report::format::short;
use crate::report::html::svg::{Anchor, Svg};

const PANEL: (f64, f64) = (320.0, 200.0);
const COLUMNS: usize = 2;
const LEFT: f64 = 56.0;
const TOP: f64 = 40.0;
const INNER: (f64, f64) = (240.0, 118.0);
/// Height of the lines above the panels.
const HEAD: f64 = 44.0;

/// Name of the curve, class, and what it shows.
type Curve = (&'static str, &'static str, fn(&KernelReport, &PointReport) -> Option<f64>);

const CURVES: [Curve; 4] = [
    ("scalar", "scalar", |kernel, point| {
        point.scalar_rows_per_s.or((!kernel.has_simd()).then_some(point.simd_rows_per_s))
    }),
    ("SIMD, one core", "simd", |kernel, point| kernel.has_simd().then_some(point.simd_rows_per_s)),
    ("passes alone", "passes", |_, point| point.resident_rows_per_s),
    ("GPU, host to host", "gpu", |_, point| Some(point.gpu_rows_per_s)),
];

/// The picture.
pub fn picture(report: &GpuReport) -> String {
    let height = HEAD + PANEL.1 * report.kernels.len().div_ceil(COLUMNS) as f64;
    let width = PANEL.0 * COLUMNS as f64;
    let mut svg = Svg::new(width, height, "rows a second by batch size");
    let title =
        format!("{}, {}: rows a second by rows of a batch", report.adapter.name, report.date);
    svg.label("name", (8.0, 16.0), Anchor::Start, &title);
    for (at, (name, class, _)) in CURVES.iter().enumerate() {
        let x = 8.0 + 155.0 * at as f64;
        svg.line(class, (x, 32.0), (x + 22.0, 32.0));
        svg.label("tick", (x + 28.0, 36.0), Anchor::Start, name);
    }
    for (at, kernel) in report.kernels.iter().enumerate() {
        let corner = ((at % COLUMNS) as f64 * PANEL.0, HEAD + (at / COLUMNS) as f64 * PANEL.1);
        panel(&mut svg, kernel, corner);
    }
    let style = "<style>\
        text{font:11px system-ui,sans-serif;fill:#777}.name{font-weight:600;font-size:12px}\
        .axis{stroke:#999;stroke-width:1}.grid{stroke:#9993;stroke-width:1}\
        .scalar,.simd,.passes,.gpu{fill:none;stroke-width:2}.scalar{stroke:#999}\
        .simd{stroke:#2a78d6}.gpu{stroke:#d9822b}.passes{stroke:#d9822b;stroke-dasharray:4 3}\
        .scalar-dot{fill:#999}.simd-dot{fill:#2a78d6}.gpu-dot,.passes-dot{fill:#d9822b}\
        </style>\n";
    let text = svg.finish();
    let open = text.find('\n').map_or(0, |at| at + 1);
    format!("{}{style}{}", &text[..open], &text[open..])
}

fn panel(svg: &mut Svg, kernel: &KernelReport, (x, y): (f64, f64)) {
    let (left, bottom) = (x + LEFT, y + TOP + INNER.1);
    svg.label("name", (x + 8.0, y + 18.0), Anchor::Start, &kernel.name);
    svg.label("setting", (x + 8.0, y + 32.0), Anchor::Start, &kernel.setting);
    let all = || {
        let rates = kernel.points.iter().flat_map(|p| CURVES.iter().filter_map(|c| c.2(kernel, p)));
        rates.filter(|rate| *rate > 0.0)
    };
    // Powers of ten up, powers of two along.
    let low = libm::log10(all().fold(f64::INFINITY, f64::min).clamp(1.0, 1e15)).floor();
    let high = libm::log10(all().fold(1.0, f64::max)).ceil().max(low + 1.0);
    let y_of = |rate: f64| bottom - (libm::log10(rate.max(1.0)) - low) / (high - low) * INNER.1;
    for power in low as i32..=high as i32 {
        let rate = libm::exp10(f64::from(power));
        svg.line("grid", (left, y_of(rate)), (left + INNER.0, y_of(rate)));
        svg.label("tick", (left - 5.0, y_of(rate) + 4.0), Anchor::End, &short(rate));
    }
    let rows = |at: usize| kernel.points.get(at).map_or(1.0, |point| point.rows as f64);
    let last = kernel.points.len().saturating_sub(1);
    let (first, span) = (libm::log2(rows(0)), libm::log2(rows(last)) - libm::log2(rows(0)));
    let x_of = |rows: f64| left + (libm::log2(rows) - first) / span.max(1.0) * INNER.0;
    for point in &kernel.points {
        let at = (x_of(point.rows as f64), bottom + 14.0);
        svg.label("tick", at, Anchor::Middle, &short(point.rows as f64));
    }
    svg.line("axis", (left, bottom), (left + INNER.0, bottom));
    for (name, class, of) in CURVES {
        let points: Vec<(f64, f64, f64)> = kernel
            .points
            .iter()
            .filter_map(|point| {
                of(kernel, point).map(|rate| (x_of(point.rows as f64), y_of(rate), rate))
            })
            .collect();
        let line: Vec<(f64, f64)> = points.iter().map(|(x, y, _)| (*x, *y)).collect();
        svg.polyline(class, &line);
        for (x, y, rate) in points {
            let title = format!("{name}: {} rows/s", short(rate));
            svg.circle(&format!("{class}-dot"), (x, y), 2.5, &title);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_has_its_panel() {
        let report = super::super::tests::report();
        let svg = picture(&report);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(svg.contains("hash &lt;x&gt;"));
        // Scalar (two points), SIMD and GPU of the first kernel; single points are no lines.
        assert_eq!(svg.matches("<polyline").count(), 3, "{svg}");
        // The second has no SIMD.
        assert_eq!(svg.matches("simd-dot").count(), 1 + 3, "{svg}");
        assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    }
}
