// Folds a column of integers into the hashes of its rows: hash = fold(hash ^ word).

#import hash

struct Params {
    rows: u32,
    /// Bits of a value: 8, 16, 32 or 64.
    value_bits: u32,
    /// Whether the sign is extended to 64 bits.
    is_signed: u32,
    /// Whether `valid` is looked at.
    has_nulls: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> values: array<u32>;
@group(0) @binding(2) var<storage, read> valid: array<u32>;
@group(0) @binding(3) var<storage, read_write> hashes: array<vec2<u32>>;

/// The value of a row in 64 bits.
fn word_of(row: u32) -> vec2<u32> {
    if (params.value_bits == 64u) {
        return vec2<u32>(values[2u * row], values[2u * row + 1u]);
    }
    let each = 32u / params.value_bits;
    // To the top of the word, and down again with or without the sign.
    let above = 32u - params.value_bits;
    let top = values[row / each] << (above - row % each * params.value_bits);
    if (params.is_signed != 0u) {
        let value = bitcast<i32>(top) >> above;
        return vec2<u32>(bitcast<u32>(value), bitcast<u32>(value >> 31u));
    }
    return vec2<u32>(top >> above, 0u);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = (group.y * groups.x + group.x) * 256u + local;
    if (row >= params.rows) {
        return;
    }
    var word = word_of(row);
    if (params.has_nulls != 0u && (valid[row / 32u] >> (row % 32u) & 1u) == 0u) {
        word = NULL_WORD;
    }
    hashes[row] = fold(hashes[row], word);
}
