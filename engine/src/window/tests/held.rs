//! Rows that are kept: their columns stay theirs, whatever is let go and moved.

use arrow::array::{AsArray, Int64Array};
use arrow::datatypes::Int64Type;

use super::*;
use crate::window::held::{Held, HeldRow};

/// Keeps every `every`-th row of batches of so many rows, for `rows` rows at most.
fn run(batch_rows: usize, every: usize, rows: usize) -> (Held, Vec<HeldRow>, u64) {
    let mut held = Held::default();
    let mut kept: Vec<HeldRow> = Vec::new();
    let mut most = 0;
    for batch in 0..40_000 / batch_rows {
        let first = batch * batch_rows;
        let values: Vec<i64> = (first..first + batch_rows).map(|i| i as i64).collect();
        held.begin(vec![Arc::new(Int64Array::from(values))], batch_rows);
        for row in (0..batch_rows).filter(|row| (first + row).is_multiple_of(every)) {
            let offset = (first + row) as u64;
            kept.push(held.keep(row, 0, Position { partition: 0, offset }));
        }
        held.settle(kept.iter_mut()).expect("moved");
        let excess = kept.len().saturating_sub(rows);
        kept.drain(..excess).for_each(|row| held.release(&row));
        held.settle(kept.iter_mut()).expect("moved");
        most = most.max(held.bytes() as u64);
    }
    (held, kept, most)
}

#[test]
fn rows_keep_their_columns_and_little_else() {
    for (batch_rows, every, rows) in [
        (1, 1, 300),
        (1, 1, 5_000),
        (1000, 1, 4_000),
        (1000, 97, 100),
        (1000, 1009, 10),
        (7, 3, 900),
    ] {
        let (mut held, kept, most) = run(batch_rows, every, rows);
        let columns = held.columns(&kept).expect("columns");
        let values: Vec<u64> =
            columns[0].as_primitive::<Int64Type>().values().iter().map(|v| *v as u64).collect();
        let expected: Vec<u64> = kept.iter().map(|row| row.position.offset).collect();
        assert_eq!(values, expected, "{batch_rows} {every} {rows}");
        // Four times what is kept, and the rows that may be spare.
        let bound = 8 * (4 * rows + (1 << 14) + 2 * batch_rows) as u64;
        assert!(most <= bound, "{batch_rows} {every} {rows}: {most} of {bound}");
        kept.iter().for_each(|row| held.release(row));
        held.settle(std::iter::empty()).expect("nothing to move");
        assert_eq!(held.bytes(), 0);
    }
}
