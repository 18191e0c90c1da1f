//! One function a case, never inlined: what callgrind counts under its name.

use pelton_kernels::batch_filter::{batch_filter, filter_bits, filter_rows};
use pelton_kernels::columns::{
    Arithmetic, Comparison, Integer, arithmetic_f64, arithmetic_i64, compare_f64, compare_i64,
    decimals_to_f64, select_f64, words,
};
use pelton_kernels::csv_scan::csv_scan;
use pelton_kernels::geo_haversine::{Places, distances_km};
use pelton_kernels::math::{LinearTerm, Transform, add_term, normal_tails, sigmoid_in_place};
use pelton_kernels::score_halves::{BLOCK_ROWS, Range, add_masses, codes, part};
use pelton_kernels::shard_hash::{hash_bytes, hash_integers};
use pelton_kernels::shard_scatter::{shard_ids, shard_scatter, shard_select};
use pelton_kernels::simd::Level;
use pelton_kernels::text_parse::{
    ExplicitSpans, parse_decimal_column, parse_f64_column, parse_i64_column,
};
use pelton_kernels::window_assign::is_sorted;
use pelton_kernels::window_combine::add_f64;
use pelton_kernels::window_reduce::{Slots, count_by_code, least_i64, sum_i64, summary_i64};

use super::data::{Data, ROWS};

/// A kernel on fixed rows.
pub struct Case {
    /// The kernel's name, then what is special about the rows.
    pub name: &'static str,
    /// Runs it; returns the number of rows.
    pub run: fn(&mut Data, Level) -> usize,
}

impl Case {
    /// Whether it is no kernel, but what a kernel is measured against.
    pub fn is_yardstick(&self) -> bool {
        self.name.starts_with("yardstick")
    }
}

macro_rules! cases {
    ($($name:ident |$data:ident, $level:ident| $body:block)*) => {
        /// The functions that are counted.
        mod measured {
            use super::*;
            $(
                #[inline(never)]
                pub fn $name($data: &mut Data, $level: Level) -> usize {
                    $body
                    ROWS
                }
            )*
        }

        /// All cases.
        pub const CASES: &[Case] = &[
            $(Case { name: stringify!($name), run: measured::$name },)*
        ];
    };
}

cases! {
    csv_scan_records |d, level| { csv_scan(level, &d.csv, 0, d.csv.len(), b',', &mut d.index); }
    text_parse_i64 |d, level| {
        let spans = ExplicitSpans { starts: &d.starts[0], ends: &d.ends[0] };
        parse_i64_column(level, &d.csv, &spans, &mut d.out_i64, &mut d.more_u32);
    }
    text_parse_f64 |d, level| {
        let spans = ExplicitSpans { starts: &d.starts[1], ends: &d.ends[1] };
        parse_f64_column(level, &d.csv, &spans, &mut d.out_f64, &mut d.more_u32);
    }
    text_parse_decimal |d, level| {
        let spans = ExplicitSpans { starts: &d.starts[2], ends: &d.ends[2] };
        parse_decimal_column(level, &d.csv, &spans, &d.plan, &mut d.out_i128, &mut d.more_u32);
    }
    batch_filter_u8 |d, level| { batch_filter(level, &d.half, &d.u8s, &mut d.out_u8); }
    batch_filter_u16 |d, level| { batch_filter(level, &d.half, &d.u16s, &mut d.out_u16); }
    batch_filter_u32 |d, level| { batch_filter(level, &d.half, &d.u32s, &mut d.out_u32); }
    batch_filter_u64 |d, level| { batch_filter(level, &d.half, &d.u64s, &mut d.out_u64); }
    batch_filter_u128 |d, level| { batch_filter(level, &d.half, &d.u128s, &mut d.out_u128); }
    batch_filter_u64_few |d, level| { batch_filter(level, &d.few, &d.u64s, &mut d.out_u64); }
    batch_filter_u64_most |d, level| { batch_filter(level, &d.most, &d.u64s, &mut d.out_u64); }
    batch_filter_rows |d, level| { filter_rows(level, &d.half, 0, &mut d.out_u32); }
    batch_filter_bits |d, level| {
        filter_bits(level, &d.half, &d.u64s[..ROWS / 64], &mut d.out_bits, &mut 0);
    }
    yardstick_index_u32 |d, _level| { by_index(&d.half, &d.u32s, &mut d.out_u32); }
    yardstick_index_u64 |d, _level| { by_index(&d.half, &d.u64s, &mut d.out_u64); }
    yardstick_index_u64_few |d, _level| { by_index(&d.few, &d.u64s, &mut d.out_u64); }
    yardstick_index_u64_most |d, _level| { by_index(&d.most, &d.u64s, &mut d.out_u64); }
    columns_add_f64 |d, _level| {
        arithmetic_f64(Arithmetic::Add, &d.floats, &d.more_floats, &mut d.out_f64);
    }
    columns_add_i64 |d, _level| {
        d.out_bits.resize(words(ROWS), 0);
        arithmetic_i64(Arithmetic::Add, &d.ints, &d.more_ints, &mut d.out_i64, &mut d.out_bits);
    }
    columns_mul_i64 |d, _level| {
        d.out_bits.resize(words(ROWS), 0);
        arithmetic_i64(Arithmetic::Mul, &d.ints, &d.more_ints, &mut d.out_i64, &mut d.out_bits);
    }
    columns_compare_f64 |d, _level| {
        d.out_bits.resize(words(ROWS), 0);
        compare_f64(Comparison::Lt, &d.floats, &d.more_floats, &mut d.out_bits);
    }
    columns_compare_i64 |d, _level| {
        d.out_bits.resize(words(ROWS), 0);
        compare_i64(Comparison::Eq, &d.ints, &d.more_ints, &mut d.out_bits);
    }
    columns_compare_constant |d, _level| {
        d.out_bits.resize(words(ROWS), 0);
        Integer::compare_with(Comparison::Eq, &d.u8s, 7, &mut d.out_bits);
    }
    columns_select_f64 |d, _level| {
        select_f64(&d.half, &d.floats, &d.more_floats, &mut d.out_f64);
    }
    columns_decimals |d, _level| {
        d.out_i128.iter_mut().zip(&d.ints).for_each(|(wide, int)| *wide = i128::from(*int));
        decimals_to_f64(&d.out_i128, 100.0, &mut d.out_f64);
    }
    shard_hash_u32 |d, level| {
        d.out_u64.resize(ROWS, 7);
        hash_integers(level, &d.u32s, None, &mut d.out_u64);
    }
    shard_hash_u64 |d, level| {
        d.out_u64.resize(ROWS, 7);
        hash_integers(level, &d.u64s, None, &mut d.out_u64);
    }
    shard_hash_u64_nulls |d, level| {
        d.out_u64.resize(ROWS, 7);
        hash_integers(level, &d.u64s, Some(&d.most), &mut d.out_u64);
    }
    shard_hash_bytes |d, level| {
        d.out_u64.resize(ROWS, 0);
        hash_bytes(level, &d.offsets, &d.bytes, &mut d.out_u64);
    }
    shard_scatter_ids |d, level| {
        d.out_u16.resize(ROWS, 0);
        shard_ids(level, &d.hashes, 4, &mut d.out_u16);
    }
    shard_scatter_select |d, level| {
        // As the engine does it: a chunk of hashes at a time.
        for (i, hashes) in d.hashes.chunks(512).enumerate() {
            shard_select(level, hashes, 2, 1, 512 * i as u32, &mut d.out_u32);
        }
    }
    shard_scatter_by_4 |d, level| {
        shard_scatter(level, &d.of_four, 4, &mut d.more_u32, &mut d.out_u32);
    }
    shard_scatter_by_8 |d, level| {
        shard_scatter(level, &d.of_four, 8, &mut d.more_u32, &mut d.out_u32);
    }
    shard_scatter_by_64 |d, level| {
        shard_scatter(level, &d.of_64, 64, &mut d.more_u32, &mut d.out_u32);
    }
    window_assign_is_sorted |d, level| { d.out_u8 = vec![is_sorted(level, &d.ints).into()]; }
    window_reduce_sum |d, level| { d.out_i128 = vec![sum_i64(level, &d.ints)]; }
    window_reduce_least |d, level| { d.out_i64 = vec![least_i64(level, &d.ints, -1, i64::MAX)]; }
    window_reduce_summary |d, level| { d.out_i128 = vec![summary_i64(level, &d.ints).sum]; }
    window_reduce_count_of_half |d, level| {
        let slots: Vec<u32> = (0..64).map(|code| code / 8).collect();
        d.out_u32.resize(8, 0);
        let slots = Slots { low: 0, slots: &slots };
        count_by_code(level, Some(&d.half), &d.of_64, slots, &mut d.out_u32);
    }
    window_combine_add_f64 |d, level| { d.out_f64.resize(ROWS, 0.0);
        add_f64(level, &mut d.out_f64, &d.floats);
    }
    geo_haversine |d, _level| {
        let [lat1, lon1, lat2, lon2] = &d.places;
        let from = Places { lat: lat1, lon: lon1 };
        distances_km(from, Places { lat: lat2, lon: lon2 }, &mut d.out_f64);
    }
    math_sigmoid |d, _level| {
        d.out_f64.copy_from_slice(&d.floats);
        sigmoid_in_place(&mut d.out_f64);
    }
    score_halves_31_nodes |d, _level| {
        let (selections, masses) = &d.halves;
        let blocks = d.codes.as_chunks::<BLOCK_ROWS>().0.iter();
        for (codes, sums) in blocks.zip(d.out_f64.as_chunks_mut().0) {
            add_masses(selections, masses, codes, 0, &mut d.ends_of_nodes, sums);
        }
    }
    score_halves_codes |d, _level| {
        let range = Range::new(-30.0, 120.0);
        d.out_i16.resize(ROWS, 0);
        let blocks = d.floats.as_chunks().0.iter();
        for (block, out) in blocks.zip(d.out_i16.as_chunks_mut::<BLOCK_ROWS>().0) {
            codes(std::slice::from_ref(block), &[range], 0, out);
        }
    }
    score_halves_part |d, level| {
        d.lower.resize(ROWS / 64, 0);
        d.upper.resize(ROWS / 64, 0);
        let sets = (d.lower.as_mut_slice(), d.upper.as_mut_slice());
        d.out_u64 = vec![part(level, &d.codes, 1 << 13, &d.half, sets) as u64];
    }
    math_normal_tails |d, _level| { normal_tails(&d.floats, &mut d.out_f64); }
    math_add_log1p |d, _level| {
        let term = LinearTerm {
            transform: Transform::Log1p, lo: 0.0, hi: 1e9, mean: 1.5, factor: 0.7, missing: 0.0,
        };
        add_term(&d.floats, &term, &mut d.out_f64);
    }
}

/// How Arrow filters: the indices of the set bits, then a gather by them.
fn by_index<T: Copy>(mask: &[u64], values: &[T], out: &mut Vec<T>) {
    let mut indices: Vec<usize> = Vec::with_capacity(ROWS);
    for (w, word) in mask.iter().enumerate() {
        let mut rest = *word;
        while rest != 0 {
            indices.push(w * 64 + rest.trailing_zeros() as usize);
            rest &= rest - 1;
        }
    }
    out.extend(indices.iter().map(|i| values[*i]));
}
