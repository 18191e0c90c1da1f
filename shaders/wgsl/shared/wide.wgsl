// Numbers of 64 bits as two words: x the lower, y the upper, as they lie in memory.
//
// With `int64` the device adds and multiplies them itself; without, by words and carries. Both
// give the same bits, so a pass is written once.

#if int64
fn pack64(a: vec2<u32>) -> u64 {
    return u64(a.x) | (u64(a.y) << 32u);
}

fn unpack64(a: u64) -> vec2<u32> {
    return vec2<u32>(u32(a & 0xfffffffflu), u32(a >> 32u));
}
#endif

fn add64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
#if int64
    return unpack64(pack64(a) + pack64(b));
#else
    let low = a.x + b.x;
    return vec2<u32>(low, a.y + b.y + u32(low < a.x));
#endif
}

fn subtract64(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
#if int64
    return unpack64(pack64(a) - pack64(b));
#else
    return vec2<u32>(a.x - b.x, a.y - b.y - u32(a.x < b.x));
#endif
}

/// Unsigned.
fn less64(a: vec2<u32>, b: vec2<u32>) -> bool {
    return a.y < b.y || (a.y == b.y && a.x < b.x);
}

/// All 64 bits of the product of two words.
fn multiply_words(a: u32, b: u32) -> vec2<u32> {
#if int64
    return unpack64(u64(a) * u64(b));
#else
    let a0 = a & 0xffffu;
    let a1 = a >> 16u;
    let b0 = b & 0xffffu;
    let b1 = b >> 16u;
    let low = a0 * b0;
    // At most (2^16 - 1)^2 + 2 (2^16 - 1) = 2^32 - 1: no carry is lost.
    let middle = a1 * b0 + (low >> 16u);
    let cross = a0 * b1 + (middle & 0xffffu);
    return vec2<u32>((cross << 16u) | (low & 0xffffu), a1 * b1 + (middle >> 16u) + (cross >> 16u));
#endif
}

/// The two halves of the product of 128 bits, xored.
fn multiply_folded(a: vec2<u32>, b: vec2<u32>) -> vec2<u32> {
    let p00 = multiply_words(a.x, b.x);
    let p01 = multiply_words(a.x, b.y);
    let p10 = multiply_words(a.y, b.x);
    let p11 = multiply_words(a.y, b.y);
    // Words of weight 2^32 and 2^64, each with what it carries on.
    let one = add64(vec2<u32>(p00.y, 0u), add64(vec2<u32>(p01.x, 0u), vec2<u32>(p10.x, 0u)));
    let two = add64(
        add64(vec2<u32>(one.y, 0u), vec2<u32>(p01.y, 0u)),
        add64(vec2<u32>(p10.y, 0u), vec2<u32>(p11.x, 0u)),
    );
    return vec2<u32>(p00.x ^ two.x, one.x ^ (p11.y + two.y));
}
