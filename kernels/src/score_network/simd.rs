//! Layers with lanes that are rows: sixteen rows against four units at a time
//! ([`dot_tile`](crate::dot_tile)). Each sum is taken in the order of inputs and each activation is
//! the definition's, so outputs are the definition's bits.

use super::scalar::activated;
use super::{Layer, Network};
use crate::dot_tile::{COLUMNS, Lanes, ROWS, Sums, multiply};
use crate::simd::Level;

/// A layer's weights, four units side by side; those past the last are 0.
struct Turned<'a> {
    layer: &'a Layer,
    groups: Vec<Vec<[f64; ROWS]>>,
}

impl<'a> Turned<'a> {
    fn new(layer: &'a Layer) -> Self {
        let group = |weights: &[Vec<f64>]| {
            let of = |input: usize| {
                std::array::from_fn(|unit| weights.get(unit).map_or(0.0, |own| own[input]))
            };
            (0..layer.inputs()).map(of).collect()
        };
        Self { layer, groups: layer.weights.chunks(ROWS).map(group).collect() }
    }

    /// What the layer makes of sixteen rows.
    fn apply(&self, level: Level, inputs: &[Lanes], outputs: &mut Vec<Lanes>) {
        outputs.clear();
        let mut sums: [Sums; 1] = [[[0.0; COLUMNS]; ROWS]];
        for (weights, bias) in self.groups.iter().zip(self.layer.bias.chunks(ROWS)) {
            multiply(level, inputs, weights, &mut sums);
            for (sums, bias) in sums[0].iter().zip(bias) {
                outputs.push(sums.map(|sum| activated(self.layer.activation, sum + bias)));
            }
        }
    }
}

/// As [`super::score_columns`], of checked rows.
pub(super) fn score_columns(level: Level, network: &Network, columns: &[&[f64]], out: &mut [f64]) {
    let rows = columns.first().map_or(0, |column| column.len());
    let layers: Vec<Turned<'_>> = network.layers.iter().map(Turned::new).collect();
    let (mut values, mut next) = (Vec::new(), Vec::new());
    for start in (0..rows).step_by(COLUMNS) {
        let count = COLUMNS.min(rows - start);
        values.clear();
        values.extend(columns.iter().map(|column| {
            let mut lanes = [0.0; COLUMNS];
            lanes[..count].copy_from_slice(&column[start..start + count]);
            lanes
        }));
        for layer in &layers {
            layer.apply(level, &values, &mut next);
            std::mem::swap(&mut values, &mut next);
        }
        for (output, lanes) in values.iter().enumerate() {
            out[output * rows + start..][..count].copy_from_slice(&lanes[..count]);
        }
    }
}
