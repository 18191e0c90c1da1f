//! Every kernel on fixed rows: how long a row takes, or one run of each for an instruction count.
//!
//! ```sh
//! cargo run --release -p pelton-kernels            # ns a row at each level
//! cargo run --release -p pelton-kernels -- shard   # those with that in their name
//! ```
//!
//! With the word `once` each case runs one time, at the level of `PELTON_SIMD`, and prints its
//! rows and a number made of its answer: `cargo xtask instructions` runs that under callgrind.
//! Answers are compared between levels here, and with the record there.

mod cases;
mod data;

use std::process::{Command, ExitCode};
use std::time::Instant;

use cases::{CASES, Case};
use data::Data;
use pelton_kernels::simd::{LEVEL_VARIABLE, Level, level};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let word = |i: usize| arguments.get(i).map_or("", String::as_str);
    let result = match word(0) {
        "once" => once(),
        "timed" => timed(word(1)),
        name => table(name),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

/// One run of each case, for a counter of instructions.
fn once() -> Result<(), String> {
    let level = pelton_kernels::simd::try_level()?;
    let mut data = Data::new();
    for case in CASES.iter().filter(|case| !case.is_yardstick()) {
        let (rows, answer) = run(case, &mut data, level);
        println!("{} {rows} {answer:016x}", case.name);
    }
    Ok(())
}

fn run(case: &Case, data: &mut Data, level: Level) -> (usize, u64) {
    data.clear();
    let rows = (case.run)(data, level);
    (rows, data.answer())
}

/// Best of many runs of each case whose name holds `part`.
fn timed(part: &str) -> Result<(), String> {
    let mut data = Data::new();
    for case in CASES.iter().filter(|case| case.name.contains(part)) {
        let (rows, answer) = run(case, &mut data, level());
        let mut best = f64::INFINITY;
        let begin = Instant::now();
        while begin.elapsed().as_millis() < 60 {
            data.clear();
            let start = Instant::now();
            (case.run)(&mut data, level());
            best = best.min(start.elapsed().as_secs_f64());
        }
        println!("{} {:.3} {answer:016x}", case.name, best * 1e9 / rows as f64);
    }
    Ok(())
}

/// Runs itself once for each level, and shows the times beside each other.
fn table(part: &str) -> Result<(), String> {
    let own = std::env::current_exe().map_err(|error| error.to_string())?;
    let levels = Level::available();
    let mut columns = Vec::new();
    for level in &levels {
        let mut command = Command::new(&own);
        command.args(["timed", part]).env(LEVEL_VARIABLE, level.to_string());
        let output = command.output().map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        columns.push(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let names: Vec<String> = levels.iter().map(|level| format!("{level:>10}")).collect();
    println!("{:32}{}   ns a row", "", names.concat());
    let mut lines: Vec<_> = columns.iter().map(|column| column.lines()).collect();
    loop {
        let row: Option<Vec<&str>> = lines.iter_mut().map(Iterator::next).collect();
        let Some(row) = row else { return Ok(()) };
        let parts: Vec<Vec<&str>> = row.iter().map(|line| line.split(' ').collect()).collect();
        let times: Vec<String> = parts.iter().map(|part| format!("{:>10}", part[1])).collect();
        println!("{:32}{}", parts[0][0], times.concat());
        if parts.iter().any(|part| part[2] != parts[0][2]) {
            return Err(format!("{}: the levels disagree", parts[0][0]));
        }
    }
}
