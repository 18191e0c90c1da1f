// The matrix profile: for each window of a series the other window that it correlates with most.
//
// The covariance of the windows at i and j follows from that at i - 1 and j - 1 by two products
// (Y. Zhu et al., "Matrix Profile XI: SCRIMP++", ICDM 2018; the centred form: Z. Zimmerman et al.,
// "Matrix Profile XIV", SoCC 2019, section 4):
//
//     cov(i, j) = cov(i - 1, j - 1) + df(i) dg(j) + df(j) dg(i)
//
// A workgroup has 64 rows i and goes through the columns j one by one: an invocation keeps its row's
// best in registers, and hands its covariance on to the next row through workgroup memory. What
// the first row needs is computed from the series, 64 columns at a time, one an invocation. So no
// covariance is older than 63 steps, and an error of f32 cannot grow beyond them.
//
// The second dimension of the grid shares the columns out. What is found are candidates: the host
// computes the distance of each in f64 (`kernels/src/score_profile`).

struct Params {
    windows: u32,
    /// Values of a window.
    length: u32,
    /// Windows nearer than this are not compared.
    exclusion: u32,
    /// Rows from this one on, up to `last_row` exclusive.
    first_row: u32,
    last_row: u32,
    /// Columns that a workgroup goes through.
    share: u32,
    /// Rows of the results.
    pitch: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> series: array<f32>;
/// df, dg, the inverse of the norm (below 0: not to be compared), the mean.
@group(0) @binding(2) var<storage, read> shapes: array<vec4<f32>>;
/// The correlation, and the window that has it.
@group(0) @binding(3) var<storage, read_write> found: array<vec2<u32>>;

/// df, dg, the inverse norm of 64 columns, and the first row's covariance with them.
var<workgroup> tile: array<vec4<f32>, 64>;
/// Each row's covariance of the step before, twice.
var<workgroup> passed: array<f32, 128>;

fn covariance(i: u32, j: u32) -> f32 {
    let mean_i = shapes[i].w;
    let mean_j = shapes[j].w;
    var sum = 0.0;
    for (var k = 0u; k < params.length; k = k + 1u) {
        sum = sum + (series[i + k] - mean_i) * (series[j + k] - mean_j);
    }
    return sum;
}

@compute @workgroup_size(64)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = params.first_row + group.x * 64u;
    let row = first + local;
    // Rows past the last window go along with it.
    let own = min(row, params.windows - 1u);
    let shape = shapes[own];
    let start = group.y * params.share;
    let end = min(start + params.share, params.windows);
    var cov = 0.0;
    var best = -2.0;
    var best_at = 0xffffffffu;
    for (var tile_start = start; tile_start < end; tile_start = tile_start + 64u) {
        workgroupBarrier();
        let column = tile_start + local;
        if (column < end) {
            tile[local] = vec4<f32>(shapes[column].xyz, covariance(first, column));
        }
        workgroupBarrier();
        let steps = min(64u, end - tile_start);
        for (var step = 0u; step < steps; step = step + 1u) {
            let j = tile_start + step;
            let other = tile[step];
            let slot = (step % 2u) * 64u;
            passed[slot + local] = cov;
            workgroupBarrier();
            if (local == 0u) {
                cov = other.w;
            } else if (j == start) {
                cov = covariance(own, j);
            } else {
                cov = passed[slot + local - 1u] + (shape.x * other.y + other.x * shape.y);
            }
            let correlation = cov * shape.z * other.z;
            let apart = max(row, j) - min(row, j);
            if (apart >= params.exclusion && other.z >= 0.0 && correlation > best) {
                best = correlation;
                best_at = j;
            }
        }
    }
    if (row < params.last_row) {
        let at = group.y * params.pitch + row - params.first_row;
        found[at] = vec2<u32>(bitcast<u32>(best), best_at);
    }
}
