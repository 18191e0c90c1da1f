use std::collections::BTreeSet;

use naga::valid::{Capabilities, ValidationFlags, Validator};
use naga::{AddressSpace, Module, StorageAccess, TypeInner};

use crate::expand::IMPORTS;
use crate::{Access, CATALOGUE, Entry, Flags, SHARED, expand};

/// What naga must allow for a permutation, and nothing else.
fn capabilities(flags: Flags) -> Capabilities {
    let pairs = [
        (Flags::INT64, Capabilities::SHADER_INT64),
        (Flags::ATOMIC64, Capabilities::SHADER_INT64_ATOMIC_ALL_OPS),
        (Flags::ATOMIC64, Capabilities::SHADER_INT64_ATOMIC_MIN_MAX),
        (Flags::SUBGROUPS, Capabilities::SUBGROUP),
        (Flags::FLOAT64, Capabilities::FLOAT64),
    ];
    let needed = pairs.into_iter().filter(|(flag, _)| flags.contains(*flag));
    needed.fold(Capabilities::empty(), |all, (_, one)| all | one)
}

fn module(entry: &Entry, flags: Flags) -> Module {
    let text = expand(entry.pass, flags).expect("it expands");
    let module = naga::front::wgsl::parse_str(&text).unwrap_or_else(|error| {
        panic!("{} {flags}: {}", entry.name, error.emit_to_string(&text));
    });
    let mut validator = Validator::new(ValidationFlags::all(), capabilities(flags));
    validator
        .subgroup_stages(naga::valid::ShaderStages::COMPUTE)
        .subgroup_operations(naga::valid::SubgroupOperationSet::all());
    if let Err(error) = validator.validate(&module) {
        panic!("{} {flags}: {}", entry.name, error.emit_to_string(&text));
    }
    module
}

fn each_permutation(mut check: impl FnMut(&Entry, Flags, &Module)) {
    for entry in &CATALOGUE {
        for flags in entry.flags.subsets() {
            check(entry, flags, &module(entry, flags));
        }
    }
}

#[test]
fn every_permutation_is_valid() {
    let mut count = 0;
    each_permutation(|entry, flags, module| {
        let [main] = &module.entry_points[..] else { panic!("{}: one entry point", entry.name) };
        assert_eq!(main.name, "main", "{} {flags}", entry.name);
        assert_eq!(main.workgroup_size, [entry.invocations, 1, 1], "{} {flags}", entry.name);
        count += 1;
    });
    assert!(count > 40, "{count} permutations");
}

#[test]
fn bindings_are_those_of_the_catalogue() {
    each_permutation(|entry, flags, module| {
        let mut bound: Vec<_> = module
            .global_variables
            .iter()
            .filter_map(|(_, variable)| variable.binding.map(|at| (at, variable)))
            .collect();
        bound.sort_by_key(|(at, _)| at.binding);
        assert_eq!(bound.len(), entry.bindings.len(), "{} {flags}", entry.name);
        for (number, ((at, variable), listed)) in bound.iter().zip(entry.bindings).enumerate() {
            assert_eq!((at.group, at.binding as usize), (0, number), "{} {flags}", entry.name);
            assert_eq!(variable.name.as_deref(), Some(listed.name), "{} {flags}", entry.name);
            let access = match variable.space {
                AddressSpace::Uniform => Access::Uniform,
                AddressSpace::Storage { access } if access.contains(StorageAccess::STORE) => {
                    Access::Write
                }
                AddressSpace::Storage { .. } => Access::Read,
                space => panic!("{}: {space:?}", entry.name),
            };
            assert_eq!(access, listed.access, "{} {flags}: {}", entry.name, listed.name);
        }
        // WebGPU's default limit of storage buffers.
        assert!(bound.len() <= 9, "{}", entry.name);
    });
}

#[test]
fn workgroup_memory_is_what_the_catalogue_says() {
    let mut largest = vec![0; CATALOGUE.len()];
    each_permutation(|entry, flags, module| {
        let variables = module.global_variables.iter().map(|(_, variable)| variable);
        let shared = variables.filter(|variable| variable.space == AddressSpace::WorkGroup);
        let bytes: u32 =
            shared.map(|variable| module.types[variable.ty].inner.size(module.to_ctx())).sum();
        // What any device has; only wide private tables ask for more, and are asked about.
        assert!(bytes <= 16384 || flags.contains(Flags::LOW), "{} {flags}: {bytes}", entry.name);
        let slot = &mut largest[entry.pass as usize];
        *slot = bytes.max(*slot);
    });
    let listed: Vec<u32> = CATALOGUE.iter().map(|entry| entry.workgroup_bytes_max).collect();
    assert_eq!(largest, listed);
}

#[test]
fn structs_lie_in_memory_as_their_twins() {
    let mut seen = BTreeSet::new();
    each_permutation(|entry, flags, module| {
        for (_, ty) in module.types.iter() {
            let TypeInner::Struct { members, span } = &ty.inner else { continue };
            let name = ty.name.as_deref().expect("a name");
            if ["Place", "Scanned"].contains(&name) || name.starts_with("__") {
                continue;
            }
            let twin = SHARED.iter().find(|twin| twin.pass == entry.pass && twin.name == name);
            let twin = twin.unwrap_or_else(|| panic!("{}: {name} has no twin", entry.name));
            let fields = members.iter().map(|member| {
                let size = module.types[member.ty].inner.size(module.to_ctx());
                (member.name.as_deref().expect("a name"), member.offset as usize, size as usize)
            });
            let twins = twin.fields.iter().map(|f| (f.name, f.offset_bytes, f.size_bytes));
            let place = format!("{} {flags}: {name}", entry.name);
            assert_eq!(fields.collect::<Vec<_>>(), twins.collect::<Vec<_>>(), "{place}");
            assert_eq!(*span as usize, twin.size_bytes, "{place}");
            seen.insert((entry.name, name.to_owned()));
        }
    });
    assert_eq!(seen.len(), SHARED.len(), "a twin without its struct: {seen:?}");
}

#[test]
fn the_catalogue_is_in_the_order_of_the_passes_and_names_every_file() {
    for (at, entry) in CATALOGUE.iter().enumerate() {
        assert_eq!(entry.pass as usize, at, "{}", entry.name);
    }
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/wgsl");
    let stems = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(folder).expect("the folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name());
        let names = names.map(|name| name.into_string().expect("a name"));
        names.filter_map(|name| name.strip_suffix(".wgsl").map(str::to_owned)).collect()
    };
    let listed: BTreeSet<String> = CATALOGUE.iter().map(|entry| entry.name.to_owned()).collect();
    assert_eq!(stems(folder), listed);
    let imports: BTreeSet<String> = IMPORTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(stems(&format!("{folder}/shared")), imports);
}

#[test]
fn flags_that_a_source_asks_about_are_listed() {
    for entry in &CATALOGUE {
        let mut asked = Flags::NONE;
        let mut texts = vec![entry.source];
        while let Some(text) = texts.pop() {
            for line in text.lines() {
                if let Some(name) = line.strip_prefix("#if ") {
                    asked = asked.or(Flags::named(name.trim_start_matches('!')).expect("a flag"));
                } else if let Some(name) = line.strip_prefix("#import ") {
                    texts.push(IMPORTS.iter().find(|(own, _)| *own == name).expect("a file").1);
                }
            }
        }
        // Atomics and floats of 64 bits bring its integers.
        assert!(entry.flags.contains(asked), "{}: {asked}", entry.name);
        assert!(asked.or(Flags::INT64).contains(entry.flags), "{}: {asked}", entry.name);
    }
}

#[test]
fn every_line_of_a_shared_file_is_in_some_permutation() {
    let mut all = BTreeSet::new();
    for entry in &CATALOGUE {
        for flags in entry.flags.subsets() {
            let text = expand(entry.pass, flags).expect("it expands");
            all.extend(text.lines().map(str::to_owned));
        }
    }
    for (name, text) in IMPORTS {
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            assert!(all.contains(line), "{name}: {line}");
        }
    }
}
