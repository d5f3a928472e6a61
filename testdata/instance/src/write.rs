//! The folder of an instance: `trusted_root.json`, `cases.json`, one folder for each case, `openssl/` with the honest chain as single files.

use std::io;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::cases::{Case, Expected, all};
use crate::key::pem;
use crate::recipe::{Content, Recipe, Signer};

/// A case as written, for the tests that give it to verifiers.
#[derive(Clone, Debug)]
pub struct WrittenCase {
    /// The folder's name.
    pub name: &'static str,
    /// What the right outcome is.
    pub expected: Expected,
    /// What the case shows, or the one thing that is broken.
    pub why: &'static str,
    /// The bundle.
    pub bundle: PathBuf,
    /// The trusted root to verify against.
    pub trusted_root: PathBuf,
    /// The file that is said to be signed.
    pub artifact: PathBuf,
    /// The public key in PEM to verify with; None where the certificate's identity and issuer are asked for.
    pub key: Option<PathBuf>,
    /// The identity that the verifier is to demand of a certificate.
    pub identity: &'static str,
    /// The issuer that the verifier is to demand of a certificate.
    pub issuer: &'static str,
    /// Whether the bundle holds a DSSE envelope, not a message signature.
    pub is_dsse: bool,
}

/// Writes the instance into `out`, which is made; files of the same names are replaced.
///
/// # Errors
///
/// When a folder or file cannot be written.
pub fn write(out: &Path) -> io::Result<Vec<WrittenCase>> {
    std::fs::create_dir_all(out)?;
    let shared = Recipe::message().make().trusted_root;
    std::fs::write(out.join("trusted_root.json"), text(&shared))?;
    let cases: Vec<WrittenCase> = all().iter().map(|case| write_case(out, case, &shared)).collect::<io::Result<_>>()?;
    let listed: Vec<Value> = cases.iter().map(|case| case.listed(out)).collect();
    std::fs::write(out.join("cases.json"), text(&json!(listed)))?;
    write_chain(&out.join("openssl"))?;
    Ok(cases)
}

fn text(value: &Value) -> String {
    format!("{value:#}\n")
}

fn write_case(out: &Path, case: &Case, shared: &Value) -> io::Result<WrittenCase> {
    let folder = out.join(case.name);
    std::fs::create_dir_all(&folder)?;
    let evidence = case.recipe.make();
    let bundle = folder.join("bundle.sigstore.json");
    std::fs::write(&bundle, text(&evidence.bundle))?;
    let artifact = folder.join("artifact");
    std::fs::write(&artifact, &case.recipe.artifact)?;
    let mut trusted_root = out.join("trusted_root.json");
    if evidence.trusted_root != *shared {
        trusted_root = folder.join("trusted_root.json");
        std::fs::write(&trusted_root, text(&evidence.trusted_root))?;
    }
    let key = (case.recipe.signer == Signer::ManagedKey).then(|| folder.join("key.pub"));
    if let Some(key) = &key {
        std::fs::write(key, &evidence.key_pem)?;
    }
    let (identity, issuer) = (case.recipe.identity, case.recipe.issuer);
    let written = WrittenCase {
        name: case.name,
        expected: case.expected,
        why: case.why,
        bundle,
        trusted_root,
        artifact,
        key,
        identity,
        issuer,
        is_dsse: case.recipe.content == Content::Dsse,
    };
    std::fs::write(folder.join("case.json"), text(&written.listed(out)))?;
    Ok(written)
}

impl WrittenCase {
    /// The record of `case.json` and `cases.json`; paths are relative to the instance's folder.
    fn listed(&self, out: &Path) -> Value {
        let relative = |path: &Path| path.strip_prefix(out).unwrap_or(path).to_string_lossy().into_owned();
        json!({
            "name": self.name, "expected": self.expected.word(), "why": self.why,
            "bundle": relative(&self.bundle), "trustedRoot": relative(&self.trusted_root), "artifact": relative(&self.artifact),
            "key": self.key.as_deref().map(relative), "identity": self.identity, "issuer": self.issuer,
        })
    }
}

/// The honest case's certificates, signature and timestamp as single files, for `openssl verify` and `openssl ts`.
fn write_chain(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    let recipe = Recipe::message();
    let certificates = [
        ("root.pem", recipe.root.issue(None)),
        ("intermediate.pem", recipe.intermediate.issue(None)),
        ("leaf.pem", recipe.leaf.issue(recipe.sct.as_ref())),
        ("tsa-root.pem", recipe.tsa_root.issue(None)),
        ("tsa.pem", recipe.tsa.issue(None)),
    ];
    for (name, der) in certificates {
        std::fs::write(folder.join(name), pem("CERTIFICATE", &der))?;
    }
    let (signature, token) = recipe.signature_and_token();
    std::fs::write(folder.join("signature"), &signature)?;
    std::fs::write(folder.join("timestamp.tsr"), token)
}
