//! What the probe object may hold, so that one object runs on every kernel: pinned bytes, few sections, no data of its own, kernel types
//! that are known and few.
//!
//! Not here: rebuilding it (`make bpf`), loading it (`trace-capture`), the rules of relocation (`sealtrace-btf`).
#![expect(clippy::unwrap_used, clippy::panic, reason = "test code outside #[test] functions")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use object::{Object as _, ObjectSection as _, ObjectSymbol as _, SectionFlags};
use sealtrace_btf::{Btf, Kind, Outcome, ProbeObject, RelocationKind, TypeId, minimise, preflight};
use sealtrace_digest::FileSha256;
use sealtrace_probe::{
    CONFIG_MAP, COUNTERS_MAP, EVENTS_MAP, MANIFEST, OBJECT, OBJECT_NAME, SAMPLE_PROGRAM, SLOTS, Slot, USER_PROBES, slot_name,
};
use sealtrace_skip::{has, skip};

/// The most bytes of the object (notes/capture, *Cost*).
const MOST_BYTES: usize = 64 << 10;
/// The most bytes of a minimised BTF (issue 3).
const MOST_BTF_BYTES: usize = 1024;
const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// Sections that the object may have; beside them what every ELF file has.
const SECTIONS: [&str; 8] = ["perf_event", "uprobe", "uretprobe", ".text", ".maps", "license", ".BTF", ".BTF.ext"];
const ELF_SECTIONS: [&str; 4] = ["", ".strtab", ".symtab", ".llvm_addrsig"];
/// Every question that the object asks about the kernel.
const QUESTIONS: [&str; 18] = [
    "bpf_func_id::BPF_FUNC_get_ns_current_pid_tgid (enum_value_exists)",
    "bpf_func_id::BPF_FUNC_ktime_get_boot_ns (enum_value_exists)",
    "bpf_func_id::BPF_FUNC_task_pt_regs (enum_value_exists)",
    "mm_struct.start_stack (field_byte_off)",
    "task_struct.mm (field_byte_off)",
    "task_struct.pid (field_byte_off)",
    "task_struct.self_exec_id (field_byte_off)",
    "task_struct.self_exec_id (field_byte_size)",
    "return_instance (type_exists)",
    "return_instance.next (field_byte_off)",
    "return_instance.orig_ret_vaddr (field_byte_off)",
    "return_instance.stack (field_byte_off)",
    "task_struct.stack (field_byte_off)",
    "task_struct.utask (field_byte_off)",
    "task_struct.utask (field_exists)",
    "uprobe_task (type_exists)",
    "uprobe_task.return_instances (field_byte_off)",
    "task_struct.tgid (field_byte_off)",
];
/// `enum bpf_map_type`, include/uapi/linux/bpf.h.
const MAP_ARRAY: u32 = 2;
const MAP_RING: u32 = 27;
/// Licences under which a program may use helpers for the GPL (Linux include/linux/license.h).
const GPL_COMPATIBLE: [&str; 6] = ["GPL", "GPL v2", "GPL and additional rights", "Dual BSD/GPL", "Dual MIT/GPL", "Dual MPL/GPL"];

fn elf() -> object::File<'static> {
    object::File::parse(OBJECT).unwrap()
}

fn probe() -> ProbeObject {
    ProbeObject::parse(OBJECT).unwrap()
}

#[test]
fn the_manifest_names_the_committed_object_and_its_source() {
    let manifest: BTreeMap<String, String> = serde_json::from_str(MANIFEST).unwrap();
    let source = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join(&manifest["source"])).unwrap();
    assert_eq!(manifest["object"], OBJECT_NAME);
    assert_eq!(manifest["sha256"], FileSha256::of(OBJECT).hex());
    assert_eq!(manifest["sourceSha256"], FileSha256::of(&source).hex());
    assert!(manifest["compiler"].starts_with("clang ") && manifest["command"].contains("-mcpu=v2"), "{manifest:?}");
    assert_eq!(manifest.len(), 6);
}

#[test]
fn the_object_is_small_and_names_nothing_of_the_machine_it_was_built_on() {
    assert!(OBJECT.len() <= MOST_BYTES, "{} bytes", OBJECT.len());
    let text = String::from_utf8_lossy(OBJECT);
    for path in [env!("CARGO_MANIFEST_DIR"), "/home/", "/root/", "/tmp/", "/usr/"] {
        assert!(!text.contains(path), "{path}");
    }
}

#[test]
fn the_object_has_programs_maps_and_types_and_no_data_of_its_own() {
    let elf = elf();
    assert_eq!((elf.architecture(), elf.is_little_endian()), (object::Architecture::Bpf, true));
    let names: BTreeSet<String> = elf.sections().map(|section| section.name().unwrap().to_owned()).collect();
    let known = |name: &&String| {
        let base = name.strip_prefix(".rel").unwrap_or(name);
        SECTIONS.contains(&base) || ELF_SECTIONS.contains(&name.as_str())
    };
    // .data, .rodata and .bss would become maps that kernels before 5.2 do not have; tracepoints have layouts that differ by kernel.
    assert_eq!(names.iter().find(|name| !known(name)), None);
    for name in SECTIONS {
        assert!(names.contains(name), "no {name}");
    }
    let is_loaded = |flags| matches!(flags, SectionFlags::Elf { sh_flags, .. } if sh_flags.0 & 3 == 3);
    let writable: Vec<String> =
        elf.sections().filter(|section| is_loaded(section.flags())).map(|section| section.name().unwrap().to_owned()).collect();
    assert_eq!(writable, ["license", ".maps"]);
    assert!(elf.symbols().skip(1).all(|symbol| !symbol.is_undefined()), "a symbol from elsewhere");
}

#[test]
fn every_slot_has_its_program_in_the_section_of_its_kind() {
    let elf = elf();
    let section_of = |name: &str| {
        let symbol = elf.symbol_by_name(name).unwrap_or_else(|| panic!("no {name}"));
        elf.section_by_index(symbol.section_index().unwrap()).unwrap().name().unwrap().to_owned()
    };
    assert_eq!((slot_name(Slot::SAMPLE).as_str(), section_of(SAMPLE_PROGRAM).as_str()), (SAMPLE_PROGRAM, "perf_event"));
    for n in 0..USER_PROBES {
        assert_eq!(section_of(&slot_name(Slot::entry(n).unwrap())), "uprobe");
        assert_eq!(section_of(&slot_name(Slot::exit(n).unwrap())), "uretprobe");
    }
    let in_program_sections = |symbol: &object::Symbol<'_, '_>| {
        let section = symbol.section_index().and_then(|index| elf.section_by_index(index).ok());
        symbol.is_global() && section.is_some_and(|section| ["perf_event", "uprobe", "uretprobe"].contains(&section.name().unwrap()))
    };
    let programs = elf.symbols().filter(in_program_sections).count();
    assert_eq!(u32::try_from(programs).unwrap(), SLOTS);
}

#[test]
fn the_licence_lets_it_use_every_helper() {
    let elf = elf();
    let bytes = elf.section_by_name("license").unwrap().data().unwrap();
    let text = std::str::from_utf8(bytes).unwrap().strip_suffix('\0').unwrap();
    assert!(GPL_COMPATIBLE.contains(&text), "{text:?}");
}

/// The type of a map and how many entries it has, from its definition in BTF: `int (*type)[NUMBER]`.
fn map(btf: &Btf, name: &str) -> (u32, u32) {
    let by_name =
        |(_, ty): &(TypeId, &sealtrace_btf::Type)| btf.name(ty.name) == name.as_bytes() && matches!(ty.kind, Kind::Variable { .. });
    let Some((_, sealtrace_btf::Type { kind: Kind::Variable { of, .. }, .. })) = btf.types().find(by_name) else { panic!("no map {name}") };
    let members = btf.get(*of).unwrap().kind.members().unwrap();
    let number = |field: &str| {
        let member = members.iter().find(|member| btf.name(member.name) == field.as_bytes()).unwrap();
        let Kind::Pointer(array) = btf.get(member.of).unwrap().kind else { panic!("{name}.{field}") };
        let Kind::Array { len, .. } = btf.get(array).unwrap().kind else { panic!("{name}.{field}") };
        len
    };
    (number("type"), number("max_entries"))
}

#[test]
fn there_are_three_maps_and_none_is_per_processor() {
    let probe = probe();
    let btf = probe.btf();
    assert_eq!(map(btf, CONFIG_MAP), (MAP_ARRAY, 1));
    assert_eq!(map(btf, COUNTERS_MAP), (MAP_ARRAY, SLOTS));
    let (kind, bytes) = map(btf, EVENTS_MAP);
    assert!(kind == MAP_RING && bytes.is_power_of_two() && bytes >= 1 << 20, "{kind} {bytes}");
    let section = btf.types().find_map(|(_, ty)| match &ty.kind {
        Kind::DataSection { variables, .. } if btf.name(ty.name) == b".maps" => Some(variables.len()),
        _ => None,
    });
    assert_eq!(section, Some(3));
    let data: Vec<String> = btf
        .types()
        .filter(|(_, ty)| matches!(ty.kind, Kind::DataSection { .. }))
        .map(|(_, ty)| String::from_utf8_lossy(btf.name(ty.name)).into_owned())
        .collect();
    assert_eq!(BTreeSet::from_iter(data), BTreeSet::from([".maps".to_owned(), "license".to_owned()]));
}

/// The BTF of this host's kernel, or a named skip.
fn kernel() -> Option<Btf> {
    let Ok(bytes) = std::fs::read(KERNEL) else {
        skip("kernel-btf", "this kernel shows no BTF");
        return None;
    };
    Some(Btf::parse(&bytes).unwrap())
}

#[test]
fn it_asks_about_a_few_fields_and_helpers_and_never_for_the_number_of_a_type() {
    let probe = probe();
    assert!(!probe.relocations().is_empty());
    let sections: BTreeSet<&str> = probe.relocations().iter().map(|one| one.section.as_str()).collect();
    assert_eq!(sections, BTreeSet::from([".text"]), "only the subprogram reads the kernel");
    let kinds: BTreeSet<RelocationKind> = probe.relocations().iter().map(|one| one.kind).collect();
    let allowed = [
        RelocationKind::FieldByteOffset,
        RelocationKind::FieldByteSize,
        RelocationKind::FieldExists,
        RelocationKind::TypeExists,
        RelocationKind::EnumValueExists,
    ];
    // The value of an enum that is ENUM on one kernel and ENUM64 on another would be another number; whether it is there is not.
    assert!(kinds.iter().all(|kind| allowed.contains(kind)), "{kinds:?}");
    // Its own types serve as a kernel to name the questions: each finds itself.
    let named = probe.resolve(probe.btf()).unwrap();
    let asked: BTreeSet<String> = named.iter().map(sealtrace_btf::Resolved::name).collect();
    let unknown: Vec<&String> = asked.iter().filter(|name| !QUESTIONS.contains(&name.as_str())).collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    assert!(asked.contains("task_struct.self_exec_id (field_byte_size)") && asked.contains("mm_struct.start_stack (field_byte_off)"));
}

#[test]
fn on_this_kernel_every_question_has_an_answer_and_the_minimised_btf_gives_the_same() {
    let Some(kernel) = kernel() else { return };
    let probe = probe();
    let report = preflight(&probe, &kernel).unwrap();
    assert!(report.is_usable() && report.total > 0, "{report:?}");
    let whole = probe.resolve(&kernel).unwrap();
    let small = minimise(&probe, &kernel).unwrap();
    assert!(small.len() <= MOST_BTF_BYTES, "{} bytes", small.len());
    assert_eq!(small, minimise(&probe, &kernel).unwrap());
    assert_eq!(probe.resolve(&Btf::parse(&small).unwrap()).unwrap(), whole);
    let answer = |name: &str| whole.iter().find(|one| one.name() == name).map(|one| one.outcome);
    let Some(Outcome::Value(size)) = answer("task_struct.self_exec_id (field_byte_size)") else { panic!("{whole:?}") };
    assert!(size == 4 || size == 8, "{size}");
    let offsets: BTreeSet<_> =
        whole.iter().filter(|one| one.name().ends_with("(field_byte_off)")).map(sealtrace_btf::Resolved::name).collect();
    assert!(offsets.iter().all(|name| matches!(answer(name), Some(Outcome::Value(1..)))), "{whole:?}");
}

#[test]
fn the_answers_are_those_of_bpftools_minimised_btf() {
    let Some(kernel) = kernel() else { return };
    if !has("bpftool") {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (object, theirs) = (folder.path().join(OBJECT_NAME), folder.path().join("theirs.btf"));
    std::fs::write(&object, OBJECT).unwrap();
    let made = Command::new("bpftool").args(["gen", "min_core_btf", KERNEL]).arg(&theirs).arg(&object).output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    let probe = probe();
    let whole = probe.resolve(&kernel).unwrap();
    let theirs = Btf::parse(&std::fs::read(theirs).unwrap()).unwrap();
    let ours = Btf::parse(&minimise(&probe, &kernel).unwrap()).unwrap();
    assert_eq!(probe.resolve(&theirs).unwrap(), whole);
    assert_eq!(probe.resolve(&ours).unwrap(), whole);
    // bpftool accepts what we minimised, and finds every name in it.
    let file = folder.path().join("ours.btf");
    std::fs::write(&file, ours.encode()).unwrap();
    let dumped = Command::new("bpftool").args(["btf", "dump", "file"]).arg(&file).output().unwrap();
    let text = String::from_utf8_lossy(&dumped.stdout).into_owned();
    assert!(dumped.status.success(), "{}", String::from_utf8_lossy(&dumped.stderr));
    for name in ["task_struct", "mm_struct", "bpf_func_id", "self_exec_id", "start_stack", "BPF_FUNC_task_pt_regs"] {
        assert!(text.contains(name), "{name} in {text}");
    }
}
