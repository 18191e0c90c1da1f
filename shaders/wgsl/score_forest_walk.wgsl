// From codes to scores: each row walks each tree, and the leaves are added in the order of the
// trees, in the precision of the forest: the bits of the definition.
//
// An invocation takes a row, and one of the forest's outputs (the second dimension of the grid).
// With `staged` the nodes of some trees at a time are copied to workgroup memory, where 128 rows
// walk them; without (a tree too large) they are read where they are. With `shared_rows` the
// workgroup's codes are copied there as well: word by word, so that neighbours read neighbouring
// banks.
//
// A node is two words: the greatest code that goes left below and the view above; then the left
// child below and the right one above, a leaf's number with its top bit set.

#import float64

struct Tree {
    /// Where its nodes start: in its stage, or in all nodes.
    first_node: u32,
    /// Where its leaves start.
    first_leaf: u32,
}

/// Trees that are staged together.
struct Stage {
    first_tree: u32,
    trees: u32,
    first_node: u32,
    nodes: u32,
}

struct Params {
    rows: u32,
    /// Rows of a column of the buffers, at least `rows`.
    pitch: u32,
    /// Words of two codes a row.
    words: u32,
    /// Values a leaf: 1, or one for each output.
    leaf_width: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> nodes: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read> trees: array<Tree>;
@group(0) @binding(4) var<storage, read> stages: array<Stage>;
/// For each output its first stage, and the one behind its last.
@group(0) @binding(5) var<storage, read> spans: array<vec2<u32>>;
/// For each output what its sum starts from, then the leaves.
#if sum32
@group(0) @binding(6) var<storage, read> leaves: array<u32>;
#else
@group(0) @binding(6) var<storage, read> leaves: array<vec2<u32>>;
#endif
@group(0) @binding(7) var<storage, read_write> scores: array<vec2<u32>>;

#if staged
var<workgroup> stage_nodes: array<vec2<u32>, 1024>;
#endif
#if shared_rows
var<workgroup> row_codes: array<u32, 2048>;
#endif

fn node_at(index: u32) -> vec2<u32> {
#if staged
    return stage_nodes[index];
#else
    return nodes[index];
#endif
}

fn code_at(view: u32, row: u32, local: u32) -> u32 {
#if shared_rows
    let word = row_codes[view / 2u * 128u + local];
#else
    let word = codes[view / 2u * params.pitch + row];
#endif
    return (word >> (view % 2u * 16u)) & 0xffffu;
}

fn leaf_of(tree: Tree, row: u32, local: u32) -> u32 {
    var child = 0u;
    loop {
        let node = node_at(tree.first_node + child);
        let goes_right = code_at(node.x >> 16u, row, local) > (node.x & 0xffffu);
        child = select(node.y & 0xffffu, node.y >> 16u, goes_right);
        if (child >= 0x8000u) {
            break;
        }
    }
    return tree.first_leaf + child - 0x8000u;
}

#if sum32
/// The bits of an f32 as those of an f64: exact, subnormal numbers too.
fn widened(bits: u32) -> vec2<u32> {
    let sign = bits & 0x80000000u;
    var exponent = bits >> 23u & 0xffu;
    var mantissa = bits & 0x7fffffu;
    if (exponent == 0xffu) {
        return vec2<u32>(mantissa << 29u, sign | 0x7ff00000u | mantissa >> 3u);
    }
    if (exponent == 0u) {
        if (mantissa == 0u) {
            return vec2<u32>(0u, sign);
        }
        let up = countLeadingZeros(mantissa) - 8u;
        mantissa = mantissa << up & 0x7fffffu;
        return vec2<u32>(mantissa << 29u, sign | (897u - up) << 20u | mantissa >> 3u);
    }
    exponent = exponent + 896u;
    return vec2<u32>(mantissa << 29u, sign | exponent << 20u | mantissa >> 3u);
}
#endif

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = group.x * 128u + local;
    let output = group.y;
    // Rows past the last one walk with it: all invocations have to come to the barriers.
    let own = min(row, params.rows - 1u);
#if shared_rows
    for (var word = 0u; word < params.words; word = word + 1u) {
        row_codes[word * 128u + local] = codes[word * params.pitch + own];
    }
#endif
    var sum = leaves[output];
    let span = spans[output];
    for (var at = span.x; at < span.y; at = at + 1u) {
        let stage = stages[at];
#if staged
        workgroupBarrier();
        for (var node = local; node < stage.nodes; node = node + 128u) {
            stage_nodes[node] = nodes[stage.first_node + node];
        }
        workgroupBarrier();
#endif
        for (var tree = 0u; tree < stage.trees; tree = tree + 1u) {
            let leaf = leaf_of(trees[stage.first_tree + tree], own, local);
            var value = groups.y + leaf;
            if (params.leaf_width > 1u) {
                value = groups.y + leaf * params.leaf_width + output;
            }
#if sum32
            sum = add_float32(sum, leaves[value]);
#else
            sum = add_float64(sum, leaves[value]);
#endif
        }
    }
    if (row < params.rows) {
#if sum32
        scores[output * params.pitch + row] = widened(sum);
#else
        scores[output * params.pitch + row] = sum;
#endif
    }
}
