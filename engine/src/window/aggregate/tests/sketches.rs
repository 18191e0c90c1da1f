//! What is approximate: within the error that is stated, whatever the order and the panes.

use arrow::datatypes::{Float64Type, Int64Type};

use super::*;

fn of_int(int: i64) -> Sample {
    let float = Some(int as f64);
    Sample { time: 0, int: Some(int), float, cents: None, text: None, flag: None, wide: None }
}

/// Different numbers of no order.
fn scattered(i: i64) -> i64 {
    i.wrapping_mul(0x9e37_79b9_7f4a_7c15_u64 as i64)
}

#[test]
fn approximate_distinct_counts_stay_within_four_standard_errors() {
    for n in [0, 1, 2, 10, 200, 256, 257, 1_000, 5_000, 12_000, 40_000] {
        let rows: Vec<Sample> =
            (0..n).map(scattered).chain((0..n / 2).map(scattered)).map(of_int).collect();
        let panes: Vec<usize> = (0..rows.len()).map(|i| i % 3).collect();
        let got = run(&aggregate(Function::ApproxDistinct, &["int"]), &rows, &panes);
        let got = got.expect("counted").as_primitive::<Int64Type>().value(0);
        let off = (got - n) as f64 / (n as f64).max(1.0);
        assert!(off.abs() <= 4.0 * APPROX_DISTINCT_ERROR, "{got} for {n}");
        let floats = run(&aggregate(Function::ApproxDistinct, &["float"]), &rows, &panes);
        let floats = floats.expect("counted").as_primitive::<Int64Type>().value(0);
        assert!(((floats - n) as f64).abs() <= 4.0 * APPROX_DISTINCT_ERROR * n as f64);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn approximate_quantiles_stay_within_their_error((rows, panes) in samples(), q in 0.0..=1.0f64) {
        let approximate = aggregate(Function::ApproxQuantile(q), &["float"]);
        let got = run(&approximate, &rows, &panes)?;
        let got = got.as_primitive::<Float64Type>().iter().next().flatten();
        let mut floats: Vec<f64> = rows.iter().filter_map(|r| r.float).collect();
        floats.sort_by(|a, b| naive::order(*a, *b));
        prop_assert_eq!(got.is_some(), !floats.is_empty());
        if let Some(got) = got {
            let want = floats[(q * (floats.len() - 1) as f64) as usize];
            let near = (got - want).abs() <= want.abs() * APPROX_QUANTILE_ERROR * 1.000_001;
            prop_assert!(near || got == want || (got.is_nan() && want.is_nan()), "{got} {want}");
        }
        // Neither order nor panes matter, to the bit.
        let backwards: Vec<Sample> = rows.iter().rev().cloned().collect();
        let again = run(&approximate, &backwards, &vec![0; rows.len()])?;
        let again = again.as_primitive::<Float64Type>().iter().next().flatten();
        prop_assert_eq!(got.map(f64::to_bits), again.map(f64::to_bits));
    }

    #[test]
    fn space_saving_counts_are_within_their_errors(
        values in prop::collection::vec((0..200i64, 0..3usize), 0..400),
    ) {
        let rows: Vec<Sample> = values.iter().map(|(v, _)| of_int(v * v / 150)).collect();
        let panes: Vec<usize> = values.iter().map(|(_, pane)| *pane).collect();
        let got = run(&aggregate(Function::ApproxTopK(1), &["int"]), &rows, &panes)?;
        let truth = naive::frequencies(&rows.iter().filter_map(|r| r.int).collect::<Vec<_>>());
        prop_assert_eq!(got.is_valid(0), !truth.is_empty());
        if got.is_valid(0) {
            let records = got.as_list::<i32>().value(0);
            let field = |i: usize| records.as_struct().column(i).as_primitive::<Int64Type>().value(0);
            let (value, count, error) = (field(0), field(1), field(2));
            let known = truth.iter().find(|(v, _)| *v == value).map_or(0, |(_, n)| *n);
            prop_assert!(count - error <= known && known <= count, "{known} {count} {error}");
            let bound = 3 * (rows.len() / SPACE_SAVING_FACTOR) as i64;
            prop_assert!(error <= bound, "{error} of {}", rows.len());
            // What is more frequent than the error bound is never missed.
            prop_assert!(truth[0].1 <= count + bound);
        }
    }
}

#[test]
fn the_most_frequent_are_found_in_bounded_memory() {
    let often = |i: i64| {
        if i % 3 == 0 {
            7
        } else if i % 3 == 1 && i % 2 == 0 {
            8
        } else {
            scattered(i)
        }
    };
    let rows: Vec<Sample> = (0..9_000).map(often).map(of_int).collect();
    let panes: Vec<usize> = (0..rows.len()).map(|i| i / 3_000).collect();
    let got = run(&aggregate(Function::ApproxTopK(2), &["int"]), &rows, &panes).expect("counted");
    let records = got.as_list::<i32>().value(0);
    let values = records.as_struct().column(0).as_primitive::<Int64Type>().values().to_vec();
    assert_eq!(values, [7, 8]);
}
