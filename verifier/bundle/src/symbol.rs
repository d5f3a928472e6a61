//! From the parts of a symbol bundle to a [`VerifiedBundle`]: signature, log, tile fragment, manifest and index agree.

use std::sync::Arc;

use sealtrace_digest::{BlobDigest, FileSha256, KeyId};
use sealtrace_envelope::Statement;
use sealtrace_json::JsonError;
use sealtrace_layout::{Blobs, Manifest, media};
use sealtrace_symbols::{BlobRef, SymbolIndex};
use sealtrace_tlog::{Fragment, FragmentEntry, VerifiedFragment};
use sealtrace_trust::Trust;
use sealtrace_verdict::{Assurance, Checks, Verdict};
use serde::{Deserialize, Serialize};

use crate::judge::judge;
use crate::layers::{ModuleBlobError, check_index_layers, module_blob};
use crate::log::LogPosition;
use crate::statement::{Genuine, SignedStatement, VerifiedStatement, open_genuine};

/// The predicate type of a symbol bundle's statement.
pub const SYMBOL_BUNDLE_PREDICATE: &str = "https://sealtrace.dev/attestation/symbol-bundle/v0";

/// Most characters shown of a name that is refused (ours).
const MAX_SHOWN_NAME: usize = 120;

/// The predicate of a symbol bundle's statement.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SymbolBundlePredicate {
    /// Release name.
    pub name: String,
    /// Release version.
    pub version: String,
    /// SHA-256 of `symbol_index.json`.
    pub index_sha256: FileSha256,
    /// What built it.
    pub builder: BuilderIdentity,
}

/// The program that built a bundle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BuilderIdentity {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The statement to sign for a bundle manifest.
///
/// # Errors
/// When the predicate has no JSON form, which no text makes happen.
pub fn symbol_bundle_statement(manifest: &BlobDigest, predicate: &SymbolBundlePredicate) -> Result<Statement, JsonError> {
    let name = format!("{}:{}", predicate.name, predicate.version);
    Statement::new(&name, manifest.as_bytes(), SYMBOL_BUNDLE_PREDICATE, predicate)
}

/// The bytes a symbol bundle is verified from.
#[derive(Debug, Clone, Copy)]
pub struct SymbolBundleInput<'a> {
    /// The bundle manifest.
    pub manifest: &'a [u8],
    /// The attached Sigstore bundle.
    pub signature: Option<&'a [u8]>,
    /// The attached tile fragment.
    pub fragment: Option<&'a [u8]>,
    /// `symbol_index.json`.
    pub index: &'a [u8],
}

/// A symbol bundle for which every check held. Made by [`verify_symbol_bundle`] only.
#[derive(Debug, Clone)]
pub struct VerifiedBundle {
    digest: BlobDigest,
    manifest: Manifest,
    index: SymbolIndex,
    predicate: SymbolBundlePredicate,
    statement: VerifiedStatement,
    fragment: VerifiedFragment,
}

impl VerifiedBundle {
    /// Digest of the bundle manifest: the bundle's identity.
    pub fn digest(&self) -> BlobDigest {
        self.digest
    }

    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The index.
    pub fn index(&self) -> &SymbolIndex {
        &self.index
    }

    /// Signed release name.
    pub fn name(&self) -> &str {
        &self.predicate.name
    }

    /// Signed release version.
    pub fn version(&self) -> &str {
        &self.predicate.version
    }

    /// What is signed about it.
    pub fn predicate(&self) -> &SymbolBundlePredicate {
        &self.predicate
    }

    /// The signed and logged statement.
    pub fn statement(&self) -> &VerifiedStatement {
        &self.statement
    }

    /// The key that signed.
    pub fn signer(&self) -> KeyId {
        self.statement.signer()
    }

    /// Where it is logged.
    pub fn log(&self) -> &LogPosition {
        self.statement.log()
    }

    /// The checkpoint of the bundle's own inclusion proof, verbatim.
    pub fn checkpoint(&self) -> &str {
        self.statement.log().checkpoint()
    }

    /// The verified tile fragment.
    pub fn fragment(&self) -> &VerifiedFragment {
        &self.fragment
    }

    /// The fragment's checkpoint, verbatim: the newest one that travelled with the bundle.
    pub fn fragment_checkpoint(&self) -> &str {
        self.fragment.checkpoint().text()
    }

    /// The stored bytes of a part of this bundle, digest compared; see [`module_blob`].
    ///
    /// # Errors
    /// [`ModuleBlobError`]
    pub fn module_blob(&self, blobs: &dyn Blobs, part: &BlobRef) -> Result<Arc<[u8]>, ModuleBlobError> {
        let layer = self.manifest.layers.iter().find(|layer| layer.digest == part.layer);
        let layer = layer.ok_or(ModuleBlobError::Range { layer: part.layer, offset: part.offset, size: part.size })?;
        module_blob(blobs, part, layer.size)
    }
}

/// Verifies a symbol bundle. The verdict lists every check; the bundle is there only when all of them held.
pub fn verify_symbol_bundle(input: &SymbolBundleInput<'_>, trust: &Trust) -> (Verdict, Option<VerifiedBundle>) {
    let mut checks = Checks::new();
    let bundle = open_bundle(input, trust, &mut checks).filter(|_| checks.holds());
    let assurance = bundle.as_ref().map_or(Assurance::None, |bundle| bundle.statement.assurance());
    (checks.conclude(assurance), bundle)
}

fn open_bundle(input: &SymbolBundleInput<'_>, trust: &Trust, checks: &mut Checks) -> Option<VerifiedBundle> {
    let digest = BlobDigest::of(input.manifest);
    let manifest = match Manifest::parse(input.manifest) {
        Ok(manifest) => {
            checks.pass("manifest-shape", &digest.to_string());
            Some(manifest)
        }
        Err(error) => {
            checks.malformed("manifest-shape", &error.to_string());
            None
        }
    };
    if let Some(manifest) = &manifest {
        checks.compare("artifact-type", media::SYMBOL_BUNDLE, &manifest.artifact_type);
    }
    let genuine = match input.signature {
        Some(signature) => open_genuine(signature, trust, checks),
        None => {
            checks.undecided("dsse-signature", "no signature is attached to the bundle");
            None
        }
    };
    let genuine = genuine.unwrap_or(Genuine { signed: None, log: None });
    let both = genuine.signed.as_ref().filter(|_| genuine.log.is_some());
    let predicate = both.and_then(|signed| check_statement(signed, digest, input.index, checks));
    let index = check_index(input.index, manifest.as_ref(), predicate.as_ref(), checks);
    let position = genuine.log.as_ref().filter(|_| genuine.signed.is_some());
    let fragment = check_fragment(input.fragment, position, checks);
    let statement = judge(genuine, fragment.as_ref(), trust, checks);
    Some(VerifiedBundle { digest, manifest: manifest?, index: index?, predicate: predicate?, statement: statement?, fragment: fragment? })
}

/// `subject-digest`, `predicate-type`, `predicate-shape`, `index-digest`.
fn check_statement(statement: &SignedStatement, digest: BlobDigest, index: &[u8], checks: &mut Checks) -> Option<SymbolBundlePredicate> {
    let said = statement.statement();
    let subjects: Vec<&str> = said.subject.iter().map(|subject| subject.digest.sha256.as_str()).collect();
    checks.compare("subject-digest", &digest.hex(), &subjects.join(" "));
    if !checks.compare("predicate-type", SYMBOL_BUNDLE_PREDICATE, &said.predicate_type) {
        return None;
    }
    match said.predicate::<SymbolBundlePredicate>() {
        Ok(predicate) => {
            checks.pass("predicate-shape", &format!("{}:{}", predicate.name, predicate.version));
            checks.compare("index-digest", &predicate.index_sha256.hex(), &FileSha256::of(index).hex());
            Some(predicate)
        }
        Err(error) => {
            checks.malformed("predicate-shape", &error.to_string());
            None
        }
    }
}

/// `index-layer`, `index-shape`, `name-version`, `index-layers`.
fn check_index(
    bytes: &[u8],
    manifest: Option<&Manifest>,
    predicate: Option<&SymbolBundlePredicate>,
    checks: &mut Checks,
) -> Option<SymbolIndex> {
    if let Some(manifest) = manifest {
        let layers = manifest.layers.iter().filter(|layer| layer.media_type == media::SYMBOL_INDEX);
        let digests: Vec<String> = layers.map(|layer| layer.digest.to_string()).collect();
        checks.compare("index-layer", &BlobDigest::of(bytes).to_string(), &digests.join(" "));
    }
    let index = match SymbolIndex::parse(bytes) {
        Ok(index) => index,
        Err(error) => {
            checks.malformed("index-shape", &error.to_string());
            return None;
        }
    };
    checks.pass("index-shape", &format!("{} modules", index.modules.len()));
    if let Some(predicate) = predicate {
        check_name_version(predicate, &index, checks);
    }
    if let Some(manifest) = manifest {
        checks.result("index-layers", &format!("{} layers", manifest.layers.len()), check_index_layers(&index, manifest));
    }
    Some(index)
}

/// `name-version`: each of the two fields, since both stand in references (`name:version`) and tags (`NAME-VERSION`), where a
/// separator inside a field would let two releases share one.
fn check_name_version(predicate: &SymbolBundlePredicate, index: &SymbolIndex, checks: &mut Checks) {
    let plain = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte));
    if !plain(&predicate.name) || !plain(&predicate.version) {
        let shown = |text: &str| text.chars().take(MAX_SHOWN_NAME).collect::<String>();
        let found = format!("name {:?}, version {:?}", shown(&predicate.name), shown(&predicate.version));
        checks.fail("name-version", &format!("{found}: expected one or more of A-Z a-z 0-9 . _ - in each"));
        return;
    }
    // A space is in no plain field, so the joined texts are equal only where both fields are.
    let signed = format!("{} {}", predicate.name, predicate.version);
    checks.compare("name-version", &signed, &format!("{} {}", index.name, index.version));
}

/// `fragment-shape`, `fragment-checkpoint`, `fragment-leaf`, `fragment-inclusion`.
fn check_fragment(tar: Option<&[u8]>, position: Option<&LogPosition>, checks: &mut Checks) -> Option<VerifiedFragment> {
    let Some(tar) = tar else {
        checks.undecided("fragment-shape", "no tile fragment is attached to the bundle");
        return None;
    };
    let fragment = match Fragment::parse(tar) {
        Ok(fragment) => fragment,
        Err(error) => {
            checks.malformed("fragment-shape", &error.to_string());
            return None;
        }
    };
    checks.pass("fragment-shape", &format!("{} entries", fragment.entries().len()));
    let Some(position) = position else {
        for id in ["fragment-checkpoint", "fragment-leaf", "fragment-inclusion"] {
            checks.skipped(id, "the bundle's own log entry did not verify");
        }
        return None;
    };
    let tree = fragment.checkpoint().checkpoint().tree;
    let stated = format!("{} size {} root {}", position.origin(), tree.size, tree.root.hex());
    checks.result("fragment-checkpoint", &stated, fragment.verify_checkpoint(position.log()))?;
    check_leaf(fragment.entries().get(&position.index().0), position, checks);
    let found = format!("entry {} of {}", position.index(), tree.size);
    checks.result("fragment-inclusion", &found, fragment.verify(position.log()))
}

fn check_leaf(entry: Option<&FragmentEntry>, position: &LogPosition, checks: &mut Checks) {
    match entry {
        Some(entry) => {
            checks.compare("fragment-leaf", &position.leaf().hex(), &sealtrace_tlog::LeafHash::of(&entry.body).hex());
        }
        None => checks.fail("fragment-leaf", &format!("the fragment does not show entry {}", position.index())),
    }
}
