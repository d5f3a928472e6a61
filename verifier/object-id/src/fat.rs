//! Fat Mach-O files, fat32 and fat64: which bytes are which slice.
//!
//! Slices of the same architecture are all kept. A slice must lie inside the file and overlap no other. Not here: a slice's
//! contents (`macho`).

use std::ops::Range;

use object::read::macho::{FatArch, MachOFatFile, MachOFatFile32, MachOFatFile64};

use crate::extent::{damaged, inside, malformed};
use crate::info::{IdentityError, Slice};
use crate::macho;

const FORMAT: &str = "Mach-O";
/// The most slices of a fat file: from 43 on the same bytes are the version of a Java class file.
pub(crate) const MAX_SLICES: u32 = 42;
/// What a static library starts with.
const ARCHIVE: &[u8] = b"!<arch>\n";

/// Identifies the slices of bytes that start with the magic of a fat file.
pub(crate) fn identify(bytes: &[u8]) -> Result<Vec<Slice>, IdentityError> {
    let read = || damaged(FORMAT, "fat header");
    if bytes.get(3) == Some(&0xbf) {
        slices(bytes, &MachOFatFile64::parse(bytes).map_err(read())?)
    } else {
        slices(bytes, &MachOFatFile32::parse(bytes).map_err(read())?)
    }
}

fn slices<Fat: FatArch>(bytes: &[u8], file: &MachOFatFile<'_, Fat>) -> Result<Vec<Slice>, IdentityError> {
    let table = size_of::<object::macho::FatHeader>() + size_of_val(file.arches());
    let mut ranges: Vec<Range<usize>> = std::iter::once(0..table).collect();
    for (index, arch) in file.arches().iter().enumerate() {
        ranges.push(inside(FORMAT, &format!("slice {index}"), bytes, arch.file_range())?);
    }
    check_overlap(&ranges)?;
    let slices = ranges.into_iter().skip(1).zip(file.arches());
    slices.map(|(range, arch)| slice(bytes, range, arch.cputype())).collect()
}

fn slice(bytes: &[u8], range: Range<usize>, cputype: object::macho::CpuType) -> Result<Slice, IdentityError> {
    let data = bytes.get(range.clone()).unwrap_or_default();
    if data.starts_with(ARCHIVE) {
        // A fat static library: no object, as a thin one is none.
        return Err(IdentityError::NotAnObject);
    }
    let info = macho::identify(data)?;
    if info.arch != macho::arch(cputype) {
        let table = macho::arch(cputype);
        return malformed(FORMAT, format!("a slice is of {}, the fat header says {table}", info.arch));
    }
    Ok(Slice { range, info })
}

/// Neither slices nor the table share a byte.
fn check_overlap(ranges: &[Range<usize>]) -> Result<(), IdentityError> {
    let mut sorted: Vec<_> = ranges.iter().collect();
    sorted.sort_by_key(|range| (range.start, range.end));
    for pair in sorted.windows(2) {
        if let [one, other] = pair
            && other.start < one.end
        {
            return malformed(FORMAT, format!("slices or fat header overlap at {:#x}", other.start));
        }
    }
    Ok(())
}
