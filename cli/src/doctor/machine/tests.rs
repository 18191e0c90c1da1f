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

#[test]
fn every_kernel_is_named_with_its_level() {
    let machine = Machine::look();
    let texts = machine.kernels_texts();
    assert_eq!(machine.kernels.len(), pelton_kernels::simd::KERNELS.len());
    for kernel in &machine.kernels {
        let names = texts.iter().find(|(level, _)| *level == kernel.level);
        assert!(names.is_some_and(|(_, names)| names.contains(&kernel.name)), "{}", kernel.name);
    }
    let read: Machine = serde_json::from_str(&serde_json::to_string(&machine).expect("JSON"))
        .expect("what was written");
    assert_eq!(read, machine);
}
