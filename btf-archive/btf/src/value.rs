//! The number that a relocation puts into its instruction, from the way that was found.

use crate::fault::RelocateFault;
use crate::header::ByteOrder;
use crate::matching::Found;
use crate::object::RelocationKind;
use crate::spec::{Hop, Way};
use crate::types::{Btf, TypeId};

/// The result for something that was found in the types of a kernel.
pub(crate) fn value_of(btf: &Btf, kind: RelocationKind, found: &Found) -> Result<u64, RelocateFault> {
    match found {
        _ if kind.is_existence() => Ok(1),
        Found::Type(id) if kind == RelocationKind::TypeIdTarget => Ok(id.0.into()),
        Found::Type(id) => Ok(btf.size(*id)?.into()),
        Found::Value { of, index } => {
            let value = btf.ty(*of)?.kind.values().and_then(|values| values.get(*index));
            value.map(|value| value.value).ok_or(RelocateFault::Local)
        }
        Found::Field(way) => of_field(btf, kind, way),
    }
}

fn of_field(btf: &Btf, kind: RelocationKind, way: &Way) -> Result<u64, RelocateFault> {
    match way.last() {
        Some(Hop::Member { of, index, .. }) => {
            let field = Field::of_member(btf, way, (of, index))?;
            Ok(field.answer(kind, btf.order()))
        }
        Some(Hop::Root { of, .. } | Hop::Element { element: of, .. }) => match kind {
            RelocationKind::FieldByteOffset => Ok(u64::from(way.bit_offset / 8)),
            RelocationKind::FieldByteSize => Ok(btf.size(of)?.into()),
            _ => Err(RelocateFault::Element),
        },
        None => Err(RelocateFault::Local),
    }
}

/// A member and the load that reads it.
#[derive(Debug, Clone, Copy)]
struct Field {
    bit_offset: u64,
    bits: u64,
    byte_offset: u64,
    bytes: u64,
    signed: bool,
}

impl Field {
    fn of_member(btf: &Btf, way: &Way, (of, index): (TypeId, usize)) -> Result<Self, RelocateFault> {
        let ty = btf.ty(of)?;
        let member = ty.kind.members().and_then(|members| members.get(index)).ok_or(RelocateFault::Local)?;
        let (id, field) = btf.skip(member.of)?;
        let signed = field.kind.is_signed_int() || (field.kind.values().is_some() && field.flag);
        let (bit_offset, width) = (u64::from(way.bit_offset), ty.member_bits(member).1);
        let mut bytes = u64::from(btf.size(id)?);
        if width == 0 {
            let bits = bytes.saturating_mul(8);
            return Ok(Self { bit_offset, bits, byte_offset: bit_offset / 8, bytes, signed });
        }
        let bits = u64::from(width);
        loop {
            let byte_offset = (bit_offset / 8).checked_div(bytes).ok_or(RelocateFault::BitField)?.saturating_mul(bytes);
            if bit_offset + bits <= byte_offset.saturating_add(bytes).saturating_mul(8) {
                return Ok(Self { bit_offset, bits, byte_offset, bytes, signed });
            }
            if bytes >= 8 {
                return Err(RelocateFault::BitField);
            }
            bytes *= 2;
        }
    }

    /// The answer to a question about this field; shifts wrap as in libbpf, for fields of more than 64 bits they mean nothing.
    fn answer(self, kind: RelocationKind, order: ByteOrder) -> u64 {
        let inside = self.bit_offset.wrapping_sub(self.byte_offset.wrapping_mul(8));
        match kind {
            RelocationKind::FieldByteOffset => self.byte_offset,
            RelocationKind::FieldByteSize => self.bytes,
            RelocationKind::FieldSigned => u64::from(self.signed),
            RelocationKind::FieldLeftShift => match order {
                ByteOrder::Little => 64_u64.wrapping_sub(inside.wrapping_add(self.bits)) & 0xffff_ffff,
                ByteOrder::Big => 8_u64.wrapping_sub(self.bytes).wrapping_mul(8).wrapping_add(inside) & 0xffff_ffff,
            },
            RelocationKind::FieldRightShift => 64_u64.wrapping_sub(self.bits) & 0xffff_ffff,
            _ => 1,
        }
    }
}
