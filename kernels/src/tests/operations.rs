//! Operations of expressions: `columns`. Their definitions are in `columns/tests.rs`.

use proptest::prelude::*;

use super::inputs::*;
use super::{Answer, suite};
use crate::columns::*;

const COMPARISONS: [Comparison; 6] = [
    Comparison::Eq,
    Comparison::Ne,
    Comparison::Lt,
    Comparison::Le,
    Comparison::Gt,
    Comparison::Ge,
];

/// All results of one float operation.
fn op_f64(op: Arithmetic) -> impl Fn(&Columns<f64>) -> Answer {
    move |(a, b, _)| numbers(&filled(a.len(), |out| arithmetic_f64(op, a, b, out)))
}

/// All results of one integer operation, and where it overflows.
fn op_i64(op: Arithmetic) -> impl Fn(&Columns<i64>) -> Answer {
    move |(a, b, _)| {
        let mut overflows = vec![u64::MAX; words(a.len())];
        let out = filled(a.len(), |out| arithmetic_i64(op, a, b, out, &mut overflows));
        [bits(&out), overflows].concat()
    }
}

fn compared(rows: usize, compare: impl Fn(Comparison, &mut [u64])) -> Answer {
    let each = COMPARISONS.map(|op| filled(words(rows), |out| compare(op, out)));
    each.concat()
}

fn decimals(rows: usize) -> BoxedStrategy<(Vec<i128>, f64)> {
    let small = column::<i64>(rows).prop_map(|c| c.into_iter().map(i128::from).collect());
    let values = prop_oneof![small, column::<i128>(rows)];
    (values, proptest::sample::select(vec![1.0, 100.0, 1e22])).boxed()
}

suite! {
    columns {
        add_f64: columns::<f64> => op_f64(Arithmetic::Add);
        sub_f64: columns::<f64> => op_f64(Arithmetic::Sub);
        mul_f64: columns::<f64> => op_f64(Arithmetic::Mul);
        div_f64: columns::<f64> => op_f64(Arithmetic::Div);
        add_i64: columns::<i64> => op_i64(Arithmetic::Add);
        sub_i64: columns::<i64> => op_i64(Arithmetic::Sub);
        mul_i64: columns::<i64> => op_i64(Arithmetic::Mul);
        compare_f64: columns::<f64> =>
            |(a, b, _)| compared(a.len(), |op, out| compare_f64(op, a, b, out));
        compare_i64: columns::<i64> =>
            |(a, b, _)| compared(a.len(), |op, out| compare_i64(op, a, b, out));
        select_f64: columns::<f64> =>
            |(a, b, mask)| bits(&filled(a.len(), |out| select_f64(mask, a, b, out)));
        select_i64: columns::<i64> =>
            |(a, b, mask)| bits(&filled(a.len(), |out| select_i64(mask, a, b, out)));
        smaller_f64: columns::<f64> =>
            |(a, b, _)| bits(&filled(a.len(), |out| smaller_f64(a, b, out)));
        larger_f64: columns::<f64> =>
            |(a, b, _)| bits(&filled(a.len(), |out| larger_f64(a, b, out)));
        smaller_i64: columns::<i64> =>
            |(a, b, _)| bits(&filled(a.len(), |out| smaller_i64(a, b, out)));
        larger_i64: columns::<i64> =>
            |(a, b, _)| bits(&filled(a.len(), |out| larger_i64(a, b, out)));
        neg_f64: column::<f64> => |a| bits(&filled(a.len(), |out| neg_f64(a, out)));
        abs_f64: column::<f64> => |a| bits(&filled(a.len(), |out| abs_f64(a, out)));
        sqrt_f64: column::<f64> => |a| numbers(&filled(a.len(), |out| sqrt_f64(a, out)));
        i64_to_f64: column::<i64> => |a| bits(&filled(a.len(), |out| i64_to_f64(a, out)));
        decimals_to_f64: decimals =>
            |(a, divisor)| numbers(&filled(a.len(), |out| decimals_to_f64(a, *divisor, out)));
    }
}
