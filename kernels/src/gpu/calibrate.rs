//! From how many rows on the GPU pays: each kernel, measured against one core.
//!
//! For each probe and a few batch sizes, both sides are timed and their answers compared; the
//! **crossover** is the smallest size from which on the GPU is faster at every size that was
//! tried, from host memory to host memory. It takes some seconds, so its result is kept in a file
//! by machine, adapter and driver (see [`Calibration::to_text`]); time comes in as a clock.
//!
//! A GPU whose answer differs is no faster at any size: it is reported, and not used.

use std::time::Duration;

use super::probe::PROBES;
use super::{Gpu, GpuError};
use crate::simd::Level;

/// Rows of the batches that are tried.
pub const SIZES: [usize; 5] = [1 << 10, 1 << 13, 1 << 16, 1 << 18, 1 << 20];

/// The first line of a file; a change of the format changes it.
const HEAD: &str = "pelton calibration 2";

/// How often the budget a size may take that is expected to take more than is left.
const OVERDRAFT: u32 = 4;

/// A kernel at one batch size.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// Rows of the batch.
    pub rows: usize,
    /// Nanoseconds a row on one core.
    pub cpu_ns: f64,
    /// Nanoseconds a row on the GPU, from host memory and back.
    pub gpu_ns: f64,
}

/// What was measured of one kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Measured {
    /// Name of the probe.
    pub name: String,
    /// Whether both sides gave the same answer.
    pub same_answer: bool,
    /// By batch size, ascending.
    pub points: Vec<Point>,
}

impl Measured {
    /// The smallest batch from which on the GPU was faster; `None` where it never was.
    #[must_use]
    pub fn crossover_rows(&self) -> Option<usize> {
        if !self.same_answer {
            return None;
        }
        let slower = self.points.iter().rposition(|point| point.gpu_ns >= point.cpu_ns);
        self.points.get(slower.map_or(0, |at| at + 1)).map(|point| point.rows)
    }
}

/// Everything that was measured of one adapter.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Calibration {
    /// What it holds for: machine, adapter, driver.
    pub key: String,
    /// The kernels.
    pub kernels: Vec<Measured>,
}

impl Calibration {
    /// Measures. `clock` says how much time has passed since some moment; `budget` is what each
    /// kernel may take: larger sizes are left out once it is spent, or where the next one, going by
    /// the last, would take several times as much.
    ///
    /// # Errors
    /// When the GPU is lost; what fails otherwise counts as slower.
    pub fn measure(
        gpu: &Gpu,
        key: &str,
        budget: Duration,
        clock: &dyn Fn() -> Duration,
    ) -> Result<Self, GpuError> {
        let mut kernels = Vec::new();
        for kind in &PROBES {
            let begin = clock();
            let mut measured =
                Measured { name: kind.name.to_owned(), same_answer: true, points: Vec::new() };
            let mut took = Duration::ZERO;
            for (at, rows) in SIZES.into_iter().enumerate() {
                let rows = rows / kind.divisor;
                let growth = at.checked_sub(1).map_or(1, |before| SIZES[at] / SIZES[before]) as u32;
                if clock() - begin + took * growth.pow(kind.power) > budget * OVERDRAFT {
                    break;
                }
                let start = clock();
                let mut probe = (kind.make)(rows);
                let cpu_ns = best(clock, || {
                    probe.cpu(Level::best());
                    Ok(())
                })?;
                let wanted = probe.answer();
                // Compiling and first allocations are not what a run costs.
                let warm = probe.gpu(gpu);
                if matches!(&warm, Err(error) if error.is_lost()) {
                    return Err(warm.err().unwrap_or(GpuError::Lost(String::new())));
                }
                let Ok(gpu_ns) = best(clock, || probe.gpu(gpu)) else { break };
                measured.same_answer &= probe.answer() == wanted;
                let per_row = |ns: f64| ns / (rows * probe.batches()) as f64;
                let point = Point { rows, cpu_ns: per_row(cpu_ns), gpu_ns: per_row(gpu_ns) };
                measured.points.push(point);
                took = clock() - start;
                if clock() - begin > budget {
                    break;
                }
            }
            kernels.push(measured);
        }
        Ok(Self { key: key.to_owned(), kernels })
    }

    /// What was measured of a kernel.
    #[must_use]
    pub fn of(&self, name: &str) -> Option<&Measured> {
        self.kernels.iter().find(|measured| measured.name == name)
    }

    /// As text: a line a point, words apart.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{HEAD}\n{}\n", self.key);
        for measured in &self.kernels {
            let same = if measured.same_answer { "same" } else { "differs" };
            text.push_str(&format!("kernel {} {same}\n", measured.name));
            for point in &measured.points {
                text.push_str(&format!("{} {} {}\n", point.rows, point.cpu_ns, point.gpu_ns));
            }
        }
        text
    }

    /// Reads what [`Calibration::to_text`] wrote; `None` where it is of another version, for
    /// another machine, or damaged.
    #[must_use]
    pub fn from_text(text: &str, key: &str) -> Option<Self> {
        let mut lines = text.lines();
        if lines.next() != Some(HEAD) || lines.next() != Some(key) || !text.ends_with('\n') {
            return None;
        }
        let mut kernels: Vec<Measured> = Vec::new();
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["kernel", name, same] => kernels.push(Measured {
                    name: name.to_owned(),
                    same_answer: same == "same",
                    points: Vec::new(),
                }),
                [rows, cpu_ns, gpu_ns] => kernels.last_mut()?.points.push(Point {
                    rows: rows.parse().ok()?,
                    cpu_ns: cpu_ns.parse().ok()?,
                    gpu_ns: gpu_ns.parse().ok()?,
                }),
                _ => return None,
            }
        }
        Some(Self { key: key.to_owned(), kernels })
    }
}

/// The shorter of two runs, in nanoseconds.
fn best(
    clock: &dyn Fn() -> Duration,
    mut run: impl FnMut() -> Result<(), GpuError>,
) -> Result<f64, GpuError> {
    let mut best = f64::INFINITY;
    for _ in 0..2 {
        let begin = clock();
        run()?;
        best = best.min((clock() - begin).as_nanos() as f64);
    }
    Ok(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(times: &[(usize, f64, f64)]) -> Measured {
        let point = |(rows, cpu_ns, gpu_ns): &(usize, f64, f64)| Point {
            rows: *rows,
            cpu_ns: *cpu_ns,
            gpu_ns: *gpu_ns,
        };
        Measured {
            name: "hash".to_owned(),
            same_answer: true,
            points: times.iter().map(point).collect(),
        }
    }

    #[test]
    fn the_crossover_is_where_the_gpu_stays_faster() {
        let of = |times: &[(usize, f64, f64)]| measured(times).crossover_rows();
        assert_eq!(of(&[(10, 1.0, 9.0), (100, 1.0, 0.5), (1000, 1.0, 0.1)]), Some(100));
        assert_eq!(of(&[(10, 1.0, 0.5), (100, 1.0, 1.5), (1000, 1.0, 0.1)]), Some(1000));
        assert_eq!(of(&[(10, 1.0, 0.5)]), Some(10));
        assert_eq!(of(&[(10, 1.0, 1.5)]), None);
        assert_eq!(of(&[]), None);
        let wrong = Measured { same_answer: false, ..measured(&[(10, 1.0, 0.5)]) };
        assert_eq!(wrong.crossover_rows(), None);
    }

    #[test]
    fn text_comes_back_and_damage_does_not() {
        let kernels = vec![measured(&[(10, 1.25, 0.1), (20, 3e-7, 1e9)]), measured(&[])];
        let calibration = Calibration { key: "m vulkan-x".to_owned(), kernels };
        let text = calibration.to_text();
        assert_eq!(Calibration::from_text(&text, "m vulkan-x"), Some(calibration));
        assert_eq!(Calibration::from_text(&text, "m vulkan-y"), None);
        for end in 0..text.len() {
            if !text[..end].ends_with('\n') {
                assert_eq!(Calibration::from_text(&text[..end], "m vulkan-x"), None, "{end}");
            }
        }
        assert_eq!(Calibration::from_text(&text.replace(" 1.25 ", " x "), "m vulkan-x"), None);
    }
}
