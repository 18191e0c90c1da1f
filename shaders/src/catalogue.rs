//! The passes: source, bindings, size of a workgroup, and the flags that each asks about.

use std::fmt;
use std::ops::BitOr;

/// What a permutation is made for: what the device can do, and which form of a pass is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Flags(u16);

impl Flags {
    /// Nothing.
    pub const NONE: Self = Self(0);
    /// The device has integers of 64 bits.
    pub const INT64: Self = Self(1);
    /// It has atomic operations on them (and so the integers).
    pub const ATOMIC64: Self = Self(1 << 1);
    /// It has operations over subgroups, all of one size.
    pub const SUBGROUPS: Self = Self(1 << 2);
    /// It has f64 (and [`Flags::INT64`]), and adds them as IEEE 754 says, as was tried.
    pub const FLOAT64: Self = Self(1 << 3);
    /// Tables of each workgroup's own, for few groups.
    pub const PRIVATE: Self = Self(1 << 4);
    /// Such tables with counts and lower words alone, for more groups.
    pub const LOW: Self = Self(1 << 5);
    /// Trees are staged through workgroup memory.
    pub const STAGED: Self = Self(1 << 6);
    /// Rows are kept in workgroup memory.
    pub const SHARED_ROWS: Self = Self(1 << 7);
    /// Sums are f32.
    pub const SUM32: Self = Self(1 << 8);
    /// Inputs are f32.
    pub const INPUT32: Self = Self(1 << 9);

    /// Every flag, with the word that sources use.
    pub const ALL: [(Self, &'static str); 10] = [
        (Self::INT64, "int64"),
        (Self::ATOMIC64, "atomic64"),
        (Self::SUBGROUPS, "subgroups"),
        (Self::FLOAT64, "float64"),
        (Self::PRIVATE, "private"),
        (Self::LOW, "low"),
        (Self::STAGED, "staged"),
        (Self::SHARED_ROWS, "shared_rows"),
        (Self::SUM32, "sum32"),
        (Self::INPUT32, "input32"),
    ];

    /// Those that say what a device can do.
    pub const CAPABILITIES: Self =
        Self(Self::INT64.0 | Self::ATOMIC64.0 | Self::SUBGROUPS.0 | Self::FLOAT64.0);

    /// Whether all of `other` are here.
    #[must_use]
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Those that are in both.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Those of either.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// These without those of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// These if `wanted`, else none.
    #[must_use]
    pub const fn when(self, wanted: bool) -> Self {
        if wanted { self } else { Self::NONE }
    }

    /// Without what cannot be had alone: atomics and floats of 64 bits need its integers, lower
    /// words alone need private tables, and what has atomics of 64 bits does without such tables.
    #[must_use]
    pub const fn consistent(self) -> Self {
        let mut flags = self;
        if !flags.contains(Self::INT64) {
            flags = flags.without(Self::ATOMIC64.or(Self::FLOAT64));
        }
        if flags.contains(Self::ATOMIC64) {
            flags = flags.without(Self::PRIVATE);
        }
        if !flags.contains(Self::PRIVATE) {
            flags = flags.without(Self::LOW);
        }
        flags
    }

    /// The flag of a word in a source.
    #[must_use]
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(_, name)| *name == word).map(|(flag, _)| *flag)
    }

    /// Every consistent subset, the empty one first.
    #[must_use]
    pub fn subsets(self) -> Vec<Self> {
        let all = (0..=self.0).map(Self).filter(|flags| self.contains(*flags));
        all.filter(|flags| flags.consistent() == *flags).collect()
    }
}

impl BitOr for Flags {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        self.or(other)
    }
}

impl fmt::Display for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = Self::ALL
            .iter()
            .filter(|(flag, _)| self.contains(*flag))
            .map(|(_, name)| *name)
            .collect();
        f.pad(&if names.is_empty() { "plain".to_owned() } else { names.join("+") })
    }
}

/// How a shader uses a binding.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Small parameters, in uniform memory.
    Uniform,
    /// Storage that is read.
    Read,
    /// Storage that is written.
    Write,
}

/// A binding of group 0; its number is its place in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Binding {
    /// Name of the variable.
    pub name: &'static str,
    /// How it is used.
    pub access: Access,
}

/// A pass, by the name of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Pass {
    /// Kept rows of each tile.
    BatchFilterCount,
    /// Where tiles go.
    BatchFilterScan,
    /// Numbers of the kept rows.
    BatchFilterRows,
    /// Values of the kept rows.
    BatchFilterGather,
    /// Integers into hashes.
    ShardHashIntegers,
    /// Words of byte strings.
    ShardHashBytes,
    /// Counts and sums by group.
    WindowReduce,
    /// Least and greatest by group.
    WindowLeast,
    /// Sums of floats by group, in order.
    WindowSumOrdered,
    /// Partials into partials.
    WindowCombine,
    /// Features to codes.
    ScoreForestEncode,
    /// Codes to scores.
    ScoreForestWalk,
    /// Nearest references of queries.
    ScoreNearest,
    /// Rows to levels of isolation.
    ScoreIsolation,
    /// Values through a layer.
    ScoreNetwork,
    /// Queries to candidates for their items.
    ScoreProducts,
    /// Windows of a series to those like them.
    ScoreProfile,
    /// Values to counts between edges.
    WindowHistogram,
}

/// What a host must know of a pass.
#[derive(Debug)]
pub struct Entry {
    /// Which.
    pub pass: Pass,
    /// Name of its file.
    pub name: &'static str,
    /// Its text, before expansion.
    pub source: &'static str,
    /// Invocations of a workgroup.
    pub invocations: u32,
    /// Flags that its text asks about, its imports' among them.
    pub flags: Flags,
    /// Its bindings, in order; the first is `params`.
    pub bindings: &'static [Binding],
    /// Bytes of workgroup memory of its largest permutation.
    pub workgroup_bytes_max: u32,
}

const PARAMS: Binding = Binding { name: "params", access: Access::Uniform };

const fn read(name: &'static str) -> Binding {
    Binding { name, access: Access::Read }
}

const fn write(name: &'static str) -> Binding {
    Binding { name, access: Access::Write }
}

macro_rules! pass {
    ($pass:ident, $name:literal, $invocations:literal, $bytes:literal, [$($flag:ident)*],
        [$($binding:expr),*]
    ) => {
        Entry {
            pass: Pass::$pass,
            name: $name,
            source: include_str!(concat!("../wgsl/", $name, ".wgsl")),
            invocations: $invocations,
            flags: Flags(0 $(| Flags::$flag.0)*),
            bindings: &[PARAMS, $($binding),*],
            workgroup_bytes_max: $bytes,
        }
    };
}

/// Every pass, in the order of [`Pass`].
pub static CATALOGUE: [Entry; 18] = [
    pass!(BatchFilterCount, "batch_filter_count", 256, 4, [], [read("mask"), write("counts")]),
    pass!(
        BatchFilterScan,
        "batch_filter_scan",
        256,
        1024,
        [SUBGROUPS],
        [read("counts"), write("sums")]
    ),
    pass!(
        BatchFilterRows,
        "batch_filter_rows",
        256,
        3072,
        [SUBGROUPS],
        [read("mask"), read("sums"), write("rows")]
    ),
    pass!(
        BatchFilterGather,
        "batch_filter_gather",
        256,
        0,
        [],
        [read("sums"), read("rows"), read("values"), write("kept")]
    ),
    pass!(
        ShardHashIntegers,
        "shard_hash_integers",
        256,
        0,
        [INT64],
        [read("values"), read("valid"), write("hashes")]
    ),
    pass!(
        ShardHashBytes,
        "shard_hash_bytes",
        256,
        0,
        [INT64],
        [read("offsets"), read("bytes"), write("hashes")]
    ),
    pass!(WindowReduce, "window_reduce", 256, 32768, [PRIVATE LOW], [
        read("ids"),
        read("values"),
        write("totals")
    ]),
    pass!(WindowLeast, "window_least", 256, 16384, [INT64 ATOMIC64 PRIVATE], [
        read("ids"),
        read("values"),
        write("least")
    ]),
    pass!(WindowSumOrdered, "window_sum_ordered", 64, 0, [INT64 FLOAT64], [
        read("starts"),
        read("rows"),
        read("values"),
        write("sums")
    ]),
    pass!(WindowCombine, "window_combine", 256, 0, [INT64 FLOAT64], [
        read("other"),
        write("entries")
    ]),
    pass!(
        ScoreForestEncode,
        "score_forest_encode",
        128,
        0,
        [INPUT32],
        [read("views"), read("thresholds"), read("sets"), read("columns"), write("codes")]
    ),
    pass!(
        ScoreForestWalk,
        "score_forest_walk",
        128,
        16384,
        [INT64 FLOAT64 STAGED SHARED_ROWS SUM32],
        [
            read("codes"),
            read("nodes"),
            read("trees"),
            read("stages"),
            read("spans"),
            read("leaves"),
            write("scores")
        ]
    ),
    pass!(
        ScoreNearest,
        "score_nearest",
        64,
        12288,
        [],
        [read("queries"), read("references"), write("distances"), write("rows")]
    ),
    pass!(ScoreIsolation, "score_isolation", 128, 16384, [INT64 SHARED_ROWS INPUT32], [
        read("columns"),
        read("nodes"),
        read("roots"),
        write("sums")
    ]),
    pass!(
        ScoreNetwork,
        "score_network",
        128,
        0,
        [],
        [read("weights"), read("bias"), read("inputs"), write("outputs")]
    ),
    pass!(
        ScoreProducts,
        "score_products",
        64,
        16384,
        [],
        [read("queries"), read("items"), write("found")]
    ),
    pass!(
        ScoreProfile,
        "score_profile",
        64,
        1536,
        [],
        [read("series"), read("shapes"), write("found")]
    ),
    pass!(
        WindowHistogram,
        "window_histogram",
        256,
        16384,
        [PRIVATE],
        [read("ids"), read("valid"), read("values"), read("edges"), write("counts")]
    ),
];

impl Pass {
    /// What a host must know of it.
    #[must_use]
    pub fn entry(self) -> &'static Entry {
        &CATALOGUE[self as usize]
    }

    /// The name of its file.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().name
    }
}

impl Entry {
    /// The permutation of this pass that `flags` lead to.
    #[must_use]
    pub fn permutation(&self, flags: Flags) -> Flags {
        flags.and(self.flags).consistent()
    }
}
