//! Scores of forests on a GPU: the bits of the definition, from two passes.
//!
//! * `score_forest_encode.wgsl` turns features into codes: all comparisons of floats, missing
//!   values and categories, done with integers.
//! * `score_forest_walk.wgsl` walks the trees, staged through workgroup memory, and adds leaves in
//!   the order of the trees in f64 (or f32, as the forest says): with the device's own f64 where
//!   it has been found exact, else with integers.
//!
//! So the scores are those of [`super::scalar`] to the last bit on every device, with features in
//! f64 or in f32.
//!
//! [`Forest`] is a forest that lies on the device. [`Forest::submit`] hands it a batch and comes
//! back; [`Flight::wait`] gives the scores. A batch is cut into pieces of at most
//! [`PIECE_ROWS`] rows (fewer where a binding could not show their features), several in flight at
//! a time, so that one is uploaded while another is computed and a third is read back.

mod backed;
mod plan;
#[cfg(test)]
mod tests;
mod twin;

use std::collections::VecDeque;
use std::ops::Range;

use bytemuck::Pod;
use pelton_shaders::{FOREST_ROWS, ForestParams, WalkParams};

use self::plan::Arrays;
use self::twin::Twin;
use super::{Fault, Sum, Trees};
use crate::gpu::{Buffer, Flags, Gpu, GpuError, Pass, Pending, Work};
pub use backed::Backed;

/// Rows of a piece: large enough to fill a device and to hide what a submission costs, small
/// enough that a batch of a million has several pieces in flight.
pub const PIECE_ROWS: usize = 1 << 18;

/// Pieces in flight: one that comes, one that is computed, one that goes.
pub const IN_FLIGHT: usize = 3;

/// A feature's type. Implemented for f64 and f32.
pub trait Feature: Pod + sealed::Width {}

mod sealed {
    /// How a feature is uploaded.
    pub trait Width {
        /// Whether it is f32.
        const IS_F32: bool;

        /// As f64, exactly.
        fn widened(self) -> f64;
    }
}

impl sealed::Width for f64 {
    const IS_F32: bool = false;

    fn widened(self) -> f64 {
        self
    }
}
impl sealed::Width for f32 {
    const IS_F32: bool = true;

    fn widened(self) -> f64 {
        f64::from(self)
    }
}
impl Feature for f64 {}
impl Feature for f32 {}

/// Workgroups of some rows.
fn groups(rows: usize) -> u32 {
    rows.div_ceil(FOREST_ROWS as usize) as u32
}

/// Why a forest is not on the GPU.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForestError {
    /// It is no forest.
    Fault(Fault),
    /// It does not fit the passes; the CPU scores it.
    Unfit(String),
    /// What the GPU answered.
    Gpu(GpuError),
}

impl std::fmt::Display for ForestError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Fault(fault) => fault.fmt(f),
            Self::Unfit(why) => write!(f, "the forest does not fit the GPU's passes: {why}"),
            Self::Gpu(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for ForestError {}

impl From<GpuError> for ForestError {
    fn from(error: GpuError) -> Self {
        Self::Gpu(error)
    }
}

/// Whether the passes take a forest that the CPU scores.
///
/// # Errors
/// Why they do not.
pub fn fits(trees: &Trees) -> Result<(), String> {
    trees.check().map_err(|fault| fault.to_string())?;
    Arrays::new(trees).map(drop)
}

/// A forest on the device.
#[derive(Debug)]
pub struct Forest {
    gpu: Gpu,
    features: usize,
    outputs: usize,
    leaf_width: usize,
    /// The feature of each column that is uploaded.
    used: Vec<usize>,
    words: usize,
    form: Flags,
    views: Buffer,
    thresholds: Buffer,
    thresholds32: Buffer,
    sets: Buffer,
    nodes: Buffer,
    trees: Buffer,
    stages: Buffer,
    spans: Buffer,
    leaves: Buffer,
    /// Where a pass is to be done by its twin.
    twin: Option<Box<Twin>>,
}

impl Forest {
    /// Puts a forest on the device. `initial` is what the sums start from, one an output.
    ///
    /// # Errors
    /// A fault of the forest, or that it does not fit (a tree of more than 32,768 leaves, more
    /// than 65,536 different questions), or what the GPU answers.
    ///
    /// # Panics
    /// When `initial` has not one value an output.
    pub fn new(gpu: &Gpu, trees: &Trees, initial: &[f64]) -> Result<Self, ForestError> {
        trees.check().map_err(ForestError::Fault)?;
        assert_eq!(initial.len(), trees.outputs);
        let arrays = Arrays::new(trees).map_err(ForestError::Unfit)?;
        let mut work = gpu.work()?;
        let mut put = |bytes: &[u8]| -> Result<Buffer, GpuError> {
            let buffer = gpu.buffer(bytes.len())?;
            work.upload(&buffer, bytes)?;
            Ok(buffer)
        };
        let numbers = initial.iter().chain(&trees.leaf);
        let leaves = match trees.sum {
            Sum::F64 => put(bytemuck::cast_slice(&numbers.copied().collect::<Vec<f64>>()))?,
            Sum::F32 => {
                put(bytemuck::cast_slice(&numbers.map(|x| *x as f32).collect::<Vec<f32>>()))?
            }
        };
        let forest = Self {
            gpu: gpu.clone(),
            features: trees.features,
            outputs: trees.outputs,
            leaf_width: trees.leaf_width,
            words: arrays.words(),
            form: arrays.form,
            views: put(bytemuck::cast_slice(&arrays.views))?,
            thresholds: put(bytemuck::cast_slice(&arrays.thresholds))?,
            thresholds32: put(bytemuck::cast_slice(&arrays.thresholds32))?,
            sets: put(bytemuck::cast_slice(&arrays.sets))?,
            nodes: put(bytemuck::cast_slice(&arrays.nodes))?,
            trees: put(bytemuck::cast_slice(&arrays.trees))?,
            stages: put(bytemuck::cast_slice(&arrays.stages))?,
            spans: put(bytemuck::cast_slice(&arrays.spans))?,
            leaves,
            used: arrays.features.clone(),
            twin: gpu.has_twins().then(|| Box::new(Twin::new(arrays, trees, initial))),
        };
        work.submit()?;
        Ok(forest)
    }

    /// Bytes a row that are uploaded.
    #[must_use]
    pub fn row_bytes<T: Feature>(&self) -> usize {
        self.used.len() * size_of::<T>()
    }

    /// Sums that a row gets.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.outputs
    }

    /// Bytes that the forest holds on the device.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        let buffers = [
            &self.views,
            &self.thresholds,
            &self.thresholds32,
            &self.sets,
            &self.nodes,
            &self.trees,
            &self.stages,
            &self.spans,
            &self.leaves,
        ];
        buffers.iter().map(|buffer| buffer.bytes()).sum()
    }

    /// Rows that go to the device at a time.
    #[must_use]
    pub fn piece_rows<T: Feature>(&self) -> usize {
        let widest = self.row_bytes::<T>().max(4 * self.words).max(8 * self.outputs);
        let step = FOREST_ROWS as usize;
        let grid = self.gpu.adapter().groups_max as usize * step;
        self.gpu.rows_a_binding(widest, step).min(PIECE_ROWS).min(grid)
    }

    /// Hands rows to the device, a column a feature, and comes back: at most [`IN_FLIGHT`] pieces
    /// are under way, so of a larger batch the first pieces are waited for.
    ///
    /// # Errors
    /// What the GPU answers; no row has been scored then.
    ///
    /// # Panics
    /// When there are not as many columns as features, or they differ in length.
    pub fn submit<T: Feature>(&self, columns: &[&[T]]) -> Result<Flight, GpuError> {
        assert_eq!(columns.len(), self.features);
        let rows = columns.first().map_or(0, |column| column.len());
        assert!(columns.iter().all(|column| column.len() == rows), "columns differ in length");
        let mut flight = Flight {
            rows,
            outputs: self.outputs,
            pieces: VecDeque::new(),
            scores: vec![0.0; rows * self.outputs],
        };
        let step = self.piece_rows::<T>();
        for start in (0..rows).step_by(step) {
            if flight.pieces.len() == IN_FLIGHT {
                flight.land()?;
            }
            flight.pieces.push_back(self.launch(columns, start..rows.min(start + step))?);
        }
        Ok(flight)
    }

    /// One piece.
    fn launch<T: Feature>(&self, columns: &[&[T]], rows: Range<usize>) -> Result<Piece, GpuError> {
        let (gpu, pitch) = (&self.gpu, rows.len());
        let uploaded = gpu.buffer(pitch * self.row_bytes::<T>())?;
        let codes = gpu.buffer(4 * pitch * self.words)?;
        let scores = gpu.buffer(8 * pitch * self.outputs)?;
        let mut work = gpu.work()?;
        let part = |(column, feature): (usize, &usize)| -> (u64, &[u8]) {
            let start = (column * pitch * size_of::<T>()) as u64;
            (start, bytemuck::cast_slice(&columns[*feature][rows.clone()]))
        };
        let parts: Vec<(u64, &[u8])> = self.used.iter().enumerate().map(part).collect();
        work.upload_parts(&uploaded, &parts)?;
        let codes_by_twin = self.twin_of(Pass::ScoreForestEncode).map(|twin| {
            let used = self.used.iter().map(|feature| &columns[*feature][rows.clone()]);
            twin.encode(&used.collect::<Vec<&[T]>>(), pitch)
        });
        match codes_by_twin {
            Some(by_twin) => work.upload(&codes, &by_twin)?,
            None => self.encode::<T>(&mut work, &uploaded, &codes, pitch)?,
        }
        if let Some(twin) = self.twin_of(Pass::ScoreForestWalk) {
            let read = work.read(&codes, 0..codes.bytes())?;
            let codes: Vec<u32> = work.submit()?.wait()?.values(read);
            work = gpu.work()?;
            work.upload(&scores, &twin.walk(&codes, pitch))?;
        } else {
            self.walk(&mut work, &codes, &scores, pitch)?;
        }
        let read = work.read(&scores, 0..scores.bytes())?;
        Ok(Piece { pending: work.submit()?, read, rows })
    }

    /// The twin, where it is to do this pass.
    fn twin_of(&self, pass: Pass) -> Option<&Twin> {
        self.twin.as_deref().filter(|_| self.gpu.is_twin(pass))
    }

    fn encode<T: Feature>(
        &self,
        work: &mut Work,
        uploaded: &Buffer,
        codes: &Buffer,
        rows: usize,
    ) -> Result<(), GpuError> {
        let params = ForestParams { rows: rows as u32, pitch: rows as u32 };
        let thresholds = if T::IS_F32 { &self.thresholds32 } else { &self.thresholds };
        let buffers = [&self.views, thresholds, &self.sets, uploaded, codes];
        let form = Flags::INPUT32.when(T::IS_F32);
        let grid = [groups(rows), self.words as u32];
        work.dispatch(Pass::ScoreForestEncode, form, &params, &buffers, grid)
    }

    fn walk(
        &self,
        work: &mut Work,
        codes: &Buffer,
        scores: &Buffer,
        rows: usize,
    ) -> Result<(), GpuError> {
        let params = WalkParams {
            rows: rows as u32,
            pitch: rows as u32,
            words: self.words as u32,
            leaf_width: self.leaf_width as u32,
        };
        let buffers =
            [codes, &self.nodes, &self.trees, &self.stages, &self.spans, &self.leaves, scores];
        let grid = [groups(rows), self.outputs as u32];
        work.dispatch(Pass::ScoreForestWalk, self.form, &params, &buffers, grid)
    }

    /// Scores rows and waits: as [`super::score_columns`], `out` holds the rows of each output
    /// after those of the one before.
    ///
    /// # Errors
    /// What the GPU answers; `out` is then as it was.
    ///
    /// # Panics
    /// As [`Forest::submit`], and when `out` has not `outputs` values a row.
    pub fn score_columns<T: Feature>(
        &self,
        columns: &[&[T]],
        out: &mut [f64],
    ) -> Result<(), GpuError> {
        let scores = self.submit(columns)?.wait()?;
        out.copy_from_slice(&scores);
        Ok(())
    }
}

impl Forest {
    /// Scores the first piece of some rows, and says how long its passes took on the device.
    ///
    /// # Errors
    /// What the GPU answers.
    ///
    /// # Panics
    /// As [`Forest::submit`].
    pub fn times_ns<T: Feature>(&self, columns: &[&[T]]) -> Result<Vec<(Pass, f64)>, GpuError> {
        assert_eq!(columns.len(), self.features);
        let rows = columns.first().map_or(0, |column| column.len()).min(self.piece_rows::<T>());
        if rows == 0 {
            return Ok(Vec::new());
        }
        Ok(self.launch(columns, 0..rows)?.pending.wait()?.times_ns())
    }
}

/// Rows of a batch that are under way.
#[derive(Debug)]
struct Piece {
    pending: Pending,
    read: usize,
    rows: Range<usize>,
}

/// A batch whose scores are under way.
#[derive(Debug)]
pub struct Flight {
    rows: usize,
    outputs: usize,
    pieces: VecDeque<Piece>,
    scores: Vec<f64>,
}

impl Flight {
    /// Whether [`Flight::wait`] would not wait.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.pieces.iter().all(|piece| piece.pending.is_done())
    }

    /// Waits for the scores: those of the first output for all rows, then those of the next.
    ///
    /// # Errors
    /// What the GPU answers.
    pub fn wait(mut self) -> Result<Vec<f64>, GpuError> {
        while !self.pieces.is_empty() {
            self.land()?;
        }
        Ok(self.scores)
    }

    /// Takes the scores of the oldest piece.
    fn land(&mut self) -> Result<(), GpuError> {
        let Some(Piece { pending, read, rows }) = self.pieces.pop_front() else { return Ok(()) };
        let done = pending.wait()?;
        let bytes = done.bytes(read);
        for output in 0..self.outputs {
            let part = &bytes[8 * output * rows.len()..8 * (output + 1) * rows.len()];
            let out = &mut self.scores[output * self.rows..][rows.clone()];
            bytemuck::cast_slice_mut::<f64, u8>(out).copy_from_slice(part);
        }
        Ok(())
    }
}
