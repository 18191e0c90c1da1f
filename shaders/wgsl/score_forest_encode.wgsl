// Features to codes: how many of a feature's thresholds are below each value, as 16 bits.
//
// All that is delicate about a forest is decided here, by comparing integers: floats in an order
// that is theirs as well (`ordered`), NaN and zeros where they count as missing, categories. What
// follows (`score_forest_walk`) compares codes. See `kernels/src/score_forest`.
//
// With `input32` features are f32, and so are the thresholds: the largest f32 not above each, so
// that a value is decided alike in either precision.

struct View {
    /// Column that it reads.
    column: u32,
    /// Its thresholds, ascending, from this one on.
    first: u32,
    /// So many, at most 65,535.
    count: u32,
    /// 0: numbers; 1: a set of categories; 2: none, codes are 0.
    kind: u32,
    /// Bit 0: NaN is missing; bit 1: zeros are as well; bit 2: a missing value goes left; bit 3:
    /// members of the set go left; bit 4: values between -1 and 0 are category 0; bit 5: numbers
    /// are rounded to f32 before they are looked up.
    flags: u32,
    /// Where the set's words start, and how many there are.
    set_first: u32,
    set_words: u32,
}

struct Params {
    rows: u32,
    /// Rows of a column of the buffers, at least `rows`.
    pitch: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> views: array<View>;
#if input32
@group(0) @binding(2) var<storage, read> thresholds: array<u32>;
#else
@group(0) @binding(2) var<storage, read> thresholds: array<vec2<u32>>;
#endif
@group(0) @binding(3) var<storage, read> sets: array<u32>;
#if input32
@group(0) @binding(4) var<storage, read> columns: array<u32>;
#else
@group(0) @binding(4) var<storage, read> columns: array<vec2<u32>>;
#endif
@group(0) @binding(5) var<storage, read_write> codes: array<u32>;

#if input32
/// The bits of a float as a number of the same order; both zeros are one.
fn ordered(bits: u32) -> u32 {
    if ((bits & 0x7fffffffu) == 0u) {
        return 0x80000000u;
    }
    return select(bits | 0x80000000u, ~bits, (bits >> 31u) != 0u);
}

fn is_less(a: u32, b: u32) -> bool {
    return a < b;
}

fn is_nan(bits: u32) -> bool {
    return (bits & 0x7fffffffu) > 0x7f800000u;
}

/// Within 1e-35 (an f32) of zero.
fn is_zero(bits: u32) -> bool {
    return (bits & 0x7fffffffu) <= 0x0554ad2eu;
}

fn zero() -> u32 {
    return 0u;
}

fn rounded(bits: u32) -> u32 {
    return bits;
}

/// Sign, exponent without its bias, and the upper 24 bits of the mantissa with its hidden one.
fn parts(bits: u32) -> vec3<i32> {
    let exponent = i32(bits >> 23u & 0xffu);
    let mantissa = (bits & 0x7fffffu) | select(0u, 0x800000u, exponent != 0);
    return vec3<i32>(i32(bits >> 31u), exponent - 127, i32(mantissa));
}

/// The lower bits of the mantissa, at the top of a word: none.
fn below(bits: u32) -> u32 {
    return 0u;
}
#else
fn ordered(bits: vec2<u32>) -> vec2<u32> {
    if (((bits.y & 0x7fffffffu) | bits.x) == 0u) {
        return vec2<u32>(0u, 0x80000000u);
    }
    if ((bits.y >> 31u) != 0u) {
        return ~bits;
    }
    return vec2<u32>(bits.x, bits.y | 0x80000000u);
}

fn is_less(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

fn is_nan(bits: vec2<u32>) -> bool {
    let high = bits.y & 0x7fffffffu;
    return high > 0x7ff00000u || (high == 0x7ff00000u && bits.x != 0u);
}

/// Within 1e-35 (an f32) of zero.
fn is_zero(bits: vec2<u32>) -> bool {
    let high = bits.y & 0x7fffffffu;
    return high < 0x38aa95a5u || (high == 0x38aa95a5u && bits.x <= 0xc0000000u);
}

fn zero() -> vec2<u32> {
    return vec2<u32>(0u, 0u);
}

/// Rounded to f32 and back, where that can matter to a category: numbers past 2^53 are no category
/// in either precision; those up to 2^-150 become zero, which a negative number then is; other
/// small ones stay what they are, between -1 and 1.
fn rounded(bits: vec2<u32>) -> vec2<u32> {
    let exponent = bits.y >> 20u & 0x7ffu;
    if (exponent < 873u || (exponent == 873u && (bits.y & 0xfffffu) == 0u && bits.x == 0u)) {
        return vec2<u32>(0u, bits.y & 0x80000000u);
    }
    if (exponent < 897u || exponent > 1076u) {
        return bits;
    }
    // 29 bits of the mantissa are rounded away, to nearest, ties to even; a carry may run into
    // the exponent, as it should.
    let rest = bits.x & 0x1fffffffu;
    let is_odd = (bits.x >> 29u & 1u) != 0u;
    let cut = vec2<u32>(bits.x & 0xe0000000u, bits.y);
    if (rest > 0x10000000u || (rest == 0x10000000u && is_odd)) {
        let low = cut.x + 0x20000000u;
        return vec2<u32>(low, cut.y + u32(low < cut.x));
    }
    return cut;
}

fn parts(bits: vec2<u32>) -> vec3<i32> {
    let exponent = i32(bits.y >> 20u & 0x7ffu);
    let high = (bits.y & 0xfffffu) << 3u | bits.x >> 29u;
    let mantissa = high | select(0u, 0x800000u, exponent != 0);
    return vec3<i32>(i32(bits.y >> 31u), exponent - 1023, i32(mantissa));
}

fn below(bits: vec2<u32>) -> u32 {
    return bits.x << 3u;
}
#endif

#if input32
fn count_below(view: View, key: u32) -> u32 {
#else
fn count_below(view: View, key: vec2<u32>) -> u32 {
#endif
    var start = 0u;
    var end = view.count;
    while (start < end) {
        let middle = (start + end) / 2u;
        if (is_less(thresholds[view.first + middle], key)) {
            start = middle + 1u;
        } else {
            end = middle;
        }
    }
    return start;
}

/// Whether a category is in the view's set. What is cut to 2^31 or more is in none.
#if input32
fn is_member(view: View, bits: u32) -> bool {
#else
fn is_member(view: View, bits: vec2<u32>) -> bool {
#endif
    let split = parts(bits);
    var category = 0u;
    if (split.y >= 31) {
        return false;
    }
    if (split.y >= 0) {
        if (split.x != 0) {
            return false;
        }
        let by = u32(split.y);
        // 24 bits stand behind the point, so by 23 places they are whole.
        if (by <= 23u) {
            category = u32(split.z) >> (23u - by);
        } else {
            category = u32(split.z) << (by - 23u) | below(bits) >> (55u - by);
        }
    } else if (split.x != 0 && (view.flags & 16u) == 0u && !is_negative_zero(bits)) {
        return false;
    }
    let word = category / 32u;
    return word < view.set_words && (sets[view.set_first + word] >> (category % 32u) & 1u) == 1u;
}

#if input32
fn is_negative_zero(bits: u32) -> bool {
    return bits == 0x80000000u;
}
#else
fn is_negative_zero(bits: vec2<u32>) -> bool {
    return bits.y == 0x80000000u && bits.x == 0u;
}
#endif

#if input32
fn code_of(view: View, value: u32) -> u32 {
#else
fn code_of(view: View, value: vec2<u32>) -> u32 {
#endif
    let left = (view.flags & 4u) != 0u;
    if (view.kind == 1u) {
        if (is_nan(value)) {
            return u32(!left);
        }
        var x = value;
        if ((view.flags & 32u) != 0u) {
            x = rounded(value);
        }
        return u32(is_member(view, x) != ((view.flags & 8u) != 0u));
    }
    if (view.kind == 2u) {
        return 0u;
    }
    let missing =
        ((view.flags & 1u) != 0u && is_nan(value)) || ((view.flags & 2u) != 0u && is_zero(value));
    if (missing) {
        return select(0xffffu, 0u, left);
    }
    var x = value;
    if (is_nan(value)) {
        x = zero();
    }
    return count_below(view, ordered(x));
}

@compute @workgroup_size(128)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let row = group.x * 128u + local;
    if (row >= params.rows) {
        return;
    }
    let first = views[group.y * 2u];
    let second = views[group.y * 2u + 1u];
    let low = code_of(first, columns[first.column * params.pitch + row]);
    let high = code_of(second, columns[second.column * params.pitch + row]);
    codes[group.y * params.pitch + row] = low | (high << 16u);
}
