//! What each check means: one table for every verdict, `trace-verify explain CODE` and the next step of an error.
//!
//! A test holds it against the ids in the code (`verifier/layers/tests/schemas.rs`). Not here: any check.

/// A check in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckText {
    /// Its id, without a prefix.
    pub id: &'static str,
    /// What holds when it passes.
    pub means: &'static str,
    /// Why it fails.
    pub fails: &'static str,
    /// What to do then.
    pub next: &'static str,
}

/// The text of a check; a prefix, as of the bundle it belongs to, does not matter.
pub fn explain(id: &str) -> Option<&'static CheckText> {
    let id = id.rsplit('/').next().unwrap_or(id);
    all().find(|text| text.id == id)
}

/// Every check, by subject.
pub fn all() -> impl Iterator<Item = &'static CheckText> {
    [SIGNATURE, LOG, RULES, EVIDENCE].into_iter().flatten()
}

const fn check(id: &'static str, means: &'static str, fails: &'static str, next: &'static str) -> CheckText {
    CheckText { id, means, fails, next }
}

/// Signatures, keys and certificates.
const SIGNATURE: &[CheckText] = &[
    check(
        "bundle-shape",
        "the bytes are a Sigstore bundle as this verifier reads it, and its checkpoints parse",
        "the file was cut, changed, or is another format",
        "ask for the file again, as it was written",
    ),
    check(
        "envelope-one-signature",
        "the DSSE envelope carries exactly one signature",
        "a signature was added or removed; foreign verifiers differ on what that means",
        "sign it anew",
    ),
    check(
        "key-hint",
        "the bundle's key hint and the signature's keyid name one key",
        "the hint was changed, or the bundle was put together of two",
        "sign it anew",
    ),
    check(
        "signer-trusted",
        "the key that signed is one that the trust folder or kit names",
        "nobody enrolled this key, or this is not its signer's bundle",
        "have the key enrolled: symbol-bundle site enroll request, then the next kit; or install the sender's trust folder",
    ),
    check(
        "dsse-signature",
        "the signature holds over the signed bytes",
        "the bytes were changed after signing, or nobody signed them",
        "ask for the original; sign with trace-resolve --key K --log DIR or symbol-bundle sign",
    ),
    check(
        "statement-shape",
        "the signed payload is an in-toto Statement v1",
        "something else was signed",
        "sign a statement of the right kind",
    ),
    check(
        "signing-material",
        "the bundle brings the kind of key material that was asked for: a certificate, or a key",
        "a certificate was expected and a key found, or the other way round",
        "ask with --certificate-identity and --certificate-oidc-issuer, or with --key",
    ),
    check(
        "certificate-sct",
        "the certificate was announced in a trusted CT log before it was used",
        "the timestamp is missing, of an unknown log, or of another certificate",
        "check that the trusted root is the signer's",
    ),
    check(
        "certificate-identity",
        "the certificate names the identity asked for",
        "somebody else signed",
        "ask for the identity that should have signed",
    ),
    check(
        "certificate-issuer",
        "the certificate names the issuer asked for",
        "another identity provider vouched",
        "ask for the issuer that should have vouched",
    ),
    check(
        "message-digest",
        "the digest that the bundle states is that of the artifact",
        "this is another artifact",
        "name the artifact that belongs to the bundle",
    ),
    check("message-signature", "the signature holds over the artifact", "the artifact or the bundle was changed", "ask for both again"),
    check(
        "certificate-path",
        "the certificate leads to an authority of the trusted root, valid at the authenticated time",
        "it is of another authority, or had expired",
        "check that the trusted root is the signer's, and that the bundle carries its time",
    ),
    check(
        "certificate-shape",
        "the signer's certificate is X.509 of version 3 over a P-256 key",
        "the certificate was changed, or is over a key of another kind",
        "sign it anew with the certificate that the authority issued",
    ),
    check(
        "timestamp",
        "an authority of the trusted root stamped the signature at a time within its own window",
        "the stamp is over other bytes, was made by nobody who may stamp, or outside the authority's window; of an unknown authority it proves nothing",
        "check that the trusted root names the time stamp authority, and ask for the evidence again",
    ),
    check("key-id", "the key's id is the one asked for", "it is another key", "name the key that should have signed"),
];

/// Log entries and checkpoints.
const LOG: &[CheckText] = &[
    check(
        "log-entry",
        "the bundle brings its log entry",
        "it was signed and not logged, or entries were added",
        "log it: symbol-bundle log append, trace-resolve --log DIR",
    ),
    check(
        "witness-quorum",
        "the log witnesses that the tlog-policy asks for cosigned the checkpoint, as distinct operators, under the log's own name",
        "too few of them did, one key is another, or the policy names another log",
        "compare the policy with the checkpoint's signature lines; ask for evidence with a later, cosigned checkpoint",
    ),
    check(
        "threshold-logs",
        "the signature is in as many distinct logs as were asked for",
        "the bundle carries fewer entries, or several of one log",
        "ask for a bundle that is logged in more logs, or ask for fewer",
    ),
    check(
        "threshold-timestamps",
        "as many distinct authorities stamped the signature as were asked for",
        "the bundle carries fewer stamps, or several of one authority",
        "ask for a bundle with more stamps, or ask for fewer",
    ),
    check(
        "tlog-proof-shape",
        "the file is a C2SP tlog-proof",
        "it was cut, changed, or is another format",
        "make it again: symbol-bundle log prove --log DIR --index N -o F.tlog-proof",
    ),
    check(
        "log-trusted",
        "the log's key is one that the trust folder or kit names",
        "the entry is of a log that nobody enrolled",
        "have the log enrolled, or install the sender's trust folder",
    ),
    check("log-index", "the index beside the proof is the proof's own", "the entry was put together of two", "log it anew"),
    check(
        "entry-body",
        "the log entry is byte for byte what this envelope is logged as",
        "the entry is of another envelope, or has extra fields",
        "log it anew",
    ),
    check(
        "entry-verifier",
        "the log entry names the key or certificate that signed",
        "the entry was made for another key; some verifiers accept it",
        "log it anew with its own key",
    ),
    check("entry-signature", "the logged signature is the bundle's", "the entry is of another signature", "log it anew"),
    check("entry-payload-type", "the logged payload type is the envelope's", "the entry is of another envelope", "log it anew"),
    check("entry-algorithm", "the algorithm that the entry names is the key's", "the entry mislabels the key", "log it anew"),
    check(
        "checkpoint-shape",
        "the checkpoint is a signed note with origin, size and root",
        "it was cut or changed",
        "ask for the bundle again",
    ),
    check(
        "checkpoint-origin",
        "the checkpoint's first line is the name of the trusted log",
        "a checkpoint of another log was put in; most verifiers miss it",
        "ask for the bundle again",
    ),
    check(
        "checkpoint-signature",
        "the trusted log signed the checkpoint",
        "the checkpoint was changed or forged",
        "ask for the bundle again",
    ),
    check("checkpoint-size-root", "size and root beside the proof are the checkpoint's", "the proof is of another tree", "log it anew"),
    check("inclusion", "the entry is in the tree that the checkpoint signs", "the proof is of another entry or tree", "log it anew"),
    check(
        "log-key-window",
        "the log's key was valid at the authenticated time of logging, both ends compared",
        "the key was used before or after its window; skipped where nothing gives an authenticated time",
        "ask for evidence with a time stamp or cosignatures, or for a kit with the log's last checkpoint",
    ),
    check(
        "inclusion-promise",
        "the log's promise (a signed entry timestamp) over the entry holds",
        "the promise was changed or is of another log",
        "ask for the bundle again",
    ),
];

/// What is known of logs, and rules.
const RULES: &[CheckText] = &[
    check(
        "pin",
        "no tree known of this log speaks against this one",
        "rollback, fork, or growth after the log's end: the log showed somebody another tree",
        "both checkpoints are in STATE/evidence: show them to the log's operator; for an older release ask for a kit with its consistency proof",
    ),
    check(
        "pin-consistency",
        "where one tree is larger than the known one, the smaller is its beginning",
        "the log was rewritten, or nothing proves that it was not",
        "both checkpoints are in STATE/evidence; where the proof is missing, ask for the next kit",
    ),
    check(
        "cosignatures",
        "no line by a log witness of the kit's tlog-policy is wrong; skipped where the quorum is not met",
        "a cosignature was forged or changed",
        "ask for the checkpoint again, from the log witness",
    ),
    check(
        "deny-list",
        "the kit denies neither the artifact nor the keys, or the statement is shown to be from before the compromise",
        "it is denied, and neither authenticated time nor the order of a known tree shows that it is older",
        "do not use it; ask for a new release by a good key, or for a kit whose pins cover the old one",
    ),
    check(
        "kit-age",
        "the installed kit is not older than it says it may be, against the largest authenticated time",
        "a newer authenticated time was seen, and no newer kit came",
        "ask for the next kit: symbol-bundle kit apply KIT",
    ),
    check(
        "policy-signer-role",
        "the signer may sign statements of this type: by its role in the kit, or by name in the policy",
        "a key that was enrolled for something else signed, e.g. a site's key a release",
        "let the right key sign, or change the role in the next kit",
    ),
    check(
        "policy-assurance",
        "the log entry reaches the assurance that the policy asks for",
        "cosignatures are missing, or nothing proves that the log is the one that was cosigned",
        "have that log's checkpoint cosigned outside (a site's leaves with symbol-bundle site checkpoint export), and apply the kit that brings it back",
    ),
    check(
        "policy-time",
        "something authenticated says when the entry was logged",
        "no time stamp, cosignature or kit covers it",
        "ask for evidence with one, or for the next kit",
    ),
    check(
        "policy-quorum",
        "cosignatures meet the kit's tlog-policy",
        "too few log witnesses or operators cosigned",
        "have the missing log witnesses cosign",
    ),
    check(
        "policy-logs",
        "the statement is in as many logs as the policy asks for",
        "it is in fewer",
        "log it in the missing logs, or change the policy",
    ),
    check(
        "policy-timestamps",
        "the statement has as many time stamps as the policy asks for",
        "it has fewer",
        "have it stamped, or change the policy",
    ),
    check(
        "policy-kit-age",
        "the kit is not older than the policy allows, against the largest authenticated time",
        "it is, or no kit is installed",
        "apply the next kit",
    ),
    check(
        "policy-predicates",
        "there is a verified statement of each predicate type that the policy asks for",
        "one is missing",
        "ask for the missing evidence",
    ),
    check(
        "policy-coverage",
        "as many frames have names as the policy asks for",
        "symbols are missing",
        "resolve again with the bundles that hold them: trace-resolve --bundle …",
    ),
];

/// Symbol bundles, traces and archives.
const EVIDENCE: &[CheckText] = &[
    check(
        "manifest-shape",
        "the manifest is an OCI manifest as this project writes it",
        "it was changed or is foreign",
        "import the archive again",
    ),
    check("artifact-type", "the manifest is a symbol bundle's", "it is of something else", "name a symbol bundle"),
    check(
        "subject-digest",
        "the signed subject is this manifest and nothing else",
        "the signature is of another bundle",
        "sign this bundle",
    ),
    check(
        "predicate-type",
        "the statement is of the type expected here",
        "another statement of a trusted key was put in",
        "ask for the right signature",
    ),
    check(
        "predicate-shape",
        "the predicate has the right fields",
        "it is of another version, or malformed",
        "sign with this release's tools",
    ),
    check("index-digest", "the symbol index has the signed digest", "the index was changed", "import the archive again"),
    check("index-layer", "the symbol index is the one layer of its kind", "a second index was put in", "import the archive again"),
    check(
        "index-shape",
        "the symbol index is canonical and consistent",
        "it was changed, or made by another tool",
        "build the bundle again",
    ),
    check(
        "name-version",
        "name and version in the index are the signed ones and plain",
        "they differ, or hold characters that let two releases share a name",
        "build the bundle again",
    ),
    check(
        "index-layers",
        "every part of the index lies in a layer of the manifest",
        "the index points elsewhere",
        "build the bundle again",
    ),
    check("fragment-shape", "the tile fragment is attached and well formed", "it was cut or changed", "import the archive again"),
    check("fragment-checkpoint", "the fragment's checkpoint is the trusted log's", "it is of another log", "log the bundle again"),
    check("fragment-leaf", "the fragment shows the entry of this signature", "it is of another entry", "log the bundle again"),
    check(
        "fragment-inclusion",
        "every tile and entry of the fragment is of the signed tree",
        "a tile was changed",
        "import the archive again",
    ),
    check("layers", "every layer is there with its digest and size", "a blob is missing or damaged", "import the archive again"),
    check(
        "present",
        "the symbol bundle that the trace names is here",
        "it was not imported",
        "symbol-bundle import ARCHIVE, or audit the evidence archive",
    ),
    check(
        "capture-digest",
        "the capture is the one that the witness names",
        "it is another capture",
        "give the right one with --capture F",
    ),
    check("trace-id", "the trace id follows from the capture", "it was made up", "resolve the capture again"),
    check(
        "subject",
        "the witness is about the capture's main binary",
        "the subject was changed before signing",
        "resolve the capture again",
    ),
    check(
        "freshness",
        "the checkpoint that the witness claims to have known is a trusted log's",
        "it is of another log, or forged",
        "have that log enrolled, or resolve again",
    ),
    check("frame-indexes", "frames are counted from 0 without gaps", "records were dropped or doubled", "resolve the capture again"),
    check("observations", "observations and stacks go together one to one", "records were dropped or doubled", "resolve the capture again"),
    check("coverage-counts", "the coverage follows from the frames", "it was made up", "resolve the capture again"),
    check("loss-counters", "hits, losses and observations add up", "samples were dropped without being counted", "capture again"),
    check(
        "frame-bundles",
        "every frame names a bundle that the witness lists",
        "a frame was named from elsewhere",
        "resolve the capture again",
    ),
    check(
        "capture-matches",
        "what the witness repeats of its capture is what the capture says",
        "witness and capture are not of one run",
        "give the right capture",
    ),
    check(
        "archive-blobs",
        "every blob of the archive has the content of its name",
        "the archive was damaged or changed",
        "ask for it again",
    ),
    check(
        "replay",
        "the replay reaches the level asked for, on every seed",
        "frames derive otherwise than recorded",
        "list them: trace-replay --trace TRACE --strict",
    ),
    check(
        "frames-derive",
        "no recorded frame or field derives otherwise",
        "the record was changed, or made by other rules",
        "list them: trace-replay --trace TRACE --strict",
    ),
];
