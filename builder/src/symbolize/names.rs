//! The units of `.debug_info`, and the names of its entries, followed across units.

use gimli::{AttributeValue, DebugInfoOffset, Dwarf, Unit, UnitOffset, UnitType, constants};

use super::Slice;

/// How many origins and specifications are followed from one entry: 16 (ours; an instance, its abstract instance and their
/// declaration need two).
const MAX_ORIGIN_HOPS: usize = 16;

/// `.debug_info`, parsed as far as the units' root entries.
#[derive(Debug)]
pub(super) struct DebugInfo<'a> {
    dwarf: &'a Dwarf<Slice<'a>>,
    /// In the order of the section, so by offset.
    units: Vec<Unit<Slice<'a>>>,
    damaged: u64,
}

/// The name of a function as its entry gives it: here, or where the entry points to.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct NameRef<'a> {
    /// `DW_AT_linkage_name`.
    pub(super) linkage: Option<Slice<'a>>,
    /// `DW_AT_name`.
    pub(super) plain: Option<Slice<'a>>,
    /// `DW_AT_abstract_origin` or `DW_AT_specification`.
    pub(super) origin: Option<DebugInfoOffset>,
}

impl<'a> DebugInfo<'a> {
    pub(super) fn parse(dwarf: &'a Dwarf<Slice<'a>>) -> Self {
        let mut info = Self { dwarf, units: Vec::new(), damaged: 0 };
        let mut headers = dwarf.units();
        loop {
            match headers.next() {
                Ok(Some(header)) => match dwarf.unit(header) {
                    Ok(unit) => info.push(unit),
                    Err(_damaged) => info.damaged += 1,
                },
                Ok(None) => break,
                Err(_damaged) => {
                    info.damaged += 1;
                    break;
                }
            }
        }
        info
    }

    fn push(&mut self, unit: Unit<Slice<'a>>) {
        // The functions of a skeleton unit are in a .dwo file; its lines are here.
        if unit.dwo_id.is_some() || matches!(unit.header.type_(), UnitType::Skeleton(_)) {
            self.damaged += 1;
        }
        self.units.push(unit);
    }

    pub(super) fn dwarf(&self) -> &'a Dwarf<Slice<'a>> {
        self.dwarf
    }

    pub(super) fn units(&self) -> impl Iterator<Item = &Unit<Slice<'a>>> {
        self.units.iter()
    }

    pub(super) fn damaged(&self) -> u64 {
        self.damaged
    }

    /// A string attribute; `None` where it lies in a file that is not read.
    pub(super) fn string(&self, unit: &Unit<Slice<'a>>, value: AttributeValue<Slice<'a>>) -> Option<Slice<'a>> {
        self.dwarf.attr_string(unit, value).ok().filter(|text| !text.is_empty())
    }

    /// The name of a function: the nearest linkage name, else the nearest plain one.
    pub(super) fn name(&self, name: &NameRef<'a>) -> Option<String> {
        let (mut linkage, mut plain) = (name.linkage, name.plain);
        let mut next = name.origin;
        for _ in 0..MAX_ORIGIN_HOPS {
            let (None, Some(origin)) = (linkage, next) else { break };
            let Some(found) = self.name_at(origin) else { break };
            linkage = found.linkage;
            plain = plain.or(found.plain);
            next = found.origin;
        }
        linkage.or(plain).map(|text| String::from_utf8_lossy(text.slice()).into_owned())
    }

    fn name_at(&self, at: DebugInfoOffset) -> Option<NameRef<'a>> {
        let (unit, offset) = self.unit_at(at)?;
        let entry = unit.entry(offset).ok()?;
        let mut name = NameRef::default();
        for attribute in entry.attrs() {
            name.read(self, unit, attribute.name(), attribute.value());
        }
        Some(name)
    }

    fn unit_at(&self, at: DebugInfoOffset) -> Option<(&Unit<Slice<'a>>, UnitOffset)> {
        let starts_before = |unit: &Unit<Slice<'a>>| unit.header.debug_info_offset().is_some_and(|start| start <= at);
        let after = self.units.partition_point(starts_before);
        let unit = self.units.get(after.checked_sub(1)?)?;
        Some((unit, at.to_unit_offset(&unit.header)?))
    }
}

impl<'a> NameRef<'a> {
    /// Takes an attribute if it has to do with the name.
    pub(super) fn read(
        &mut self,
        info: &DebugInfo<'a>,
        unit: &Unit<Slice<'a>>,
        attribute: constants::DwAt,
        value: AttributeValue<Slice<'a>>,
    ) {
        match attribute {
            constants::DW_AT_linkage_name | constants::DW_AT_MIPS_linkage_name => self.linkage = info.string(unit, value),
            constants::DW_AT_name => self.plain = info.string(unit, value),
            constants::DW_AT_abstract_origin | constants::DW_AT_specification => {
                self.origin = match value {
                    AttributeValue::UnitRef(offset) => offset.to_debug_info_offset(&unit.header),
                    AttributeValue::DebugInfoRef(offset) => Some(offset),
                    // A supplementary file (dwz) or a type unit.
                    _ => None,
                };
            }
            _ => {}
        }
    }

    /// Whether the origin alone decides the name, so that it can be remembered under it.
    pub(super) fn only_origin(&self) -> Option<DebugInfoOffset> {
        self.origin.filter(|_| self.linkage.is_none() && self.plain.is_none())
    }
}
