//! The definition: row by row, one more in its slot.

use super::{Counted, Edges, Rows};

/// As [`super::count`].
pub fn count<T: Counted>(edges: &Edges, rows: Rows<'_, T>, counts: &mut [u64]) {
    let slots = edges.slots();
    for (row, value) in rows.values.iter().enumerate().take(rows.len()) {
        let id = rows.ids.map_or(0, |ids| ids[row] as usize);
        let is_null = rows.valid.is_some_and(|valid| valid[row / 64] >> (row % 64) & 1 == 0);
        if id < counts.len() / slots && !is_null {
            counts[id * slots + edges.slot(*value)] += 1;
        }
    }
}
