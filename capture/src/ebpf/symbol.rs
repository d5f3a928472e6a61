//! `PATH:SYMBOL` of a user probe: from a symbol of an ELF file to the offset in that file where the kernel puts the probe.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use object::Endianness;
use object::elf::{self, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _, Sym as _};

use rustix::fs::{Mode, OFlags, ResolveFlags, openat2};
use sealtrace_console::note;

use crate::maps::{Backing, parse};
use crate::process;
use crate::run::Target;
use crate::sys::Tid;

/// The largest file looked into (ours).
const MAX_FILE_BYTES: u64 = 4 << 30;

/// Why there is no place for a probe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum SymbolError {
    #[error("{argument:?} is not PATH:SYMBOL")]
    Argument { argument: String },
    #[error("{path} cannot be read")]
    Read { path: String, source: io::Error },
    #[error("{path} is not a 64-bit ELF file")]
    NotElf { path: String },
    #[error("{path} has no function {symbol}")]
    NotFound { path: String, symbol: String },
    #[error("{symbol} of {path} is chosen when it is first called (an indirect function), so it has no place of its own")]
    Indirect { path: String, symbol: String },
    #[error("{path} has several functions {symbol}, at {first:#x} and {second:#x}")]
    Ambiguous { path: String, symbol: String, first: u64, second: u64 },
}

impl SymbolError {
    /// What to do next.
    pub(crate) fn next(&self) -> String {
        match self {
            Self::Argument { .. } => "write --uprobe /usr/lib/libexample.so:function".to_owned(),
            Self::Read { .. } => "name a file by its path; `cat /proc/PID/maps` lists those of a process".to_owned(),
            Self::NotElf { path } => format!("name the binary or the library that holds the function; `file {path}` tells what this is"),
            Self::NotFound { path, .. } | Self::Ambiguous { path, .. } => {
                format!("`nm {path}` and `nm -D {path}` list its symbols, by their linkage names")
            }
            Self::Indirect { .. } => "name one of its implementations".to_owned(),
        }
    }
}

/// A place for a probe.
#[derive(Debug)]
pub(crate) struct Place {
    /// The file that was looked into: the probe goes into this one, whatever its path leads to by then.
    file: File,
    /// Offset in the file.
    pub(crate) offset: u64,
    /// `PATH:SYMBOL`, the path as the target sees it.
    pub(crate) attach_point: String,
}

impl Place {
    /// A path to the open file.
    pub(crate) fn path(&self) -> PathBuf {
        PathBuf::from(format!("/proc/self/fd/{}", self.file.as_raw_fd()))
    }
}

/// Finds the place of a probe. The path is one of the target's root folder.
pub(crate) fn find(argument: &OsStr, target: &Target) -> Result<Place, SymbolError> {
    let wrong = || SymbolError::Argument { argument: sealtrace_console::escape(&argument.to_string_lossy()) };
    let bytes = argument.as_bytes();
    let colon = bytes.iter().rposition(|&byte| byte == b':').ok_or_else(wrong)?;
    let (path, symbol) = (bytes.get(..colon).ok_or_else(wrong)?, bytes.get(colon + 1..).ok_or_else(wrong)?);
    if path.is_empty() || symbol.is_empty() {
        return Err(wrong());
    }
    let path = Path::new(OsStr::from_bytes(path));
    let shown = sealtrace_console::escape(&path.display().to_string());
    let read = |source| SymbolError::Read { path: shown.clone(), source };
    let (absolute, mut file) = match target {
        Target::Command(_) => {
            let absolute = std::fs::canonicalize(path).map_err(read)?;
            let file = File::open(&absolute).map_err(read)?;
            (absolute, file)
        }
        Target::Process(pid) => (path.to_owned(), open_below_root(*pid, path).map_err(read)?),
    };
    let metadata = file.metadata().map_err(read)?;
    if !metadata.is_file() || metadata.len() > MAX_FILE_BYTES {
        return Err(read(io::Error::other("not a regular file of at most 4 GiB")));
    }
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(read)?;
    let offset = offset(&bytes, symbol, &shown)?;
    let attach_point = format!("{}:{}", absolute.display(), String::from_utf8_lossy(symbol));
    if let Target::Process(pid) = target
        && !is_mapped(*pid, &metadata)
    {
        let attach_point = sealtrace_console::escape(&attach_point);
        note(&format!("warning: process {pid} does not run {attach_point} now: it is counted only if that very file is loaded later"));
    }
    Ok(Place { file, offset, attach_point })
}

/// Opens a path as a process sees it: links lead to files below its root folder.
fn open_below_root(pid: Tid, path: &Path) -> io::Result<File> {
    let below = path.strip_prefix("/").map_err(|_relative| io::Error::other("give an absolute path, as the process sees it"))?;
    let root = File::open(format!("/proc/{pid}/root"))?;
    let file = openat2(&root, below, OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK, Mode::empty(), ResolveFlags::IN_ROOT)?;
    Ok(File::from(file))
}

/// Whether a process maps this file.
fn is_mapped(pid: Tid, metadata: &std::fs::Metadata) -> bool {
    let maps = process::open_maps(pid).and_then(|file| process::read_maps(pid, &file)).unwrap_or_default();
    parse(&maps).unwrap_or_default().iter().any(|map| matches!(&map.backing, Backing::File(key) if key.inode == metadata.ino()))
}

/// The offset of a function in its file: by `.symtab`, otherwise by `.dynsym`.
fn offset(bytes: &[u8], symbol: &[u8], path: &str) -> Result<u64, SymbolError> {
    let not_elf = || SymbolError::NotElf { path: path.to_owned() };
    let name = || String::from_utf8_lossy(symbol).into_owned();
    let header = FileHeader64::<Endianness>::parse(bytes).map_err(|_other| not_elf())?;
    let endian = header.endian().map_err(|_other| not_elf())?;
    let sections = header.sections(endian, bytes).map_err(|_damaged| not_elf())?;
    let mut addresses = Vec::new();
    for kind in [elf::SHT_SYMTAB, elf::SHT_DYNSYM] {
        let Ok(table) = sections.symbols(endian, bytes, kind) else { continue };
        for found in table.iter().filter(|found| table.symbol_name(endian, found).is_ok_and(|name| name == symbol)) {
            if found.st_shndx(endian) == elf::SHN_UNDEF {
                continue;
            }
            match found.st_type() {
                elf::STT_GNU_IFUNC => return Err(SymbolError::Indirect { path: path.to_owned(), symbol: name() }),
                elf::STT_FUNC | elf::STT_NOTYPE => addresses.push(found.st_value(endian)),
                _ => {}
            }
        }
    }
    addresses.sort_unstable();
    addresses.dedup();
    let address = match *addresses {
        [] => return Err(SymbolError::NotFound { path: path.to_owned(), symbol: name() }),
        [address] => address,
        [first, second, ..] => return Err(SymbolError::Ambiguous { path: path.to_owned(), symbol: name(), first, second }),
    };
    let segments = header.program_headers(endian, bytes).map_err(|_damaged| not_elf())?;
    let within = |segment: &&elf::ProgramHeader64<Endianness>| {
        let start = segment.p_vaddr(endian);
        let is_code = segment.p_type(endian) == elf::PT_LOAD && segment.p_flags(endian).0 & elf::PF_X.0 != 0;
        // A probe is an instruction: in data it would change what the target reads.
        is_code && address >= start && address - start < segment.p_filesz(endian)
    };
    let segment = segments.iter().find(within).ok_or_else(|| SymbolError::NotFound { path: path.to_owned(), symbol: name() })?;
    (address - segment.p_vaddr(endian)).checked_add(segment.p_offset(endian)).ok_or_else(not_elf)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own() -> Vec<u8> {
        std::fs::read("/proc/self/exe").unwrap()
    }

    #[test]
    fn a_function_of_this_program_is_found_where_its_code_lies_in_the_file() {
        use object::{Object as _, ObjectSection as _, ObjectSymbol as _};
        let bytes = own();
        let file = object::File::parse(&*bytes).unwrap();
        let main = file.symbols().find(|symbol| symbol.name() == Ok("main")).unwrap();
        let text = file.section_by_name(".text").unwrap();
        let expected = main.address() - text.address() + text.file_range().unwrap().0;
        assert_eq!(offset(&bytes, b"main", "x").unwrap(), expected);
    }

    #[test]
    fn a_symbol_outside_code_is_no_place_for_a_probe() {
        let mut bytes = own();
        let word = |at: usize| usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]));
        let (headers, number) = (usize::try_from(u64::from_le_bytes(bytes[0x20..0x28].try_into().unwrap())).unwrap(), word(0x38));
        for header in 0..number {
            // p_flags without PF_X: what was code is data.
            bytes[headers + header * 56 + 4] &= !1;
        }
        assert!(matches!(offset(&bytes, b"main", "x"), Err(SymbolError::NotFound { .. })));
    }

    #[test]
    fn what_has_no_place_is_told_apart() {
        let bytes = own();
        assert!(matches!(offset(&bytes, b"no_such_function", "x"), Err(SymbolError::NotFound { .. })));
        assert!(matches!(offset(b"#!/bin/sh", b"main", "x"), Err(SymbolError::NotElf { .. })));
        for cut in [0, 16, 64, bytes.len() / 2] {
            assert!(offset(&bytes[..cut], b"main", "x").is_err(), "{cut}");
        }
        let target = Target::Command(vec![]);
        for bad in ["", "x", ":main", "/bin/ls:", "/no/such:main", "/:main"] {
            assert!(find(OsStr::new(bad), &target).is_err(), "{bad}");
        }
    }
}
