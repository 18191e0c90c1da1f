//! What is exact, and what is within rounding.

use arrow::datatypes::{ArrowPrimitiveType, Decimal128Type, Float64Type, Int64Type, UInt64Type};

use super::*;
use crate::expr::col;
use crate::time::seconds;

fn one<T: ArrowPrimitiveType>(array: &ArrayRef) -> Option<T::Native> {
    let array = array.as_primitive::<T>();
    array.is_valid(0).then(|| array.value(0))
}

fn text(array: &ArrayRef) -> Option<String> {
    let array = array.as_string::<i32>();
    array.is_valid(0).then(|| array.value(0).to_owned())
}

fn flag(array: &ArrayRef) -> Option<bool> {
    let array = array.as_boolean();
    array.is_valid(0).then(|| array.value(0))
}

fn close(a: Option<f64>, b: Option<f64>, tolerance: f64) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => {
            a == b || (a.is_nan() && b.is_nan()) || (a - b).abs() <= tolerance * b.abs().max(1.0)
        }
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// Moments are within this of the two-pass definition, relative to the squares of the values.
const MOMENTS_TOLERANCE: f64 = 1e-9;

/// Finite values of a moderate size: extremes overflow in the definition too.
fn tame(rows: &[Sample]) -> Vec<Sample> {
    let tame = |row: &Sample| {
        let float = row.float.filter(|v| v.is_finite() && v.abs() < 1e6);
        Sample { float, int: row.int.map(|v| v % 1000), ..row.clone() }
    };
    rows.iter().map(tame).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn counts_sums_and_extremes((rows, panes) in samples(), filter in any::<bool>()) {
        let keep = |row: &&Sample| !filter || row.int.is_some_and(|v| v > 0);
        let with = |a: Aggregate| if filter { filtered(a, col("int").gt(0)) } else { a };
        let answer = |f: Function, c: &[&str]| run(&with(aggregate(f, c)), &rows, &panes);
        let kept: Vec<&Sample> = rows.iter().filter(keep).collect();
        prop_assert_eq!(one::<Int64Type>(&answer(Function::Count, &[])?), Some(kept.len() as i64));
        let floats = kept.iter().filter(|r| r.float.is_some()).count() as i64;
        prop_assert_eq!(one::<Int64Type>(&answer(Function::Count, &["float"])?), Some(floats));
        let cents: Vec<i128> = kept.iter().filter_map(|r| r.cents).collect();
        let sum = (!cents.is_empty()).then(|| cents.iter().sum::<i128>());
        prop_assert_eq!(one::<Decimal128Type>(&answer(Function::Sum, &["cents"])?), sum);
        let flags: Vec<bool> = kept.iter().filter_map(|r| r.flag).collect();
        let trues = (!flags.is_empty()).then(|| flags.iter().filter(|f| **f).count() as i64);
        prop_assert_eq!(one::<Int64Type>(&answer(Function::Sum, &["flag"])?), trues);
        prop_assert_eq!(flag(&answer(Function::Any, &["flag"])?), flags.iter().copied().reduce(|a, b| a || b));
        prop_assert_eq!(flag(&answer(Function::All, &["flag"])?), flags.iter().copied().reduce(|a, b| a && b));
        prop_assert_eq!(flag(&answer(Function::Max, &["flag"])?), flags.iter().copied().max());
        let texts: Vec<&String> = kept.iter().filter_map(|r| r.text.as_ref()).collect();
        prop_assert_eq!(text(&answer(Function::Min, &["text"])?), texts.iter().min().map(|t| (*t).clone()));
        prop_assert_eq!(text(&answer(Function::Max, &["text"])?), texts.iter().max().map(|t| (*t).clone()));
        let ints: Vec<i64> = kept.iter().filter_map(|r| r.int).collect();
        prop_assert_eq!(one::<Int64Type>(&answer(Function::BitAnd, &["int"])?), ints.iter().copied().reduce(|a, b| a & b));
        prop_assert_eq!(one::<Int64Type>(&answer(Function::BitOr, &["int"])?), ints.iter().copied().reduce(|a, b| a | b));
        prop_assert_eq!(one::<Int64Type>(&answer(Function::BitXor, &["int"])?), ints.iter().copied().reduce(|a, b| a ^ b));
        let wides: Vec<u64> = kept.iter().filter_map(|r| r.wide).collect();
        prop_assert_eq!(one::<UInt64Type>(&answer(Function::BitXor, &["wide"])?), wides.iter().copied().reduce(|a, b| a ^ b));
    }

    #[test]
    fn picks_go_by_time_and_position((rows, panes) in samples()) {
        let answer = |f: Function, c: &[&str]| run(&aggregate(f, c), &rows, &panes);
        let mut by_time: Vec<&Sample> = rows.iter().collect();
        // Stable: equal times stay by position.
        by_time.sort_by_key(|row| row.time);
        let texts: Vec<String> = by_time.iter().filter_map(|r| r.text.clone()).collect();
        prop_assert_eq!(text(&answer(Function::First, &["text"])?), texts.first().cloned());
        prop_assert_eq!(text(&answer(Function::Last, &["text"])?), texts.last().cloned());
        let list = answer(Function::List, &["text"])?;
        let items: Option<Vec<String>> = list.is_valid(0).then(|| {
            let items = list.as_list::<i32>().value(0);
            items.as_string::<i32>().iter().flatten().map(str::to_owned).collect()
        });
        prop_assert_eq!(items, (!texts.is_empty()).then_some(texts));
        let pairs: Vec<(f64, i64)> = by_time.iter().filter_map(|r| Some((r.float?, r.int?))).collect();
        let least = pairs.iter().copied().reduce(|a, b| if naive::order(b.0, a.0).is_lt() { b } else { a });
        let most = pairs.iter().copied().reduce(|a, b| if naive::order(b.0, a.0).is_gt() { b } else { a });
        prop_assert_eq!(one::<Int64Type>(&answer(Function::ArgMin, &["int", "float"])?), least.map(|p| p.1));
        prop_assert_eq!(one::<Int64Type>(&answer(Function::ArgMax, &["int", "float"])?), most.map(|p| p.1));
        let tame = tame(&rows);
        let weighted: Vec<(i64, f64)> = tame.iter().filter_map(|r| Some((r.time, r.float?))).collect();
        let ewma = run(&aggregate(Function::Ewma { half_life: seconds(7) }, &["float"]), &tame, &panes)?;
        prop_assert!(close(one::<Float64Type>(&ewma), naive::ewma(&weighted, 7.0), 1e-9));
    }

    #[test]
    fn moments_equal_two_passes((rows, panes) in samples()) {
        let rows = tame(&rows);
        let answer = |f: Function, c: &[&str]| run(&aggregate(f, c), &rows, &panes).map(|a| one::<Float64Type>(&a));
        let floats: Vec<f64> = rows.iter().filter_map(|r| r.float).collect();
        let size = floats.iter().map(|v| v * v).fold(1.0, f64::max) * MOMENTS_TOLERANCE;
        for (spread, less) in [(Spread::Sample, 1), (Spread::Population, 0)] {
            let want = naive::variance(&floats, less);
            prop_assert!(close(answer(Function::Variance(spread), &["float"])?, want, size));
            let deviation = answer(Function::StdDev(spread), &["float"])?;
            prop_assert!(close(deviation.map(|d| d * d), want, size));
            let cents: Vec<f64> = rows.iter().filter_map(|r| r.cents).map(|c| c as f64 / 100.0).collect();
            let got = answer(Function::Variance(spread), &["cents"])?;
            prop_assert!(close(got, naive::variance(&cents, less), 1e-7), "{got:?}");
            let (a, b): (Vec<f64>, Vec<f64>) =
                rows.iter().filter_map(|r| Some((r.int? as f64, r.float?))).unzip();
            let want = (a.len() > less).then(|| naive::products(&a, &b) / (a.len() - less) as f64);
            let got = answer(Function::Covariance(spread), &["int", "float"])?;
            prop_assert!(close(got, want, size * 1e3));
            let (aa, bb) = (naive::products(&a, &a), naive::products(&b, &b));
            let got = answer(Function::Correlation, &["int", "float"])?;
            prop_assert!(got.is_none_or(|r| (-1.0..=1.0).contains(&r)));
            if !a.is_empty() && aa > 1e-3 && bb > 1e-3 * size.max(1.0) {
                let want = naive::products(&a, &b) / (aa * bb).sqrt();
                prop_assert!(close(got, Some(want), 1e-6));
            }
        }
    }

    #[test]
    fn quantiles_and_frequencies((rows, panes) in samples(), q in prop_oneof![0.0..=1.0f64, Just(0.5), Just(1.0)]) {
        let answer = |f: Function, c: &[&str]| run(&aggregate(f, c), &rows, &panes);
        let floats: Vec<f64> = rows.iter().filter_map(|r| r.float).collect();
        let got = one::<Float64Type>(&answer(Function::Quantile(q), &["float"])?);
        prop_assert!(close(got, naive::quantile(&floats, q), 1e-12), "{got:?}");
        let cents: Vec<f64> = rows.iter().filter_map(|r| r.cents).map(|c| c as f64).collect();
        let got = one::<Float64Type>(&answer(Function::Quantile(q), &["cents"])?);
        prop_assert!(close(got, naive::quantile(&cents, q).map(|c| c / 100.0), 1e-12));
        let texts: Vec<String> = rows.iter().filter_map(|r| r.text.clone()).collect();
        let counts = naive::frequencies(&texts);
        prop_assert_eq!(one::<Int64Type>(&answer(Function::Distinct, &["text"])?), Some(counts.len() as i64));
        let top = answer(Function::TopK(2), &["text"])?;
        let found: Vec<(String, i64)> = if top.is_valid(0) {
            let records = top.as_list::<i32>().value(0);
            let records = records.as_struct();
            let counts = records.column(1).as_primitive::<Int64Type>().values().to_vec();
            records.column(0).as_string::<i32>().iter().flatten().map(str::to_owned).zip(counts).collect()
        } else {
            Vec::new()
        };
        prop_assert_eq!(found, counts.into_iter().take(2).collect::<Vec<_>>());
        let mut bins = [0i64; 6];
        for value in &floats {
            let inside = |i: &usize| *value >= -100.0 + 50.0 * *i as f64 && *value < -50.0 + 50.0 * *i as f64;
            let bin = if *value < -100.0 { 0 } else { (0..4).find(inside).map_or(5, |i| i + 1) };
            bins[bin] += 1;
        }
        let histogram = answer(Function::Histogram { low: -100.0, high: 100.0, bins: 4 }, &["float"])?;
        let found = histogram.is_valid(0).then(|| {
            histogram.as_list::<i32>().value(0).as_primitive::<Int64Type>().values().to_vec()
        });
        prop_assert_eq!(found, (!floats.is_empty()).then(|| bins.to_vec()));
    }

    #[test]
    fn distinct_values_are_those_of_keys((rows, panes) in samples()) {
        let answer = |f: Function, c: &[&str]| {
            run(&Aggregate { distinct: true, ..aggregate(f, c) }, &rows, &panes)
        };
        let mut floats: Vec<f64> = rows.iter().filter_map(|r| r.float).collect();
        floats.sort_by(|a, b| naive::order(*a, *b));
        floats.dedup_by(|a, b| naive::order(*a, *b).is_eq());
        prop_assert_eq!(one::<Int64Type>(&answer(Function::Count, &["float"])?), Some(floats.len() as i64));
        let got = one::<Float64Type>(&answer(Function::Sum, &["float"])?);
        let sum = (!floats.is_empty()).then(|| floats.iter().sum::<f64>());
        prop_assert!(close(got, sum, 0.0), "{got:?} {sum:?}");
        let got = one::<Float64Type>(&answer(Function::Quantile(0.5), &["float"])?);
        prop_assert!(close(got, naive::quantile(&floats, 0.5), 1e-12));
        let mut cents: Vec<i128> = rows.iter().filter_map(|r| r.cents).collect();
        cents.sort_unstable();
        cents.dedup();
        let sum = (!cents.is_empty()).then(|| cents.iter().sum::<i128>());
        prop_assert_eq!(one::<Decimal128Type>(&answer(Function::Sum, &["cents"])?), sum);
        let got = one::<Float64Type>(&answer(Function::Avg, &["cents"])?);
        prop_assert!(close(got, sum.map(|s| s as f64 / cents.len() as f64 / 100.0), 1e-12));
    }
}

#[test]
fn a_large_mean_does_not_cancel_the_digits() {
    let rows: Vec<Sample> = [4.0, 7.0, 13.0, 16.0]
        .iter()
        .map(|v| Sample {
            time: 0,
            int: None,
            float: Some(1e9 + v),
            cents: None,
            text: None,
            flag: None,
            wide: None,
        })
        .collect();
    let variance = aggregate(Function::Variance(Spread::Sample), &["float"]);
    for panes in [[0, 0, 0, 0], [0, 0, 1, 1], [0, 1, 2, 3]] {
        let got = run(&variance, &rows, &panes).expect("no overflow");
        assert_eq!(one::<Float64Type>(&got), Some(30.0));
    }
}

#[test]
fn what_cannot_be_computed_is_refused() {
    let refused = |function: Function, columns: &[&str], says: &str| {
        let error = run(&aggregate(function, columns), &[], &[]).expect_err(says).to_string();
        assert!(error.contains(says), "{error}");
        assert!(error.contains("\"result\""), "{error}");
    };
    refused(Function::Variance(Spread::Sample), &["text"], "var() of Utf8");
    refused(Function::Sum, &["text"], "sum() of Utf8");
    refused(Function::Any, &["int"], "any() of Int64");
    refused(Function::BitAnd, &["float"], "bit_and() of Float64");
    refused(Function::Quantile(1.5), &["float"], "between 0 and 1");
    refused(Function::Quantile(f64::NAN), &["float"], "between 0 and 1");
    refused(Function::TopK(0), &["int"], "k lies between");
    refused(Function::Histogram { low: 1.0, high: 1.0, bins: 3 }, &["int"], "low below high");
    refused(Function::Ewma { half_life: seconds(0) }, &["int"], "longer than 0");
    refused(Function::ArgMin, &["int"], "needs a column for each argument");
    refused(Function::Sum, &["nothing"], "no column \"nothing\"");
    let first = Aggregate { distinct: true, ..aggregate(Function::First, &["int"]) };
    assert!(run(&first, &[], &[]).expect_err("by time").to_string().contains("no meaning"));
    let no_condition = filtered(aggregate(Function::Count, &[]), col("int").add(1));
    assert!(run(&no_condition, &[], &[]).expect_err("no condition").to_string().contains("result"));
}
