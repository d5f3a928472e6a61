//! From what is kept to types: numbered anew, alike ones merged, names stored once.

use std::collections::BTreeMap;

use super::keep::{Keep, Kept};
use crate::types::{Btf, Kind, Member, NameOffset, Param, Type, TypeId};

/// Most rounds of merging (ours): each merges types whose parts were merged before; stopping early only leaves twins.
const MAX_ROUNDS: usize = 64;
/// The integer that arrays are indexed by: 4 bytes, unsigned.
const INDEX: Type = Type { name: NameOffset(0), flag: false, kind: Kind::Int { size: 4, layout: 32 } };

/// The kept types as a blob of their own.
pub(super) fn merged(target: &Btf, kept: &Kept) -> Btf {
    let mut names = Names { strings: vec![0], known: BTreeMap::new() };
    let wanted = kept.iter().filter(|(id, _)| id.0 != 0);
    let mut types: Vec<Type> = wanted.clone().filter_map(|(id, keep)| reduced(target, *id, keep, &mut names)).collect();
    // From numbers of the kernel to numbers here; what is not kept is void.
    let mut numbers: BTreeMap<TypeId, TypeId> = wanted.map(|(id, _)| *id).zip((1..).map(TypeId)).collect();
    if types.iter().any(|ty| matches!(ty.kind, Kind::Array { .. })) {
        types.push(INDEX);
        numbers.insert(INDEX_MARK, TypeId(u32::try_from(types.len()).unwrap_or_default()));
    }
    for ty in &mut types {
        renumber(ty, |id| target.skip(id).ok().and_then(|(under, _)| numbers.get(if id == INDEX_MARK { &id } else { &under })).copied());
    }
    for _ in 0..MAX_ROUNDS {
        if !merge_alike(&mut types) {
            break;
        }
    }
    Btf::of(target.order(), types, names.strings)
}

/// Stands for the index type of arrays until types have their numbers.
const INDEX_MARK: TypeId = TypeId(u32::MAX);

/// Each name once, in order of first use.
#[derive(Debug)]
struct Names {
    strings: Vec<u8>,
    known: BTreeMap<Vec<u8>, NameOffset>,
}

impl Names {
    fn put(&mut self, name: &[u8]) -> NameOffset {
        if name.is_empty() {
            return NameOffset(0);
        }
        if let Some(&known) = self.known.get(name) {
            return known;
        }
        let at = NameOffset(u32::try_from(self.strings.len()).unwrap_or_default());
        self.strings.extend(name);
        self.strings.push(0);
        self.known.insert(name.to_owned(), at);
        at
    }
}

/// A type with what is kept of it; the types that it refers to still have the kernel's numbers.
fn reduced(target: &Btf, id: TypeId, keep: &Keep, names: &mut Names) -> Option<Type> {
    let ty = target.get(id)?;
    let name = if keep.name { names.put(target.name(ty.name)) } else { NameOffset(0) };
    let mut members = |members: &[Member]| -> Vec<Member> {
        let parts = keep.parts.iter().filter_map(|&part| members.get(part));
        parts.map(|Member { name, of, offset }| Member { name: names.put(target.name(*name)), of: *of, offset: *offset }).collect()
    };
    let kind = match &ty.kind {
        Kind::Struct { size, members: all } => Kind::Struct { size: *size, members: members(all) },
        Kind::Union { size, members: all } => Kind::Union { size: *size, members: members(all) },
        Kind::Enum { size, values } | Kind::Enum64 { size, values } => {
            let values = keep.parts.iter().filter_map(|&part| values.get(part).cloned());
            let values = values.map(|mut value| {
                value.name = names.put(target.name(value.name));
                value
            });
            let (size, values) = (*size, values.collect());
            if matches!(ty.kind, Kind::Enum { .. }) { Kind::Enum { size, values } } else { Kind::Enum64 { size, values } }
        }
        Kind::Pointer(to) => Kind::Pointer(if keep.follow { *to } else { TypeId(0) }),
        Kind::Array { element, len, .. } => Kind::Array { element: *element, index: INDEX_MARK, len: *len },
        Kind::Prototype { returns, params } => {
            Kind::Prototype { returns: *returns, params: params.iter().map(|param| Param { name: NameOffset(0), of: param.of }).collect() }
        }
        other => other.clone(),
    };
    Some(Type { name, flag: ty.flag, kind })
}

fn renumber(ty: &mut Type, number: impl Fn(TypeId) -> Option<TypeId>) {
    let of = |id: &mut TypeId| *id = number(*id).unwrap_or_default();
    match &mut ty.kind {
        Kind::Pointer(to) | Kind::Modified(_, to) => of(to),
        Kind::Array { element, index, .. } => {
            of(element);
            of(index);
        }
        Kind::Struct { members, .. } | Kind::Union { members, .. } => members.iter_mut().map(|member| &mut member.of).for_each(of),
        Kind::Prototype { returns, params } => {
            of(returns);
            params.iter_mut().map(|param| &mut param.of).for_each(of);
        }
        _ => {}
    }
}

/// Merges types that are equal; whether there were any.
fn merge_alike(types: &mut Vec<Type>) -> bool {
    let mut first: BTreeMap<Type, TypeId> = BTreeMap::new();
    let mut numbers = BTreeMap::from([(TypeId(0), TypeId(0))]);
    let mut distinct = Vec::new();
    for (old, ty) in (1..).map(TypeId).zip(types.drain(..)) {
        let next = TypeId(u32::try_from(first.len() + 1).unwrap_or_default());
        let id = *first.entry(ty.clone()).or_insert(next);
        numbers.insert(old, id);
        if id == next {
            distinct.push(ty);
        }
    }
    let merged = distinct.len() + 1 < numbers.len();
    for ty in &mut distinct {
        renumber(ty, |id| numbers.get(&id).copied());
    }
    *types = distinct;
    merged
}
