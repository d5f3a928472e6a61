//! The memory map of a dumped process: segments give extents and protection, `NT_FILE` what is mapped there.
//!
//! gdb writes no segment for memory that it does not store, so a part of a file may stand in `NT_FILE` alone; its protection is then what
//! the program headers of that file ask for, or, where these are not in the core, reading and executing: a return address into it must not
//! be refused for want of knowledge, and without its code no rule takes it on a guess.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

use super::error::CoreError;
use super::file::{CoreFile, Load};
use super::notes::{MappedFile, Notes};
use crate::elf::{Segments, segments};
use crate::maps::{Backing, FileKey, MAX_MAPS, Map, Perms};
use crate::memory::{PAGE, ReadImage as _};

/// The first address of the kernel's half: `[vsyscall]`.
const KERNEL_HALF: u64 = 1 << 63;
/// How many parts of one file are looked through for its first (ours; linkers make four to six).
const MAX_PARTS: usize = 64;

/// The maps, ascending, not overlapping.
pub(super) fn maps(core: &CoreFile, notes: &Notes) -> Result<Vec<Map>, CoreError> {
    let mut headers = Headers { core, notes, known: BTreeMap::new() };
    let mut found: Vec<Map> = Vec::new();
    for (start, end) in pieces(core, notes) {
        let load = covering(&core.loads, start, |load| (load.start, load.end));
        let file = covering(&notes.files, start, |file| (file.start, file.end));
        let perms = match (load, file) {
            (Some(load), _) => load.perms,
            (None, Some(file)) => headers.perms(file),
            (None, None) => continue,
        };
        let offset = file.map_or(0, |file| file.offset + (start - file.start));
        found.push(Map { start, end, perms, offset, backing: backing(notes, (start, end), file) });
    }
    let limit = u64::try_from(MAX_MAPS).unwrap_or(u64::MAX);
    if found.len() > MAX_MAPS { Err(CoreError::Limit { what: "memory maps", limit }) } else { Ok(found) }
}

/// Everything between two neighbouring edges of segments and files.
fn pieces(core: &CoreFile, notes: &Notes) -> Vec<(u64, u64)> {
    let loads = core.loads.iter().flat_map(|load: &Load| [load.start, load.end]);
    let edges: BTreeSet<u64> = loads.chain(notes.files.iter().flat_map(|file| [file.start, file.end])).collect();
    edges.iter().copied().zip(edges.iter().copied().skip(1)).collect()
}

/// The entry of a sorted list that covers an address.
fn covering<T>(sorted: &[T], address: u64, extent: impl Fn(&T) -> (u64, u64)) -> Option<&T> {
    let after = sorted.partition_point(|entry| extent(entry).0 <= address);
    sorted.get(after.checked_sub(1)?).filter(|entry| address < extent(entry).1)
}

fn backing(notes: &Notes, (start, end): (u64, u64), file: Option<&MappedFile>) -> Backing {
    let holds = |address: Option<u64>| address.is_some_and(|address| (start..end).contains(&address));
    match file {
        Some(file) => {
            let path = file.path.strip_suffix(b" (deleted)").unwrap_or(&file.path);
            // A core knows neither device nor inode.
            Backing::File(FileKey { device: String::new(), inode: 0, path: PathBuf::from(OsString::from_vec(path.to_vec())) })
        }
        None if start >= KERNEL_HALF => Backing::Special,
        None if notes.vdso() == Some(start) => Backing::Vdso,
        None if holds(notes.stack()) => Backing::Stack,
        None => Backing::Anonymous,
    }
}

/// Program headers of mapped files, from their first page in the core, by the address of that page.
struct Headers<'a> {
    core: &'a CoreFile,
    notes: &'a Notes,
    known: BTreeMap<u64, Option<Segments>>,
}

impl Headers<'_> {
    /// The protection that the program headers give a part of a file.
    fn perms(&mut self, file: &MappedFile) -> Perms {
        Perms { read: true, write: false, execute: self.executable(file).unwrap_or(true) }
    }

    fn executable(&mut self, file: &MappedFile) -> Option<bool> {
        let before = self.notes.files.partition_point(|other| other.start <= file.start);
        let same = self.notes.files.get(..before)?.iter().rev().take(MAX_PARTS).take_while(|other| other.path == file.path);
        let first = same.into_iter().find(|other| other.offset == 0)?;
        let core = self.core;
        let read = || segments(&core.range(first.start, usize::try_from(PAGE).ok()?)?);
        let headers = self.known.entry(first.start).or_insert_with(read).as_ref()?;
        let bias = headers.biases(first.start, 0, false).first().copied()?;
        headers.executable_at(file.start, file.offset, bias)
    }
}
