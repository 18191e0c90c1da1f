//! The definition: layer by layer, unit by unit, inputs in their order, in `f64`.

use super::{Activation, Layer, Network};

/// What an activation makes of a sum.
#[must_use]
pub fn activated(activation: Activation, x: f64) -> f64 {
    match activation {
        Activation::Identity => x,
        // NaN stays what it is.
        Activation::Relu => {
            if x < 0.0 {
                0.0
            } else {
                x
            }
        }
        Activation::Tanh => libm::tanh(x),
        Activation::Logistic => 1.0 / (1.0 + libm::exp(-x)),
    }
}

/// What a layer makes of its inputs.
#[must_use]
pub fn layer(layer: &Layer, inputs: &[f64]) -> Vec<f64> {
    let sum = |(weights, bias): (&Vec<f64>, &f64)| {
        weights.iter().zip(inputs).fold(0.0, |sum, (weight, x)| sum + weight * x) + bias
    };
    let sums = layer.weights.iter().zip(&layer.bias).map(sum);
    sums.map(|x| activated(layer.activation, x)).collect()
}

/// The outputs of one row. `row` has a value a feature, `out` one an output.
pub fn score_row(network: &Network, row: &[f64], out: &mut [f64]) {
    let mut values = row.to_vec();
    for one in &network.layers {
        values = layer(one, &values);
    }
    out.copy_from_slice(&values);
}
