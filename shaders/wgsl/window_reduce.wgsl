// Counts and exact sums of i64 by dense group ids. Four words a group: the count, then the sum in
// 96 bits (two's complement), the lowest word first. Up to 2^32 - 1 rows cannot overflow it.
//
// A value is added word by word: its lower word, then its upper word and the carry, then its sign
// and that carry; what adds zero is left out. So a value of a small magnitude, of either sign,
// costs one atomic addition, and sums need no atomics of 64 bits (with them, two halves of each
// value would have to be added: one more, for all values).
//
// With `private` a workgroup adds up a table of its own, for up to 1,024 groups (each held
// `copies` times where there are few, so that neighbours don't wait for each other), and gives it
// to the global one at its end. With `low` as well it holds counts and lower words alone, for up
// to 4,096 groups, and what is carried goes straight to the global table.

struct Params {
    rows: u32,
    /// Ids at or above it belong to no group.
    groups: u32,
    /// Invocations of all workgroups: the distance to an invocation's next row.
    stride: u32,
    /// Copies of each group in a private table, a power of two.
    copies: u32,
    /// 0: all rows are of group 0, and `ids` is not looked at.
    has_ids: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<vec2<u32>>;
@group(0) @binding(3) var<storage, read_write> totals: array<atomic<u32>>;

/// Adds high·2^32 + top·2^64 to a group's sum.
fn carry_to_total(id: u32, high: u32, top: u32) {
    var above = top;
    if (high != 0u) {
        let old = atomicAdd(&totals[id * 4u + 2u], high);
        above = above + u32(old + high < old);
    }
    if (above != 0u) {
        atomicAdd(&totals[id * 4u + 3u], above);
    }
}

/// Adds a sum of 96 bits and a count to a group.
fn add_to_total(id: u32, count: u32, low: u32, high: u32, top: u32) {
    if (count != 0u) {
        atomicAdd(&totals[id * 4u], count);
    }
    var carry = 0u;
    if (low != 0u) {
        let old = atomicAdd(&totals[id * 4u + 1u], low);
        carry = u32(old + low < old);
    }
    let carried = high + carry;
    carry_to_total(id, carried, top + u32(carried < carry));
}

#if private
#if low
const SLOTS: u32 = 4096u;
#else
const SLOTS: u32 = 1024u;
var<workgroup> highs: array<atomic<u32>, SLOTS>;
var<workgroup> tops: array<atomic<u32>, SLOTS>;
#endif
var<workgroup> counts: array<atomic<u32>, SLOTS>;
var<workgroup> lows: array<atomic<u32>, SLOTS>;

fn add(id: u32, value: vec2<u32>, local: u32) {
    let slot = id * params.copies + local % params.copies;
    atomicAdd(&counts[slot], 1u);
    var carry = 0u;
    if (value.x != 0u) {
        let old = atomicAdd(&lows[slot], value.x);
        carry = u32(old + value.x < old);
    }
    let high = value.y + carry;
    var top = select(0u, 0xffffffffu, (value.y >> 31u) != 0u) + u32(high < carry);
#if low
    carry_to_total(id, high, top);
#else
    if (high != 0u) {
        let old = atomicAdd(&highs[slot], high);
        top = top + u32(old + high < old);
    }
    if (top != 0u) {
        atomicAdd(&tops[slot], top);
    }
#endif
}

fn give_away(slot: u32) {
    let count = atomicLoad(&counts[slot]);
    if (count == 0u) {
        return;
    }
#if low
    add_to_total(slot / params.copies, count, atomicLoad(&lows[slot]), 0u, 0u);
#else
    let high = atomicLoad(&highs[slot]);
    let top = atomicLoad(&tops[slot]);
    add_to_total(slot / params.copies, count, atomicLoad(&lows[slot]), high, top);
#endif
}
#else
fn add(id: u32, value: vec2<u32>, local: u32) {
    add_to_total(id, 1u, value.x, value.y, select(0u, 0xffffffffu, (value.y >> 31u) != 0u));
}
#endif

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    for (var row = group.x * 256u + local; row < params.rows;) {
        var id = 0u;
        if (params.has_ids != 0u) {
            id = ids[row];
        }
        if (id < params.groups) {
            add(id, values[row], local);
        }
        // Near 2^32 rows the next one would wrap around.
        if (params.rows - row <= params.stride) {
            break;
        }
        row = row + params.stride;
    }
#if private
    workgroupBarrier();
    for (var slot = local; slot < params.groups * params.copies; slot = slot + 256u) {
        give_away(slot);
    }
#endif
}
