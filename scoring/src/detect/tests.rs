//! The contract of all detectors, and what each finds.

use proptest::prelude::*;

use super::random::Random;
use super::stream::{METHODS, Single, Stream, by_name};
use super::tail::Peaks;
use super::*;

const MINUTE_US: i64 = 60_000_000;

/// A nearly normal number (twelve uniform ones).
fn noise(random: &mut Random) -> f64 {
    (0..12).map(|_| random.unit()).sum::<f64>() - 6.0
}

/// The scores of `values`, one a minute.
fn run(stream: &mut dyn Stream, values: &[f64]) -> Vec<Score> {
    let dimensions = stream.dimensions();
    let rows = values.chunks_exact(dimensions).zip(0..);
    rows.map(|(row, minute)| stream.push(minute * MINUTE_US, row)).collect()
}

fn check(score: &Score) {
    assert!(!score.raw.is_nan(), "{score:?}");
    let tail = score.tail();
    assert!(tail.is_nan() || (0.0..=1.0).contains(&tail), "{score:?}");
    assert!(!(score.flag && score.warming_up), "{score:?}");
}

fn dimensions_of(name: &str) -> Vec<usize> {
    (1..=3).filter(|dimensions| by_name(name, *dimensions).is_ok()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3))]
    #[test]
    fn nothing_panics_and_the_same_rows_give_the_same_scores(
        odd in proptest::collection::vec((0_usize..350, proptest::num::f64::ANY), 0..60),
        seed in 0_u64..1_000,
    ) {
        let mut random = Random::new(seed);
        let mut values: Vec<f64> = (0..700).map(|_| noise(&mut random)).collect();
        odd.iter().for_each(|(at, value)| values[*at * 2] = *value);
        for (name, _) in METHODS {
            for dimensions in dimensions_of(name) {
                let first = run(&mut *by_name(name, dimensions).unwrap(), &values);
                let again = run(&mut *by_name(name, dimensions).unwrap(), &values);
                first.iter().for_each(check);
                prop_assert_eq!(&first, &again, "{}", name);
            }
        }
    }
}

#[test]
fn constant_and_extreme_series_flag_nothing_or_little() {
    let cases: [Vec<f64>; 4] = [
        vec![0.0; 800],
        vec![1e140; 800],
        (0..800).map(|i| if i % 2 == 0 { 1e150 } else { -1e150 }).collect(),
        vec![f64::MAX; 800],
    ];
    for (name, _) in METHODS.iter().filter(|(name, _)| *name != "signal") {
        for (case, values) in cases.iter().enumerate() {
            let scores = run(&mut *by_name(name, 1).unwrap(), values);
            scores.iter().for_each(check);
            let flags = scores.iter().filter(|score| score.flag).count();
            assert!(flags <= 15, "{name}, case {case}: {flags}");
        }
    }
}

#[test]
fn missing_values_change_no_state() {
    let mut random = Random::new(5);
    let values: Vec<f64> = (0..800).map(|_| noise(&mut random)).collect();
    for (name, _) in METHODS.iter().filter(|(n, _)| !["signal", "holt-winters"].contains(n)) {
        let plain = run(&mut *by_name(name, 1).unwrap(), &values);
        let mut stream = by_name(name, 1).unwrap();
        let mut kept = Vec::new();
        for (value, minute) in values.iter().zip(0..) {
            for missing in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                assert_eq!(stream.push(minute * MINUTE_US, &[missing]), Score::MISSING, "{name}");
            }
            kept.push(stream.push(minute * MINUTE_US, &[*value]));
        }
        assert_eq!(plain, kept, "{name}");
    }
}

#[test]
fn every_method_finds_its_kind_of_anomaly_and_little_else() {
    // Noise about a level; then a spike, a shift, or a signal that freezes.
    let series = |kind: &str| -> Vec<f64> {
        let mut random = Random::new(11);
        let mut values: Vec<f64> = (0..3_000).map(|_| 20.0 + noise(&mut random)).collect();
        match kind {
            "spike" => values[2_500] += 40.0,
            "shift" => values[2_500..].iter_mut().for_each(|value| *value += 6.0),
            _ => values[2_500..].fill(20.5),
        }
        values
    };
    for (name, _) in METHODS {
        let kind = match *name {
            "cusum" | "page-hinkley" | "change-point" | "control-chart" => "shift",
            "signal" => "freeze",
            _ => "spike",
        };
        let scores = run(&mut *by_name(name, 1).unwrap(), &series(kind));
        let found = scores[2_500..2_560].iter().any(|score| score.flag);
        assert!(found, "{name} misses a {kind}: {:?}", scores[2_500]);
        let flags = scores[..2_500].iter().filter(|score| score.flag).count();
        // Western Electric's rules together fire about once in 90 normal values.
        let limit = if *name == "control-chart" { 90 } else { 12 };
        assert!(flags <= limit, "{name}: {flags} false flags");
    }
}

#[test]
fn broken_correlation_is_found_where_each_column_alone_is_ordinary() {
    let mut random = Random::new(3);
    let mut rows = Vec::new();
    for index in 0..2_000 {
        let (common, own) = (noise(&mut random), 0.1 * noise(&mut random));
        let sign = if index == 1_500 { -1.0 } else { 1.0 };
        let common = if index == 1_500 { 2.0 } else { common };
        rows.extend([common, sign * common + own]);
    }
    for name in ["mahalanobis", "pca", "auto"] {
        let scores = run(&mut *by_name(name, 2).unwrap(), &rows);
        assert!(scores[1_500].flag, "{name}: {:?}", scores[1_500]);
    }
}

#[test]
fn keys_do_not_see_each_other() {
    let mut random = Random::new(9);
    let values: Vec<(u32, f64)> =
        (0..3_000).map(|_| (random.below(7) as u32, noise(&mut random))).collect();
    let mut keyed = Keyed::new(ewma::Ewma::default());
    let mut singles: Vec<_> = (0..7).map(|_| Single::new(ewma::Ewma::default())).collect();
    for (key, value) in values {
        let alone = singles[key as usize].push_value(0, value);
        assert_eq!(keyed.push(key, 0, value), alone);
    }
    assert_eq!(keyed.keys(), 7);
    assert_eq!(keyed.bytes(), 7 * size_of::<ewma::State>());
}

#[test]
fn hampel_equals_sorting_the_window() {
    let mut random = Random::new(21);
    let method = hampel::Hampel { window: 33, threshold: 6.0 };
    let mut single = Single::new(method);
    // Few distinct values: ties.
    let values: Vec<f64> = (0..600).map(|_| random.below(12) as f64).collect();
    for (index, value) in values.iter().enumerate() {
        let score = single.push_value(0, *value);
        if index < 33 {
            continue;
        }
        let mut window = values[index - 33..index].to_vec();
        window.sort_by(f64::total_cmp);
        let median = window[16];
        let mut distances: Vec<f64> = window.iter().map(|v| (v - median).abs()).collect();
        distances.sort_by(f64::total_cmp);
        assert!(distances[16] > 0.0);
        let expected = (value - median).abs() / (distances[16] * 1.482_602_218_505_602);
        assert_eq!(score.raw, expected, "value {index}");
    }
}

#[test]
fn control_chart_rules_fire_where_their_table_says() {
    use control_chart::*;
    // Centre 0, σ 1: warmed up by ±0.564, whose moving range is 1.128.
    let chart = ControlChart { rules: NELSON | SIDE_8, warm_up: 100 };
    let fired = |values: &[f64]| {
        let mut state = chart.state();
        for index in 0..100 {
            chart.rules_fired(&mut state, if index % 2 == 0 { 0.564 } else { -0.564 });
        }
        values.iter().fold(0, |_, value| chart.rules_fired(&mut state, *value))
    };
    assert_eq!(fired(&[3.1]), BEYOND_3);
    assert_eq!(fired(&[0.2, 2.5, 0.1, 2.1]), TWO_OF_THREE);
    assert_eq!(fired(&[0.2, 2.5, 0.1, -2.1]), 0);
    assert_eq!(fired(&[1.5, 1.2, 0.5, 1.3, 1.4]), FOUR_OF_FIVE);
    assert_eq!(fired(&[0.5, 0.3, 0.6, 0.2, 0.7, 0.1, 0.5, 0.4]), SIDE_8);
    assert_eq!(fired(&[0.5, 0.3, 0.6, 0.2, 0.7, 0.1, 0.5, 0.4, 0.5]), SIDE_8 | SIDE_9);
    assert_eq!(fired(&[-0.9, -0.5, -0.1, 0.1, 0.2, 0.3]), TREND_6);
    assert_eq!(fired(&[1.1, -1.2, 1.3, -1.1, 1.2, -1.3, 1.1, -1.2]) & OUTSIDE_8, OUTSIDE_8);
    let zigzag: Vec<f64> = (0..15).map(|i| if i % 2 == 0 { 1.2 } else { -1.2 }).collect();
    assert_eq!(fired(&zigzag) & ALTERNATE_14, ALTERNATE_14);
    let inside: Vec<f64> = [0.5, 0.1, -0.5, -0.1, 0.6].repeat(3);
    assert_eq!(fired(&inside), INSIDE_15);
}

/// The rules by their words, over the values since the chart was learned.
fn rules_of_definition(z: &[f64], values: &[f64]) -> u16 {
    use control_chart::*;
    let last = |n: usize| (z.len() >= n).then(|| &z[z.len() - n..]);
    let all =
        |n: usize, is: &dyn Fn(f64) -> bool| last(n).is_some_and(|z| z.iter().all(|z| is(*z)));
    // Runs of up and down begin with the step from the last value that was learned.
    let steps = |n: usize| -> Option<Vec<f64>> {
        (z.len() >= n)
            .then(|| values[values.len() - n - 1..].windows(2).map(|w| w[1] - w[0]).collect())
    };
    let newest = z[z.len() - 1];
    let mut fired = u16::from(newest.abs() > 3.0) * BEYOND_3;
    for sign in [1.0, -1.0] {
        let beyond = |n: usize, limit: f64| {
            z[z.len().saturating_sub(n)..].iter().filter(|z| **z * sign > limit).count()
        };
        let is_newest = |limit: f64| newest * sign > limit;
        fired |= u16::from(is_newest(2.0) && beyond(3, 2.0) >= 2) * TWO_OF_THREE;
        fired |= u16::from(is_newest(1.0) && beyond(5, 1.0) >= 4) * FOUR_OF_FIVE;
        fired |= u16::from(all(8, &|z| z * sign > 0.0)) * SIDE_8;
        fired |= u16::from(all(9, &|z| z * sign > 0.0)) * SIDE_9;
        let rises = steps(5).is_some_and(|steps| steps.iter().all(|step| step * sign > 0.0));
        fired |= u16::from(rises) * TREND_6;
        let zigzag = steps(13).is_some_and(|steps| {
            let up = |i: usize| if i.is_multiple_of(2) { sign } else { -sign };
            steps.iter().enumerate().all(|(i, step)| step * up(i) > 0.0)
        });
        fired |= u16::from(zigzag) * ALTERNATE_14;
    }
    fired |= u16::from(all(15, &|z| z.abs() <= 1.0)) * INSIDE_15;
    fired | (u16::from(all(8, &|z| z.abs() > 1.0)) * OUTSIDE_8)
}

#[test]
fn control_chart_rules_equal_their_words() {
    use control_chart::*;
    let mut random = Random::new(31);
    let chart = ControlChart { rules: NELSON | SIDE_8, warm_up: 100 };
    for round in 0..40 {
        let mut state = chart.state();
        let mut values = Vec::new();
        // Centre 0, σ 1, then drifts, small and large spreads; halves, so that values are equal.
        for index in 0..100 {
            values.push(if index % 2 == 0 { 0.564 } else { -0.564 });
            chart.rules_fired(&mut state, values[index]);
        }
        let (spread, drift) = (random.unit() * 3.0, random.unit() - 0.5);
        let mut z = Vec::new();
        for index in 0..300 {
            let sign = if round % 5 == 0 && index % 2 == 0 { -1.0 } else { 1.0 };
            let value = sign * (noise(&mut random) * spread + drift);
            let value = if round % 3 == 0 { (value * 2.0).round() / 2.0 + 0.25 } else { value };
            values.push(value);
            z.push(value);
            let expected = rules_of_definition(&z, &values);
            assert_eq!(chart.rules_fired(&mut state, value), expected, "round {round}, {index}");
        }
    }
}

#[test]
fn peaks_give_the_tail_of_an_exponential_law() {
    let mut random = Random::new(2);
    let mut peaks = Peaks::default();
    for _ in 0..200_000 {
        peaks.learn(-libm::log(1.0 - random.unit()));
    }
    for score in [6.0, 9.0, 14.0] {
        let evidence = peaks.evidence(score);
        assert!((evidence - score).abs() < 0.2 * score, "{score}: {evidence}");
    }
    assert_eq!(peaks.evidence(2.0), 0.0);
    assert_eq!(peaks.evidence(f64::NAN), 0.0);
}

#[test]
fn pareto_laws_are_found_again() {
    let mut random = Random::new(4);
    for shape in [-0.3, 0.0, 0.25, 0.4] {
        let law = spot::Pareto { shape, scale: 2.0 };
        let excesses: Vec<f64> =
            (0..4_000).map(|_| law.quantile(-libm::log(1.0 - random.unit()))).collect();
        let found = spot::fit_likelihood(&excesses);
        assert!((found.shape - shape).abs() < 0.08, "{shape}: {found:?}");
        assert!((found.scale - 2.0).abs() < 0.25, "{shape}: {found:?}");
        let moments = spot::fit_moments(&excesses);
        assert!((moments.shape - shape).abs() < 0.2, "{shape}: {moments:?}");
        assert!((law.evidence(law.quantile(3.0)) - 3.0).abs() < 1e-12);
    }
}

#[test]
fn a_told_anomaly_does_not_hide_the_next_one() {
    // Every tenth row of the second half is the same anomaly; all of them are told, or none.
    let mut random = Random::new(15);
    for dimensions in [1, 2, 3, 5] {
        let width = dimensions;
        let rows: Vec<Vec<f64>> = (0..600)
            .map(|row| {
                let shift = if row >= 300 && row % 10 == 0 { 25.0 } else { 0.0 };
                (0..width).map(|_| noise(&mut random) + shift).collect()
            })
            .collect();
        let scores = |told: bool| {
            let mut stream = by_name("cut-forest", width).unwrap();
            let mut raws = Vec::new();
            for (index, row) in rows.iter().enumerate() {
                raws.push(stream.push(0, row).raw);
                if let (true, Some(memo)) = (told, stream.memo()) {
                    stream.feedback(memo, index >= 300 && index % 10 == 0);
                }
            }
            raws
        };
        let last = |raws: &[f64]| raws[300..].iter().step_by(10).skip(20).sum::<f64>();
        let (told, untold) = (last(&scores(true)), last(&scores(false)));
        assert!(told > 2.0 * untold, "{dimensions}: {told} {untold}");
    }
}

#[test]
fn spot_learns_from_false_alarms() {
    let mut random = Random::new(19);
    // The spread doubles after the training: values that were extreme are ordinary now.
    let values: Vec<f64> =
        (0..6_000).map(|row| noise(&mut random) * if row < 1_000 { 1.0 } else { 2.0 }).collect();
    for name in ["spot", "dspot"] {
        let flags = |told: bool| {
            let mut stream = by_name(name, 1).unwrap();
            let mut flags = 0;
            for (minute, value) in values.iter().enumerate() {
                let flag = stream.push(minute as i64 * MINUTE_US, &[*value]).flag;
                flags += usize::from(flag && minute > 3_000);
                if let (true, Some(memo)) = (told, stream.memo()) {
                    stream.feedback(memo, false);
                }
            }
            flags
        };
        let (told, untold) = (flags(true), flags(false));
        assert!(told * 3 < untold, "{name}: {told} {untold}");
    }
}

/// Noise of several laws, a minute a row.
fn noises(rows: usize) -> Vec<(&'static str, Vec<f64>)> {
    let mut random = Random::new(77);
    let mut level = 0.0;
    vec![
        ("normal", (0..rows).map(|_| noise(&mut random)).collect()),
        ("uniform", (0..rows).map(|_| random.unit()).collect()),
        ("exponential", (0..rows).map(|_| -libm::log(1.0 - random.unit())).collect()),
        ("heavy", (0..rows).map(|_| libm::tan(3.0 * (random.unit() - 0.5))).collect()),
        ("counts", (0..rows).map(|_| (4.0 * noise(&mut random)).round()).collect()),
        (
            "autoregressive",
            (0..rows)
                .map(|_| {
                    level = 0.9 * level + noise(&mut random);
                    level
                })
                .collect(),
        ),
    ]
}

#[test]
fn autos_probabilities_are_what_they_say() {
    let rows = 40_000;
    let warm = 2_000;
    for (name, values) in noises(rows) {
        for dimensions in [1, 2] {
            let scores = run(&mut *by_name("auto", dimensions).unwrap(), &values);
            let scores = &scores[warm..];
            let share = |limit: f64| {
                let rare = scores.iter().filter(|score| score.tail() <= limit).count();
                rare as f64 / scores.len() as f64
            };
            println!("{name}, {dimensions}: {:?}", [0.1, 0.01, 0.001].map(share));
            // Counts are mostly known values, whose probability is 1: they may stay below.
            let low = if name == "counts" { 0.0 } else { 0.008 };
            assert!((low..=0.012).contains(&share(0.01)), "{name}, {dimensions}: {}", share(0.01));
            assert!(share(0.001) <= 0.002, "{name}, {dimensions}: {}", share(0.001));
            assert!(share(0.1) <= 0.11, "{name}, {dimensions}: {}", share(0.1));
        }
    }
}

#[test]
fn rarity_of_what_never_changes_is_none_and_of_the_new_is_small() {
    let mut rarity = rarity::Rarity::default();
    assert!((0..500).all(|_| rarity.tail(0.0) == 1.0));
    let mut random = Random::new(3);
    (0..20_000).for_each(|_| {
        rarity.tail(random.unit());
    });
    let mut last = 1.0;
    for ratio in [0.2, 0.5, 0.9, 1.0, 3.0, 30.0, 1e300, f64::MAX] {
        let tail = rarity.clone().tail(ratio);
        assert!((0.0..=last).contains(&tail), "{ratio}: {tail}");
        last = tail;
    }
    assert!(last < 1e-6);
    let mut usual = rarity::Usual::default();
    for distance in [0.0, 1e300, f64::MAX, 0.0, 5e-324] {
        assert!(usual.ratio(distance) >= 0.0);
    }
}

#[test]
fn feedback_moves_the_budget_of_auto() {
    let mut random = Random::new(6);
    let mut series: Vec<f64> = (0..6_000).map(|_| noise(&mut random)).collect();
    (1..=4).for_each(|i| series[i * 1_200] += 20.0 * i as f64);
    let last = |right: Option<bool>| {
        let mut stream = by_name("auto", 1).unwrap();
        let mut last = 0.0;
        for (value, minute) in series.iter().zip(0..) {
            let score = stream.push(minute * MINUTE_US, &[*value]);
            if let (true, Some(right), Some(memo)) = (score.flag, right, stream.memo()) {
                stream.feedback(memo, right);
            }
            last = if minute == 4_800 { score.raw } else { last };
        }
        last
    };
    assert!(last(Some(true)) >= last(None));
    assert!(last(Some(false)) <= last(None));
}

#[test]
fn a_batch_scores_as_its_rows_do() {
    let mut random = Random::new(8);
    let values: Vec<f64> = (0..1_200).map(|_| noise(&mut random)).collect();
    for (name, _) in METHODS {
        for dimensions in dimensions_of(name) {
            let single = run(&mut *by_name(name, dimensions).unwrap(), &values);
            let mut stream = by_name(name, dimensions).unwrap();
            let times: Vec<i64> = (0..single.len() as i64).map(|i| i * MINUTE_US).collect();
            let mut scores = vec![Score::MISSING; single.len()];
            let (mut from, mut step) = (0, 1);
            while from < times.len() {
                let to = (from + step).min(times.len());
                let rows = &values[from * dimensions..to * dimensions];
                stream.push_batch(&times[from..to], rows, &mut scores[from..to]);
                (from, step) = (to, step * 3 % 200 + 1);
            }
            assert_eq!(single, scores, "{name}");
        }
    }
}

#[test]
fn a_keyed_batch_scores_as_its_rows_do() {
    let mut random = Random::new(12);
    for (name, _) in METHODS {
        for dimensions in dimensions_of(name) {
            let rows: usize = if keyed::FORESTS.contains(name) { 500 } else { 1_500 };
            let keys: Vec<u32> =
                (0..rows).map(|row| (random.below(3) * (row / 9 % 2)) as u32).collect();
            let odd = [f64::NAN, f64::INFINITY, -0.0, 1e200, f64::MIN_POSITIVE, 1e9];
            let mut value = |row: usize| match row % 41 {
                0 => odd[random.below(odd.len())],
                _ => noise(&mut random),
            };
            let columns: Vec<Vec<f64>> =
                (0..dimensions).map(|_| (0..rows).map(&mut value).collect()).collect();
            let times: Vec<i64> = (0..rows as i64).map(|row| row * MINUTE_US).collect();
            let parts = usize::from(keyed::has_contributions(name, dimensions).unwrap());
            let mut one_by_one = keyed_by_name(name, dimensions).unwrap();
            let mut expected = Scores::with_capacity(0, parts * dimensions);
            for (row, key) in keys.iter().enumerate() {
                let values: Vec<f64> = columns.iter().map(|column| column[row]).collect();
                let score = one_by_one.push(*key, times[row], &values);
                expected.push(&score, values.iter().all(|value| is_usable(*value)));
                let mut contributions = Vec::new();
                one_by_one.contributions(*key, &mut contributions);
                contributions.resize(dimensions, 0.0);
                for (column, part) in expected.contributions.iter_mut().zip(contributions) {
                    column.push(part);
                }
            }
            let bits = |values: &[f64]| values.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
            for step in [1, 63, 64, 65, 700] {
                let mut keyed = keyed_by_name(name, dimensions).unwrap();
                let mut got = Scores::with_capacity(0, parts * dimensions);
                for from in (0..rows).step_by(step) {
                    let to = (from + step).min(rows);
                    let columns: Vec<&[f64]> = columns.iter().map(|c| &c[from..to]).collect();
                    let of = KeyedRows {
                        keys: &keys[from..to],
                        times_us: &times[from..to],
                        columns: &columns,
                    };
                    let mut scores = Scores::with_capacity(to - from, parts * dimensions);
                    keyed.push_batch(of, &mut scores);
                    append(&mut got, &scores);
                }
                assert_eq!(bits(&got.raw), bits(&expected.raw), "{name}, {step}");
                assert_eq!(bits(&got.probability), bits(&expected.probability), "{name}, {step}");
                assert_eq!(
                    (&got.flags, &got.warming_up, &got.missing),
                    (&expected.flags, &expected.warming_up, &expected.missing),
                    "{name}, {step}"
                );
                assert_eq!(got.contributions, expected.contributions, "{name}, {step}");
            }
        }
    }
}

/// Appends the rows of `part`, bit by bit.
fn append(to: &mut Scores, part: &Scores) {
    let bit = |words: &[u64], row: usize| words[row / 64] >> (row % 64) & 1;
    for row in 0..part.len() {
        let at = to.raw.len();
        for (to, from) in [
            (&mut to.flags, &part.flags),
            (&mut to.warming_up, &part.warming_up),
            (&mut to.missing, &part.missing),
        ] {
            if at.is_multiple_of(64) {
                to.push(0);
            }
            to[at / 64] |= bit(from, row) << (at % 64);
        }
        to.raw.push(part.raw[row]);
        to.probability.push(part.probability[row]);
        for (to, from) in to.contributions.iter_mut().zip(&part.contributions) {
            to.push(from[row]);
        }
    }
}

#[test]
fn what_is_missing_or_warming_up_has_probability_one() {
    for score in [Score::MISSING, Score::WARMING_UP] {
        assert_eq!(score.tail(), 1.0);
        assert_eq!(Law::Normal.tail(score.raw), 1.0);
        assert_eq!(Law::Exponential { rate: 0.5 }.tail(score.raw), 1.0);
    }
}

#[test]
fn names_are_checked() {
    let error = by_name("nothing", 1).err().unwrap().to_string();
    assert!(error.contains("novelty"), "{error}");
    assert!(by_name("ewma", 2).is_err());
    assert!(by_name("auto", 0).is_err());
    METHODS.iter().for_each(|(name, _)| assert_eq!(by_name(name, 1).unwrap().dimensions(), 1));
}

#[test]
fn keyed_detectors_are_one_stream_a_key() {
    let mut random = Random::new(3);
    for (name, _) in METHODS {
        for dimensions in dimensions_of(name) {
            let mut keyed = keyed_by_name(name, dimensions).unwrap();
            let mut streams: Vec<Box<dyn Stream>> =
                (0..4).map(|_| by_name(name, dimensions).unwrap()).collect();
            for minute in 0..600 {
                let key = random.below(4);
                let mut row: Vec<f64> = (0..dimensions).map(|_| noise(&mut random)).collect();
                if minute % 50 == 0 {
                    row[0] = f64::NAN;
                }
                let expected = streams[key].push(minute * MINUTE_US, &row);
                assert_eq!(keyed.push(key as u32, minute * MINUTE_US, &row), expected, "{name}");
                let (mut own, mut parts) = (Vec::new(), Vec::new());
                keyed.contributions(key as u32, &mut own);
                streams[key].contributions(&mut parts);
                assert_eq!(own, parts, "{name}");
                assert_eq!(keyed.memo(key as u32), streams[key].memo(), "{name}");
                if let Some(memo) = streams[key].memo() {
                    keyed.feedback(key as u32, memo, minute % 3 == 0);
                    streams[key].feedback(memo, minute % 3 == 0);
                }
            }
            assert_eq!(keyed.push(0, 0, &[]), Score::MISSING, "{name}");
            let explains = keyed::has_contributions(name, dimensions).unwrap();
            assert_eq!(explains, dimensions > 1 && ["auto", "mahalanobis", "pca"].contains(name));
        }
    }
    assert!(keyed_by_name("magic", 1).is_err() && keyed_by_name("ewma", 2).is_err());
}
