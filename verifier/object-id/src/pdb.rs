//! PDB 7.0: the key that its module carries, the architecture.
//!
//! A PDB has two ages. The key is the GUID of the info stream and the age of the **DBI stream**, which the linker also writes into the
//! module; the age of the info stream grows with every tool that touches the file. Not here: symbols, portable PDBs (no MSF).

use crate::codeview::GuidAge;
use crate::extent::{malformed, u16_le, u32_le};
use crate::ids::{Arch, ObjectIds, Os};
use crate::info::{IdentityError, ObjectInfo, ObjectKind};
use crate::msf::{Msf, Stream};
use crate::pe;

const FORMAT: &str = "PDB";
/// The stream with version, signature, age and GUID.
const INFO_STREAM: u32 = 1;
/// The stream with the debug information of the link: age, machine.
const DBI_STREAM: u32 = 3;
/// The first version of the info stream with a GUID (VC++ 7.0 before its release).
const FIRST_WITH_GUID: u32 = 19_990_604;
/// Size of the DBI stream's header.
const DBI_HEADER: usize = 64;

/// The header of the DBI stream.
#[derive(Debug, Clone, Copy)]
struct Dbi {
    age: u32,
    machine: u16,
}

impl Dbi {
    fn parse(stream: Stream<'_>) -> Result<Self, IdentityError> {
        let header = stream.start.get(..DBI_HEADER);
        let fields = header.and_then(|header| Some((u32_le(header, 0)?, u32_le(header, 8)?, u16_le(header, 58)?)));
        match fields {
            Some((u32::MAX, age, machine)) => Ok(Self { age, machine }),
            Some((signature, ..)) => malformed(FORMAT, format!("DBI stream starts with {signature:#x}, not with -1")),
            None => malformed(FORMAT, format!("DBI stream of {} bytes is shorter than its header", stream.size)),
        }
    }
}

/// Identifies bytes that start with the magic of MSF 7.00.
pub(crate) fn identify(bytes: &[u8]) -> Result<ObjectInfo, IdentityError> {
    let msf = Msf::open(bytes)?;
    let Some(info) = msf.stream(INFO_STREAM)? else { return malformed(FORMAT, "no info stream") };
    let dbi = msf.stream(DBI_STREAM)?.map(Dbi::parse).transpose()?;
    let fields = || Some((u32_le(info.start, 0)?, u32_le(info.start, 8)?, *info.start.get(12..28)?.first_chunk::<16>()?));
    let Some((version, info_age, guid)) = fields() else {
        return malformed(FORMAT, format!("info stream of {} bytes is shorter than its header", info.size));
    };
    let age = dbi.map(|dbi| dbi.age).filter(|&age| age != 0).unwrap_or(info_age);
    let key = GuidAge { guid, age };
    let unidentified_reason = if version < FIRST_WITH_GUID {
        Some(format!("its info stream of version {version} has no GUID"))
    } else {
        key.is_zero().then(|| "its GUID is zero".to_owned())
    };
    Ok(ObjectInfo {
        os: Os::Windows,
        arch: dbi.map_or_else(|| Arch("unknown:0".to_owned()), |dbi| pe::arch(dbi.machine)),
        kind: ObjectKind::DebugOnly,
        ids: ObjectIds { pdb_guid_age: unidentified_reason.is_none().then(|| key.text()), ..ObjectIds::default() },
        image_base: 0,
        debug_link: None,
        has_debug_info: dbi.is_some(),
        unidentified_reason,
        no_debug_id_reason: None,
        pdb_info_age: Some(info_age),
    })
}
