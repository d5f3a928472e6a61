//! What a relocation means in the object's own types: the way from its root to a field, or an enum value's name.

use crate::fault::RelocateFault;
use crate::object::Relocation;
use crate::types::{Btf, Kind, Modifier, NameOffset, Type, TypeId};

/// How many typedefs, qualifiers and arrays are followed (libbpf, `MAX_RESOLVE_DEPTH`).
const MAX_DEPTH: u32 = 32;
/// Bytes of a pointer: every kernel of an archive is a 64-bit one.
const POINTER_BYTES: u32 = 8;

impl Btf {
    pub(crate) fn ty(&self, id: TypeId) -> Result<&Type, RelocateFault> {
        self.get(id).ok_or(RelocateFault::Local)
    }

    /// Follows typedefs, qualifiers and type tags.
    pub(crate) fn skip(&self, mut id: TypeId) -> Result<(TypeId, &Type), RelocateFault> {
        for _ in 0..=MAX_DEPTH {
            let ty = self.ty(id)?;
            let Kind::Modified(_, of) = ty.kind else { return Ok((id, ty)) };
            id = of;
        }
        Err(RelocateFault::Depth)
    }

    /// Size of a type in bytes.
    pub(crate) fn size(&self, mut id: TypeId) -> Result<u32, RelocateFault> {
        let mut elements = 1_u32;
        for _ in 0..=MAX_DEPTH {
            let size = match self.ty(id)?.kind {
                Kind::Int { size, .. }
                | Kind::Struct { size, .. }
                | Kind::Union { size, .. }
                | Kind::Enum { size, .. }
                | Kind::Enum64 { size, .. }
                | Kind::DataSection { size, .. }
                | Kind::Float { size } => size,
                Kind::Pointer(_) => POINTER_BYTES,
                Kind::Modified(_, of) | Kind::Variable { of, .. } => {
                    id = of;
                    continue;
                }
                Kind::Array { element, len, .. } => {
                    elements = elements.checked_mul(len).ok_or(RelocateFault::Size)?;
                    id = element;
                    continue;
                }
                _ => return Err(RelocateFault::Size),
            };
            return elements.checked_mul(size).ok_or(RelocateFault::Size);
        }
        Err(RelocateFault::Depth)
    }
}

/// A step on the way to a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hop {
    /// The beginning: an element of an imagined array of the root type.
    Root { of: TypeId, index: u32 },
    /// A member of a struct or union; without a name it is one that C looks through.
    Member { of: TypeId, index: usize, name: NameOffset },
    /// An element of an array.
    Element { array: TypeId, element: TypeId, index: u32 },
}

impl Hop {
    /// Whether it is a member that C looks through.
    fn is_anonymous(self) -> bool {
        matches!(self, Self::Member { name: NameOffset(0), .. })
    }
}

/// A way through types, and how many bits it leads into the root.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) hops: Vec<Hop>,
    pub(crate) bit_offset: u32,
}

impl Way {
    /// Adds a step that lies `bits` behind the beginning of the last one.
    pub(crate) fn push(&mut self, hop: Hop, bits: u64) -> Result<(), RelocateFault> {
        if self.hops.len() >= crate::object::MAX_ACCESS {
            return Err(RelocateFault::Depth);
        }
        let offset = u64::from(self.bit_offset).checked_add(bits).and_then(|offset| u32::try_from(offset).ok());
        self.bit_offset = offset.ok_or(RelocateFault::Overflow)?;
        self.hops.push(hop);
        Ok(())
    }

    /// The last step that C knows: a named member, an element, or the root.
    pub(crate) fn last(&self) -> Option<Hop> {
        self.hops.iter().rev().copied().find(|hop| !hop.is_anonymous())
    }

    /// The steps that C knows.
    pub(crate) fn named(&self) -> impl Iterator<Item = Hop> {
        self.hops.iter().copied().filter(|hop| !hop.is_anonymous())
    }
}

/// What a relocation means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Spec {
    /// A field.
    Field(Way),
    /// A value of an enum, by name.
    Value(NameOffset),
    /// The type itself.
    Type,
}

/// Reads the access of a relocation in the object's own types.
pub(crate) fn spec_of(btf: &Btf, relocation: &Relocation) -> Result<Spec, RelocateFault> {
    let (root, steps) = relocation.access.split_first().ok_or(RelocateFault::Local)?;
    let (of, ty) = btf.skip(relocation.root)?;
    if relocation.kind.is_of_type() {
        return if *root == 0 && steps.is_empty() { Ok(Spec::Type) } else { Err(RelocateFault::Local) };
    }
    if relocation.kind.is_of_enum() {
        let value = usize::try_from(*root).ok().and_then(|index| ty.kind.values()?.get(index));
        return value.filter(|_| steps.is_empty()).map(|value| Spec::Value(value.name)).ok_or(RelocateFault::Local);
    }
    let mut way = Way::default();
    way.push(Hop::Root { of, index: *root }, bits_of(*root, btf.size(of)?))?;
    let mut id = of;
    for &step in steps {
        id = local_step(btf, &mut way, id, step)?;
    }
    Ok(Spec::Field(way))
}

fn local_step(btf: &Btf, way: &mut Way, id: TypeId, step: u32) -> Result<TypeId, RelocateFault> {
    let (of, ty) = btf.skip(id)?;
    if let Some(members) = ty.kind.members() {
        let found = usize::try_from(step).ok().and_then(|index| Some((index, members.get(index)?)));
        let (index, member) = found.ok_or(RelocateFault::Local)?;
        let name = if btf.name(member.name).is_empty() { NameOffset(0) } else { member.name };
        way.push(Hop::Member { of, index, name }, ty.member_bits(member).0.into())?;
        return Ok(member.of);
    }
    let Kind::Array { element, len, .. } = ty.kind else { return Err(RelocateFault::Local) };
    if step >= len && !is_flexible(btf, way, len) {
        return Err(RelocateFault::Local);
    }
    push_element(btf, way, (of, element), step)
}

/// Adds an element of an array; its type is the result.
pub(crate) fn push_element(btf: &Btf, way: &mut Way, (array, element): (TypeId, TypeId), index: u32) -> Result<TypeId, RelocateFault> {
    let (element, _) = btf.skip(element)?;
    way.push(Hop::Element { array, element, index }, bits_of(index, btf.size(element)?))?;
    Ok(element)
}

/// Whether an array that `way` has led to may have more elements than it says: it says none, and is the last member of its struct.
pub(crate) fn is_flexible(btf: &Btf, way: &Way, len: u32) -> bool {
    let Some(Hop::Member { of, index, .. }) = way.last().filter(|_| len == 0) else { return false };
    btf.get(of).and_then(|ty| ty.kind.members()).is_some_and(|members| index + 1 == members.len())
}

pub(crate) fn bits_of(index: u32, size: u32) -> u64 {
    u64::from(index).saturating_mul(size.into()).saturating_mul(8)
}

/// A relocation's type and access as people write them: `task_struct.real_parent`, `bpf_func_id::BPF_FUNC_ringbuf_reserve`.
pub(crate) fn in_words(btf: &Btf, relocation: &Relocation) -> (String, String) {
    let root = btf.get(relocation.root).map(|ty| btf.text(ty.name)).filter(|name| !name.is_empty());
    let root = root.unwrap_or_else(|| "(anonymous)".to_owned());
    let access = match spec_of(btf, relocation) {
        Ok(Spec::Type) => String::new(),
        Ok(Spec::Value(name)) => format!("::{}", btf.text(name)),
        Ok(Spec::Field(way)) => way.named().map(|hop| hop_in_words(btf, hop)).collect(),
        Err(_) => format!(":{}", relocation.access.iter().map(u32::to_string).collect::<Vec<_>>().join(":")),
    };
    (root, access)
}

fn hop_in_words(btf: &Btf, hop: Hop) -> String {
    match hop {
        Hop::Root { index: 0, .. } => String::new(),
        Hop::Root { index, .. } | Hop::Element { index, .. } => format!("[{index}]"),
        Hop::Member { name, .. } => format!(".{}", btf.text(name)),
    }
}

/// A name without its flavour: what follows the last `___` between two other characters (libbpf, `bpf_core_essential_name_len`).
pub(crate) fn essential(name: &[u8]) -> &[u8] {
    let flavour = (1..name.len().saturating_sub(3)).rev().find(|&at| {
        let around = name.get(at - 1..at + 4);
        matches!(around, Some([before, b'_', b'_', b'_', after]) if *before != b'_' && *after != b'_')
    });
    flavour.and_then(|at| name.get(..at)).unwrap_or(name)
}

/// Whether two types are of one kind for CO-RE: the kinds of enum are one.
pub(crate) fn same_kind(a: &Type, b: &Type) -> bool {
    a.kind.number() == b.kind.number() || (a.kind.values().is_some() && b.kind.values().is_some())
}

/// Whether a type is a typedef: the only modifier with a name to look for.
pub(crate) fn is_typedef(ty: &Type) -> bool {
    matches!(ty.kind, Kind::Modified(Modifier::Typedef, _))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_flavour_is_what_follows_the_last_three_underscores() {
        for (name, without) in [
            ("task_struct___old", "task_struct"),
            ("a___b___c", "a___b"),
            ("a____b", "a____b"),
            ("___x", "___x"),
            ("a___", "a___"),
            ("", ""),
            ("abc", "abc"),
            ("s___2", "s"),
        ] {
            assert_eq!(essential(name.as_bytes()), without.as_bytes(), "{name}");
        }
    }
}
