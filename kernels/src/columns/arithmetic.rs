//! Sums, differences, products and quotients; signs and roots.

use super::compare::pack;
use crate::simd::multiversion;

/// An operation on two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arithmetic {
    /// a + b
    Add,
    /// a − b
    Sub,
    /// a × b
    Mul,
    /// a ÷ b; floats only.
    Div,
}

/// `out[i] = a[i] op b[i]`, by IEEE 754.
///
/// # Contract
/// The slices are equally long (asserted).
pub fn arithmetic_f64(op: Arithmetic, a: &[f64], b: &[f64], out: &mut [f64]) {
    assert!(a.len() == out.len() && b.len() == out.len());
    match op {
        Arithmetic::Add => add_f64(a, b, out),
        Arithmetic::Sub => sub_f64(a, b, out),
        Arithmetic::Mul => mul_f64(a, b, out),
        Arithmetic::Div => div_f64(a, b, out),
    }
}

macro_rules! loops {
    ($($name:ident($a:ident, $b:ident) $compute:expr;)*) => {$(
        multiversion! {
            fn $name(a: &[f64], b: &[f64], out: &mut [f64]) {
                for ((out, $a), $b) in out.iter_mut().zip(a).zip(b) {
                    *out = $compute;
                }
            }
        }
    )*};
}

loops! {
    add_f64(a, b) a + b;
    sub_f64(a, b) a - b;
    mul_f64(a, b) a * b;
    div_f64(a, b) a / b;
}

/// `out[i] = a[i] op b[i]`, wrapping; a bit of `overflows` is set where the result has no place
/// in 64 bits.
///
/// # Contract
/// The slices are equally long and `overflows` holds a bit for each row (asserted). `Div` is not
/// one of the operations (it panics): what it means where `b` is 0 is the caller's to say.
pub fn arithmetic_i64(
    op: Arithmetic,
    a: &[i64],
    b: &[i64],
    out: &mut [i64],
    overflows: &mut [u64],
) {
    assert!(a.len() == out.len() && b.len() == out.len());
    assert_eq!(overflows.len(), super::words(out.len()));
    match op {
        Arithmetic::Add => add_i64(a, b, out, overflows),
        Arithmetic::Sub => sub_i64(a, b, out, overflows),
        Arithmetic::Mul => mul_i64(a, b, out, overflows),
        Arithmetic::Div => panic!("integers are divided elsewhere"),
    }
}

#[inline(always)]
fn checked(
    a: &[i64],
    b: &[i64],
    out: &mut [i64],
    overflows: &mut [u64],
    compute: impl Fn(i64, i64) -> (i64, bool),
) {
    let (out, out_rest) = out.as_chunks_mut::<64>();
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<64>(), b.as_chunks::<64>());
    let whole = out.len();
    for (word, ((out, a), b)) in overflows.iter_mut().zip(out.iter_mut().zip(a).zip(b)) {
        // Arrays and indices: so the compiler sees that all of them are 64 long.
        let mut bytes = [0_u8; 64];
        for i in 0..64 {
            let (value, overflows) = compute(a[i], b[i]);
            out[i] = value;
            bytes[i] = u8::from(overflows);
        }
        *word = pack(&bytes);
    }
    if let Some(word) = overflows.get_mut(whole) {
        *word = 0;
        for (i, ((out, a), b)) in out_rest.iter_mut().zip(a_rest).zip(b_rest).enumerate() {
            let (value, overflows) = compute(*a, *b);
            *out = value;
            *word |= u64::from(overflows) << i;
        }
    }
}

macro_rules! checked_loops {
    ($($name:ident($a:ident, $b:ident) $compute:expr;)*) => {$(
        multiversion! {
            fn $name(a: &[i64], b: &[i64], out: &mut [i64], overflows: &mut [u64]) {
                checked(a, b, out, overflows, |$a, $b| $compute);
            }
        }
    )*};
}

checked_loops! {
    add_i64(a, b) {
        // Both signs differ from the sum's: what the carry flag says, for vectors.
        let sum = a.wrapping_add(b);
        (sum, (a ^ sum) & (b ^ sum) < 0)
    };
    sub_i64(a, b) {
        let difference = a.wrapping_sub(b);
        (difference, (a ^ b) & (a ^ difference) < 0)
    };
}

/// No vector of ours has a 64-bit product of which it could tell that it overflowed, so this is a
/// plain loop at every level; compiled for AVX-512 it was slower by half.
fn mul_i64(a: &[i64], b: &[i64], out: &mut [i64], overflows: &mut [u64]) {
    let rows = out.chunks_mut(64).zip(a.chunks(64)).zip(b.chunks(64));
    for (word, ((out, a), b)) in overflows.iter_mut().zip(rows) {
        *word = 0;
        for (i, ((out, a), b)) in out.iter_mut().zip(a).zip(b).enumerate() {
            let (value, overflows) = a.overflowing_mul(*b);
            *out = value;
            *word |= u64::from(overflows) << i;
        }
    }
}

macro_rules! maps {
    ($($(#[$doc:meta])* $name:ident: $from:ty, |$a:ident| $compute:expr;)*) => {$(
        multiversion! {
            $(#[$doc])*
            ///
            /// What is longer than the other slice is left as it is.
            pub fn $name(a: &[$from], out: &mut [f64]) {
                for (out, $a) in out.iter_mut().zip(a) {
                    *out = $compute;
                }
            }
        }
    )*};
}

maps! {
    /// `out[i] = −a[i]`
    neg_f64: f64, |a| -a;
    /// `out[i] = |a[i]|`
    abs_f64: f64, |a| a.abs();
    /// `out[i] = √a[i]`, exactly rounded as IEEE 754 wants it on every machine.
    sqrt_f64: f64, |a| a.sqrt();
    /// The nearest float of each integer.
    i64_to_f64: i64, |a| *a as f64;
}

/// The nearest float of each integer, divided by `divisor`: decimals by 10 to their scale.
///
/// What is longer than the other slice is left as it is.
pub fn decimals_to_f64(unscaled: &[i128], divisor: f64, out: &mut [f64]) {
    for (out, values) in out.chunks_mut(64).zip(unscaled.chunks(64)) {
        // Nearly all decimals fit 64 bits, which convert many times faster to the same float.
        let lost = |value: i128| (value >> 64) as i64 ^ ((value as i64) >> 63);
        if values.iter().fold(0, |all, value| all | lost(*value)) == 0 {
            small_decimals_to_f64(values, divisor, out);
        } else {
            for (out, value) in out.iter_mut().zip(values) {
                *out = *value as f64 / divisor;
            }
        }
    }
}

multiversion! {
    fn small_decimals_to_f64(unscaled: &[i128], divisor: f64, out: &mut [f64]) {
        for (out, value) in out.iter_mut().zip(unscaled) {
            *out = *value as i64 as f64 / divisor;
        }
    }
}
