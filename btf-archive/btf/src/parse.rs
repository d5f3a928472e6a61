//! Bytes → types. Every number that leads somewhere is checked here, so that nothing later has to.

use crate::header::{ByteOrder, HEADER_BYTES, Header, MAGIC};
use crate::reader::Reader;
use crate::types::{Btf, EnumValue, Kind, Member, Modifier, NameOffset, Param, SectionVariable, Type, TypeId};

/// The largest blob that is parsed: 256 MiB (ours; a distribution kernel's has 4 to 12 MiB).
pub const MAX_BTF_BYTES: usize = 256 << 20;
/// Most types (Linux `include/uapi/linux/btf.h`, `BTF_MAX_TYPE`).
const MAX_TYPES: usize = 0x000f_ffff;
/// Most bytes of strings (Linux `include/uapi/linux/btf.h`, `BTF_MAX_NAME_OFFSET`).
const MAX_STRINGS: usize = 0x00ff_ffff;

/// Why bytes are no BTF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseError {
    /// Shorter than a header.
    #[error("{found} bytes are shorter than a BTF header of {HEADER_BYTES}")]
    Short {
        /// Length found.
        found: usize,
    },
    /// Another magic number.
    #[error("not BTF: expected magic {MAGIC:#06x}, found {found:#06x}")]
    Magic {
        /// The first two bytes as a little-endian number.
        found: u16,
    },
    /// A version this release does not know.
    #[error("BTF version {found}; this release knows 1")]
    Version {
        /// Version found.
        found: u8,
    },
    /// Types or strings outside the blob: cut off, or damaged.
    #[error("{what} end at byte {end}, the blob at {len}")]
    Extent {
        /// `header`, `types` or `strings`.
        what: &'static str,
        /// Where they should end.
        end: u64,
        /// Length of the blob.
        len: u64,
    },
    /// Larger or more than a limit.
    #[error("more than {limit} {what}")]
    Limit {
        /// What is counted.
        what: &'static str,
        /// The limit.
        limit: usize,
    },
    /// Strings that do not begin and end with a zero byte.
    #[error("the strings do not begin and end with a zero byte")]
    Strings,
    /// The bytes of a type end early.
    #[error("type {id} is cut off")]
    Cut {
        /// Its number.
        id: u32,
    },
    /// A kind this release does not know.
    #[error("type {id} is of kind {kind}; this release knows 1 to 19")]
    Kind {
        /// Its number.
        id: u32,
        /// Its kind.
        kind: u32,
    },
    /// A name outside the strings.
    #[error("type {id} names byte {offset} of {len} bytes of strings")]
    Name {
        /// Its number.
        id: u32,
        /// Where the name should begin.
        offset: u32,
        /// Length of the strings.
        len: usize,
    },
    /// A type that is not there; where the blob is split BTF, its base is missing or another.
    #[error("type {id} refers to type {to} of {types}")]
    Reference {
        /// Its number.
        id: u32,
        /// What it refers to.
        to: u32,
        /// Number of types.
        types: usize,
    },
    /// Split BTF in another byte order than its base.
    #[error("split BTF and its base differ in byte order")]
    ByteOrder,
}

impl Btf {
    /// Parses a blob that stands alone.
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, ParseError> {
        let header = checked_header(bytes)?;
        if header.strings(bytes).first() != Some(&0) {
            return Err(ParseError::Strings);
        }
        Self { order: header.order, types: vec![Type::VOID], strings: Vec::new() }.extended(header, bytes)
    }

    /// Parses split BTF (of a module): its types and strings continue those of `base`.
    ///
    /// # Errors
    /// [`ParseError`]
    pub fn parse_split(base: &Self, bytes: &[u8]) -> Result<Self, ParseError> {
        let header = checked_header(bytes)?;
        if header.order != base.order {
            return Err(ParseError::ByteOrder);
        }
        base.clone().extended(header, bytes)
    }

    fn extended(mut self, header: Header, bytes: &[u8]) -> Result<Self, ParseError> {
        let strings = header.strings(bytes);
        if strings.last().is_some_and(|&last| last != 0) {
            return Err(ParseError::Strings);
        }
        self.strings.extend(strings);
        if self.strings.len() > MAX_STRINGS {
            return Err(ParseError::Limit { what: "bytes of strings", limit: MAX_STRINGS });
        }
        let known = self.types.len();
        let mut reader = Reader::new(header.types(bytes), header.order);
        while !reader.is_empty() {
            if self.types.len() > MAX_TYPES {
                return Err(ParseError::Limit { what: "types", limit: MAX_TYPES });
            }
            let id = u32::try_from(self.types.len()).unwrap_or(u32::MAX);
            self.types.push(read_type(&mut reader, id)?);
        }
        self.check_references(known)?;
        Ok(self)
    }

    fn check_references(&self, from: usize) -> Result<(), ParseError> {
        let (types, len) = (self.types.len(), self.strings.len());
        for (id, ty) in (0..).zip(&self.types).skip(from) {
            let mut wrong = None;
            ty.visit(&mut |to, name| {
                if let Some(TypeId(to)) = to.filter(|&to| self.get(to).is_none()) {
                    wrong = Some(ParseError::Reference { id, to, types });
                }
                let inside = usize::try_from(name.0).is_ok_and(|at| at < len);
                if !inside && name.0 != 0 {
                    wrong = Some(ParseError::Name { id, offset: name.0, len });
                }
            });
            wrong.map_or(Ok(()), Err)?;
        }
        Ok(())
    }
}

/// One blob from split BTF and its base: what standard loaders that know no split BTF can read. Type numbers stay as they are.
///
/// # Errors
/// [`ParseError`], for either.
pub fn flatten(base: &[u8], split: &[u8]) -> Result<Vec<u8>, ParseError> {
    let whole = Btf::parse_split(&Btf::parse(base)?, split)?;
    let (first, second) = (Header::parse(base)?, Header::parse(split)?);
    let types = [first.types(base), second.types(split)].concat();
    Ok(crate::encode::blob(whole.order, &types, &whole.strings))
}

fn checked_header(bytes: &[u8]) -> Result<Header, ParseError> {
    if bytes.len() > MAX_BTF_BYTES {
        return Err(ParseError::Limit { what: "bytes", limit: MAX_BTF_BYTES });
    }
    Header::parse(bytes)
}

fn read_type(reader: &mut Reader<'_>, id: u32) -> Result<Type, ParseError> {
    let cut = || ParseError::Cut { id };
    let (name, info, word) = (reader.u32().ok_or_else(cut)?, reader.u32().ok_or_else(cut)?, reader.u32().ok_or_else(cut)?);
    let kind = info >> 24 & 0x1f;
    if !(1..=19).contains(&kind) {
        return Err(ParseError::Kind { id, kind });
    }
    let kind = read_kind(reader, kind, Words { count: info & 0xffff, word }).ok_or_else(cut)?;
    Ok(Type { name: NameOffset(name), flag: info >> 31 == 1, kind })
}

/// The number of parts that follow a type, and its size or the type that it is of.
#[derive(Debug, Clone, Copy)]
struct Words {
    count: u32,
    word: u32,
}

fn read_kind(reader: &mut Reader<'_>, kind: u32, Words { count, word }: Words) -> Option<Kind> {
    let (size, of) = (word, TypeId(word));
    Some(match kind {
        1 => Kind::Int { size, layout: reader.u32()? },
        2 => Kind::Pointer(of),
        3 => Kind::Array { element: TypeId(reader.u32()?), index: TypeId(reader.u32()?), len: reader.u32()? },
        4 => Kind::Struct { size, members: members(reader, count)? },
        5 => Kind::Union { size, members: members(reader, count)? },
        6 => Kind::Enum { size, values: (0..count).map(|_| narrow_value(reader)).collect::<Option<_>>()? },
        7 => Kind::Forward,
        8 => Kind::Modified(Modifier::Typedef, of),
        9 => Kind::Modified(Modifier::Volatile, of),
        10 => Kind::Modified(Modifier::Const, of),
        11 => Kind::Modified(Modifier::Restrict, of),
        12 => Kind::Function { prototype: of, linkage: u16::try_from(count).ok()? },
        13 => {
            let params = (0..count).map(|_| Some(Param { name: NameOffset(reader.u32()?), of: TypeId(reader.u32()?) }));
            Kind::Prototype { returns: of, params: params.collect::<Option<_>>()? }
        }
        14 => Kind::Variable { of, linkage: reader.u32()? },
        15 => {
            let mut variable = || Some(SectionVariable { of: TypeId(reader.u32()?), offset: reader.u32()?, size: reader.u32()? });
            Kind::DataSection { size, variables: (0..count).map(|_| variable()).collect::<Option<_>>()? }
        }
        16 => Kind::Float { size },
        17 => Kind::DeclTag { of, component: reader.u32()? },
        18 => Kind::Modified(Modifier::TypeTag, of),
        19 => Kind::Enum64 { size, values: (0..count).map(|_| wide_value(reader)).collect::<Option<_>>()? },
        _ => return None,
    })
}

fn members(reader: &mut Reader<'_>, count: u32) -> Option<Vec<Member>> {
    let mut member = || Some(Member { name: NameOffset(reader.u32()?), of: TypeId(reader.u32()?), offset: reader.u32()? });
    (0..count).map(|_| member()).collect()
}

fn narrow_value(reader: &mut Reader<'_>) -> Option<EnumValue> {
    let (name, value) = (NameOffset(reader.u32()?), reader.u32()?);
    Some(EnumValue { name, value: i64::from(value.cast_signed()).cast_unsigned() })
}

fn wide_value(reader: &mut Reader<'_>) -> Option<EnumValue> {
    let (name, low, high) = (NameOffset(reader.u32()?), reader.u32()?, reader.u32()?);
    Some(EnumValue { name, value: u64::from(high) << 32 | u64::from(low) })
}

impl ByteOrder {
    /// The bytes of a number in this order.
    pub(crate) fn bytes(self, number: u32) -> [u8; 4] {
        match self {
            Self::Little => number.to_le_bytes(),
            Self::Big => number.to_be_bytes(),
        }
    }
}
