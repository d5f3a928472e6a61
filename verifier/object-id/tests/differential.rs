//! The ids of the system's own libraries, against `readelf -n` and against a second parser.
#![expect(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "test helpers")]
#![expect(clippy::disallowed_types, clippy::disallowed_methods, reason = "tests read the system's libraries")]

use std::path::{Path, PathBuf};
use std::process::Command;

use sealtrace_object_id::{IdentityError, identify};
use sealtrace_skip::skip;

/// How many libraries are wanted.
const WANTED: usize = 200;
/// How many are read at most.
const MOST: usize = 400;

/// ELF libraries of the system, in order of path.
fn libraries() -> Vec<PathBuf> {
    let mut todo: Vec<PathBuf> = ["/usr/lib", "/usr/lib64", "/lib"].iter().map(PathBuf::from).collect();
    let mut found = Vec::new();
    while let Some(folder) = todo.pop() {
        let mut entries: Vec<_> = std::fs::read_dir(folder).into_iter().flatten().flatten().collect();
        entries.sort_by_key(std::fs::DirEntry::file_name);
        for entry in entries {
            let kind = entry.file_type().unwrap();
            let path = entry.path();
            if kind.is_dir() {
                todo.push(path);
            } else if kind.is_file() && path.to_string_lossy().contains(".so") {
                found.push(path);
            }
        }
    }
    found.sort();
    found.retain(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")));
    found.truncate(MOST);
    found
}

/// The build-ids that `readelf -n` prints, in order.
fn readelf(path: &Path) -> Option<Vec<String>> {
    let output = Command::new("readelf").arg("-n").arg(path).env("LC_ALL", "C").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Some(text.lines().filter_map(|line| line.split_once("Build ID: ")).map(|(_, id)| id.trim().to_owned()).collect())
}

/// The build-id as goblin's note iterator finds it.
fn goblin(bytes: &[u8]) -> Option<String> {
    let elf = goblin::elf::Elf::parse(bytes).unwrap();
    let segments = elf.iter_note_headers(bytes).into_iter().flatten();
    let sections = elf.iter_note_sections(bytes, None).into_iter().flatten();
    let id = segments.chain(sections).flatten().find(|note| note.n_type == 3 && note.name == "GNU")?;
    Some(hex::encode(id.desc))
}

#[test]
fn ids_of_the_systems_libraries_equal_those_of_readelf_and_of_a_second_parser() {
    let libraries = libraries();
    if libraries.len() < WANTED {
        skip("system-libraries", &format!("{} ELF libraries here, {WANTED} wanted", libraries.len()));
    }
    let readelf_works = libraries.first().is_some_and(|first| readelf(first).is_some());
    if !readelf_works {
        skip("readelf", "not installed, or no library to read");
    }
    let mut with_id = 0;
    for path in &libraries {
        let bytes = std::fs::read(path).unwrap();
        let info = identify(&bytes).unwrap_or_else(|error: IdentityError| not_identified(path, &error));
        let ours = info.ids.gnu_build_id;
        with_id += usize::from(ours.is_some());
        assert_eq!(ours, goblin(&bytes), "{}", path.display());
        if readelf_works {
            assert_eq!(ours, readelf(path).and_then(|ids| ids.into_iter().next()), "{}", path.display());
        }
    }
    eprintln!("compared {} libraries, {with_id} with a build-id", libraries.len());
    assert!(with_id > 0 || libraries.is_empty());
}

fn not_identified(path: &Path, error: &IdentityError) -> ! {
    panic!("{}: {error}", path.display())
}
