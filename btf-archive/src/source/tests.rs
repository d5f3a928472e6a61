use super::*;
use crate::testing::{BTF, bz_image, elf, packed};

#[test]
fn an_image_in_every_compression_gives_its_btf_build_id_and_release() {
    let kernel = elf(&[(".BTF", BTF), (".notes", crate::testing::NOTES), (".rodata", crate::testing::BANNER)]);
    for tool in ["gzip", "xz", "zstd", "lz4"] {
        let Some(payload) = packed(tool, &kernel) else { continue };
        let image = bz_image(&payload, b"");
        let found = Source::read(&image).unwrap_or_else(|error| panic!("{tool}: {error}"));
        assert_eq!((found.kind, found.btf.as_slice(), found.sha256), (BtfSource::KernelImage, BTF, FileSha256::of(&image)));
        assert_eq!(found.build_id.as_deref(), Some("0badcafe"), "{tool}");
        assert_eq!((found.release.as_deref(), found.arch), (Some("6.1.0-18-demo"), Some("x86_64")));
        let named = Source::read(&bz_image(&payload, b"6.1.0-19-other (build@host) #1 SMP")).unwrap();
        assert_eq!(named.release.as_deref(), Some("6.1.0-19-other"), "the setup header's own text comes first");
        for cut in [0, 0x1ff, 0x205, 0x24f, 1024, image.len() - payload.len() / 2] {
            assert!(Source::read(&image[..cut]).is_err(), "{tool} cut at {cut} was accepted");
        }
    }
}

#[test]
fn no_changed_byte_of_an_image_header_makes_anything_panic() {
    let Some(payload) = packed("gzip", &elf(&[(".BTF", BTF)])) else { return };
    let image = bz_image(&payload, b"6.1 x");
    for at in 0x1f0..0x260 {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = image.clone();
            changed[at] = value;
            _ = Source::read(&changed);
        }
    }
}

#[test]
fn kernels_without_btf_and_files_of_other_kinds_are_refused_with_the_reason() {
    let old = {
        let mut image = bz_image(b"\x1f\x8b", b"");
        image[0x206] = 7;
        image
    };
    let wrong = [
        (Vec::new(), "empty"),
        (b"#!/bin/sh\n".to_vec(), "neither BTF"),
        (elf(&[(".text", b"x")]), "CONFIG_DEBUG_INFO_BTF"),
        (elf(&[(".BTF", b"\x9f\xeb")]), "shorter than a BTF header"),
        (elf(&[(".BTF", BTF)])[..100].to_vec(), "kernel: "),
        (bz_image(b"nothing", b""), "compression"),
        (old, "2.08"),
        (BTF[..BTF.len() - 1].to_vec(), "strings end at"),
    ];
    for (bytes, says) in wrong {
        let error = Source::read(&bytes).unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}

#[test]
fn a_banner_is_taken_only_where_a_release_follows() {
    assert_eq!(banner(&[b"Linux version %s (%s)\0Linux version 5.10.0-1 (a)".as_slice(), &[0; 80]].concat()).as_deref(), Some("5.10.0-1"));
    assert_eq!(banner(&[b"Linux version ".as_slice(), &[b'7'; 200]].concat()), None);
    assert_eq!(banner(b"Linux version 6"), None);
}
