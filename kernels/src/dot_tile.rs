//! Sums of products, sixteen columns against four rows at a time: the inner loop of
//! [`score_products`](crate::score_products) and [`score_network`](crate::score_network).
//!
//! ```text
//!            column 0 … column 15          sums[row][column] = Σ_d rows[d][row] · columns[d][column]
//! d = 0      x x x x x x x x … x           rows[0] = w w w w
//! d = 1      x x x x x x x x … x           rows[1] = w w w w
//! ```
//! The lanes of a vector are columns, so each sum is taken term by term in the order of `d`, as
//! its definition takes it: the same bits at every level. Eight sums of eight lanes are under way
//! at once, which hides what an addition waits for the one before.

use crate::simd::multiversion;

/// Columns of a tile.
pub(crate) const COLUMNS: usize = 16;
/// Rows that are multiplied with a tile at a time.
pub(crate) const ROWS: usize = 4;

/// A number of each column of a tile.
pub(crate) type Lanes = [f64; COLUMNS];

/// The sums of a tile.
pub(crate) type Sums = [Lanes; ROWS];

multiversion! {
    /// `tiles` has, for each of `sums`, as many lanes as `rows` has entries.
    pub(crate) fn multiply(level; tiles: &[Lanes], rows: &[[f64; ROWS]], sums: &mut [Sums]) {
        if rows.is_empty() {
            sums.fill([[0.0; COLUMNS]; ROWS]);
            return;
        }
        for (tile, sums) in tiles.chunks_exact(rows.len()).zip(sums) {
            // Four names rather than an array: they stay in registers.
            let [mut a, mut b, mut c, mut d] = [[0.0; COLUMNS]; ROWS];
            for (lanes, [p, q, r, s]) in tile.iter().zip(rows) {
                for at in 0..COLUMNS {
                    a[at] += p * lanes[at];
                    b[at] += q * lanes[at];
                    c[at] += r * lanes[at];
                    d[at] += s * lanes[at];
                }
            }
            *sums = [a, b, c, d];
        }
    }
}
