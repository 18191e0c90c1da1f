//! Windows: `window_assign`, `window_reduce`, `window_combine`, `over_advance`.

use proptest::collection::vec;
use proptest::prelude::*;

use super::inputs::*;
use super::{Answer, suite};
use crate::columns::words;
use crate::over_advance::{Cursors, Horizon, Integers, Log, advance, scalar};
use crate::simd::level;
use crate::{window_assign as assign, window_combine as combine, window_reduce as reduce};

/// Times, sorted or not, and the first and last of a window.
type Times = (Vec<i64>, i64, i64);

fn times(rows: usize) -> BoxedStrategy<Times> {
    let near = vec(-40..40i64, rows);
    (prop_oneof![column(rows), near.boxed()], any::<bool>(), column::<i64>(2), -40..40i64)
        .prop_map(|(mut times, sorted, ends, near)| {
            if sorted {
                times.sort_unstable();
            }
            let first = if times.len().is_multiple_of(2) { near } else { ends[0] };
            (times, first, if near > 0 { first.saturating_add(near) } else { ends[1] })
        })
        .boxed()
}

fn bounds((times, ..): &Times) -> Answer {
    assign::bounds(level(), times).map_or(vec![], |(a, b)| vec![a as u64, b as u64])
}

fn naive_bounds((times, ..): &Times) -> Answer {
    times.iter().min().into_iter().chain(times.iter().max()).map(|&time| time as u64).collect()
}

fn sorted((times, ..): &Times) -> Answer {
    vec![assign::is_sorted(level(), times).into()]
}

fn naive_sorted((times, ..): &Times) -> Answer {
    vec![times.is_sorted().into()]
}

fn select((times, first, last): &Times) -> Answer {
    let mut rows = vec![7];
    assign::select(level(), times, *first, *last, &mut rows);
    rows.into_iter().map(u64::from).collect()
}

fn naive_select((times, first, last): &Times) -> Answer {
    let rows = 0..times.len();
    rows.filter(|&row| (first..=last).contains(&&times[row])).map(|row| row as u64).collect()
}

fn wide(value: i128) -> Answer {
    vec![value as u64, (value >> 64) as u64]
}

fn least(values: &[i64]) -> Answer {
    let of = |flip| reduce::least_i64(level(), values, flip, i64::MAX) ^ flip;
    vec![of(0) as u64, of(-1) as u64]
}

fn naive_least(values: &[i64]) -> Answer {
    let least = values.iter().copied().min().unwrap_or(i64::MAX);
    vec![least as u64, values.iter().copied().max().unwrap_or(i64::MIN) as u64]
}

fn summary(values: &[i64]) -> Answer {
    let all = reduce::summary_i64(level(), values);
    [wide(all.sum), vec![all.least as u64, all.greatest as u64]].concat()
}

fn naive_summary(values: &[i64]) -> Answer {
    [wide(values.iter().copied().map(i128::from).sum()), naive_least(values)].concat()
}

fn combined<T: Element>(combine: impl Fn(&mut [T], &[T]), (a, b, _): &Columns<T>) -> Vec<T> {
    let mut to = a.clone();
    combine(&mut to, b);
    to
}

fn each<T: Element>(op: impl Fn(T, T) -> T, (a, b, _): &Columns<T>) -> Vec<T> {
    a.iter().zip(b).map(|(&a, &b)| op(a, b)).collect()
}

fn positive(counts: &[u64]) -> Answer {
    let mut out = vec![u64::MAX; words(counts.len())];
    combine::positive_bits(level(), counts, &mut out);
    out.push(combine::positive(level(), counts) as u64);
    out
}

fn naive_positive(counts: &[u64]) -> Answer {
    let word = |counts: &[u64]| (0..counts.len()).filter(|&i| counts[i] > 0).map(|i| 1 << i).sum();
    let all = counts.iter().filter(|&&count| count > 0).count() as u64;
    counts.chunks(64).map(word).chain([all]).collect()
}

/// Sums, and panes of which some have fewer entries and some more.
type Panes = (Vec<f64>, Vec<Vec<f64>>);

fn panes(rows: usize) -> BoxedStrategy<Panes> {
    let pane = prop_oneof![Just(rows), Just(rows + 3), 0..=rows].prop_flat_map(column::<f64>);
    (column::<f64>(rows), vec(pane, 0..5)).boxed()
}

fn all_added((to, from): &Panes) -> Answer {
    let mut to = to.clone();
    let from: Vec<&[f64]> = from.iter().map(Vec::as_slice).collect();
    combine::add_all_f64(level(), &mut to, &from);
    numbers(&to)
}

fn naive_all_added((to, from): &Panes) -> Answer {
    let mut to = to.clone();
    for from in from {
        to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
    }
    numbers(&to)
}

/// Entries, panes, and the panes of each window.
type Summed = (usize, Vec<Vec<f64>>, combine::WindowPanes);

fn summed(rows: usize) -> BoxedStrategy<Summed> {
    let pane = prop_oneof![3 => Just(rows), 1 => Just(rows + 3), 1 => 0..=rows];
    let panes = vec(pane.prop_flat_map(column::<f64>), 0..20);
    let sliding = (0..4usize, 0..12usize, 0..3usize).prop_map(|(from, len, slide)| {
        [0, 1, 2, 3, 4, 5, 6, 7].map(|w| (w * slide + from, w * slide + from + len))
    });
    let window = (0..21usize, 0..21usize);
    let any = prop::array::uniform8(window);
    let windows = prop_oneof![sliding, any].prop_map(|all| all.map(|(from, until)| from..until));
    (Just(rows), panes, windows).boxed()
}

fn windows_summed((rows, panes, windows): &Summed) -> Answer {
    let from: Vec<&[f64]> = panes.iter().map(Vec::as_slice).collect();
    let mut to = [0, 1, 2, 3, 4, 5, 6, 7].map(|w| vec![f64::from(w); *rows]);
    combine::sum_windows_f64(level(), &from, windows, &mut to);
    numbers(&to.concat())
}

fn naive_windows_summed((rows, panes, windows): &Summed) -> Answer {
    let sum = |window: &std::ops::Range<usize>, entry: usize| {
        let panes = panes.iter().enumerate().filter(|(at, _)| window.contains(at));
        panes.filter_map(|(_, pane)| pane.get(entry)).fold(0.0, |sum, value| sum + value)
    };
    let sums = windows.iter().flat_map(|window| (0..*rows).map(move |entry| sum(window, entry)));
    numbers(&sums.collect::<Vec<f64>>())
}

fn integers(rows: usize) -> BoxedStrategy<(Vec<i64>, Vec<u64>, i8)> {
    let small = vec(0..9u64, rows);
    (column(rows), prop_oneof![column(rows), small.boxed()], -3..9i8).boxed()
}

fn up_down(scale: i8) -> (f64, f64) {
    let power = f64::from(10u32.pow(scale.unsigned_abs().into()));
    if scale < 0 { (power, 1.0) } else { (1.0, power) }
}

fn means((sums, counts, scale): &(Vec<i64>, Vec<u64>, i8)) -> Answer {
    let mut out = vec![7.0; sums.len()];
    combine::means_of_i64(level(), sums, counts, up_down(*scale), &mut out);
    bits(&out)
}

fn naive_means((sums, counts, scale): &(Vec<i64>, Vec<u64>, i8)) -> Answer {
    let power = f64::from(10u32.pow(scale.unsigned_abs().into()));
    let mean = |(&sum, &count): (&i64, &u64)| match *scale {
        ..0 => sum as f64 * power / count.max(1) as f64,
        _ => sum as f64 / (count.max(1) as f64 * power),
    };
    bits(&sums.iter().zip(counts).map(mean).collect::<Vec<f64>>())
}

fn floats(rows: usize) -> BoxedStrategy<(Vec<f64>, Vec<u64>)> {
    (column(rows), prop_oneof![column(rows), vec(0..9u64, rows).boxed()]).boxed()
}

fn float_means((sums, counts): &(Vec<f64>, Vec<u64>)) -> Answer {
    let mut out = vec![7.0; sums.len()];
    combine::means_of_f64(level(), sums, counts, &mut out);
    bits(&out)
}

fn naive_float_means((sums, counts): &(Vec<f64>, Vec<u64>)) -> Answer {
    let mean = |(&sum, &count): (&f64, &u64)| sum / count.max(1) as f64;
    let means = sums.iter().zip(counts).map(mean);
    bits(&means.map(|mean| if mean.is_nan() { f64::NAN } else { mean }).collect::<Vec<f64>>())
}

/// A mask (of all rows: none), codes, the code of the first slot, slots, and how many counts.
type Coded<T> = (Option<Vec<u64>>, Vec<T>, u64, Vec<u32>, usize);

fn coded<T: Element + reduce::Code>(rows: usize) -> BoxedStrategy<Coded<T>> {
    let mask = prop::option::of(vec(any::<bool>(), rows).prop_map(|bits| {
        let mut mask = vec![0; words(bits.len())];
        bits.iter().enumerate().for_each(|(i, &bit)| mask[i / 64] |= u64::from(bit) << (i % 64));
        mask
    }));
    // In planes, just not any more, and one alone.
    let counts = prop_oneof![1..5usize, Just(256), Just(257), 1000..1100usize];
    (mask, column::<T>(rows), prop_oneof![Just(0), any::<u64>()], 1..300usize, counts, any::<u32>())
        .prop_map(|(mask, codes, low, slots, counts, seed)| {
            // From one of the codes, so that some are within the slots.
            let low = codes.first().filter(|_| low % 2 == 0).map_or(low, |code| code.bits());
            let slot = |i: usize| (i as u32).wrapping_mul(seed | 1) % counts as u32;
            (mask, codes, low, (0..slots).map(slot).collect(), counts)
        })
        .boxed()
}

fn count_coded<T: Element + reduce::Code>((mask, codes, low, slots, n): &Coded<T>) -> Answer {
    let (mut counts, slots) = (vec![1; *n], reduce::Slots { low: *low, slots });
    let rows = reduce::count_by_code(level(), mask.as_deref(), codes, slots, &mut counts);
    counts.into_iter().map(u64::from).chain([rows as u64]).collect()
}

fn naive_coded<T: Element + reduce::Code>((mask, codes, low, slots, n): &Coded<T>) -> Answer {
    let (mut counts, mut rows) = (vec![1; *n], 0);
    for (i, code) in codes.iter().enumerate() {
        if mask.as_ref().is_none_or(|mask| mask[i / 64] >> (i % 64) & 1 == 1) {
            let at = (code.bits().wrapping_sub(*low)).min(slots.len() as u64 - 1);
            counts[slots[at as usize] as usize] += 1;
            rows += 1;
        }
    }
    counts.into_iter().chain([rows]).collect()
}

/// Sorted times, keys, values, a horizon.
type Log4 = (Vec<i64>, Vec<u32>, Vec<i64>, Horizon);

fn log(rows: usize) -> BoxedStrategy<Log4> {
    let horizon = (1..50u64, 0..20u64).prop_map(|(length, delay)| Horizon { length, delay });
    (vec(-90..90i64, rows), vec(0..5u32, rows), column(rows), horizon)
        .prop_map(|(mut times, keys, values, horizon)| {
            times.sort_unstable();
            (times, keys, values, horizon)
        })
        .boxed()
}

fn over((times, keys, values, horizon): &Log4) -> Answer {
    let (mut counts, mut sums) = (vec![0; times.len()], vec![0; times.len()]);
    let mut running = Integers { columns: [values], out: [&mut counts, &mut sums] };
    let (log, rows) = (Log { times, keys }, 0..times.len());
    advance(log, *horizon, Cursors::default(), rows, &mut [[0; 2]; 5], &mut running);
    counts.iter().zip(&sums).flat_map(|(&n, &sum)| [n as u64, sum as u64]).collect()
}

fn naive_over((times, keys, values, horizon): &Log4) -> Answer {
    let answers = scalar::counts_and_sums(Log { times, keys }, values, *horizon);
    answers.into_iter().flat_map(|(n, sum)| [n as u64, sum as u64]).collect()
}

suite! {
    window_assign {
        bounds: times => bounds, naive_bounds;
        sorted: times => sorted, naive_sorted;
        select: times => select, naive_select;
    }
}

suite! {
    window_reduce {
        sum: column::<i64> => |v| wide(reduce::sum_i64(level(), v)),
            |v| wide(v.iter().copied().map(i128::from).sum());
        least: column::<i64> => |v| least(v), |v| naive_least(v);
        summary: column::<i64> => |v| summary(v), |v| naive_summary(v);
        count_of_u8: coded::<u8> => count_coded, naive_coded;
        count_of_u32: coded::<u32> => count_coded, naive_coded;
        count_of_i16: coded::<i16> => count_coded, naive_coded;
        count_of_i64: coded::<i64> => count_coded, naive_coded;
    }
}

suite! {
    window_combine {
        add: columns::<u64> => |c| combined(|to, from| combine::add_u64(level(), to, from), c),
            |c| each(u64::wrapping_add, c);
        subtract: columns::<u64> =>
            |c| combined(|to, from| combine::subtract_u64(level(), to, from), c),
            |c| each(u64::wrapping_sub, c);
        add_signed: columns::<i64> => |c| bits(&combined(|to, from| combine::add_i64(level(), to, from), c)),
            |c| bits(&each(i64::wrapping_add, c));
        subtract_signed: columns::<i64> =>
            |c| bits(&combined(|to, from| combine::subtract_i64(level(), to, from), c)),
            |c| bits(&each(i64::wrapping_sub, c));
        add_all_floats: panes => all_added, naive_all_added;
        sum_windows_of_floats: summed => windows_summed, naive_windows_summed;
        means: integers => means, naive_means;
        float_means: floats => float_means, naive_float_means;
        add_float: columns::<f64> =>
            |c| numbers(&combined(|to, from| combine::add_f64(level(), to, from), c)),
            |c| numbers(&each(|a, b| a + b, c));
        least: columns::<i64> =>
            |c| bits(&combined(|to, from| combine::least_i64(level(), to, from), c)),
            |c| bits(&each(i64::min, c));
        positive: column::<u64> => |v| positive(v), |v| naive_positive(v);
    }
}

suite! {
    over_advance {
        counts_and_sums: log => over, naive_over;
    }
}

#[test]
fn sums_at_the_ends_of_the_range_do_not_overflow() {
    for value in [i64::MIN, i64::MAX] {
        let sum = reduce::sum_i64(level(), &vec![value; 100_000]);
        assert_eq!(sum, i128::from(value) * 100_000);
    }
}

#[test]
fn many_rows_are_counted_alike() {
    let codes: Vec<u32> = (0..9000u32).map(|row| row.wrapping_mul(2_654_435_761) >> 22).collect();
    let mask: Vec<u64> = (0..words(9000) as u64).map(|i| !0 << (i % 60)).collect();
    let mask = [&mask[..mask.len() - 1], &[(1 << (9000 % 64)) - 1]].concat();
    for counts in [1usize, 100, 256, 257] {
        let slots: Vec<u32> = (0..1000).map(|code| code % counts as u32).collect();
        for mask in [None, Some(mask.clone())] {
            let of = (mask, codes.clone(), 5, slots.clone(), counts);
            assert_eq!(count_coded(&of), naive_coded(&of));
        }
    }
}
