//! Trees of random shapes.

use proptest::prelude::*;

use super::*;

/// What a node is: whether it splits, its column, middle and mass.
pub(crate) type Choice = (bool, u32, f64, f64);

/// Choices of the nodes of a tree of three columns.
pub(crate) fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let splits = prop::bool::weighted(0.6);
    proptest::collection::vec((splits, 0..3_u32, -2.0..2.0_f64, 0.0..1e6_f64), 1..60)
}

/// The tree of such choices, in the order in which nodes are taken, numbered from `first`.
pub(crate) fn tree(choices: &[Choice], first: usize) -> (Vec<Half>, Vec<f64>) {
    let blank = Half { middle: f64::NAN, column: 0, child: 0 };
    let (mut nodes, mut masses) = (vec![blank], vec![0.0]);
    let (mut open, mut choices) = (vec![0], choices.iter());
    while let Some(at) = open.pop() {
        match choices.next() {
            Some(&(true, column, middle, _)) => {
                let child = nodes.len();
                nodes[at] = Half { middle, column, child: (first + child) as u32 };
                nodes.extend([blank, blank]);
                masses.extend([0.0, 0.0]);
                open.extend([child + 1, child]);
            }
            choice => {
                nodes[at] = Half { child: (first + at) as u32, ..blank };
                masses[at] = choice.map_or(7.0, |choice| choice.3);
            }
        }
    }
    (nodes, masses)
}

proptest! {
    #[test]
    fn a_block_is_its_rows(
        choices in choices(),
        values in proptest::collection::vec(
            prop_oneof![4 => -2.5..2.5_f64, 1 => Just(f64::NAN), 1 => any::<f64>()], 3 * BLOCK_ROWS),
    ) {
        let (nodes, masses) = tree(&choices, 0);
        let columns: Vec<Block> =
            values.chunks(BLOCK_ROWS).map(|column| column.try_into().unwrap()).collect();
        let mut sums = [1.5; BLOCK_ROWS];
        let mut room = vec![[0.0; BLOCK_ROWS]; nodes.len()];
        add_masses(&nodes, &masses, 0, &columns, &mut room, &mut sums);
        for row in 0..BLOCK_ROWS {
            let values: Vec<f64> = columns.iter().map(|column| column[row]).collect();
            let expected = 1.5 + scalar::mass(&nodes, &masses, 0, &values);
            prop_assert_eq!(sums[row].to_bits(), expected.to_bits());
        }
    }
}
