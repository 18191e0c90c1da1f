//! A GPU against one core: what its bus and its memory give, and each kernel by batch size.
//!
//! * *Device*: how long an empty round trip takes; bytes a second up, down, and copied within the
//!   device (read and written bytes counted both).
//! * *Kernels*: rows a second by scalar code, by SIMD, by the GPU from host memory and back, and
//!   by the passes alone on columns that lie on the device, timed by it. `share_of_copy` is what
//!   those passes reach of the copying bandwidth, by the bytes that they touch at least.
//!
//! Every answer of the GPU is compared with the SIMD one; a difference is an error. Each figure is
//! the best of some runs; the first, which compiles and allocates, is not among them.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use pelton::{Error, Result};
use pelton_kernels::gpu::probe::{Kind, PROBES, Probe};
use pelton_kernels::gpu::{Gpu, GpuError, finish};
use pelton_kernels::simd::Level;
use serde::{Deserialize, Serialize};

/// Most runs of a point.
const RUNS: usize = 5;
/// A point that has taken this long is not run again.
const ENOUGH: Duration = Duration::from_millis(700);
/// Rows past which scalar code is not measured: its rate no longer changes.
const SCALAR_ROWS_MAX: usize = 1 << 16;
/// Bytes that are copied to measure bandwidth.
const COPY_BYTES: u64 = 1 << 28;
/// How often, at a time.
const COPIES: usize = 8;

/// What the device and its bus give.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceReport {
    /// Submitting nothing and waiting for it, microseconds.
    pub round_trip_us: f64,
    /// Host memory to device, bytes a second.
    pub upload_bytes_per_s: f64,
    /// Device to host memory.
    pub read_bytes_per_s: f64,
    /// Within the device, bytes read and written together.
    pub copy_bytes_per_s: f64,
    /// Bytes of each copy.
    pub copy_bytes: u64,
}

/// One pass of a kernel, on the device.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PassReport {
    /// Its name.
    pub pass: String,
    /// Microseconds of all its dispatches in one run.
    pub us: f64,
}

/// A kernel at one batch size.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct PointReport {
    /// Rows of the batch.
    pub rows: usize,
    /// By scalar code; none for large batches.
    pub scalar_rows_per_s: Option<f64>,
    /// By SIMD code at the machine's level.
    pub simd_rows_per_s: f64,
    /// By the GPU, from host memory and back.
    pub gpu_rows_per_s: f64,
    /// By the passes alone; none where the device has no clock.
    pub resident_rows_per_s: Option<f64>,
    /// Bytes a second that the passes touched at least.
    pub resident_bytes_per_s: Option<f64>,
    /// The same over the device's copying bandwidth.
    pub share_of_copy: Option<f64>,
    /// The passes.
    pub passes: Vec<PassReport>,
}

/// A kernel.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelReport {
    /// Name of the probe.
    pub name: String,
    /// The kernel.
    pub kernel: String,
    /// What is fixed.
    pub setting: String,
    /// Bytes a row over the bus.
    pub bus_bytes_per_row: f64,
    /// By batch size.
    pub points: Vec<PointReport>,
}

impl KernelReport {
    /// The smallest batch from which on the GPU was faster than SIMD, from host memory and back.
    #[must_use]
    pub fn crossover_rows(&self) -> Option<usize> {
        let slower = self.points.iter().rposition(|p| p.gpu_rows_per_s <= p.simd_rows_per_s);
        self.points.get(slower.map_or(0, |at| at + 1)).map(|point| point.rows)
    }
}

fn failed(what: &str, error: &GpuError) -> Error {
    Error::run(format!("{what}: {error}"))
}

/// Seconds of the fastest of some runs, and what it gave.
fn fastest<T>(
    mut run: impl FnMut() -> std::result::Result<T, GpuError>,
) -> std::result::Result<(f64, T), GpuError> {
    let begin = Instant::now();
    let mut best: Option<(f64, T)> = None;
    for _ in 0..RUNS {
        let start = Instant::now();
        let given = run()?;
        let taken = start.elapsed().as_secs_f64();
        if best.as_ref().is_none_or(|(before, _)| taken < *before) {
            best = Some((taken, given));
        }
        if begin.elapsed() > ENOUGH {
            break;
        }
    }
    best.ok_or_else(|| GpuError::Refused("nothing was run".to_owned()))
}

/// Measures the device and its bus.
///
/// # Errors
/// What the GPU answers.
pub fn device(gpu: &Gpu) -> Result<DeviceReport> {
    device_inner(gpu).map_err(|error| failed("the device", &error))
}

fn device_inner(gpu: &Gpu) -> std::result::Result<DeviceReport, GpuError> {
    let bytes = COPY_BYTES.min(gpu.binding_bytes_max() / 2);
    let host = vec![1_u8; bytes as usize / 4];
    let (a, b) = (gpu.buffer(bytes as usize)?, gpu.buffer(bytes as usize)?);
    let round_trip = || {
        let mut work = gpu.work()?;
        work.read(&a, 0..4)?;
        work.submit()?.wait()
    };
    round_trip()?;
    let (round_trip_s, _) = fastest(round_trip)?;
    let upload = || {
        let mut work = gpu.work()?;
        work.upload(&a, &host)?;
        work.submit()?.wait()
    };
    upload()?;
    let (upload_s, _) = fastest(upload)?;
    let read = || {
        let mut work = gpu.work()?;
        let read = work.read(&a, 0..host.len() as u64)?;
        // Reading is done when the bytes are in memory of the host's own.
        Ok(work.submit()?.wait()?.values::<u8>(read))
    };
    read()?;
    let (read_s, _) = fastest(read)?;
    let copy = || {
        let mut work = gpu.work()?;
        for _ in 0..COPIES {
            work.copy(&a, &b, bytes)?;
        }
        work.submit()?.wait()?;
        finish(gpu)
    };
    copy()?;
    let (copy_s, ()) = fastest(copy)?;
    let copied = 2.0 * bytes as f64 * COPIES as f64;
    Ok(DeviceReport {
        round_trip_us: round_trip_s * 1e6,
        upload_bytes_per_s: host.len() as f64 / upload_s,
        read_bytes_per_s: host.len() as f64 / read_s,
        copy_bytes_per_s: copied / (copy_s - round_trip_s).max(copy_s / 10.0),
        copy_bytes: bytes,
    })
}

/// Batch sizes up to so many rows: powers of four from 1,024 on.
#[must_use]
pub fn sizes(rows_max: usize) -> Vec<usize> {
    let all = (10..).step_by(2).map(|power| 1_usize << power);
    let mut sizes: Vec<usize> = all.take_while(|rows| *rows < rows_max).collect();
    sizes.push(rows_max.max(1));
    sizes
}

/// Measures the kernels whose name holds `part`, at each batch size. `begin` is told of each.
///
/// # Errors
/// What the GPU answers, and an answer that differs from the CPU's.
pub fn kernels(
    gpu: &Gpu,
    part: &str,
    sizes: &[usize],
    device: &DeviceReport,
    begin: impl Fn(&str, usize),
) -> Result<Vec<KernelReport>> {
    let mut reports = Vec::new();
    for kind in PROBES.iter().filter(|kind| kind.name.contains(part)) {
        let mut report = KernelReport {
            name: kind.name.to_owned(),
            kernel: kind.kernel.to_owned(),
            setting: kind.setting.to_owned(),
            ..KernelReport::default()
        };
        for &rows in sizes {
            begin(kind.name, rows);
            let mut probe = (kind.make)(rows);
            report.bus_bytes_per_row = probe.bus_bytes_per_row();
            report.points.push(point(gpu, kind, probe.as_mut(), rows, device)?);
        }
        reports.push(report);
    }
    if reports.is_empty() {
        let known: Vec<&str> = PROBES.iter().map(|kind| kind.name).collect();
        return Err(Error::usage(format!("no kernel `{part}`; there are: {}", known.join(", "))));
    }
    Ok(reports)
}

fn point(
    gpu: &Gpu,
    kind: &Kind,
    probe: &mut dyn Probe,
    rows: usize,
    device: &DeviceReport,
) -> Result<PointReport> {
    let fail = |error: GpuError| failed(kind.name, &error);
    let all_rows = rows * probe.batches();
    let rate = |seconds: f64| all_rows as f64 / seconds;
    let mut scalar_rows_per_s = None;
    if rows <= SCALAR_ROWS_MAX {
        let (seconds, _) = fastest(|| Ok(probe.cpu(Level::Scalar))).map_err(fail)?;
        scalar_rows_per_s = Some(rate(seconds));
    }
    let (simd_s, wanted) = fastest(|| Ok(probe.cpu(Level::best()))).map_err(fail)?;
    probe.gpu(gpu).map_err(fail)?;
    let (gpu_s, answer) = fastest(|| probe.gpu(gpu)).map_err(fail)?;
    if answer != wanted {
        let what = format!("{} of {rows} rows: the GPU's answer is wrong", kind.name);
        return Err(Error::run(what));
    }
    let timed = gpu.timed();
    probe.resident(&timed).map_err(fail)?;
    let mut best: Option<(f64, BTreeMap<&str, f64>)> = None;
    for _ in 0..RUNS {
        let times = probe.resident(&timed).map_err(fail)?;
        let total: f64 = times.iter().map(|(_, ns)| ns).sum();
        if total > 0.0 && best.as_ref().is_none_or(|(before, _)| total < *before) {
            let mut passes = BTreeMap::new();
            for (pass, ns) in times {
                *passes.entry(pass.name()).or_insert(0.0) += ns / 1e3;
            }
            best = Some((total, passes));
        }
    }
    let bytes_per_s = best.as_ref().map(|(ns, _)| probe.resident_bytes() as f64 / ns * 1e9);
    Ok(PointReport {
        rows,
        scalar_rows_per_s,
        simd_rows_per_s: rate(simd_s),
        gpu_rows_per_s: rate(gpu_s),
        resident_rows_per_s: best.as_ref().map(|(ns, _)| probe.resident_rows() as f64 / ns * 1e9),
        resident_bytes_per_s: bytes_per_s,
        share_of_copy: bytes_per_s.map(|rate| rate / device.copy_bytes_per_s),
        passes: best
            .map(|(_, passes)| passes)
            .unwrap_or_default()
            .into_iter()
            .map(|(pass, us)| PassReport { pass: pass.to_owned(), us })
            .collect(),
    })
}
