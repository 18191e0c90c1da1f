//! The small formats of `/proc` and `/sys`.

use super::*;

#[test]
fn values_and_choices() {
    let text = "processor\t: 0\nmodel name\t: A: B\nflags\t\t: fpu hypervisor\n";
    assert_eq!(value(text, "model name").as_deref(), Some("A: B"));
    assert_eq!(value(text, "nothing"), None);
    assert_eq!(chosen("always [madvise] never").as_deref(), Some("madvise"));
    assert_eq!(chosen("none"), None);
    assert_eq!(
        (size_bytes("48K"), size_bytes("32M"), size_bytes("x")),
        (Some(49_152), Some(33_554_432), None)
    );
}

#[test]
fn there_is_at_least_one_core() {
    let machine = Machine::look();
    assert!(machine.cores_usable >= 1);
    assert!(!machine.simd_level.is_empty() && !machine.arch.is_empty());
    assert!(machine.cores_text().contains("usable"));
}
