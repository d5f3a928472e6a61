//! Whether a type of the object and a type of the kernel are the same thing: for reading a field, for existing, for matching.
//!
//! Three rules of libbpf, each with its own strictness. Every comparison of two types is a step; steps are limited, because types
//! from a hostile file can be arranged so that comparing them takes for ever.

use crate::fault::RelocateFault;
use crate::spec::{essential, same_kind};
use crate::types::{Btf, EnumValue, Kind, Member, NameOffset, Param, Type, TypeId};

/// Most comparisons for one object and one kernel (ours; the probe object needs some thousands).
const MAX_STEPS: u32 = 1 << 22;
/// How deep types are compared (libbpf, 32 levels of 32 pointers each; here 32 of both).
const MAX_LEVELS: u32 = 32;

/// Compares types of an object with those of a kernel.
#[derive(Debug)]
pub(crate) struct Comparer<'a> {
    pub(crate) local: &'a Btf,
    pub(crate) target: &'a Btf,
    steps: u32,
}

/// A type of the object and one of the kernel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) local: TypeId,
    pub(crate) target: TypeId,
}

impl Pair {
    fn new(local: TypeId, target: TypeId) -> Self {
        Self { local, target }
    }
}

/// Where a comparison for matching is.
#[derive(Debug, Clone, Copy)]
struct Place {
    behind_pointer: bool,
    levels: u32,
}

impl Place {
    fn deeper(self) -> Result<Self, RelocateFault> {
        Ok(Self { levels: self.levels.checked_sub(1).ok_or(RelocateFault::Depth)?, ..self })
    }
}

impl<'a> Comparer<'a> {
    pub(crate) fn new(local: &'a Btf, target: &'a Btf) -> Self {
        Self { local, target, steps: 0 }
    }

    /// Counts a comparison.
    pub(crate) fn step(&mut self) -> Result<(), RelocateFault> {
        self.steps += 1;
        if self.steps > MAX_STEPS { Err(RelocateFault::Budget { limit: MAX_STEPS }) } else { Ok(()) }
    }

    fn skipped(&mut self, pair: Pair) -> Result<(&'a Type, &'a Type), RelocateFault> {
        self.step()?;
        Ok((self.local.skip(pair.local)?.1, self.target.skip(pair.target)?.1))
    }

    fn same_names(&self, local: NameOffset, target: NameOffset) -> bool {
        essential(self.local.name(local)) == essential(self.target.name(target))
    }

    /// Whether a field of one type can be read as one of the other (libbpf, `bpf_core_fields_are_compat`).
    pub(crate) fn fields_fit(&mut self, mut pair: Pair) -> Result<bool, RelocateFault> {
        for _ in 0..=MAX_LEVELS {
            let (local, target) = self.skipped(pair)?;
            if local.kind.members().is_some() && target.kind.members().is_some() {
                return Ok(true);
            }
            if !same_kind(local, target) {
                return Ok(false);
            }
            match (&local.kind, &target.kind) {
                (Kind::Pointer(_) | Kind::Float { .. }, _) => return Ok(true),
                (Kind::Forward | Kind::Enum { .. } | Kind::Enum64 { .. }, _) => {
                    let anonymous = self.local.name(local.name).is_empty() || self.target.name(target.name).is_empty();
                    return Ok(anonymous || self.same_names(local.name, target.name));
                }
                (Kind::Int { .. }, _) => return Ok(local.kind.int_offset() == 0 && target.kind.int_offset() == 0),
                (Kind::Array { element: a, .. }, Kind::Array { element: b, .. }) => pair = Pair::new(*a, *b),
                _ => return Ok(false),
            }
        }
        Err(RelocateFault::Depth)
    }

    /// Whether a type exists as another (libbpf, `bpf_core_types_are_compat`): its kind and what it points to, not its members.
    pub(crate) fn types_fit(&mut self, pair: Pair) -> Result<bool, RelocateFault> {
        self.types_fit_at(pair, MAX_LEVELS)
    }

    fn types_fit_at(&mut self, mut pair: Pair, levels: u32) -> Result<bool, RelocateFault> {
        if !same_kind(self.local.ty(pair.local)?, self.target.ty(pair.target)?) {
            return Ok(false);
        }
        for _ in 0..MAX_LEVELS {
            let (local, target) = self.skipped(pair)?;
            if !same_kind(local, target) {
                return Ok(false);
            }
            pair = match (&local.kind, &target.kind) {
                (Kind::Void | Kind::Struct { .. } | Kind::Union { .. } | Kind::Enum { .. } | Kind::Enum64 { .. } | Kind::Forward, _) => {
                    return Ok(true);
                }
                (Kind::Int { .. }, _) => return Ok(local.kind.int_offset() == 0 && target.kind.int_offset() == 0),
                (Kind::Pointer(a), Kind::Pointer(b)) | (Kind::Array { element: a, .. }, Kind::Array { element: b, .. }) => {
                    Pair::new(*a, *b)
                }
                (Kind::Prototype { returns: a, params: left }, Kind::Prototype { returns: b, params: right }) => {
                    if !self.params_fit(left, right, levels)? {
                        return Ok(false);
                    }
                    Pair::new(self.local.skip(*a)?.0, self.target.skip(*b)?.0)
                }
                _ => return Ok(false),
            };
        }
        Err(RelocateFault::Depth)
    }

    fn params_fit(&mut self, local: &[Param], target: &[Param], levels: u32) -> Result<bool, RelocateFault> {
        if local.len() != target.len() {
            return Ok(false);
        }
        for (a, b) in local.iter().zip(target) {
            let levels = levels.checked_sub(1).ok_or(RelocateFault::Depth)?;
            let pair = Pair::new(self.local.skip(a.of)?.0, self.target.skip(b.of)?.0);
            if !self.types_fit_at(pair, levels)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether a type is there with everything that the other has (libbpf, `bpf_core_types_match`).
    pub(crate) fn types_match(&mut self, pair: Pair) -> Result<bool, RelocateFault> {
        self.types_match_at(pair, Place { behind_pointer: false, levels: MAX_LEVELS })
    }

    fn types_match_at(&mut self, mut pair: Pair, mut place: Place) -> Result<bool, RelocateFault> {
        for _ in 0..MAX_LEVELS {
            let (local, target) = self.skipped(pair)?;
            if !self.same_names(local.name, target.name) {
                return Ok(false);
            }
            pair = match (&local.kind, &target.kind) {
                (Kind::Pointer(a), Kind::Pointer(b)) => {
                    place.behind_pointer = true;
                    Pair::new(*a, *b)
                }
                (Kind::Array { element: a, len: left, .. }, Kind::Array { element: b, len: right, .. }) if left == right => {
                    Pair::new(*a, *b)
                }
                (Kind::Prototype { returns: a, params: left }, Kind::Prototype { returns: b, params: right }) => {
                    if !self.params_match(left, right, place)? {
                        return Ok(false);
                    }
                    Pair::new(*a, *b)
                }
                _ => return self.ends_match(local, target, place),
            };
        }
        Err(RelocateFault::Depth)
    }

    fn params_match(&mut self, local: &[Param], target: &[Param], place: Place) -> Result<bool, RelocateFault> {
        if local.len() != target.len() {
            return Ok(false);
        }
        for (a, b) in local.iter().zip(target) {
            if !self.types_match_at(Pair::new(a.of, b.of), place.deeper()?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Matching of types that lead no further, or to members.
    fn ends_match(&mut self, local: &Type, target: &Type, place: Place) -> Result<bool, RelocateFault> {
        let union = |ty: &Type| matches!(ty.kind, Kind::Union { .. }) || (matches!(ty.kind, Kind::Forward) && ty.flag);
        let declared = |ty: &Type| matches!(ty.kind, Kind::Forward);
        Ok(match (&local.kind, &target.kind) {
            (Kind::Void, Kind::Void) => true,
            (Kind::Int { size: a, .. }, Kind::Int { size: b, .. }) => a == b && local.kind.is_signed_int() == target.kind.is_signed_int(),
            (Kind::Enum { size: a, values: left } | Kind::Enum64 { size: a, values: left }, b) => match b {
                Kind::Enum { size: b, values: right } | Kind::Enum64 { size: b, values: right } => {
                    a == b && self.values_match(left, right)?
                }
                _ => false,
            },
            (Kind::Struct { .. } | Kind::Union { .. } | Kind::Forward, Kind::Struct { .. } | Kind::Union { .. } | Kind::Forward) => {
                if place.behind_pointer || (declared(local) && declared(target)) {
                    union(local) == union(target)
                } else if local.kind.number() == target.kind.number() {
                    let (left, right) = (local.kind.members().unwrap_or_default(), target.kind.members().unwrap_or_default());
                    self.members_match(left, right, place)?
                } else {
                    false
                }
            }
            _ => false,
        })
    }

    fn values_match(&mut self, local: &[EnumValue], target: &[EnumValue]) -> Result<bool, RelocateFault> {
        for value in local {
            let mut found = false;
            for other in target {
                self.step()?;
                found |= self.same_names(value.name, other.name);
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(local.len() <= target.len())
    }

    fn members_match(&mut self, local: &[Member], target: &[Member], place: Place) -> Result<bool, RelocateFault> {
        for member in local {
            let mut found = false;
            for other in target {
                self.step()?;
                if !found && self.same_names(member.name, other.name) {
                    found = self.types_match_at(Pair::new(member.of, other.of), place.deeper()?)?;
                }
            }
            if !found {
                return Ok(false);
            }
        }
        Ok(local.len() <= target.len())
    }
}
