//! Keyless signing against a Fulcio of our own on loopback: openssl is its authority, and it checks what the real one checks of a request.
//!
//! Not shown: the public instance, its TLS, and the embedded SCTs, which nobody here issues.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::server::{Answer, Request, Server};
use crate::site::Site;
use crate::support::files;

const TOKEN: &str = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJyZWxlYXNlIn0.c2lnbmF0dXJl";
const LEAF: &str = "keyUsage=critical,digitalSignature
extendedKeyUsage=codeSigning
subjectAltName=critical,email:release@example.org
1.3.6.1.4.1.57264.1.8=ASN1:UTF8String:https://issuer.example
";

/// A site with an authority, and another one, in `ca/`.
fn site() -> Option<Site> {
    if !sealtrace_skip::has("openssl") {
        return None;
    }
    let site = Site::new();
    std::fs::create_dir(site.path("ca")).unwrap();
    for name in ["ca", "stranger"] {
        site.shell(&format!(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca/{name}.key -out ca/{name}.pem \
             -subj /O=test/CN=root -days 3650 -addext keyUsage=critical,keyCertSign"
        ));
    }
    site.shell("openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout ca/x.key -subj / -out ca/x.csr");
    std::fs::write(site.path("ca/leaf.ext"), LEAF).unwrap();
    std::fs::write(site.path("ca/tls.ext"), LEAF.replace("codeSigning", "serverAuth")).unwrap();
    std::fs::write(site.path("token"), format!("{TOKEN}\n")).unwrap();
    Some(site)
}

fn openssl(folder: &Path, line: &str) {
    let output = Command::new("openssl").args(line.split_whitespace()).current_dir(folder).output().unwrap();
    assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
}

/// A certificate as the real instance would issue it, or one with this twist.
fn issue(folder: &Path, request: &Request, twist: &str) -> Answer {
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/api/v2/signingCert"));
    let asked: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(asked["credentials"], json!({"oidcIdentityToken": TOKEN}));
    let csr = sealtrace_envelope::decode_base64(asked["certificateSigningRequest"].as_str().unwrap()).unwrap();
    std::fs::write(folder.join("csr.pem"), csr).unwrap();
    openssl(folder, "req -verify -noout -in csr.pem");
    let (csr, ext) = (if twist == "other key" { "x.csr" } else { "csr.pem" }, if twist == "purpose" { "tls.ext" } else { "leaf.ext" });
    openssl(folder, &format!("x509 -req -in {csr} -CA ca.pem -CAkey ca.key -set_serial 7 -days 1 -extfile {ext} -out leaf.pem"));
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let chain = match twist {
        "leaf alone" => json!([read("leaf.pem")]),
        "stranger" => json!([read("leaf.pem"), read("stranger.pem")]),
        "key as certificate" => json!([read("ca.key"), read("ca.pem")]),
        "no pem" => json!(["leaf", "root"]),
        "long" => json!(vec![read("ca.pem"); 40]),
        _ => json!([read("leaf.pem"), read("ca.pem")]),
    };
    let kind = if twist == "detached" { "signedCertificateDetachedSct" } else { "signedCertificateEmbeddedSct" };
    Answer::bytes(json!({kind: {"chain": {"certificates": chain}}, "later": 1}).to_string().into_bytes())
}

fn fulcio(site: &Site, twist: &'static str) -> Server {
    let folder: PathBuf = site.path("ca");
    Server::start(move |request| issue(&folder, request, twist))
}

/// The Sigstore bundle in the layout.
fn attached(site: &Site) -> Value {
    let blobs = site.path("bundle/blobs/sha256");
    let read = |name: String| std::fs::read(blobs.join(name)).ok().and_then(|bytes| serde_json::from_slice::<Value>(&bytes).ok());
    files(&blobs).into_iter().filter_map(read).find(|value| value.get("dsseEnvelope").is_some()).unwrap()
}

#[test]
fn a_key_of_one_signature_is_certified_and_its_certificate_stands_in_the_bundle() {
    let Some(mut site) = site() else { return };
    let server = fulcio(&site, "");
    let line = format!("sign bundle --key fulcio:{}", server.url());
    let output = site.done(&format!("{line} --identity-token token --json"));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("certified: release@example.org by https://issuer.example") && !said.contains(TOKEN), "{said}");
    let signed: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&signed["certified"], &signed["trust"]), (&true.into(), &Value::Null));
    assert!(!site.path("bundle-trust").exists(), "a key that is gone is trusted by nobody");
    let bundle = attached(&site);
    let bytes = |value: &Value| sealtrace_envelope::decode_base64(value.as_str().unwrap()).unwrap();
    std::fs::write(site.path("leaf.der"), bytes(&bundle["verificationMaterial"]["certificate"]["rawBytes"])).unwrap();
    std::fs::write(site.path("sig"), bytes(&bundle["dsseEnvelope"]["signatures"][0]["sig"])).unwrap();
    let payload = bytes(&bundle["dsseEnvelope"]["payload"]);
    let pae = [format!("DSSEv1 28 application/vnd.in-toto+json {} ", payload.len()).as_bytes(), &payload].concat();
    std::fs::write(site.path("pae"), pae).unwrap();
    site.shell(
        "openssl x509 -inform DER -in leaf.der -noout -pubkey >leaf.pub && openssl dgst -sha256 -verify leaf.pub -signature sig pae",
    );
    site.shell("openssl x509 -inform DER -in leaf.der -out leaf.pem && openssl verify -purpose any -CAfile ca/ca.pem leaf.pem");
    assert_eq!(signed["signer"], site.key_id("leaf.pub"));
    // Another signature over it is made anew, with another key.
    site.set("SIGSTORE_ID_TOKEN", TOKEN);
    assert_ne!(site.json(&format!("{line} --replace"))["signer"], signed["signer"]);
    site.done("sign bundle --key k.key --replace");
    let asked = server.requests();
    site.refused(&line, 2, &["already signed"]);
    assert_eq!(server.requests(), asked, "no certificate is asked for that could not be used");
}

#[test]
fn a_github_job_s_token_is_asked_for_and_used() {
    let Some(mut site) = site() else { return };
    let server = fulcio(&site, "");
    let github = Server::start(|request| {
        assert_eq!(request.path, "/pipe//token?api-version=2.0&audience=sigstore");
        assert_eq!(request.authorization.as_deref(), Some("bearer job-secret"));
        Answer::bytes(json!({"count": 1, "value": TOKEN}).to_string().into_bytes())
    });
    site.set("ACTIONS_ID_TOKEN_REQUEST_URL", &format!("{}/pipe//token?api-version=2.0", github.url()));
    site.set("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "job-secret");
    site.done(&format!("sign bundle --key fulcio:{}", server.url()));
    assert_eq!((github.requests(), server.requests()), (1, 1));
    site.set("ACTIONS_ID_TOKEN_REQUEST_URL", "nowhere");
    site.refused(&format!("sign bundle --key fulcio:{} --replace", server.url()), 2, &["ACTIONS_ID_TOKEN_REQUEST_URL is no address"]);
}

#[test]
fn a_certificate_that_does_not_hold_leaves_the_layout_untouched() {
    let Some(site) = site() else { return };
    for (twist, code, says) in [
        ("other key", 1, "of another key"),
        ("stranger", 1, "do not hold together"),
        ("purpose", 1, "not for code signing"),
        ("detached", 2, "beside the certificate"),
        ("leaf alone", 3, "has 1 certificates"),
        ("long", 3, "has 40 certificates"),
        ("key as certificate", 3, "PRIVATE KEY"),
        ("no pem", 3, "is not PEM"),
    ] {
        let server = fulcio(&site, twist);
        refused(&site, &server, code, says);
    }
}

/// What an instance writes in its own folder is not looked at.
fn refused(site: &Site, server: &Server, code: i32, says: &str) {
    let line = format!("sign bundle --key fulcio:{} --identity-token token --timeout 2", server.url());
    let before = site.shell("find bundle bundle-trust -type f -exec sha256sum {} + 2>/dev/null | sort");
    let output = site.run(&line);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{says}: {said}");
    assert!(said.contains(says) && said.contains("  next: ") && !said.contains(TOKEN), "{said}");
    assert_eq!(site.shell("find bundle bundle-trust -type f -exec sha256sum {} + 2>/dev/null | sort"), before);
}

#[test]
fn an_instance_that_refuses_or_answers_anything_else_leaves_the_layout_untouched() {
    type Case = (fn(&Request) -> Answer, i32, &'static str);
    let Some(site) = site() else { return };
    let answers: [Case; 7] = [
        (|_| Answer::status(400, "{\"message\":\"token expired\"}"), 1, "refuses with 400: {\"message\":\"token expired\"}"),
        (|_| Answer::status(200, "{}"), 3, "no certificate in it"),
        (|_| Answer::status(200, "<html>"), 3, "not strict JSON"),
        (|_| Answer::Reply(302, vec![("location", "http://elsewhere".to_owned())], Vec::new()), 2, "is not followed"),
        (|_| Answer::Endless, 3, "longer than"),
        (|_| Answer::Slow, 2, "no whole answer within 2 s"),
        (|_| Answer::Raw(b"SSH-2.0\r\n".to_vec()), 3, "no HTTP"),
    ];
    for (answer, code, says) in answers {
        refused(&site, &Server::start(answer), code, says);
    }
}

#[test]
fn without_a_token_nothing_is_asked() {
    let Some(site) = site() else { return };
    let server = fulcio(&site, "");
    let line = format!("sign bundle --key fulcio:{}", server.url());
    site.refused(&line, 2, &["none was found", "SIGSTORE_ID_TOKEN"]);
    site.refused(&format!("{line} --identity-token missing"), 2, &["identity token", "missing"]);
    for text in ["", "a.b", "a.b.c.d", "a..c", "a.b.c d", "{\"value\":1}"] {
        std::fs::write(site.path("bad"), text).unwrap();
        site.refused(&format!("{line} --identity-token bad"), 3, &["the file holds no OIDC token"]);
    }
    std::fs::write(site.path("bad"), vec![b'a'; 1 << 20]).unwrap();
    site.refused(&format!("{line} --identity-token bad"), 2, &["identity token"]);
    site.refused("key show fulcio", 2, &["lives for one signature"]);
    assert_eq!(server.requests(), 0);
}
