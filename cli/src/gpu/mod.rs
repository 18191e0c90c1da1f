//! `pelton bench gpu`: a GPU against one core, as a table, as JSON and as a plot.
//!
//! The JSON is what `benches/record/<adapter>/<date>.json` holds: it names the machine, the
//! adapter and its driver, so that figures of two machines are never mixed up.

mod cache;
mod plot;

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use pelton::{Error, Result};
use pelton_benches::gpu::{DeviceReport, KernelReport, chosen, device, kernels, sizes};
use pelton_kernels::gpu::{Adapter, Choice, Gpu};
use serde::{Deserialize, Serialize};

use crate::args::BenchGpuArgs;
use crate::doctor::{AdapterFound, Machine};
use crate::report;
use crate::report::format::{short, significant, thousands};
use crate::terminal::{self, Paint};

pub use cache::{Crossovers, crossovers};

/// What was measured, where.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GpuReport {
    /// Version of pelton.
    pub pelton: String,
    /// The day, in UTC ("2026-11-23").
    pub date: String,
    /// The adapter.
    pub adapter: AdapterFound,
    /// What it and its bus give.
    pub device: DeviceReport,
    /// The kernels.
    pub kernels: Vec<KernelReport>,
    /// The machine around it.
    pub machine: Machine,
}

/// Measures, prints, and writes the record.
///
/// # Errors
/// When there is no such GPU, an answer is wrong, or a file cannot be written.
pub fn bench(args: &BenchGpuArgs) -> Result<()> {
    let kinds = chosen(&args.kernel)?;
    let gpu = Gpu::open(&Choice::from_env()).map_err(|error| {
        let help = "`pelton doctor` lists the adapters; PELTON_GPU=cpu takes a software Vulkan";
        Error::usage(error.to_string()).advise(help)
    })?;
    let begin = |name: &str, rows: usize| {
        if !args.quiet {
            eprintln!("gpu: {name}, {} rows", thousands(rows as u64));
        }
    };
    let device = device(&gpu)?;
    let rows = usize::try_from(args.rows).unwrap_or(1 << 30).clamp(1, 1 << 30);
    let kernels = kernels(&gpu, &kinds, &sizes(rows), &device, begin)?;
    let report = GpuReport {
        pelton: env!("CARGO_PKG_VERSION").to_owned(),
        date: today(),
        adapter: AdapterFound::from(gpu.adapter()),
        device,
        kernels,
        machine: Machine::look(),
    };
    if let Some(folder) = &args.out {
        write(folder, gpu.adapter(), &report)?;
    }
    terminal::print(&text(&report, Paint::for_stdout()))
}

fn write(folder: &Path, adapter: &Adapter, report: &GpuReport) -> Result<()> {
    let folder = folder.join(adapter.key());
    std::fs::create_dir_all(&folder).map_err(|error| Error::io("create", &folder, &error))?;
    let path = |ending: &str| folder.join(format!("{}.{ending}", report.date));
    report::json::write(&path("json"), report)?;
    report::json::write_file(&path("svg"), &plot::picture(report))
}

/// The day in UTC, from the days since 1970 (H. Hinnant, "chrono-compatible low-level date
/// algorithms").
fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    day(since.as_secs() / 86_400)
}

fn day(since_1970: u64) -> String {
    let days = since_1970 + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

fn text(report: &GpuReport, paint: Paint) -> String {
    let (adapter, device) = (&report.adapter, &report.device);
    let rate = |bytes_per_s: f64| format!("{} GB/s", significant(bytes_per_s / 1e9));
    let mut text = format!(
        "\n {}  {}, {}\n   round trip {} µs, up {}, down {}, copies {}\n",
        paint.bold(&adapter.name),
        adapter.kind,
        adapter.driver,
        significant(device.round_trip_us),
        rate(device.upload_bytes_per_s),
        rate(device.read_bytes_per_s),
        rate(device.copy_bytes_per_s),
    );
    for kernel in &report.kernels {
        text.push_str(&of_kernel(kernel, paint));
    }
    text.push('\n');
    text
}

fn of_kernel(kernel: &KernelReport, paint: Paint) -> String {
    let mut text = format!(
        "\n {}  {}; {} B a row over the bus\n   {:>9} {:>10} {:>10} {:>10} {:>10} {:>9} {:>9} {:>14} {:>9}\n",
        paint.bold(&kernel.name),
        kernel.setting,
        significant(kernel.bus_bytes_per_row),
        "rows",
        "scalar/s",
        "SIMD/s",
        "GPU/s",
        "of a core",
        "up, µs",
        "down, µs",
        "passes alone/s",
        "of a copy"
    );
    let has_simd = kernel.has_simd();
    for point in &kernel.points {
        let or_none = |rate: Option<f64>| rate.map_or("–".to_owned(), short);
        let share = point.share_of_copy.map(|share| format!("{} %", significant(share * 1e2)));
        let scalar = point.scalar_rows_per_s.or((!has_simd).then_some(point.simd_rows_per_s));
        text.push_str(&format!(
            "   {:>9} {:>10} {:>10} {} {:>10} {:>9} {:>9} {:>14} {:>9}\n",
            thousands(point.rows as u64),
            or_none(scalar),
            or_none(has_simd.then_some(point.simd_rows_per_s)),
            paint.cyan(format!("{:>10}", short(point.gpu_rows_per_s))),
            format!("{} ×", significant(point.times_one_core)),
            significant(point.upload_us),
            significant(point.read_us),
            or_none(point.resident_rows_per_s),
            share.unwrap_or_else(|| "–".to_owned()),
        ));
    }
    let pays = match kernel.crossover_rows() {
        Some(rows) => format!("the GPU pays from {} rows on", thousands(rows as u64)),
        None => "the GPU does not pay from host memory".to_owned(),
    };
    let most = kernel.points.iter().map(|point| point.times_one_core).fold(0.0, f64::max);
    let (most, code) = (significant(most), &kernel.one_core);
    text + &format!("   {pays}; at best {most} × one core with {code}, end to end\n")
}

#[cfg(test)]
mod tests {
    use pelton_benches::gpu::PointReport;

    use super::*;

    #[test]
    fn days_become_dates() {
        let wanted = [(0, "1970-01-01"), (59, "1970-03-01"), (11_016, "2000-02-29")];
        for (days, date) in wanted {
            assert_eq!(day(days), date);
        }
        assert_eq!(day(20_780), "2026-11-23");
    }

    pub(super) fn report() -> GpuReport {
        let point = |rows: usize, gpu: f64| PointReport {
            rows,
            scalar_rows_per_s: (rows < 5000).then_some(1e6),
            simd_rows_per_s: 1e7,
            gpu_rows_per_s: gpu,
            share_of_copy: Some(0.61),
            ..PointReport::default()
        };
        let kernel = KernelReport {
            name: "hash <x>".to_owned(),
            one_core: "SIMD".to_owned(),
            points: vec![point(1024, 1e5), point(4096, 2e6), point(16_384, 3e8)],
            ..KernelReport::default()
        };
        let never = KernelReport {
            one_core: "scalar code".to_owned(),
            points: vec![point(1024, 1.0)],
            ..KernelReport::default()
        };
        GpuReport { kernels: vec![kernel, never], ..GpuReport::default() }
    }

    #[test]
    fn the_text_says_from_where_it_pays() {
        let text = text(&report(), Paint::new(false));
        assert!(text.contains("pays from 16,384 rows on"), "{text}");
        assert!(text.contains("does not pay from host memory"), "{text}");
        assert!(text.contains("61.0 %") || text.contains("61 %"), "{text}");
        assert!(text.contains("× one core with SIMD, end to end"), "{text}");
        assert!(text.contains("one core with scalar code"), "{text}");
    }
}
