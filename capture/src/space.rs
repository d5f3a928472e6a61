//! The address space of a live process at one moment: regions, what lies in them, and places for live addresses.

use std::collections::BTreeMap;
use std::rc::Rc;

use sealtrace_trace::RegionKind;
use sealtrace_unwind::{Place, Placement, PlacementError, RegionIndex, Word};

use crate::maps::{Backing, FileKey, Map, Perms};
use crate::memory::ReadImage;
use crate::modules::{LoadedModule, ModuleCache};

/// What makes a region the same one at another moment.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Identity {
    Anonymous,
    Stack,
    Vdso,
    File(FileKey),
    /// A file and where its image base lies.
    Module(FileKey, u64),
}

/// One region. Its addresses are live and never leave this process.
#[derive(Debug, Clone)]
pub(crate) struct LiveRegion {
    pub(crate) identity: Identity,
    pub(crate) start: u64,
    pub(crate) end: u64,
    /// (start, end, protection), ascending.
    pub(crate) maps: Vec<(u64, u64, Perms)>,
    pub(crate) module: Option<Rc<LoadedModule>>,
}

impl LiveRegion {
    pub(crate) fn kind(&self) -> RegionKind {
        match self.identity {
            Identity::Anonymous => RegionKind::Anonymous,
            Identity::Stack => RegionKind::Stack,
            Identity::Vdso => RegionKind::Vdso,
            Identity::File(_) => RegionKind::File,
            Identity::Module(..) => RegionKind::Module,
        }
    }

    fn new(identity: Identity, map: &Map, module: Option<Rc<LoadedModule>>) -> Self {
        Self { identity, start: map.start, end: map.end, maps: vec![(map.start, map.end, map.perms)], module }
    }

    fn push(&mut self, map: &Map) {
        self.end = map.end;
        self.maps.push((map.start, map.end, map.perms));
    }
}

/// The space at one moment.
#[derive(Debug)]
pub(crate) struct Space {
    /// Ascending by start.
    pub(crate) regions: Vec<LiveRegion>,
    /// Where each region lies in the canonical space that the engine walks in.
    pub(crate) placement: Placement,
    /// start of a map → (end, protection, region).
    maps: BTreeMap<u64, (u64, Perms, u32)>,
}

impl Space {
    /// Orders maps into regions.
    pub(crate) fn new(maps: &[Map], modules: &mut ModuleCache, memory: &dyn ReadImage) -> Result<Self, PlacementError> {
        let mut regions = anonymous_and_special(maps, modules, memory);
        let mut by_file: BTreeMap<&FileKey, Vec<&Map>> = BTreeMap::new();
        for map in maps {
            if let Backing::File(key) = &map.backing {
                by_file.entry(key).or_default().push(map);
            }
        }
        for (key, maps) in by_file {
            let runs_code = maps.iter().any(|map| map.perms.execute);
            let module = if runs_code { modules.file(key, &maps, memory) } else { None };
            regions.extend(match module {
                Some(module) => module_regions(key, &maps, &module),
                None => file_regions(key, &maps),
            });
        }
        regions.sort_by_key(|region| region.start);
        Self::from_regions(regions)
    }

    fn from_regions(regions: Vec<LiveRegion>) -> Result<Self, PlacementError> {
        let sizes: Vec<u64> = regions.iter().map(|region| region.end - region.start).collect();
        let placement = Placement::canonical(&sizes)?;
        let mut maps = BTreeMap::new();
        for (index, region) in (0_u32..).zip(&regions) {
            maps.extend(region.maps.iter().map(|&(start, end, perms)| (start, (end, perms, index))));
        }
        Ok(Self { regions, placement, maps })
    }

    fn map(&self, address: u64) -> Option<(Perms, u32)> {
        let (_, &(end, perms, region)) = self.maps.range(..=address).next_back()?;
        (address < end).then_some((perms, region))
    }

    /// The place of a live address, if it is mapped.
    pub(crate) fn place(&self, address: u64) -> Option<Place> {
        let (_, index) = self.map(address)?;
        let region = self.regions.get(usize::try_from(index).ok()?)?;
        Some(Place { region: RegionIndex(index), offset: address.checked_sub(region.start)? })
    }

    /// A live value as a word.
    pub(crate) fn word(&self, value: u64) -> Word {
        match (value, self.place(value)) {
            (0, _) => Word::Null,
            (_, Some(place)) => Word::At(place),
            (_, None) => Word::Invalid,
        }
    }

    pub(crate) fn region(&self, place: Place) -> Option<&LiveRegion> {
        self.regions.get(usize::try_from(place.region.0).ok()?)
    }

    /// The live address of a place.
    pub(crate) fn address(&self, place: Place) -> Option<u64> {
        self.region(place)?.start.checked_add(place.offset)
    }

    /// Code of a module's file at a live address, where it was kept ([`ModuleCache`]).
    pub(crate) fn code(&self, address: u64, length: usize) -> Option<&[u8]> {
        let place = self.place(address)?;
        self.region(place)?.module.as_ref()?.code(place.offset, length)
    }

    /// The protection at a live address.
    pub(crate) fn perms(&self, address: u64) -> Option<Perms> {
        self.map(address).map(|(perms, _)| perms)
    }
}

/// Adjacent anonymous maps are one region: the kernel merges and splits them as protections change.
fn anonymous_and_special(maps: &[Map], modules: &mut ModuleCache, memory: &dyn ReadImage) -> Vec<LiveRegion> {
    let mut regions: Vec<LiveRegion> = Vec::new();
    for map in maps {
        let identity = match &map.backing {
            Backing::Anonymous => Identity::Anonymous,
            Backing::Stack => Identity::Stack,
            Backing::Vdso => Identity::Vdso,
            Backing::File(_) | Backing::Special => continue,
        };
        match regions.last_mut() {
            Some(last) if last.end == map.start && last.identity == identity => last.push(map),
            _ => {
                let module = if identity == Identity::Vdso { modules.vdso(map, memory) } else { None };
                regions.push(LiveRegion::new(identity, map, module));
            }
        }
    }
    regions
}

/// Groups the maps of an object file by load bias; a part without code that is no continuation (the file read as data) is a plain file.
fn module_regions(key: &FileKey, maps: &[&Map], module: &Rc<LoadedModule>) -> Vec<LiveRegion> {
    let mut groups: Vec<(u64, LiveRegion)> = Vec::new();
    for map in maps {
        let biases = module.segments.biases(map.start, map.offset, map.perms.execute);
        match groups.last_mut() {
            Some((bias, group)) if biases.contains(bias) => group.push(map),
            _ => {
                let bias = biases.first().copied().unwrap_or(map.start);
                let base = bias.wrapping_add(module.segments.image_base);
                let mut group = LiveRegion::new(Identity::Module(key.clone(), base), map, Some(Rc::clone(module)));
                if base <= map.start && !biases.is_empty() {
                    group.start = base;
                }
                groups.push((bias, group));
            }
        }
    }
    let as_module = |group: &LiveRegion| {
        let based = matches!(group.identity, Identity::Module(_, base) if base == group.start);
        based && group.maps.iter().any(|(_, _, perms)| perms.execute)
    };
    groups
        .into_iter()
        .map(|(_, mut group)| {
            if !as_module(&group) {
                group.identity = Identity::File(key.clone());
                group.start = group.maps.first().map_or(group.start, |&(start, ..)| start);
                group.module = None;
            }
            group
        })
        .collect()
}

fn file_regions(key: &FileKey, maps: &[&Map]) -> Vec<LiveRegion> {
    let mut regions: Vec<LiveRegion> = Vec::new();
    for map in maps {
        match regions.last_mut() {
            Some(last) if last.end == map.start => last.push(map),
            _ => regions.push(LiveRegion::new(Identity::File(key.clone()), map, None)),
        }
    }
    regions
}
