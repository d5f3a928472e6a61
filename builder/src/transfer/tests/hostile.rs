//! Archives that are well-formed tars and hostile or broken inside (notes/transfer), each with its exit code.

use std::path::Path;

use sealtrace_digest::BlobDigest;
use sealtrace_layout::archive::{BLOCK, END, write_archive, write_header};
use sealtrace_layout::graph::MAX_ATTACHMENTS;
use sealtrace_layout::{Descriptor, EntryName, OCI_LAYOUT, media};
use sealtrace_verdict::ExitCode;

use super::fixture::{Flaw, Sealed, import_bytes, scratch, sealed, tree};
use crate::transfer::import::Imported;

fn pack(sealed: &Sealed, index: &[u8]) -> Vec<u8> {
    let blobs = sealed.blobs.iter().map(|(digest, bytes)| (EntryName::Blob(*digest), bytes.as_slice()));
    write_archive([(EntryName::OciLayout, OCI_LAYOUT), (EntryName::Index, index)].into_iter().chain(blobs)).unwrap()
}

fn fresh(sealed: &Sealed, dir: &Path) -> std::path::PathBuf {
    let root = dir.join("store");
    if root.exists() {
        std::fs::remove_dir_all(&root).unwrap();
    }
    sealed.write_store(&root);
    root
}

fn refused(what: &str, bytes: &[u8], root: &Path, expected: ExitCode) {
    let before = tree(root);
    let error = import_bytes(bytes, root).map(|_| ()).expect_err(what);
    assert_eq!(error.exit(), expected, "{what}: {error}");
    assert_eq!(tree(root), before, "{what}");
}

/// An entry inserted before the end.
fn with_entry(archive: &[u8], entry: &[u8]) -> Vec<u8> {
    [&archive[..archive.len() - END.len()], entry, &END].concat()
}

fn header(name: &str, flag: u8, link: &str) -> [u8; BLOCK] {
    let mut header = write_header(name, 0).unwrap();
    header[156] = flag;
    header[157..157 + link.len()].copy_from_slice(link.as_bytes());
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}

#[test]
fn hostile_entries_are_refused_and_the_store_is_unchanged() {
    let dir = scratch();
    let sealed = sealed(Flaw::None);
    let root = fresh(&sealed, dir.path());
    let good = pack(&sealed, &sealed.index_json());
    let extra = EntryName::Blob(BlobDigest::of(b"")).to_string();
    let table = EntryName::Blob(BlobDigest::of(b"a symbol table")).to_string();
    for (what, entry) in [
        ("parent folder", header("../x", b'0', "")),
        ("absolute name", header("/tmp/x", b'0', "")),
        ("dot slash", header("./index.json", b'0', "")),
        ("symbolic link", header(&extra, b'2', "/etc/shadow")),
        ("symbolic link to a device", header(&extra, b'2', "/dev/zero")),
        ("hard link", header(&extra, b'1', "index.json")),
        ("absolute hard link", header(&extra, b'1', "/etc/shadow")),
        ("FIFO", header(&extra, b'6', "")),
        ("device", header(&extra, b'3', "")),
        ("folder in place of a blob", header(&extra, b'5', "")),
        ("pax header", header("PaxHeaders/x", b'x', "")),
        ("pax global header", header("pax_global_header", b'g', "")),
        ("GNU long name", header("././@LongLink", b'L', "")),
        ("duplicate index", header("index.json", b'0', "")),
        ("duplicate blob", header(&table, b'0', "")),
        ("upper-case digest", header(&extra.to_uppercase().replace("BLOBS/SHA256", "blobs/sha256"), b'0', "")),
        ("other algorithm", header(&extra.replace("sha256", "sha512"), b'0', "")),
    ] {
        refused(what, &with_entry(&good, &entry), &root, ExitCode::Malformed);
    }
    refused("a second archive after the first", &[good.clone(), good.clone()].concat(), &root, ExitCode::Malformed);
    refused("no end", &good[..good.len() - END.len()], &root, ExitCode::Malformed);
    refused("not an archive", b"not a tar, but long enough to be a name", &root, ExitCode::NoVerdict);
    refused("an empty file", b"", &root, ExitCode::Malformed);
    assert!(import_bytes(&with_entry(&good, &[]), &root).is_ok());
}

#[test]
fn broken_layouts_are_refused_in_their_class() {
    let dir = scratch();
    let good = sealed(Flaw::None);
    let root = fresh(&good, dir.path());
    let index = good.index_json();
    let text = String::from_utf8(index.clone()).unwrap();
    let with_layout = |layout: &[u8]| {
        let blobs = good.blobs.iter().map(|(digest, bytes)| (EntryName::Blob(*digest), bytes.as_slice()));
        write_archive([(EntryName::OciLayout, layout), (EntryName::Index, index.as_slice())].into_iter().chain(blobs)).unwrap()
    };
    for layout in [
        &b"{}"[..],
        b"",
        br#"{"imageLayoutVersion":"2.0.0"}"#,
        br#"{"imageLayoutVersion":"1.0.0","imageLayoutVersion":"1.0.0"}"#,
        &[b' '; 5000],
    ] {
        refused("oci-layout", &with_layout(layout), &root, ExitCode::Malformed);
    }
    for (what, changed, exit) in [
        ("duplicate key", text.replacen('{', r#"{"schemaVersion":2,"#, 1), ExitCode::Malformed),
        ("float", text.replacen("\"size\":", "\"size\":1e400,\"x\":", 1), ExitCode::Malformed),
        ("2^53", text.replacen("\"size\":", "\"size\":9007199254740992,\"x\":", 1), ExitCode::Malformed),
        ("negative size", text.replacen("\"size\":", "\"size\":-", 1), ExitCode::Malformed),
        ("another size", text.replacen("\"size\":", "\"size\":1", 1), ExitCode::Rejected),
        ("unknown field", text.replacen('{', r#"{"urls":[],"#, 1), ExitCode::Malformed),
        ("sha512", text.replacen("sha256:", "sha512:", 1), ExitCode::Malformed),
        ("deep", format!("{}{}", "[".repeat(65), "]".repeat(65)), ExitCode::Malformed),
        ("too large", format!("{text}{}", " ".repeat(4 << 20)), ExitCode::Malformed),
        ("nothing listed", r#"{"schemaVersion":2,"manifests":[]}"#.to_owned(), ExitCode::Malformed),
    ] {
        refused(what, &pack(&good, changed.as_bytes()), &root, exit);
    }
    for (digest, bytes) in &good.blobs {
        let mut less = good.clone();
        less.blobs.remove(digest);
        refused(&format!("without {} bytes", bytes.len()), &pack(&less, &index), &root, ExitCode::NoVerdict);
        let mut other = good.clone();
        other.blobs.insert(*digest, [bytes.as_slice(), b" "].concat());
        refused(&format!("{} bytes and one more", bytes.len()), &pack(&other, &index), &root, ExitCode::Rejected);
    }
}

#[test]
fn a_signed_bundle_that_contradicts_itself_is_rejected() {
    let dir = scratch();
    for (what, flaw) in [("part", Flaw::Part), ("layer", Flaw::Layer), ("subject", Flaw::Subject), ("version", Flaw::Version)] {
        let sealed = sealed(flaw);
        let root = fresh(&sealed, dir.path());
        refused(what, &pack(&sealed, &sealed.index_json()), &root, ExitCode::Rejected);
    }
}

#[test]
fn an_unsigned_or_unlogged_bundle_has_no_verdict_and_two_bundles_are_malformed() {
    let dir = scratch();
    let whole = sealed(Flaw::None);
    let root = fresh(&whole, dir.path());
    let bundle = whole.bundle.clone();
    let mut unsigned = whole.clone();
    unsigned.list(&[("bundle", &bundle)]);
    refused("unsigned", &pack(&unsigned, &unsigned.index_json()), &root, ExitCode::NoVerdict);
    let signature = whole.signature.clone();
    let mut unlogged = whole.clone();
    unlogged.list(&[("bundle", &bundle), ("sig", &signature)]);
    refused("no fragment", &pack(&unlogged, &unlogged.index_json()), &root, ExitCode::NoVerdict);
    let other = sealed(Flaw::Part);
    let mut two = whole.clone();
    two.blobs.extend(other.blobs.clone());
    two.top.extend(other.top);
    refused("two bundles", &pack(&two, &two.index_json()), &root, ExitCode::Malformed);
    // A signature whose manifest points at another bundle is not attached to this one.
    let mut stray = whole.clone();
    let elsewhere = Descriptor::of(media::MANIFEST, b"elsewhere");
    let layer = stray.attach(&elsewhere, media::SIGSTORE_BUNDLE, b"{}");
    stray.list(&[("bundle", &bundle), ("sig", &layer)]);
    refused("subject elsewhere", &pack(&stray, &stray.index_json()), &root, ExitCode::NoVerdict);
}

#[test]
fn what_anyone_can_add_changes_nothing_in_the_store() {
    let dir = scratch();
    let whole = sealed(Flaw::None);
    let root = fresh(&whole, dir.path());
    import_bytes(&pack(&whole, &whole.index_json()), &root).unwrap();
    let expected = tree(&root);
    let admitted = |sealed: &Sealed| -> Imported {
        let root = fresh(sealed, dir.path());
        let imported = import_bytes(&pack(sealed, &sealed.index_json()), &root).unwrap();
        assert_eq!(tree(&root), expected);
        imported
    };
    let mut extra = whole.clone();
    let stray = extra.put("text/plain", b"nobody names this");
    assert_eq!(admitted(&extra).unreferenced, [stray.digest]);

    let mut renamed = whole.clone();
    for descriptor in &mut renamed.top {
        descriptor.annotations = [("org.opencontainers.image.ref.name".to_owned(), "../../evil".to_owned())].into();
        descriptor.artifact_type = Some("application/vnd.example.false".to_owned());
    }
    admitted(&renamed);
    renamed.top.truncate(1);
    admitted(&renamed);

    let mut crowded = whole.clone();
    let bundle = whole.bundle.clone();
    for n in 0..200 {
        let false_signature = crowded.attach(&bundle, media::SIGSTORE_BUNDLE, format!("{{\"n\":{n}}}").as_bytes());
        let false_fragment = crowded.attach(&bundle, media::TLOG_FRAGMENT, &END[..n]);
        crowded.top.insert(0, false_signature);
        crowded.top.insert(0, false_fragment);
    }
    admitted(&crowded);

    let mut misshapen = whole.clone();
    for kind in [media::SIGSTORE_BUNDLE, media::TLOG_FRAGMENT] {
        for layers in [vec![], vec![misshapen.put("text/plain", b"of another kind")]] {
            let mut manifest = sealtrace_layout::Manifest::new(kind, layers);
            manifest.subject = Some(bundle.clone());
            let descriptor = misshapen.put(media::MANIFEST, &manifest.encode().unwrap());
            misshapen.top.insert(0, descriptor);
        }
    }
    admitted(&misshapen);
}

#[test]
fn more_than_ten_thousand_referrers_are_a_limit() {
    let dir = scratch();
    let mut crowded = sealed(Flaw::None);
    let root = fresh(&crowded, dir.path());
    let bundle = crowded.bundle.clone();
    let layer = crowded.attach(&bundle, "application/vnd.example.bogus", b"{ }");
    let template: sealtrace_layout::Manifest = sealtrace_layout::Manifest::parse(&crowded.blobs[&layer.digest]).unwrap();
    for n in 0..MAX_ATTACHMENTS {
        let mut manifest = template.clone();
        manifest.annotations.insert("n".to_owned(), n.to_string());
        let descriptor = crowded.put(media::MANIFEST, &manifest.encode().unwrap());
        crowded.top.push(descriptor);
    }
    refused("crowd", &pack(&crowded, &crowded.index_json()), &root, ExitCode::Malformed);
}
