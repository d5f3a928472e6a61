//! Types → bytes.

use crate::header::{ByteOrder, HEADER_BYTES, MAGIC};
use crate::types::{Btf, EnumValue, Kind, Member, Type};

/// A blob of encoded types and of strings.
pub(crate) fn blob(order: ByteOrder, types: &[u8], strings: &[u8]) -> Vec<u8> {
    let length = |part: &[u8]| u32::try_from(part.len()).unwrap_or(u32::MAX);
    let magic = match order {
        ByteOrder::Little => MAGIC.to_le_bytes(),
        ByteOrder::Big => MAGIC.to_be_bytes(),
    };
    let words = [HEADER_BYTES, 0, length(types), length(types), length(strings)].map(|word| order.bytes(word));
    [magic.as_slice(), &[1, 0], words.as_flattened(), types, strings].concat()
}

impl Btf {
    /// The bytes of a blob that stands alone with these types.
    pub fn encode(&self) -> Vec<u8> {
        let mut words = Vec::new();
        self.types.iter().skip(1).for_each(|ty| put_type(&mut words, ty));
        let types: Vec<u8> = words.into_iter().flat_map(|word| self.order.bytes(word)).collect();
        blob(self.order, &types, &self.strings)
    }
}

fn put_type(words: &mut Vec<u32>, ty: &Type) {
    let mut tail = Vec::new();
    let (count, word) = parts(&ty.kind, &mut tail);
    let info = u32::from(ty.flag) << 31 | u32::from(ty.kind.number()) << 24 | u32::from(count);
    words.extend([ty.name.0, info, word]);
    words.extend(tail);
}

/// Number of parts, size or type, and the words that follow.
fn parts(kind: &Kind, tail: &mut Vec<u32>) -> (u16, u32) {
    match kind {
        Kind::Void | Kind::Forward => (0, 0),
        Kind::Int { size, layout } => {
            tail.push(*layout);
            (0, *size)
        }
        Kind::Pointer(of) | Kind::Modified(_, of) => (0, of.0),
        Kind::Array { element, index, len } => {
            tail.extend([element.0, index.0, *len]);
            (0, 0)
        }
        Kind::Struct { size, members } | Kind::Union { size, members } => {
            tail.extend(members.iter().flat_map(|Member { name, of, offset }| [name.0, of.0, *offset]));
            (count(members), *size)
        }
        Kind::Enum { size, values } => {
            tail.extend(values.iter().flat_map(|EnumValue { name, value }| [name.0, low(*value)]));
            (count(values), *size)
        }
        Kind::Enum64 { size, values } => {
            tail.extend(values.iter().flat_map(|EnumValue { name, value }| [name.0, low(*value), low(value >> 32)]));
            (count(values), *size)
        }
        Kind::Function { prototype, linkage } => (*linkage, prototype.0),
        Kind::Prototype { returns, params } => {
            tail.extend(params.iter().flat_map(|param| [param.name.0, param.of.0]));
            (count(params), returns.0)
        }
        Kind::Variable { of, linkage: extra } | Kind::DeclTag { of, component: extra } => {
            tail.push(*extra);
            (0, of.0)
        }
        Kind::DataSection { size, variables } => {
            tail.extend(variables.iter().flat_map(|variable| [variable.of.0, variable.offset, variable.size]));
            (count(variables), *size)
        }
        Kind::Float { size } => (0, *size),
    }
}

/// A number of parts: parsed from 16 bits, or fewer than were parsed.
fn count<T>(parts: &[T]) -> u16 {
    u16::try_from(parts.len()).unwrap_or(u16::MAX)
}

fn low(value: u64) -> u32 {
    u32::try_from(value & 0xffff_ffff).unwrap_or(u32::MAX)
}
