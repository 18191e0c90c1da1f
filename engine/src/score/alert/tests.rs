//! The policy against its definition, worked out anew for each row from all rows before it.

use arrow::datatypes::TimeUnit;
use proptest::prelude::*;

use super::{AlertPolicy, Alerts, Decision, Group};
use crate::time::{Span, seconds};

/// A row: key, time, score, flag.
type Row = (u32, i64, Option<f64>, bool);

fn units(span: Span) -> i64 {
    span.to_units(TimeUnit::Second).unwrap()
}

/// The number of the block that row `i` is of.
fn block(rows: &[Row], i: usize, group: Group) -> i64 {
    let before = rows[..i].iter().filter(|row| row.0 == rows[i].0).count() as i64;
    match group {
        Group::Rows(n) => before / n as i64,
        Group::Time(gap) => rows[i].1.div_euclid(units(gap)),
    }
}

/// The period that it is at row `i`.
fn period(rows: &[Row], i: usize, length: Span) -> i64 {
    rows[..=i].iter().map(|row| row.1).max().unwrap().div_euclid(units(length))
}

/// The budget's level at row `i`: the N·m-th largest maximum of the blocks that ended in the m
/// periods before.
fn level(rows: &[Row], i: usize, (alerts, length): (u32, Span), group: Group) -> Option<f64> {
    let now = period(rows, i, length);
    let from = (now - 7).max(period(rows, 0, length));
    let mut samples = Vec::new();
    for end in 1..i {
        let ended = period(rows, end, length);
        let of_key: Vec<usize> = (0..=end).filter(|&j| rows[j].0 == rows[end].0).collect();
        let [before @ .., last, _] = of_key.as_slice() else { continue };
        let of = block(rows, *last, group);
        if of == block(rows, end, group) || !(from..now).contains(&ended) {
            continue;
        }
        let all = before.iter().rev().take_while(|&&j| block(rows, j, group) == of);
        let scores = all.chain([last]).filter_map(|&j| rows[j].2);
        samples.extend(scores.reduce(f64::max));
    }
    let wanted = (i64::from(alerts) * (now - from)) as usize;
    samples.sort_by(|a, b| b.total_cmp(a));
    (wanted > 0).then(|| samples.get(wanted - 1).copied()).flatten()
}

fn naive(rows: &[Row], policy: &AlertPolicy) -> Vec<Decision> {
    let mut decisions: Vec<Decision> = Vec::new();
    for (i, &(key, time, score, flag)) in rows.iter().enumerate() {
        let at_least = |limit: f64| score.is_some_and(|score| score >= limit);
        let level = policy.budget.and_then(|budget| level(rows, i, budget, policy.group));
        let passes = level.is_none_or(|level| score.is_none_or(|score| score > level));
        let strange = policy.level.map_or(flag, at_least);
        let over = strange && passes;
        let holds = strange || policy.low.is_some_and(at_least);
        let of_key: Vec<usize> = (0..i).filter(|&j| rows[j].0 == key).collect();
        let last = of_key.iter().rposition(|&j| decisions[j].incident.is_some());
        let incident = last.and_then(|at| {
            let number = decisions[of_key[at]].incident;
            let latest = (0..i).filter(|&j| decisions[j].incident == number);
            let latest = latest.map(|j| rows[j].1).max().unwrap();
            // Once too far, never near again.
            let mut since = of_key[at + 1..].iter().map(|&j| rows[j].1).chain([time]);
            let near = match policy.group {
                Group::Rows(n) => (of_key.len() - at) as u64 <= n,
                Group::Time(gap) => since.all(|t| t - latest < units(gap)),
            };
            number.filter(|_| near)
        });
        if !holds || (incident.is_none() && !over) {
            decisions.push(Decision::default());
            continue;
        }
        let opened = decisions.iter().filter_map(|d| d.incident).max().unwrap_or(0);
        let incident = incident.unwrap_or(opened + 1);
        let told = decisions.iter().any(|d| d.alert && d.incident == Some(incident));
        let of_key = of_key.iter().rfind(|&&j| decisions[j].alert);
        let rested = match (policy.cooldown, of_key) {
            (Some(cooldown), Some(&last)) => time - rows[last].1 >= units(cooldown),
            _ => true,
        };
        let alerts: Vec<usize> = (0..i).filter(|&j| decisions[j].alert).collect();
        let room = policy.budget.is_none_or(|(most, length)| {
            let nth = alerts.len().checked_sub(most as usize).map(|at| rows[alerts[at]].1);
            nth.is_none_or(|nth| time - nth >= units(length))
        });
        let alert = over && !told && rested && room;
        decisions.push(Decision { alert, incident: Some(incident) });
    }
    decisions
}

fn rows() -> impl Strategy<Value = Vec<Row>> {
    let score = prop_oneof![1 => Just(None), 9 => (0_u8..40).prop_map(|s| Some(f64::from(s)))];
    let row = (0_u32..3, -2_i64..9, score, proptest::bool::weighted(0.3));
    proptest::collection::vec(row, 1..90).prop_map(|rows| {
        let mut now = -20;
        let placed = rows.into_iter().map(|(key, step, score, flag)| {
            now += step;
            (key, now, score, flag)
        });
        placed.collect()
    })
}

fn policies() -> impl Strategy<Value = AlertPolicy> {
    let group = prop_oneof![
        (1_u64..5).prop_map(Group::Rows),
        (1_i64..20).prop_map(|gap| Group::Time(seconds(gap))),
    ];
    let levels = proptest::option::of((5_u8..35, 0_u8..30));
    let budget = proptest::option::of((1_u32..4, 5_i64..40));
    let cooldown = proptest::option::of(0_i64..40);
    (group, levels, budget, cooldown).prop_map(|(group, levels, budget, cooldown)| AlertPolicy {
        level: levels.map(|(high, _)| f64::from(high)),
        low: levels.map(|(high, low)| f64::from(low.min(high))),
        budget: budget.map(|(alerts, length)| (alerts, seconds(length))),
        group,
        cooldown: cooldown.map(seconds),
    })
}

proptest! {
    #[test]
    fn decisions_are_those_of_the_definition(rows in rows(), policy in policies()) {
        let mut alerts = Alerts::new(&policy, TimeUnit::Second).unwrap();
        let got: Vec<Decision> =
            rows.iter().map(|&(key, time, score, flag)| alerts.push(key, time, score, flag)).collect();
        prop_assert_eq!(got, naive(&rows, &policy));
    }

    #[test]
    fn no_period_has_more_alerts_than_the_budget(rows in rows(), most in 1_u32..3) {
        let policy = AlertPolicy::default().budget(most, seconds(30)).group(Group::Rows(1));
        let mut alerts = Alerts::new(&policy, TimeUnit::Second).unwrap();
        let mut sorted = rows;
        sorted.sort_by_key(|row| row.1);
        let times: Vec<i64> = sorted
            .into_iter()
            .filter_map(|(key, time, score, flag)| {
                alerts.push(key, time, score, flag).alert.then_some(time)
            })
            .collect();
        for (i, time) in times.iter().enumerate() {
            let within = times[i..].iter().filter(|later| **later - time < 30).count();
            prop_assert!(within <= most as usize);
        }
    }
}

#[test]
fn one_incident_is_one_alert() {
    let policy = AlertPolicy::default().hysteresis(5.0, 2.0).group(Group::Rows(2));
    let mut alerts = Alerts::new(&policy, TimeUnit::Second).unwrap();
    let scores = [0.0, 2.0, 5.0, 9.0, 1.0, 2.0, 0.0, 0.0, 2.0, 6.0];
    let got: Vec<(bool, Option<u64>)> = scores
        .iter()
        .zip(0..)
        .map(|(score, time)| alerts.push(0, time, Some(*score), false))
        .map(|decision| (decision.alert, decision.incident))
        .collect();
    let first = (false, Some(1));
    let none = (false, None);
    // 2 before it opened is not in it; 2 within two rows is; after two rows of nothing it is over.
    let expected =
        [none, none, (true, Some(1)), first, none, first, none, none, none, (true, Some(2))];
    assert_eq!(got, expected);
}

#[test]
fn an_incident_that_outlasts_its_cooldown_is_told() {
    let policy = AlertPolicy::default().cooldown(seconds(10)).group(Group::Time(seconds(3)));
    let mut alerts = Alerts::new(&policy, TimeUnit::Second).unwrap();
    let times = [0, 1, 5, 7, 9, 11, 13];
    let told: Vec<i64> =
        times.into_iter().filter(|&t| alerts.push(0, t, Some(1.0), true).alert).collect();
    assert_eq!(told, [0, 11]);
}

#[test]
fn policies_that_are_none_are_refused() {
    let wrong = [
        AlertPolicy::default().hysteresis(1.0, 2.0),
        AlertPolicy::default().level(f64::NAN),
        AlertPolicy::default().budget(0, seconds(1)),
        AlertPolicy::default().budget(1, seconds(0)),
        AlertPolicy::default().group(Group::Rows(0)),
        AlertPolicy::default().group(Group::Time(seconds(-1))),
        AlertPolicy::default().cooldown(seconds(-1)),
        AlertPolicy::default().cooldown(Span::from_nanos(5)),
    ];
    for policy in wrong {
        assert!(Alerts::new(&policy, TimeUnit::Second).is_err(), "{policy:?}");
    }
    let extreme = [i64::MAX, i64::MIN, 0, i64::MAX];
    let policy = AlertPolicy::default().budget(1, seconds(1)).group(Group::Time(seconds(1)));
    let mut alerts = Alerts::new(&policy.cooldown(seconds(1)), TimeUnit::Second).unwrap();
    for time in extreme {
        alerts.push(1, time, Some(f64::INFINITY), true);
        alerts.push(0, time, None, true);
    }
}
