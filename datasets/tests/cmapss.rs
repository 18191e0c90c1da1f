//! The reader of NASA's engines: what it says of files that are wrong, both kinds of files, and
//! the recording where it is present.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use arrow::array::AsArray;
use arrow::datatypes::{Float64Type, Int64Type};
use pelton_datasets::cmapss;

fn recording() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/data");
    let folder = std::env::var_os("PELTON_DATA").map_or_else(beside, PathBuf::from);
    let folder = folder.join("machines");
    if folder.join("cmapss_fd001_fd003.parquet").exists() {
        return Some(folder);
    }
    println!("skipped: {} is not there (set PELTON_DATA)", folder.display());
    None
}

/// A line of the public files: blanks between and behind the numbers.
fn line(unit: usize, cycle: usize) -> String {
    let mut line = format!("{unit} {cycle} -0.0007 0.0003 100.0");
    (0..21).for_each(|sensor| write!(line, " {}", 500 + sensor).unwrap());
    line + "  "
}

fn written(train: &str, test: &str, rul: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (kind, text) in [("train", train), ("test", test), ("RUL", rul)] {
        std::fs::write(folder.path().join(format!("{kind}_FD009.txt")), text).unwrap();
    }
    folder
}

fn small() -> String {
    [line(1, 1), line(1, 2), line(2, 1)].join("\r\n") + "\n\n"
}

#[test]
fn the_public_files_are_read() {
    let folder = written(&small(), &small(), "112 \n98.0\n");
    assert_eq!(cmapss::subsets(folder.path()).unwrap(), ["FD009"]);
    let subset = cmapss::read(folder.path(), "FD009").unwrap();
    assert_eq!(subset.train.schema(), cmapss::schema());
    assert_eq!((subset.train.num_rows(), subset.remaining.len()), (3, 2));
    assert_eq!(subset.remaining, [112.0, 98.0]);
    assert_eq!(subset.test["unit"].as_primitive::<Int64Type>().values(), &[1, 1, 2]);
    assert_eq!(subset.test["sensor_21"].as_primitive::<Float64Type>().value(2), 520.0);
    assert_eq!(subset.test["setting_1"].as_primitive::<Float64Type>().value(0), -0.0007);
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    let said = |train: &str, test: &str, rul: &str| {
        let folder = written(train, test, rul);
        cmapss::read(folder.path(), "FD009").unwrap_err().to_string()
    };
    let good = small();
    let short = format!("{}\n1 2 3\n", line(1, 1));
    let error = said(&short, &good, "1\n2\n");
    assert!(error.contains("train_FD009.txt: line 2: 3 columns, expected 26"), "{error}");
    let letters = good.replacen("503", "5o3", 1);
    let error = said(&good, &letters, "1\n2\n");
    assert!(error.contains("test_FD009.txt: line 1, column 9 (sensor_4): \"5o3\""), "{error}");
    let error = said(&good.replacen("503", "nan", 1), &good, "1\n2\n");
    assert!(error.contains("\"nan\" is no number"), "{error}");
    let error = said(&line(1, 1).replacen("1 1", "1.5 1", 1), &good, "1\n2\n");
    assert!(error.contains("line 1, column 1 (unit): \"1.5\" is no whole number"), "{error}");
    let error = said(&[line(1, 2), line(1, 2)].join("\n"), &good, "1\n2\n");
    assert!(error.contains("line 2: cycle 2 of engine 1 stands behind"), "{error}");
    let error = said(&[line(2, 1), line(1, 1)].join("\n"), &good, "1\n2\n");
    assert!(error.contains("line 2: engine 1 stands behind engine 2"), "{error}");
    let error = said(&good, &good, "1\n2\n3\n");
    assert!(error.contains("3 remaining lives for the 2 engines"), "{error}");
    assert!(said(&good, &good, "1\n-2\n").contains("line 2, column 1 (cycles left)"));
    assert!(said(&good, &good, "1 2\n").contains("line 1: 2 columns, expected 1"));
    assert!(said("\n", &good, "1\n2\n").contains("no rows"));
    let binary = format!("{}\n\u{fffd}\n", line(1, 1));
    assert!(said(&binary, &good, "1\n2\n").contains("line 2: 1 column, expected 26"));

    let folder = written(&good, &good, "1\n2\n");
    std::fs::remove_file(folder.path().join("RUL_FD009.txt")).unwrap();
    let error = cmapss::read(folder.path(), "FD009").unwrap_err().to_string();
    assert!(error.contains("cannot open") && error.contains("RUL_FD009.txt"), "{error}");
    assert!(cmapss::read(folder.path(), "FD001").unwrap_err().to_string().contains("train_FD001"));
    assert!(cmapss::subsets(&folder.path().join("absent")).is_err());
    std::fs::write(folder.path().join("train_FD009.txt"), [0xff, 0xfe, b'\n']).unwrap();
    let error = cmapss::read(folder.path(), "FD009").unwrap_err().to_string();
    assert!(error.contains("line 1"), "{error}");
}

#[test]
fn the_recording_is_read() {
    let Some(folder) = recording() else { return };
    assert_eq!(cmapss::subsets(&folder).unwrap(), ["FD001", "FD003"]);
    for (name, train, test) in [("FD001", 20_631, 13_096), ("FD003", 24_720, 16_596)] {
        let subset = cmapss::read(&folder, name).unwrap();
        assert_eq!((subset.train.num_rows(), subset.test.num_rows()), (train, test), "{name}");
        assert_eq!(subset.remaining.len(), 100);
    }
    let error = cmapss::read(&folder, "FD002").unwrap_err().to_string();
    assert!(error.contains("no rows"), "{error}");
}
