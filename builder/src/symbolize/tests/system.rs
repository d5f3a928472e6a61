//! The system's C library with its debug file: real code with aliases, assembly, IFUNCs and hot and cold parts.

use std::path::{Path, PathBuf};

use object::{Object as _, ObjectSection as _};

use super::oracle::Told;
use super::{Module, oracle, skip};

const LIBC: &str = "/lib/x86_64-linux-gnu/libc.so.6";

fn libc_and_debug_file() -> Option<(PathBuf, PathBuf)> {
    let Ok(bytes) = std::fs::read(LIBC) else {
        skip("libc6-dbg", "the C library is not at its usual place");
        return None;
    };
    let file = object::File::parse(&*bytes).unwrap();
    let id: Vec<String> = file.build_id().unwrap().unwrap().iter().map(|byte| format!("{byte:02x}")).collect();
    let debug = Path::new("/usr/lib/debug/.build-id").join(&id[0]).join(format!("{}.debug", id[1..].concat()));
    if !debug.exists() {
        skip("libc6-dbg", "the C library: its debug file is not installed");
        return None;
    }
    Some((PathBuf::from(LIBC), debug))
}

/// Start and last byte of every `step`th row, gaps included, as far as they are code.
fn sample(module: &Module, step: usize) -> Vec<u64> {
    let rows = module.table.rows().map(Result::unwrap).step_by(step);
    let base = module.table.image_base();
    let ends = rows.flat_map(|row| [base + row.start.0, base + row.end.0.saturating_sub(1)]);
    let file = object::File::parse(&*module.bytes).unwrap();
    let code: Vec<_> = file.sections().filter(super::super::sections::is_executable).map(|s| s.address()..s.address() + s.size()).collect();
    ends.filter(|address| code.iter().any(|section| section.contains(address))).collect()
}

/// Compares sampled addresses; every file and line must agree, and 999 of 1000 names.
fn check(module: &Module, addresses: &[u64], tool: &str, answers: &[Vec<Told>]) {
    let (mut names, mut lines) = (Vec::new(), Vec::new());
    for (&address, theirs) in addresses.iter().zip(answers) {
        let found = module.at(address);
        let told = || format!("{address:#x}\n  ours   {:?}\n  theirs {theirs:?}", oracle::ours(found.as_ref()));
        match oracle::difference(found.as_ref(), theirs) {
            Some("file:line") => lines.push(told()),
            Some("name") if oracle::is_carried_over(module, address, theirs) => {}
            Some(_) => names.push(told()),
            None => {}
        }
    }
    eprintln!("{tool}: {} addresses, {} names and {} lines differ", addresses.len(), names.len(), lines.len());
    for difference in lines.iter().take(8).chain(names.iter().take(8)) {
        eprintln!("{difference}");
    }
    assert_eq!(lines.len(), 0, "{tool}: file:line");
    assert!(names.len() * 1000 <= addresses.len(), "{tool}: at least 99.9 % of names are within the alias set");
}

#[test]
fn the_c_library_agrees_with_addr2line_and_llvm() {
    let Some((binary, debug)) = libc_and_debug_file() else { return };
    let module = Module::open(&binary, Some(&debug));
    let addresses = sample(&module, 7);
    assert!(addresses.len() > 10_000, "{}", addresses.len());
    check(&module, &addresses, "addr2line", &oracle::addr2line(&module, &addresses));
    if let Some(answers) = oracle::llvm(&debug, &addresses) {
        check(&module, &addresses, "llvm-symbolizer", &answers);
    }
}

/// Generic code, closures and formatting: deep inlining into the standard library.
const RUST: &str = r#"
use std::collections::{BTreeMap, HashMap};
fn fold<T: Ord + Clone + std::fmt::Debug>(items: &[T]) -> BTreeMap<T, usize> {
    items.iter().cloned().fold(BTreeMap::new(), |mut map, item| { *map.entry(item).or_default() += 1; map })
}
fn main() {
    let words: Vec<String> = std::env::args().flat_map(|a| a.split('/').map(str::to_owned).collect::<Vec<_>>()).collect();
    let mut lengths: HashMap<usize, Vec<String>> = HashMap::new();
    for word in &words { lengths.entry(word.len()).or_default().push(word.to_uppercase()); }
    let mut sorted: Vec<_> = lengths.into_iter().collect();
    sorted.sort_by(|a, b| b.0.cmp(&a.0));
    println!("{:?} {:?}", fold(&words), sorted);
    if words.is_empty() { panic!("no words: {}", words.len()); }
}
"#;

#[test]
fn a_rust_program_with_full_debug_information_agrees() {
    let folder = super::folder();
    std::fs::write(folder.path().join("words.rs"), RUST).unwrap();
    for mangling in [&[][..], &["-Csymbol-mangling-version=v0"]] {
        let mut arguments = vec!["--edition=2021", "-O", "-g", "words.rs", "-o", "words"];
        arguments.extend(mangling);
        if !super::run(folder.path(), "rustc", &arguments) {
            return;
        }
        let module = Module::open(&folder.path().join("words"), None);
        let addresses = sample(&module, 3);
        assert!(addresses.len() > 10_000, "{}", addresses.len());
        check(&module, &addresses, "addr2line", &oracle::addr2line(&module, &addresses));
        if let Some(answers) = oracle::llvm(&module.binary, &addresses) {
            check(&module, &addresses, "llvm-symbolizer", &answers);
        }
    }
}

#[test]
fn this_very_test_program_agrees_with_addr2line() {
    let module = Module::open(&std::env::current_exe().unwrap(), None);
    let addresses = sample(&module, 41);
    assert!(addresses.len() > 1_000, "{}", addresses.len());
    check(&module, &addresses, "addr2line", &oracle::addr2line(&module, &addresses));
}
