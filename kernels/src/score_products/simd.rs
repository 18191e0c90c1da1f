//! Products with lanes that are items: sixteen items against four queries at a time
//! ([`dot_tile`](crate::dot_tile)), the sums of each in the definition's order.
//!
//! Items are widened and turned, some hundred at a time, so that they stay in the second cache
//! while all queries of a piece pass over them. A sum is looked at closely only where it beats the
//! query's last: once lists are filled that is rare.

use super::scalar::List;
use super::{Best, Rows};
use crate::dot_tile::{COLUMNS, Lanes, ROWS, Sums, multiply};
use crate::simd::Level;

/// Bytes of the items that are turned at a time.
const CHUNK_BYTES: usize = 1 << 18;
/// Queries that pass over them, each with its list.
const PIECE: usize = 4096;

/// As [`super::best`].
pub(super) fn best(level: Level, items: Rows<'_>, queries: Rows<'_>, all: &mut Best) {
    let dimensions = items.dimensions;
    let tiles = (CHUNK_BYTES / (size_of::<Lanes>() * dimensions)).max(1);
    let step = tiles * COLUMNS;
    let mut lists = vec![List::new(all.k); PIECE.min(queries.len())];
    let mut packed = vec![[0.0; COLUMNS]; tiles * dimensions];
    let mut sums: Vec<Sums> = vec![[[0.0; COLUMNS]; ROWS]; tiles];
    let mut turned = vec![[0.0; ROWS]; dimensions];
    for first in (0..queries.len()).step_by(PIECE) {
        let last = queries.len().min(first + PIECE);
        lists.iter_mut().for_each(List::clear);
        for start in (0..items.len()).step_by(step) {
            let count = step.min(items.len() - start);
            let used = count.div_ceil(COLUMNS);
            pack(items, start, count, &mut packed);
            for group in (first..last).step_by(ROWS) {
                let rows = ROWS.min(last - group);
                turn(queries, group, rows, &mut turned);
                multiply(level, &packed[..used * dimensions], &turned, &mut sums[..used]);
                let lists = &mut lists[group - first..][..rows];
                see(&sums[..used], start, count, lists);
            }
        }
        for (list, query) in lists.iter().zip(first..last) {
            list.write(all, query);
        }
    }
}

/// Items side by side, sixteen a tile; those past the last are 0.
fn pack(items: Rows<'_>, start: usize, count: usize, packed: &mut [Lanes]) {
    for (tile, lanes) in packed.chunks_exact_mut(items.dimensions).enumerate() {
        for column in 0..COLUMNS {
            let at = tile * COLUMNS + column;
            if at < count {
                let row = items.row(start + at);
                lanes.iter_mut().zip(row).for_each(|(lane, x)| lane[column] = f64::from(*x));
            } else {
                lanes.iter_mut().for_each(|lane| lane[column] = 0.0);
            }
        }
    }
}

/// Queries side by side; those past the last are 0.
fn turn(queries: Rows<'_>, first: usize, rows: usize, turned: &mut [[f64; ROWS]]) {
    turned.fill([0.0; ROWS]);
    for row in 0..rows {
        let query = queries.row(first + row);
        turned.iter_mut().zip(query).for_each(|(to, x)| to[row] = f64::from(*x));
    }
}

/// Shows sums to the lists of their queries.
fn see(sums: &[Sums], start: usize, count: usize, lists: &mut [List]) {
    for (row, list) in lists.iter_mut().enumerate() {
        for (tile, sums) in sums.iter().enumerate() {
            let lanes = &sums[row][..COLUMNS.min(count - tile * COLUMNS)];
            // An equal one of a later number stays behind; NaN is no product.
            if let Some(least) = list.least()
                && !lanes.iter().fold(false, |any, sum| any | (*sum > least))
            {
                continue;
            }
            for (column, sum) in lanes.iter().enumerate() {
                list.see(*sum, (start + tile * COLUMNS + column) as u32);
            }
        }
    }
}
