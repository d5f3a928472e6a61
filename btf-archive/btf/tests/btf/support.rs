//! Objects compiled here, and the answers of bpftool (libbpf) to compare with.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// BTF of this host's kernel.
pub(crate) const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// The probe object of the project.
pub(crate) fn probe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../capture-ebpf/sealtrace.bpf.o")
}

/// Compiles C for BPF; `None` (a named skip) without the compiler.
pub(crate) fn compile(folder: &Path, name: &str, source: &str) -> Option<PathBuf> {
    compile_for("bpfel", folder, name, source)
}

/// The same for `bpfel` or `bpfeb`.
pub(crate) fn compile_for(target: &str, folder: &Path, name: &str, source: &str) -> Option<PathBuf> {
    if !sealtrace_skip::has("clang-19") {
        return None;
    }
    let (input, output) = (folder.join(format!("{name}.bpf.c")), folder.join(format!("{name}.bpf.o")));
    std::fs::write(&input, source).unwrap();
    let mut clang = Command::new("clang-19");
    let done = clang
        .args(["-target", target, "-g", "-O2", "-mcpu=v3", "-Wall", "-Wno-unused-value", "-fno-crash-diagnostics", "-c"])
        .arg(&input)
        .arg("-o")
        .arg(&output);
    let done = done.output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    Some(output)
}

/// Runs bpftool; `None` (a named skip) without it.
pub(crate) fn bpftool(arguments: &[&str]) -> Option<Output> {
    if !sealtrace_skip::has("bpftool") {
        return None;
    }
    Some(Command::new("bpftool").args(arguments).output().unwrap())
}

/// The BTF of this host's kernel; `None` (a named skip) without it.
pub(crate) fn kernel() -> Option<Vec<u8>> {
    let bytes = std::fs::read(KERNEL).ok();
    if bytes.is_none() {
        sealtrace_skip::skip("kernel-btf", "this kernel shows no BTF");
    }
    bytes
}

/// The C of every test: macros for the relocations that clang makes.
pub(crate) const PRELUDE: &str = r#"
typedef unsigned char u8; typedef unsigned short u16; typedef unsigned int u32; typedef unsigned long long u64;
typedef signed char s8; typedef short s16; typedef int s32; typedef long long s64;
#define CORE __attribute__((preserve_access_index))
#define SEC(name) __attribute__((section(name), used))
#define byte_offset(f) __builtin_preserve_field_info(f, 0)
#define byte_size(f) __builtin_preserve_field_info(f, 1)
#define exists(f) __builtin_preserve_field_info(f, 2)
#define is_signed(f) __builtin_preserve_field_info(f, 3)
#define lshift(f) __builtin_preserve_field_info(f, 4)
#define rshift(f) __builtin_preserve_field_info(f, 5)
#define type_id_local(t) __builtin_btf_type_id(*(typeof(t) *)0, 0)
#define type_id_kernel(t) __builtin_btf_type_id(*(typeof(t) *)0, 1)
#define type_exists(t) __builtin_preserve_type_info(*(typeof(t) *)0, 0)
#define type_size(t) __builtin_preserve_type_info(*(typeof(t) *)0, 1)
#define type_matches(t) __builtin_preserve_type_info(*(typeof(t) *)0, 2)
#define enum_value_exists(t, v) __builtin_preserve_enum_value(*(typeof(t) *)v, 0)
#define enum_value(t, v) __builtin_preserve_enum_value(*(typeof(t) *)v, 1)
char LICENSE[] SEC("license") = "GPL";
"#;

/// What libbpf makes of each relocation, by program and position there.
pub(crate) type Answers = std::collections::BTreeMap<(String, usize), Option<u64>>;

/// Asks libbpf; `None` (a named skip) without its header, a C compiler or the right to load programs.
pub(crate) fn libbpf(folder: &Path, object: &Path, target: &Path) -> Option<Answers> {
    if !sealtrace_skip::has("cc") {
        return None;
    }
    if !Path::new("/usr/include/bpf/libbpf.h").exists() {
        sealtrace_skip::skip("libbpf", "libbpf-dev is not installed");
        return None;
    }
    let (source, asker) = (Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/btf/libbpf.c"), folder.join("ask"));
    let built = Command::new("cc").arg(source).arg("-o").arg(&asker).arg("-lbpf").output().unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let output = Command::new(&asker).arg(object).arg(target).output().unwrap();
    let mut answers = Answers::new();
    for line in String::from_utf8(output.stdout).unwrap().lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let key = (words.first().unwrap().to_string(), words.get(1).unwrap().parse().unwrap());
        match words.get(2..) {
            Some(["value", value]) => _ = answers.insert(key, Some(value.parse().unwrap())),
            Some(["missing"]) => _ = answers.insert(key, None),
            _ => {}
        }
    }
    if answers.is_empty() {
        sealtrace_skip::skip("bpf", "libbpf cannot load programs here");
        return None;
    }
    Some(answers)
}

/// The section `.BTF` of an object.
pub(crate) fn section_btf(object: &Path) -> Vec<u8> {
    use object::{Object as _, ObjectSection as _};
    let bytes = std::fs::read(object).unwrap();
    object::File::parse(bytes.as_slice()).unwrap().section_by_name(".BTF").unwrap().data().unwrap().to_vec()
}
