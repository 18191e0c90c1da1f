//! The operations of expressions on columns: arithmetic, comparisons, choosing.
//!
//! Numbers come as slices, truth values as words of 64 bits (bit `i % 64` of word `i / 64` is row
//! `i`). Nulls are none of these kernels' business: they compute every row, and the caller keeps
//! the words that say which rows have a value.
//!
//! Each kernel is a plain loop that computes what the same loop does without vectors, bit for
//! bit; it is compiled for several SIMD levels as in [`math`](crate::math). Bits of a word behind
//! the last row are 0.

mod arithmetic;
mod compare;
mod select;
#[cfg(test)]
mod tests;

pub use arithmetic::{
    Arithmetic, abs_f64, arithmetic_f64, arithmetic_i64, decimals_to_f64, i64_to_f64, neg_f64,
    sqrt_f64,
};
pub use compare::{Comparison, Integer, compare_f64, compare_i64, equal, less};
pub use select::{larger_f64, larger_i64, select_f64, select_i64, smaller_f64, smaller_i64};

/// Words that hold one bit for each of so many rows.
pub const fn words(rows: usize) -> usize {
    rows.div_ceil(64)
}
