//! Programs that exercise the acceptance matrix of the notes, in every form of debug information that the compilers here write.

use std::path::{Path, PathBuf};

use object::{Object as _, ObjectSection as _};
use sealtrace_symbols::{Location, SymbolSource};

use super::{Module, folder, oracle, run};

const HEADER: &str = r#"
#pragma once
#include <stdexcept>
#include <string>
template <typename T> struct Ring {
  T slots[8]; unsigned next;
  Ring() : next(0) { for (auto &slot : slots) slot = T(); }
  __attribute__((noinline)) void push(T value) { slots[wrap(next++)] = twist(value); }
  static inline __attribute__((always_inline)) unsigned wrap(unsigned at) { return at % 8; }
  static inline __attribute__((always_inline)) T twist(T value) { return mix(value) + T(1); }
  static inline __attribute__((always_inline)) T mix(T value) { return value * T(3) - T(7); }
};
int elsewhere(int);
extern "C" int c_side(int);
extern "C" int asm_side(int);
"#;

const MAIN: &str = r#"
#include "ring.h"
#include <cstdio>
#include <cstdlib>
namespace {
struct Hidden { int value; Hidden(int v) : value(v) {} __attribute__((noinline)) int twice() const { return value * 2; } };
__attribute__((noinline)) int local_helper(int a) { Hidden hidden(a); return hidden.twice() + 1; }
}
static __attribute__((noinline)) int plain_static(int a) { return a ^ 0x55; }
__attribute__((noinline)) int risky(int a) {
  if (__builtin_expect(a == 12345, 0)) {
    fprintf(stderr, "cold %d\n", a);
    for (int i = 0; i < a; i++) fprintf(stderr, "%d", i);
    abort();
  }
  return a + 1;
}
int main(int argc, char **argv) {
  Ring<int> ring; Ring<long> wide;
  int sum = 0;
  try {
    for (int i = 0; i < argc * 10; i++) {
      ring.push(i); wide.push(i);
      auto lambda = [&](int x) { return x + sum; };
      sum += lambda(local_helper(i)) + plain_static(i) + elsewhere(i) + c_side(i) + asm_side(i) + risky(i);
    }
    if (sum == 77) throw std::runtime_error("unlikely " + std::to_string(sum));
  } catch (const std::exception &error) { fprintf(stderr, "%s\n", error.what()); return 1; }
  printf("%d %ld\n", ring.slots[1] + sum, wide.slots[2]);
  return argc > 100 ? argv[0][0] : 0;
}
"#;

const OTHER: &str = r#"
#include "ring.h"
int elsewhere(int a) { Ring<int> ring; ring.push(a); Ring<long> wide; wide.push(a); return ring.slots[0] + (int)wide.slots[0]; }
int never_called(int a) { return elsewhere(a) * 9; }
"#;

const C_SIDE: &str = r#"
static inline __attribute__((always_inline)) int inner(int a) { return a * a + 3; }
static inline __attribute__((always_inline)) int middle(int a) { return inner(a) - inner(a + 1); }
__attribute__((noinline)) int __c_side(int a) { if (a > 3) return middle(a); return inner(a) / (a + 9); }
int c_side(int a) __attribute__((alias("__c_side")));
int c_side_weak(int a) __attribute__((weak, alias("__c_side")));
int outer(int a) { int nested(int b) { return b + a; } int (*volatile f)(int) = nested; return f(a) + middle(a); }
"#;

const ASSEMBLY: &str = r#"
  .text
  .globl asm_side
  .type asm_side, @function
asm_side:
  leal 1(%rdi), %eax
  imull %edi, %eax
  ret
  .size asm_side, .-asm_side
  .p2align 4
  .globl asm_unsized
asm_unsized:
  xorl %eax, %eax
  ret
  .section .note.GNU-stack,"",@progbits
"#;

/// Writes the sources and compiles them; `None` without a compiler.
fn program(folder: &Path, compile: &[&str], link: &[&str]) -> Option<PathBuf> {
    for (name, text) in [("ring.h", HEADER), ("main.cc", MAIN), ("other.cc", OTHER), ("c_side.c", C_SIDE), ("asm_side.S", ASSEMBLY)] {
        std::fs::create_dir_all(folder.join("src")).unwrap();
        std::fs::write(folder.join("src").join(name), text).unwrap();
    }
    let mut objects = Vec::new();
    for (compiler, source) in [("g++", "main.cc"), ("g++", "other.cc"), ("gcc", "c_side.c"), ("gcc", "asm_side.S")] {
        let (source, object) = (format!("src/{source}"), format!("{source}.o"));
        let mut arguments = compile.to_vec();
        arguments.extend(["-c", &source, "-o", &object]);
        if !run(folder, compiler, &arguments) {
            return None;
        }
        objects.push(object);
    }
    let mut arguments: Vec<&str> = objects.iter().map(String::as_str).collect();
    arguments.extend(compile);
    arguments.extend(link);
    arguments.extend(["-o", "program"]);
    run(folder, "g++", &arguments).then(|| folder.join("program"))
}

/// Compares every address of code with both oracles.
fn check_against_oracles(module: &Module, what: &str) {
    let code = module.code();
    let told = [("addr2line", Some(oracle::addr2line(module, &code))), ("llvm-symbolizer", oracle::llvm(&module.binary, &code))];
    for (tool, answers) in told {
        let Some(answers) = answers else { continue };
        let mut wrong = Vec::new();
        for (&address, theirs) in code.iter().zip(&answers) {
            let found = module.at(address);
            if let Some(difference) = oracle::difference(found.as_ref(), theirs)
                && !(difference == "name" && oracle::is_carried_over(module, address, theirs))
            {
                wrong.push(format!("{address:#x} {difference}\n  ours   {:?}\n  theirs {theirs:?}", oracle::ours(found.as_ref())));
            }
        }
        let shown = wrong.iter().take(6).cloned().collect::<Vec<_>>().join("\n");
        assert!(wrong.is_empty(), "{what}, {tool}: {} of {} addresses differ\n{shown}", wrong.len(), code.len());
    }
}

/// Compiles in one way and compares.
fn compiled(compile: &[&str], link: &[&str]) -> Option<(tempfile::TempDir, Module)> {
    let folder = folder();
    let program = program(folder.path(), compile, link)?;
    let module = Module::open(&program, None);
    check_against_oracles(&module, &compile.join(" "));
    assert_eq!(module.symbolized.damaged_units, 0);
    Some((folder, module))
}

#[test]
fn dwarf_2_to_5_agree_with_both_oracles_at_every_address() {
    for version in ["-gdwarf-2", "-gdwarf-3", "-gdwarf-4", "-gdwarf-5"] {
        compiled(&["-O2", version], &[]);
    }
}

#[test]
fn levels_of_optimisation_agree_with_both_oracles_at_every_address() {
    for level in ["-O0", "-O1", "-O3", "-Os"] {
        compiled(&["-g", level], &[]);
    }
}

#[test]
fn link_time_optimisation_with_names_in_other_units_agrees() {
    compiled(&["-g", "-O2", "-flto"], &[]);
}

#[test]
fn discarded_sections_leave_nothing_behind() {
    let Some((_folder, module)) = compiled(&["-g", "-O2", "-ffunction-sections"], &["-Wl,--gc-sections"]) else { return };
    for row in module.table.rows() {
        let row = row.unwrap();
        let names = row.location.iter().flat_map(|location| &location.frames).map(|frame| frame.name);
        assert!(names.into_iter().all(|name| !name.contains("never_called")), "{row:?}");
    }
}

#[test]
fn fixed_addresses_are_relative_to_the_lowest_segment() {
    let Some((_folder, module)) = compiled(&["-g", "-O2", "-fno-pie"], &["-no-pie"]) else { return };
    assert_eq!(module.table.image_base(), 0x40_0000);
    assert_eq!(module.at(module.address("main")).unwrap().entry.0 + 0x40_0000, module.address("main"));
}

#[test]
fn compressed_sections_give_the_same_table() {
    let Some((_plain_folder, plain)) = compiled(&["-g", "-O2"], &[]) else { return };
    for compression in ["zlib", "zstd"] {
        // Only the link differs, so that nothing but the container changes.
        let folder = folder();
        let mode = format!("-gz={compression}");
        let supported = std::process::Command::new("gcc").args([&mode, "-print-prog-name=as"]).output().is_ok_and(|o| o.status.success())
            && std::process::Command::new("ld")
                .arg("--help")
                .output()
                .is_ok_and(|o| String::from_utf8_lossy(&o.stdout).contains(compression));
        if !supported {
            super::skip(compression, "the linker does not know it");
            continue;
        }
        let Some(program) = program(folder.path(), &["-g", "-O2"], &[&format!("-Wl,--compress-debug-sections={compression}")]) else {
            return;
        };
        let module = Module::open(&program, None);
        assert_eq!(module.symbolized.coverage, plain.symbolized.coverage);
        check_against_oracles(&module, &mode);
    }
}

#[test]
fn a_debug_file_gives_what_the_whole_file_gave() {
    let Some((folder, whole)) = compiled(&["-g", "-O2"], &[]) else { return };
    let path = folder.path();
    if !run(path, "objcopy", &["--only-keep-debug", "program", "program.debug"]) || !run(path, "strip", &["-o", "stripped", "program"]) {
        return;
    }
    let stripped = Module::open(&path.join("stripped"), None);
    let paired = Module::open(&path.join("stripped"), Some(&path.join("program.debug")));
    assert_eq!((stripped.symbolized.coverage.lines, paired.symbolized.coverage), (0, whole.symbolized.coverage));
    for address in whole.code() {
        assert_eq!(oracle::ours(whole.at(address).as_ref()), oracle::ours(paired.at(address).as_ref()), "{address:#x}");
    }
    assert!(paired.symbolized.toolchain.iter().any(|compiler| compiler.contains("GNU C++")), "{:?}", paired.symbolized.toolchain);
    assert!(paired.symbolized.toolchain.iter().all(|compiler| !compiler.contains(" -")), "{:?}", paired.symbolized.toolchain);
}

#[test]
fn the_split_off_cold_part_has_the_name_and_entry_of_its_function() {
    let Some((_folder, module)) = compiled(&["-g", "-O2"], &[]) else { return };
    let (hot, cold) = (module.address("_Z5riskyi"), module.address("_Z5riskyi.cold"));
    assert!(cold < hot, "the cold part lies below");
    let found = module.at(cold).unwrap();
    assert_eq!(found.frames.last().unwrap().name, "_Z5riskyi");
    assert_eq!(found.entry.0 + module.table.image_base(), hot);
}

#[test]
fn aliases_are_all_there_and_the_best_one_is_the_name() {
    let Some((_folder, module)) = compiled(&["-g", "-O2"], &[]) else { return };
    let found = module.at(module.address("__c_side")).unwrap();
    assert_eq!(found.aliases, ["c_side", "__c_side", "c_side_weak"], "GLOBAL before WEAK, fewer underscores first");
    assert_eq!((found.frames.last().unwrap().name, found.source), ("c_side", SymbolSource::Dwarf));
}

#[test]
fn assembly_has_its_symbol_as_function_and_keeps_its_lines() {
    // Without DW_TAG_subprogram entries: DWARF 4 and earlier of the GNU assembler has none.
    let Some((_folder, module)) = compiled(&["-gdwarf-4", "-O2"], &[]) else { return };
    let sized = module.at(module.address("asm_side") + 3).unwrap();
    assert_eq!((sized.frames[0].name, sized.heuristic), ("asm_side", false));
    assert!(sized.file.unwrap().ends_with("src/asm_side.S") && sized.line > 0, "{sized:?}");
    let guessed = module.at(module.address("asm_unsized")).unwrap();
    assert_eq!((guessed.frames[0].name, guessed.heuristic), ("asm_unsized", true));
    let start = module.at(module.address("_init")).unwrap();
    assert_eq!((start.frames[0].name, start.heuristic, start.file), ("_init", true, None));
}

#[test]
fn the_same_file_gives_the_same_bytes() {
    let Some((_folder, module)) = compiled(&["-g", "-O2"], &[]) else { return };
    let table = |debug| super::symbol_table(&module.bytes, debug, super::SymbolizeLimits::default()).unwrap().table;
    assert_eq!(table(None), table(None));
    // The file as its own debug file tells every symbol twice.
    assert_eq!(table(None), table(Some(&*module.bytes)));
}

#[test]
fn damaged_debug_information_never_panics_and_keeps_the_symbols() {
    let folder = folder();
    let Some(program) = program(folder.path(), &["-g", "-O1"], &[]) else { return };
    let bytes = std::fs::read(&program).unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let mut tables = 0;
    for name in [".debug_info", ".debug_abbrev", ".debug_line", ".debug_rnglists", ".debug_str", ".symtab", ".strtab"] {
        let (start, size) = file.section_by_name(name).unwrap().file_range().unwrap();
        let (start, size) = (usize::try_from(start).unwrap(), usize::try_from(size).unwrap());
        for step in 0..60 {
            let mut damaged = bytes.clone();
            damaged[start + step * size / 60] ^= [0x01, 0x80, 0xff][step % 3];
            if let Ok(symbolized) = super::symbol_table(&damaged, None, super::SymbolizeLimits::default()) {
                let table = sealtrace_symbols::SymbolTable::open(symbolized.table).unwrap();
                assert!(table.rows().all(|row| row.is_ok()), "what the builder writes is well formed");
                tables += 1;
            }
        }
    }
    assert!(tables > 300, "damage in one section does not take the whole table: {tables}");
    for len in (0..bytes.len()).step_by(997) {
        let _ = super::symbol_table(&bytes[..len], None, super::SymbolizeLimits::default());
    }
}

#[test]
fn limits_are_errors_that_name_themselves() {
    let folder = folder();
    let Some(program) = program(folder.path(), &["-g", "-O1"], &[]) else { return };
    let bytes = std::fs::read(&program).unwrap();
    let limits = super::SymbolizeLimits::default();
    for (limits, what) in [
        (super::SymbolizeLimits { debug_bytes: 1000, ..limits }, "bytes of debug sections"),
        (super::SymbolizeLimits { line_rows: 10, ..limits }, "line rows"),
        (super::SymbolizeLimits { ranges: 10, ..limits }, "address ranges"),
    ] {
        let error = super::symbol_table(&bytes, None, limits).unwrap_err();
        assert!(matches!(error, super::super::SymbolizeError::TooLarge { what: found, .. } if found == what), "{error}");
    }
}

#[test]
fn files_that_are_no_linked_elf_are_refused() {
    let folder = folder();
    let Some(program) = program(folder.path(), &["-g", "-O1"], &[]) else { return };
    let object = std::fs::read(program.with_file_name("main.cc.o")).unwrap();
    for (bytes, expected) in [
        (&object[..], "binary is relocatable: it has no addresses before it is linked or loaded"),
        (b"#!/bin/sh", "binary cannot be parsed"),
    ] {
        assert_eq!(super::symbol_table(bytes, None, super::SymbolizeLimits::default()).unwrap_err().to_string(), expected);
    }
}

#[test]
fn unwind_sections_come_from_the_binary_and_its_debug_file() {
    let folder = folder();
    let compile = ["-g", "-O2", "-fno-asynchronous-unwind-tables", "-fno-exceptions", "-fno-unwind-tables"];
    let path = folder.path();
    std::fs::write(path.join("only.c"), C_SIDE).unwrap();
    let mut arguments = compile.to_vec();
    arguments.extend(["-shared", "-fPIC", "-nostdlib", "only.c", "-o", "only.so"]);
    if !run(path, "gcc", &arguments)
        || !run(path, "objcopy", &["--only-keep-debug", "only.so", "only.debug"])
        || !run(path, "strip", &["-o", "stripped.so", "only.so"])
    {
        return;
    }
    let read = |name: &str| std::fs::read(path.join(name)).unwrap();
    let whole = super::super::unwind_sections(&read("only.so"), None).unwrap().unwrap();
    assert!(whole.eh_frame.is_none() && whole.debug_frame.is_some(), "{whole:?}");
    assert_eq!(super::super::unwind_sections(&read("stripped.so"), None).unwrap(), None);
    assert_eq!(super::super::unwind_sections(&read("stripped.so"), Some(&read("only.debug"))).unwrap(), Some(whole));

    let Some(program) = program(path, &["-g", "-O2"], &[]) else { return };
    let bytes = std::fs::read(program).unwrap();
    let sections = super::super::unwind_sections(&bytes, None).unwrap().unwrap();
    let (address, eh_frame) = sections.eh_frame.unwrap();
    let file = object::File::parse(&*bytes).unwrap();
    let expected = file.section_by_name(".eh_frame").unwrap();
    assert_eq!((address, &eh_frame[..]), (expected.address(), expected.data().unwrap()));
    assert_eq!(sections.text, Some(file.section_by_name(".text").unwrap().address()));
}

#[test]
fn split_debug_information_degrades_to_symbols_and_lines() {
    let folder = folder();
    let Some(program) = program(folder.path(), &["-g", "-O2", "-gsplit-dwarf"], &[]) else { return };
    let module = Module::open(&program, None);
    assert_eq!(module.symbolized.damaged_units, 3, "one for each unit whose functions are elsewhere");
    let found = module.at(module.address("_Z9elsewherei")).unwrap();
    assert_eq!((found.frames.len(), found.frames[0].name, found.source), (1, "_Z9elsewherei", SymbolSource::Symtab));
    assert!(found.file.unwrap().ends_with("src/other.cc") && found.line > 0, "{found:?}");
}

#[test]
fn names_that_dwz_moved_to_another_file_are_left_out_and_the_rest_stays() {
    let Some((folder, whole)) = compiled(&["-gdwarf-4", "-O2"], &[]) else { return };
    let path = folder.path();
    std::fs::copy(path.join("program"), path.join("twin")).unwrap();
    let dwz = std::process::Command::new("dwz").args(["-m", "common.debug", "program", "twin"]).current_dir(path).output();
    if dwz.is_err() || !path.join("common.debug").exists() {
        return super::skip("dwz", "not installed, or it found nothing to move");
    }
    let moved = Module::open(&path.join("program"), None);
    for address in whole.code() {
        let (whole, moved) = (whole.at(address), moved.at(address));
        let physical =
            |found: &Option<Location<'_>>| found.as_ref().map(|found| (found.frames.last().map(|frame| frame.name.to_owned()), found.line));
        assert_eq!(physical(&whole), physical(&moved), "{address:#x}");
        // The compilation directory is a string that both programs share, so it was moved too.
        let file = |found: &Option<Location<'_>>| found.as_ref().and_then(|found| found.file).unwrap_or_default().to_owned();
        assert!(file(&whole).ends_with(&file(&moved)), "{address:#x}: {moved:?}");
    }
}
