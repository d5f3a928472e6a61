//! What we sign and log, judged by verifiers that share no code with us: `@sigstore/verify` and OpenSSL.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use sealtrace_envelope::{PAYLOAD_TYPE_IN_TOTO, SigstoreBundle, Statement, pae};
use sealtrace_signer::SigningKey;
use sealtrace_skip::skip;
use sealtrace_trust::{Authorities, TrustedLog, trusted_root_json};

use super::{body, origin};
use crate::{SiteLog, sign_and_log};

type Change = fn(&mut SigstoreBundle);

struct Signed {
    dir: tempfile::TempDir,
    bundle: SigstoreBundle,
    key: SigningKey,
}

/// A statement signed, and logged as the fourth of five entries.
fn signed() -> Signed {
    let dir = tempfile::tempdir().unwrap();
    let key = SigningKey::from_scalar(&[3; 32]).unwrap();
    let mut log = SiteLog::init_with_own_key(&dir.path().join("log"), &origin()).unwrap();
    for index in 0..3 {
        log.append(&body(index)).unwrap();
    }
    let statement = Statement::new("n:1", &[7; 32], "https://example.org/p/v0", &serde_json::json!({"a": 1})).unwrap();
    let bytes = sign_and_log(PAYLOAD_TYPE_IN_TOTO, &statement.encode().unwrap(), &key, &mut log).unwrap();
    log.append(b"later").unwrap();
    let again = sign_and_log(PAYLOAD_TYPE_IN_TOTO, &statement.encode().unwrap(), &key, &mut log).unwrap();
    assert_eq!(again, bytes, "signing and logging again gives the same bytes");
    let root = trusted_root_json(&[TrustedLog::new(log.reader().log().clone())], &Authorities::default()).unwrap();
    std::fs::write(dir.path().join("trusted_root.json"), root).unwrap();
    std::fs::write(dir.path().join("k.pub"), key.public_key().to_pem().unwrap()).unwrap();
    Signed { bundle: SigstoreBundle::parse(&bytes).unwrap(), dir, key }
}

fn node(home: &Path, signed: &Signed, bundle: &[u8]) -> Output {
    let file = signed.dir.path().join("bundle.json");
    std::fs::write(&file, bundle).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../testdata/interop/verify.mjs");
    let local = home.join("node_modules/.bin/node");
    Command::new(if local.exists() { local } else { PathBuf::from("node") })
        .arg(script)
        .args([&file, &signed.dir.path().join("trusted_root.json"), &signed.dir.path().join("k.pub")])
        .env("SEALTRACE_INTEROP", home)
        .output()
        .unwrap()
}

#[test]
fn sigstore_for_javascript_accepts_our_bundle_and_refuses_each_change() {
    let home = std::env::var_os("SEALTRACE_INTEROP").map(PathBuf::from);
    let Some(home) = home.filter(|home| home.join("node_modules/@sigstore/verify").is_dir()) else {
        return skip("interop", "SEALTRACE_INTEROP names no folder with node_modules/@sigstore/verify");
    };
    let signed = signed();
    let good = node(&home, &signed, &signed.bundle.encode().unwrap());
    assert!(good.status.success(), "{}", String::from_utf8_lossy(&good.stderr));
    assert_eq!(String::from_utf8_lossy(&good.stdout).trim(), format!("sha256:{}", "07".repeat(32)));
    let changes: [(&str, Change); 6] = [
        ("payload", |bundle| bundle.envelope.payload[20] ^= 1),
        ("signature", |bundle| *bundle.envelope.signatures[0].sig.last_mut().unwrap() ^= 1),
        ("log index", |bundle| bundle.entries[0].proof.log_index = 2),
        ("checkpoint root", |bundle| {
            let text = &mut bundle.entries[0].proof.checkpoint;
            *text = text.replacen("\n4\n", "\n5\n", 1);
        }),
        ("checkpoint signature", |bundle| {
            let text = &mut bundle.entries[0].proof.checkpoint;
            let position = text.len() - 12;
            let other = if text.as_bytes()[position] == b'A' { "B" } else { "A" };
            text.replace_range(position..=position, other);
        }),
        ("log", |bundle| bundle.entries[0].log_key_id[0] ^= 1),
    ];
    for (what, change) in changes {
        let mut changed = signed.bundle.clone();
        change(&mut changed);
        assert_ne!(changed, signed.bundle, "{what}");
        let refused = node(&home, &signed, &changed.encode().unwrap());
        assert_eq!(refused.status.code(), Some(1), "{what}: {}", String::from_utf8_lossy(&refused.stderr));
    }
}

#[test]
fn openssl_accepts_key_and_signature_and_refuses_another_payload() {
    if Command::new("openssl").arg("version").output().is_err() {
        return skip("openssl", "openssl is not in PATH");
    }
    let signed = signed();
    let file = |name: &str| signed.dir.path().join(name);
    std::fs::write(file("sig"), &signed.bundle.envelope.signatures[0].sig).unwrap();
    std::fs::write(file("pae"), signed.bundle.envelope.pae()).unwrap();
    std::fs::write(file("other"), pae(PAYLOAD_TYPE_IN_TOTO, b"{}")).unwrap();
    let verify = |payload: &str| {
        let mut command = Command::new("openssl");
        command.args(["dgst", "-sha256", "-verify"]).arg(file("k.pub")).arg("-signature").arg(file("sig")).arg(file(payload));
        command.output().unwrap().status.success()
    };
    assert!(verify("pae"));
    assert!(!verify("other"));
    signed.key.create_file(&file("k.key")).unwrap();
    let public = Command::new("openssl").args(["pkey", "-pubout", "-in"]).arg(file("k.key")).output().unwrap();
    assert_eq!(public.stdout, std::fs::read(file("k.pub")).unwrap());
    // And a key that OpenSSL made is one of ours.
    let mut make = Command::new("openssl");
    make.args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out"]).arg(file("o.key"));
    let made = make.output().unwrap();
    assert!(made.status.success());
    std::fs::set_permissions(file("o.key"), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    assert!(SigningKey::load(&file("o.key")).is_ok());
}
