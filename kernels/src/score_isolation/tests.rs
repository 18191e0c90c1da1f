use super::*;

/// A small forest as a reader makes it: two trees, NaN to either side.
fn trees() -> Trees {
    let mut trees = Trees::new(2, 1);
    let rules = [
        Rule::Numeric { missing: Missing::Nan, default_left: true },
        Rule::Numeric { missing: Missing::Nan, default_left: false },
        Rule::Numeric { missing: Missing::Never, default_left: false },
    ];
    for (at, rule) in rules.into_iter().enumerate() {
        for (node, threshold) in [(0, 0.5), (1, -1.5)] {
            trees.feature.push(node);
            trees.threshold.push(threshold + at as f64 * 0.25);
            trees.rule.push(rule);
        }
        trees.left.extend([Child::leaf(1), Child::leaf(2)]);
        trees.right.extend([Child::node(1), Child::leaf(0)]);
        trees.leaf.extend([1.25, 3.0 + 0.1 * at as f64, 7.7]);
        trees.end_tree(0);
    }
    // A tree that is a leaf.
    trees.leaf.push(0.3);
    trees.end_tree(0);
    trees
}

#[test]
fn a_forest_of_trees_ends_where_they_do() {
    let trees = trees();
    let forest = Forest::from_trees(&trees).expect("levels");
    let values = [f64::NAN, f64::NEG_INFINITY, -1.5, -0.0, 0.5, 0.75, 1.0, 3.0, f64::INFINITY];
    for row in values.iter().flat_map(|a| values.map(|b| [*a, b])) {
        let mut sum = [0.0];
        crate::score_forest::scalar::score_row(&trees, &row, &[0.0], &mut sum);
        let own = mean(scalar::level_sum(&forest, &row), forest.trees());
        assert!((own - sum[0] / 4.0).abs() <= LEVEL_TOLERANCE, "{row:?}: {own} for {sum:?}");
    }
}

#[test]
fn scores_are_powers_of_two() {
    assert_eq!(score(0, 3, 10.0), 1.0);
    assert_eq!(score(3 * level_units(10.0), 3, 10.0), 0.5);
    assert_eq!(score(level_units(1.5), 1, 0.5), 0.125);
}

#[test]
fn the_largest_sum_fits() {
    let sum = u128::from(level_units(LEVEL_MAX)) * TREES_MAX as u128;
    assert!(u64::try_from(sum).is_ok());
}

#[test]
fn what_is_no_tree_is_refused() {
    let end = Node::end(1.0);
    let cut = |value, column, child| Node { value, column, child, nan_up: false };
    let bad = [
        vec![],
        vec![Node::end(-1.0)],
        vec![Node::end(f64::NAN)],
        vec![Node::end(2.0 * LEVEL_MAX)],
        vec![cut(0.0, 0, 1), end],
        vec![cut(0.0, 2, 1), end, end],
        vec![cut(f64::NAN, 0, 1), end, end],
        vec![cut(0.0, 0, 1), cut(0.0, 0, 1), end],
    ];
    for tree in bad {
        let mut forest = Forest::new(2);
        assert!(forest.push(&tree).is_err(), "{tree:?}");
        assert_eq!(forest, Forest::new(2));
    }
    let mut trees = trees();
    trees.leaf[0] = -4.0;
    assert!(Forest::from_trees(&trees).is_err());
    trees.leaf[0] = 4.0;
    trees.rule[0] = Rule::Numeric { missing: Missing::ZeroOrNan, default_left: false };
    assert!(Forest::from_trees(&trees).is_err());
}
