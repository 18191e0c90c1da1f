//! The merge against counting by hand, on random runs.

use std::collections::BTreeMap;

use super::changes::{Comparison, Kind};
use super::read::{Alert, Run};
use super::text;
use crate::terminal::Paint;

/// Numbers that look like chance and are none (an LCG, by Knuth).
fn dice(state: &mut u64, sides: u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % sides
}

fn run(state: &mut u64) -> Run {
    let count = dice(state, 30);
    let mut alerts = BTreeMap::new();
    for _ in 0..count {
        let place = (dice(state, 2) as i64, dice(state, 20) as i64);
        let reasons = match dice(state, 3) {
            0 => vec!["score alone".to_owned()],
            1 => vec!["a".to_owned(), "b".to_owned()],
            _ => vec!["b".to_owned()],
        };
        let alert = Alert {
            time_us: Some(place.1),
            score: (dice(state, 5) > 0).then(|| dice(state, 3) as f64 / 2.0),
            challenger_score: None,
            reasons,
            // A label is the row's: the same in every run.
            is_fraud: (place.1 % 3 != 0).then_some(place.1 % 2 == 0),
        };
        alerts.insert(place, alert);
    }
    Run { alerts, ..Run::default() }
}

#[test]
fn every_alert_is_the_same_changed_came_or_went() {
    let mut state = 5;
    for _ in 0..300 {
        let (a, b) = (run(&mut state), run(&mut state));
        let compared = Comparison::of(&a, &b, Some(20), 0.0);
        let only = |x: &Run, y: &Run| x.alerts.keys().filter(|k| !y.alerts.contains_key(k)).count();
        assert_eq!(compared.came as usize, only(&b, &a));
        assert_eq!(compared.went as usize, only(&a, &b));
        let both: Vec<_> = a.alerts.keys().filter(|k| b.alerts.contains_key(k)).collect();
        let same = both.iter().filter(|k| {
            let (a, b) = (&a.alerts[k], &b.alerts[k]);
            (a.score, &a.reasons) == (b.score, &b.reasons)
        });
        assert_eq!(compared.same as usize, same.count());
        let changed = compared.changes.iter().filter(|change| change.change == Kind::Changed);
        assert_eq!(compared.same as usize + changed.count(), both.len());
        for (reason, count) in &compared.by_reason {
            let with =
                |run: &Run| run.alerts.values().filter(|a| a.reasons.contains(reason)).count();
            assert_eq!((count.before as usize, count.after as usize), (with(&a), with(&b)));
        }
        for (run, summary) in [(&a, &compared.before), (&b, &compared.after)] {
            let frauds = run.alerts.values().filter(|a| a.is_fraud == Some(true)).count();
            assert_eq!(
                (summary.alerts as usize, summary.frauds as usize),
                (run.alerts.len(), frauds)
            );
            if summary.labelled > 0 {
                assert_eq!(summary.recall, Some(frauds as f64 / 20.0));
            }
        }
        // The other way round, what came went.
        let back = Comparison::of(&b, &a, Some(20), 0.0);
        assert_eq!(
            (back.came, back.went, back.same),
            (compared.went, compared.came, compared.same)
        );
        assert_eq!(back.score_change_max, compared.score_change_max);
        assert!(!Comparison::of(&a, &a, None, 0.0).differs());
        for line in text::table(&compared, 3, Paint::new(false)).lines() {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}

#[test]
fn small_changes_of_a_score_can_be_left_out() {
    let run = |score: f64| {
        let alert = Alert { score: Some(score), ..Alert::default() };
        Run { alerts: BTreeMap::from([((0, 1), alert)]), ..Run::default() }
    };
    let (a, b) = (run(0.5), run(0.75));
    let strict = Comparison::of(&a, &b, None, 0.0);
    assert_eq!((strict.score_changed, strict.score_change_max), (1, Some(0.25)));
    assert_eq!(strict.score_change_mean, Some(0.25));
    assert!(!Comparison::of(&a, &b, None, 0.25).differs());
}
