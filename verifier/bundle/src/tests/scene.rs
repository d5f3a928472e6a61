//! A symbol bundle, signed and logged in memory, with one thing changed at the moment where it takes effect.
#![expect(clippy::as_conversions, reason = "counts of test data are small")]

use std::collections::BTreeMap;
use std::sync::Arc;

use p256::ecdsa::signature::Signer as _;
use p256::ecdsa::{DerSignature, SigningKey};
use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_envelope::{
    EntryBody, Envelope, EnvelopeSignature, InclusionProof, LogEntry, PAYLOAD_TYPE_IN_TOTO, PublicKey, SigstoreBundle, Statement, pae,
};
use sealtrace_layout::archive::FileLimits;
use sealtrace_layout::{BlobError, Blobs, Descriptor, Manifest, media, read_files, write_files};
use sealtrace_object_id::{Arch, ObjectIds, Os};
use sealtrace_symbols::{BlobRef, BtfEntry, Compression, Coverage, Module, SymbolIndex};
use sealtrace_tlog::{
    Checkpoint, Fragment, FragmentSource, LeafHash, LeafIndex, LogKey, Origin, SignedCheckpoint, TileId, TileReader, TreeHead, TreeSize,
    inclusion_proof, root_of_leaves, tiles_of_leaves,
};
use sealtrace_trust::{Trust, TrustedLog};
use sealtrace_verdict::Verdict;

use crate::{BuilderIdentity, SYMBOL_BUNDLE_PREDICATE, SymbolBundleInput, SymbolBundlePredicate, VerifiedBundle, verify_symbol_bundle};

/// The bundle's position in the log, which holds four other entries.
const INDEX: usize = 2;

pub(super) fn signing_key(scalar: u8) -> SigningKey {
    SigningKey::from_slice(&[scalar; 32]).unwrap()
}

pub(super) fn public(key: &SigningKey) -> PublicKey {
    PublicKey::from_verifying_key(*key.verifying_key()).unwrap()
}

pub(super) fn sign(key: &SigningKey, message: &[u8]) -> Vec<u8> {
    let signature: DerSignature = key.sign(message);
    signature.as_bytes().to_vec()
}

pub(super) fn log_key(scalar: u8, origin: &str) -> LogKey {
    LogKey { origin: Origin::parse(origin).unwrap(), key: public(&signing_key(scalar)) }
}

pub(super) fn trust_of(signers: &[u8], logs: &[(u8, &str)]) -> Trust {
    let mut trust = Trust::default();
    for &signer in signers {
        trust.add_signer(public(&signing_key(signer)));
    }
    for (scalar, origin) in logs {
        trust.add_log(TrustedLog::new(log_key(*scalar, origin))).unwrap();
    }
    trust
}

/// The bytes a verification starts from.
#[derive(Clone)]
pub(super) struct Parts {
    pub(super) manifest: Vec<u8>,
    pub(super) signature: Option<Vec<u8>>,
    pub(super) fragment: Option<Vec<u8>>,
    pub(super) index: Vec<u8>,
    pub(super) trust: Trust,
}

impl Parts {
    pub(super) fn verify(&self) -> (Verdict, Option<VerifiedBundle>) {
        let input = SymbolBundleInput {
            manifest: &self.manifest,
            signature: self.signature.as_deref(),
            fragment: self.fragment.as_deref(),
            index: &self.index,
        };
        verify_symbol_bundle(&input, &self.trust)
    }
}

/// What is different from a good bundle.
pub(super) struct Scene {
    pub(super) trust: Trust,
    pub(super) payload: Option<Vec<u8>>,
    pub(super) payload_type: &'static str,
    pub(super) signature: Option<fn(&mut EnvelopeSignature)>,
    pub(super) body: Option<fn(&mut EntryBody)>,
    pub(super) origin_line: &'static str,
    pub(super) artifact_type: &'static str,
    pub(super) subject: Option<[u8; 32]>,
    pub(super) predicate_type: &'static str,
    pub(super) extra_predicate_field: bool,
    pub(super) signed_index: Option<&'static [u8]>,
    pub(super) listed_index: Option<&'static [u8]>,
    pub(super) signed_name: &'static str,
    pub(super) signed_version: &'static str,
    pub(super) index: Option<Vec<u8>>,
    pub(super) leave_out_btf_layer: bool,
    pub(super) fragment_log: u8,
    pub(super) fragment_shows: u64,
}

impl Default for Scene {
    fn default() -> Self {
        Self {
            trust: trust_of(&[1], &[(2, "example.org/log")]),
            payload: None,
            payload_type: PAYLOAD_TYPE_IN_TOTO,
            signature: None,
            body: None,
            origin_line: "example.org/log",
            artifact_type: media::SYMBOL_BUNDLE,
            subject: None,
            predicate_type: SYMBOL_BUNDLE_PREDICATE,
            extra_predicate_field: false,
            signed_index: None,
            listed_index: None,
            signed_name: "demo",
            signed_version: "1.0",
            index: None,
            leave_out_btf_layer: false,
            fragment_log: 2,
            fragment_shows: 2,
        }
    }
}

impl Scene {
    pub(super) fn build(self) -> Parts {
        let index = self.index.clone().unwrap_or_else(|| symbol_index(Vec::new()).encode().unwrap());
        let manifest = self.manifest(&index);
        let envelope = self.envelope(&manifest, &index);
        let mut body = EntryBody::of(&envelope, &public(&signing_key(1))).unwrap();
        if let Some(change) = self.body {
            change(&mut body);
        }
        let body = body.encode().unwrap();
        let mut entries: Vec<Vec<u8>> = (0..5).map(|other| format!("entry {other}").into_bytes()).collect();
        entries[INDEX].clone_from(&body);
        let leaves: Vec<LeafHash> = entries.iter().map(|entry| LeafHash::of(entry)).collect();
        let checkpoint = checkpoint(2, self.origin_line, &leaves);
        let tree = checkpoint.checkpoint().tree;
        let mut reader = TileReader::new();
        for (id, hashes) in tiles_of_leaves(&leaves) {
            reader.insert(id.level, id.index, hashes);
        }
        let hashes = inclusion_proof(LeafIndex(INDEX as u64), tree.size, &|at| reader.node(at)).unwrap();
        let proof = InclusionProof {
            log_index: INDEX as u64,
            root_hash: *tree.root.as_bytes(),
            tree_size: tree.size.0,
            hashes: hashes.iter().map(|hash| *hash.as_bytes()).collect(),
            checkpoint: checkpoint.text().to_owned(),
        };
        let log_key_id = log_key(2, "example.org/log").key_id();
        let entry = LogEntry { log_index: INDEX as u64, log_key_id, canonicalized_body: body, proof };
        let bundle = SigstoreBundle::by_key(&public(&signing_key(1)), vec![entry], envelope);
        let fragment = self.fragment(&entries, &leaves);
        Parts { manifest, signature: Some(bundle.encode().unwrap()), fragment: Some(fragment), index, trust: self.trust }
    }

    fn manifest(&self, index: &[u8]) -> Vec<u8> {
        let mut layers = vec![Descriptor::of(media::SYMBOL_INDEX, self.listed_index.unwrap_or(index))];
        if !self.leave_out_btf_layer {
            layers.push(Descriptor::of(media::BTF, b"btf"));
        }
        Manifest::new(self.artifact_type, layers).encode().unwrap()
    }

    fn envelope(&self, manifest: &[u8], index: &[u8]) -> Envelope {
        let predicate = SymbolBundlePredicate {
            name: self.signed_name.to_owned(),
            version: self.signed_version.to_owned(),
            index_sha256: FileSha256::of(self.signed_index.unwrap_or(index)),
            builder: BuilderIdentity { name: "symbol-bundle".to_owned(), version: "0".to_owned() },
        };
        let mut predicate = serde_json::to_value(predicate).unwrap();
        if self.extra_predicate_field {
            predicate["extra"] = 1.into();
        }
        let subject = self.subject.unwrap_or(*BlobDigest::of(manifest).as_bytes());
        let statement =
            Statement::new(&format!("{}:{}", self.signed_name, self.signed_version), &subject, self.predicate_type, &predicate).unwrap();
        let payload = self.payload.clone().unwrap_or_else(|| statement.encode().unwrap());
        let key = signing_key(1);
        let signature = sign(&key, &pae(self.payload_type, &payload));
        let mut envelope = Envelope::new(self.payload_type, &payload, signature, &public(&key));
        if let Some(change) = self.signature {
            change(&mut envelope.signatures[0]);
        }
        envelope
    }

    fn fragment(&self, entries: &[Vec<u8>], leaves: &[LeafHash]) -> Vec<u8> {
        let tiles = tiles_of_leaves(leaves);
        let log = log_key(self.fragment_log, "example.org/log");
        let checkpoint = checkpoint(self.fragment_log, "example.org/log", leaves);
        let shown = [(LeafIndex(self.fragment_shows), entries[usize::try_from(self.fragment_shows).unwrap()].clone())].into();
        let tile = |id: &TileId| tiles.get(id).cloned();
        let source = FragmentSource { log: &log, checkpoint: &checkpoint, entries: &shown, tile: &tile };
        Fragment::build(&source).unwrap().encode().unwrap()
    }
}

fn checkpoint(scalar: u8, origin_line: &str, leaves: &[LeafHash]) -> SignedCheckpoint {
    let tree = TreeHead { size: TreeSize(leaves.len() as u64), root: root_of_leaves(leaves) };
    let checkpoint = Checkpoint { origin: origin_line.to_owned(), tree, extension: Vec::new() };
    let signature = sign(&signing_key(scalar), checkpoint.text().as_bytes());
    SignedCheckpoint::assemble(checkpoint, &log_key(scalar, "example.org/log"), signature)
}

fn symbol_index(modules: Vec<Module>) -> SymbolIndex {
    let btf = vec![BtfEntry {
        distro: "debian".to_owned(),
        version: "12".to_owned(),
        arch: "x86_64".to_owned(),
        release: "6.1.0".to_owned(),
        layer: BlobDigest::of(b"btf"),
        size: 3,
        provenance: None,
    }];
    let id_map = SymbolIndex::id_map_of(&modules, &btf);
    SymbolIndex { index_version: 0, name: "demo".to_owned(), version: "1.0".to_owned(), modules, btf, id_map }
}

/// Changes files of a fragment and makes its listing fit again.
pub(super) fn relist(tar: &[u8], change: impl Fn(&mut BTreeMap<String, Vec<u8>>)) -> Vec<u8> {
    let ranges = read_files(tar, FileLimits::default()).unwrap();
    let mut files: BTreeMap<String, Vec<u8>> = ranges.into_iter().map(|(name, range)| (name, tar[range].to_vec())).collect();
    change(&mut files);
    let listing = files.keys().find(|name| name.ends_with("/fragment.json")).unwrap().clone();
    let mut json: serde_json::Value = serde_json::from_slice(&files[&listing]).unwrap();
    for (name, bytes) in files.iter().filter(|(name, _)| **name != listing) {
        json["files"][name.split_once('/').unwrap().1] = FileSha256::of(bytes).hex().into();
    }
    files.insert(listing, sealtrace_json::canonical(&json).unwrap());
    write_files(&files).unwrap()
}

pub(super) struct Memory(BTreeMap<BlobDigest, Vec<u8>>);

impl Blobs for Memory {
    fn blob(&self, digest: &BlobDigest, _limit: u64) -> Result<Arc<[u8]>, BlobError> {
        self.0.get(digest).map(|bytes| Arc::from(bytes.as_slice())).ok_or(BlobError::Missing { digest: *digest })
    }
}

/// A manifest with a pack of two parts, the index that names the second, and the blobs.
pub(super) fn packed() -> (Manifest, SymbolIndex, Memory) {
    let mut pack = vec![0; 4096];
    pack.extend_from_slice(b"second part");
    let digest = BlobDigest::of(b"second part");
    let table = BlobRef {
        media_type: media::SYMBOL_TABLE.to_owned(),
        layer: BlobDigest::of(&pack),
        offset: 4096,
        size: 11,
        digest,
        compression: Compression::None,
        raw_digest: digest,
        raw_size: 11,
    };
    let module = Module {
        path: "bin/a".to_owned(),
        os: Os::Linux,
        arch: Arch("x86_64".to_owned()),
        file_sha256: FileSha256::of(b"a"),
        file_size: 1,
        ids: ObjectIds::default(),
        unidentified_reason: None,
        image_base: 0,
        table: Some(table),
        unwind: None,
        debug: None,
        coverage: Coverage::default(),
        toolchain: Vec::new(),
    };
    let index = symbol_index(vec![module]);
    let layers = vec![
        Descriptor::of(media::SYMBOL_INDEX, &index.encode().unwrap()),
        Descriptor::of(media::PACK, &pack),
        Descriptor::of(media::BTF, b"btf"),
    ];
    (Manifest::new(media::SYMBOL_BUNDLE, layers), index, Memory([(BlobDigest::of(&pack), pack)].into()))
}
