//! Networks on a GPU, in f32, a dispatch a layer (`score_network.wgsl`).
//!
//! Outputs are within [`Network::error_bounds`] of the definition, not its bits: so a plan comes
//! here only where its user has allowed that. WGSL lets a device take NaN and infinities for
//! absent, and overflow for impossible; so rows with a feature that is no finite number, or so
//! large that a sum might overflow ([`Network::input_max`]), are scored by the definition, here
//! and now.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use pelton_shaders::{LayerParams, NETWORK_ROWS, NETWORK_UNITS};

use super::{Activation, Layer, Network, checked_rows, score_at};
use crate::gpu::{Buffer, Flags, Gpu, GpuError, Pass, Pending};
use crate::score_forest::gpu::IN_FLIGHT;

/// Rows of a piece.
const PIECE_ROWS: usize = 1 << 17;

/// A layer on the device.
#[derive(Debug)]
struct DeviceLayer {
    inputs: usize,
    units: usize,
    activation: u32,
    weights: Buffer,
    bias: Buffer,
}

/// A network on the device.
#[derive(Debug)]
pub struct DeviceNetwork {
    gpu: Gpu,
    network: Network,
    layers: Vec<DeviceLayer>,
    input_max: f64,
}

/// Weights as the pass reads them: for each sixteen units, and each input, their weights.
fn packed(layer: &Layer) -> Vec<f32> {
    let (units, inputs) = (layer.bias.len(), layer.inputs());
    let tile = NETWORK_UNITS as usize;
    let mut packed = Vec::with_capacity(units.next_multiple_of(tile) * inputs);
    for first in (0..units).step_by(tile) {
        for input in 0..inputs {
            let weight = |unit: usize| layer.weights.get(unit).map_or(0.0, |w| w[input] as f32);
            packed.extend((first..first + tile).map(weight));
        }
    }
    packed
}

/// One piece under way.
#[derive(Debug)]
struct Piece {
    pending: Pending,
    read: usize,
    rows: Range<usize>,
    /// Rows of the batch that the definition has scored, and their outputs.
    odd: Vec<(usize, Vec<f64>)>,
}

/// A batch whose outputs are under way.
#[derive(Debug)]
pub struct Flight {
    rows: usize,
    outputs: usize,
    pieces: VecDeque<Piece>,
}

impl Flight {
    /// How many rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Whether [`Flight::wait`] would not wait.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.pieces.iter().all(|piece| piece.pending.is_done())
    }

    /// Waits for the outputs: all of output 0, then all of output 1, ….
    ///
    /// # Errors
    /// What the GPU answers.
    pub fn wait(self) -> Result<Vec<f64>, GpuError> {
        let mut out = vec![0.0; self.rows * self.outputs];
        self.pieces.into_iter().try_for_each(|piece| land(piece, self.outputs, &mut out))?;
        Ok(out)
    }
}

/// A network of the CPU that has a twin on the device that asked last.
#[derive(Debug, Default)]
pub struct Backed {
    twin: Mutex<Option<Arc<DeviceNetwork>>>,
}

impl Clone for Backed {
    /// A clone makes its own.
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Backed {
    /// The network on this device.
    ///
    /// # Errors
    /// As [`DeviceNetwork::new`].
    pub fn on(&self, gpu: &Gpu, network: &Network) -> Result<Arc<DeviceNetwork>, GpuError> {
        let mut twin = self.twin.lock().unwrap_or_else(PoisonError::into_inner);
        match twin.as_ref().filter(|twin| twin.gpu.is_same(gpu)) {
            Some(here) => Ok(Arc::clone(here)),
            None => {
                let here = Arc::new(DeviceNetwork::new(gpu, network)?);
                *twin = Some(Arc::clone(&here));
                Ok(here)
            }
        }
    }
}

impl DeviceNetwork {
    /// Puts a network on the device.
    ///
    /// # Errors
    /// What the GPU answers; [`GpuError::TooLarge`] for more weights than a binding can show.
    pub fn new(gpu: &Gpu, network: &Network) -> Result<Self, GpuError> {
        let mut work = gpu.work()?;
        let mut layers = Vec::with_capacity(network.layers.len());
        for layer in &network.layers {
            let mut put = |numbers: &[f32]| -> Result<Buffer, GpuError> {
                let buffer = gpu.buffer(size_of_val(numbers))?;
                work.upload(&buffer, numbers)?;
                Ok(buffer)
            };
            let mut bias: Vec<f32> = layer.bias.iter().map(|b| *b as f32).collect();
            bias.resize(bias.len().next_multiple_of(NETWORK_UNITS as usize), 0.0);
            layers.push(DeviceLayer {
                inputs: layer.inputs(),
                units: layer.bias.len(),
                activation: match layer.activation {
                    Activation::Identity => 0,
                    Activation::Relu => 1,
                    Activation::Tanh => 2,
                    Activation::Logistic => 3,
                },
                weights: put(&packed(layer))?,
                bias: put(&bias)?,
            });
        }
        work.submit()?;
        let (network, input_max) = (network.clone(), network.input_max());
        Ok(Self { gpu: gpu.clone(), network, layers, input_max })
    }

    /// Rows that go to the device at a time.
    #[must_use]
    pub fn piece_rows(&self) -> usize {
        let widths = self.layers.iter().map(|layer| layer.inputs.max(layer.units));
        let (step, widest) = (NETWORK_ROWS as usize, widths.max().unwrap_or(1));
        let grid = self.gpu.adapter().groups_max as usize * step;
        self.gpu.rows_a_binding(4 * widest, step).min(PIECE_ROWS).min(grid)
    }

    /// As [`super::score_columns`], within the bounds of `f32`; gives the number of rows that the
    /// definition scored.
    ///
    /// # Errors
    /// What the GPU answers; `out` is then partly filled.
    ///
    /// # Panics
    /// As its twin.
    pub fn score_columns(&self, columns: &[&[f64]], out: &mut [f64]) -> Result<usize, GpuError> {
        let rows = checked_rows(&self.network, columns, out);
        let mut flight: VecDeque<Piece> = VecDeque::new();
        let (step, mut odd) = (self.piece_rows(), 0);
        for start in (0..rows).step_by(step) {
            if flight.len() == IN_FLIGHT
                && let Some(oldest) = flight.pop_front()
            {
                land(oldest, self.network.outputs(), out)?;
            }
            let piece = self.launch(columns, start..rows.min(start + step))?;
            odd += piece.odd.len();
            flight.push_back(piece);
        }
        flight.into_iter().try_for_each(|piece| land(piece, self.network.outputs(), out))?;
        Ok(odd)
    }

    /// Hands rows to the device, and does not wait for them: the first of them, as many as may be
    /// in flight at a time ([`Flight::rows`]). The columns are not needed after.
    ///
    /// # Errors
    /// What the GPU answers.
    ///
    /// # Panics
    /// When there is not a column a feature, all of one length.
    pub fn submit(&self, columns: &[&[f64]]) -> Result<Flight, GpuError> {
        assert_eq!(columns.len(), self.network.features());
        let all = columns.first().map_or(0, |column| column.len());
        assert!(columns.iter().all(|column| column.len() == all), "columns differ in length");
        let step = self.piece_rows();
        let rows = all.min(IN_FLIGHT * step);
        let piece = |start: usize| self.launch(columns, start..rows.min(start + step));
        let pieces = (0..rows).step_by(step).map(piece).collect::<Result<_, _>>()?;
        Ok(Flight { rows, outputs: self.network.outputs(), pieces })
    }

    /// The layers alone, on the first rows that go to the device at a time; none of no row.
    ///
    /// # Errors
    /// What the GPU answers.
    ///
    /// # Panics
    /// As [`DeviceNetwork::score_columns`].
    pub fn times_ns(&self, columns: &[&[f64]]) -> Result<Vec<(Pass, f64)>, GpuError> {
        let rows = columns.first().map_or(0, |column| column.len()).min(self.piece_rows());
        if rows == 0 {
            return Ok(Vec::new());
        }
        Ok(self.launch(columns, 0..rows)?.pending.wait()?.times_ns())
    }

    /// One piece.
    fn launch(&self, columns: &[&[f64]], rows: Range<usize>) -> Result<Piece, GpuError> {
        let (gpu, pitch) = (&self.gpu, rows.len());
        // All are kept until the work is submitted: a buffer that goes back to its pool may be
        // another thread's before that.
        let mut kept = vec![gpu.buffer(4 * pitch * columns.len())?];
        let mut work = gpu.work()?;
        let (mut is_odd, mut narrow) = (vec![false; pitch], vec![0.0_f32; pitch]);
        for (at, column) in columns.iter().enumerate() {
            for ((narrow, odd), x) in narrow.iter_mut().zip(&mut is_odd).zip(&column[rows.clone()])
            {
                // False for NaN.
                let fits = x.abs() <= self.input_max;
                *narrow = if fits { *x as f32 } else { 0.0 };
                *odd |= !fits;
            }
            work.upload_at(&kept[0], (4 * at * pitch) as u64, bytemuck::cast_slice(&narrow))?;
        }
        for layer in &self.layers {
            let sums = gpu.buffer(4 * pitch * layer.units)?;
            let params = LayerParams {
                rows: pitch as u32,
                pitch: pitch as u32,
                inputs: layer.inputs as u32,
                units: layer.units as u32,
                activation: layer.activation,
            };
            let grid = [
                pitch.div_ceil(NETWORK_ROWS as usize) as u32,
                layer.units.div_ceil(NETWORK_UNITS as usize) as u32,
            ];
            let buffers = [&layer.weights, &layer.bias, &kept[kept.len() - 1], &sums];
            work.dispatch(Pass::ScoreNetwork, Flags::NONE, &params, &buffers, grid)?;
            kept.push(sums);
        }
        let last = &kept[kept.len() - 1];
        let read = work.read(last, 0..last.bytes())?;
        let mut row = vec![0.0; columns.len()];
        let by_definition = |(at, _): (usize, &bool)| {
            let mut outputs = vec![0.0; self.network.outputs()];
            score_at(&self.network, columns, at, &mut row, &mut outputs);
            (at, outputs)
        };
        let odd = rows.clone().zip(&is_odd).filter(|(_, odd)| **odd).map(by_definition).collect();
        Ok(Piece { pending: work.submit()?, read, rows, odd })
    }
}

/// Takes the outputs of a piece.
fn land(piece: Piece, outputs: usize, out: &mut [f64]) -> Result<(), GpuError> {
    let (all, rows) = (out.len() / outputs.max(1), piece.rows.len());
    let values: Vec<f32> = piece.pending.wait()?.values(piece.read);
    for (output, values) in values.chunks_exact(rows.max(1)).take(outputs).enumerate() {
        let out = &mut out[output * all..][piece.rows.clone()];
        out.iter_mut().zip(values).for_each(|(out, value)| *out = f64::from(*value));
    }
    for (at, own) in piece.odd {
        own.iter().enumerate().for_each(|(output, value)| out[output * all + at] = *value);
    }
    Ok(())
}
