//! Signing and logging a layout, whole.

use std::collections::BTreeMap;
use std::path::Path;

use sealtrace_console::Failure;
use sealtrace_layout::{Descriptor, EMPTY_CONFIG, Manifest, media};
use sealtrace_signer::SigningKey;
use sealtrace_site_log::SiteLog;
use sealtrace_symbols::{IdMap, SymbolIndex};
use sealtrace_tlog::Origin;

use super::*;
use crate::layout_dir::{LayoutDir, TAG_BUNDLE};

fn layout(path: &Path, version: &str) -> LayoutDir {
    let layout = LayoutDir::create(path).unwrap();
    let (modules, btf) = (Vec::new(), Vec::new());
    let index =
        SymbolIndex { index_version: 0, name: "demo".to_owned(), version: version.to_owned(), modules, btf, id_map: IdMap::default() };
    let layer = layout.put_blob(media::SYMBOL_INDEX, &index.encode().unwrap()).unwrap();
    layout.put_blob(media::EMPTY, EMPTY_CONFIG).unwrap();
    let manifest = Manifest::new(media::SYMBOL_BUNDLE, vec![layer]).encode().unwrap();
    let bundle: Descriptor = layout.put_blob(media::MANIFEST, &manifest).unwrap();
    layout.write_index(&format!("demo-{version}"), &[(TAG_BUNDLE, bundle)]).unwrap();
    layout
}

/// Every file below a folder with its bytes.
fn snapshot(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                files.insert(name, std::fs::read(&path).unwrap());
            }
        }
    }
    files
}

struct Site {
    dir: tempfile::TempDir,
    key: SigningKey,
}

impl Site {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        SiteLog::init_with_own_key(&dir.path().join("log"), &Origin::parse("example.org/site-log").unwrap()).unwrap();
        Self { dir, key: SigningKey::generate().unwrap() }
    }

    fn log(&self, layout: &LayoutDir, trust: &TrustFolder) -> Result<Logged, AttachError> {
        log_layout(layout, LogTarget::Disk { log: &self.dir.path().join("log"), key: None }, trust)
    }
}

#[test]
fn signing_and_logging_twice_gives_the_same_layout_and_trust_bytes() {
    let site = Site::new();
    let path = site.dir.path().join("layout");
    let layout = layout(&path, "1");
    let trust = TrustFolder::beside(&path, None);
    let signed = sign_layout(&layout, &site.key, &trust, OtherSignature::Keep).unwrap();
    assert!(!signed.already && !signed.logged);
    let unlogged = snapshot(&path);
    assert!(sign_layout(&layout, &site.key, &trust, OtherSignature::Keep).unwrap().already);
    assert_eq!(snapshot(&path), unlogged);
    let logged = site.log(&layout, &trust).unwrap();
    assert_eq!((logged.bundle.name(), logged.bundle.version(), logged.bundle.log().index().0), ("demo", "1", 0));
    let (sealed, trusted) = (snapshot(&path), snapshot(trust.path()));
    // Another bundle grows the log; the proof of the first stays what it was.
    let other = self::layout(&site.dir.path().join("other"), "2");
    sign_layout(&other, &site.key, &trust, OtherSignature::Keep).unwrap();
    assert_eq!(site.log(&other, &trust).unwrap().bundle.log().index().0, 1);
    assert!(sign_layout(&layout, &site.key, &trust, OtherSignature::Keep).unwrap().logged);
    site.log(&layout, &trust).unwrap();
    assert_eq!(snapshot(&path), sealed);
    assert_eq!(snapshot(trust.path()), trusted);
    // Nothing but what index.json reaches is left in the layout.
    assert_eq!(layout.graph().unwrap().reachable().len(), sealed.keys().filter(|name| name.starts_with("blobs/")).count());
}

#[test]
fn a_second_signer_is_refused_unless_told_to_replace() {
    let site = Site::new();
    let path = site.dir.path().join("layout");
    let layout = layout(&path, "1");
    let trust = TrustFolder::beside(&path, None);
    sign_layout(&layout, &site.key, &trust, OtherSignature::Keep).unwrap();
    site.log(&layout, &trust).unwrap();
    let other = SigningKey::generate().unwrap();
    let sealed = snapshot(&path);
    let refused = sign_layout(&layout, &other, &trust, OtherSignature::Keep);
    assert!(matches!(refused, Err(AttachError::AlreadySigned { signer }) if signer == site.key.key_id().hex()));
    assert_eq!(snapshot(&path), sealed);
    let replaced = sign_layout(&layout, &other, &trust, OtherSignature::Replace).unwrap();
    assert!(!replaced.logged);
    assert_eq!(site.log(&layout, &trust).unwrap().bundle.signer(), other.key_id());
}

#[test]
fn a_signature_that_cannot_be_read_is_kept_unless_told_to_replace() {
    for broken in ["malformed", "two layers", "missing"] {
        let site = Site::new();
        let path = site.dir.path().join("layout");
        let layout = layout(&path, "1");
        let (bundle, _) = layout.bundle_manifest().unwrap();
        let bundle = Descriptor { artifact_type: None, ..bundle };
        let layer = layout.put_blob(media::SIGSTORE_BUNDLE, b"{}").unwrap();
        let layers = if broken == "two layers" { vec![layer.clone(), layer.clone()] } else { vec![layer.clone()] };
        let mut manifest = Manifest::new(media::SIGSTORE_BUNDLE, layers);
        manifest.subject = Some(bundle.clone());
        let signature = layout.put_blob(media::MANIFEST, &manifest.encode().unwrap()).unwrap();
        layout.write_index("demo-1", &[(TAG_BUNDLE, bundle), (crate::layout_dir::TAG_SIGNATURE, signature)]).unwrap();
        let lost = layout.blobs().blob_path(&layer.digest);
        if broken == "missing" {
            std::fs::remove_file(&lost).unwrap();
        }
        let before = snapshot(&path);
        let trust = TrustFolder::beside(&path, None);
        let refused = sign_layout(&layout, &site.key, &trust, OtherSignature::Keep).unwrap_err();
        let expected = match broken {
            "malformed" => matches!(refused, AttachError::Bundle(_)),
            "two layers" => matches!(refused, AttachError::SignatureShape { .. }),
            _ => matches!(refused, AttachError::Layout(_)),
        };
        assert!(expected, "{broken}: {refused}");
        assert_eq!(snapshot(&path), before, "{broken}");
        assert!(!trust.path().exists(), "{broken}");
        if broken == "missing" {
            std::fs::write(&lost, b"{}").unwrap();
        }
        assert!(!sign_layout(&layout, &site.key, &trust, OtherSignature::Replace).unwrap().already, "{broken}");
        assert!(sign_layout(&layout, &site.key, &trust, OtherSignature::Keep).unwrap().already, "{broken}");
    }
}

#[test]
fn nothing_is_logged_that_is_unsigned_or_signed_by_a_stranger() {
    let site = Site::new();
    let path = site.dir.path().join("layout");
    let layout = layout(&path, "1");
    let trust = TrustFolder::beside(&path, None);
    assert!(matches!(site.log(&layout, &trust), Err(AttachError::Unsigned)));
    sign_layout(&layout, &site.key, &trust, OtherSignature::Keep).unwrap();
    let strangers = TrustFolder::at(&site.dir.path().join("strangers"));
    assert!(matches!(site.log(&layout, &strangers), Err(AttachError::NoTrust { .. })));
    let mut stranger = sealtrace_trust::Trust::default();
    stranger.add_signer(SigningKey::generate().unwrap().public_key().clone());
    strangers.extend(&stranger).unwrap();
    let refused = site.log(&layout, &strangers).unwrap_err();
    assert!(refused.to_string().contains("signer-trusted"), "{refused}");
    assert_eq!(Failure::from(refused).exit().code(), 1);
    let log = sealtrace_site_log::LogReader::open(&site.dir.path().join("log")).unwrap();
    assert_eq!(log.tree().size.0, 0);
}

#[test]
fn a_trust_folder_only_grows_and_a_changed_log_key_is_refused() {
    let site = Site::new();
    let trust = TrustFolder::at(&site.dir.path().join("trust"));
    let with_log = |key: &SigningKey| {
        let origin = Origin::parse("example.org/a").unwrap();
        let mut more = sealtrace_trust::Trust::default();
        more.add_log(sealtrace_trust::TrustedLog::new(sealtrace_tlog::LogKey { origin, key: key.public_key().clone() })).unwrap();
        more
    };
    trust.extend(&with_log(&site.key)).unwrap();
    let before = snapshot(trust.path());
    let conflict = trust.extend(&with_log(&SigningKey::generate().unwrap())).unwrap_err();
    assert_eq!(Failure::from(conflict).exit().code(), 1);
    assert_eq!(snapshot(trust.path()), before);
    assert_eq!(trust.read().unwrap().logs().len(), 1);
}
