//! Which module of which bundle serves a region of a capture: matched by identity and, where known, by file SHA-256.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sealtrace_bundle::{VerifiedBundle, exit_of_blob_error};
use sealtrace_digest::BlobDigest;
use sealtrace_layout::{BlobError, Blobs};
use sealtrace_object_id::{IdKind, ModuleId};
use sealtrace_symbols::{BlobRef, Compression, Module, SymbolTable, TableError};
use sealtrace_trace::{Capture, ModuleRecord, RegionKind};
use sealtrace_unwind::{DataError, PlacementError, Registers, UnwindData, Word};
use sealtrace_verdict::ExitCode;

use crate::choice::{Choices, Position};
use crate::vdso::{VdsoError, vdso_table};

/// The largest layer read to get at a table or unwind data: 2 GiB (ours).
const MAX_LAYER_BYTES: u64 = 2 << 30;

/// The modules of one bundle and where its blobs are. The order of modules never matters.
#[derive(Clone)]
pub struct SourceBundle<'a> {
    /// Manifest digest.
    pub digest: BlobDigest,
    /// Modules of its index.
    pub modules: Vec<Module>,
    /// Its blobs.
    pub blobs: &'a dyn Blobs,
}

impl std::fmt::Debug for SourceBundle<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SourceBundle({}, {} modules)", self.digest, self.modules.len())
    }
}

impl<'a> SourceBundle<'a> {
    /// The modules of a verified bundle.
    pub fn of(bundle: &VerifiedBundle, blobs: &'a dyn Blobs) -> Self {
        Self { digest: bundle.digest(), modules: bundle.index().modules.clone(), blobs }
    }
}

/// Why a region has no bundle module.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Unmatched {
    /// It is no module.
    NotAModule,
    /// The module carries no identity and no bundle holds a file with its SHA-256.
    NoIdentity,
    /// No bundle holds its identity.
    NotInBundle,
    /// A bundle holds the identity, but of a file with other contents.
    FileSha256Mismatch,
    /// No register and no word of the read set points there, so nothing was opened.
    NotReferenced,
}

impl Unmatched {
    /// The reason as records spell it.
    pub fn reason(self) -> &'static str {
        match self {
            Self::NotAModule => "not-a-module",
            Self::NoIdentity => "module-without-identity",
            Self::NotInBundle => "module-not-in-bundle",
            Self::FileSha256Mismatch => "file-sha256-mismatch",
            Self::NotReferenced => "not-referenced",
        }
    }
}

/// A module of a bundle, opened.
#[derive(Debug)]
pub struct MatchedModule {
    /// Bundle manifest digest.
    pub bundle: BlobDigest,
    /// The index's row.
    pub module: Module,
    /// Its symbol table.
    pub table: Option<SymbolTable<Arc<[u8]>>>,
    /// Its unwind data.
    pub unwind: Option<UnwindData>,
}

/// What serves one region.
#[derive(Debug)]
pub(crate) enum RegionSource {
    /// A bundle's module, shared by all regions that it serves.
    Bundle(Arc<MatchedModule>),
    /// The vDSO image in the capture.
    Vdso(SymbolTable<Vec<u8>>),
    /// Nothing.
    None(Unmatched),
}

/// Per region of a capture: what serves it.
#[derive(Debug)]
pub struct Sources {
    regions: Vec<RegionSource>,
    used: Vec<Arc<MatchedModule>>,
}

/// Why a capture cannot be resolved.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ResolveError {
    /// A blob of a bundle is missing or has other content.
    #[error("module {module}: {source}")]
    Blob {
        /// Path of the module in its bundle.
        module: String,
        /// The reason.
        source: BlobError,
    },
    /// A part reaches past its layer, is compressed, or has another digest than the index says.
    #[error("module {module}: its part of layer {layer} does not match the index: {what}")]
    Part {
        /// Path of the module in its bundle.
        module: String,
        /// The layer.
        layer: BlobDigest,
        /// What differs.
        what: &'static str,
    },
    /// A symbol table is damaged.
    #[error("module {module}: {source}")]
    Table {
        /// Path of the module in its bundle.
        module: String,
        /// The reason.
        source: TableError,
    },
    /// Unwind data is damaged.
    #[error("module {module}: {source}")]
    Unwind {
        /// Path of the module in its bundle.
        module: String,
        /// The reason.
        source: DataError,
    },
    /// The capture's vDSO image is damaged.
    #[error("vDSO image of the capture: {0}")]
    Vdso(VdsoError),
    /// The regions have no placement.
    #[error("capture regions: {0}")]
    Placement(PlacementError),
    /// The capture has no sample.
    #[error("the capture holds no sample")]
    NoSample,
    /// The capture names no main binary and nothing else that could be a subject.
    #[error("statement cannot be encoded: {0}")]
    Encode(sealtrace_json::JsonError),
}

impl ResolveError {
    /// The exit code that goes with it: content that is not what a digest says is rejected, what is not there leaves no verdict.
    pub fn exit(&self) -> ExitCode {
        match self {
            Self::Blob { source, .. } => exit_of_blob_error(source),
            Self::Part { .. } => ExitCode::Rejected,
            Self::NoSample => ExitCode::NoVerdict,
            Self::Table { .. } | Self::Unwind { .. } | Self::Vdso(_) | Self::Placement(_) | Self::Encode(_) => ExitCode::Malformed,
        }
    }
}

impl Sources {
    /// Matches every region that the read set points into and opens what serves it.
    ///
    /// # Errors
    /// [`ResolveError`] when a blob that the index names is missing or damaged. A module that no bundle holds is no error.
    pub fn open(capture: &Capture, bundles: &[SourceBundle<'_>]) -> Result<Self, ResolveError> {
        let referenced = referenced(capture);
        let choices = Choices::new(bundles);
        let mut opened = Opened::default();
        let regions = (0_u32..).zip(&capture.header.regions).map(|(index, region)| match (region.kind, &region.module, &region.image) {
            (RegionKind::Module | RegionKind::Vdso, ..) if !referenced.contains(&index) => Ok(RegionSource::None(Unmatched::NotReferenced)),
            (RegionKind::Module, Some(record), _) => opened.module(record, &choices),
            (RegionKind::Vdso, Some(_), Some(image)) => vdso_table(image).map(RegionSource::Vdso).map_err(ResolveError::Vdso),
            _ => Ok(RegionSource::None(Unmatched::NotAModule)),
        });
        let regions = regions.collect::<Result<_, _>>()?;
        Ok(Self { regions, used: opened.in_order })
    }

    /// The bundle modules opened, each once, in order of the first region that it serves.
    pub fn used(&self) -> impl Iterator<Item = &MatchedModule> {
        self.used.iter().map(AsRef::as_ref)
    }

    /// The bundle module that serves a region.
    ///
    /// # Errors
    /// [`Unmatched`] says why none does.
    pub fn matched(&self, region: sealtrace_unwind::RegionIndex) -> Result<&MatchedModule, Unmatched> {
        match self.region(region) {
            Some(RegionSource::Bundle(matched)) => Ok(matched),
            Some(RegionSource::None(why)) => Err(*why),
            Some(RegionSource::Vdso(_)) | None => Err(Unmatched::NotAModule),
        }
    }

    pub(crate) fn region(&self, region: sealtrace_unwind::RegionIndex) -> Option<&RegionSource> {
        self.regions.get(usize::try_from(region.0).ok()?)
    }
}

/// Every region that an instruction pointer or a word of the read set points into: a superset of those that frames lie in.
fn referenced(capture: &Capture) -> BTreeSet<u32> {
    let words = capture.samples.iter().flat_map(|sample| {
        let ip = sample.registers.0.get(&Registers::IP).copied();
        ip.into_iter().chain(sample.words.iter().map(|&(_, word)| word))
    });
    words
        .filter_map(|word| match word {
            Word::At(place) => Some(place.region.0),
            Word::Null | Word::Invalid => None,
        })
        .collect()
}

/// The identity of a module, or its file's SHA-256 as a name where it carries none.
pub(crate) fn module_id(record: &ModuleRecord) -> Option<ModuleId> {
    let by_sha256 = || record.file_sha256.map(|sha256| ModuleId { kind: IdKind::FileSha256, id: sha256.to_string() });
    record.ids.primary().or_else(by_sha256)
}

/// The modules opened so far: as many regions as there are of one module, it is opened once.
#[derive(Default)]
struct Opened {
    by_position: BTreeMap<Position, Arc<MatchedModule>>,
    /// In order of the first region that each serves.
    in_order: Vec<Arc<MatchedModule>>,
}

impl Opened {
    fn module(&mut self, record: &ModuleRecord, choices: &Choices<'_, '_>) -> Result<RegionSource, ResolveError> {
        let chosen = match choices.of(record) {
            Ok(chosen) => chosen,
            Err(why) => return Ok(RegionSource::None(why)),
        };
        if let Some(opened) = self.by_position.get(&chosen.position) {
            return Ok(RegionSource::Bundle(Arc::clone(opened)));
        }
        let opened = Arc::new(open(chosen.bundle, chosen.module)?);
        self.by_position.insert(chosen.position, Arc::clone(&opened));
        self.in_order.push(Arc::clone(&opened));
        Ok(RegionSource::Bundle(opened))
    }
}

fn open(bundle: &SourceBundle<'_>, module: &Module) -> Result<MatchedModule, ResolveError> {
    let path = || module.path.clone();
    let table = match &module.table {
        Some(part) => {
            let bytes = read_part(bundle.blobs, module, part)?;
            Some(SymbolTable::open(bytes).map_err(|source| ResolveError::Table { module: path(), source })?)
        }
        None => None,
    };
    let unwind = match &module.unwind {
        Some(part) => {
            let bytes = read_part(bundle.blobs, module, part)?;
            Some(UnwindData::parse(&bytes).map_err(|source| ResolveError::Unwind { module: path(), source })?)
        }
        None => None,
    };
    Ok(MatchedModule { bundle: bundle.digest, module: module.clone(), table, unwind })
}

fn read_part(blobs: &dyn Blobs, module: &Module, part: &BlobRef) -> Result<Arc<[u8]>, ResolveError> {
    let wrong = |what| ResolveError::Part { module: module.path.clone(), layer: part.layer, what };
    let layer = blobs.blob(&part.layer, MAX_LAYER_BYTES).map_err(|source| ResolveError::Blob { module: module.path.clone(), source })?;
    if part.compression != Compression::None {
        return Err(wrong("tables and unwind data are stored uncompressed"));
    }
    let range = usize::try_from(part.offset).ok().zip(usize::try_from(part.size).ok());
    let bytes = range.and_then(|(start, size)| layer.get(start..start.checked_add(size)?)).ok_or_else(|| wrong("out of bounds"))?;
    if BlobDigest::of(bytes) != part.digest {
        return Err(wrong("digest"));
    }
    Ok(if bytes.len() == layer.len() { layer } else { Arc::from(bytes) })
}
