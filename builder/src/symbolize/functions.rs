//! Functions of DWARF: walks a unit once, then flattens each function's tree of inlined calls into extents with a scope.

use std::collections::{BTreeMap, HashMap};

use gimli::{Unit, constants};
use sealtrace_symbols::{Function, Scope, SymbolSource, TableBuilder};
use sealtrace_unwind::ModuleRelAddr;

use super::dies::Die;
use super::image::Image;
use super::lines::UnitSink;
use super::names::{DebugInfo, NameRef};
use super::spans::{Claims, Extent, flatten_inside_first};
use super::symbols::Symbols;
use super::{Budget, Slice, SymbolizeError};

/// A function with code, and the calls inlined into it in the order of their entries: parents first.
struct Physical<'a> {
    entry: u64,
    extents: Vec<Extent>,
    /// Number 0 is the function itself.
    levels: Vec<Level<'a>>,
    /// Extents of the inlined calls, by number.
    inlined: Vec<(Extent, u32)>,
}

struct Level<'a> {
    name: NameRef<'a>,
    parent: u32,
    call_file: Option<u64>,
    call_line: u32,
}

/// Where in the tree of a unit the walk is.
#[derive(Clone, Copy)]
struct Place {
    depth: isize,
    /// Position in the unit's functions, and the level there; `None` in a declaration or abstract instance.
    inside: Option<(usize, u32)>,
}

/// The functions of a module.
#[derive(Debug, Default)]
pub(super) struct NamedFunctions {
    /// Disjoint, ascending: extent and scope.
    pub(super) extents: Vec<(Extent, u32)>,
    /// Scope of the function that starts at an address.
    pub(super) by_entry: BTreeMap<u64, u32>,
    /// How many functions have code.
    pub(super) count: u64,
}

/// Collects functions unit by unit.
pub(super) struct FunctionCollector<'a, 'i> {
    image: &'i Image<'i>,
    symbols: &'i Symbols,
    info: &'i DebugInfo<'a>,
    budget: Budget,
    claims: Claims,
    found: NamedFunctions,
    /// Inlined functions by the offset of their abstract instance. Only looked up, never iterated.
    inlined: HashMap<usize, u32>,
    damaged: u64,
}

impl<'a, 'i> FunctionCollector<'a, 'i> {
    pub(super) fn new(image: &'i Image<'i>, symbols: &'i Symbols, info: &'i DebugInfo<'a>, budget: Budget) -> Self {
        let (claims, found) = (Claims::default(), NamedFunctions::default());
        Self { image, symbols, info, budget, claims, found, inlined: HashMap::new(), damaged: 0 }
    }

    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    pub(super) fn finish(mut self) -> NamedFunctions {
        self.found.extents.sort_unstable();
        self.found
    }

    /// Adds the functions of one unit.
    pub(super) fn collect(&mut self, sink: &mut UnitSink<'a, '_>) -> Result<(), SymbolizeError> {
        let mut functions = Vec::new();
        // What was found before the damage counts.
        if self.walk(sink.unit, &mut functions)?.is_err() {
            self.damaged += 1;
        }
        for function in functions {
            self.emit(&function, sink);
        }
        Ok(())
    }

    fn walk(&mut self, unit: &Unit<Slice<'a>>, functions: &mut Vec<Physical<'a>>) -> Result<gimli::Result<()>, SymbolizeError> {
        let mut entries = match unit.entries_raw(None) {
            Ok(entries) => entries,
            Err(error) => return Ok(Err(error)),
        };
        let mut places: Vec<Place> = Vec::new();
        while !entries.is_empty() {
            let depth = entries.next_depth();
            let abbreviation = match entries.read_abbreviation() {
                Ok(Some(abbreviation)) => abbreviation,
                Ok(None) => continue,
                Err(error) => return Ok(Err(error)),
            };
            while places.last().is_some_and(|place| place.depth >= depth) {
                places.pop();
            }
            let around = places.last().and_then(|place| place.inside);
            let tag = abbreviation.tag();
            let is_function = tag == constants::DW_TAG_subprogram;
            let is_inlined = tag == constants::DW_TAG_inlined_subroutine && around.is_some();
            if !is_function && !is_inlined {
                if let Err(error) = entries.skip_attributes(abbreviation.attributes()) {
                    return Ok(Err(error));
                }
                continue;
            }
            let die = match Die::read(self.info, unit, &mut entries, abbreviation) {
                Ok(die) => die,
                Err(error) => return Ok(Err(error)),
            };
            let extents = match die.extents(self.info, unit, self.image.executable(), &mut self.budget)? {
                Ok(extents) => extents,
                Err(error) => return Ok(Err(error)),
            };
            let inside = match around {
                Some(around) if is_inlined => add_inlined(functions, around, &die, extents),
                _ => self.add_function(unit, functions, &die, extents),
            };
            if abbreviation.has_children() {
                places.push(Place { depth, inside });
            }
        }
        Ok(Ok(()))
    }

    /// A function with code of which no earlier unit has told.
    fn add_function(
        &mut self,
        unit: &Unit<Slice<'a>>,
        functions: &mut Vec<Physical<'a>>,
        die: &Die<'a>,
        extents: Vec<Extent>,
    ) -> Option<(usize, u32)> {
        let entry = die.entry(self.info, unit, &extents)?;
        let extents: Vec<Extent> = extents.into_iter().flat_map(|extent| self.claims.claim(extent)).collect();
        if extents.is_empty() {
            return None;
        }
        let level = Level { name: die.name, parent: 0, call_file: None, call_line: 0 };
        functions.push(Physical { entry, extents, levels: vec![level], inlined: Vec::new() });
        Some((functions.len() - 1, 0))
    }

    fn emit(&mut self, function: &Physical<'a>, sink: &mut UnitSink<'a, '_>) {
        let Some(root) = self.add_root(function, sink) else { return };
        self.found.by_entry.entry(function.entry).or_insert(root);
        self.found.count += 1;
        let mut extents: Vec<(Extent, u32)> = function.extents.iter().map(|&extent| (extent, 0)).collect();
        extents.extend(&function.inlined);
        // Scopes are added when the first address needs them: many inlined calls have no code left.
        let mut scopes = BTreeMap::from([(0, root)]);
        for (extent, number) in flatten_inside_first(&extents) {
            let scope = self.add_scopes(function, number, &mut scopes, sink);
            self.found.extents.push((extent, scope));
        }
    }

    /// The function itself; `None` where neither DWARF nor a symbol names it.
    fn add_root(&mut self, function: &Physical<'a>, sink: &mut UnitSink<'a, '_>) -> Option<u32> {
        let named = function.levels.first().and_then(|level| self.info.name(&level.name));
        let aliases = self.symbols.at(function.entry).map(|group| group.aliases.clone()).unwrap_or_default();
        if named.is_none() && aliases.is_empty() {
            return None;
        }
        let function = sink.table.add_function(Function {
            name: named.unwrap_or_default(),
            source: SymbolSource::Dwarf,
            unsized_symbol: false,
            entry: self.image.relative(function.entry),
            aliases,
        });
        Some(sink.table.add_scope(Scope { function, parent: None, call_file: None, call_line: 0 }))
    }

    /// The scope of a level, with those it lies in.
    fn add_scopes(&mut self, function: &Physical<'a>, number: u32, scopes: &mut BTreeMap<u32, u32>, sink: &mut UnitSink<'a, '_>) -> u32 {
        let level = |number: u32| usize::try_from(number).ok().and_then(|number| function.levels.get(number));
        let mut missing = Vec::new();
        let mut at = number;
        let mut scope = loop {
            match (scopes.get(&at), level(at)) {
                (Some(&known), _) => break Some(known),
                (None, Some(level)) => {
                    missing.push(at);
                    at = level.parent;
                }
                (None, None) => break None,
            }
        };
        for number in missing.into_iter().rev() {
            let Some(level) = level(number) else { continue };
            let function = self.add_inlined_function(&level.name, sink.table);
            let call_file = level.call_file.and_then(|index| sink.file(index));
            let added = sink.table.add_scope(Scope { function, parent: scope, call_file, call_line: level.call_line });
            scopes.insert(number, added);
            scope = Some(added);
        }
        scope.unwrap_or(u32::MAX)
    }

    fn add_inlined_function(&mut self, name: &NameRef<'a>, table: &mut TableBuilder) -> u32 {
        let known = name.only_origin().and_then(|origin| self.inlined.get(&origin.0));
        if let Some(&known) = known {
            return known;
        }
        let number = table.add_function(Function {
            name: self.info.name(name).unwrap_or_default(),
            source: SymbolSource::Dwarf,
            unsized_symbol: false,
            entry: ModuleRelAddr(0),
            aliases: Vec::new(),
        });
        if let Some(origin) = name.only_origin() {
            self.inlined.insert(origin.0, number);
        }
        number
    }
}

/// A call inlined into the level `around`; its extents are cut to the function's when they are flattened.
fn add_inlined<'a>(functions: &mut [Physical<'a>], around: (usize, u32), die: &Die<'a>, extents: Vec<Extent>) -> Option<(usize, u32)> {
    let (position, parent) = around;
    let function = functions.get_mut(position)?;
    let number = u32::try_from(function.levels.len()).ok()?;
    function.levels.push(Level { name: die.name, parent, call_file: die.call_file, call_line: die.call_line });
    function.inlined.extend(extents.into_iter().map(|extent| (extent, number)));
    Some((position, number))
}
