//! Small networks: layers of weights, each followed by an activation.
//!
//! ```text
//! x₀ = features     xₖ₊₁ = activation(Wₖ xₖ + bₖ)
//! ```
//!
//! [`scalar`] is the definition: sums in `f64`, in the order of inputs, transcendental functions
//! from the `libm` crate. A GPU computes the same in `f32` (`gpu`), which gives other bits:
//! [`Network::error_bounds`] says how far a row's outputs may lie from the definition there, and
//! who needs the definition's bits does not send networks to a GPU.
//!
//! # The bound
//! Every operation of `f32` is within [`ROUNDING_F32`] of its result, relatively: WGSL asks for a
//! correctly rounded one but not for which of both neighbours, and lets a device fuse a product
//! with a sum, which rounds once less. With inputs that are off by eₖ (at first by their rounding
//! to `f32`), a sum of n products is off by at most
//!
//! ```text
//! Σ|w| e + (n + 4) · ROUNDING_F32 · (Σ|w| (|x| + e) + |b|)
//! ```
//!
//! (N. Higham, "Accuracy and Stability of Numerical Algorithms", chapter 3; 4 for weights and bias
//! that are rounded and for the two last additions). No activation here is steeper than 1, and
//! tanh and the logistic function add some units of their own.

#[cfg(feature = "gpu")]
pub mod gpu;
pub mod scalar;
mod simd;

use crate::simd::Level;

/// The largest relative error of an operation in `f32`, in either direction.
pub const ROUNDING_F32: f64 = 1.0 / 8_388_608.0;

/// The absolute error of tanh and the logistic function in `f32`, beyond that of their argument.
pub const ACTIVATION_TOLERANCE: f64 = 16.0 * ROUNDING_F32;

/// How far outputs of a network of usual weights (none much above 1, features as well) lie from the
/// definition in `f32`, relative to the larger of 1 and their size.
pub const USUAL_TOLERANCE: f64 = 2e-6;

/// Sums stay below this, so that no `f32` overflows.
const SUM_MAX: f64 = 1e37;

/// What products and sums may lose to numbers below the normal ones.
const UNDERFLOW: f64 = 1e-37;

/// What a layer's sums go through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// Nothing.
    Identity,
    /// max(x, 0); NaN stays.
    Relu,
    /// tanh x.
    Tanh,
    /// 1 / (1 + e^−x).
    Logistic,
}

/// A layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Layer {
    /// For each of its outputs the weight of each input.
    pub weights: Vec<Vec<f64>>,
    /// For each output what is added.
    pub bias: Vec<f64>,
    /// What the sums go through.
    pub activation: Activation,
}

impl Layer {
    /// Values that come in.
    fn inputs(&self) -> usize {
        self.weights.first().map_or(0, Vec::len)
    }
}

/// A network.
#[derive(Debug, Clone, PartialEq)]
pub struct Network {
    layers: Vec<Layer>,
}

impl Network {
    /// A network of these layers, its input first.
    ///
    /// # Errors
    /// Where there is none, widths do not fit each other, or a number is not finite.
    pub fn new(layers: Vec<Layer>) -> Result<Self, String> {
        let mut width = layers.first().map_or(0, Layer::inputs);
        if width == 0 {
            return Err("a network without a layer".to_owned());
        }
        for (at, layer) in layers.iter().enumerate() {
            let whole = layer.weights.iter().all(|weights| weights.len() == width);
            let numbers = layer.weights.iter().flatten().chain(&layer.bias);
            if !whole || layer.bias.len() != layer.weights.len() || layer.bias.is_empty() {
                return Err(format!("layer {at} does not fit the {width} values that come in"));
            }
            if !numbers.copied().all(f64::is_finite) {
                return Err(format!("layer {at} has a weight that is no finite number"));
            }
            width = layer.bias.len();
        }
        Ok(Self { layers })
    }

    /// The layers, input first.
    #[must_use]
    pub fn layers(&self) -> &[Layer] {
        &self.layers
    }

    /// Number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.layers.first().map_or(0, Layer::inputs)
    }

    /// Number of outputs.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers.last().map_or(0, |layer| layer.bias.len())
    }

    /// How large a feature may be so that no sum of `f32` overflows; 0 where one may in any case.
    #[must_use]
    pub fn input_max(&self) -> f64 {
        // Sums are at most slope · |x| + rest, whatever the activations.
        let (mut slope, mut rest) = (1.0_f64, 0.0_f64);
        let mut largest = f64::from(f32::MAX) / 2.0;
        for layer in &self.layers {
            let weight = layer
                .weights
                .iter()
                .map(|w| w.iter().map(|x| x.abs()).sum::<f64>())
                .fold(0.0, f64::max);
            let bias = layer.bias.iter().fold(0.0, |most: f64, b| most.max(b.abs()));
            slope *= weight;
            // An activation gives at most 1, or what comes in.
            rest = weight * rest.max(1.0) + bias;
            let numbers = layer.weights.iter().flatten().chain(&layer.bias);
            let widest = numbers.fold(rest, |most: f64, x| most.max(x.abs()));
            if widest.is_nan() || widest >= SUM_MAX || slope.is_nan() {
                return 0.0;
            }
            largest = largest.min((SUM_MAX - rest) / slope.max(f64::MIN_POSITIVE));
        }
        largest
    }

    /// How far each output of one row may lie from the definition where it is computed in `f32`.
    ///
    /// # Contract
    /// `row` has a value a feature, none beyond [`Network::input_max`]; `out` one an output
    /// (asserted).
    pub fn error_bounds(&self, row: &[f64], out: &mut [f64]) {
        assert!(row.len() == self.features() && out.len() == self.outputs());
        let mut values = row.to_vec();
        let mut errors: Vec<f64> = row.iter().map(|x| x.abs() * ROUNDING_F32 + UNDERFLOW).collect();
        for layer in &self.layers {
            let n = layer.inputs() as f64;
            let error = |(weights, bias): (&Vec<f64>, &f64)| {
                let (mut passed, mut size) = (0.0, bias.abs());
                for ((weight, value), error) in weights.iter().zip(&values).zip(&errors) {
                    passed += weight.abs() * error + UNDERFLOW * (1.0 + value.abs());
                    size += weight.abs() * (value.abs() + error);
                }
                let own = match layer.activation {
                    Activation::Identity | Activation::Relu => 0.0,
                    Activation::Tanh | Activation::Logistic => ACTIVATION_TOLERANCE,
                };
                passed + (n + 4.0) * ROUNDING_F32 * size + own
            };
            errors = layer.weights.iter().zip(&layer.bias).map(error).collect();
            values = scalar::layer(layer, &values);
        }
        out.copy_from_slice(&errors);
    }
}

/// The outputs of rows in columns: all of output 0, then all of output 1, ….
///
/// # Panics
/// When there is not a column a feature, all of one length, or `out` has not `outputs × rows`
/// values.
pub fn score_columns(level: Level, network: &Network, columns: &[&[f64]], out: &mut [f64]) {
    let rows = checked_rows(network, columns, out);
    if level != Level::Scalar {
        return simd::score_columns(level, network, columns, out);
    }
    let (mut row, mut one) = (vec![0.0; columns.len()], vec![0.0; network.outputs()]);
    for at in 0..rows {
        score_at(network, columns, at, &mut row, &mut one);
        one.iter().enumerate().for_each(|(output, value)| out[output * rows + at] = *value);
    }
}

/// The outputs of row `at`.
fn score_at(network: &Network, columns: &[&[f64]], at: usize, row: &mut [f64], one: &mut [f64]) {
    for (value, column) in row.iter_mut().zip(columns) {
        *value = column[at];
    }
    scalar::score_row(network, row, one);
}

fn checked_rows(network: &Network, columns: &[&[f64]], out: &[f64]) -> usize {
    assert_eq!(columns.len(), network.features());
    let rows = columns.first().map_or(0, |column| column.len());
    assert!(columns.iter().all(|column| column.len() == rows), "columns differ in length");
    assert_eq!(out.len(), rows * network.outputs());
    rows
}
