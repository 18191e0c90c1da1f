// One layer of a network: activation(W x + b) for each row, in f32.
//
// An invocation has two rows and sixteen units, their sums in registers: for each input it reads
// two values (neighbours read neighbouring rows) and four vectors of weights, which all of its
// workgroup read at once, and does 32 multiplications and additions with them.
//
// Sums are in the order of the inputs. How they are rounded is the device's affair (WGSL allows a
// multiplication to be fused with the addition that follows), so what is promised is a bound, see
// `kernels/src/score_network`. Exponentials are made of additions and multiplications here,
// because a device's own may be off by more.

struct Params {
    rows: u32,
    /// Rows of a column of the buffers, at least `rows`.
    pitch: u32,
    inputs: u32,
    units: u32,
    /// 0: none, 1: relu, 2: tanh, 3: logistic.
    activation: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
/// For each sixteen units: the four vectors of their weights of each input.
@group(0) @binding(1) var<storage, read> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> bias: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> inputs: array<f32>;
@group(0) @binding(4) var<storage, read_write> outputs: array<f32>;

/// e^x for x from -80 to 80: 2^k times a polynomial of what is left of x (coefficients: S. Moshier,
/// Cephes, expf.c), good to some units of the last place.
fn exponential(x: f32) -> f32 {
    let k = floor(x * 1.442695 + 0.5);
    let r = (x - k * 0.693359375) + k * 0.00021219444;
    var p = 0.00019875691;
    p = p * r + 0.0013981999;
    p = p * r + 0.008333452;
    p = p * r + 0.041665796;
    p = p * r + 0.16666666;
    p = p * r + 0.5;
    let y = p * (r * r) + r + 1.0;
    return bitcast<f32>(u32(i32(k) + 127) << 23u) * y;
}

fn activated(x: f32) -> f32 {
    if (params.activation == 1u) {
        return max(x, 0.0);
    }
    if (params.activation == 0u) {
        return x;
    }
    // Both by e^-|x| (or of 2|x|), which is at most 1.
    let is_tanh = params.activation == 2u;
    let e = exponential(-min(select(abs(x), 2.0 * abs(x), is_tanh), 80.0));
    if (is_tanh) {
        return sign(x) * ((1.0 - e) / (1.0 + e));
    }
    return select(e, 1.0, x >= 0.0) / (1.0 + e);
}

fn finish(row: u32, unit: u32, sums: vec4<f32>) {
    if (row >= params.rows) {
        return;
    }
    let whole = sums + bias[unit / 4u];
    for (var at = 0u; at < 4u; at = at + 1u) {
        if (unit + at < params.units) {
            outputs[(unit + at) * params.pitch + row] = activated(whole[at]);
        }
    }
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let first = group.x * 256u + local;
    let second = first + 128u;
    let last = params.rows - 1u;
    let own_first = min(first, last);
    let own_second = min(second, last);
    var a0 = vec4<f32>(0.0);
    var a1 = vec4<f32>(0.0);
    var a2 = vec4<f32>(0.0);
    var a3 = vec4<f32>(0.0);
    var b0 = vec4<f32>(0.0);
    var b1 = vec4<f32>(0.0);
    var b2 = vec4<f32>(0.0);
    var b3 = vec4<f32>(0.0);
    var at = group.y * params.inputs * 4u;
    for (var input = 0u; input < params.inputs; input = input + 1u) {
        let x = inputs[input * params.pitch + own_first];
        let y = inputs[input * params.pitch + own_second];
        let w0 = weights[at];
        let w1 = weights[at + 1u];
        let w2 = weights[at + 2u];
        let w3 = weights[at + 3u];
        a0 = a0 + x * w0;
        a1 = a1 + x * w1;
        a2 = a2 + x * w2;
        a3 = a3 + x * w3;
        b0 = b0 + y * w0;
        b1 = b1 + y * w1;
        b2 = b2 + y * w2;
        b3 = b3 + y * w3;
        at = at + 4u;
    }
    let unit = group.y * 16u;
    finish(first, unit, a0);
    finish(first, unit + 4u, a1);
    finish(first, unit + 8u, a2);
    finish(first, unit + 12u, a3);
    finish(second, unit, b0);
    finish(second, unit + 4u, b1);
    finish(second, unit + 8u, b2);
    finish(second, unit + 12u, b3);
}
