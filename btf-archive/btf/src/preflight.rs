//! Before loading: which relocations of an object a kernel answers, and whether what is missing is asked for first.
//!
//! libbpf puts an invalid instruction where a field or an enum value is missing; the kernel then refuses the program unless that code
//! is dead. Whether it is dead cannot be seen here in general, so an object states it: a missing relocation counts as **guarded** if
//! the object also asks whether the same thing exists, and the answer is no. The same thing is, for the same local type (by its name,
//! flavour and all): the same field or a part of the way to it (`field_exists`), the same enum value (`enum_value_exists`), or the type
//! (`type_exists`, `type_matches`). For a local type of a flavour (`task_struct___old`) any such question about that flavour counts: a
//! flavour is declared for one variant of the kernel. A check of *another* thing (of the new field, before the old one is read) does not
//! count: ask for what you read.

use crate::fault::RelocateError;
use crate::object::{ProbeObject, RelocationKind};
use crate::resolve::{Outcome, Resolved};
use crate::spec::essential;
use crate::types::Btf;

/// What an object finds in the types of a kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// Relocations of the object.
    pub total: u64,
    /// Those with a value.
    pub resolved: u64,
    /// Names of those that are missing, and that the object asks for first.
    pub guarded_missing: Vec<String>,
    /// Names of those that are missing, and that it does not ask for: the program would not load, or read garbage.
    pub unguarded_missing: Vec<String>,
}

impl Preflight {
    /// Whether the object can be loaded.
    pub fn is_usable(&self) -> bool {
        self.unguarded_missing.is_empty()
    }
}

/// Resolves every relocation and sorts those that are missing.
///
/// # Errors
/// [`RelocateError`]: a relocation that cannot be decided.
pub fn preflight(object: &ProbeObject, target: &Btf) -> Result<Preflight, RelocateError> {
    let all = object.resolve(target)?;
    let refused: Vec<&Resolved> = all.iter().filter(|one| one.kind.is_existence() && one.outcome == Outcome::Value(0)).collect();
    let (mut guarded, mut unguarded) = (Vec::new(), Vec::new());
    for missing in all.iter().filter(|one| one.outcome == Outcome::Missing) {
        let list = if refused.iter().any(|refused| guards(refused, missing)) { &mut guarded } else { &mut unguarded };
        list.push(missing.name());
    }
    let count = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    let total = count(all.len());
    let resolved = total - count(guarded.len() + unguarded.len());
    for list in [&mut guarded, &mut unguarded] {
        list.sort();
        list.dedup();
    }
    Ok(Preflight { total, resolved, guarded_missing: guarded, unguarded_missing: unguarded })
}

/// Whether the negative answer `refused` covers what is missing.
fn guards(refused: &Resolved, missing: &Resolved) -> bool {
    if refused.local_type != missing.local_type {
        return false;
    }
    let name = missing.local_type.as_bytes();
    let flavour = essential(name) != name;
    let of_type = matches!(refused.kind, RelocationKind::TypeExists | RelocationKind::TypeMatches);
    let rest = missing.access.strip_prefix(&refused.access);
    flavour || of_type || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}
