//! The files that the commands of an explanation read: signed bytes, signatures, keys, log entries, checkpoints, the table.

use std::path::Path;
use std::sync::Arc;

use sealtrace_bundle::VerifiedStatement;
use sealtrace_case::Signature;
use sealtrace_console::{ExitCode, Failure, Overwrite, write_atomic};
use sealtrace_digest::BlobDigest;
use sealtrace_envelope::encode_base64;
use sealtrace_layout::{MAX_MANIFEST_BYTES, media};
use sealtrace_symbols::BlobRef;
use sealtrace_tlog::SignedCheckpoint;

use crate::judge::Judged;
use crate::world::World;

/// The largest layer read for a table (as `sealtrace-resolve`).
const MAX_LAYER_BYTES: u64 = 2 << 30;

/// A signed and logged statement, in parts.
pub(crate) struct Logged {
    pub(crate) signer: String,
    pub(crate) pae: Vec<u8>,
    pub(crate) signature: Vec<u8>,
    pub(crate) signer_pem: String,
    pub(crate) origin: String,
    pub(crate) index: u64,
    pub(crate) size: u64,
    pub(crate) root: String,
    /// As the checkpoint's third line spells it.
    pub(crate) root_base64: String,
    pub(crate) leaf: String,
    pub(crate) entry: Vec<u8>,
    pub(crate) checkpoint: String,
    pub(crate) checkpoint_body: String,
    pub(crate) checkpoint_signature: Vec<u8>,
    pub(crate) log_pem: String,
}

/// All materials of one explanation.
#[derive(Default)]
pub(crate) struct Materials {
    pub(crate) capture: Vec<u8>,
    pub(crate) trace: Option<Logged>,
    pub(crate) bundle: Option<Logged>,
    pub(crate) manifest: Vec<u8>,
    pub(crate) index: Vec<u8>,
    table: Option<Vec<u8>>,
}

impl Materials {
    /// Collects what the explanation of a frame named by `bundle` needs; `table`: the part that named it.
    pub(crate) fn collect(judged: &Judged, world: &World, bundle: Option<BlobDigest>, table: Option<&BlobRef>) -> Result<Self, Failure> {
        let mut materials = Self { capture: judged.capture_bytes.clone(), ..Self::default() };
        if let Signature::Verified(statement) = &judged.trace.signature {
            materials.trace = Some(Logged::of(statement, world)?);
        }
        let Some(bundle) = judged.bundles.iter().find(|one| Some(one.digest()) == bundle) else { return Ok(materials) };
        materials.bundle = Some(Logged::of(bundle.statement(), world)?);
        let read = |digest: &BlobDigest, limit| {
            world.blobs.blob(digest, limit).map_err(|error| Failure::from_error(ExitCode::NoVerdict, "store", &error))
        };
        materials.manifest = read(&bundle.digest(), u64::try_from(MAX_MANIFEST_BYTES).unwrap_or(u64::MAX))?.to_vec();
        if let Some(layer) = bundle.manifest().layers.iter().find(|layer| layer.media_type == media::SYMBOL_INDEX) {
            materials.index = read(&layer.digest, MAX_LAYER_BYTES)?.to_vec();
        }
        if let Some(part) = table {
            let layer: Arc<[u8]> = read(&part.layer, MAX_LAYER_BYTES)?;
            let range = usize::try_from(part.offset).ok().zip(usize::try_from(part.size).ok());
            materials.table = range.and_then(|(start, size)| layer.get(start..start.checked_add(size)?)).map(<[u8]>::to_vec);
        }
        Ok(materials)
    }

    /// Writes all files into a new folder.
    pub(crate) fn write(&self, folder: &Path) -> Result<(), Failure> {
        std::fs::create_dir(folder).map_err(|error| Failure::io("create", folder, &error).hint("name a folder that does not exist yet"))?;
        let mut files: Vec<(String, &[u8])> = vec![("capture.jsonl".to_owned(), &self.capture)];
        for (prefix, logged) in [("trace", &self.trace), ("bundle", &self.bundle)] {
            files.extend(logged.iter().flat_map(|logged| logged.files(prefix)));
        }
        if self.bundle.is_some() {
            files.push(("bundle.manifest.json".to_owned(), &self.manifest));
            files.push(("bundle.symbol_index.json".to_owned(), &self.index));
        }
        files.extend(self.table.iter().map(|table| ("table.bin".to_owned(), table.as_slice())));
        files.iter().try_for_each(|(name, bytes)| write_atomic(&folder.join(name), bytes, Overwrite::Refuse))
    }
}

impl Logged {
    fn of(statement: &VerifiedStatement, world: &World) -> Result<Self, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::from_error(ExitCode::NoVerdict, "explain", error);
        let log = statement.log();
        let signer = world.judging.trust.signer(statement.signer());
        let signer_pem = signer.map(|key| key.to_pem().map_err(|error| failed(&error))).transpose()?.unwrap_or_default();
        let signature = statement.envelope().one_signature().map_err(|error| failed(&error))?;
        let checkpoint = SignedCheckpoint::parse(log.checkpoint()).map_err(|error| failed(&error))?;
        Ok(Self {
            signer: statement.signer().hex(),
            pae: statement.envelope().pae(),
            signature: signature.sig.clone(),
            signer_pem,
            origin: log.origin().to_owned(),
            index: log.index().0,
            size: log.tree_size().0,
            root: log.root().hex(),
            root_base64: encode_base64(log.root().as_bytes()),
            leaf: log.leaf().hex(),
            entry: log.body().to_vec(),
            checkpoint: log.checkpoint().to_owned(),
            checkpoint_body: checkpoint.checkpoint().text(),
            checkpoint_signature: checkpoint.signature_of(log.log()).map(<[u8]>::to_vec).unwrap_or_default(),
            log_pem: log.log().key.to_pem().map_err(|error| failed(&error))?,
        })
    }

    fn files(&self, prefix: &str) -> Vec<(String, &[u8])> {
        vec![
            (format!("{prefix}.pae"), self.pae.as_slice()),
            (format!("{prefix}.sig"), self.signature.as_slice()),
            (format!("{prefix}.signer.pem"), self.signer_pem.as_bytes()),
            (format!("{prefix}.entry.json"), self.entry.as_slice()),
            (format!("{prefix}.checkpoint"), self.checkpoint.as_bytes()),
            (format!("{prefix}.checkpoint.body"), self.checkpoint_body.as_bytes()),
            (format!("{prefix}.checkpoint.sig"), self.checkpoint_signature.as_slice()),
            (format!("{prefix}.log.pem"), self.log_pem.as_bytes()),
        ]
    }
}
