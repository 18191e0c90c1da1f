// Where each tile's rows go: the exclusive sums of the tiles' counts, and behind them the total.
//
// One workgroup goes along the counts, 256 at a time: a million rows are 123 tiles.

#import scan

struct Params {
    /// Counts; `sums` has a slot more.
    tiles: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> counts: array<u32>;
@group(0) @binding(2) var<storage, read_write> sums: array<u32>;

@compute @workgroup_size(256)
fn main(
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
    var carried = 0u;
    for (var first = 0u; first < params.tiles; first = first + 256u) {
        let tile = first + at.index;
        var count = 0u;
        if (tile < params.tiles) {
            count = counts[tile];
        }
        let scanned = scan(count, at, size);
        if (tile < params.tiles) {
            sums[tile] = carried + scanned.before;
        }
        carried = carried + scanned.total;
    }
    if (at.index == 0u) {
        sums[params.tiles] = carried;
    }
}
