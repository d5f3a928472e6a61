//! Which object format bytes claim to be, by magic alone.

use crate::extent::u32_le;
use crate::info::{IdentityError, ObjectInfo, Slice};
use crate::{elf, fat, macho, msf, pdb, pe};

/// The bytes that [`has_object_magic`] wants to see.
pub const MAGIC_BYTES: usize = 8;

/// What a program database of before MSF 7.00 starts with.
const PDB_2: &[u8] = b"Microsoft C/C++ program database 2.00\r\n\x1aJG\0\0";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Magic {
    Elf,
    /// Starts with `MZ`; whether it is a PE file stands further on.
    Dos,
    Pdb,
    MachO,
    FatMachO,
}

fn magic(first: &[u8]) -> Option<Magic> {
    let word = first.first_chunk::<4>()?;
    match word {
        b"\x7fELF" => Some(Magic::Elf),
        b"Micr" if first.starts_with(b"Microsof") => Some(Magic::Pdb),
        [b'M', b'Z', ..] => Some(Magic::Dos),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf] | [0xce | 0xcf, 0xfa, 0xed, 0xfe] => Some(Magic::MachO),
        [0xca, 0xfe, 0xba, 0xbe | 0xbf] => {
            // Java class files share the magic; their next word is a version of at least 43, a fat file's a slice count.
            let slices = u32::from_be_bytes(*first.get(4..)?.first_chunk::<4>()?);
            (1..=fat::MAX_SLICES).contains(&slices).then_some(Magic::FatMachO)
        }
        _ => None,
    }
}

/// Whether the first [`MAGIC_BYTES`] of a file make it worth reading: the magic of ELF, PE, PDB or Mach-O.
pub fn has_object_magic(first: &[u8]) -> bool {
    magic(first).is_some()
}

/// Whether a DOS header leads to `PE\0\0`.
fn is_pe(bytes: &[u8]) -> bool {
    let at = u32_le(bytes, 0x3c).and_then(|at| usize::try_from(at).ok());
    at.and_then(|at| bytes.get(at..)).is_some_and(|rest| rest.starts_with(b"PE\0\0"))
}

/// Identifies every object in a file: one, or one per slice of a fat Mach-O file, in the file's order.
///
/// # Errors
/// [`IdentityError`], never [`IdentityError::Fat`]
pub fn identify_slices(bytes: &[u8]) -> Result<Vec<Slice>, IdentityError> {
    match magic(bytes) {
        Some(Magic::FatMachO) => fat::identify(bytes),
        _ => Ok(vec![Slice { range: 0..bytes.len(), info: identify(bytes)? }]),
    }
}

/// Identifies an object file that holds one object.
///
/// # Errors
/// [`IdentityError`]; [`IdentityError::Fat`] for every well-formed fat file, also one of a single slice
pub fn identify(bytes: &[u8]) -> Result<ObjectInfo, IdentityError> {
    match magic(bytes) {
        Some(Magic::Elf) => elf::identify(bytes),
        Some(Magic::Dos) if is_pe(bytes) => pe::identify(bytes),
        Some(Magic::Pdb) if bytes.starts_with(msf::MAGIC) => pdb::identify(bytes),
        Some(Magic::Pdb) if bytes.starts_with(PDB_2) => Err(IdentityError::Unsupported { format: "PDB 2.0" }),
        Some(Magic::MachO) => macho::identify(bytes),
        Some(Magic::FatMachO) => Err(IdentityError::Fat { slices: fat::identify(bytes)?.len() }),
        _ => Err(IdentityError::NotAnObject),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_is_known_by_its_magic_and_never_by_less() {
        let mut pe = vec![0; 0x80];
        pe[..2].copy_from_slice(b"MZ");
        assert_eq!(identify(&pe), Err(IdentityError::NotAnObject), "a DOS program");
        pe[0x3c] = 0x40;
        pe[0x40..0x44].copy_from_slice(b"PE\0\0");
        let cases: [(&[u8], Option<&'static str>); 10] = [
            (&pe, Some("PE")),
            (b"Microsoft C/C++ MSF 7.00\r\n\x1aDS\0\0\0", Some("PDB")),
            (b"Microsoft C/C++ program database 2.00\r\n\x1aJG\0\0", Some("PDB 2.0")),
            (b"Microsoft Word", None),
            (&[0xcf, 0xfa, 0xed, 0xfe, 7, 0, 0, 1], Some("Mach-O")),
            (&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 2], Some("Mach-O")),
            (&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 61], None),
            (b"#!/bin/sh", None),
            (b"\x7fEL", None),
            (b"", None),
        ];
        for (bytes, expected) in cases {
            for error in [identify(bytes).unwrap_err(), identify_slices(bytes).unwrap_err()] {
                let found = match error {
                    IdentityError::Malformed { format, .. } | IdentityError::Unsupported { format } => Some(format),
                    _ => None,
                };
                assert_eq!(found, expected, "{bytes:?}: {error}");
            }
        }
    }
}
