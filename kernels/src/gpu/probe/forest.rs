//! Probe of forests: 500 balanced trees of 64 leaves over 30 features, thresholds on a grid of 254
//! a feature, as a trainer with 255 bins makes them.

use pelton_shaders::Pass;

use super::{Probe, folded, random, unit};
use crate::gpu::{Gpu, GpuError};
use crate::score_forest::gpu::{Feature, Forest, PIECE_ROWS};
use crate::score_forest::{Child, Missing, Plan, Rule, Scratch, Trees, score_columns};
use crate::simd::Level;

const TREES: usize = 500;
const LEAVES: u32 = 64;
const FEATURES: usize = 30;
const BINS: u64 = 254;

/// The forest.
fn trees() -> Trees {
    let mut trees = Trees::new(FEATURES, 1);
    let mut words = random(7);
    let mut next = || words.next().unwrap_or_default();
    for _ in 0..TREES {
        for node in 0..LEAVES - 1 {
            trees.feature.push((next() % FEATURES as u64) as u32);
            trees.threshold.push((next() % BINS) as f64 / BINS as f64);
            trees.rule.push(Rule::Numeric { missing: Missing::Nan, default_left: true });
            // Node n has the children 2n + 1 and 2n + 2; those past the nodes are leaves.
            let child = |at: u32| match at.checked_sub(LEAVES - 1) {
                None => Child::node(at),
                Some(leaf) => Child::leaf(leaf),
            };
            trees.left.push(child(2 * node + 1));
            trees.right.push(child(2 * node + 2));
        }
        trees.leaf.extend((0..LEAVES).map(|_| (next() % 4001) as f64 / 1e5 - 0.02));
        trees.end_tree(0);
    }
    trees
}

/// A feature made of a number in 0..1.
pub(super) trait Made: Feature {
    fn made(x: f64) -> Self;
}

impl Made for f64 {
    fn made(x: f64) -> Self {
        x
    }
}

impl Made for f32 {
    fn made(x: f64) -> Self {
        x as f32
    }
}

/// `score_forest`.
pub(super) struct Scored<T> {
    trees: Trees,
    plan: Option<Plan>,
    columns: Vec<Vec<T>>,
    /// What the CPU reads.
    wide: Vec<Vec<f64>>,
    scores: Vec<f64>,
    on_device: Option<Forest>,
}

impl<T: Made> Scored<T> {
    pub(super) fn new(rows: usize) -> Self {
        let trees = trees();
        let column = |f: usize| {
            let numbers = random(100 + f as u64).take(rows);
            numbers.map(|word| if word % 50 == 0 { f64::NAN } else { unit(word) })
        };
        let columns: Vec<Vec<T>> =
            (0..FEATURES).map(|f| column(f).map(T::made).collect()).collect();
        let wide = columns.iter().map(|c| c.iter().map(|x| x.widened()).collect()).collect();
        let plan = Plan::new(&trees).ok();
        Self { trees, plan, columns, wide, scores: vec![0.0; rows], on_device: None }
    }

    fn forest(&mut self, gpu: &Gpu) -> Result<&Forest, GpuError> {
        if self.on_device.is_none() {
            let made = Forest::new(&gpu.timed(), &self.trees, &[0.1]);
            self.on_device = Some(made.map_err(|error| GpuError::Refused(error.to_string()))?);
        }
        self.on_device.as_ref().ok_or_else(|| GpuError::Refused("no forest".to_owned()))
    }
}

impl<T: Made> Probe for Scored<T> {
    fn bus_bytes_per_row(&self) -> f64 {
        (FEATURES * size_of::<T>() + 8) as f64
    }

    fn resident_rows(&self) -> usize {
        // One piece.
        self.on_device.as_ref().map_or(PIECE_ROWS, Forest::piece_rows::<T>).min(self.scores.len())
    }

    fn resident_bytes(&self) -> u64 {
        // Features in, codes out and in, scores out; the forest stays in caches.
        ((FEATURES * size_of::<T>() + 2 * FEATURES * 2 + 8) * self.resident_rows()) as u64
    }

    fn cpu(&mut self, level: Level) {
        if let Some(plan) = &self.plan {
            let columns: Vec<&[f64]> = self.wide.iter().map(Vec::as_slice).collect();
            let mut scratch = Scratch::new(plan);
            score_columns(level, plan, &columns, &[0.1], &mut scratch, &mut self.scores);
        }
    }

    fn gpu(&mut self, gpu: &Gpu) -> Result<(), GpuError> {
        self.forest(gpu)?;
        if let Some(forest) = &self.on_device {
            let columns: Vec<&[T]> = self.columns.iter().map(Vec::as_slice).collect();
            forest.score_columns(&columns, &mut self.scores)?;
        }
        Ok(())
    }

    fn answer(&mut self) -> u64 {
        folded(self.scores.iter().map(|score| score.to_bits()))
    }

    fn resident(&mut self, gpu: &Gpu) -> Result<Vec<(Pass, f64)>, GpuError> {
        self.forest(gpu)?;
        let Some(forest) = &self.on_device else { return Ok(Vec::new()) };
        let columns: Vec<&[T]> = self.columns.iter().map(Vec::as_slice).collect();
        // A piece at a time is what fits; its passes are timed apart from the copies.
        forest.times_ns(&columns)
    }
}
