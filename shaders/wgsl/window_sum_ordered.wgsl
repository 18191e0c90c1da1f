// Sums of f64 by group, each added up in the order of its rows: the bits of a loop on a CPU.
//
// An invocation takes a group: rows[starts[g]..starts[g + 1]] are its rows, in order. It pays
// where there are thousands of groups of similar sizes; a sum of floats cannot be cut into parts
// without changing its bits.

#import float64

struct Params {
    groups: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> starts: array<u32>;
@group(0) @binding(2) var<storage, read> rows: array<u32>;
@group(0) @binding(3) var<storage, read> values: array<vec2<u32>>;
@group(0) @binding(4) var<storage, read_write> sums: array<vec2<u32>>;

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let own = (group.y * groups.x + group.x) * 64u + local;
    if (own >= params.groups) {
        return;
    }
    var sum = sums[own];
    for (var at = starts[own]; at < starts[own + 1u]; at = at + 1u) {
        sum = add_float64(sum, values[rows[at]]);
    }
    sums[own] = sum;
}
