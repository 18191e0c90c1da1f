// Values counted between edges, by group: a value's slot is the number of edges that are not above
// it. Values and edges are compared as integers of the same order, so every value is in the slot
// that the CPU puts it in.
//
// With `private` a workgroup counts into a table of its own first, for up to 4,096 counts.

struct Params {
    rows: u32,
    /// Ids at or above it belong to no group.
    groups: u32,
    edges: u32,
    /// Invocations of all workgroups: the distance to an invocation's next row.
    stride: u32,
    /// 0: values are f64; 1: i64.
    kind: u32,
    /// 0: all rows are of group 0, and `ids` is not looked at.
    has_ids: u32,
    /// 0: no value is null, and `valid` is not looked at.
    has_nulls: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> valid: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<vec2<u32>>;
/// As keys, ascending.
@group(0) @binding(4) var<storage, read> edges: array<vec2<u32>>;
@group(0) @binding(5) var<storage, read_write> counts: array<atomic<u32>>;

#if private
var<workgroup> own_counts: array<atomic<u32>, 4096>;
#endif

/// A number's bits as a number of the same order: both zeros are one, NaN is greatest.
fn key_of(bits: vec2<u32>) -> vec2<u32> {
    let is_negative = (bits.y >> 31u) != 0u;
    if (params.kind == 1u) {
        return vec2<u32>(bits.x, bits.y ^ 0x80000000u);
    }
    let high = bits.y & 0x7fffffffu;
    if ((high | bits.x) == 0u) {
        return vec2<u32>(0u, 0x80000000u);
    }
    if (high > 0x7ff00000u || (high == 0x7ff00000u && bits.x != 0u)) {
        return vec2<u32>(0xffffffffu, 0xffffffffu);
    }
    if (is_negative) {
        return ~bits;
    }
    return vec2<u32>(bits.x, bits.y | 0x80000000u);
}

fn slot_of(key: vec2<u32>) -> u32 {
    var start = 0u;
    var end = params.edges;
    while (start < end) {
        let middle = (start + end) / 2u;
        let edge = edges[middle];
        if (edge.y < key.y || (edge.y == key.y && edge.x <= key.x)) {
            start = middle + 1u;
        } else {
            end = middle;
        }
    }
    return start;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let slots = params.edges + 1u;
    for (var row = group.x * 256u + local; row < params.rows;) {
        var id = 0u;
        if (params.has_ids != 0u) {
            id = ids[row];
        }
        var counts_it = id < params.groups;
        if (params.has_nulls != 0u) {
            counts_it = counts_it && (valid[row / 32u] >> (row % 32u) & 1u) != 0u;
        }
        if (counts_it) {
            let slot = id * slots + slot_of(key_of(values[row]));
#if private
            atomicAdd(&own_counts[slot], 1u);
#else
            atomicAdd(&counts[slot], 1u);
#endif
        }
        // Near 2^32 rows the next one would wrap around.
        if (params.rows - row <= params.stride) {
            break;
        }
        row = row + params.stride;
    }
#if private
    workgroupBarrier();
    for (var slot = local; slot < params.groups * slots; slot = slot + 256u) {
        let count = atomicLoad(&own_counts[slot]);
        if (count != 0u) {
            atomicAdd(&counts[slot], count);
        }
    }
#endif
}
