use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, TimeUnit};
use proptest::prelude::*;

use crate::operator::{KeyedWindow, Rows, WindowRows};
use crate::time::seconds;
use crate::window::aggregate::{Aggregate, Function};
use crate::window::pane::PaneWindow;
use crate::window::spec::{WindowKind, WindowSpec};
use crate::window::tests::*;

fn spec(kind: WindowKind, keys: &[&str]) -> WindowSpec {
    use Function::{Avg, Count, Max, Min, Sum};
    let aggregate = |function, column, name| Aggregate::new(function, column, name);
    WindowSpec {
        kind,
        offset: seconds(3),
        time_type: DataType::Timestamp(TimeUnit::Second, None),
        unit: TimeUnit::Second,
        keys: keys.iter().map(|&key| key.to_owned()).collect(),
        lateness: None,
        key_ttl: None,
        aggregates: vec![
            aggregate(Count, None, "n"),
            aggregate(Count, Some("number"), "numbers"),
            aggregate(Sum, Some("number"), "number_sum"),
            aggregate(Avg, Some("number"), "number_avg"),
            aggregate(Min, Some("number"), "number_min"),
            aggregate(Max, Some("number"), "number_max"),
            aggregate(Sum, Some("float"), "float_sum"),
            aggregate(Avg, Some("float"), "float_avg"),
            aggregate(Sum, Some("cents"), "cents_sum"),
            aggregate(Avg, Some("cents"), "cents_avg"),
            aggregate(Max, Some("cents"), "cents_max"),
            aggregate(Min, Some("float"), "float_min"),
        ],
    }
}

/// What the windows give out at each watermark; `alone`: by a shard without others, in pieces of so
/// many rows, from so many partitions as it is told.
fn given(
    spec: &WindowSpec,
    rows: &[Row],
    cuts: &[usize],
    alone: Option<(usize, usize)>,
) -> Vec<WindowRows> {
    let mut window = PaneWindow::new(spec, &input_schema()).expect("valid");
    if let Some((piece_rows, partitions)) = alone {
        window.set_alone(partitions);
        window.piece_rows = piece_rows;
    }
    let mut all = Vec::new();
    for cut in cuts.windows(2) {
        let batch = batch(&rows[cut[0]..cut[1]], cut[0] as u64);
        window.on_batch(&batch, Rows::All(batch.len())).expect("no overflow");
        let ahead = rows[cut[1]..].iter().filter(|row| !row.late).map(|row| row.time).min();
        let watermark = ahead.map_or(i64::MAX, |ahead| ahead - 1);
        let mut closed: Vec<WindowRows> = Vec::new();
        closed.extend(window.on_watermark(watermark).expect("no overflow"));
        while window.has_more() {
            closed.extend(window.next_rows().expect("no overflow"));
        }
        // Rows that are finished in another way come last, in one piece.
        let before_last = closed.split_last().map_or(&[][..], |(_, before)| before);
        assert!(
            before_last
                .iter()
                .all(|piece| alone.is_some_and(|(rows, _)| piece.rows.num_rows() <= rows))
        );
        all.extend(joined(&closed));
    }
    all
}

/// The pieces as one.
fn joined(pieces: &[WindowRows]) -> Option<WindowRows> {
    let schema = pieces.first()?.rows.schema();
    let rows = concat_batches(&schema, pieces.iter().map(|piece| &piece.rows)).expect("alike");
    let times = pieces.iter().flat_map(|piece| piece.times.iter().copied()).collect();
    Some(WindowRows { rows, times, order: Vec::new() })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// A shard that is alone finishes its windows one by one; one that is not, all together.
    #[test]
    fn a_shard_that_is_alone_gives_the_same(
        rows in rows(),
        size in 1..80i64,
        slide in prop_oneof![1..20i64, Just(0), Just(-1)],
        keyed in any::<bool>(),
        nulls_from in prop_oneof![Just(0usize), 0..150usize, Just(usize::MAX)],
        wide_from in prop_oneof![0..150usize, Just(usize::MAX)],
        cuts in prop::collection::vec(0usize..150, 0..8),
        piece_rows in prop_oneof![1..8usize, Just(1 << 16)],
        partitions in 1..3usize,
    ) {
        let mut rows = rows;
        for (i, row) in rows.iter_mut().enumerate() {
            if i < nulls_from {
                row.number = row.number.or(Some(-7));
                row.float = row.float.or(Some(-0.0));
                row.cents = row.cents.or(Some(12));
            }
            if i >= wide_from {
                // Sums may need more than 64 bits on the way.
                row.number = row.number.map(|_| if i % 2 == 0 { i64::MAX } else { i64::MIN + 1 });
            }
        }
        let kind = match slide {
            -1 => WindowKind::Tumble(seconds(size)),
            0 => WindowKind::Cumulate { size: seconds(12 * size), step: seconds(size) },
            _ => WindowKind::Hop { size: seconds(size), slide: seconds(slide) },
        };
        let keys: &[&str] = if keyed { &["key"] } else { &[] };
        let mut spec = spec(kind, keys);
        if wide_from != usize::MAX {
            // What they come to then may not fit the column.
            spec.aggregates.retain(|aggregate| aggregate.name != "number_sum");
        }
        let mut cuts: Vec<usize> = cuts.iter().map(|&cut| cut.min(rows.len())).collect();
        cuts.extend([0, rows.len()]);
        cuts.sort_unstable();
        let alone = given(&spec, &rows, &cuts, Some((piece_rows, partitions)));
        let among = given(&spec, &rows, &cuts, None);
        prop_assert_eq!(alone.len(), among.len());
        for (alone, among) in alone.iter().zip(&among) {
            // Arrow compares floats by their bits.
            prop_assert_eq!(&alone.rows, &among.rows);
            prop_assert_eq!(&alone.times, &among.times);
        }
    }
}
