//! Draws from a fixed discrete distribution in constant time: Walker's alias method, built
//! as Vose does (M. D. Vose, "A linear algorithm for generating random numbers with a given
//! distribution", IEEE Transactions on Software Engineering 17, 1991).
//!
//! Every index gets a cell of equal probability; a cell belongs to its index up to a threshold
//! and to one other index, its alias, above it.

use crate::draws::Draws;

#[derive(Debug, Clone, Copy)]
struct Cell {
    /// Share of the cell that belongs to its own index, times 2³² (saturated).
    own: u32,
    alias: u32,
}

/// A distribution over `0..weights.len()`.
#[derive(Debug)]
pub(crate) struct Alias {
    cells: Vec<Cell>,
}

impl Alias {
    /// Probabilities proportional to `weights`, which are positive and not empty.
    pub(crate) fn new(weights: &[f64]) -> Self {
        let mean = weights.iter().sum::<f64>() / weights.len() as f64;
        let mut left: Vec<f64> = weights.iter().map(|weight| weight / mean).collect();
        let mut cells: Vec<Cell> =
            (0..left.len() as u32).map(|alias| Cell { own: u32::MAX, alias }).collect();
        let (mut small, mut large): (Vec<u32>, Vec<u32>) =
            (0..left.len() as u32).partition(|&i| left[i as usize] < 1.0);
        while let (Some(&poor), Some(&rich)) = (small.last(), large.last()) {
            small.pop();
            let share = left[poor as usize];
            cells[poor as usize] = Cell { own: (share * 4_294_967_296.0) as u32, alias: rich };
            left[rich as usize] -= 1.0 - share;
            if left[rich as usize] < 1.0 {
                large.pop();
                small.push(rich);
            }
        }
        Self { cells }
    }

    /// One index.
    #[inline]
    pub(crate) fn draw(&self, draws: &mut Draws) -> u32 {
        let index = draws.below(self.cells.len() as u32);
        let cell = self.cells[index as usize];
        if draws.bits() <= cell.own { index } else { cell.alias }
    }
}

#[cfg(test)]
mod tests;
