//! Expressions as text.

use crate::expr::{Expr, col, decimal, lit, null, when};

#[test]
fn reads_as_a_person_would_write_it() {
    let cases: Vec<(Expr, &str)> = vec![
        (
            col("speed_kmh").gt(900).and(col("count_10m").ge(5)),
            "speed_kmh > 900 and count_10m >= 5",
        ),
        (col("a").or(col("b")).and(col("c")), "(a or b) and c"),
        (col("a").or(col("b").and(col("c"))), "a or b and c"),
        (!(col("a").and(col("b"))), "not (a and b)"),
        (!col("a").eq(1), "not a = 1"),
        ((!col("a")).eq(true), "(not a) = true"),
        (col("a") - (col("b") - col("c")), "a - (b - c)"),
        (col("a") - col("b") - col("c"), "a - b - c"),
        ((col("a") + 1) * 2.0, "(a + 1) * 2.0"),
        (-(col("a") + 1), "-(a + 1)"),
        (-col("a"), "-a"),
        (col("a").sub(lit(-1)), "a - -1"),
        ((col("a") + 1).is_null(), "a + 1 is null"),
        (col("a").gt(1).is_not_null(), "(a > 1) is not null"),
        (col("a").abs().ln().sqrt().cast_f64(), "f64(sqrt(ln(abs(a))))"),
        (col("a").min(1).max(col("b")).coalesce(null()), "coalesce(max(min(a, 1), b), null)"),
        (when(col("a").gt(0)).then(1).otherwise("x"), "case when a > 0 then 1 else 'x' end"),
        (col("two words").eq("it's"), "\"two words\" = 'it''s'"),
        (col("and").eq(col("1a")), "\"and\" = \"1a\""),
        (decimal(1999, 2).eq(decimal(-5, 3)), "19.99 = -0.005"),
        (decimal(7, -2).eq(decimal(7, 0)), "700 = 7"),
        (lit(0.9).lt(1e300), "0.9 < 1e300"),
    ];
    for (expr, text) in cases {
        assert_eq!(expr.to_string(), text);
    }
}

#[test]
fn columns_are_listed_once_in_order() {
    let expr = when(col("c").gt(col("a"))).then(col("a") + col("b")).otherwise(col("c"));
    assert_eq!(expr.columns(), ["c", "a", "b"]);
    assert!(lit(1).columns().is_empty());
}
