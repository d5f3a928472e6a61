//! Mach-O of one architecture, 32 and 64 bit, both byte orders: the UUID, the kind, the base.
//!
//! Load commands only; every segment's and section's bytes must lie inside the file. Not here: fat files (`fat`), symbols.

use object::endian::Endianness;
use object::macho;
use object::read::macho::{LoadCommandData, MachHeader, Section as _, Segment};

use crate::extent::{damaged, inside, malformed};
use crate::ids::{Arch, ObjectIds, Os};
use crate::info::{IdentityError, ObjectInfo, ObjectKind};

const FORMAT: &str = "Mach-O";
/// The most load commands accepted (ours: programs have some dozens, a kernel cache some hundreds).
const MAX_COMMANDS: u32 = 1 << 14;
/// Size of `LC_UUID`.
const UUID_COMMAND: u32 = 24;

/// Identifies bytes that start with the magic of a thin Mach-O file.
pub(crate) fn identify(bytes: &[u8]) -> Result<ObjectInfo, IdentityError> {
    match bytes.first_chunk() {
        Some([0xfe, 0xed, 0xfa, 0xce] | [0xce, 0xfa, 0xed, 0xfe]) => read::<macho::MachHeader32<Endianness>>(bytes),
        Some([0xfe, 0xed, 0xfa, 0xcf] | [0xcf, 0xfa, 0xed, 0xfe]) => read::<macho::MachHeader64<Endianness>>(bytes),
        _ => malformed(FORMAT, "no Mach-O header"),
    }
}

fn read<Mach: MachHeader<Endian = Endianness>>(bytes: &[u8]) -> Result<ObjectInfo, IdentityError> {
    let header = Mach::parse(bytes, 0).map_err(damaged(FORMAT, "header"))?;
    let endian = header.endian().map_err(damaged(FORMAT, "header"))?;
    let kind = kind(header.filetype(endian))?;
    let mut found = Found { bytes, endian, kind, uuid: None, text: None, has_debug_info: false };
    let mut reason = "a core dump has no identity of its own";
    if kind != ObjectKind::Core {
        // Truncated cores are common, and their commands speak of a process, not of the file.
        found.commands(header)?;
        reason = "no LC_UUID";
    }
    let zero = found.uuid == Some([0; 16]);
    let uuid = found.uuid.filter(|_| !zero).map(hex::encode);
    if zero {
        reason = "its LC_UUID is zero";
    }
    Ok(ObjectInfo {
        os: Os::Macos,
        arch: arch(header.cputype(endian)),
        kind,
        unidentified_reason: uuid.is_none().then(|| reason.to_owned()),
        ids: ObjectIds { macho_uuid: uuid, ..ObjectIds::default() },
        image_base: found.text.unwrap_or(0),
        debug_link: None,
        has_debug_info: found.has_debug_info,
        no_debug_id_reason: None,
        pdb_info_age: None,
    })
}

/// What the load commands say.
struct Found<'data> {
    bytes: &'data [u8],
    endian: Endianness,
    kind: ObjectKind,
    uuid: Option<[u8; 16]>,
    /// `vmaddr` of `__TEXT`.
    text: Option<u64>,
    has_debug_info: bool,
}

impl<'data> Found<'data> {
    fn commands<Mach: MachHeader<Endian = Endianness>>(&mut self, header: &'data Mach) -> Result<(), IdentityError> {
        let count = header.ncmds(self.endian);
        if count > MAX_COMMANDS {
            return malformed(FORMAT, format!("{count} load commands, more than {MAX_COMMANDS}"));
        }
        let mut commands = header.load_commands(self.endian, self.bytes, 0).map_err(damaged(FORMAT, "load commands"))?;
        while let Some(command) = commands.next().map_err(damaged(FORMAT, "load commands"))? {
            if command.cmd() == macho::LC_UUID {
                self.add_uuid(command)?;
            } else if let Some((segment, sections)) = Mach::Segment::from_command(command).map_err(damaged(FORMAT, "segment"))? {
                self.add_segment(segment, sections)?;
            }
        }
        Ok(())
    }

    /// A file has one UUID; two would be two identities.
    fn add_uuid(&mut self, command: LoadCommandData<'data, Endianness>) -> Result<(), IdentityError> {
        let uuid = command.uuid().map_err(damaged(FORMAT, "LC_UUID"))?.filter(|_| command.cmdsize() == UUID_COMMAND);
        let Some(uuid) = uuid else {
            return malformed(FORMAT, format!("LC_UUID of {} bytes, not {UUID_COMMAND}", command.cmdsize()));
        };
        if self.uuid.is_some_and(|first| first != uuid.uuid) {
            return malformed(FORMAT, "two LC_UUID that disagree");
        }
        self.uuid = Some(uuid.uuid);
        Ok(())
    }

    fn add_segment<Seg: Segment<Endian = Endianness>>(&mut self, segment: &Seg, sections: &[u8]) -> Result<(), IdentityError> {
        let name = String::from_utf8_lossy(segment.name()).escape_debug().to_string();
        let file = segment.file_range(self.endian);
        // dsymutil keeps the address ranges of the binary and gives segments without bytes a size of 0.
        inside(FORMAT, &format!("segment {name}"), self.bytes, file)?;
        let base: u64 = segment.vmaddr(self.endian).into();
        if segment.name() == b"__TEXT" && self.text.replace(base).is_some_and(|first| first != base) {
            return malformed(FORMAT, "two __TEXT segments");
        }
        for section in segment.sections(self.endian, sections).map_err(damaged(FORMAT, "sections"))? {
            let offset = section.offset(self.endian);
            let size: u64 = section.size(self.endian).into();
            let has_bytes = holds_bytes(section.flags(self.endian).typ()) && size > 0;
            // A dSYM lists the binary's sections with offset 0: their bytes are elsewhere.
            if !has_bytes || (offset == 0 && self.kind == ObjectKind::DebugOnly) {
                continue;
            }
            let at = section_offset(offset, (base, file.0), section.addr(self.endian).into());
            inside(FORMAT, &format!("section of {name}"), self.bytes, (at, size))?;
            self.has_debug_info |=
                section.segment_name() == b"__DWARF" && [&b"__debug_info"[..], b"__zdebug_info"].contains(&section.name());
        }
        Ok(())
    }
}

fn holds_bytes(section: macho::SectionType) -> bool {
    ![macho::S_ZEROFILL, macho::S_GB_ZEROFILL, macho::S_THREAD_LOCAL_ZEROFILL].contains(&section)
}

/// Where a section's bytes are. The field has 32 bits and wraps in files beyond 4 GiB; the segment tells the rest.
fn section_offset(offset: u32, (segment_address, segment_offset): (u64, u64), address: u64) -> u64 {
    let whole = address.checked_sub(segment_address).and_then(|within| segment_offset.checked_add(within));
    whole.filter(|whole| whole & 0xffff_ffff == u64::from(offset)).unwrap_or_else(|| offset.into())
}

fn kind(filetype: macho::FileType) -> Result<ObjectKind, IdentityError> {
    Ok(match filetype {
        macho::MH_OBJECT => ObjectKind::Relocatable,
        macho::MH_EXECUTE | macho::MH_PRELOAD | macho::MH_FILESET => ObjectKind::Executable,
        macho::MH_DYLIB | macho::MH_BUNDLE | macho::MH_FVMLIB | macho::MH_DYLINKER | macho::MH_KEXT_BUNDLE | macho::MH_DYLIB_STUB => {
            ObjectKind::Library
        }
        macho::MH_CORE => ObjectKind::Core,
        macho::MH_DSYM => ObjectKind::DebugOnly,
        other => return malformed(FORMAT, format!("file type {} is unknown", other.0)),
    })
}

/// The architecture by `cputype`. Subtypes are not told apart: arm64e is `aarch64`, `x86_64h` is `x86_64`.
pub(crate) fn arch(cputype: macho::CpuType) -> Arch {
    let name = match cputype {
        macho::CPU_TYPE_X86 => "x86",
        macho::CPU_TYPE_X86_64 => "x86_64",
        macho::CPU_TYPE_ARM => "arm",
        macho::CPU_TYPE_ARM64 => "aarch64",
        macho::CPU_TYPE_ARM64_32 => "arm64_32",
        macho::CPU_TYPE_POWERPC => "ppc",
        macho::CPU_TYPE_POWERPC64 => "ppc64",
        _ => return Arch(format!("unknown:{}", cputype.0)),
    };
    Arch(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::section_offset;

    #[test]
    fn a_section_offset_beyond_four_gib_does_not_wrap_and_one_that_fits_no_segment_is_taken_as_it_stands() {
        let dwarf = (0x1_0000_0000, 0xffff_f000);
        assert_eq!(section_offset(0xffff_f010, dwarf, 0x1_0000_0010), 0xffff_f010);
        assert_eq!(section_offset(0x10, dwarf, 0x1_0000_1010), 0x1_0000_0010, "the segment crosses 4 GiB");
        assert_eq!(section_offset(0x10, (0, 0x2_0000_0000), 0x10), 0x2_0000_0010, "the segment starts beyond it");
        assert_eq!(section_offset(0x40, (0, 0x100), 0x10), 0x40, "an object file may pack its sections");
        assert_eq!(section_offset(7, (8, 0), 0), 7, "an address below its segment");
        assert_eq!(section_offset(7, (0, u64::MAX), 8), 7, "a sum that would overflow");
    }
}
