// How many rows each tile of 8,192 keeps: the set bits of 256 words of the mask, added up.
//
// First of four passes of a filter: counts, their sums (`batch_filter_scan`), the numbers of the
// kept rows (`batch_filter_rows`), the values (`batch_filter_gather`).

struct Params {
    /// Words of the mask.
    words: u32,
    /// Tiles of 256 words.
    tiles: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read_write> counts: array<u32>;

var<workgroup> count: atomic<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = group.y * groups.x + group.x;
    let word = tile * 256u + local;
    var bits = 0u;
    if (word < params.words) {
        bits = countOneBits(mask[word]);
    }
    if (bits > 0u) {
        atomicAdd(&count, bits);
    }
    workgroupBarrier();
    if (local == 0u && tile < params.tiles) {
        counts[tile] = atomicLoad(&count);
    }
}
