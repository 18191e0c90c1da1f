// The values of the kept rows, next to each other. They are moved, never looked at.
//
// An invocation makes one word of the output: a part of a value that is longer than a word, or
// two or four values that are shorter, or 32 bits. So no two invocations write to one word.

struct Params {
    /// Tiles of the filter: behind their sums stands the number of kept rows.
    tiles: u32,
    /// Number of the first row.
    first_row: u32,
    /// Bits of a value: 1, 8, 16, 32, 64 or 128.
    value_bits: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> sums: array<u32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<u32>;
@group(0) @binding(4) var<storage, read_write> kept: array<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let slot = (group.y * groups.x + group.x) * 256u + local;
    let count = sums[params.tiles];
    let bits = params.value_bits;
    if (bits >= 32u) {
        let words = bits / 32u;
        if (slot / words < count) {
            let row = rows[slot / words] - params.first_row;
            kept[slot] = values[row * words + slot % words];
        }
        return;
    }
    let each = 32u / bits;
    if (slot > count / each || slot * each >= count) {
        return;
    }
    let low = (1u << bits) - 1u;
    var word = 0u;
    for (var i = 0u; i < min(each, count - slot * each); i = i + 1u) {
        let row = rows[slot * each + i] - params.first_row;
        let value = values[row / each] >> (row % each * bits) & low;
        word = word | (value << (i * bits));
    }
    kept[slot] = word;
}
