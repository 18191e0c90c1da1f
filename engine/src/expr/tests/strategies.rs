//! Random rows and expressions.

use proptest::prelude::*;

use super::Row;
use crate::expr::{Expr, col, decimal, lit, null, when};

fn any_float() -> impl Strategy<Value = f64> {
    prop_oneof![
        Just(0.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(-f64::NAN),
        Just(f64::INFINITY),
        Just(f64::NEG_INFINITY),
        Just(f64::MIN_POSITIVE / 2.0),
        Just(0.1),
        -10.0..10.0,
        any::<f64>(),
    ]
}

fn any_int() -> impl Strategy<Value = i64> {
    prop_oneof![6 => -3_i64..4, 1 => Just(i64::MAX), 1 => Just(i64::MIN), 1 => any::<i64>()]
}

pub(super) fn any_row() -> impl Strategy<Value = Row> {
    let option = |odds: f64| proptest::option::weighted(odds, any_int());
    (
        (option(0.8), option(0.8)),
        (
            proptest::option::weighted(0.8, any_float()),
            proptest::option::weighted(0.8, any_float()),
        ),
        (any::<Option<bool>>(), any::<Option<bool>>()),
        proptest::option::weighted(0.8, -100_000_i128..100_000),
    )
        .prop_map(|((i, j), (x, y), (p, q), d)| Row { i, j, x, y, p, q, d, s: None })
}

fn number() -> impl Strategy<Value = Expr> {
    prop_oneof![
        3 => prop_oneof![Just("i"), Just("j"), Just("x"), Just("y"), Just("d")].prop_map(col),
        1 => any_int().prop_map(lit),
        1 => any_float().prop_map(lit),
        1 => (-100_000_i128..100_000).prop_map(|cents| decimal(cents, 2)),
    ]
}

/// Numbers of any make, up to two operators deep.
pub(super) fn arithmetic_expr() -> impl Strategy<Value = Expr> {
    number().prop_recursive(2, 8, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone(), 0..6).prop_map(|(a, b, op)| match op {
                0 => a + b,
                1 => a - b,
                2 => a * b,
                3 => a / b,
                4 => a.min(b),
                _ => a.max(b),
            }),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a.coalesce(b)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| when(col("p")).then(a).otherwise(b)),
            (inner, 0..5).prop_map(|(a, op)| match op {
                0 => a.abs(),
                1 => -a,
                2 => a.sqrt(),
                3 => a.ln(),
                _ => a.cast_f64(),
            }),
        ]
    })
}

pub(super) fn condition() -> impl Strategy<Value = Expr> {
    let comparison = (arithmetic_expr(), arithmetic_expr(), 0..6).prop_map(|(a, b, op)| match op {
        0 => a.eq(b),
        1 => a.ne(b),
        2 => a.lt(b),
        3 => a.le(b),
        4 => a.gt(b),
        _ => a.ge(b),
    });
    let leaf = prop_oneof![
        4 => comparison,
        2 => prop_oneof![Just("p"), Just("q")].prop_map(col),
        1 => any::<bool>().prop_map(lit),
        1 => Just(null()),
        1 => arithmetic_expr().prop_map(Expr::is_null),
        1 => arithmetic_expr().prop_map(Expr::is_not_null),
    ];
    leaf.prop_recursive(3, 12, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a.and(b)),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| a.or(b)),
            inner.prop_map(|a| !a),
        ]
    })
}
