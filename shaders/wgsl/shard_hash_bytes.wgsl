// The word of each byte string: string i is bytes[offsets[i]..offsets[i + 1]].
//
// An invocation goes along its own string, eight bytes at a time, put together from the words
// that they lie in.

#import hash

struct Params {
    rows: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> offsets: array<u32>;
@group(0) @binding(2) var<storage, read> bytes: array<u32>;
@group(0) @binding(3) var<storage, read_write> hashes: array<vec2<u32>>;

/// Four bytes from `at` on, of which the first `count` are part of the string.
fn four(at: u32, count: u32) -> u32 {
    if (count == 0u) {
        return 0u;
    }
    let shift = at % 4u * 8u;
    var word = bytes[at / 4u] >> shift;
    // The second word is touched only where the string reaches into it.
    if (at % 4u + min(count, 4u) > 4u) {
        word = word | (bytes[at / 4u + 1u] << (32u - shift));
    }
    if (count < 4u) {
        word = word & ((1u << (count * 8u)) - 1u);
    }
    return word;
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
    var at = offsets[row];
    var left = offsets[row + 1u] - at;
    var hash = fold(SEED, vec2<u32>(left, 0u));
    while (left >= 8u) {
        hash = fold(hash, vec2<u32>(four(at, 4u), four(at + 4u, 4u)));
        at = at + 8u;
        left = left - 8u;
    }
    let high = select(0u, left - 4u, left > 4u);
    hashes[row] = fold(hash, vec2<u32>(four(at, left), four(at + 4u, high)));
}
