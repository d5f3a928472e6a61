//! The same way in a type of the kernel: every named step of the object's way, found by name and looked for in anonymous members.

use crate::compat::{Comparer, Pair};
use crate::fault::RelocateFault;
use crate::object::RelocationKind;
use crate::spec::{Hop, Spec, Way, bits_of, essential, is_flexible, push_element};
use crate::types::{Kind, NameOffset, TypeId};

/// What a relocation means in a type of the kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Found {
    /// A field.
    Field(Way),
    /// A value: the enum, and the position in it.
    Value { of: TypeId, index: usize },
    /// The type.
    Type(TypeId),
}

impl Comparer<'_> {
    /// What `spec` is in the candidate `target`; `None` when it is not there.
    pub(crate) fn find(&mut self, spec: &Spec, kind: RelocationKind, pair: Pair) -> Result<Option<Found>, RelocateFault> {
        match spec {
            Spec::Type => {
                let fits = if kind == RelocationKind::TypeMatches { self.types_match(pair)? } else { self.types_fit(pair)? };
                Ok(fits.then_some(Found::Type(pair.target)))
            }
            Spec::Value(name) => self.find_value(*name, pair.target),
            Spec::Field(way) => Ok(self.find_field(way, pair.target)?.map(Found::Field)),
        }
    }

    fn find_value(&mut self, name: NameOffset, target: TypeId) -> Result<Option<Found>, RelocateFault> {
        let (of, ty) = self.target.skip(target)?;
        let wanted = essential(self.local.name(name));
        for (index, value) in ty.kind.values().unwrap_or_default().iter().enumerate() {
            self.step()?;
            if essential(self.target.name(value.name)) == wanted {
                return Ok(Some(Found::Value { of, index }));
            }
        }
        Ok(None)
    }

    fn find_field(&mut self, local: &Way, target: TypeId) -> Result<Option<Way>, RelocateFault> {
        let mut way = Way::default();
        let mut id = target;
        for hop in local.named() {
            let (of, ty) = self.target.skip(id)?;
            match hop {
                Hop::Root { index, .. } => {
                    way.push(Hop::Root { of, index }, bits_of(index, self.target.size(of)?))?;
                    id = of;
                }
                Hop::Member { of: local_of, index, .. } => match self.find_member((local_of, index), of, &mut way)? {
                    Some(next) => id = next,
                    None => return Ok(None),
                },
                Hop::Element { index, .. } => {
                    let Kind::Array { element, len, .. } = ty.kind else { return Ok(None) };
                    if index >= len && !is_flexible(self.target, &way, len) {
                        return Ok(None);
                    }
                    id = push_element(self.target, &mut way, (of, element), index)?;
                }
            }
        }
        Ok(Some(way))
    }

    /// Looks for a member of the object's type by name; the type of what was found.
    fn find_member(&mut self, local: (TypeId, usize), target: TypeId, way: &mut Way) -> Result<Option<TypeId>, RelocateFault> {
        let (of, ty) = self.target.skip(target)?;
        let Some(wanted) = self.local.ty(local.0)?.kind.members().and_then(|members| members.get(local.1)) else {
            return Err(RelocateFault::Local);
        };
        for (index, member) in ty.kind.members().unwrap_or_default().iter().enumerate() {
            self.step()?;
            let name = self.target.name(member.name);
            let anonymous = name.is_empty();
            if !anonymous && name != self.local.name(wanted.name) {
                continue;
            }
            let (hops, bit_offset) = (way.hops.len(), way.bit_offset);
            let name = if anonymous { NameOffset(0) } else { member.name };
            way.push(Hop::Member { of, index, name }, ty.member_bits(member).0.into())?;
            if !anonymous {
                let fits = self.fields_fit(Pair { local: wanted.of, target: member.of })?;
                return Ok(fits.then_some(member.of));
            }
            if let Some(next) = self.find_member(local, member.of, way)? {
                return Ok(Some(next));
            }
            way.hops.truncate(hops);
            way.bit_offset = bit_offset;
        }
        Ok(None)
    }
}
