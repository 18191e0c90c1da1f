// Candidates for the items with the greatest products of each query: the `k` greatest in f32. The
// host computes the candidates' products in f64 and proves that none is missing
// (`kernels/src/score_products/gpu.rs`), so no bit of the answer rests on f32.
//
// An invocation has a query. Sixteen items at a time are staged through workgroup memory, some
// dimensions of them at a time; their products stand in registers, and what is above the least of
// the query's list goes into the list: sorted, in workgroup memory, slot by slot. Of equal products
// the first item stays in front.
//
// The second dimension of the grid shares the items out, so that few queries fill a device too;
// each share has a list of its own.

struct Params {
    queries: u32,
    /// Queries of a dimension of the buffers, at least `queries`.
    pitch: u32,
    dimensions: u32,
    items: u32,
    /// Blocks of sixteen items that a workgroup looks at.
    share: u32,
    /// Slots of a list, at most 24.
    k: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> queries: array<f32>;
/// For each sixteen items: the four vectors of each dimension.
@group(0) @binding(2) var<storage, read> items: array<vec4<f32>>;
/// Product and item of each slot of each share, queries side by side.
@group(0) @binding(3) var<storage, read_write> found: array<vec2<u32>>;

const LEAST: f32 = -3.4e38;

var<workgroup> tile: array<vec4<f32>, 256>;
var<workgroup> products: array<f32, 1536>;
var<workgroup> numbers: array<u32, 1536>;

/// Puts a product into the list that belongs there; gives the least that the list then has.
fn insert(product: f32, number: u32, local: u32) -> f32 {
    var slot = params.k - 1u;
    loop {
        if (slot == 0u) {
            break;
        }
        let before = products[(slot - 1u) * 64u + local];
        if (before >= product) {
            break;
        }
        products[slot * 64u + local] = before;
        numbers[slot * 64u + local] = numbers[(slot - 1u) * 64u + local];
        slot = slot - 1u;
    }
    products[slot * 64u + local] = product;
    numbers[slot * 64u + local] = number;
    return products[(params.k - 1u) * 64u + local];
}

/// Looks at four products.
fn see(four: vec4<f32>, number: u32, least: f32, local: u32) -> f32 {
    var bar = least;
    for (var at = 0u; at < 4u; at = at + 1u) {
        if (four[at] > bar && number + at < params.items) {
            bar = insert(four[at], number + at, local);
        }
    }
    return bar;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let query = group.x * 64u + local;
    let own = min(query, params.queries - 1u);
    for (var slot = 0u; slot < params.k; slot = slot + 1u) {
        products[slot * 64u + local] = LEAST;
        numbers[slot * 64u + local] = 0xffffffffu;
    }
    var least = LEAST;
    let blocks = (params.items + 15u) / 16u;
    let first = group.y * params.share;
    let end = min(first + params.share, blocks);
    for (var block = first; block < end; block = block + 1u) {
        var s0 = vec4<f32>(0.0);
        var s1 = vec4<f32>(0.0);
        var s2 = vec4<f32>(0.0);
        var s3 = vec4<f32>(0.0);
        for (var start = 0u; start < params.dimensions; start = start + 64u) {
            let count = min(64u, params.dimensions - start);
            workgroupBarrier();
            for (var at = local; at < count * 4u; at = at + 64u) {
                tile[at] = items[(block * params.dimensions + start) * 4u + at];
            }
            workgroupBarrier();
            for (var at = 0u; at < count; at = at + 1u) {
                let q = queries[(start + at) * params.pitch + own];
                let p0 = tile[at * 4u];
                let p1 = tile[at * 4u + 1u];
                let p2 = tile[at * 4u + 2u];
                let p3 = tile[at * 4u + 3u];
                s0 = s0 + q * p0;
                s1 = s1 + q * p1;
                s2 = s2 + q * p2;
                s3 = s3 + q * p3;
            }
        }
        least = see(s0, block * 16u, least, local);
        least = see(s1, block * 16u + 4u, least, local);
        least = see(s2, block * 16u + 8u, least, local);
        least = see(s3, block * 16u + 12u, least, local);
    }
    if (query < params.queries) {
        for (var slot = 0u; slot < params.k; slot = slot + 1u) {
            let product = bitcast<u32>(products[slot * 64u + local]);
            let at = (group.y * params.k + slot) * params.pitch + query;
            found[at] = vec2<u32>(product, numbers[slot * 64u + local]);
        }
    }
}
