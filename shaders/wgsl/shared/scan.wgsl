// The exclusive sum over a workgroup of 256: what all invocations before this one hold.
//
// With `subgroups` a register shuffle sums within each subgroup, and only the subgroups' totals
// go through workgroup memory; without, doubling distances do it in eight steps (D. Hillis,
// G. Steele, "Data parallel algorithms", CACM 1986).
//
// The order is that of `Place.index`, not of the local index: which invocations make a subgroup
// is the device's choice, so with subgroups an invocation's place follows from its subgroup.

struct Place {
    /// From 0 to 255, each once.
    index: u32,
    /// Number of the subgroup, and of the invocation in it.
    subgroup: u32,
    lane: u32,
}

/// What is summed before an invocation, and by the whole workgroup.
struct Scanned {
    before: u32,
    total: u32,
}

// One slot each: of a subgroup's total (at most 64, of size 4), or of an invocation.
var<workgroup> scan_slots: array<u32, 256>;

#if subgroups
fn place(local: u32, subgroup: u32, lane: u32, size: u32) -> Place {
    return Place(subgroup * size + lane, subgroup, lane);
}

fn scan(value: u32, at: Place, size: u32) -> Scanned {
    let within = subgroupExclusiveAdd(value);
    if (at.lane == size - 1u) {
        scan_slots[at.subgroup] = within + value;
    }
    workgroupBarrier();
    var before = within;
    var total = 0u;
    for (var other = 0u; other < 256u / size; other = other + 1u) {
        let sum = scan_slots[other];
        before = before + select(0u, sum, other < at.subgroup);
        total = total + sum;
    }
    // The slots are free again for the next scan.
    workgroupBarrier();
    return Scanned(before, total);
}
#else
fn scan(value: u32, at: Place, size: u32) -> Scanned {
    scan_slots[at.index] = value;
    workgroupBarrier();
    var sum = value;
    for (var distance = 1u; distance < 256u; distance = distance * 2u) {
        var other = 0u;
        if (at.index >= distance) {
            other = scan_slots[at.index - distance];
        }
        workgroupBarrier();
        sum = sum + other;
        scan_slots[at.index] = sum;
        workgroupBarrier();
    }
    let total = scan_slots[255];
    workgroupBarrier();
    return Scanned(sum - value, total);
}
#endif
