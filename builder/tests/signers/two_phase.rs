//! `sign prepare` and `sign assemble`: with openssl and pkcs11-tool as the signers, and everything that must not be attached.

use serde_json::Value;

use crate::site::Site;
use crate::tokens::Token;

const ASSEMBLE: &str = "sign assemble bundle --request request";

fn prepared() -> Site {
    let site = Site::new();
    site.done("sign prepare bundle --public-key k.pub -o request");
    site
}

fn openssl(site: &Site, key: &str, input: &str, output: &str) {
    site.shell(&format!("openssl dgst -sha256 -sign {key} -out {output} {input}"));
}

#[test]
fn openssl_signs_what_was_prepared_and_the_bundle_goes_the_whole_way() {
    if !sealtrace_skip::has("openssl") {
        return;
    }
    let site = prepared();
    openssl(&site, "k.key", "request/pae.bin", "sig.der");
    site.done(&format!("{ASSEMBLE} --signature sig.der --public-key k.pub"));
    let again = String::from_utf8(site.done(&format!("{ASSEMBLE} --signature sig.der")).stdout).unwrap();
    assert!(again.starts_with("already signed: "), "{again}");
    site.assert_whole_way(&site.key_id("k.pub"));
}

#[test]
fn a_signature_over_the_digest_alone_is_the_same_signature() {
    if !sealtrace_skip::has("openssl") {
        return;
    }
    let site = prepared();
    site.shell("openssl pkeyutl -sign -inkey k.key -in request/digest.bin -out sig.der");
    site.done(&format!("{ASSEMBLE} --signature sig.der --signature-format der"));
}

#[test]
fn pkcs11_tool_signs_what_was_prepared_and_the_bundle_goes_the_whole_way() {
    let Some(token) = Token::new() else { return };
    let site = &token.site;
    token.make_key("EC:prime256v1", "release", "01");
    site.done(&format!("key show '{}' -o token.pub", token.uri("object=release")));
    site.done("sign prepare bundle --public-key token.pub -o request");
    token.tool("--sign --mechanism ECDSA --id 01 --input-file request/digest.bin --output-file sig.raw");
    assert_eq!(std::fs::read(site.path("sig.raw")).unwrap().len(), 64);
    site.refused(&format!("{ASSEMBLE} --signature sig.raw --signature-format der"), 3, &["neither the DER"]);
    site.done(&format!("{ASSEMBLE} --signature sig.raw --signature-format raw --public-key token.pub"));
    site.done(&format!("{ASSEMBLE} --signature sig.raw --replace"));
    site.assert_whole_way(&site.key_id("token.pub"));
}

#[test]
fn what_is_prepared_is_the_bytes_their_digest_and_the_statement_each_time_the_same() {
    let site = prepared();
    let read = |name: &str| std::fs::read(site.path(&format!("request/{name}"))).unwrap();
    let statement = read("statement.json");
    let pae = [format!("DSSEv1 28 application/vnd.in-toto+json {} ", statement.len()).as_bytes(), &statement].concat();
    assert_eq!(read("pae.bin"), pae);
    let request: Value = serde_json::from_slice(&read("request.json")).unwrap();
    let digest = site.shell("sha256sum <request/pae.bin");
    let digest = digest.split(' ').next().unwrap();
    assert_eq!(request["paeSha256"], digest);
    assert_eq!(String::from_utf8(read("digest.hex")).unwrap(), format!("{digest}\n"));
    assert_eq!(read("digest.bin").iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat(), digest);
    assert_eq!(request["manifestDigest"], site.json("inspect bundle")["manifestDigest"]);
    let (public, id) = (std::fs::read_to_string(site.path("k.pub")).unwrap(), site.key_id("k.pub"));
    assert_eq!((&request["publicKey"], &request["keyId"]), (&Value::from(public), &Value::from(id)));
    site.done("sign prepare bundle --public-key k.pub -o request");
    assert_eq!(read("request.json"), serde_json::to_vec(&request).unwrap());
    site.refused("sign prepare bundle --public-key other.pub -o request", 2, &["request.json is already there with other content"]);
    site.refused("sign prepare bundle --public-key k.key -o new", 3, &["not a P-256 public key"]);
    site.refused("sign prepare bundle --public-key k.pub -o no/such/folder", 2, &["cannot create"]);
    site.refused("sign prepare bundle --public-key k.pub -o k.pub", 2, &["cannot create"]);
    site.refused("sign prepare log --public-key k.pub -o new", 2, &["log is no OCI layout"]);
}

#[test]
fn a_signature_that_is_not_the_key_s_over_these_bytes_leaves_the_layout_untouched() {
    if !sealtrace_skip::has("openssl") {
        return;
    }
    let site = prepared();
    openssl(&site, "k.key", "request/pae.bin", "good");
    let good = std::fs::read(site.path("good")).unwrap();
    openssl(&site, "other.key", "request/pae.bin", "other-key");
    openssl(&site, "k.key", "request/statement.json", "other-bytes");
    openssl(&site, "k.key", "request/digest.bin", "digest-of-digest");
    for name in ["other-key", "other-bytes", "digest-of-digest"] {
        site.refused(&format!("{ASSEMBLE} --signature {name}"), 1, &["does not verify with key", "layout is untouched"]);
    }
    let mut last = good.clone();
    *last.last_mut().unwrap() ^= 1;
    let base64 = site.shell("openssl base64 -in good").into_bytes();
    for (name, bytes, code, says) in [
        ("flipped", last, 1, "does not verify"),
        ("raw-of-ones", vec![1; 64], 1, "does not verify"),
        ("raw-of-zeros", vec![0; 64], 3, "neither the DER"),
        ("truncated", good[..good.len() - 1].to_vec(), 3, "neither the DER"),
        ("tail", [&good[..], b"\n"].concat(), 3, "neither the DER"),
        ("base64", base64, 3, "neither the DER"),
        ("empty", Vec::new(), 3, "signature of 0 bytes"),
        ("huge", vec![0x30; 1 << 20], 2, "huge"),
    ] {
        std::fs::write(site.path(name), bytes).unwrap();
        site.refused(&format!("{ASSEMBLE} --signature {name}"), code, &[says]);
    }
    site.refused(&format!("{ASSEMBLE} --signature good --signature-format raw"), 3, &["neither the DER"]);
    site.refused(&format!("{ASSEMBLE} --signature missing"), 2, &["missing"]);
    site.refused(&format!("{ASSEMBLE} --signature tree"), 2, &["tree"]);
    site.refused(&format!("{ASSEMBLE} --signature good --public-key other.pub"), 1, &["the request names key"]);
    site.done(&format!("{ASSEMBLE} --signature good"));
}

#[test]
fn a_signature_by_another_key_is_kept_unless_it_is_to_be_replaced() {
    if !sealtrace_skip::has("openssl") {
        return;
    }
    let site = prepared();
    openssl(&site, "k.key", "request/pae.bin", "sig.der");
    site.done("sign bundle --key other.key");
    let again = "next: to drop that signature and its log entry: symbol-bundle sign assemble bundle --request request --signature sig.der --replace";
    site.refused(&format!("{ASSEMBLE} --signature sig.der"), 2, &["already signed by key", again]);
    site.done(&format!("{ASSEMBLE} --signature sig.der --replace"));
    site.assert_whole_way(&site.key_id("k.pub"));
}

#[test]
fn a_request_that_is_changed_or_about_something_else_is_refused() {
    if !sealtrace_skip::has("openssl") {
        return;
    }
    let site = prepared();
    openssl(&site, "k.key", "request/pae.bin", "sig.der");
    let line = format!("{ASSEMBLE} --signature sig.der");
    let request = std::fs::read(site.path("request/request.json")).unwrap();
    let zeros = "0".repeat(64);
    for (field, value, code, says) in [
        ("version", Value::from(2), 1, "version is 2, expected 1"),
        ("payloadType", "text/plain".into(), 1, "payloadType is text/plain"),
        ("algorithm", "PKIX_ED25519".into(), 1, "algorithm is PKIX_ED25519"),
        ("keyId", zeros.clone().into(), 1, "keyId is 000"),
        ("paeSha256", zeros.clone().into(), 1, "paeSha256 is 000"),
        ("statementSha256", zeros.clone().into(), 1, "prepared for statement 000"),
        ("manifestDigest", format!("sha256:{zeros}").into(), 1, "prepared for bundle sha256:000"),
        ("publicKey", "none".into(), 3, "not a P-256 public key"),
        ("extra", 1.into(), 3, "is malformed"),
    ] {
        let mut edited: Value = serde_json::from_slice(&request).unwrap();
        edited[field] = value;
        std::fs::write(site.path("request/request.json"), edited.to_string()).unwrap();
        site.refused(&line, code, &["signing request: ", says]);
    }
    for (bytes, code) in [(b"".to_vec(), 3), (b"[]".to_vec(), 3), (request[..99].to_vec(), 3), (vec![b' '; 1 << 20], 2)] {
        std::fs::write(site.path("request/request.json"), bytes).unwrap();
        site.refused(&line, code, &["signing request"]);
    }
    std::fs::remove_file(site.path("request/request.json")).unwrap();
    site.refused(&line, 2, &["no signing request", "sign prepare"]);
    std::fs::write(site.path("request/request.json"), &request).unwrap();
    site.done("build tree --name demo --version 1.1 -o newer");
    site.refused(&line.replace("bundle --request", "newer --request"), 1, &["prepared for bundle"]);
    site.done(&line);
}

#[test]
fn a_layout_that_is_named_like_a_subcommand_needs_its_folder() {
    let site = Site::new();
    for name in ["prepare", "assemble", "help"] {
        site.shell(&format!("cp -r bundle {name}"));
        site.done(&format!("sign ./{name} --key k.key"));
    }
    site.done("sign help --key k.key");
    assert_eq!(site.run("sign prepare --key k.key").status.code(), Some(2));
    assert_eq!(site.run("sign bundle").status.code(), Some(2));
    assert_eq!(site.run("sign").status.code(), Some(2));
}
