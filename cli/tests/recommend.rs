//! `pelton recommend` from the outside: the items of the greatest products, from columns and from
//! lists, and what is wrong is said.

mod common;

use std::path::Path;
use std::process::Output;

use common::pelton;
use serde_json::Value;

/// Rows of so many numbers on a coarse grid, so that products are equal now and then.
fn vectors(path: &Path, id: &str, rows: u64, dimensions: u64, seed: u64) {
    let mut text = id.to_owned();
    (0..dimensions).for_each(|d| text.push_str(&format!(",d{d}")));
    let mut word = seed;
    for row in 0..rows {
        text.push_str(&format!("\n{id}{row}"));
        for _ in 0..dimensions {
            word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(seed | 1);
            text.push_str(&format!(",{}", (word >> 60) as f64 / 4.0 - 2.0));
        }
    }
    text.push('\n');
    std::fs::write(path, text).unwrap();
}

fn numbers(path: &Path) -> Vec<Vec<f64>> {
    let text = std::fs::read_to_string(path).unwrap();
    let row = |line: &str| line.split(',').skip(1).map(|x| x.parse().unwrap()).collect();
    text.lines().skip(1).map(row).collect()
}

fn run(folder: &Path, options: &[&str]) -> Output {
    pelton().current_dir(folder).arg("recommend").args(options).output().unwrap()
}

const FILES: [&str; 4] = ["--items", "items.csv", "--queries", "users.csv"];

#[test]
fn the_greatest_products_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    vectors(&path("items.csv"), "item", 700, 5, 3);
    vectors(&path("users.csv"), "user", 41, 5, 8);
    let mut answers = Vec::new();
    for backend in ["scalar", "simd"] {
        let more = ["--top", "4", "--backend", backend, "--report", "r.json"];
        let output = run(folder.path(), &[&FILES[..], &more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        answers.push(output.stdout);
    }
    assert!(answers[0] == answers[1]);
    let text = String::from_utf8(answers.remove(0)).unwrap();
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (items, users) = (numbers(&path("items.csv")), numbers(&path("users.csv")));
    let mut wanted = Vec::new();
    for (user, query) in users.iter().enumerate() {
        let product = |item: &Vec<f64>| item.iter().zip(query).map(|(a, b)| a * b).sum::<f64>();
        let mut all: Vec<(f64, usize)> = items.iter().map(product).zip(0..).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        for (rank, (product, item)) in all.iter().take(4).enumerate() {
            wanted.push(serde_json::json!({
                "query": format!("user{user}"), "rank": rank + 1,
                "item": format!("item{item}"), "product": product,
            }));
        }
    }
    assert_eq!(rows, wanted);
    let report: Value = serde_json::from_slice(&std::fs::read(path("r.json")).unwrap()).unwrap();
    assert_eq!((&report["items"], &report["rows_out"]), (&700.into(), &164.into()));
    assert!(report["gpu"].is_null());
}

#[test]
fn the_nearest_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    vectors(&path("items.csv"), "item", 300, 4, 3);
    vectors(&path("users.csv"), "user", 30, 4, 8);
    let mut answers = Vec::new();
    for backend in ["scalar", "simd"] {
        let more = ["--by", "distance", "--top", "3", "--backend", backend, "--out", "o.csv"];
        let output = run(folder.path(), &[&FILES[..], &more].concat());
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        answers.push(std::fs::read_to_string(path("o.csv")).unwrap());
    }
    assert!(answers[0] == answers[1]);
    let (items, users) = (numbers(&path("items.csv")), numbers(&path("users.csv")));
    let mut lines = answers[0].lines();
    assert_eq!(lines.next(), Some("query,rank,item,distance"));
    for (user, query) in users.iter().enumerate() {
        let squares =
            |item: &Vec<f64>| item.iter().zip(query).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
        let mut all: Vec<(f64, usize)> = items.iter().map(squares).zip(0..).collect();
        all.sort_by(|a, b| a.0.total_cmp(&b.0).then(a.1.cmp(&b.1)));
        for (rank, (squares, item)) in all.iter().take(3).enumerate() {
            let line = lines.next().unwrap();
            let (names, distance) = line.rsplit_once(',').unwrap();
            assert_eq!(names, format!("user{user},{},item{item}", rank + 1));
            assert_eq!(distance.parse::<f64>().unwrap(), squares.sqrt());
        }
    }
    assert_eq!(lines.next(), None);
}

#[test]
fn lists_are_vectors_and_few_items_are_few() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    // Lists come from Parquet or Arrow: windows make them.
    let text = "ts,key,x\n1,a,0.5\n2,a,2\n3,b,1\n4,b,-1\n";
    std::fs::write(path("x.csv"), text).unwrap();
    let mut command = pelton();
    command.current_dir(folder.path()).args(["window", "--input", "x.csv", "--time", "ts:s"]);
    command.args(["--key", "key", "--global", "--agg", "list(x) as v", "--quiet"]);
    assert!(command.args(["--out", "v.parquet"]).status().unwrap().success());
    let both = ["--items", "v.parquet", "--queries", "v.parquet", "--vector", "v"];
    let more = ["--item-id", "key", "--query-id", "key", "--out", "out.csv"];
    let output = run(folder.path(), &[&both[..], &more].concat());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let rows = std::fs::read_to_string(path("out.csv")).unwrap();
    let wanted = "query,rank,item,product\na,1,a,4.25\na,2,b,-1.5\nb,1,b,2.0\nb,2,a,-1.5\n";
    assert_eq!(rows.replace("2.0\n", "2\n"), wanted.replace("2.0\n", "2\n"));
}

#[test]
fn what_is_wrong_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    vectors(&path("items.csv"), "item", 20, 3, 3);
    vectors(&path("users.csv"), "user", 5, 3, 8);
    vectors(&path("wide.csv"), "user", 5, 4, 8);
    std::fs::write(path("nan.csv"), "user,d0,d1,d2\na,1,2,3\nb,1,NaN,3\n").unwrap();
    std::fs::write(path("null.csv"), "user,d0,d1,d2\na,1,2,3\nb,1,2,\n").unwrap();
    std::fs::write(path("other.csv"), "user,d0,d2,d1\na,1,2,3\n").unwrap();
    std::fs::write(path("text.csv"), "user,name\na,b\n").unwrap();
    let cases: [(&str, &[&str], i32, &str); 10] = [
        ("wide.csv", &[], 2, "items.csv has vectors of 3 numbers, wide.csv of 4"),
        ("nan.csv", &[], 1, "row 2, column `d1` is missing or no finite number"),
        ("null.csv", &[], 1, "row 2, column `d2` is missing or no finite number"),
        ("other.csv", &[], 2, "have other columns"),
        ("text.csv", &[], 2, "no column of numbers besides `user`"),
        ("users.csv", &["--item-id", "sku"], 2, "items.csv has no column `sku`"),
        ("users.csv", &["--vector", "d0"], 2, "no lists of numbers"),
        ("users.csv", &["--out", "items.csv"], 2, "--items and --out are the same file"),
        ("users.csv", &["--out", "a", "--report", "a"], 2, "--out and --report are the same file"),
        ("-", &[], 2, "--queries cannot be standard input"),
    ];
    for (queries, more, code, wanted) in cases {
        let options = ["--items", "items.csv", "--queries", queries];
        let output = run(folder.path(), &[&options[..], more].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(wanted), "{queries}: {said}");
        assert_eq!(output.status.code(), Some(code), "{queries}: {said}");
    }
}
