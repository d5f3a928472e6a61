//! The PE files that this system has, wine's and MinGW's: each is identified, and a second parser reads the same ids.

use std::path::PathBuf;

use sealtrace_object_id::identify;
use sealtrace_skip::skip;

use crate::agreement::{goblin_pe, is_pe};

/// How many are wanted, and how many are read at most.
const WANTED: usize = 20;
const MOST: usize = 1000;
const ROOTS: [&str; 3] = ["/usr/lib", "/usr/x86_64-w64-mingw32", "/usr/share"];

fn pe_files() -> Vec<PathBuf> {
    let mut todo: Vec<PathBuf> = ROOTS.iter().map(PathBuf::from).collect();
    let mut found = Vec::new();
    while let Some(folder) = todo.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            let named = || path.extension().is_some_and(|end| ["dll", "exe", "sys", "drv", "ocx"].iter().any(|known| end == *known));
            if kind.is_dir() {
                todo.push(path);
            } else if kind.is_file() && named() {
                found.push(path);
            }
        }
    }
    found.sort();
    found.truncate(MOST);
    found
}

#[test]
fn ids_of_the_systems_pe_files_equal_those_of_a_second_parser() {
    let (mut compared, mut with_key) = (0, 0);
    for path in pe_files() {
        let Ok(bytes) = std::fs::read(&path) else { continue };
        if !is_pe(&bytes) {
            continue;
        }
        let info = identify(&bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        assert_eq!((info.ids.pe_code_id.clone(), info.ids.pdb_guid_age.clone()), goblin_pe(&bytes), "{}: {info:?}", path.display());
        compared += 1;
        with_key += usize::from(info.ids.pdb_guid_age.is_some());
    }
    eprintln!("compared {compared} PE files, {with_key} with a PDB's key");
    if compared < WANTED {
        skip("system-pe-files", &format!("{compared} PE files here, {WANTED} wanted"));
    }
}
