//! Small networks: layers of weights, each followed by an activation.
//!
//! ```text
//! x₀ = features     xₖ₊₁ = activation(Wₖ xₖ + bₖ)     raw = W x + b of the last layer
//! ```
//!
//! Sums are `f64`; the ONNX runtime's are `f32`, in an order of its own: hence
//! [`NETWORK_TOLERANCE`]. Transcendental functions come from the `libm` crate. The last layer's
//! activation is none: the link follows. A GPU computes in `f32`, to within
//! [`score_network::Network::error_bounds`] of these sums.
//!
//! # Contributions
//! DeepLIFT's rescale rule (A. Shrikumar, P. Greenside, A. Kundaje, "Learning Important Features
//! Through Propagating Activation Differences", ICML 2017): the row is compared with a reference
//! row of zeros *behind the steps* (behind a standard scaler that is the mean of each feature),
//! and the difference of the outputs is passed back layer by layer, through weights as it is and
//! through an activation in proportion to (its outputs' difference ÷ its inputs' difference). So
//! contributions add up to `raw(row) − raw(reference)` exactly (but for rounding), which a
//! gradient does not; the reference's raw score is the base.

use pelton_kernels::score_network::scalar::activated;
use pelton_kernels::score_network::{self, score_columns};
use pelton_kernels::simd;

use super::link::Link;
use crate::{Error, Result};

pub use pelton_kernels::score_network::{Activation, Layer};

/// How far a raw score or a prediction may lie from the ONNX runtime's, relative to the larger of
/// 1 and its size.
pub const NETWORK_TOLERANCE: f64 = 1e-5;

/// Inputs closer than this have no slope to be measured: the derivative stands in.
const SAME: f64 = 1e-9;

/// Difference of outputs over difference of inputs; the derivative where there is none.
fn slope(activation: Activation, x: f64, reference: f64) -> f64 {
    if (x - reference).abs() > SAME {
        return (activated(activation, x) - activated(activation, reference)) / (x - reference);
    }
    match activation {
        Activation::Identity => 1.0,
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Tanh => 1.0 - libm::tanh(x) * libm::tanh(x),
        Activation::Logistic => super::link::logistic(x) * (1.0 - super::link::logistic(x)),
    }
}

/// A network.
#[derive(Debug, Clone)]
pub struct Network {
    layers: score_network::Network,
    link: Link,
    /// The reference's sums of each layer, before the activation.
    reference: Vec<Vec<f64>>,
    /// Made when a GPU is first to score.
    #[cfg(feature = "gpu")]
    on_gpu: score_network::gpu::Backed,
}

impl Network {
    /// A network of these layers, its input first.
    ///
    /// # Errors
    /// Where there is none, widths do not fit each other, or a number is not finite.
    pub fn new(mut layers: Vec<Layer>, link: Link) -> Result<Self> {
        let mut width = layers.first().and_then(|layer| layer.weights.first()).map_or(0, Vec::len);
        if width == 0 {
            return Err(Error::new("the network has no layer"));
        }
        for (at, layer) in layers.iter().enumerate() {
            let place = || format!("layer {at}");
            let outputs = layer.weights.len();
            if outputs == 0 || layer.bias.len() != outputs {
                let what = format!("{outputs} outputs with {} biases", layer.bias.len());
                return Err(Error::new(what).at(place()));
            }
            if layer.weights.iter().any(|row| row.len() != width) {
                let what = format!("its weights are not for the {width} values that come in");
                return Err(Error::new(what).at(place()));
            }
            if !layer.weights.iter().flatten().chain(&layer.bias).all(|x| x.is_finite()) {
                let advice = "train again: the fit did not converge, or the file is damaged";
                return Err(Error::new("a weight is no finite number").at(place()).advise(advice));
            }
            width = outputs;
        }
        if let Some(last) = layers.last_mut() {
            last.activation = Activation::Identity;
        }
        let mut network = Self {
            layers: score_network::Network::new(layers).map_err(Error::new)?,
            link,
            reference: Vec::new(),
            #[cfg(feature = "gpu")]
            on_gpu: score_network::gpu::Backed::default(),
        };
        network.reference = network.sums(&vec![0.0; network.features()]);
        Ok(network)
    }

    /// Number of features.
    #[must_use]
    pub fn features(&self) -> usize {
        self.layers.features()
    }

    /// Number of raw scores.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.layers.outputs()
    }

    /// The link.
    #[must_use]
    pub fn link(&self) -> Link {
        self.link
    }

    /// Bytes that the network holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let layers = self.layers.layers();
        let floats = layers
            .iter()
            .map(|layer| layer.weights.iter().map(Vec::len).sum::<usize>() + 2 * layer.bias.len());
        floats.sum::<usize>() * size_of::<f64>()
    }

    /// The network in a line for `explain`.
    #[must_use]
    pub fn describe(&self) -> String {
        let widths: Vec<_> =
            self.layers.layers().iter().map(|layer| layer.bias.len().to_string()).collect();
        format!("network, layers of {}", widths.join(", "))
    }

    /// The sums of each layer, before its activation.
    fn sums(&self, row: &[f64]) -> Vec<Vec<f64>> {
        let mut all: Vec<Vec<f64>> = Vec::with_capacity(self.layers.layers().len());
        let mut input = row.to_vec();
        for layer in self.layers.layers() {
            let sum = |(weights, bias): (&Vec<f64>, &f64)| {
                weights.iter().zip(&input).fold(0.0, |sum, (weight, x)| sum + weight * x) + bias
            };
            let sums: Vec<f64> = layer.weights.iter().zip(&layer.bias).map(sum).collect();
            input = sums.iter().map(|x| activated(layer.activation, *x)).collect();
            all.push(sums);
        }
        all
    }

    /// The raw scores of one row.
    ///
    /// # Contract
    /// `row` has a value a feature, `out` one an output (asserted).
    pub fn raw_row(&self, row: &[f64], out: &mut [f64]) {
        assert!(row.len() == self.features() && out.len() == self.outputs());
        if let Some(last) = self.sums(row).last() {
            out.copy_from_slice(last);
        }
    }

    /// The raw scores of rows in columns: all of output 0, then all of output 1, ….
    ///
    /// # Contract
    /// A column a feature, all of one length; `out` has `outputs × rows` values (asserted).
    pub fn raw(&self, columns: &[&[f64]], out: &mut [f64]) {
        score_columns(simd::level(), &self.layers, columns, out);
    }

    /// The network on this device.
    ///
    /// # Errors
    /// What the GPU answers.
    #[cfg(feature = "gpu")]
    pub fn on(
        &self,
        gpu: &pelton_kernels::gpu::Gpu,
    ) -> std::result::Result<
        std::sync::Arc<score_network::gpu::DeviceNetwork>,
        pelton_kernels::gpu::GpuError,
    > {
        self.on_gpu.on(gpu, &self.layers)
    }

    /// What each feature contributed, and the reference's raw score, for each output.
    ///
    /// # Contract
    /// `out` has `outputs × (features + 1)` values (asserted).
    pub fn contributions(&self, row: &[f64], out: &mut [f64]) {
        let width = self.features() + 1;
        assert!(row.len() + 1 == width && out.len() == width * self.outputs());
        let sums = self.sums(row);
        let layers = self.layers.layers();
        let last = layers.len() - 1;
        for (output, out) in out.chunks_exact_mut(width).enumerate() {
            // How much the output moves for each input of the layer at hand that moves by one.
            let mut pull = layers[last].weights[output].clone();
            for at in (0..last).rev() {
                let layer = &layers[at];
                let mut before = vec![0.0; layer.weights[0].len()];
                for (unit, weights) in layer.weights.iter().enumerate() {
                    let slope = slope(layer.activation, sums[at][unit], self.reference[at][unit]);
                    let through = pull[unit] * slope;
                    for (before, weight) in before.iter_mut().zip(weights) {
                        *before += through * weight;
                    }
                }
                pull = before;
            }
            for ((out, pull), x) in out.iter_mut().zip(&pull).zip(row) {
                *out = pull * x;
            }
            out[width - 1] = self.reference[last][output];
        }
    }
}
