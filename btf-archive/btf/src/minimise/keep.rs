//! What the relocations of an object need of a kernel's types.

use std::collections::{BTreeMap, BTreeSet};

use crate::fault::RelocateError;
use crate::matching::Found;
use crate::object::{ProbeObject, RelocationKind};
use crate::spec::Hop;
use crate::types::{Btf, Kind, TypeId};

/// What is kept of a type.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Keep {
    /// Whether its name is.
    pub(super) name: bool,
    /// Whether what it points to, or the prototype's types are.
    pub(super) follow: bool,
    /// Whether everything below it was already looked at for a match: outside pointers, behind one.
    matched: [bool; 2],
    /// Positions of members or enum values.
    pub(super) parts: BTreeSet<usize>,
}

/// Types by number, none of them a modifier but typedefs that are looked for by name.
pub(super) type Kept = BTreeMap<TypeId, Keep>;

/// Everything that is needed.
pub(super) fn kept(object: &ProbeObject, target: &Btf) -> Result<Kept, RelocateError> {
    let mut marker = Marker { target, kept: Kept::new() };
    for (relocation, decision) in object.relocations().iter().zip(object.decide(target)?) {
        for (candidate, found) in &decision.found {
            marker.candidate(*candidate);
            match found {
                Found::Field(way) => way.hops.iter().for_each(|hop| marker.hop(*hop)),
                Found::Value { of, index } => _ = marker.entry(*of).parts.insert(*index),
                Found::Type(id) if relocation.kind == RelocationKind::TypeMatches => marker.matched(*id, Behind::Nothing),
                Found::Type(id) => marker.existing(*id),
            }
        }
    }
    Ok(marker.kept)
}

/// Where a type stands for a match.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Nothing,
    Pointer,
}

#[derive(Debug)]
struct Marker<'a> {
    target: &'a Btf,
    kept: Kept,
}

impl Marker<'_> {
    fn entry(&mut self, id: TypeId) -> &mut Keep {
        self.kept.entry(id).or_default()
    }

    /// A type without its modifiers; every type that reaches this was found by following them.
    fn skipped(&self, id: TypeId) -> TypeId {
        self.target.skip(id).map_or(TypeId(0), |(id, _)| id)
    }

    /// A type that is looked for by name.
    fn candidate(&mut self, id: TypeId) {
        self.entry(id).name = true;
        let under = self.skipped(id);
        self.entry(under);
    }

    /// A step on the way to a field, and the type that it leads to.
    fn hop(&mut self, hop: Hop) {
        match hop {
            Hop::Root { of, .. } => self.leaf(of),
            Hop::Element { array, element, .. } => {
                self.leaf(array);
                self.leaf(element);
            }
            Hop::Member { of, index, .. } => {
                self.entry(of).parts.insert(index);
                let member = self.target.get(of).and_then(|ty| ty.kind.members()?.get(index));
                if let Some(member) = member {
                    self.leaf(member.of);
                }
            }
        }
    }

    /// A type of which only kind, size and name of an enum are asked.
    fn leaf(&mut self, id: TypeId) {
        let mut id = self.skipped(id);
        loop {
            let Some(ty) = self.target.get(id) else { return };
            let is_enum = ty.kind.values().is_some();
            let next = if let Kind::Array { element, .. } = ty.kind { Some(self.skipped(element)) } else { None };
            let known = self.kept.contains_key(&id);
            self.entry(id).name |= is_enum;
            match next {
                Some(next) if !known => id = next,
                _ => return,
            }
        }
    }

    /// A type of which existence is asked: kinds along pointers, arrays and prototypes.
    fn existing(&mut self, id: TypeId) {
        let mut todo = vec![id];
        while let Some(id) = todo.pop() {
            let id = self.skipped(id);
            let Some(ty) = self.target.get(id) else { continue };
            let keep = self.kept.entry(id).or_default();
            if std::mem::replace(&mut keep.follow, true) {
                continue;
            }
            match &ty.kind {
                Kind::Pointer(to) | Kind::Array { element: to, .. } => todo.push(*to),
                Kind::Prototype { returns, params } => {
                    todo.push(*returns);
                    todo.extend(params.iter().map(|param| param.of));
                }
                _ => {}
            }
        }
    }

    /// A type of which every part is compared: names, members, values, and behind pointers what it is called.
    fn matched(&mut self, id: TypeId, behind: Behind) {
        let mut todo = vec![(id, behind)];
        while let Some((id, behind)) = todo.pop() {
            let id = self.skipped(id);
            let Some(ty) = self.target.get(id) else { continue };
            let keep = self.kept.entry(id).or_default();
            let [outside, inside] = &mut keep.matched;
            if std::mem::replace(if behind == Behind::Nothing { outside } else { inside }, true) {
                continue;
            }
            (keep.name, keep.follow) = (true, true);
            match &ty.kind {
                Kind::Pointer(to) => todo.push((*to, Behind::Pointer)),
                Kind::Array { element, .. } => todo.push((*element, behind)),
                Kind::Prototype { returns, params } => {
                    todo.push((*returns, behind));
                    todo.extend(params.iter().map(|param| (param.of, behind)));
                }
                Kind::Struct { members, .. } | Kind::Union { members, .. } if behind == Behind::Nothing => {
                    keep.parts.extend(0..members.len());
                    todo.extend(members.iter().map(|member| (member.of, behind)));
                }
                Kind::Enum { values, .. } | Kind::Enum64 { values, .. } => keep.parts.extend(0..values.len()),
                _ => {}
            }
        }
    }
}
