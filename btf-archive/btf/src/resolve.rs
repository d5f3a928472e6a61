//! Every relocation of an object against the types of a kernel, as libbpf decides it.
//!
//! One difference: libbpf also looks at the instruction and refuses a direct load of a signed number whose size differs; here the
//! question stands alone. Loading such a program fails; it is not silently wrong.

use std::collections::BTreeMap;

use crate::compat::{Comparer, Pair};
use crate::fault::{RelocateError, RelocateFault};
use crate::matching::Found;
use crate::object::{ProbeObject, Relocation, RelocationKind};
use crate::spec::{essential, in_words, is_typedef, same_kind, spec_of};
use crate::types::{Btf, Kind, TypeId};
use crate::value::value_of;

/// What became of a relocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The number for the instruction. For questions of existence 0 or 1, for the size or number of a type that is missing 0.
    Value(u64),
    /// The field or enum value is missing: libbpf puts an invalid instruction in its place, which only dead code survives.
    Missing,
}

/// A relocation and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Resolved {
    /// Section of the program.
    pub section: String,
    /// Offset of the instruction in the section in bytes.
    pub instruction: u32,
    /// What is asked for.
    pub kind: RelocationKind,
    /// Name of the type in the object, with its flavour.
    pub local_type: String,
    /// The access as text: `.real_parent`, `[3]`, `::BPF_FUNC_ringbuf_reserve`; empty for the type itself.
    pub access: String,
    /// The result.
    pub outcome: Outcome,
}

impl Resolved {
    /// The relocation as people write it: `task_struct.real_parent (field_byte_off)`.
    pub fn name(&self) -> String {
        name_of(&self.local_type, &self.access, self.kind)
    }
}

fn name_of(root: &str, access: &str, kind: RelocationKind) -> String {
    format!("{root}{access} ({})", kind.as_str())
}

/// A relocation's outcome and every type of the kernel that it was found in.
#[derive(Debug, Clone)]
pub(crate) struct Decision {
    pub(crate) outcome: Outcome,
    /// The candidates and what was found in each.
    pub(crate) found: Vec<(TypeId, Found)>,
}

impl ProbeObject {
    /// Resolves every relocation, in the order of the object.
    ///
    /// # Errors
    /// [`RelocateError`]: the first one that cannot be decided. A field that is missing is no error.
    pub fn resolve(&self, target: &Btf) -> Result<Vec<Resolved>, RelocateError> {
        let decisions = self.decide(target)?;
        Ok(self.relocations().iter().zip(decisions).map(|(relocation, decision)| self.resolved(relocation, decision.outcome)).collect())
    }

    fn resolved(&self, relocation: &Relocation, outcome: Outcome) -> Resolved {
        let (local_type, access) = in_words(&self.btf, relocation);
        let Relocation { section, instruction, kind, .. } = relocation;
        Resolved { section: section.clone(), instruction: *instruction, kind: *kind, local_type, access, outcome }
    }

    pub(crate) fn decide(&self, target: &Btf) -> Result<Vec<Decision>, RelocateError> {
        let mut candidates = candidates(self, target);
        let mut comparer = Comparer::new(&self.btf, target);
        let decide = |relocation: &Relocation| {
            let list = candidates.entry(relocation.root).or_default();
            decide(&mut comparer, relocation, list).map_err(|fault| {
                let (root, access) = in_words(&self.btf, relocation);
                RelocateError { relocation: name_of(&root, &access, relocation.kind), fault }
            })
        };
        self.relocations().iter().map(decide).collect()
    }
}

/// For each root type of a relocation the types of the kernel with its kind and its name without flavour, in order.
fn candidates(object: &ProbeObject, target: &Btf) -> BTreeMap<TypeId, Vec<TypeId>> {
    let mut roots: BTreeMap<TypeId, Vec<TypeId>> = object.relocations().iter().map(|relocation| (relocation.root, Vec::new())).collect();
    let mut by_name: BTreeMap<&[u8], Vec<TypeId>> = BTreeMap::new();
    for &root in roots.keys() {
        if let Some(ty) = object.btf.get(root) {
            by_name.entry(essential(object.btf.name(ty.name))).or_default().push(root);
        }
    }
    by_name.remove([].as_slice());
    for (id, ty) in target.types().filter(|(_, ty)| ty.name.0 != 0) {
        for root in by_name.get(essential(target.name(ty.name))).into_iter().flatten() {
            let fits = object.btf.get(*root).is_some_and(|local| same_kind(local, ty));
            if let Some(list) = roots.get_mut(root).filter(|_| fits) {
                list.push(id);
            }
        }
    }
    roots
}

/// Decides one relocation. As in libbpf, candidates that it was not found in are out for all later ones of the same type.
fn decide(comparer: &mut Comparer<'_>, relocation: &Relocation, candidates: &mut Vec<TypeId>) -> Result<Decision, RelocateFault> {
    let spec = spec_of(comparer.local, relocation)?;
    if relocation.kind == RelocationKind::TypeIdLocal {
        return Ok(Decision { outcome: Outcome::Value(relocation.root.0.into()), found: Vec::new() });
    }
    let root = comparer.local.ty(relocation.root)?;
    if comparer.local.name(root.name).is_empty() || (matches!(root.kind, Kind::Modified(..)) && !is_typedef(root)) {
        return Err(RelocateFault::Anonymous);
    }
    let mut found = Vec::new();
    let mut first: Option<(u32, u64)> = None;
    for &target in candidates.iter() {
        let pair = Pair { local: relocation.root, target };
        let Some(here) = comparer.find(&spec, relocation.kind, pair)? else { continue };
        let offset = if let Found::Field(way) = &here { way.bit_offset } else { 0 };
        let value = value_of(comparer.target, relocation.kind, &here)?;
        let (first_offset, first_value) = *first.get_or_insert((offset, value));
        if (first_offset, first_value) != (offset, value) {
            let shown = |offset: u32, value: u64| format!("{value} at bit {offset}");
            return Err(RelocateFault::Ambiguous { first: shown(first_offset, first_value), second: shown(offset, value) });
        }
        found.push((target, here));
    }
    if !found.is_empty() {
        *candidates = found.iter().map(|(id, _)| *id).collect();
    }
    let absent = match relocation.kind {
        kind if kind.is_existence() => Outcome::Value(0),
        RelocationKind::TypeSize | RelocationKind::TypeIdTarget => Outcome::Value(0),
        _ => Outcome::Missing,
    };
    Ok(Decision { outcome: first.map_or(absent, |(_, value)| Outcome::Value(value)), found })
}
