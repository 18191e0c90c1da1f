// The numbers of the kept rows, in order: row i has the number `first_row + i`.
//
// A workgroup takes a tile of 8,192 rows: it scans the set bits of its 256 words, then goes over
// the rows, one an invocation. The rank of a row is its word's sum and the set bits below its
// own: neighbours write to neighbouring places.

#import scan

struct Params {
    /// Words of the mask.
    words: u32,
    /// Tiles of 256 words.
    tiles: u32,
    /// Number of the first row.
    first_row: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> mask: array<u32>;
@group(0) @binding(2) var<storage, read> sums: array<u32>;
@group(0) @binding(3) var<storage, read_write> rows: array<u32>;

var<workgroup> words: array<u32, 256>;
var<workgroup> ranks: array<u32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
#if subgroups
    @builtin(subgroup_id) subgroup: u32,
    @builtin(subgroup_invocation_id) lane: u32,
    @builtin(subgroup_size) size: u32,
#endif
) {
#if subgroups
    let at = place(local, subgroup, lane, size);
#else
    let at = Place(local, 0u, 0u);
    let size = 1u;
#endif
    let tile = group.y * groups.x + group.x;
    let own = tile * 256u + at.index;
    var bits = 0u;
    if (own < params.words) {
        bits = mask[own];
    }
    let scanned = scan(countOneBits(bits), at, size);
    words[at.index] = bits;
    ranks[at.index] = scanned.before;
    workgroupBarrier();
    if (tile >= params.tiles) {
        return;
    }
    let start = sums[tile];
    for (var first = 0u; first < 8192u; first = first + 256u) {
        let row = first + local;
        let word = words[row / 32u];
        let bit = row % 32u;
        if ((word >> bit & 1u) == 1u) {
            let rank = ranks[row / 32u] + countOneBits(word & ((1u << bit) - 1u));
            rows[start + rank] = params.first_row + tile * 8192u + row;
        }
    }
}
