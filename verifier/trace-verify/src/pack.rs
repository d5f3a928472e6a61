//! `trace-verify pack`: one deterministic OCI archive with everything an auditor needs and nothing to trust.

use std::collections::BTreeMap;
use std::sync::Arc;

use sealtrace_bundle::VerifiedBundle;
use sealtrace_case::{Signature, stem};
use sealtrace_console::{ExitCode, Failure, Outcome, Overwrite, note, print, print_json, write_atomic};
use sealtrace_digest::{BlobDigest, FileSha256};
use sealtrace_layout::archive::write_archive;
use sealtrace_layout::{Attachment, Blobs, Descriptor, EMPTY_CONFIG, EntryName, ImageIndex, Manifest, OCI_LAYOUT, REF_NAME, media};
use sealtrace_resolve::{SourceBundle, Sources};
use sealtrace_verdict::Conclusion;

use crate::cli::PackArgs;
use crate::judge::Judged;
use crate::run::judge_file;
use crate::world::World;

/// Media type of an unsigned statement in a pack.
const UNSIGNED_STATEMENT: &str = "application/vnd.in-toto+json";
/// Media type of a site log's checkpoint in a pack.
const CHECKPOINT: &str = "application/vnd.sealtrace.checkpoint.v1";
/// Annotation with a layer's file name.
pub(crate) const TITLE: &str = "org.opencontainers.image.title";
/// Limit for blobs that are copied into a pack.
const MAX_BLOB_BYTES: u64 = 4 << 30;

#[derive(Default)]
struct Pack {
    blobs: BTreeMap<BlobDigest, Arc<[u8]>>,
    /// Tagged manifests of index.json.
    listed: BTreeMap<BlobDigest, Descriptor>,
    layers: Vec<Descriptor>,
}

/// Packs traces.
pub(crate) fn run(args: &PackArgs) -> Outcome {
    let world = World::open(&args.world)?;
    let mut pack = Pack::default();
    for path in &args.traces {
        let judged = judge_file(path, &world, args.world.capture.as_deref())?;
        let unsigned = matches!(judged.trace.signature, Signature::Unsigned);
        if judged.verdict.conclusion() != Conclusion::Verified && !unsigned {
            let check = judged.verdict.decisive().map_or("", |check| check.id.as_str()).to_owned();
            return Err(Failure::new(
                judged.verdict.exit(),
                format_args!("{}: check {check} did not pass; it is not packed", path.display()),
            )
            .hint(format_args!("see every check: trace-verify {} --json", path.display())));
        }
        if unsigned {
            note(&format!("trace-verify: {} is unsigned; an audit of it stays undecided", path.display()));
        }
        pack.add_trace(&stem(path), &judged)?;
        for (bundle, attached) in judged.attached() {
            pack.add_bundle(bundle, &attached, &judged, &world)?;
        }
    }
    let archive = pack.encode()?;
    let overwrite = if args.force { Overwrite::Replace } else { Overwrite::Refuse };
    write_atomic(&args.to, &archive, overwrite)?;
    let sha256 = FileSha256::of(&archive);
    if args.output.json {
        print_json(
            &serde_json::json!({"archive": args.to.display().to_string(), "sha256": sha256, "bytes": archive.len(), "traces": args.traces.len()}),
        );
    } else {
        print(&format!("{}  {} bytes, {} trace(s), sha256 {sha256}", args.to.display(), archive.len(), args.traces.len()));
    }
    Ok(ExitCode::Done)
}

impl Pack {
    fn add_blob(&mut self, bytes: Arc<[u8]>) -> BlobDigest {
        let digest = BlobDigest::of(&bytes);
        self.blobs.insert(digest, bytes);
        digest
    }

    fn add_layer(&mut self, media_type: &str, name: &str, bytes: &[u8]) {
        let mut layer = Descriptor::of(media_type, bytes);
        layer.annotations.insert(TITLE.to_owned(), name.to_owned());
        self.add_blob(Arc::from(bytes));
        if !self.layers.contains(&layer) {
            self.layers.push(layer);
        }
    }

    fn add_trace(&mut self, stem: &str, judged: &Judged) -> Result<(), Failure> {
        let bytes = judged.bytes.as_slice();
        let name = format!("{stem}.sigstore.json");
        let taken = |layer: &Descriptor| layer.annotations.get(TITLE) == Some(&name) && layer.digest != BlobDigest::of(bytes);
        if self.layers.iter().any(taken) {
            return Err(Failure::new(ExitCode::NoVerdict, format_args!("two traces are named {name}")).hint("rename one of them"));
        }
        let signed = matches!(judged.trace.signature, Signature::Verified(_));
        self.add_layer(if signed { media::SIGSTORE_BUNDLE } else { UNSIGNED_STATEMENT }, &name, bytes);
        self.add_layer(media::CAPTURE, &format!("{stem}.capture.jsonl"), &judged.capture_bytes);
        if let Signature::Verified(statement) = &judged.trace.signature {
            let checkpoint = statement.log().checkpoint();
            self.add_layer(CHECKPOINT, &format!("{stem}.checkpoint"), checkpoint.as_bytes());
        }
        Ok(())
    }

    /// The manifests with signature and fragment whole; of the layers only the index and what the traces used.
    fn add_bundle(&mut self, bundle: &VerifiedBundle, attached: &[&Attachment], judged: &Judged, world: &World) -> Result<(), Failure> {
        let store = world.blobs.as_ref();
        let digest = bundle.digest();
        self.list(&digest, "bundle", store)?;
        let index = bundle.manifest().layers.iter().find(|layer| layer.media_type == media::SYMBOL_INDEX);
        let mut needed: Vec<BlobDigest> = index.map(|layer| layer.digest).into_iter().collect();
        let sources = Sources::open(&judged.capture, &[SourceBundle::of(bundle, store)]).map_err(|error| {
            Failure::from_error(error.exit(), "symbol bundle", &error).hint("import the bundle again: symbol-bundle import ARCHIVE")
        })?;
        needed.extend(sources.used().flat_map(|used| [&used.module.table, &used.module.unwind]).flatten().map(|part| part.layer));
        for digest in needed {
            self.copy(&digest, store)?;
        }
        for (attachment, tag) in attached.iter().zip(["sig", "fragment"]) {
            self.list(&attachment.manifest, tag, store)?;
            self.copy(&attachment.layer.digest, store)?;
        }
        Ok(())
    }

    fn copy(&mut self, digest: &BlobDigest, from: &dyn Blobs) -> Result<Arc<[u8]>, Failure> {
        let bytes = from.blob(digest, MAX_BLOB_BYTES).map_err(|error| {
            Failure::from_error(ExitCode::NoVerdict, "store", &error).hint("import the bundle again: symbol-bundle import ARCHIVE")
        })?;
        self.add_blob(Arc::clone(&bytes));
        Ok(bytes)
    }

    fn list(&mut self, digest: &BlobDigest, tag: &str, from: &dyn Blobs) -> Result<(), Failure> {
        let bytes = self.copy(digest, from)?;
        self.listed.insert(*digest, tagged(Descriptor::of(media::MANIFEST, &bytes), tag));
        Ok(())
    }

    fn encode(mut self) -> Result<Vec<u8>, Failure> {
        let failed = |error: &dyn std::error::Error| Failure::from_error(ExitCode::NoVerdict, "evidence archive", error);
        self.layers.sort_by(|a, b| (a.annotations.get(TITLE), a.digest).cmp(&(b.annotations.get(TITLE), b.digest)));
        let manifest = Manifest::new(media::EVIDENCE, std::mem::take(&mut self.layers)).encode().map_err(|error| failed(&error))?;
        self.add_blob(Arc::from(EMPTY_CONFIG));
        self.add_blob(Arc::from(manifest.as_slice()));
        let evidence = tagged(Descriptor::of(media::MANIFEST, &manifest), "evidence");
        let listed = std::iter::once(evidence).chain(std::mem::take(&mut self.listed).into_values());
        let index = ImageIndex::new(listed.collect()).encode().map_err(|error| failed(&error))?;
        let blobs = self.blobs.iter().map(|(digest, bytes)| (EntryName::Blob(*digest), bytes.as_ref()));
        let head = [(EntryName::OciLayout, OCI_LAYOUT), (EntryName::Index, index.as_slice())];
        write_archive(head.into_iter().chain(blobs)).map_err(|error| failed(&error))
    }
}

fn tagged(mut descriptor: Descriptor, tag: &str) -> Descriptor {
    let short: String = descriptor.digest.hex().chars().take(12).collect();
    descriptor.annotations.insert(REF_NAME.to_owned(), format!("{tag}-{short}"));
    descriptor
}
