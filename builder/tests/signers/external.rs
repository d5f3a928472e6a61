//! `exec:` signers that answer and those that do not, references that name nothing, and `key show`.

use std::os::unix::fs::PermissionsExt as _;

use crate::site::Site;

/// Writes a program in the site's folder; `sign` is what it does when asked for a signature.
fn program(site: &Site, sign: &str) {
    let text = format!("#!/bin/sh\ncd {} || exit 9\ncase $2 in public-key) cat k.pub ;; sign) {sign} ;; esac\n", site.root().display());
    // Through another process, so that no fork of this one holds the file open for writing.
    std::fs::write(site.path("signer.text"), text).unwrap();
    site.shell("cp signer.text signer");
    std::fs::set_permissions(site.path("signer"), std::fs::Permissions::from_mode(0o755)).unwrap();
}

#[test]
fn an_external_signer_signs_and_the_bundle_goes_the_whole_way() {
    if !sealtrace_skip::has("openssl") {
        return;
    }
    let site = Site::new();
    program(&site, "openssl dgst -sha256 -sign k.key");
    let signed = site.json("sign bundle --key 'exec:./signer one'");
    assert_eq!((&signed["already"], signed["signer"].as_str()), (&false.into(), Some(site.key_id("k.key").as_str())));
    // Its signatures differ each time; the one that is there counts, and the program is not asked.
    program(&site, "touch asked; openssl dgst -sha256 -sign k.key");
    assert_eq!(site.json("sign bundle --key 'exec:./signer one'")["already"], true);
    assert!(!site.path("asked").exists());
    // It is as good as by the key's file.
    assert_eq!(site.json("sign bundle --key file:k.key")["already"], true);
    site.assert_whole_way(&site.key_id("'exec:./signer one'"));
}

#[test]
fn a_signer_that_hangs_floods_fails_or_uses_another_key_leaves_the_layout_untouched() {
    if !sealtrace_skip::has("openssl") {
        return;
    }
    let mut site = Site::new();
    site.set("SEALTRACE_EXEC_TIMEOUT", "2");
    for (sign, code, says) in [
        ("sleep 100", 2, "gave no answer to `sign` in 2 s and was killed"),
        ("sleep 100 & echo", 2, "gave no answer"),
        ("cat /dev/zero", 3, "more than 1024 bytes and was killed"),
        ("echo no token >&2; exit 3", 2, "exit status: 3: no token"),
        ("openssl dgst -sha256 -sign other.key", 1, "the signer's answer is refused"),
        ("echo x | openssl dgst -sha256 -sign k.key", 1, "does not verify"),
        ("openssl dgst -sha256 -sign k.key | openssl base64", 3, "not a DER"),
        ("head -c 64 /dev/zero", 3, "not a DER"),
        ("true", 3, "not a DER"),
    ] {
        program(&site, sign);
        site.refused("sign bundle --key 'exec:./signer one'", code, &[says]);
    }
    site.refused("sign bundle --key exec:./missing", 2, &["./missing cannot be started"]);
    site.refused("sign bundle --key exec:./k.pub", 2, &["./k.pub cannot be started"]);
    site.refused("sign bundle --key 'exec:/bin/echo'", 3, &["answered `public-key` with not a P-256 public key"]);
    site.set("SEALTRACE_EXEC_TIMEOUT", "soon");
    site.refused("sign bundle --key 'exec:./signer one'", 2, &["SEALTRACE_EXEC_TIMEOUT is not a number"]);
}

#[test]
fn a_reference_that_names_nothing_is_refused_with_what_there_is() {
    let site = Site::new();
    for (reference, says) in [
        ("awskms:///alias/x", "awskms: is no kind of key reference; there are file:, pkcs11:, exec: and fulcio"),
        ("file:", "names nothing"),
        ("exec:", "names nothing"),
        ("pkcs11:colour=red", "\"colour\" is not known"),
        ("pkcs11:token=x", "names no module"),
        ("pkcs11:token=x?module-path=relative.so", "not an absolute path"),
        ("fulcio:ftp://x", "fulcio: takes an address"),
    ] {
        for command in ["sign bundle --key", "key show"] {
            site.refused(&format!("{command} '{reference}'"), 2, &[says]);
        }
    }
    site.refused("sign bundle --key 'exec:a \"b'", 2, &["without a closing one"]);
    let said = site.refused("sign bundle --key 'pkcs11:token=x?pin-value=s3cret'", 2, &["names no module"]);
    assert!(!said.contains("s3cret"), "{said}");
}

#[cfg(not(feature = "fulcio"))]
#[test]
fn without_its_feature_a_keyless_signature_is_refused_by_the_feature_s_name() {
    let site = Site::new();
    for reference in ["fulcio", "fulcio:https://fulcio.example"] {
        site.refused(&format!("sign bundle --key {reference}"), 2, &["built without the feature `fulcio`", "--features fulcio"]);
    }
}

#[test]
fn a_key_is_shown_wherever_it_is_and_its_public_half_written_once() {
    let site = Site::new();
    program(&site, "exit 1");
    let pem = std::fs::read_to_string(site.path("k.pub")).unwrap();
    let id = site.key_id("k.key");
    for reference in ["k.key", "file:k.key", "k.pub", "'exec:./signer one'"] {
        let shown = site.json(&format!("key show {reference}"));
        assert_eq!((shown["keyId"].as_str(), shown["publicKeyPem"].as_str()), (Some(id.as_str()), Some(pem.as_str())), "{reference}");
        let text = String::from_utf8(site.done(&format!("key show {reference}")).stdout).unwrap();
        assert_eq!(text, format!("key id      {id}\n{pem}"));
    }
    site.done("key show k.key -o copy.pub");
    assert_eq!(std::fs::read_to_string(site.path("copy.pub")).unwrap(), pem);
    site.refused("key show other.key -o copy.pub", 2, &["a key is never overwritten"]);
    site.refused("key show tree/lib.so", 3, &["not an unencrypted PKCS#8 PEM"]);
    site.refused("key show missing", 2, &["missing"]);
}
