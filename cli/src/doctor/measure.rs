//! Memory bandwidth and clock, measured.
//!
//! Bandwidth is what a plain summing loop reads from an array too large for the caches, the
//! best of several runs (anything else on the machine only makes it slower). Each thread sums
//! an array of its own that it has filled itself, so that its pages lie near its core.

use std::hint::black_box;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::Machine;

/// Memory used for the measurement where the machine has enough of it.
const ARRAY_BYTES: u64 = 512 << 20;
/// Most runs of one measurement.
const RUNS: usize = 7;
/// No further run is started after this.
const BUDGET: Duration = Duration::from_millis(700);

/// What was measured.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Measured {
    /// Bytes of all arrays together.
    pub array_bytes: u64,
    /// Bytes a second that one thread reads.
    pub read_one_thread_bytes_per_s: f64,
    /// Bytes a second that all threads read.
    pub read_all_threads_bytes_per_s: f64,
    /// Number of "all threads".
    pub threads: usize,
    /// ns that one `Instant::now` costs.
    pub clock_cost_ns: f64,
    /// Smallest step that the clock was seen to make, in ns.
    pub clock_step_ns: u64,
}

impl Measured {
    /// Measures; about two seconds.
    pub fn now(machine: &Machine) -> Self {
        let free = machine.memory_free_bytes().unwrap_or(ARRAY_BYTES);
        // A machine with little memory: an eighth of what is free, so that nothing swaps.
        let array_bytes = ARRAY_BYTES.min(free / 8).max(1 << 20);
        let threads = machine.cores_usable.max(1);
        let one = read_bytes_per_s(array_bytes, 1);
        let all = if threads == 1 { one } else { read_bytes_per_s(array_bytes, threads) };
        let (clock_cost_ns, clock_step_ns) = clock();
        Self {
            array_bytes,
            read_one_thread_bytes_per_s: one,
            read_all_threads_bytes_per_s: all,
            threads,
            clock_cost_ns,
            clock_step_ns,
        }
    }
}

/// Best rate of several runs, each over all arrays at once.
fn read_bytes_per_s(array_bytes: u64, threads: usize) -> f64 {
    let words = (array_bytes / 8) as usize / threads;
    let barrier = Barrier::new(threads);
    let begin = Instant::now();
    // Every thread must make the same number of runs: the first one decides, between barriers.
    let go_on = std::sync::atomic::AtomicBool::new(true);
    let runs = |thread: usize| {
        // Not zero: pages of zeros that were never written may all be one page.
        let array = vec![thread as u64 + 1; words];
        let mut spans = Vec::with_capacity(RUNS);
        for run in 0..RUNS {
            if thread == 0 {
                let more = run < 2 || begin.elapsed() < BUDGET;
                go_on.store(more, std::sync::atomic::Ordering::SeqCst);
            }
            barrier.wait();
            if !go_on.load(std::sync::atomic::Ordering::SeqCst) {
                break;
            }
            let start = Instant::now();
            black_box(sum(black_box(&array)));
            spans.push((start, Instant::now()));
            barrier.wait();
        }
        spans
    };
    let spans: Vec<Vec<(Instant, Instant)>> = std::thread::scope(|scope| {
        let runs = &runs;
        let handles: Vec<_> = (0..threads).map(|t| scope.spawn(move || runs(t))).collect();
        handles.into_iter().filter_map(|handle| handle.join().ok()).collect()
    });
    let count = spans.iter().map(Vec::len).min().unwrap_or(0);
    let wall = |run: usize| {
        let start = spans.iter().map(|spans| spans[run].0).min();
        let end = spans.iter().map(|spans| spans[run].1).max();
        start.zip(end).map_or(f64::INFINITY, |(start, end)| (end - start).as_secs_f64())
    };
    let best = (0..count).map(wall).fold(f64::INFINITY, f64::min);
    (words * 8 * threads) as f64 / best
}

/// Sum with 32 running sums, so that adding does not wait for adding.
fn sum(words: &[u64]) -> u64 {
    const LANES: usize = 32;
    let mut sums = [0u64; LANES];
    for chunk in words.chunks_exact(LANES) {
        for (sum, word) in sums.iter_mut().zip(chunk) {
            *sum = sum.wrapping_add(*word);
        }
    }
    sums.into_iter().fold(0, u64::wrapping_add)
}

/// Cost of reading the clock, and its smallest step, in ns.
fn clock() -> (f64, u64) {
    const READS: u32 = 50_000;
    let mut best = f64::INFINITY;
    let mut step = u64::MAX;
    for _ in 0..5 {
        let start = Instant::now();
        let mut before = start;
        for _ in 0..READS {
            let now = Instant::now();
            let ns = (now - before).as_nanos() as u64;
            if ns > 0 {
                step = step.min(ns);
            }
            before = now;
        }
        best = best.min((before - start).as_nanos() as f64 / f64::from(READS));
    }
    (best, if step == u64::MAX { 0 } else { step })
}
