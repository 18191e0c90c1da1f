//! The doctor's findings for people.

use super::{Findings, Gpus};
use crate::report::format::{bytes, micros, significant};
use crate::terminal::Paint;

/// What one line says about its subject.
enum Mark {
    Good,
    Look,
    Plain,
}

struct Lines {
    text: String,
    paint: Paint,
}

impl Lines {
    fn heading(&mut self, name: &str) {
        self.text.push_str(&format!("\n {}\n", self.paint.bold(name)));
    }

    fn line(&mut self, mark: Mark, name: &str, value: impl AsRef<str>) {
        let mark = match mark {
            Mark::Good => self.paint.green("✓"),
            Mark::Look => self.paint.yellow("!"),
            Mark::Plain => " ".into(),
        };
        let name = self.paint.dim(format!("{name:<20}"));
        self.text.push_str(&format!("  {mark} {name}{}\n", value.as_ref()));
    }

    fn advice(&mut self, text: &str) {
        let text = self.paint.dim(format!("help: {text}"));
        self.text.push_str(&format!("      {text}\n"));
    }
}

/// The text, with a line end after each line.
pub fn text(findings: &Findings, paint: Paint) -> String {
    let mut lines = Lines { text: String::new(), paint };
    lines.text.push_str(&format!("\n pelton {} on this machine\n", findings.pelton));
    system(&mut lines, findings);
    processor(&mut lines, findings);
    memory(&mut lines, findings);
    input(&mut lines, findings);
    gpus(&mut lines, &findings.gpus);
    if findings.debug_build {
        lines.text.push('\n');
        lines.line(Mark::Look, "debug build", "the measurements above say little");
        lines.advice("build with --release");
    }
    lines.text.push('\n');
    lines.text
}

fn system(lines: &mut Lines, findings: &Findings) {
    let machine = &findings.machine;
    lines.heading("System");
    let unknown = || "unknown".to_owned();
    lines.line(Mark::Plain, "system", machine.os.clone().unwrap_or_else(unknown));
    let kernel = machine.kernel.clone().unwrap_or_else(unknown);
    let virtual_machine = if machine.virtual_machine { ", virtual machine" } else { "" };
    lines.line(Mark::Plain, "kernel", format!("{kernel}, {}{virtual_machine}", machine.arch));
}

fn processor(lines: &mut Lines, findings: &Findings) {
    let machine = &findings.machine;
    lines.heading("Processor");
    if let Some(model) = &machine.cpu_model {
        lines.line(Mark::Plain, "model", model);
    }
    let fewer = machine.cores_online.is_some_and(|online| online > machine.cores_usable);
    lines.line(if fewer { Mark::Look } else { Mark::Good }, "cores", machine.cores_text());
    if fewer {
        lines.advice("affinity or a container keeps this process from the others");
    }
    let scalar = machine.simd_level == "scalar";
    lines.line(if scalar { Mark::Look } else { Mark::Good }, "SIMD", &machine.simd_level);
    for (level, names) in machine.kernels_texts() {
        lines.line(Mark::Plain, &format!("{level} kernels"), names);
    }
    if !machine.caches.is_empty() {
        lines.line(Mark::Plain, "caches", machine.caches_text());
    }
    let measured = &findings.measured;
    // A clock read on every batch should cost less than the batch: above 200 ns the kernel is
    // asked each time.
    let slow = measured.clock_cost_ns > 200.0;
    let source = machine.clock_source.as_ref().map_or_else(String::new, |s| format!(" ({s})"));
    let clock = format!(
        "{} a read, steps of {}{source}",
        micros(measured.clock_cost_ns / 1e3),
        micros(measured.clock_step_ns as f64 / 1e3),
    );
    lines.line(if slow { Mark::Look } else { Mark::Good }, "clock", clock);
}

fn memory(lines: &mut Lines, findings: &Findings) {
    let machine = &findings.machine;
    let measured = &findings.measured;
    lines.heading("Memory");
    if let Some(total) = machine.memory_total_bytes {
        let free = machine.memory_available_bytes.map(|b| format!(", {} available", bytes(b)));
        lines.line(Mark::Plain, "total", format!("{}{}", bytes(total), free.unwrap_or_default()));
    }
    if let Some(limit) = machine.memory_limit_bytes {
        lines.line(Mark::Look, "container limit", bytes(limit));
    }
    let rate = |bytes_per_s: f64| format!("{} GB/s", significant(bytes_per_s / 1e9));
    let array = bytes(measured.array_bytes);
    let one = format!("{} with one thread", rate(measured.read_one_thread_bytes_per_s));
    let all = match measured.threads {
        1 => String::new(),
        n => format!(", {} with {n}", rate(measured.read_all_threads_bytes_per_s)),
    };
    lines.line(Mark::Good, "read bandwidth", format!("{one}{all} (array of {array})"));
    if let Some(pages) = &machine.huge_pages {
        let never = pages == "never";
        let mark = if never { Mark::Look } else { Mark::Good };
        lines.line(mark, "huge pages", pages);
        if never {
            lines
                .advice("large tables miss the TLB: set transparent_hugepage to madvise or always");
        }
    }
}

fn input(lines: &mut Lines, findings: &Findings) {
    let io_uring = &findings.machine.io_uring;
    lines.heading("Input");
    let mark = if io_uring.usable { Mark::Good } else { Mark::Look };
    lines.line(mark, "io_uring", io_uring.text());
    if !io_uring.usable {
        lines.advice(
            "files are read with plain reads instead: slower only when not in the page cache",
        );
    }
}

fn gpus(lines: &mut Lines, gpus: &Gpus) {
    lines.heading("GPU");
    for adapter in &gpus.adapters {
        let chosen = gpus.chosen == Some(adapter.index);
        let mark = if chosen { Mark::Good } else { Mark::Plain };
        let name = format!("{} {}", adapter.index, adapter.kind);
        let about = format!("{} ({}, {})", adapter.name, adapter.api, adapter.driver);
        lines.line(mark, &name, about);
        lines.line(Mark::Plain, "", &adapter.abilities);
    }
    if let Some(reason) = &gpus.reason {
        lines.line(Mark::Plain, "kernels run", format!("on the CPU: {reason}"));
        if gpus.built_in && !gpus.adapters.is_empty() {
            lines.advice("PELTON_GPU=number or a part of a name chooses one");
        }
    }
    #[cfg(feature = "gpu")]
    if let Some(crossovers) = &gpus.crossovers {
        for kernel in &crossovers.kernels {
            let (mark, from) = match (kernel.same_answer, kernel.rows) {
                (false, _) => (Mark::Look, "its answer is wrong: not used".to_owned()),
                (true, Some(rows)) => (Mark::Good, format!("from {rows} rows a batch on")),
                (true, None) => (Mark::Plain, "does not pay".to_owned()),
            };
            lines.line(mark, &kernel.name, from);
        }
        lines.advice("measured against one core, from host memory and back: pelton bench gpu");
    }
}
