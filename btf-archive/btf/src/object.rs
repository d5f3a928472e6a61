//! A BPF object: its own BTF and its CO-RE relocations, from the bytes of the ELF file. Programs and maps are not read.

use object::{Object as _, ObjectSection as _};

use crate::header::{ByteOrder, MAGIC};
use crate::parse::ParseError;
use crate::reader::{Reader, part};
use crate::types::{Btf, NameOffset, TypeId};

/// The largest object accepted (ours; the probe object has 17 KB).
const MAX_OBJECT_BYTES: usize = 16 << 20;
/// Most relocations of one object (ours).
const MAX_RELOCATIONS: usize = 1 << 16;
/// Most steps of one access (libbpf, `BPF_CORE_SPEC_MAX_LEN`).
pub(crate) const MAX_ACCESS: usize = 64;
/// The shortest record of a relocation: instruction, type, access, kind.
const RECORD_BYTES: u32 = 16;

/// What a relocation asks for (Linux `include/uapi/linux/bpf.h`, `enum bpf_core_relo_kind`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelocationKind {
    /// Offset of a field in bytes.
    FieldByteOffset,
    /// Size of a field in bytes.
    FieldByteSize,
    /// Whether a field is there.
    FieldExists,
    /// Whether a field is signed.
    FieldSigned,
    /// By how much a bit-field is shifted left in 64 bits, first.
    FieldLeftShift,
    /// By how much it is shifted right, then.
    FieldRightShift,
    /// Number of a type in the object's own BTF.
    TypeIdLocal,
    /// Number of a type in the kernel's BTF.
    TypeIdTarget,
    /// Whether a type is there.
    TypeExists,
    /// Size of a type in bytes.
    TypeSize,
    /// Whether an enum has a value.
    EnumValueExists,
    /// The value.
    EnumValue,
    /// Whether a type is there with all members.
    TypeMatches,
}

impl RelocationKind {
    /// By number in the format.
    const ALL: [Self; 13] = [
        Self::FieldByteOffset,
        Self::FieldByteSize,
        Self::FieldExists,
        Self::FieldSigned,
        Self::FieldLeftShift,
        Self::FieldRightShift,
        Self::TypeIdLocal,
        Self::TypeIdTarget,
        Self::TypeExists,
        Self::TypeSize,
        Self::EnumValueExists,
        Self::EnumValue,
        Self::TypeMatches,
    ];

    fn of_number(number: u32) -> Option<Self> {
        Self::ALL.get(usize::try_from(number).ok()?).copied()
    }

    /// The name as people write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FieldByteOffset => "field_byte_off",
            Self::FieldByteSize => "field_byte_size",
            Self::FieldExists => "field_exists",
            Self::FieldSigned => "field_signed",
            Self::FieldLeftShift => "field_lshift",
            Self::FieldRightShift => "field_rshift",
            Self::TypeIdLocal => "type_id_local",
            Self::TypeIdTarget => "type_id_target",
            Self::TypeExists => "type_exists",
            Self::TypeSize => "type_size",
            Self::EnumValueExists => "enum_value_exists",
            Self::EnumValue => "enum_value",
            Self::TypeMatches => "type_matches",
        }
    }

    /// Whether it asks only if something is there.
    pub fn is_existence(self) -> bool {
        matches!(self, Self::FieldExists | Self::TypeExists | Self::EnumValueExists | Self::TypeMatches)
    }

    pub(crate) fn is_of_type(self) -> bool {
        matches!(self, Self::TypeIdLocal | Self::TypeIdTarget | Self::TypeExists | Self::TypeSize | Self::TypeMatches)
    }

    pub(crate) fn is_of_enum(self) -> bool {
        matches!(self, Self::EnumValueExists | Self::EnumValue)
    }
}

/// A CO-RE relocation as the object states it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relocation {
    /// Section of the program.
    pub section: String,
    /// Offset of the instruction in the section in bytes.
    pub instruction: u32,
    /// The type in the object's own BTF that the access begins at.
    pub root: TypeId,
    /// Numbers of members and elements from there; the first is an index as if the type were an array.
    pub access: Vec<u32>,
    /// What is asked for.
    pub kind: RelocationKind,
}

/// A BPF object.
#[derive(Debug, Clone)]
pub struct ProbeObject {
    pub(crate) btf: Btf,
    relocations: Vec<Relocation>,
}

/// Why bytes are no BPF object with BTF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ObjectError {
    /// No ELF file that can be read.
    #[error("not an ELF file: {why}")]
    Elf {
        /// In the parser's words.
        why: String,
    },
    /// A section that is needed.
    #[error("the object has no section {name}")]
    Missing {
        /// Which.
        name: &'static str,
    },
    /// Its BTF is damaged.
    #[error("section .BTF: {0}")]
    Btf(#[from] ParseError),
    /// `.BTF.ext` does not hold together.
    #[error("section .BTF.ext: {what}")]
    Ext {
        /// What is wrong.
        what: &'static str,
    },
    /// A relocation of a kind this release does not know.
    #[error("relocation {position} is of kind {kind}; this release knows 0 to 12")]
    Kind {
        /// Its position in the object.
        position: usize,
        /// The kind.
        kind: u32,
    },
    /// A relocation whose access is no list of numbers.
    #[error("relocation {position} has the access {text:?}: not numbers between colons")]
    Access {
        /// Its position in the object.
        position: usize,
        /// The access.
        text: String,
    },
    /// Larger or more than a limit.
    #[error("more than {limit} {what}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
}

impl ProbeObject {
    /// Reads the BTF and the relocations of an object. Without `.BTF.ext`, or without relocations in it, there are none.
    ///
    /// # Errors
    /// [`ObjectError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, ObjectError> {
        if bytes.len() > MAX_OBJECT_BYTES {
            return Err(ObjectError::Limit { what: "bytes", limit: MAX_OBJECT_BYTES });
        }
        let elf = object::File::parse(bytes).map_err(|error| ObjectError::Elf { why: error.to_string() })?;
        let section = |name: &'static str| {
            let section = elf.section_by_name(name)?;
            Some(section.data().map_err(|error| ObjectError::Elf { why: error.to_string() }))
        };
        let btf = Btf::parse(section(".BTF").ok_or(ObjectError::Missing { name: ".BTF" })??)?;
        let relocations = section(".BTF.ext").transpose()?.map_or_else(|| Ok(Vec::new()), |ext| relocations(&btf, ext))?;
        Ok(Self { btf, relocations })
    }

    /// Its own types.
    pub fn btf(&self) -> &Btf {
        &self.btf
    }

    /// Its relocations, in the order of the object.
    pub fn relocations(&self) -> &[Relocation] {
        &self.relocations
    }
}

/// The relocations of `.BTF.ext` (Linux `Documentation/bpf/btf.rst`, *.BTF.ext section*).
fn relocations(btf: &Btf, ext: &[u8]) -> Result<Vec<Relocation>, ObjectError> {
    let cut = || ObjectError::Ext { what: "cut off" };
    let records = core_part(btf.order, ext)?;
    if records.is_empty() {
        return Ok(Vec::new());
    }
    let mut reader = Reader::new(records, btf.order);
    let record_bytes = reader.u32().filter(|&bytes| bytes >= RECORD_BYTES).ok_or(ObjectError::Ext { what: "records are too short" })?;
    let mut relocations = Vec::new();
    while !reader.is_empty() {
        let (section, count) = (reader.u32().ok_or_else(cut)?, reader.u32().ok_or_else(cut)?);
        let section = btf.text(NameOffset(section));
        for _ in 0..count {
            let position = relocations.len();
            if position == MAX_RELOCATIONS {
                return Err(ObjectError::Limit { what: "relocations", limit: MAX_RELOCATIONS });
            }
            let mut record = Reader::new(reader.take(record_bytes).ok_or_else(cut)?, btf.order);
            let mut word = || record.u32().ok_or_else(cut);
            let (instruction, root, access, kind) = (word()?, TypeId(word()?), NameOffset(word()?), word()?);
            let kind = RelocationKind::of_number(kind).ok_or(ObjectError::Kind { position, kind })?;
            let text = btf.text(access);
            let access = parse_access(&text).ok_or(ObjectError::Access { position, text })?;
            relocations.push(Relocation { section: section.clone(), instruction, root, access, kind });
        }
    }
    Ok(relocations)
}

/// The bytes of the relocations; empty when the header knows none.
fn core_part(order: ByteOrder, ext: &[u8]) -> Result<&[u8], ObjectError> {
    let cut = || ObjectError::Ext { what: "cut off" };
    let [m0, m1, version, _flags] = ext.first_chunk::<4>().copied().ok_or_else(cut)?;
    let magic = match order {
        ByteOrder::Little => u16::from_le_bytes([m0, m1]),
        ByteOrder::Big => u16::from_be_bytes([m0, m1]),
    };
    if magic != MAGIC || version != 1 {
        return Err(ObjectError::Ext { what: "another magic number, version or byte order" });
    }
    let mut reader = Reader::new(ext.get(4..).unwrap_or_default(), order);
    let header_bytes = reader.u32().ok_or_else(cut)?;
    if header_bytes < 32 {
        return Ok(&[]);
    }
    reader.take(16).ok_or_else(cut)?;
    let (offset, length) = (reader.u32().ok_or_else(cut)?, reader.u32().ok_or_else(cut)?);
    part(ext, u64::from(header_bytes) + u64::from(offset), length.into()).ok_or_else(cut)
}

fn parse_access(text: &str) -> Option<Vec<u32>> {
    let digits = |step: &str| step.bytes().all(|byte| byte.is_ascii_digit());
    let access: Vec<u32> =
        text.split(':').take(MAX_ACCESS + 1).map(|step| step.parse().ok().filter(|_| digits(step))).collect::<Option<_>>()?;
    Some(access).filter(|access| access.len() <= MAX_ACCESS)
}
