//! Keys that are forgotten when idle: every window is what it is where keys are known for ever,
//! and the previous row is that of the definition.

use super::*;

fn with_ttl(plan: &OverPlan, key_ttl: i64) -> OverPlan {
    OverPlan { key_ttl: Some(key_ttl), ..plan.clone() }
}

/// Keys come, go and come again; now and then all are silent for long.
fn passing(steps: Vec<(Step, i64)>) -> Vec<Row> {
    let (steps, pauses): (Vec<_>, Vec<_>) = steps.into_iter().unzip();
    let mut rows = rows(steps);
    let mut pause = 0;
    for (row, own) in rows.iter_mut().zip(pauses) {
        pause += if own < 150 { 0 } else { own };
        row.time += pause;
        row.key += row.time.div_euclid(60) % 4 * 3;
    }
    rows
}

/// The previous row's age, from where keys are known for ever.
fn previous(rows: &[Row], i: usize, known: Option<f64>, plan: &OverPlan) -> Option<f64> {
    let largest = rows[..i].iter().map(|row| row.time).max().unwrap_or(i64::MIN);
    let key_ttl = plan.key_ttl.unwrap();
    let slack = plan.memory_slack();
    let age = known? as i64;
    let is_late = rows[i].time < largest.saturating_sub(slack);
    let after = key_ttl.max(plan.reach() + slack) + slack.max(plan.delay);
    let forgotten = is_late && largest - (rows[i].time - age) >= after;
    (age < key_ttl && !forgotten).then_some(age as f64)
}

fn check_forgotten(rows: &[Row], sizes: &[usize], plan: &OverPlan, key_ttl: i64) {
    let forgets = with_ttl(plan, key_ttl);
    let (all, some) = (run(rows, sizes, plan), run(rows, sizes, &forgets));
    let since = plan.outputs.iter().position(|(_, output)| *output == Output::SincePrevious);
    let ages = &all[since.unwrap()];
    for (((name, output), all), some) in plan.outputs.iter().zip(&all).zip(&some) {
        if !output.is_history() {
            assert_eq!(format!("{all:?}"), format!("{some:?}"), "{name}");
            continue;
        }
        for i in 0..rows.len() {
            let wanted =
                previous(rows, i, optional(ages, i), &forgets).and_then(|_| optional(all, i));
            assert_eq!(optional(some, i), wanted, "{name} of row {i} {:?}", rows[i]);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn forgetting_changes_no_window(
        steps in prop::collection::vec((row(), 0i64..160), 0..120),
        sizes in prop::collection::vec(1usize..40, 1..6),
        delay in 0i64..20,
        more in 0i64..120,
    ) {
        let rows = passing(steps);
        let plan = plan(delay);
        check_forgotten(&rows, &sizes, &plan, plan.reach() + more);
    }

    #[test]
    fn histories_alone_forget_by_the_time_to_live(
        steps in prop::collection::vec((row(), 0i64..160), 0..120),
        sizes in prop::collection::vec(1usize..40, 1..6),
        delay in 0i64..20,
        key_ttl in 1i64..60,
    ) {
        let mut plan = plan(delay);
        plan.outputs.retain(|(_, output)| output.is_history());
        plan.drop_unused();
        check_forgotten(&passing(steps), &sizes, &plan, key_ttl);
    }
}

/// No previous row is asked for: keys are forgotten unasked.
fn without_history(delay: i64) -> OverPlan {
    let mut plan = lean(delay);
    plan.drop_unused();
    plan
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(120))]

    #[test]
    fn keys_that_are_forgotten_unasked_answer_as_new_ones(
        steps in prop::collection::vec((row(), 0i64..160), 0..160),
        sizes in prop::collection::vec(1usize..40, 1..6),
        delay in 0i64..20,
    ) {
        let rows = passing(steps);
        check(&rows, &sizes, &without_history(delay));
    }
}

#[test]
fn keys_that_came_once_take_no_memory() {
    come_once(&with_ttl(&plan(2), 200));
    come_once(&without_history(2));
}

fn come_once(plan: &OverPlan) {
    let countries = ["DE", "FR"];
    // Each key comes twice, from two countries, or once, and never again.
    for times in [1, 2] {
        let country = |i: i64| Some(countries[i as usize % 2]);
        let row = |i| Row { key: i / times, country: country(i), ..plain(i / times / 10) };
        come(&(0..60_000).map(row).collect::<Vec<_>>(), plan);
    }
}

fn come(rows: &[Row], plan: &OverPlan) {
    let mut over = Over::new(plan.clone(), &record_batch(&[]).schema()).unwrap();
    let mut most = 0;
    for batch in batches(rows, &[1000], 2) {
        over.on_batch(&batch, Rows::All(batch.len())).unwrap();
        most = most.max(over.state().keys);
    }
    let bound = match plan.key_ttl {
        // Ten keys a unit for 200 units and their slack; a third more before any goes, as many more
        // before they are looked through, and a batch.
        Some(_) => 3 * 10 * (200 + 8) + 1000,
        // For half of the time, but four times as many are known before any goes.
        None => 11_000,
    };
    assert!(most < bound, "{most} keys");
    assert!(over.state().bytes < 8 << 20, "{:?}", over.state());
}

#[test]
fn a_time_to_live_below_the_reach_is_refused() {
    let schema = record_batch(&[]).schema();
    for key_ttl in [-5, 0, 99] {
        let error = Over::new(with_ttl(&plan(2), key_ttl), &schema).err().unwrap().to_string();
        assert!(error.contains("a horizon still reaches"), "{error}");
    }
    assert!(Over::new(with_ttl(&plan(2), 100), &schema).is_ok());
}
