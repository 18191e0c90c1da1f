//! The scorer and windowed Gaussian against what NAB has published.
//!
//! Recorded data is looked for under `$PELTON_DATA`, else beside the workspace; the published
//! scores as CSV (`file,row,windowedGaussian,…`, what `published_scores.parquet` holds) under
//! `$PELTON_NAB_SCORES`, else beside the series. Where they are absent the tests say so and end.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pelton_scoring::detect::by_name;
use pelton_scoring::evaluate::nab::{self, PROFILES, Scored, Window};
use pelton_scoring::evaluate::recording::{Series, parse_series, parse_windows, windows_of};

fn nab_folder() -> PathBuf {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    std::env::var_os("PELTON_DATA").map_or(beside, PathBuf::from).join("nab")
}

/// Published scores by detector and file, in order of rows.
fn published() -> Option<BTreeMap<String, BTreeMap<String, Vec<f64>>>> {
    let path = std::env::var_os("PELTON_NAB_SCORES")
        .map_or_else(|| nab_folder().join("published_scores.csv"), PathBuf::from);
    let Ok(text) = std::fs::read_to_string(&path) else {
        println!("skipped: there is no {}", path.display());
        return None;
    };
    let mut lines = text.lines();
    let names: Vec<&str> = lines.next()?.split(',').skip(2).collect();
    let mut all: BTreeMap<String, BTreeMap<String, Vec<f64>>> = BTreeMap::new();
    for line in lines {
        let fields: Vec<&str> = line.split(',').collect();
        for (name, score) in names.iter().zip(&fields[2..]) {
            let files = all.entry((*name).to_owned()).or_default();
            files.entry(fields[0].to_owned()).or_default().push(score.parse().unwrap());
        }
    }
    Some(all)
}

/// Series and windows by file.
fn files() -> Option<BTreeMap<String, (Series, Vec<Window>)>> {
    let folder = nab_folder();
    let Ok(labels) = std::fs::read_to_string(folder.join("labels/combined_windows.json")) else {
        println!("skipped: there is no {}", folder.display());
        return None;
    };
    let windows = parse_windows(&labels).unwrap();
    let read = windows.into_iter().filter_map(|(name, windows)| {
        let text = std::fs::read_to_string(folder.join("data").join(&name)).ok()?;
        let series = parse_series(&text).unwrap();
        let windows = windows_of(&series.times_s, &windows);
        Some((name, (series, windows)))
    });
    Some(read.collect())
}

#[test]
fn the_published_table_is_reproduced() {
    let (Some(files), Some(published)) = (files(), published()) else { return };
    let table = [
        ("ARTime", [78.152, 70.439, 83.095]),
        ("numenta", [71.205, 64.986, 75.865]),
        ("knncad", [64.402, 50.437, 71.005]),
        ("relativeEntropy", [56.252, 48.846, 60.893]),
        ("randomCutForest", [51.997, 38.283, 60.980]),
        ("windowedGaussian", [36.710, 21.398, 45.173]),
    ];
    for (detector, expected) in table {
        let series: Vec<Scored<'_>> = files
            .iter()
            .map(|(name, (_, windows))| Scored { scores: &published[detector][name], windows })
            .collect();
        for (profile, expected) in PROFILES.iter().zip(expected) {
            let score = nab::best(&series, profile).unwrap().score;
            let name = profile.name;
            assert!((score - expected).abs() < 0.01, "{detector}, {name}: {score}, not {expected}");
        }
    }
}

#[test]
fn windowed_gaussian_equals_nabs() {
    let (Some(files), Some(published)) = (files(), published()) else { return };
    for (name, (series, _)) in files {
        let mut stream = by_name("windowed-gaussian", 1).unwrap();
        for (row, value) in series.values.iter().enumerate() {
            let score = stream.push(0, &[*value]).raw;
            let expected = published["windowedGaussian"][&name][row];
            assert!((score - expected).abs() < 1e-9, "{name}, row {row}: {score}, not {expected}");
        }
    }
}

#[test]
fn auto_holds_its_score() {
    let Some(files) = files() else { return };
    let scores: Vec<Vec<f64>> = files
        .values()
        .map(|(series, _)| {
            let mut stream = by_name("auto", 1).unwrap();
            let rows = series.times_s.iter().zip(&series.values);
            rows.map(|(time, value)| stream.push(time * 1_000_000, &[*value]).raw).collect()
        })
        .collect();
    let series: Vec<Scored<'_>> = scores
        .iter()
        .zip(files.values())
        .map(|(scores, (_, windows))| Scored { scores, windows })
        .collect();
    let score = nab::best(&series, &nab::STANDARD).unwrap().score;
    assert!(score > 75.0, "{score}");
}
