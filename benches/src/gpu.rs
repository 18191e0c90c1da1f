//! A GPU against one core: what its bus and its memory give, and each kernel by batch size.
//!
//! * *Device*: how long an empty round trip takes; bytes a second up, down, and copied within the
//!   device (read and written bytes counted both).
//! * *Kernels*: rows a second by scalar code, by SIMD, by the GPU from host memory and back, and
//!   by the passes alone on columns that lie on the device, timed by it. `share_of_copy` is what
//!   those passes reach of the copying bandwidth, by the bytes that they touch at least. `upload_us`
//!   and `read_us` are what it takes to move as many bytes as a run moves, and nothing else.
//!
//! Every answer of the GPU is compared with the SIMD one; a difference is an error. Each figure is
//! the best of some runs; the first, which compiles and allocates, is not among them. A batch size
//! that would take more than some seconds, going by the one before, is left out, and the larger
//! ones with it: so a slow device ends as soon as a fast one.

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
/// What scalar code may take at a point, going by the one before.
const SCALAR_S_MAX: f64 = 4.0;
/// What the rest of a point may take, going by the one before.
const POINT_S_MAX: f64 = 30.0;
/// Bytes that are copied to measure bandwidth.
const COPY_BYTES: u64 = 1 << 28;
/// How often, at a time.
const COPIES: usize = 8;

/// Where a kernel has nothing better.
const SCALAR_CODE: &str = "scalar code";

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
    /// By SIMD code at the machine's level; by scalar code where the kernel has no other.
    pub simd_rows_per_s: f64,
    /// By the GPU, from host memory and back.
    pub gpu_rows_per_s: f64,
    /// The GPU's rate over that of the best code of one core.
    pub times_one_core: f64,
    /// Microseconds that as many bytes take to the device as a run uploads.
    pub upload_us: f64,
    /// And back.
    pub read_us: f64,
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
    /// Code of one core that the GPU is compared with: "SIMD", or "scalar code".
    pub one_core: String,
    /// Bytes a row over the bus.
    pub bus_bytes_per_row: f64,
    /// By batch size.
    pub points: Vec<PointReport>,
}

impl KernelReport {
    /// Whether the GPU is compared with SIMD.
    #[must_use]
    pub fn has_simd(&self) -> bool {
        self.one_core != SCALAR_CODE
    }

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
    let host_bytes = bytes / 4;
    let (a, b) = (gpu.buffer(bytes as usize)?, gpu.buffer(bytes as usize)?);
    let round_trip = || {
        let mut work = gpu.work()?;
        work.read(&a, 0..4)?;
        work.submit()?.wait()
    };
    round_trip()?;
    let (round_trip_s, _) = fastest(round_trip)?;
    let [upload_s, read_s] = transfers_s(gpu, [host_bytes, host_bytes])?;
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
        upload_bytes_per_s: host_bytes as f64 / upload_s,
        read_bytes_per_s: host_bytes as f64 / read_s,
        copy_bytes_per_s: copied / (copy_s - round_trip_s).max(copy_s / 10.0),
        copy_bytes: bytes,
    })
}

/// Seconds in which so many bytes go to the device, and so many come back, each by itself.
fn transfers_s(gpu: &Gpu, [up, down]: [u64; 2]) -> std::result::Result<[f64; 2], GpuError> {
    let most = gpu.binding_bytes_max();
    let (up, down) = (up.min(most), down.min(most));
    let host = vec![1_u8; up as usize];
    let buffer = gpu.buffer(up.max(down).max(4) as usize)?;
    let upload = || {
        let mut work = gpu.work()?;
        work.upload(&buffer, &host)?;
        work.submit()?.wait()
    };
    upload()?;
    let (upload_s, _) = fastest(upload)?;
    let read = || {
        let mut work = gpu.work()?;
        let read = work.read(&buffer, 0..down)?;
        // Reading is done when the bytes are in memory of the host's own.
        Ok(work.submit()?.wait()?.values::<u8>(read))
    };
    read()?;
    let (read_s, _) = fastest(read)?;
    Ok([upload_s, read_s])
}

/// Batch sizes up to so many rows: powers of four from 1,024 on.
#[must_use]
pub fn sizes(rows_max: usize) -> Vec<usize> {
    let all = (10..).step_by(2).map(|power| 1_usize << power);
    let mut sizes: Vec<usize> = all.take_while(|rows| *rows < rows_max).collect();
    sizes.push(rows_max.max(1));
    sizes
}

/// The probes that `names` ask for, each once and in the order of the data; all for none. A name
/// is a probe's own or a kernel's, or else a part of a probe's.
///
/// # Errors
/// A name that is none, with those that there are.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Kind>> {
    let mut wanted = vec![names.is_empty(); PROBES.len()];
    for name in names {
        let exact = |kind: &Kind| kind.name == name || kind.kernel == name;
        let is_exact = PROBES.iter().any(exact);
        let mut found = false;
        for (kind, wanted) in PROBES.iter().zip(&mut wanted) {
            if exact(kind) || !is_exact && kind.name.contains(name.as_str()) {
                (*wanted, found) = (true, true);
            }
        }
        if !found {
            let known: Vec<&str> = PROBES.iter().map(|kind| kind.name).collect();
            return Err(Error::usage(format!(
                "no kernel `{name}`; there are: {}",
                known.join(", ")
            ))
            .advise("several are separated by commas: --kernel forest,nearest"));
        }
    }
    Ok(PROBES.iter().zip(wanted).filter(|(_, wanted)| *wanted).map(|(kind, _)| kind).collect())
}

/// Measures kernels, at each batch size that they are not too slow for. `begin` is told of each.
///
/// # Errors
/// What the GPU answers, and an answer that differs from the CPU's.
pub fn kernels(
    gpu: &Gpu,
    kinds: &[&Kind],
    sizes: &[usize],
    device: &DeviceReport,
    begin: impl Fn(&str, usize),
) -> Result<Vec<KernelReport>> {
    let mut reports = Vec::new();
    for kind in kinds {
        let mut report = KernelReport {
            name: kind.name.to_owned(),
            kernel: kind.kernel.to_owned(),
            setting: kind.setting.to_owned(),
            one_core: if kind.has_simd { "SIMD" } else { SCALAR_CODE }.to_owned(),
            ..KernelReport::default()
        };
        let mut last: Option<Taken> = None;
        for rows in sizes.iter().map(|rows| (rows / kind.divisor).max(1)) {
            let growth = |last: &Taken| {
                let times = rows as f64 / last.rows as f64;
                (0..kind.power).map(|_| times).product::<f64>()
            };
            if last.as_ref().is_some_and(|last| last.other_s * growth(last) > POINT_S_MAX) {
                break;
            }
            let is_quick = |last: &Taken| last.scalar_s * growth(last) <= SCALAR_S_MAX;
            let with_scalar = rows <= SCALAR_ROWS_MAX && last.as_ref().is_none_or(is_quick);
            begin(kind.name, rows);
            let mut probe = (kind.make)(rows);
            report.bus_bytes_per_row = probe.bus_bytes_per_row();
            let (point, taken) = point(gpu, kind, probe.as_mut(), (rows, with_scalar), device)?;
            last = Some(taken);
            report.points.push(point);
        }
        reports.push(report);
    }
    Ok(reports)
}

/// What a point took.
struct Taken {
    rows: usize,
    /// A run of scalar code; infinite where that was left out, so that it stays so.
    scalar_s: f64,
    /// All but scalar code.
    other_s: f64,
}

fn point(
    gpu: &Gpu,
    kind: &Kind,
    probe: &mut dyn Probe,
    (rows, with_scalar): (usize, bool),
    device: &DeviceReport,
) -> Result<(PointReport, Taken)> {
    let fail = |error: GpuError| failed(kind.name, &error);
    let all_rows = rows * probe.batches();
    let rate = |seconds: f64| all_rows as f64 / seconds;
    let mut on_core = |level: Level| {
        let run = || {
            probe.cpu(level);
            Ok(())
        };
        fastest(run).map(|(seconds, ())| seconds).map_err(fail)
    };
    let scalar_s = with_scalar.then(|| on_core(Level::Scalar)).transpose()?;
    let others = Instant::now();
    let simd_s = match (kind.has_simd, scalar_s) {
        (false, Some(seconds)) => seconds,
        _ => on_core(Level::best())?,
    };
    let wanted = probe.answer();
    probe.gpu(gpu).map_err(fail)?;
    let (gpu_s, ()) = fastest(|| probe.gpu(gpu)).map_err(fail)?;
    if probe.answer() != wanted {
        let what = format!("{} of {rows} rows: the GPU's answer is wrong", kind.name);
        return Err(Error::run(what));
    }
    // Once more, to see what moves.
    let before = gpu.stats();
    probe.gpu(gpu).map_err(fail)?;
    let moved = gpu.stats().since(&before);
    let [upload_s, read_s] =
        transfers_s(gpu, [moved.uploaded_bytes, moved.read_bytes]).map_err(fail)?;
    let best = resident(gpu, probe).map_err(fail)?;
    let bytes_per_s = best.as_ref().map(|(ns, _)| probe.resident_bytes() as f64 / ns * 1e9);
    let report = PointReport {
        rows,
        scalar_rows_per_s: scalar_s.map(rate),
        simd_rows_per_s: rate(simd_s),
        gpu_rows_per_s: rate(gpu_s),
        times_one_core: scalar_s.map_or(simd_s, |scalar_s| simd_s.min(scalar_s)) / gpu_s,
        upload_us: upload_s * 1e6,
        read_us: read_s * 1e6,
        resident_rows_per_s: best.as_ref().map(|(ns, _)| probe.resident_rows() as f64 / ns * 1e9),
        resident_bytes_per_s: bytes_per_s,
        share_of_copy: bytes_per_s.map(|rate| rate / device.copy_bytes_per_s),
        passes: best
            .map(|(_, passes)| passes)
            .unwrap_or_default()
            .into_iter()
            .map(|(pass, us)| PassReport { pass: pass.to_owned(), us })
            .collect(),
    };
    let taken = Taken {
        rows,
        scalar_s: scalar_s.unwrap_or(f64::INFINITY),
        other_s: others.elapsed().as_secs_f64(),
    };
    Ok((report, taken))
}

/// Nanoseconds of the passes of a run, and microseconds of each.
type Timed = (f64, BTreeMap<&'static str, f64>);

/// The passes alone, the best of some runs; none where the device has no clock.
fn resident(gpu: &Gpu, probe: &mut dyn Probe) -> std::result::Result<Option<Timed>, GpuError> {
    let timed = gpu.timed();
    probe.resident(&timed)?;
    let (begin, mut best) = (Instant::now(), None::<Timed>);
    for _ in 0..RUNS {
        let times = probe.resident(&timed)?;
        let total: f64 = times.iter().map(|(_, ns)| ns).sum();
        if total > 0.0 && best.as_ref().is_none_or(|(before, _)| total < *before) {
            let mut passes = BTreeMap::new();
            for (pass, ns) in times {
                *passes.entry(pass.name()).or_insert(0.0) += ns / 1e3;
            }
            best = Some((total, passes));
        }
        if begin.elapsed() > ENOUGH {
            break;
        }
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(asked: &[&str]) -> Result<Vec<&'static str>> {
        let asked: Vec<String> = asked.iter().map(|&name| name.to_owned()).collect();
        chosen(&asked).map(|kinds| kinds.iter().map(|kind| kind.name).collect())
    }

    #[test]
    fn kernels_are_chosen_by_name_kernel_or_part() {
        assert_eq!(names(&[]).unwrap().len(), PROBES.len());
        assert_eq!(names(&["nearest", "forest"]).unwrap(), ["forest", "nearest"]);
        assert_eq!(names(&["score_forest"]).unwrap(), ["forest", "forest-f32"]);
        assert_eq!(names(&["reduce"]).unwrap(), ["reduce-64", "reduce-4k", "reduce-1m"]);
        let error = names(&["forest", "nothing"]).unwrap_err().to_string();
        assert!(error.contains("no kernel `nothing`; there are: filter, hash"), "{error}");
        assert!(names(&[""]).is_ok());
    }
}
