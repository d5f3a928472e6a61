//! The verification of a symbol bundle: each of its parts replaced, the others honest.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use sealtrace_bundle::{BuilderIdentity, SymbolBundleInput, SymbolBundlePredicate, symbol_bundle_statement, verify_symbol_bundle};
use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_envelope::{EntryBody, Envelope, InclusionProof, LogEntry, PAYLOAD_TYPE_IN_TOTO, SigstoreBundle, pae};
use sealtrace_layout::{Descriptor, Manifest, media};
use sealtrace_symbols::SymbolIndex;
use sealtrace_tlog::{
    Fragment, FragmentSource, LeafHash, LeafIndex, TileId, TileReader, TreeHead, TreeSize, inclusion_proof, root_of_leaves, tiles_of_leaves,
};
use sealtrace_trust::{Trust, TrustedLog};

use crate::{keys, repair, symbols, tree};

/// The bundle's place in the log.
const INDEX: u64 = 2;

/// What a verification begins from.
struct Parts {
    manifest: Vec<u8>,
    signature: Vec<u8>,
    fragment: Vec<u8>,
    index: Vec<u8>,
    trust: Trust,
}

impl Parts {
    fn input(&self) -> SymbolBundleInput<'_> {
        SymbolBundleInput { manifest: &self.manifest, signature: Some(&self.signature), fragment: Some(&self.fragment), index: &self.index }
    }
}

pub(crate) fn run(data: &[u8]) {
    let parts = honest();
    let good = parts.input();
    // Each part is JSON or a tar, and a verification costs several signatures.
    if data.first() != Some(&b'{') {
        return check_fragment(data);
    }
    let accepted = |input: &SymbolBundleInput<'_>| verify_symbol_bundle(input, &parts.trust).1;
    assert!(accepted(&SymbolBundleInput { manifest: data, ..good }).is_none() || data == parts.manifest, "another manifest was accepted");
    assert!(accepted(&SymbolBundleInput { index: data, ..good }).is_none() || data == parts.index, "another index was accepted");
    if accepted(&SymbolBundleInput { signature: Some(data), ..good }).is_some() {
        let [own, found] = [parts.signature.as_slice(), data].map(|bytes| SigstoreBundle::parse(bytes).expect("it was accepted").envelope);
        assert_eq!(own.pae(), found.pae(), "another statement was accepted");
    }
}

/// As it is, and with checksums and a listing that fit.
fn check_fragment(data: &[u8]) {
    let parts = honest();
    let listed = repair::listing(&repair::checksums(data));
    for fragment in [Some(data), listed.as_deref()].into_iter().flatten() {
        let input = SymbolBundleInput { fragment: Some(fragment), ..parts.input() };
        if let Some(bundle) = verify_symbol_bundle(&input, &parts.trust).1 {
            assert_eq!(bundle.fragment_checkpoint(), Fragment::parse(&parts.fragment).expect("it is well formed").checkpoint().text());
        }
    }
}

fn index() -> SymbolIndex {
    let mut index = symbols::index();
    index.modules.clear();
    index.id_map = SymbolIndex::id_map_of(&index.modules, &index.btf);
    index
}

fn signed(manifest: &[u8], index: &[u8]) -> (Envelope, Vec<u8>) {
    let predicate = SymbolBundlePredicate {
        name: "demo".to_owned(),
        version: "1.0".to_owned(),
        index_sha256: FileSha256::of(index),
        builder: BuilderIdentity { name: "symbol-bundle".to_owned(), version: "0".to_owned() },
    };
    let statement = symbol_bundle_statement(&BlobDigest::of(manifest), &predicate).expect("the statement is well formed");
    let (payload, key) = (statement.encode().expect("the statement is well formed"), keys::p256_public(keys::SIGNER));
    let signature = keys::p256_sign(keys::SIGNER, &pae(PAYLOAD_TYPE_IN_TOTO, &payload));
    let envelope = Envelope::new(PAYLOAD_TYPE_IN_TOTO, &payload, signature, &key);
    let body = EntryBody::of(&envelope, &key).and_then(|body| body.encode()).expect("the envelope has an entry");
    (envelope, body)
}

fn build() -> Parts {
    let index = index().encode().expect("the index is well formed");
    let layers = vec![Descriptor::of(media::SYMBOL_INDEX, &index), Descriptor::of(media::BTF, b"btf")];
    let manifest = Manifest::new(media::SYMBOL_BUNDLE, layers).encode().expect("the manifest is well formed");
    let (envelope, body) = signed(&manifest, &index);
    let entries: Vec<Vec<u8>> = (0..5).map(|at| if at == INDEX { body.clone() } else { tree::entry(at) }).collect();
    let leaves: Vec<LeafHash> = entries.iter().map(|entry| LeafHash::of(entry)).collect();
    let head = TreeHead { size: TreeSize(5), root: root_of_leaves(&leaves) };
    let (checkpoint, tiles) = (keys::checkpoint(head, &[]), tiles_of_leaves(&leaves));
    let mut reader = TileReader::new();
    for (id, hashes) in &tiles {
        reader.insert(id.level, id.index, hashes.clone());
    }
    let hashes = inclusion_proof(LeafIndex(INDEX), head.size, &|at| reader.node(at)).expect("every tile is there");
    let proof = InclusionProof {
        log_index: INDEX,
        root_hash: *head.root.as_bytes(),
        tree_size: head.size.0,
        hashes: hashes.iter().map(|hash| *hash.as_bytes()).collect(),
        checkpoint: checkpoint.text().to_owned(),
    };
    let log = keys::log();
    let entry = LogEntry { log_index: INDEX, log_key_id: log.key_id(), canonicalized_body: body.clone(), proof };
    let bundle = SigstoreBundle::by_key(&keys::p256_public(keys::SIGNER), vec![entry], envelope);
    let (shown, tile) = (BTreeMap::from([(LeafIndex(INDEX), body)]), |id: &TileId| tiles.get(id).cloned());
    let source = FragmentSource { log: &log, checkpoint: &checkpoint, entries: &shown, tile: &tile };
    let fragment = Fragment::build(&source).and_then(|fragment| fragment.encode()).expect("the log holds");
    let mut trust = Trust::default();
    trust.add_signer(keys::p256_public(keys::SIGNER));
    trust.add_log(TrustedLog::new(log)).expect("one log is in no conflict");
    Parts { manifest, signature: bundle.encode().expect("the bundle is well formed"), fragment, index, trust }
}

fn honest() -> &'static Parts {
    static HONEST: OnceLock<Parts> = OnceLock::new();
    HONEST.get_or_init(|| {
        let parts = build();
        assert!(verify_symbol_bundle(&parts.input(), &parts.trust).1.is_some(), "the honest bundle is refused");
        parts
    })
}

pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let parts = honest();
    vec![parts.manifest.clone(), parts.signature.clone(), parts.fragment.clone(), parts.index.clone()]
}
