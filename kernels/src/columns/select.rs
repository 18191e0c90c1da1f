//! One of two values for each row.

use super::less;
use crate::simd::multiversion;

#[inline(always)]
fn select<T: Copy>(mask: &[u64], a: &[T], b: &[T], out: &mut [T], one: impl Fn(u64, T, T) -> T) {
    let rows = out.chunks_mut(64).zip(a.chunks(64)).zip(b.chunks(64));
    for (word, ((out, a), b)) in mask.iter().zip(rows) {
        for (i, ((out, a), b)) in out.iter_mut().zip(a).zip(b).enumerate() {
            // All bits of the row are those of its bit in the word.
            let all = 0_u64.wrapping_sub(word >> i & 1);
            *out = one(all, *a, *b);
        }
    }
}

multiversion! {
    /// `a[i]` where bit `i` of the mask is set, else `b[i]`; `out` is as long as both.
    pub fn select_f64(mask: &[u64], a: &[f64], b: &[f64], out: &mut [f64]) {
        select(mask, a, b, out, |all, a, b| {
            f64::from_bits((a.to_bits() & all) | (b.to_bits() & !all))
        });
    }
}

multiversion! {
    /// `a[i]` where bit `i` of the mask is set, else `b[i]`; `out` is as long as both.
    pub fn select_i64(mask: &[u64], a: &[i64], b: &[i64], out: &mut [i64]) {
        select(mask, a, b, out, |all, a, b| (a & all as i64) | (b & !all as i64));
    }
}

macro_rules! extremes {
    ($($(#[$doc:meta])* $name:ident: $type:ty, |$a:ident, $b:ident| $left_wins:expr;)*) => {$(
        multiversion! {
            $(#[$doc])*
            pub fn $name(a: &[$type], b: &[$type], out: &mut [$type]) {
                for ((out, a), b) in out.iter_mut().zip(a).zip(b) {
                    let ($a, $b) = (*a, *b);
                    *out = if $left_wins { $a } else { $b };
                }
            }
        }
    )*};
}

extremes! {
    /// `a[i]` where it is [`less`] than `b[i]`, else `b[i]`.
    smaller_f64: f64, |a, b| less(a, b);
    /// `a[i]` where `b[i]` is [`less`] than it, else `b[i]`.
    larger_f64: f64, |a, b| less(b, a);
    /// The smaller of `a[i]` and `b[i]`.
    smaller_i64: i64, |a, b| a < b;
    /// The larger of `a[i]` and `b[i]`.
    larger_i64: i64, |a, b| a > b;
}
