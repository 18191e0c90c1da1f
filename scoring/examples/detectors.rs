//! The table of `docs/DETECTORS.md`: for every detector its scores on NAB and SKAB, values a
//! second on one core and bytes of state.
//!
//! `cargo run --release -p pelton-scoring --example detectors [nab|skab|speed] [DETECTOR]`
//!
//! Recordings are looked for under `$PELTON_DATA`, else beside the workspace
//! (`../shared/data`); what is absent is left out. SKAB is read as CSV, `$PELTON_SKAB`:
//! the eight sensors, then anomaly, changepoint and file.

use std::path::{Path, PathBuf};
use std::time::Instant;

use pelton_scoring::detect::correlation::Correlation;
use pelton_scoring::detect::random::Random;
use pelton_scoring::detect::{
    Keyed, KeyedRows, METHODS, Score, Scores, Stream, by_name, control_chart, cusum, ewma,
    holt_winters, page_hinkley, signal,
};
use pelton_scoring::evaluate::nab::{self, PROFILES, STANDARD, Scored, Window};
use pelton_scoring::evaluate::recording::{parse_series, parse_windows, windows_of};
use pelton_scoring::evaluate::skab::Counts;

type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;

/// One of NAB's files.
struct File {
    category: usize,
    times_s: Vec<i64>,
    values: Vec<f64>,
    windows: Vec<Window>,
}

fn data() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    std::env::var_os("PELTON_DATA").map_or(beside, PathBuf::from)
}

fn read_nab(folder: &Path) -> Outcome<Vec<File>> {
    let labels = std::fs::read_to_string(folder.join("labels/combined_windows.json"))?;
    let mut categories = Vec::new();
    let mut files = Vec::new();
    for (name, windows) in parse_windows(&labels)? {
        let path = folder.join("data").join(&name);
        if !path.exists() {
            continue;
        }
        let series = parse_series(&std::fs::read_to_string(path)?)?;
        let category = name.split('/').next().unwrap_or_default().to_owned();
        if !categories.contains(&category) {
            categories.push(category.clone());
        }
        files.push(File {
            category: categories.iter().position(|known| *known == category).unwrap_or(0),
            windows: windows_of(&series.times_s, &windows),
            times_s: series.times_s,
            values: series.values,
        });
    }
    Ok(files)
}

/// What NAB is given: the evidence where there is a law, else the raw score.
fn strangeness(score: &Score) -> f64 {
    match score.law {
        pelton_scoring::detect::Law::Evidence(evidence) => evidence,
        _ => score.raw,
    }
}

fn nab_row(files: &[File], name: &str) -> Outcome<String> {
    let mut scores = Vec::new();
    for file in files {
        let mut stream = by_name(name, 1)?;
        let rows = file.times_s.iter().zip(&file.values);
        let score = |(time, value): (&i64, &f64)| {
            strangeness(&stream.push(time * 1_000_000, std::slice::from_ref(value)))
        };
        scores.push(rows.map(score).collect::<Vec<f64>>());
    }
    let scored: Vec<Scored<'_>> = scores
        .iter()
        .zip(files)
        .map(|(scores, file)| Scored { scores, windows: &file.windows })
        .collect();
    let mut cells = Vec::new();
    for profile in &PROFILES {
        cells.push(format!("{:.2}", nab::best(&scored, profile)?.score));
    }
    let categories: Vec<usize> = files.iter().map(|file| file.category).collect();
    let halves: Vec<usize> = (0..files.len()).map(|index| index % 2).collect();
    let each: Vec<usize> = (0..files.len()).collect();
    for groups in [categories, halves, each] {
        cells.push(format!("{:.2}", nab::cross_validated(&scored, &groups, &STANDARD)?));
    }
    cells.push(format!("{:.3}", nab::best(&scored, &STANDARD)?.threshold));
    Ok(format!("| {name} | {} |", cells.join(" | ")))
}

/// A file of SKAB: its rows and labels.
type SkabFile = (Vec<f64>, Vec<bool>);

fn read_skab(path: &Path) -> Outcome<Vec<SkabFile>> {
    let text = std::fs::read_to_string(path)?;
    let mut files: Vec<(String, SkabFile)> = Vec::new();
    for line in text.lines().skip(1) {
        let fields: Vec<&str> = line.split(',').collect();
        let [sensors @ .., anomaly, _, file] = fields.as_slice() else {
            return Err(format!("{line}: too few fields").into());
        };
        if files.last().is_none_or(|(name, _)| name != file) {
            files.push(((*file).to_owned(), (Vec::new(), Vec::new())));
        }
        if let Some((_, (rows, labels))) = files.last_mut() {
            for sensor in sensors {
                rows.push(sensor.parse()?);
            }
            labels.push(anomaly.parse::<f64>()? > 0.5);
        }
    }
    Ok(files.into_iter().map(|(_, file)| file).collect())
}

const SKAB_TRAINING: usize = 400;

/// Counts of a detector on all files; flags begin after the training rows.
fn skab_counts(files: &[SkabFile], make: &dyn Fn() -> Box<dyn Stream>) -> Outcome<Counts> {
    let mut counts = Counts::default();
    for (rows, labels) in files {
        let mut stream = make();
        let width = stream.dimensions();
        let flags: Vec<bool> =
            rows.chunks_exact(width).zip(0..).map(|(row, s)| stream.push(s, row).flag).collect();
        counts.add(&flags[SKAB_TRAINING..], &labels[SKAB_TRAINING..])?;
    }
    Ok(counts)
}

fn print_skab(files: &[SkabFile], only: Option<&str>) -> Outcome {
    println!("\n| detector | F1 | FAR % | MAR % |\n|---|---|---|---|");
    let row = |name: &str, make: &dyn Fn() -> Box<dyn Stream>| -> Outcome {
        let c = skab_counts(files, make)?;
        let (far, mar) = (c.false_alarm_percent(), c.missed_alarm_percent());
        println!("| {name} | {:.3} | {far:.1} | {mar:.1} |", c.f1());
        Ok(())
    };
    for (name, _) in METHODS.iter().filter(|(name, _)| only.is_none_or(|o| o == *name)) {
        if by_name(name, 8).is_ok() {
            row(name, &|| by_name(name, 8).unwrap_or_else(|_| unreachable!("tried above")))?;
        }
    }
    for (horizon, weight, margin) in [
        (0.0, 1.0, 1.0),
        (0.0, 0.3, 2.0),
        (1.0, 0.3, 2.0),
        (5.0, 0.3, 2.0),
        (2.5, 1.0, 2.0),
        (2.5, 0.1, 2.0),
        (2.5, 0.3, 1.5),
        (2.5, 0.3, 3.0),
    ] {
        let make = || -> Box<dyn Stream> {
            let base = Correlation::mahalanobis(8).with_training(SKAB_TRAINING);
            Box::new(base.with_horizon(horizon).with_smoothing(weight).with_margin(margin))
        };
        row(&format!("mahalanobis, horizon {horizon}, weight {weight}, margin {margin}"), &make)?;
    }
    Ok(())
}

/// Seconds that this thread has been on a core, so that neighbours don't count; elsewhere than on
/// Linux the time since the program began.
fn core_seconds(start: &Instant) -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = text.split(' ').next().and_then(|field| field.parse::<f64>().ok());
    nanoseconds.map_or_else(|| start.elapsed().as_secs_f64(), |ns| ns / 1e9)
}

/// Values a second and bytes of state of a stream of rows.
fn speed(name: &str, dimensions: usize, rows: usize) -> Outcome<String> {
    let mut random = Random::new(1);
    let values: Vec<f64> =
        (0..rows * dimensions).map(|_| random.unit() + random.unit() + random.unit()).collect();
    let mut best = f64::INFINITY;
    let mut bytes = 0;
    for _ in 0..2 {
        let mut stream = by_name(name, dimensions)?;
        let (clock, start) = (Instant::now(), core_seconds(&Instant::now()));
        let mut flags = 0_usize;
        let mut scores = vec![Score::MISSING; 1_000];
        for (chunk, part) in values.chunks(1_000 * dimensions).zip(0..) {
            let scores = &mut scores[..chunk.len() / dimensions];
            let times = |row: usize| (part * 1_000 + row as i64) * 60_000_000;
            let times: Vec<i64> = (0..scores.len()).map(times).collect();
            stream.push_batch(&times, chunk, scores);
            flags += scores.iter().filter(|score| score.flag).count();
        }
        std::hint::black_box(flags);
        best = best.min(core_seconds(&clock) - start);
        bytes = stream.bytes();
    }
    let rate = rows as f64 / best / 1e6;
    Ok(format!("| {name}, {dimensions} column(s), one series | {rate:.3} | {bytes} |"))
}

/// Values a second over ten thousand keys, as batches come.
fn keyed_speed<D: pelton_scoring::detect::Detector>(name: &str, method: D) -> String {
    const KEYS: usize = 10_000;
    const ROWS: usize = 4_000_000;
    let mut random = Random::new(1);
    let keys: Vec<u32> = (0..ROWS).map(|_| random.below(KEYS) as u32).collect();
    let values: Vec<f64> =
        (0..ROWS).map(|_| random.unit() + random.unit() + random.unit()).collect();
    let mut keyed = Keyed::new(method);
    let times = vec![0_i64; 8_192];
    let mut best = f64::INFINITY;
    for _ in 0..4 {
        let (clock, start) = (Instant::now(), core_seconds(&Instant::now()));
        let mut flags = 0_usize;
        for (keys, values) in keys.chunks(8_192).zip(values.chunks(8_192)) {
            let columns = [values];
            let times_us = &times[..keys.len()];
            let mut scores = Scores::with_capacity(keys.len(), 0);
            keyed.push_batch(KeyedRows { keys, times_us, columns: &columns }, &mut scores);
            flags += scores.flags.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        }
        std::hint::black_box(flags);
        best = best.min(core_seconds(&clock) - start);
    }
    let (rate, bytes) = (ROWS as f64 / best / 1e6, keyed.bytes() / KEYS);
    format!("| {name}, {KEYS} keys | {rate:.1} | {bytes} |")
}

fn print_speed(only: Option<&str>) -> Outcome {
    println!("\n| detector | M rows/s, one core | bytes of state |\n|---|---|---|");
    if only.is_none() {
        println!("{}", keyed_speed("ewma", ewma::Ewma::default()));
        println!("{}", keyed_speed("holt-winters", holt_winters::HoltWinters::<24>::default()));
        println!("{}", keyed_speed("cusum", cusum::Cusum::default()));
        println!("{}", keyed_speed("page-hinkley", page_hinkley::PageHinkley::default()));
        println!("{}", keyed_speed("control-chart", control_chart::ControlChart::default()));
        println!("{}", keyed_speed("signal", signal::Signal::default()));
    }
    for (name, _) in METHODS.iter().filter(|(name, _)| only.is_none_or(|o| o == *name)) {
        let rows = match *name {
            "cut-forest" => 20_000,
            "nearest" | "isolation-forest" | "change-point" => 50_000,
            _ => 400_000,
        };
        for dimensions in [1, 4, 8] {
            if by_name(name, dimensions).is_ok() {
                println!("{}", speed(name, dimensions, rows)?);
            }
        }
    }
    Ok(())
}

fn main() -> Outcome {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let wanted = |part: &str| arguments.first().is_none_or(|first| first == part);
    let only = arguments.get(1).map(String::as_str);
    let folder = data().join("nab");
    if wanted("nab") && folder.exists() {
        let files = read_nab(&folder)?;
        println!(
            "\n| detector | standard | low FP | low FN | threshold of other categories | … of the other half | … of other files | threshold |"
        );
        println!("|---|---|---|---|---|---|---|---|");
        for (name, _) in METHODS.iter().filter(|(name, _)| only.is_none_or(|o| o == *name)) {
            println!("{}", nab_row(&files, name)?);
        }
    }
    if let (true, Some(path)) = (wanted("skab"), std::env::var_os("PELTON_SKAB")) {
        print_skab(&read_skab(Path::new(&path))?, only)?;
    }
    if wanted("speed") {
        print_speed(only)?;
    }
    Ok(())
}
