//! Probes of isolation forests and networks.

use pelton_shaders::Pass;

use super::{Probe, folded, random, unit};
use crate::gpu::{Gpu, GpuError};
use crate::score_isolation::gpu::DeviceForest;
use crate::score_isolation::{Forest, Node, Ready};
use crate::score_network::gpu::DeviceNetwork;
use crate::score_network::{Activation, Layer, Network, score_columns};
use crate::simd::Level;

const TREES: usize = 100;
const ENDS: usize = 128;
const COLUMNS: usize = 16;

/// Trees that are cut at random, the largest part first.
fn forest() -> Forest {
    let mut forest = Forest::new(COLUMNS);
    let mut words = random(11);
    let mut next = || words.next().unwrap_or_default();
    for _ in 0..TREES {
        let mut tree = vec![Node::end(0.0)];
        for at in 0..ENDS - 1 {
            let (column, child) = ((next() % COLUMNS as u64) as u32, tree.len() as u32);
            tree[at] = Node { value: unit(next()), column, child, nan_up: next() % 2 == 0 };
            let levels = [next(), next()].map(|word| 4.0 + 8.0 * unit(word));
            tree.extend(levels.map(Node::end));
        }
        // A tree of this shape is always one.
        let _ = forest.push(&tree);
    }
    forest
}

fn columns(stream: u64, count: usize, rows: usize) -> Vec<Vec<f64>> {
    let column = |at: usize| random(stream + at as u64).take(rows).map(unit).collect();
    (0..count).map(column).collect()
}

fn slices(columns: &[Vec<f64>]) -> Vec<&[f64]> {
    columns.iter().map(Vec::as_slice).collect()
}

/// `score_isolation`.
pub(super) struct Isolated {
    forest: Forest,
    columns: Vec<Vec<f64>>,
    sums: Vec<u64>,
    on_device: Option<DeviceForest>,
}

impl Isolated {
    pub(super) fn new(rows: usize) -> Self {
        let columns = columns(200, COLUMNS, rows);
        Self { forest: forest(), columns, sums: vec![0; rows], on_device: None }
    }
}

impl Probe for Isolated {
    fn bus_bytes_per_row(&self) -> f64 {
        (8 * COLUMNS + 8) as f64
    }

    fn resident_rows(&self) -> usize {
        let piece = self.on_device.as_ref().map(DeviceForest::piece_rows::<f64>);
        self.sums.len().min(piece.unwrap_or(usize::MAX))
    }

    fn resident_bytes(&self) -> u64 {
        // The forest stays in caches.
        ((8 * COLUMNS + 8) * self.resident_rows()) as u64
    }

    fn cpu(&mut self, level: Level) {
        // Made ready each time: a few hundred microseconds, less than a thousand rows take.
        let ready = Ready::new(&self.forest);
        ready.level_sums(level, &slices(&self.columns), &mut self.sums);
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        if self.on_device.is_none() {
            self.on_device = Some(DeviceForest::new(gpu, &self.forest)?);
        }
        match &self.on_device {
            Some(forest) => forest.level_sums(&slices(&self.columns), &mut self.sums),
            None => Ok(()),
        }
    }

    fn answer(&mut self) -> u64 {
        folded(self.sums.iter().copied())
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        let forest = DeviceForest::new(gpu, &self.forest)?;
        forest.times_ns(&slices(&self.columns))
    }
}

const WIDTHS: [usize; 4] = [30, 64, 32, 1];

fn network() -> Option<Network> {
    let mut words = random(12);
    let mut weight = || words.next().map_or(0.0, unit) - 0.5;
    let layer = |pair: &[usize]| Layer {
        weights: (0..pair[1]).map(|_| (0..pair[0]).map(|_| weight()).collect()).collect(),
        bias: vec![0.1; pair[1]],
        activation: if pair[1] == 1 { Activation::Identity } else { Activation::Tanh },
    };
    Network::new(WIDTHS.windows(2).map(layer).collect()).ok()
}

/// `score_network`.
pub(super) struct Wired {
    network: Option<Network>,
    columns: Vec<Vec<f64>>,
    out: Vec<f64>,
    /// What the CPU gave; empty where it gave `out`.
    wanted: Vec<f64>,
    on_device: Option<DeviceNetwork>,
}

impl Wired {
    pub(super) fn new(rows: usize) -> Self {
        let (columns, out) = (columns(300, WIDTHS[0], rows), vec![0.0; rows]);
        Self { network: network(), columns, out, wanted: Vec::new(), on_device: None }
    }

    /// Whether every output is within its bound of what the CPU gave.
    fn is_within(&self) -> bool {
        let Some(network) = &self.network else { return false };
        let mut bound = [0.0];
        self.out.iter().zip(&self.wanted).enumerate().all(|(at, (own, wanted))| {
            let row: Vec<f64> = self.columns.iter().map(|column| column[at]).collect();
            network.error_bounds(&row, &mut bound);
            (own - wanted).abs() <= bound[0]
        })
    }
}

impl Probe for Wired {
    fn bus_bytes_per_row(&self) -> f64 {
        (4 * WIDTHS[0] + 4) as f64
    }

    fn resident_rows(&self) -> usize {
        let piece = self.on_device.as_ref().map(DeviceNetwork::piece_rows);
        self.out.len().min(piece.unwrap_or(usize::MAX))
    }

    fn resident_bytes(&self) -> u64 {
        // Each layer reads what the one before wrote; weights stay in caches.
        let widths: usize = WIDTHS.windows(2).map(|pair| pair[0] + pair[1]).sum();
        (4 * widths * self.resident_rows()) as u64
    }

    fn cpu(&mut self, level: Level) {
        self.wanted.clear();
        if let Some(network) = &self.network {
            score_columns(level, network, &slices(&self.columns), &mut self.out);
        }
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        if let Some(network) = self.network.as_ref().filter(|_| self.on_device.is_none()) {
            self.on_device = Some(DeviceNetwork::new(gpu, network)?);
        }
        if self.wanted.is_empty() {
            self.wanted.clone_from(&self.out);
        }
        match &self.on_device {
            Some(network) => {
                network.score_columns(&slices(&self.columns), &mut self.out).map(|_| ())
            }
            None => Ok(()),
        }
    }

    fn answer(&mut self) -> u64 {
        let holds = !self.wanted.is_empty() && self.is_within();
        let told = if holds { &self.wanted } else { &self.out };
        folded(told.iter().map(|output| output.to_bits()))
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        match &self.network {
            Some(network) => DeviceNetwork::new(gpu, network)?.times_ns(&slices(&self.columns)),
            None => Ok(Vec::new()),
        }
    }
}
