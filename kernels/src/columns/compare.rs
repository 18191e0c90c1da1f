//! Comparisons of two columns: a bit for each row.
//!
//! Rows are compared into 64 bytes of 0 or 1, which vectorises, and eight bytes at a time become
//! bits by one multiplication: with `b_i` at bit `8i`, the factor has a 1 at bit `56 − 7i` for
//! each i, so that `b_i` arrives at bit `56 + i`, and no two products meet at one place below.

use crate::simd::multiversion;

/// A comparison of two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// a = b
    Eq,
    /// a ≠ b
    Ne,
    /// a < b
    Lt,
    /// a ≤ b
    Le,
    /// a > b
    Gt,
    /// a ≥ b
    Ge,
}

/// Whether two floats are the same: NaN equals itself, −0 equals +0.
#[inline(always)]
pub fn equal(a: f64, b: f64) -> bool {
    // `|` and not `||`: no branches, so that the loop vectorises.
    (a == b) | (a.is_nan() & b.is_nan())
}

/// The total order of floats: NaN is greatest, −0 equals +0.
#[inline(always)]
pub fn less(a: f64, b: f64) -> bool {
    (a < b) | (!a.is_nan() & b.is_nan())
}

/// Sets a bit where `a[i] op b[i]` holds, by [`equal`] and [`less`].
///
/// # Contract
/// `a` and `b` are equally long, and `out` holds a bit for each row (asserted).
pub fn compare_f64(op: Comparison, a: &[f64], b: &[f64], out: &mut [u64]) {
    assert!(a.len() == b.len() && out.len() == super::words(a.len()));
    match op {
        Comparison::Eq => eq_f64(a, b, out),
        Comparison::Ne => ne_f64(a, b, out),
        Comparison::Lt => lt_f64(a, b, out),
        Comparison::Le => le_f64(a, b, out),
        Comparison::Gt => lt_f64(b, a, out),
        Comparison::Ge => le_f64(b, a, out),
    }
}

/// Sets a bit where `a[i] op b[i]` holds.
///
/// # Contract
/// As [`compare_f64`].
pub fn compare_i64(op: Comparison, a: &[i64], b: &[i64], out: &mut [u64]) {
    assert!(a.len() == b.len() && out.len() == super::words(a.len()));
    match op {
        Comparison::Eq => eq_i64(a, b, out),
        Comparison::Ne => ne_i64(a, b, out),
        Comparison::Lt => lt_i64(a, b, out),
        Comparison::Le => le_i64(a, b, out),
        Comparison::Gt => lt_i64(b, a, out),
        Comparison::Ge => le_i64(b, a, out),
    }
}

/// Integers that [`Integer::compare_with`] knows.
pub trait Integer: Copy {
    /// Sets a bit where `a[i] op b` holds.
    ///
    /// # Contract
    /// `out` holds a bit for each row (asserted).
    fn compare_with(op: Comparison, a: &[Self], b: Self, out: &mut [u64]);
}

macro_rules! integers {
    ($($type:ty)*) => {$(
        impl Integer for $type {
            fn compare_with(op: Comparison, a: &[Self], b: Self, out: &mut [u64]) {
                multiversion! {
                    fn eq(a: &[$type], b: $type, out: &mut [u64]) {
                        bits_with(a, out, |a| a == b);
                    }
                }
                multiversion! {
                    fn ne(a: &[$type], b: $type, out: &mut [u64]) {
                        bits_with(a, out, |a| a != b);
                    }
                }
                multiversion! {
                    fn lt(a: &[$type], b: $type, out: &mut [u64]) {
                        bits_with(a, out, |a| a < b);
                    }
                }
                multiversion! {
                    fn le(a: &[$type], b: $type, out: &mut [u64]) {
                        bits_with(a, out, |a| a <= b);
                    }
                }
                multiversion! {
                    fn gt(a: &[$type], b: $type, out: &mut [u64]) {
                        bits_with(a, out, |a| a > b);
                    }
                }
                multiversion! {
                    fn ge(a: &[$type], b: $type, out: &mut [u64]) {
                        bits_with(a, out, |a| a >= b);
                    }
                }
                assert!(out.len() == super::words(a.len()));
                match op {
                    Comparison::Eq => eq(a, b, out),
                    Comparison::Ne => ne(a, b, out),
                    Comparison::Lt => lt(a, b, out),
                    Comparison::Le => le(a, b, out),
                    Comparison::Gt => gt(a, b, out),
                    Comparison::Ge => ge(a, b, out),
                }
            }
        }
    )*};
}

integers!(i8 i16 i32 i64 u8 u16 u32 u64);

/// A bit of each of 64 bytes that are 0 or 1.
#[inline(always)]
pub(super) fn pack(bytes: &[u8; 64]) -> u64 {
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let (eights, _) = bytes.as_chunks::<8>();
    let mut word = 0;
    for (i, eight) in eights.iter().enumerate() {
        word |= (u64::from_le_bytes(*eight).wrapping_mul(GATHER) >> 56) << (8 * i);
    }
    word
}

#[inline(always)]
fn bits<T: Copy>(a: &[T], b: &[T], out: &mut [u64], test: impl Fn(T, T) -> bool) {
    let (a, a_rest) = a.as_chunks::<64>();
    let (b, b_rest) = b.as_chunks::<64>();
    for ((a, b), word) in a.iter().zip(b).zip(out.iter_mut()) {
        let mut bytes = [0_u8; 64];
        for i in 0..64 {
            bytes[i] = u8::from(test(a[i], b[i]));
        }
        *word = pack(&bytes);
    }
    if let Some(word) = out.get_mut(a.len()) {
        *word = 0;
        for (i, (a, b)) in a_rest.iter().zip(b_rest).enumerate() {
            *word |= u64::from(test(*a, *b)) << i;
        }
    }
}

#[inline(always)]
fn bits_with<T: Copy>(a: &[T], out: &mut [u64], test: impl Fn(T) -> bool) {
    let (a, rest) = a.as_chunks::<64>();
    for (a, word) in a.iter().zip(out.iter_mut()) {
        let mut bytes = [0_u8; 64];
        for i in 0..64 {
            bytes[i] = u8::from(test(a[i]));
        }
        *word = pack(&bytes);
    }
    if let Some(word) = out.get_mut(a.len()) {
        *word = rest.iter().enumerate().fold(0, |bits, (i, a)| bits | u64::from(test(*a)) << i);
    }
}

macro_rules! comparisons {
    ($($name:ident: $type:ty, $test:expr;)*) => {$(
        multiversion! {
            fn $name(a: &[$type], b: &[$type], out: &mut [u64]) {
                bits(a, b, out, $test);
            }
        }
    )*};
}

comparisons! {
    eq_f64: f64, equal;
    ne_f64: f64, |a, b| !equal(a, b);
    lt_f64: f64, less;
    le_f64: f64, |a, b| !less(b, a);
    eq_i64: i64, |a, b| a == b;
    ne_i64: i64, |a, b| a != b;
    lt_i64: i64, |a, b| a < b;
    le_i64: i64, |a, b| a <= b;
}
