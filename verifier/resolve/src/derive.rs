//! Derives every frame of a capture: walk, then name.

use sealtrace_object_id::ModuleId;
use sealtrace_symbols::{Location, SymbolSource};
use sealtrace_trace::{
    Boundary, Capture, FrameContext, FrameRecord, InlineRecord, Region, RegionKind, Resolver, Sample, StackRecord, UnwinderClass,
};
use sealtrace_unwind::{Limits, ModuleRelAddr, Place, Placement, Rule, UnwindSource, UnwoundFrame, Walk, Word, walk};

use crate::name::demangle;
use crate::read_set::{CapturedRows, ReadSet};
use crate::sources::{RegionSource, ResolveError, Sources, module_id};

/// Every stack of a capture, in the order of first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derived {
    /// Records, numbered over the whole witness.
    pub stacks: Vec<StackRecord>,
    /// How each frame came about, in the same order.
    pub derivations: Vec<Derivation>,
}

/// What the record of a frame was derived from; `explain` prints it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Derivation {
    /// The walk's view of the frame.
    pub frame: UnwoundFrame,
    /// Position of the symbol table's row that named it.
    pub table_row: Option<u32>,
}

/// Derives all frames under a placement. Results are places and records, so they are the same under every placement.
///
/// # Errors
/// [`ResolveError::NoSample`], or a damaged table.
pub fn derive(capture: &Capture, sources: &Sources, placement: &Placement) -> Result<Derived, ResolveError> {
    if capture.samples.is_empty() {
        return Err(ResolveError::NoSample);
    }
    let rows = CapturedRows::new(&capture.header.rows);
    let mut order: Vec<&Sample> = capture.samples.iter().collect();
    order.sort_by_key(|sample| sample.first_seen);
    let mut derived = Derived { stacks: Vec::with_capacity(order.len()), derivations: Vec::new() };
    for sample in order {
        let mut target = ReadSet::new(capture, sources, &rows, sample);
        let walk = walk(&sample.registers, placement, &mut target, Limits::default());
        push_stack(&mut derived, capture, sources, walk)?;
    }
    Ok(derived)
}

fn push_stack(derived: &mut Derived, capture: &Capture, sources: &Sources, walk: Walk) -> Result<(), ResolveError> {
    let mut frames = Vec::with_capacity(walk.frames.len());
    let mut segment = 0;
    for frame in walk.frames {
        let boundary = if frame.after_signal { Boundary::Signal } else { Boundary::None };
        segment += u32::from(boundary != Boundary::None);
        let position = Position { index: u64::try_from(derived.derivations.len()).unwrap_or(u64::MAX), segment, boundary };
        let (record, table_row) = record(position, &frame, capture, sources)?;
        frames.push(record);
        derived.derivations.push(Derivation { frame, table_row });
    }
    derived.stacks.push(StackRecord { frames, terminated_by: walk.terminated_by, failed_rules: walk.failed });
    Ok(())
}

#[derive(Clone, Copy)]
struct Position {
    index: u64,
    segment: u32,
    boundary: Boundary,
}

/// What naming a frame yields.
#[derive(Default)]
struct Named {
    resolver: Option<Resolver>,
    source: Option<String>,
    function_raw: Option<String>,
    aliases: Vec<String>,
    symbol_offset: Option<i64>,
    file: Option<String>,
    line: Option<u32>,
    inlines: Vec<InlineRecord>,
    unresolved_reason: Option<String>,
    table_row: Option<u32>,
}

fn record(
    position: Position,
    frame: &UnwoundFrame,
    capture: &Capture,
    sources: &Sources,
) -> Result<(FrameRecord, Option<u32>), ResolveError> {
    let place = match frame.pc {
        Word::At(place) => Some(place),
        Word::Null | Word::Invalid => None,
    };
    let region = place.and_then(|place| region(capture, place));
    let named = match (place, frame.lookup) {
        (Some(place), Some(lookup)) => name(place, lookup, sources)?,
        _ => Named::unresolved("pc-outside-every-region"),
    };
    let record = FrameRecord {
        frame_index: position.index,
        context: context(region),
        module_id: region.and_then(id_of),
        module_rel_addr: ModuleRelAddr(place.map_or(0, |place| place.offset)),
        unwinder: class(frame.rule),
        rule: frame.rule,
        rule_offset: frame.row.as_ref().map(|sourced| sourced.row.fde_offset),
        unwind_source: frame.row.as_ref().map_or(UnwindSource::Capture, |sourced| sourced.source),
        unwind_mismatch: frame.row.as_ref().is_some_and(|sourced| sourced.mismatch),
        failed_rules: frame.failed.clone(),
        resolver: named.resolver,
        source: named.source,
        bundle_sha256: place.and_then(|place| sources.matched(place.region).ok()).map(|matched| matched.bundle),
        function: named.function_raw.as_deref().map(demangle),
        function_raw: named.function_raw,
        aliases: named.aliases,
        symbol_offset: named.symbol_offset,
        file: named.file,
        line: named.line,
        inlines: named.inlines,
        segment: position.segment,
        boundary: position.boundary,
        unresolved_reason: named.unresolved_reason,
    };
    Ok((record, named.table_row))
}

fn region(capture: &Capture, place: Place) -> Option<&Region> {
    capture.header.regions.get(usize::try_from(place.region.0).ok()?)
}

fn id_of(region: &Region) -> Option<ModuleId> {
    region.module.as_ref().and_then(module_id)
}

fn context(region: Option<&Region>) -> FrameContext {
    match region.map(|region| region.kind) {
        Some(RegionKind::Kernel) => FrameContext::Kernel,
        Some(RegionKind::Anonymous | RegionKind::Stack | RegionKind::File) => FrameContext::Jit,
        Some(RegionKind::Module | RegionKind::Vdso) | None => FrameContext::User,
    }
}

fn class(rule: Rule) -> UnwinderClass {
    match rule {
        Rule::Context | Rule::CfiEhFrame | Rule::CfiDebugFrame => UnwinderClass::Cfi,
        Rule::FramePointer => UnwinderClass::FramePointer,
        Rule::HelperSigreturn => UnwinderClass::Runtime,
        Rule::HeuristicScan => UnwinderClass::Heuristic,
    }
}

impl Named {
    fn unresolved(reason: &str) -> Self {
        Self { unresolved_reason: Some(reason.to_owned()), ..Self::default() }
    }

    fn from_location(pc: Place, location: &Location<'_>, tier: Resolver, source: &str) -> Self {
        let Some((physical, inlined)) = location.frames.split_last() else {
            return Self {
                file: location.file.map(str::to_owned),
                line: (location.line != 0).then_some(location.line),
                table_row: Some(location.row),
                ..Self::unresolved("no-function-at-address")
            };
        };
        let inlines = inlined.iter().map(|inline| InlineRecord {
            function: demangle(inline.name),
            function_raw: inline.name.to_owned(),
            file: inline.file.map(str::to_owned),
            line: inline.line,
        });
        let several = location.aliases.len() > 1;
        Self {
            resolver: Some(if location.heuristic { Resolver::Heuristic } else { tier }),
            source: Some(source.to_owned()),
            function_raw: Some(physical.name.to_owned()),
            aliases: if several { location.aliases.iter().map(|&name| name.to_owned()).collect() } else { Vec::new() },
            symbol_offset: offset(pc.offset, location.entry.0),
            file: physical.file.map(str::to_owned),
            line: (physical.line != 0).then_some(physical.line),
            inlines: inlines.collect(),
            unresolved_reason: None,
            table_row: Some(location.row),
        }
    }
}

/// `pc − entry`, negative when the pc lies in a part placed before the entry.
fn offset(pc: u64, entry: u64) -> Option<i64> {
    i64::try_from(pc).ok()?.checked_sub(i64::try_from(entry).ok()?)
}

/// The tiers in the order of the policy: debuginfod has no recorded cache in this release, then the bundle, then the vDSO image.
fn name(pc: Place, lookup: Place, sources: &Sources) -> Result<Named, ResolveError> {
    let at = ModuleRelAddr(lookup.offset);
    match sources.region(lookup.region) {
        Some(RegionSource::Bundle(matched)) => {
            let Some(table) = &matched.table else { return Ok(Named::unresolved("module-without-symbols")) };
            let found = table.lookup(at).map_err(|source| ResolveError::Table { module: matched.module.path.clone(), source })?;
            Ok(found.map_or_else(
                || Named::unresolved("no-symbol-at-address"),
                |location| Named::from_location(pc, &location, Resolver::Bundle, source_name(location.source)),
            ))
        }
        Some(RegionSource::Vdso(table)) => {
            let found = table.lookup(at).map_err(|source| ResolveError::Table { module: "[vdso]".to_owned(), source })?;
            Ok(found.map_or_else(
                || Named::unresolved("no-symbol-at-address"),
                |location| Named::from_location(pc, &location, Resolver::Runtime, "vdso-image"),
            ))
        }
        Some(RegionSource::None(why)) => Ok(Named::unresolved(why.reason())),
        None => Ok(Named::unresolved("pc-outside-every-region")),
    }
}

fn source_name(source: SymbolSource) -> &'static str {
    match source {
        SymbolSource::Dwarf => "dwarf",
        SymbolSource::Symtab => "symtab",
        SymbolSource::Dynsym => "dynsym",
        SymbolSource::Pdb => "pdb",
        SymbolSource::Export => "export",
    }
}
