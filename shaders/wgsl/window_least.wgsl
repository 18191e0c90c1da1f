// The least i64 of each group; the greatest is the least of the values with all bits turned
// (`flip`). The table holds numbers whose unsigned order is that of the values (the sign turned),
// all ones where there is none, as two words, the lower first.
//
// With `atomic64` an invocation lowers its group's number at once, and only where its upper word is
// not above the one that stands there: after the first rows that is rare. The lower word is not
// looked at, because a device may load 64 bits in two halves, between which another invocation
// writes: halves of two numbers can be less than either, but an upper word was the group's at some
// time, and it only falls. Without, there are two rounds: the
// first finds the least upper word of each group, the second, among the rows that have it, the
// least lower word. With `private` each round is done in a table of the workgroup first, for up
// to 4,096 groups.

struct Params {
    rows: u32,
    /// Ids at or above it belong to no group.
    groups: u32,
    /// Invocations of all workgroups: the distance to an invocation's next row.
    stride: u32,
    /// 0, or all ones to find the greatest.
    flip: u32,
    /// 0: all rows are of group 0, and `ids` is not looked at.
    has_ids: u32,
    /// 0: upper words; 1: lower words.
    round: u32,
}

@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> ids: array<u32>;
@group(0) @binding(2) var<storage, read> values: array<vec2<u32>>;
#if atomic64
@group(0) @binding(3) var<storage, read_write> least: array<atomic<u64>>;
#else
@group(0) @binding(3) var<storage, read_write> least: array<atomic<u32>>;
#endif

#if private
var<workgroup> words: array<atomic<u32>, 4096>;
#endif

fn see(id: u32, value: vec2<u32>) {
    let ordered = value ^ vec2<u32>(params.flip, params.flip ^ 0x80000000u);
#if atomic64
    let key = (u64(ordered.y) << 32u) | u64(ordered.x);
    if (ordered.y <= u32(atomicLoad(&least[id]) >> 32u)) {
        atomicMin(&least[id], key);
    }
#else
    var word = ordered.y;
    if (params.round == 1u) {
        if (atomicLoad(&least[id * 2u + 1u]) != ordered.y) {
            return;
        }
        word = ordered.x;
    }
#if private
    // Turned around: workgroup memory starts at 0, which is then the greatest of all.
    let turned = ~word;
    if (turned > atomicLoad(&words[id])) {
        atomicMax(&words[id], turned);
    }
#else
    let slot = id * 2u + (1u - params.round);
    if (word < atomicLoad(&least[slot])) {
        atomicMin(&least[slot], word);
    }
#endif
#endif
}

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
            see(id, values[row]);
        }
        // Near 2^32 rows the next one would wrap around.
        if (params.rows - row <= params.stride) {
            break;
        }
        row = row + params.stride;
    }
#if private
    workgroupBarrier();
    for (var id = local; id < params.groups; id = id + 256u) {
        atomicMin(&least[id * 2u + (1u - params.round)], ~atomicLoad(&words[id]));
    }
#endif
}
