//! Aggregates of rows by dense group ids, a row at a time: what a grouped reduction is.
//!
//! The engine adds up groups in arrays of its own layout (`engine/src/window/pane`); what is here
//! is the definition that the GPU's tables (`gpu`) are held to, and plain enough to measure by.

/// Count and exact sum of a group.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Total {
    /// Rows.
    pub count: u64,
    /// Sum of their values.
    pub sum: i128,
}

/// Counts and sums values by group. A row whose id is `totals.len()` or more belongs to no group.
///
/// # Contract
/// One id a value (the shorter of the two counts).
///
/// ```
/// use pelton_kernels::window_reduce::{Total, sum_by_group};
/// let mut totals = [Total::default(); 2];
/// sum_by_group(&[0, 1, 0, 7], &[5, -2, 10, 1], &mut totals);
/// assert_eq!(totals, [Total { count: 2, sum: 15 }, Total { count: 1, sum: -2 }]);
/// ```
pub fn sum_by_group(ids: &[u32], values: &[i64], totals: &mut [Total]) {
    for (id, value) in ids.iter().zip(values) {
        if let Some(total) = totals.get_mut(*id as usize) {
            total.count += 1;
            total.sum += i128::from(*value);
        }
    }
}

/// The least of `least[group]` and of all values of the group xor `flip` (0, or −1 to find the
/// greatest, with all bits turned). Ids past the groups belong to none.
pub fn least_by_group(ids: &[u32], values: &[i64], flip: i64, least: &mut [i64]) {
    for (id, value) in ids.iter().zip(values) {
        if let Some(found) = least.get_mut(*id as usize) {
            *found = (*found).min(value ^ flip);
        }
    }
}

/// Adds to each group's sum the values of its rows `rows[starts[g]..starts[g + 1]]`, in that
/// order, each addition rounded.
///
/// # Contract
/// One start more than sums (asserted).
///
/// # Panics
/// When a start or a row is out of range.
pub fn sum_in_order(starts: &[u32], rows: &[u32], values: &[f64], sums: &mut [f64]) {
    assert_eq!(starts.len(), sums.len() + 1);
    for (sum, span) in sums.iter_mut().zip(starts.windows(2)) {
        for row in &rows[span[0] as usize..span[1] as usize] {
            *sum += values[*row as usize];
        }
    }
}
