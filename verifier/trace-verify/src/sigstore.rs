//! `trace-verify sigstore`: any Sigstore bundle, verified offline against a trusted root.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Args;
use sealtrace_console::{ExitCode, Failure, Outcome, OutputArgs, escape, print, print_json};
use sealtrace_crypto::VerifyingKey;
use sealtrace_digest::FileSha256;
use sealtrace_sigstore::{
    Artifact, Expected, MAX_BUNDLE_BYTES, MAX_ROOT_BYTES, Request, Signer, Thresholds, TrustedRoot, VerifiedArtifact, verify,
};
use sealtrace_store::read_bounded;
use sealtrace_tlog::{MAX_POLICY_BYTES, TlogPolicy};
use sealtrace_verdict::Verdict;
use sha2::{Digest as _, Sha256, Sha384, Sha512};

use crate::render;

/// Roots that this subcommand, and no other, falls back on (`roots/README.md`).
const PUBLIC_GOOD: &[u8] = include_bytes!("../roots/public-good.json");
const STAGING: &[u8] = include_bytes!("../roots/staging.json");
/// Artifacts up to here are held in memory, for keys that sign whole messages (ours).
const MAX_HELD_BYTES: u64 = 64 << 20;
/// The most bytes of a public key file (ours).
const MAX_KEY_BYTES: u64 = 16 << 10;

#[derive(Debug, Args)]
pub(crate) struct SigstoreArgs {
    /// The Sigstore bundle
    #[arg(long, value_name = "F")]
    bundle: PathBuf,
    /// Who must have signed: a subject alternative name of the certificate, whole
    #[arg(long, value_name = "I", requires = "certificate_oidc_issuer")]
    certificate_identity: Option<String>,
    /// Who must have vouched for that identity: the OIDC issuer, whole
    #[arg(long, value_name = "U", requires = "certificate_identity")]
    certificate_oidc_issuer: Option<String>,
    /// The public key (PEM) that must have signed
    #[arg(long, value_name = "PEM", conflicts_with_all = ["certificate_identity", "certificate_oidc_issuer"])]
    key: Option<PathBuf>,
    /// The trusted root [default: the public-good one that this tool carries]
    #[arg(long, value_name = "F", conflicts_with = "staging")]
    trusted_root: Option<PathBuf>,
    /// Use the staging instance's root that this tool carries
    #[arg(long)]
    staging: bool,
    /// A C2SP tlog-policy: the log witnesses that must have cosigned the bundle's checkpoints
    #[arg(long, value_name = "F")]
    tlog_policy: Option<PathBuf>,
    /// How many distinct logs must hold the signature
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=32))]
    minimum_logs: u16,
    /// How many distinct time stamp authorities must have stamped it
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u16).range(0..=32))]
    minimum_timestamps: u16,
    /// What must have been signed: a file, or sha256: with 64 hex digits
    #[arg(value_name = "FILE_OR_DIGEST")]
    artifact: String,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

/// The trusted root in use, and how it is called.
struct Root {
    name: String,
    sha256: FileSha256,
    trust: TrustedRoot,
}

/// Runs the command.
pub(crate) fn run(args: &SigstoreArgs) -> Outcome {
    let expected = expected(args)?;
    let root = root(args)?;
    let bundle = read(&args.bundle, MAX_BUNDLE_BYTES, "bundle")?;
    let artifact = artifact(&args.artifact)?;
    let policy = args.tlog_policy.as_deref().map(read_tlog_policy).transpose()?;
    let thresholds = Thresholds { witnesses: policy.as_ref(), logs: args.minimum_logs.into(), timestamps: args.minimum_timestamps.into() };
    let request = Request { bundle: &bundle, root: &root.trust, expected: &expected, artifact: &artifact, thresholds };
    let (verdict, verified) = verify(&request);
    if args.output.json {
        print_json(&document(&verdict, verified.as_ref(), &root)?);
    } else {
        show(&args.artifact, &verdict, verified.as_ref(), &root);
    }
    Ok(verdict.exit())
}

fn expected(args: &SigstoreArgs) -> Result<Expected, Failure> {
    match (&args.certificate_identity, &args.certificate_oidc_issuer, &args.key) {
        (Some(identity), Some(issuer), None) => Ok(Expected::Identity { identity: identity.clone(), issuer: issuer.clone() }),
        (None, None, Some(path)) => {
            let pem = read(path, usize::try_from(MAX_KEY_BYTES).unwrap_or(usize::MAX), "public key")?;
            let key = VerifyingKey::parse_pem(&pem).map_err(|error| {
                Failure::from_error(ExitCode::Malformed, &shown(path), &error)
                    .hint("name the signer's public key: a PEM file that begins with -----BEGIN PUBLIC KEY-----")
            })?;
            Ok(Expected::Key(Box::new(key)))
        }
        _ => Err(Failure::new(ExitCode::NoVerdict, "nobody is named who should have signed: a signature by anyone would do")
            .hint("give --certificate-identity with --certificate-oidc-issuer, or --key PEM")),
    }
}

fn root(args: &SigstoreArgs) -> Result<Root, Failure> {
    let (name, bytes) = match &args.trusted_root {
        Some(path) => (shown(path), read(path, MAX_ROOT_BYTES, "trusted root")?),
        None if args.staging => ("carried: staging".to_owned(), STAGING.to_vec()),
        None => ("carried: public-good".to_owned(), PUBLIC_GOOD.to_vec()),
    };
    let trust = TrustedRoot::parse(&bytes).map_err(|error| {
        Failure::from_error(ExitCode::Malformed, &name, &error)
            .hint("name the trusted_root.json of the instance that signed: --trusted-root F")
    })?;
    Ok(Root { name, sha256: FileSha256::of(&bytes), trust })
}

/// Reads a C2SP tlog-policy.
pub(crate) fn read_tlog_policy(path: &Path) -> Result<TlogPolicy, Failure> {
    let bytes = read(path, MAX_POLICY_BYTES, "tlog-policy")?;
    TlogPolicy::parse(&bytes).map_err(|error| {
        Failure::from_error(ExitCode::Malformed, &shown(path), &error)
            .hint("it names logs, log witnesses, groups and a quorum, as docs/formats/tlog-policy.md has it")
    })
}

pub(crate) fn read(path: &Path, limit: usize, what: &str) -> Result<Vec<u8>, Failure> {
    let limit = u64::try_from(limit).unwrap_or(u64::MAX);
    read_bounded(path, limit).map_err(|error| {
        Failure::from_error(ExitCode::NoVerdict, what, &error).hint(format_args!("check that {} is the {what}", shown(path)))
    })
}

/// `sha256:<hex>` is a digest unless there is a file of that name.
fn artifact(text: &str) -> Result<Artifact, Failure> {
    let path = Path::new(text);
    if text.starts_with("sha256:") && !path.exists() {
        return Artifact::parse_digest(text).map_err(|error| {
            Failure::from_error(ExitCode::NoVerdict, "artifact", &error)
                .hint("write the digest as sha256sum prints it: sha256:<64 lower-case hex digits>")
        });
    }
    let failed =
        |error: &std::io::Error| Failure::io("read", path, error).hint("name the file that was signed, or its digest as sha256:<hex>");
    let mut file = std::fs::File::open(path).map_err(|error| failed(&error))?;
    let metadata = file.metadata().map_err(|error| failed(&error))?;
    if !metadata.is_file() {
        return Err(failed(&std::io::Error::other("not a regular file")));
    }
    if metadata.len() <= MAX_HELD_BYTES {
        let mut content = Vec::new();
        file.take(MAX_HELD_BYTES + 1).read_to_end(&mut content).map_err(|error| failed(&error))?;
        return Ok(Artifact::of(&content));
    }
    let (mut sha256, mut sha384, mut sha512) = (Sha256::new(), Sha384::new(), Sha512::new());
    let mut buffer = vec![0; 1 << 20];
    loop {
        let count = file.read(&mut buffer).map_err(|error| failed(&error))?;
        let Some(bytes) = buffer.get(..count).filter(|bytes| !bytes.is_empty()) else { break };
        sha256.update(bytes);
        sha384.update(bytes);
        sha512.update(bytes);
    }
    Ok(Artifact::of_stream(sha256.finalize().into(), sha384.finalize().into(), sha512.finalize().into()))
}

fn shown(path: &Path) -> String {
    escape(&path.display().to_string())
}

/// What whoever verifies the evidence of others can do; the steps of [`render::conclusion`] are for those who make it.
fn next_step(id: &str) -> &'static str {
    match id {
        "log-trusted" | "certificate-path" | "certificate-sct" | "timestamp" | "log-key-window" => {
            "name the trusted root of the instance that signed: --trusted-root F, or --staging; if that is the right one, do not use the artifact"
        }
        "signing-material" => "ask with --certificate-identity and --certificate-oidc-issuer, or with --key",
        "key-hint" | "signer-trusted" => "name the key that should have signed: --key PEM",
        "certificate-identity" | "certificate-issuer" => {
            "name who should have signed: --certificate-identity I --certificate-oidc-issuer U; if that was said, do not use the artifact"
        }
        "message-digest" | "subject-digest" => "name the artifact that belongs to this bundle; if it is the one, do not use it",
        "witness-quorum" | "cosignatures" => {
            "compare the tlog-policy with the checkpoint's signature lines; ask for the bundle with a later, cosigned checkpoint"
        }
        _ => "fetch the bundle again from its publisher, as it was; if it stays the same, do not use the artifact",
    }
}

fn document(verdict: &Verdict, verified: Option<&VerifiedArtifact>, root: &Root) -> Result<serde_json::Value, Failure> {
    let mut document = serde_json::to_value(verdict).map_err(|error| Failure::new(ExitCode::NoVerdict, error))?;
    let signer = verified.map(|verified| match verified.signer() {
        Signer::Identity { identity, issuer, certificate } => {
            serde_json::json!({"identity": identity, "issuer": issuer, "certificateSha256": hex::encode(certificate)})
        }
        Signer::Key { key_id } => serde_json::json!({"key": key_id}),
    });
    let logs = verified
        .map(|verified| verified.logs().iter().map(|(name, index)| serde_json::json!({"log": name, "index": index})).collect::<Vec<_>>());
    if let Some(fields) = document.as_object_mut() {
        fields.insert("signer".to_owned(), signer.unwrap_or_default());
        fields.insert("logs".to_owned(), logs.map(serde_json::Value::from).unwrap_or_default());
        let witnesses = verified.and_then(VerifiedArtifact::witnessed).map(|witnessed| witnessed.witnesses.clone());
        fields.insert("witnesses".to_owned(), witnesses.map(serde_json::Value::from).unwrap_or_default());
        fields.insert("predicateType".to_owned(), verified.and_then(VerifiedArtifact::predicate_type).into());
        fields.insert("trustedRoot".to_owned(), serde_json::json!({"name": root.name, "sha256": root.sha256}));
    }
    Ok(document)
}

fn show(artifact: &str, verdict: &Verdict, verified: Option<&VerifiedArtifact>, root: &Root) {
    print(&format!("{}  artifact {}", render::word(verdict.conclusion()), escape(artifact)));
    if let Some(verified) = verified {
        match verified.signer() {
            Signer::Identity { identity, issuer, .. } => print(&format!("signed by  {} ({})", escape(identity), escape(issuer))),
            Signer::Key { key_id } => print(&format!("signed by  {key_id}")),
        }
        for (name, index) in verified.logs() {
            print(&format!("logged     {} entry {index}", escape(name)));
        }
        if let Some(witnessed) = verified.witnessed() {
            print(&format!("cosigned   {}", escape(&witnessed.witnesses.join(", "))));
        }
        for time in verified.times() {
            print(&format!("time       {} ({})", time.time, escape(&time.source.to_string())));
        }
    }
    print(&format!("root       {} sha256 {}", root.name, root.sha256));
    print(&render::checked(verdict));
    render::concluded(verdict, |id| Some(next_step(id)));
}
