// Partial aggregates of one pane into those of another, entry by entry: `to` op= `from`.

#import float64

struct Params {
    /// Entries of 64 bits.
    entries: u32,
    /// 0: add u64, 1: subtract u64, 2: the least i64, 3: add f64, 4: the least u64.
    operation: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> other: array<vec2<u32>>;
@group(0) @binding(2) var<storage, read_write> entries: array<vec2<u32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let at = (group.y * groups.x + group.x) * 256u + local;
    if (at >= params.entries) {
        return;
    }
    let a = entries[at];
    let b = other[at];
    let sign = vec2<u32>(0u, 0x80000000u);
    switch params.operation {
        case 0u: { entries[at] = add64(a, b); }
        case 1u: { entries[at] = subtract64(a, b); }
        case 2u: { entries[at] = select(a, b, less64(b ^ sign, a ^ sign)); }
        case 3u: { entries[at] = add_float64(a, b); }
        default: { entries[at] = select(a, b, less64(b, a)); }
    }
}
