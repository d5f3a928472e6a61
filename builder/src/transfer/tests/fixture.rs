//! A small sealed bundle, the store that trusts it, and whole trees to compare.

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use sealtrace_bundle::{BuilderIdentity, SymbolBundlePredicate, symbol_bundle_statement};
use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_envelope::{EntryBody, InclusionProof, LogEntry, SigstoreBundle};
use sealtrace_layout::{Descriptor, ImageIndex, Manifest, REF_NAME, ReadAt, media, names};
use sealtrace_object_id::{Arch, ObjectIds, Os};
use sealtrace_signer::{SigningKey, sign_envelope};
use sealtrace_store::TrustFiles;
use sealtrace_symbols::{BlobRef, BtfEntry, Compression, Coverage, Module, SymbolIndex};
use sealtrace_tlog::{
    Checkpoint, Fragment, FragmentSource, LeafHash, LeafIndex, LogKey, Origin, SignedCheckpoint, TileReader, TreeHead, TreeSize,
    inclusion_proof, root_of_leaves, tiles_of_leaves,
};
use sealtrace_trust::{Trust, TrustedLog};

use crate::transfer::ImportError;
use crate::transfer::import::{Imported, Watcher, import_from};

/// A layout in memory, before it is put on disk or into an archive.
#[derive(Clone)]
pub(super) struct Sealed {
    pub(super) blobs: BTreeMap<BlobDigest, Vec<u8>>,
    /// The descriptors of `index.json`: root, bundle, signature, fragment.
    pub(super) top: Vec<Descriptor>,
    pub(super) bundle: Descriptor,
    pub(super) signature: Descriptor,
    pub(super) trust: TrustFiles,
}

/// What can be wrong with a bundle although it is signed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Flaw {
    None,
    /// A part of the pack does not have the digest in the index.
    Part,
    /// The symbol index names a layer that the manifest does not have.
    Layer,
    /// The statement is about another manifest.
    Subject,
    /// The statement gives another version than the index.
    Version,
}

impl Sealed {
    pub(super) fn put(&mut self, media_type: &str, bytes: &[u8]) -> Descriptor {
        let descriptor = Descriptor::of(media_type, bytes);
        self.blobs.insert(descriptor.digest, bytes.to_vec());
        descriptor
    }

    pub(super) fn attach(&mut self, subject: &Descriptor, artifact_type: &str, content: &[u8]) -> Descriptor {
        let layer = if artifact_type == media::TLOG_FRAGMENT { media::TLOG_FRAGMENT_TAR } else { artifact_type };
        let mut manifest = Manifest::new(artifact_type, vec![self.put(layer, content)]);
        manifest.subject = Some(subject.clone());
        self.put(media::MANIFEST, &manifest.encode().unwrap())
    }

    /// `index.json` for the descriptors given, tagged as this project tags them.
    pub(super) fn list(&mut self, children: &[(&str, &Descriptor)]) {
        let root = ImageIndex::new(children.iter().map(|(_, child)| (*child).clone()).collect()).encode().unwrap();
        let root = self.put(media::INDEX, &root);
        self.top = vec![tagged(&root, "demo-1.0")];
        self.top.extend(children.iter().map(|(kind, child)| tagged(child, &names::child_tag(kind, &child.digest))));
    }

    pub(super) fn index_json(&self) -> Vec<u8> {
        ImageIndex::new(self.top.clone()).encode().unwrap()
    }

    pub(super) fn write_layout(&self, folder: &Path) {
        let blobs = folder.join("blobs/sha256");
        std::fs::create_dir_all(&blobs).unwrap();
        std::fs::write(folder.join("oci-layout"), br#"{"imageLayoutVersion":"1.0.0"}"#).unwrap();
        std::fs::write(folder.join("index.json"), self.index_json()).unwrap();
        for (digest, bytes) in &self.blobs {
            std::fs::write(blobs.join(digest.hex()), bytes).unwrap();
        }
    }

    /// A store that trusts this bundle's signer and log, and nothing else.
    pub(super) fn write_store(&self, folder: &Path) {
        for (name, bytes) in &self.trust {
            let path = folder.join("trust").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, bytes).unwrap();
        }
    }
}

fn tagged(descriptor: &Descriptor, tag: &str) -> Descriptor {
    Descriptor { annotations: [(REF_NAME.to_owned(), tag.to_owned())].into(), ..descriptor.clone() }
}

/// A bundle of one module: a table, unwind data in a pack, a debug file, kernel types.
pub(super) fn sealed(flaw: Flaw) -> Sealed {
    let mut sealed = Sealed {
        blobs: BTreeMap::new(),
        top: Vec::new(),
        bundle: Descriptor::of(media::MANIFEST, b""),
        signature: Descriptor::of(media::MANIFEST, b""),
        trust: Vec::new(),
    };
    let (index, layers) = content(&mut sealed, flaw);
    let index_bytes = index.encode().unwrap();
    let mut all = vec![sealed.put(media::SYMBOL_INDEX, &index_bytes)];
    all.extend(layers);
    sealed.put(media::EMPTY, b"{}");
    let bundle = sealed.put(media::MANIFEST, &Manifest::new(media::SYMBOL_BUNDLE, all).encode().unwrap());
    let subject = if flaw == Flaw::Subject { BlobDigest::of(b"another") } else { bundle.digest };
    let version = if flaw == Flaw::Version { "6.6" } else { "1.0" };
    let (signature, fragment, trust) = seal(&subject, version, FileSha256::of(&index_bytes));
    let signature = sealed.attach(&bundle, media::SIGSTORE_BUNDLE, &signature);
    let fragment = sealed.attach(&bundle, media::TLOG_FRAGMENT, &fragment);
    sealed.list(&[("bundle", &bundle), ("sig", &signature), ("fragment", &fragment)]);
    Sealed { bundle, signature, trust, ..sealed }
}

fn content(sealed: &mut Sealed, flaw: Flaw) -> (SymbolIndex, Vec<Descriptor>) {
    let unwind = b"unwind data in a pack";
    let mut pack = vec![0; 4096];
    pack.extend_from_slice(unwind);
    let pack = sealed.put(media::PACK, &pack);
    let table = sealed.put(media::SYMBOL_TABLE, b"a symbol table");
    let debug = sealed.put(media::DEBUG_FILE_ZSTD, b"a compressed debug file");
    let btf = sealed.put(media::BTF, b"kernel types");
    let part_digest = BlobDigest::of(if flaw == Flaw::Part { b"something else" } else { unwind });
    let part = BlobRef {
        media_type: media::UNWIND.to_owned(),
        layer: pack.digest,
        offset: 4096,
        size: u64::try_from(unwind.len()).unwrap(),
        digest: part_digest,
        compression: Compression::None,
        raw_digest: part_digest,
        raw_size: 21,
    };
    let module = Module {
        path: "bin/demo".to_owned(),
        os: Os::Linux,
        arch: Arch("x86_64".to_owned()),
        file_sha256: FileSha256::of(b"demo"),
        file_size: 4,
        ids: ObjectIds { gnu_build_id: Some("00112233".to_owned()), ..ObjectIds::default() },
        unidentified_reason: None,
        image_base: 0,
        table: Some(whole(&table, Compression::None)),
        unwind: Some(part),
        debug: Some(sealtrace_symbols::DebugSource {
            path: "bin/demo".to_owned(),
            file_sha256: FileSha256::of(b"demo"),
            paired_by: sealtrace_symbols::PairedBy::SelfContained,
            blob: Some(BlobRef { raw_digest: BlobDigest::of(b"raw"), ..whole(&debug, Compression::Zstd) }),
        }),
        coverage: Coverage::default(),
        toolchain: Vec::new(),
    };
    let kernel = BtfEntry {
        distro: "debian".to_owned(),
        version: "12".to_owned(),
        arch: "x86_64".to_owned(),
        release: "6.1.0".to_owned(),
        layer: btf.digest,
        size: btf.size,
        provenance: None,
    };
    let (modules, kernels) = (vec![module], vec![kernel]);
    let id_map = SymbolIndex::id_map_of(&modules, &kernels);
    let (name, version) = ("demo".to_owned(), "1.0".to_owned());
    let index = SymbolIndex { index_version: 0, name, version, modules, btf: kernels, id_map };
    let layers = if flaw == Flaw::Layer { vec![table, debug, btf] } else { vec![table, pack, debug, btf] };
    (index, layers)
}

/// A layer that is one part.
fn whole(layer: &Descriptor, compression: Compression) -> BlobRef {
    BlobRef {
        media_type: layer.media_type.clone(),
        layer: layer.digest,
        offset: 0,
        size: layer.size,
        digest: layer.digest,
        compression,
        raw_digest: layer.digest,
        raw_size: layer.size,
    }
}

/// Signs a statement about a manifest and logs it second in a log of two: Sigstore bundle, fragment tar, trust folder.
fn seal(subject: &BlobDigest, version: &str, index_sha256: FileSha256) -> (Vec<u8>, Vec<u8>, TrustFiles) {
    let signer = SigningKey::from_scalar(&[7; 32]).unwrap();
    let log_signer = SigningKey::from_scalar(&[8; 32]).unwrap();
    let builder = BuilderIdentity { name: "test".to_owned(), version: "0".to_owned() };
    let predicate = SymbolBundlePredicate { name: "demo".to_owned(), version: version.to_owned(), index_sha256, builder };
    let statement = symbol_bundle_statement(subject, &predicate).unwrap().encode().unwrap();
    let envelope = sign_envelope("application/vnd.in-toto+json", &statement, &signer).unwrap();
    let body = EntryBody::of(&envelope, signer.public_key()).unwrap().encode().unwrap();

    let log = LogKey { origin: Origin::parse("log.example/test").unwrap(), key: log_signer.public_key().clone() };
    let leaves = [LeafHash::of(b"an entry before"), LeafHash::of(&body)];
    let tree = TreeHead { size: TreeSize(2), root: root_of_leaves(&leaves) };
    let said = Checkpoint { origin: log.origin.as_str().to_owned(), tree, extension: Vec::new() };
    let signature = log_signer.sign(said.text().as_bytes()).unwrap();
    let checkpoint = SignedCheckpoint::assemble(said, &log, signature);
    let tiles = tiles_of_leaves(&leaves);
    let mut reader = TileReader::new();
    for (id, hashes) in &tiles {
        reader.insert(id.level, id.index, hashes.clone());
    }
    let hashes = inclusion_proof(LeafIndex(1), tree.size, &|at| reader.node(at)).unwrap();
    let proof = InclusionProof {
        log_index: 1,
        root_hash: *tree.root.as_bytes(),
        tree_size: 2,
        hashes: hashes.iter().map(|hash| *hash.as_bytes()).collect(),
        checkpoint: checkpoint.text().to_owned(),
    };
    let entry = LogEntry { log_index: 1, log_key_id: log.key_id(), canonicalized_body: body.clone(), proof };
    let bundle = SigstoreBundle::by_key(signer.public_key(), vec![entry], envelope);
    let entries = BTreeMap::from([(LeafIndex(1), body)]);
    let source = FragmentSource { log: &log, checkpoint: &checkpoint, entries: &entries, tile: &|id| tiles.get(id).cloned() };
    let fragment = Fragment::build(&source).unwrap().encode().unwrap();
    let mut trust = Trust::default();
    trust.add_signer(signer.public_key().clone());
    trust.add_log(TrustedLog::new(log)).unwrap();
    (bundle.encode().unwrap(), fragment, trust.files().unwrap())
}

/// A folder in memory if there is one, so that thousands of imports do not wear out a disk.
pub(super) fn scratch() -> tempfile::TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

/// A tree: path below the folder → kind, mode, content.
pub(super) type Tree = BTreeMap<PathBuf, (u32, Vec<u8>)>;

pub(super) fn tree(folder: &Path) -> Tree {
    let mut found = Tree::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            let content = if metadata.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
            if metadata.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path.strip_prefix(folder).unwrap().to_owned(), (metadata.mode(), content));
        }
    }
    found
}

/// Tells nobody anything.
pub(super) struct Silent;

impl Watcher for Silent {
    fn waiting(&mut self) {}
    fn progress(&mut self, _: u64, _: u64) {}
}

pub(super) fn import_bytes(bytes: &[u8], store: &Path) -> Result<Imported, ImportError> {
    struct Bytes<'a>(&'a [u8]);
    impl ReadAt for Bytes<'_> {
        fn read_at(&self, offset: u64, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.0.read_at(offset, buffer)
        }
        fn length(&self) -> u64 {
            self.0.length()
        }
    }
    import_from(&Bytes(bytes), store, &mut Silent)
}
