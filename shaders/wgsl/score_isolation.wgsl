// How far a row comes in the trees of an isolation forest: the sum of the levels at which it ends,
// in units of 2^-32, which is exact in whatever order it is added up. So the trees are shared out
// among workgroups (the second dimension of the grid) where there are too few rows to fill a
// device, and the bits are the same.
//
// A node is four words. Inner nodes: the cut as a key of 64 bits (f32: of 32, in the second word),
// the column with its top bit set where NaN goes up, and the lower child, counted from the tree's
// root; the upper one follows it. Ends: the level, and a child of 0. Children come after their
// parents, so every walk ends.
//
// With `shared_rows` a workgroup's keys are kept in its memory, column by column, so that
// neighbours read neighbouring banks; wider rows are read, and made keys of, at every node.

#import wide

struct Params {
    rows: u32,
    /// Rows of a column of the buffers, at least `rows`.
    pitch: u32,
    columns: u32,
    trees: u32,
    /// Trees that a workgroup walks.
    share: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
#if input32
@group(0) @binding(1) var<storage, read> columns: array<u32>;
#else
@group(0) @binding(1) var<storage, read> columns: array<vec2<u32>>;
#endif
@group(0) @binding(2) var<storage, read> nodes: array<vec4<u32>>;
/// The root of each tree.
@group(0) @binding(3) var<storage, read> roots: array<u32>;
/// Two words a row.
@group(0) @binding(4) var<storage, read_write> sums: array<atomic<u32>>;

// Keys have the order of the numbers; both zeros are one, and NaN is 0, below all of them.
#if input32
fn key_of(bits: u32) -> u32 {
    let size = bits & 0x7fffffffu;
    if (size == 0u) {
        return 0x80000000u;
    }
    if (size > 0x7f800000u) {
        return 0u;
    }
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) != 0u);
}

fn goes_up(node: vec4<u32>, key: u32) -> bool {
    return node.y < key || (key == 0u && (node.z >> 31u) != 0u);
}
#else
fn key_of(bits: vec2<u32>) -> vec2<u32> {
    let high = bits.y & 0x7fffffffu;
    if ((high | bits.x) == 0u) {
        return vec2<u32>(0u, 0x80000000u);
    }
    if (high > 0x7ff00000u || (high == 0x7ff00000u && bits.x != 0u)) {
        return vec2<u32>(0u, 0u);
    }
    if ((bits.y >> 31u) != 0u) {
        return ~bits;
    }
    return vec2<u32>(bits.x, bits.y | 0x80000000u);
}

fn goes_up(node: vec4<u32>, key: vec2<u32>) -> bool {
    let is_nan = (key.x | key.y) == 0u;
    return less64(node.xy, key) || (is_nan && (node.z >> 31u) != 0u);
}
#endif

#if shared_rows
#if input32
var<workgroup> keys: array<u32, 4096>;
#else
var<workgroup> keys: array<vec2<u32>, 2048>;
#endif
#endif

#if input32
fn key_at(column: u32, row: u32, local: u32) -> u32 {
#else
fn key_at(column: u32, row: u32, local: u32) -> vec2<u32> {
#endif
#if shared_rows
    return keys[column * 128u + local];
#else
    return key_of(columns[column * params.pitch + row]);
#endif
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = group.x * 128u + local;
    // Rows past the last one walk with it.
    let own = min(row, params.rows - 1u);
#if shared_rows
    for (var column = 0u; column < params.columns; column = column + 1u) {
        keys[column * 128u + local] = key_of(columns[column * params.pitch + own]);
    }
#endif
    var sum = vec2<u32>(0u, 0u);
    let first = group.y * params.share;
    let end = min(first + params.share, params.trees);
    for (var tree = first; tree < end; tree = tree + 1u) {
        let root = roots[tree];
        var node = nodes[root];
        loop {
            if (node.w == 0u) {
                break;
            }
            let up = goes_up(node, key_at(node.z & 0x7fffffffu, own, local));
            node = nodes[root + node.w + u32(up)];
        }
        sum = add64(sum, node.xy);
    }
    if (row < params.rows) {
        let old = atomicAdd(&sums[2u * row], sum.x);
        atomicAdd(&sums[2u * row + 1u], sum.y + u32(old + sum.x < old));
    }
}
