//! Trees, ranges and sets of random shapes.

use proptest::prelude::*;

use super::*;

/// What a node is: whether it splits, its column, bound and mass.
pub(crate) type Choice = (bool, u16, i16, f64);

/// Choices of the nodes of a tree of three columns.
pub(crate) fn choices() -> impl Strategy<Value = Vec<Choice>> {
    let splits = prop::bool::weighted(0.6);
    proptest::collection::vec((splits, 0..3_u16, 0..=i16::MAX, 0.0..1e6_f64), 1..60)
}

/// The tree of such choices, in the order in which nodes are taken, and its leaves' masses.
pub(crate) fn tree(choices: &[Choice]) -> (Vec<Half>, Vec<f64>) {
    let blank = Half { bound: 0, column: 0, child: 0 };
    let (mut nodes, mut masses) = (vec![blank], vec![]);
    let (mut open, mut choices) = (vec![(0, 0)], choices.iter());
    while let Some((at, level)) = open.pop() {
        match choices.next() {
            Some(&(true, column, bound, _)) if level < BITS => {
                let child = nodes.len();
                nodes[at] = Half { bound, column, child: child as u16 };
                nodes.extend([blank, blank]);
                open.extend([(child + 1, level + 1), (child, level + 1)]);
            }
            choice => {
                nodes[at] = Half { bound: 0, column: masses.len() as u16, child: at as u16 };
                masses.push(choice.map_or(7.0, |choice| choice.3));
            }
        }
    }
    (nodes, masses)
}

/// Ranges as trees have them, and such as only hostile rows bring about.
pub(crate) fn range() -> impl Strategy<Value = (f64, f64)> {
    prop_oneof![
        6 => (-1e3..1e3_f64, 1e-9..1e4_f64).prop_map(|(low, width)| (low, low + width)),
        2 => (0..60_i32, 1.0..2.0_f64).prop_map(|(e, low)| (low, low + libm::ldexp(1.0, -e))),
        2 => Just((-1.0, 3.0)),
        1 => (any::<f64>(), any::<f64>()),
    ]
}

/// Values of a range: its borders at all depths and their neighbours, any, and none.
fn value((low, high): (f64, f64)) -> impl Strategy<Value = f64> {
    let border = (0..=BITS, any::<u64>(), 0..3_u8).prop_map(move |(halvings, turns, next)| {
        let (mut low, mut high, mut middle) = (low, high, low);
        for step in 0..halvings {
            middle = 0.5 * (low + high);
            if turns >> step & 1 == 1 { low = middle } else { high = middle }
        }
        [middle, middle.next_up(), middle.next_down()][next as usize]
    });
    let within = (-0.2..1.2_f64).prop_map(move |share| low + share * (high - low));
    prop_oneof![4 => border, 4 => within, 1 => Just(f64::NAN), 1 => any::<f64>()]
}

proptest! {
    #[test]
    fn codes_are_the_halvings(
        (range, values) in range().prop_flat_map(|range| {
            (Just(range), proptest::collection::vec(value(range), BLOCK_ROWS))
        }),
    ) {
        let column: Block = values.as_slice().try_into().unwrap();
        let ready = Range::new(range.0, range.1);
        let mut out = vec![-1; BLOCK_ROWS + 3];
        codes(&[column], &[ready], BLOCK_ROWS, &mut out);
        for (value, out) in values.iter().zip(&out) {
            let expected = scalar::code(*value, range.0, range.1);
            prop_assert_eq!(*out, expected, "{} in {:?}", value, range);
            prop_assert_eq!(ready.code(*value), expected, "{} alone in {:?}", value, range);
        }
        prop_assert_eq!(&out[BLOCK_ROWS..], &[-1; 3]);
    }

    #[test]
    fn a_block_is_its_rows(
        choices in choices(),
        codes in proptest::collection::vec(0..=i16::MAX, 3 * (BLOCK_ROWS + 5)),
    ) {
        let (nodes, masses) = tree(&choices);
        let stride = BLOCK_ROWS + 5;
        let mut sums = [1.5; BLOCK_ROWS];
        let (selections, mut ends) = (selections(&nodes), Ends::of_leaves(masses.len()));
        add_masses(&selections, &masses, &codes, stride, &mut ends, &mut sums);
        for row in 0..BLOCK_ROWS {
            let mass = scalar::mass(&nodes, &masses, |column| codes[column * stride + row]);
            prop_assert_eq!(sums[row].to_bits(), (1.5 + mass).to_bits());
        }
    }

    #[test]
    fn a_set_is_parted_row_by_row(
        words in proptest::collection::vec((word(), any::<u64>()), 0..6),
        bound in prop_oneof![0..=i16::MAX, Just(0), Just(3), Just(i16::MAX)],
    ) {
        let codes: Vec<i16> = words.iter().flat_map(|word| word.0.clone()).collect();
        let own: Vec<u64> = words.iter().map(|word| word.1).collect();
        for level in Level::available() {
            let (mut lower, mut upper) = (vec![7; own.len()], vec![7; own.len()]);
            let count = part(level, &codes, bound, &own, (&mut lower, &mut upper));
            prop_assert_eq!((lower, upper, count), scalar::part(&codes, bound, &own));
        }
    }
}

/// The codes of a word of rows, many at the borders.
pub(crate) fn word() -> impl Strategy<Value = Vec<i16>> {
    let code = prop_oneof![0..=i16::MAX, 0..6_i16, Just(i16::MAX)];
    proptest::collection::vec(code, WORD_ROWS)
}
