//! What a site trusts: kits, trust folders, policies, deny lists, pins, enrolment requests.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use sealtrace_digest::FileSha256;
use sealtrace_envelope::{EnvelopeSignature, pae};
use sealtrace_json::canonical;
use sealtrace_layout::archive::FileLimits;
use sealtrace_layout::{read_files, write_files};
use sealtrace_tlog::{LogKey, Origin, TreeSize, consistency_proof};
use sealtrace_trust::kit::{
    Fingerprint, KIT_PAYLOAD_TYPE, Kit, KitConsistency, KitKey, KitPin, KitSigner, KitSite, KitWitness, Placement, SignedKit, Staleness,
    accept, changes,
};
use sealtrace_trust::{
    Authorities, ConsistencyBody, Denied, DeniedKind, EnrolmentRequest, KIT_FILE, LogOrder, PinChain, Policy, Role, SignerClaim, Trust,
    TrustedLog, parse_deny_list, request_file, request_payload, trusted_root_json,
};

use crate::{keys, repair, tree};

/// The keys of kits.
const KIT_KEYS: [u8; 3] = [10, 11, 12];
/// A site's log and signer.
const SITE_LOG: u8 = 4;
const SITE_SIGNER: u8 = 3;
const SITE_ORIGIN: &str = "site.example/log";

fn signature(scalar: u8, message: &[u8]) -> EnvelopeSignature {
    EnvelopeSignature { sig: keys::p256_sign(scalar, message), keyid: keys::p256_public(scalar).hint() }
}

fn signed(payload: &[u8]) -> Vec<u8> {
    let message = pae(KIT_PAYLOAD_TYPE, payload);
    SignedKit::file(payload, vec![signature(10, &message), signature(11, &message)]).expect("the envelope is well formed")
}

fn role(name: &str) -> Vec<Role> {
    Role::parse(name).into_iter().collect()
}

fn pem(scalar: u8) -> String {
    keys::p256_public(scalar).to_pem().expect("the key has an encoding")
}

fn consistency(older: u64, newer: u64) -> ConsistencyBody {
    let reader = tree::reader(newer);
    let proof = consistency_proof(TreeSize(older), TreeSize(newer), &|at| reader.node(at)).expect("every tile is there");
    ConsistencyBody::new(older, proof, keys::checkpoint(tree::head(newer), &[]))
}

fn site_log() -> LogKey {
    LogKey { origin: Origin::parse(SITE_ORIGIN).expect("the name is well formed"), key: keys::p256_public(SITE_LOG) }
}

fn denied() -> Vec<Denied> {
    let since = "2026-10-01T00:00:00Z".parse().expect("the time is well formed");
    let order = LogOrder { origin: keys::ORIGIN.to_owned(), index: 3 };
    let key = Denied {
        kind: DeniedKind::Key,
        digest: FileSha256::of(b"key"),
        compromise_time: Some(since),
        log_index: Some(order),
        reason: "lost".to_owned(),
    };
    let artifact = Denied {
        kind: DeniedKind::Artifact,
        digest: FileSha256::of(b"a"),
        compromise_time: None,
        log_index: None,
        reason: "bad".to_owned(),
    };
    vec![artifact, key]
}

/// A kit with something in every list.
fn kit() -> Kit {
    let root = trusted_root_json(&[TrustedLog::new(keys::log()), TrustedLog::new(site_log())], &Authorities::default())
        .expect("the logs are well formed");
    let id = |scalar| keys::p256_public(scalar).key_id();
    let signer = |scalar, name| KitSigner { key_id: id(scalar), public_key: pem(scalar), roles: role(name) };
    Kit {
        kit_version: 0,
        sequence: 1,
        previous: None,
        reference_time: "2026-11-01T00:00:00Z".parse().expect("the time is well formed"),
        keys: KIT_KEYS.map(|scalar| KitKey { key_id: id(scalar), public_key: pem(scalar) }).into(),
        threshold: 2,
        trusted_root: serde_json::from_slice(&root).expect("the root is JSON"),
        signers: vec![signer(keys::SIGNER, "release"), signer(SITE_SIGNER, "site")],
        sites: vec![KitSite {
            name: "north".to_owned(),
            origin: SITE_ORIGIN.to_owned(),
            log_key: id(SITE_LOG),
            signer_keys: vec![id(SITE_SIGNER)],
            request_sha256: FileSha256::of(b"request"),
        }],
        tlog_policy: Some(format!("witness w {}\nquorum w\n", keys::ed25519_witness().key().vkey())),
        witnesses: vec![KitWitness { name: "w".to_owned(), placement: Placement::Outside }],
        pins: vec![KitPin {
            origin: keys::ORIGIN.to_owned(),
            size: 5,
            root: FileSha256::from_bytes(*tree::head(5).root.as_bytes()),
            checkpoint: keys::checkpoint(tree::head(5), &[]).text().to_owned(),
        }],
        consistency: vec![KitConsistency { origin: keys::ORIGIN.to_owned(), from: 3, to: 5, body: consistency(3, 5).encode() }],
        frozen: Vec::new(),
        checkpoints: Vec::new(),
        deny: denied(),
        staleness: Staleness { warn_after_seconds: Some(100), fail_after_seconds: Some(200) },
        policy: Some(Policy::by_role()),
    }
}

fn payload() -> &'static [u8] {
    static PAYLOAD: OnceLock<Vec<u8>> = OnceLock::new();
    PAYLOAD.get_or_init(|| kit().encode().expect("the kit is well formed"))
}

/// A kit's file, and a payload that the kit's keys sign whatever it says.
pub(crate) fn run_kit(data: &[u8]) {
    if let Ok(kit) = SignedKit::parse(data) {
        assert_eq!(kit.bytes(), data);
        let known = KIT_KEYS.map(keys::p256_public).map(|key| (key.key_id(), key)).into();
        if kit.signers(&known).is_ok_and(|signers| !signers.is_empty()) {
            assert_eq!(kit.kit().encode().expect("what was parsed can be encoded"), payload(), "a kit that these keys never signed");
        }
        check_kit(kit);
    }
    if let Ok(kit) = Kit::parse(data) {
        assert_eq!(kit.encode().expect("what was parsed can be encoded"), data, "a kit has one form");
        if let Ok(kit) = SignedKit::parse(&signed(data)) {
            check_kit(kit);
        }
    }
    if let Some(fingerprint) = std::str::from_utf8(data).ok().and_then(|text| Fingerprint::parse(text).ok()) {
        let _ = fingerprint.is_of(&installed().digest());
    }
}

fn installed() -> &'static SignedKit {
    static INSTALLED: OnceLock<SignedKit> = OnceLock::new();
    INSTALLED.get_or_init(|| SignedKit::parse(&signed(payload())).expect("the kit is well formed"))
}

fn check_kit(kit: SignedKit) {
    let fingerprint = Fingerprint::parse(&kit.digest().words()).expect("a kit's words are a fingerprint");
    assert!(accept(kit.clone(), None, Some(&fingerprint)).is_ok(), "a first kit with its fingerprint is refused");
    assert!(accept(kit.clone(), None, None).is_err(), "a first kit is accepted without a fingerprint");
    if let Ok(accepted) = accept(kit.clone(), Some(installed()), None) {
        let next = accepted.kit().kit();
        assert!(accepted.is_installed_already() || next.previous == Some(installed().digest()), "a kit that follows another one");
    }
    let _ = changes(installed().kit(), kit.kit());
    let Ok(trust) = Trust::of_kit(kit) else { return };
    let files = trust.files().expect("what is trusted can be written");
    assert_eq!(Trust::parse(&files).expect("what was written can be parsed"), trust);
}

pub(crate) fn kit_seeds() -> Vec<Vec<u8>> {
    let next = Kit { sequence: 2, previous: Some(installed().digest()), ..kit() };
    let words = installed().digest().words().into_bytes();
    let plain = Kit { deny: Vec::new(), policy: None, tlog_policy: None, witnesses: Vec::new(), ..kit() };
    let [next, plain] = [next, plain].map(|kit| kit.encode().expect("the kit is well formed"));
    vec![installed().bytes().to_vec(), payload().to_vec(), next, plain, words]
}

/// A trust folder, packed as a tar.
pub(crate) fn run_folder(data: &[u8]) {
    let data = repair::checksums(data);
    let Ok(ranges) = read_files(&data, FileLimits::default()) else { return };
    let files: Vec<(String, Vec<u8>)> = ranges.into_iter().map(|(name, range)| (name, data[range].to_vec())).collect();
    let Ok(trust) = Trust::parse(&files) else { return };
    let written = trust.files().expect("what is trusted can be written");
    let again = Trust::parse(&written).expect("what was written can be parsed");
    assert_eq!(again, trust);
    let mut merged = again.clone();
    merged.merge(&trust).expect("a folder can be merged with itself");
    assert_eq!(merged, trust, "merging a folder with itself changes it");
}

pub(crate) fn folder_seeds() -> Vec<Vec<u8>> {
    let mut plain = Trust::default();
    plain.add_signer(keys::p256_public(keys::SIGNER));
    plain.add_log(TrustedLog::new(keys::log())).expect("one log is in no conflict");
    let kit = Trust::of_kit(installed().clone()).expect("the kit is well formed");
    let alone = vec![(KIT_FILE.to_owned(), installed().bytes().to_vec())];
    let folders = [plain, kit].map(|trust| trust.files().expect("what is trusted can be written"));
    let packed =
        |files: Vec<(String, Vec<u8>)>| write_files(&files.into_iter().collect::<BTreeMap<_, _>>()).expect("the names are well formed");
    folders.into_iter().chain([alone]).map(packed).collect()
}

/// A policy, or a deny list.
pub(crate) fn run_rules(data: &[u8]) {
    if let Ok(policy) = Policy::parse(data) {
        let bytes = canonical(&policy).expect("what was parsed can be encoded");
        assert_eq!(Policy::parse(&bytes).expect("what was encoded can be parsed"), policy);
        let mut rules = sealtrace_trust::Rules::none();
        rules.strengthen(policy);
        let unknown = SignerClaim::Key { key: keys::p256_public(9).key_id(), roles: &[] };
        let allowed = rules.may_sign("https://example.org/p/v0", &unknown).is_ok();
        rules.strengthen(Policy::by_role());
        assert!(rules.may_sign("https://example.org/p/v0", &unknown).is_err(), "a further policy allows more ({allowed})");
    }
    if let Ok(list) = parse_deny_list(data) {
        let bytes = canonical(&list).expect("what was parsed can be encoded");
        assert_eq!(parse_deny_list(&bytes).expect("what was encoded can be parsed"), list);
        let known = sealtrace_trust::Known::default();
        assert!(!list.iter().any(|denied| denied.spares(known)), "a statement of unknown time is spared");
    }
}

pub(crate) fn rules_seeds() -> Vec<Vec<u8>> {
    let own = Policy { require_time: true, maximum_kit_age_seconds: Some(10), ..Policy::by_role() };
    let policies = [Policy::default(), own].map(|policy| canonical(&policy).expect("the policy is well formed"));
    policies.into_iter().chain([canonical(&denied()).expect("the list is well formed")]).collect()
}

/// A log's pins: a chain that can be continued.
pub(crate) fn run_pins(data: &[u8]) {
    let Ok(chain) = PinChain::parse(data, None) else { return };
    let (origin, count) = (chain.origin().to_owned(), chain.known().count());
    let named = PinChain::parse(data, Some(&origin)).expect("the name is the one in the file");
    assert_eq!((named.newest(), named.torn()), (chain.newest(), chain.torn()));
    if count > 0 {
        assert!(PinChain::parse(data, Some("another.example/log")).is_err(), "pins of another log");
    }
    let newer = keys::checkpoint(tree::head(300), &[]);
    let Some(line) = named.next_line(&newer).expect("a pin can be encoded") else { return };
    let whole = data.len() - chain.torn();
    let longer = PinChain::parse(&[&data[..whole], &line].concat(), Some(&origin)).expect("a chain can be continued");
    assert_eq!((longer.newest(), longer.known().count(), longer.torn()), (Some(tree::head(300)), count + 1, 0));
}

pub(crate) fn pins_seeds() -> Vec<Vec<u8>> {
    let mut file = Vec::new();
    let mut seeds = vec![Vec::new()];
    for size in [3, 5, 256] {
        let chain = PinChain::parse(&file, Some(keys::ORIGIN)).expect("the chain is well formed");
        let line = chain.next_line(&keys::checkpoint(tree::head(size), &[])).expect("a pin can be encoded");
        file.extend(line.unwrap_or_default());
        seeds.push(file.clone());
    }
    seeds.push([file.as_slice(), b"{\"torn"].concat());
    seeds
}

/// An enrolment request: only as the site's keys signed it.
pub(crate) fn run_enrolment(data: &[u8]) {
    let Ok(request) = EnrolmentRequest::parse(data) else { return };
    assert_eq!((request.name(), request.log()), ("north", &site_log()), "a request that these keys never signed");
    assert_eq!(request.sha256(), FileSha256::of(data));
}

pub(crate) fn enrolment_seeds() -> Vec<Vec<u8>> {
    let signers = [keys::p256_public(SITE_SIGNER), keys::p256_public(5)];
    let (message, payload) = request_payload("north", &site_log(), &signers).expect("the request is well formed");
    let file = |scalars: &[u8]| {
        let signatures = scalars.iter().map(|&scalar| signature(scalar, &message)).collect();
        request_file(&payload, signatures).expect("the request is well formed")
    };
    vec![file(&[SITE_SIGNER, SITE_LOG, 5]), file(&[SITE_SIGNER])]
}
