//! Verifies every case of an instance with the `sigstore-verify` crate, which shares no code with this project.
//!
//!     cases-rs INSTANCE        (the folder with cases.json)
//!
//! One line of JSON for each case: `{"name", "outcome": "accept" | "reject", "why"}`. Exit 2: cannot run.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use sigstore_verify::trust_root::TrustedRoot;
use sigstore_verify::types::{Bundle, DerPublicKey};
use sigstore_verify::{PublicKeyVerificationPolicy, VerificationPolicy, verify};

fn verify_case(instance: &Path, case: &Value) -> Result<(), Box<dyn Error>> {
    let text = |key: &str| case[key].as_str().ok_or_else(|| format!("the case has no {key}"));
    let read = |key: &str| -> Result<Vec<u8>, Box<dyn Error>> { Ok(std::fs::read(instance.join(text(key)?))?) };
    let root = TrustedRoot::from_json(&String::from_utf8(read("trustedRoot")?)?)?;
    let bundle = Bundle::from_json(&String::from_utf8(read("bundle")?)?)?;
    let artifact = read("artifact")?;
    if case["key"].is_null() {
        verify(&artifact, &bundle, &VerificationPolicy::new(text("identity")?, text("issuer")?), &root)?;
    } else {
        let key = DerPublicKey::from_pem(&String::from_utf8(read("key")?)?)?;
        verify(&artifact, &bundle, &PublicKeyVerificationPolicy::new(key), &root)?;
    }
    Ok(())
}

fn run(instance: &Path) -> Result<(), Box<dyn Error>> {
    let cases: Vec<Value> = serde_json::from_slice(&std::fs::read(instance.join("cases.json"))?)?;
    for case in &cases {
        let (outcome, why) = match verify_case(instance, case) {
            Ok(()) => ("accept", String::new()),
            Err(error) => ("reject", error.to_string()),
        };
        println!("{}", json!({ "name": case["name"], "outcome": outcome, "why": why }));
    }
    Ok(())
}

fn main() -> ExitCode {
    let Some(instance) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("usage: cases-rs INSTANCE");
        return ExitCode::from(2);
    };
    match run(&instance) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{}: {error}", instance.display());
            ExitCode::from(2)
        }
    }
}
