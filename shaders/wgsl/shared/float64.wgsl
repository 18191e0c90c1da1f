// Addition of f64 and f32 as IEEE 754 has it (round to nearest, ties to even), by integers.
//
// A device may lack f64, flush subnormal numbers to zero, or have been built with fast
// mathematics; integers are the same everywhere. Signs, infinities and subnormals are as on a
// CPU; which NaN comes out is not promised there either, here it is always 0x7ff8….
//
// The sum of the larger magnitude a and the smaller b, with three more bits below the mantissa
// (guard, round, and a sticky one that is set where anything was shifted out): enough to round
// a sum and a difference correctly.

#import wide

#if !int64
fn shift_left64(a: vec2<u32>, by: u32) -> vec2<u32> {
    if (by == 0u) {
        return a;
    }
    if (by >= 32u) {
        return vec2<u32>(0u, a.x << (by - 32u));
    }
    return vec2<u32>(a.x << by, (a.y << by) | (a.x >> (32u - by)));
}

/// Shifted right by less than 64; the lowest bit is set where a bit was lost.
fn shift_right_sticky64(a: vec2<u32>, by: u32) -> vec2<u32> {
    if (by == 0u) {
        return a;
    }
    if (by == 32u) {
        return vec2<u32>(a.y | u32(a.x != 0u), 0u);
    }
    if (by > 32u) {
        let lost = a.x | (a.y << (64u - by));
        return vec2<u32>((a.y >> (by - 32u)) | u32(lost != 0u), 0u);
    }
    let lost = a.x << (32u - by);
    return vec2<u32>((a.x >> by) | (a.y << (32u - by)) | u32(lost != 0u), a.y >> by);
}
#endif

/// The bits of the sum of two f64, given as bits.
fn add_float64(first: vec2<u32>, second: vec2<u32>) -> vec2<u32> {
#if float64
    return unpack64(bitcast<u64>(bitcast<f64>(pack64(first)) + bitcast<f64>(pack64(second))));
#else
    var a = first;
    var b = second;
    if (less64(vec2<u32>(a.x, a.y & 0x7fffffffu), vec2<u32>(b.x, b.y & 0x7fffffffu))) {
        a = second;
        b = first;
    }
    let exponent_a = (a.y >> 20u) & 0x7ffu;
    let exponent_b = (b.y >> 20u) & 0x7ffu;
    let opposite = ((a.y ^ b.y) >> 31u) != 0u;
    if (exponent_a == 0x7ffu) {
        // Infinity stays, but against its opposite; NaN stays NaN.
        let is_nan = (a.y & 0xfffffu) != 0u || a.x != 0u || (exponent_b == 0x7ffu && opposite);
        return select(a, vec2<u32>(0u, 0x7ff80000u), is_nan);
    }
    // Subnormal numbers have the exponent of the smallest normal ones, and no hidden bit.
    var exponent = max(exponent_a, 1u);
    let distance = exponent - max(exponent_b, 1u);
    let high_a = (a.y & 0xfffffu) | select(0u, 0x100000u, exponent_a != 0u);
    let high_b = (b.y & 0xfffffu) | select(0u, 0x100000u, exponent_b != 0u);
#if int64
    let wide_a = ((u64(high_a) << 32u) | u64(a.x)) << 3u;
    let wide_b = ((u64(high_b) << 32u) | u64(b.x)) << 3u;
    // Past 62 places only the sticky bit is left of 56.
    let by = min(distance, 62u);
    var shifted = wide_b >> by;
    if ((shifted << by) != wide_b) {
        shifted = shifted | 1lu;
    }
    var sum: u64;
    if (opposite) {
        sum = wide_a - shifted;
        if (sum == 0lu) {
            return vec2<u32>(0u, 0u);
        }
        let high = u32(sum >> 32u);
        let zeros = select(
            countLeadingZeros(high),
            32u + countLeadingZeros(u32(sum & 0xfffffffflu)),
            high == 0u,
        );
        let up = min(zeros - 8u, exponent - 1u);
        sum = sum << up;
        exponent = exponent - up;
    } else {
        sum = wide_a + shifted;
        if ((sum >> 56u) != 0lu) {
            sum = (sum >> 1u) | (sum & 1lu);
            exponent = exponent + 1u;
        }
    }
    let kept = sum >> 3u;
    let rest = u32(sum & 7lu);
    let up = rest > 4u || (rest == 4u && (kept & 1lu) != 0lu);
    // The hidden bit adds one to the exponent; so does a mantissa that rounds up to 2^53.
    let bits = unpack64((u64(exponent - 1u) << 52u) + kept + u64(u32(up)));
#else
    let wide_a = shift_left64(vec2<u32>(a.x, high_a), 3u);
    let wide_b = shift_left64(vec2<u32>(b.x, high_b), 3u);
    let shifted = shift_right_sticky64(wide_b, min(distance, 62u));
    var sum: vec2<u32>;
    if (opposite) {
        sum = subtract64(wide_a, shifted);
        if (sum.x == 0u && sum.y == 0u) {
            return vec2<u32>(0u, 0u);
        }
        let zeros =
            select(countLeadingZeros(sum.y), 32u + countLeadingZeros(sum.x), sum.y == 0u);
        let up = min(zeros - 8u, exponent - 1u);
        sum = shift_left64(sum, up);
        exponent = exponent - up;
    } else {
        sum = add64(wide_a, shifted);
        if ((sum.y >> 24u) != 0u) {
            sum = shift_right_sticky64(sum, 1u);
            exponent = exponent + 1u;
        }
    }
    let rest = sum.x & 7u;
    let kept = vec2<u32>((sum.x >> 3u) | (sum.y << 29u), sum.y >> 3u);
    let up = rest > 4u || (rest == 4u && (kept.x & 1u) != 0u);
    // The hidden bit adds one to the exponent; so does a mantissa that rounds up to 2^53.
    let whole = add64(kept, vec2<u32>(u32(up), 0u));
    let bits = vec2<u32>(whole.x, whole.y + ((exponent - 1u) << 20u));
#endif
    let sign = a.y & 0x80000000u;
    if (bits.y >= 0x7ff00000u) {
        return vec2<u32>(0u, 0x7ff00000u | sign);
    }
    return vec2<u32>(bits.x, bits.y | sign);
#endif
}

/// The bits of the sum of two f32, given as bits.
fn add_float32(first: u32, second: u32) -> u32 {
    var a = first;
    var b = second;
    if ((a & 0x7fffffffu) < (b & 0x7fffffffu)) {
        a = second;
        b = first;
    }
    let exponent_a = (a >> 23u) & 0xffu;
    let exponent_b = (b >> 23u) & 0xffu;
    let opposite = ((a ^ b) >> 31u) != 0u;
    if (exponent_a == 0xffu) {
        let is_nan = (a & 0x7fffffu) != 0u || (exponent_b == 0xffu && opposite);
        return select(a, 0x7fc00000u, is_nan);
    }
    var exponent = max(exponent_a, 1u);
    let distance = min(exponent - max(exponent_b, 1u), 31u);
    let wide_a = ((a & 0x7fffffu) | select(0u, 0x800000u, exponent_a != 0u)) << 3u;
    let wide_b = ((b & 0x7fffffu) | select(0u, 0x800000u, exponent_b != 0u)) << 3u;
    var shifted = wide_b >> distance;
    shifted = shifted | u32((shifted << distance) != wide_b);
    var sum: u32;
    if (opposite) {
        sum = wide_a - shifted;
        if (sum == 0u) {
            return 0u;
        }
        let up = min(countLeadingZeros(sum) - 5u, exponent - 1u);
        sum = sum << up;
        exponent = exponent - up;
    } else {
        sum = wide_a + shifted;
        if ((sum >> 27u) != 0u) {
            sum = (sum >> 1u) | (sum & 1u);
            exponent = exponent + 1u;
        }
    }
    let rest = sum & 7u;
    let kept = sum >> 3u;
    let up = rest > 4u || (rest == 4u && (kept & 1u) != 0u);
    let bits = ((exponent - 1u) << 23u) + kept + u32(up);
    let sign = a & 0x80000000u;
    return select(bits, 0x7f800000u, bits >= 0x7f800000u) | sign;
}
