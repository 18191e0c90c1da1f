//! The mask of rules and the mistakes that are found before the stream starts.

use arrow::array::AsArray;
use arrow::datatypes::UInt64Type;

use super::payments;
use crate::batch::Batch;
use crate::expr::{col, lit, null};
use crate::operator::MapOperator;
use crate::score::{Explain, RULES_MAX, Rule, RuleSet};

fn mask(rules: Vec<Rule>) -> Vec<u64> {
    let out = RuleSet::new(rules).unwrap().map(payments()).unwrap();
    let column = out.rows.column_by_name("rules").unwrap();
    column.as_primitive::<UInt64Type>().values().to_vec()
}

#[test]
fn one_bit_a_rule() {
    let rules = vec![
        // NaN is greater than any number; null holds nowhere.
        Rule::new("fast", col("speed_kmh").gt(900)),
        Rule::new("many", col("count").ge(1).and(col("amount").lt(100_000))),
        Rule::new("always", lit(true)),
        Rule::new("never", null().eq(1)),
        Rule::new("new", col("new")),
    ];
    assert_eq!(mask(rules), [0b1_0111, 0b0_0100, 0b0_0111]);
    assert_eq!(mask(vec![]), [0, 0, 0]);
}

#[test]
fn the_last_bit_is_usable_and_one_more_is_not() {
    let rules = |count: usize| (0..count).map(|i| Rule::new(format!("r{i}"), lit(i % 2 == 1)));
    let alternating = mask(rules(RULES_MAX).collect());
    assert_eq!(alternating, [0xaaaa_aaaa_aaaa_aaaa; 3]);
    let error = RuleSet::new(rules(RULES_MAX + 1)).unwrap_err();
    assert!(error.to_string().contains("65 rules"));
}

#[test]
fn mistakes_show_before_the_stream() {
    let schema = payments().rows.schema();
    let words =
        |rule: Rule| RuleSet::new([rule]).unwrap().output_schema(&schema).unwrap_err().to_string();
    let rule = || Rule::new("fast", col("speed_kmh").gt(900));
    assert!(words(Rule::new("a", col("spede_kmh").gt(1))).contains("did you mean `speed_kmh`"));
    assert!(
        words(Rule::new("a", col("speed_kmh"))).starts_with("rule `a`: `speed_kmh` is no cond")
    );
    assert!(words(rule().because("at {sped_kmh}")).contains("did you mean `speed_kmh`"));
    assert!(words(rule().because("at {speed_kmh")).contains("a { without its }"));
    assert!(words(rule().because("at speed_kmh}")).contains("a } without its {"));
    assert!(words(rule().because("at {}")).contains("no column"));
    assert!(words(rule().because("at {speed_kmh:.x}")).contains("no column or has no number"));
    let twice = RuleSet::new([rule(), rule()]).unwrap_err();
    assert!(twice.to_string().contains("two rules are named `fast`"));
    let taken = RuleSet::new([rule()]).unwrap().column("count").output_schema(&schema);
    assert!(taken.unwrap_err().to_string().contains("a column `count` already"));
}

#[test]
fn says_what_it_reads() {
    let rule = Rule::new("fast", col("a").gt(1)).because("{b:.2} and {a}, {{not}} {c}");
    assert_eq!(rule.columns().unwrap(), ["a", "b", "c"]);
    let set = RuleSet::new([rule, Rule::new("x", lit(true))]).unwrap();
    assert_eq!(set.describe(), "rules rules: fast: a > 1; x: true");
}

#[test]
fn batches_without_rows_get_the_columns() {
    let empty = || Batch { rows: payments().rows.slice(0, 0), ..payments() };
    let set = RuleSet::new([Rule::new("x", lit(true))]).unwrap();
    let out = set.map(empty()).unwrap();
    assert_eq!(out.rows.schema(), set.output_schema(&payments().rows.schema()).unwrap());
    let explain = Explain::new().rules([Rule::new("x", lit(true))]);
    let out = explain.map(empty()).unwrap();
    assert_eq!(out.rows.schema(), explain.output_schema(&payments().rows.schema()).unwrap());
    assert!(out.is_empty());
}
