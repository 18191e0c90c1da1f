//! The structs that host and shader share, as they lie in memory.
//!
//! Each is declared once here, with its fields' offsets taken by the compiler; a test reads the
//! same struct out of the shader and compares names, offsets and size. So neither side can be
//! changed alone.

use bytemuck::{Pod, Zeroable};

/// A field: name, offset and size in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// As in the shader.
    pub name: &'static str,
    /// From the start of the struct.
    pub offset_bytes: usize,
    /// Of the field.
    pub size_bytes: usize,
}

/// A struct that a shader reads.
#[derive(Debug, Clone, Copy)]
pub struct Layout {
    /// File of the pass.
    pub pass: crate::Pass,
    /// Name in the shader.
    pub name: &'static str,
    /// Its fields.
    pub fields: &'static [Field],
    /// Of the struct.
    pub size_bytes: usize,
}

macro_rules! shared {
    ($($(#[$meta:meta])* $type:ident = $pass:ident / $name:literal {
        $($(#[$field_meta:meta])* $field:ident,)*
    })*) => {
        $(
            $(#[$meta])*
            #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Pod, Zeroable)]
            #[repr(C)]
            pub struct $type {
                $($(#[$field_meta])* pub $field: u32,)*
            }
        )*

        /// Every struct of this file with its place in the shaders.
        pub static SHARED: &[Layout] = &[$(
            Layout {
                pass: crate::Pass::$pass,
                name: $name,
                fields: &[$(
                    Field {
                        name: stringify!($field),
                        offset_bytes: std::mem::offset_of!($type, $field),
                        size_bytes: 4,
                    },
                )*],
                size_bytes: size_of::<$type>(),
            },
        )*];
    };
}

shared! {
    /// Of `batch_filter_count`.
    CountParams = BatchFilterCount / "Params" {
        /// Words of 32 bits of the mask.
        words,
        /// Tiles of 256 words.
        tiles,
    }
    /// Of `batch_filter_scan`.
    ScanParams = BatchFilterScan / "Params" {
        /// Tiles.
        tiles,
    }
    /// Of `batch_filter_rows`.
    RowsParams = BatchFilterRows / "Params" {
        /// Words of 32 bits of the mask.
        words,
        /// Tiles of 256 words.
        tiles,
        /// Number of the first row.
        first_row,
    }
    /// Of `batch_filter_gather`.
    GatherParams = BatchFilterGather / "Params" {
        /// Tiles of the filter.
        tiles,
        /// Number of the first row.
        first_row,
        /// Bits of a value.
        value_bits,
    }
    /// Of `shard_hash_integers`.
    HashParams = ShardHashIntegers / "Params" {
        /// Rows.
        rows,
        /// Bits of a value.
        value_bits,
        /// 1 where the sign is extended.
        is_signed,
        /// 1 where `valid` is looked at.
        has_nulls,
    }
    /// Of `shard_hash_bytes`.
    HashBytesParams = ShardHashBytes / "Params" {
        /// Strings.
        rows,
    }
    /// Of `window_reduce`.
    ReduceParams = WindowReduce / "Params" {
        /// Rows.
        rows,
        /// Groups.
        groups,
        /// Invocations of all workgroups.
        stride,
        /// Copies of a group in a private table.
        copies,
        /// 0: all rows are of group 0.
        has_ids,
    }
    /// Of `window_least`.
    LeastParams = WindowLeast / "Params" {
        /// Rows.
        rows,
        /// Groups.
        groups,
        /// Invocations of all workgroups.
        stride,
        /// All ones for the greatest.
        flip,
        /// 0: all rows are of group 0.
        has_ids,
        /// 0 for upper words, 1 for lower ones.
        round,
    }
    /// Of `window_sum_ordered`.
    GroupsParams = WindowSumOrdered / "Params" {
        /// Groups.
        groups,
    }
    /// Of `window_combine`.
    CombineParams = WindowCombine / "Params" {
        /// Entries.
        entries,
        /// 0: add u64, 1: subtract u64, 2: least i64, 3: add f64, 4: least u64.
        operation,
    }
    /// Of `score_forest_encode`.
    ForestParams = ScoreForestEncode / "Params" {
        /// Rows.
        rows,
        /// Rows of a column of the buffers.
        pitch,
    }
    /// A view of a feature.
    ForestView = ScoreForestEncode / "View" {
        /// Column that it reads.
        column,
        /// First threshold.
        first,
        /// Number of thresholds.
        count,
        /// 0: numbers, 1: categories, 2: none.
        kind,
        /// Bits, as the shader says.
        flags,
        /// First word of its set.
        set_first,
        /// Words of its set.
        set_words,
    }
    /// Of `score_forest_walk`.
    WalkParams = ScoreForestWalk / "Params" {
        /// Rows.
        rows,
        /// Rows of a column of the buffers.
        pitch,
        /// Words of codes a row.
        words,
        /// Values a leaf.
        leaf_width,
    }
    /// Of `score_nearest`.
    NearestParams = ScoreNearest / "Params" {
        /// Queries.
        queries,
        /// References, filled up to whole tiles.
        references,
        /// Columns.
        width,
    }
    /// A tree.
    ForestTree = ScoreForestWalk / "Tree" {
        /// Where its nodes start, in its stage or in all nodes.
        first_node,
        /// Where its leaves start.
        first_leaf,
    }
    /// Trees that are staged together.
    ForestStage = ScoreForestWalk / "Stage" {
        /// First of them.
        first_tree,
        /// How many.
        trees,
        /// First of their nodes.
        first_node,
        /// How many.
        nodes,
    }
    /// Of `score_isolation`.
    IsolationParams = ScoreIsolation / "Params" {
        /// Rows.
        rows,
        /// Rows of a column of the buffers.
        pitch,
        /// Columns.
        columns,
        /// Trees.
        trees,
        /// Trees that a workgroup walks.
        share,
    }
    /// Of `score_network`.
    LayerParams = ScoreNetwork / "Params" {
        /// Rows.
        rows,
        /// Rows of a column of the buffers.
        pitch,
        /// Values that come in.
        inputs,
        /// Values that go out.
        units,
        /// 0: none, 1: relu, 2: tanh, 3: logistic.
        activation,
    }
    /// Of `score_products`.
    ProductsParams = ScoreProducts / "Params" {
        /// Queries.
        queries,
        /// Queries of a dimension of the buffers.
        pitch,
        /// Dimensions.
        dimensions,
        /// Items.
        items,
        /// Blocks of sixteen items that a workgroup looks at.
        share,
        /// Slots of a list.
        k,
    }
    /// Of `score_profile`.
    ProfileParams = ScoreProfile / "Params" {
        /// Windows of the series.
        windows,
        /// Values of a window.
        length,
        /// Windows nearer than this are not compared.
        exclusion,
        /// First row.
        first_row,
        /// The row behind the last.
        last_row,
        /// Columns that a workgroup goes through.
        share,
        /// Rows of the results.
        pitch,
    }
    /// Of `window_histogram`.
    HistogramParams = WindowHistogram / "Params" {
        /// Rows.
        rows,
        /// Groups.
        groups,
        /// Edges.
        edges,
        /// Invocations of all workgroups.
        stride,
        /// 0: values are f64; 1: i64.
        kind,
        /// 0: all rows are of group 0.
        has_ids,
        /// 0: no value is null.
        has_nulls,
    }
}
