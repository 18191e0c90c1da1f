//! The GPU passes of Pelton: WGSL, and what a host must know of it. No GPU API.
//!
//! ```text
//! wgsl/<stage>_<verb>….wgsl   a pass: one entry point `main`, its bindings, its `Params`
//! wgsl/shared/*.wgsl          import-only: what passes share
//! src/catalogue.rs            the passes: bindings, invocations of a workgroup, flags
//! src/expand.rs               a pass and a set of flags → plain WGSL
//! src/layout.rs               the structs that host and shader share, byte by byte
//! ```
//!
//! A pass is named after the kernel whose work it does (`kernels/src/<stage>_<verb>`), and the
//! scalar code of that kernel is its definition: same numbers in, same bits out
//! (`docs/NUMERICS.md`). A pass is written once, with parts for what a device can do
//! ([`Flags`]); an expansion of it for one set of flags is a *permutation*.
//!
//! Tests of this crate read every permutation of every pass with naga, the front end of wgpu, so
//! that an error in a shader shows on any laptop, without a GPU: that it is valid, with no more
//! capabilities than its flags say, that its bindings and workgroup sizes are those of the
//! catalogue, that it keeps within the memory of a workgroup that any device has, and that each
//! struct lies in memory as its Rust twin does.

mod catalogue;
mod expand;
mod layout;
#[cfg(test)]
mod tests;

pub use catalogue::{Access, Binding, CATALOGUE, Entry, Flags, Pass};
pub use expand::{ExpandError, expand};
pub use layout::{
    CombineParams, CountParams, Field, ForestParams, ForestStage, ForestTree, ForestView,
    GatherParams, GroupsParams, HashBytesParams, HashParams, Layout, LeastParams, NearestParams,
    ReduceParams, RowsParams, SHARED, ScanParams, WalkParams,
};
pub use layout::{HistogramParams, IsolationParams, LayerParams, ProductsParams, ProfileParams};

/// Invocations of most workgroups.
pub const INVOCATIONS: u32 = 256;
/// Rows of a mask that a workgroup of a filter takes.
pub const FILTER_TILE_ROWS: u32 = 8192;
/// Slots of a private table of `window_reduce`.
pub const REDUCE_SLOTS: u32 = 1024;
/// The same with [`Flags::LOW`], and of `window_least`.
pub const REDUCE_SLOTS_LOW: u32 = 4096;
/// Words a group of `window_reduce`.
pub const REDUCE_WORDS: u32 = 4;
/// Rows that a workgroup of a forest takes.
pub const FOREST_ROWS: u32 = 128;
/// Nodes that a stage of a forest holds.
pub const FOREST_STAGE_NODES: u32 = 1024;
/// Words of codes of a row that fit beside them.
pub const FOREST_SHARED_WORDS: u32 = 16;
/// The greatest code: as many thresholds can one view tell apart.
pub const FOREST_CODE_MAX: u32 = 0xffff;
/// Nodes, and leaves, that a tree may have here.
pub const FOREST_TREE_MAX: u32 = 0x8000;
/// Queries that a workgroup of `score_nearest` takes.
pub const NEAREST_INVOCATIONS: u32 = 64;
/// Its references are a multiple of it.
pub const NEAREST_TILE: u32 = 32;
/// Columns that it can have.
pub const NEAREST_WIDTH_MAX: u32 = 32;
/// Candidates that it gives a query.
pub const NEAREST_CANDIDATES: u32 = 16;
/// Rows that a workgroup of an isolation forest takes.
pub const ISOLATION_ROWS: u32 = 128;
/// Bytes of a row that it keeps in its memory: 16 columns of f64, 32 of f32.
pub const ISOLATION_SHARED_BYTES: u32 = 128;
/// Rows that a workgroup of a network takes.
pub const NETWORK_ROWS: u32 = 256;
/// Units of a layer that it takes.
pub const NETWORK_UNITS: u32 = 16;
/// Queries that a workgroup of products takes.
pub const PRODUCTS_QUERIES: u32 = 64;
/// Items that it looks at together.
pub const PRODUCTS_ITEMS: u32 = 16;
/// Slots of a query's list.
pub const PRODUCTS_SLOTS: u32 = 24;
/// Rows that a workgroup of a matrix profile takes, and the age of a covariance.
pub const PROFILE_ROWS: u32 = 64;
/// Counts of a private table of `window_histogram`.
pub const HISTOGRAM_SLOTS: u32 = 4096;
