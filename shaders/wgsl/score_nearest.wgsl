// For each query the nearest references in f32, nearest first: candidates, among which the host
// finds the exact ones.
//
// An invocation takes a query. Tiles of references go through workgroup memory, read by all 64 at
// once; the query's values lie there as well, column by column, neighbours in neighbouring banks.
// Four references at a time share what is read of the query.
//
// How near an f32 distance is to the exact one is bounded by the host (`kernels/src/score_nearest`)
// whatever the order of these operations, and whether products and sums are fused.

struct Params {
    /// Queries, and those of the buffers' columns.
    queries: u32,
    /// References, a multiple of 32: those that fill up are far away.
    references: u32,
    /// Columns, at most 32.
    width: u32,
}

const TILE: u32 = 32u;
const CANDIDATES: u32 = 16u;

@group(0) @binding(0) var<uniform> params: Params;
/// Column by column.
@group(0) @binding(1) var<storage, read> queries: array<f32>;
/// Reference by reference.
@group(0) @binding(2) var<storage, read> references: array<f32>;
/// Candidate by candidate: a query's are `queries` apart.
@group(0) @binding(3) var<storage, read_write> distances: array<f32>;
@group(0) @binding(4) var<storage, read_write> rows: array<u32>;

var<workgroup> query_values: array<f32, 2048>;
var<workgroup> tile: array<f32, 1024>;

var<private> nearest: array<f32, CANDIDATES>;
var<private> nearest_rows: array<u32, CANDIDATES>;

fn take(distance: f32, row: u32) {
    if (!(distance < nearest[CANDIDATES - 1u])) {
        return;
    }
    var at = CANDIDATES - 1u;
    while (at > 0u && distance < nearest[at - 1u]) {
        nearest[at] = nearest[at - 1u];
        nearest_rows[at] = nearest_rows[at - 1u];
        at = at - 1u;
    }
    nearest[at] = distance;
    nearest_rows[at] = row;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let query = (group.y * groups.x + group.x) * 64u + local;
    // All invocations have to come to the barriers: those past the last query do its work again.
    let own = min(query, params.queries - 1u);
    let width = params.width;
    for (var column = 0u; column < width; column = column + 1u) {
        query_values[column * 64u + local] = queries[column * params.queries + own];
    }
    for (var at = 0u; at < CANDIDATES; at = at + 1u) {
        nearest[at] = 3.4028234e38;
        nearest_rows[at] = 0xffffffffu;
    }
    for (var first = 0u; first < params.references; first = first + TILE) {
        workgroupBarrier();
        for (var at = local; at < TILE * width; at = at + 64u) {
            tile[at] = references[first * width + at];
        }
        workgroupBarrier();
        for (var row = 0u; row < TILE; row = row + 4u) {
            var sums = vec4<f32>(0.0);
            for (var column = 0u; column < width; column = column + 1u) {
                let value = query_values[column * 64u + local];
                let at = row * width + column;
                let others = vec4<f32>(
                    tile[at],
                    tile[at + width],
                    tile[at + 2u * width],
                    tile[at + 3u * width],
                );
                let difference = vec4<f32>(value) - others;
                sums = sums + difference * difference;
            }
            take(sums.x, first + row);
            take(sums.y, first + row + 1u);
            take(sums.z, first + row + 2u);
            take(sums.w, first + row + 3u);
        }
    }
    if (query < params.queries) {
        for (var at = 0u; at < CANDIDATES; at = at + 1u) {
            distances[at * params.queries + query] = nearest[at];
            rows[at * params.queries + query] = nearest_rows[at];
        }
    }
}
