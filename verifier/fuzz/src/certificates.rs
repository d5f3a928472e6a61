//! X.509 certificates, embedded SCT lists, RFC 3161 tokens and trusted roots.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use sealtrace_certificate::{Certificate, Purpose, TimestampToken, verify_path, verify_scts, verify_timestamp};
use sealtrace_sigstore::{Bundle, Content, Material, Request, Thresholds, TrustedRoot, verify};
use sealtrace_trust::{Authorities, TrustedLog, parse_trusted_root, trusted_root_json};
use sealtrace_verdict::UnixTime;

use crate::instance::cases;
use crate::{der, keys};

/// The bytes as a certificate, and as what our authority signs.
pub(crate) fn run_certificate(data: &[u8]) {
    if let Ok(certificate) = Certificate::parse(data) {
        assert_eq!(certificate.der(), data, "a certificate is the bytes it was parsed from");
        check_path(&certificate, false);
    }
    // A signature costs more than all the rest: only what can be parsed is signed.
    if Certificate::parse(&der::unsigned(data)).is_ok()
        && let Ok(certificate) = Certificate::parse(&der::issued(data))
    {
        check_path(&certificate, true);
    }
}

fn check_path(certificate: &Certificate, signed: bool) {
    let at = UnixTime::from_seconds(der::AT);
    let own = std::slice::from_ref(der::root());
    let chains = authorities().iter().map(Vec::as_slice).chain([own]);
    for chain in chains {
        for purpose in [Purpose::CodeSigning, Purpose::TimeStamping] {
            let Ok(path) = verify_path(certificate, chain, purpose, at) else { continue };
            assert!(signed || known().contains(certificate.der()), "a certificate that nobody signed");
            assert!(certificate.is_valid_at(at) && path.at() == at, "a certificate out of its time");
            let _ = (path.subject_names(), path.oidc_issuer());
            let _ = verify_scts(&path, std::slice::from_ref(der::ct_log()));
        }
    }
}

fn roots() -> impl Iterator<Item = &'static TrustedRoot> {
    cases().iter().filter(|case| case.honest).filter_map(|case| case.root.as_ref()).take(1)
}

fn authorities() -> &'static [Vec<Certificate>] {
    static CHAINS: OnceLock<Vec<Vec<Certificate>>> = OnceLock::new();
    CHAINS.get_or_init(|| {
        let both = roots().flat_map(|root| root.certificate_authorities.iter().chain(&root.timestamp_authorities));
        both.map(|authority| authority.chain.clone()).collect()
    })
}

/// Every certificate of the instance, of its roots and of our authority.
fn known() -> &'static BTreeSet<Vec<u8>> {
    static KNOWN: OnceLock<BTreeSet<Vec<u8>>> = OnceLock::new();
    KNOWN.get_or_init(|| {
        let leaves = cases().iter().filter_map(|case| match Bundle::parse(&case.bundle).ok()?.material {
            Material::Certificate(certificate) => Some(certificate.der().to_vec()),
            Material::PublicKey { .. } => None,
        });
        let above = authorities().iter().flatten().map(|certificate| certificate.der().to_vec());
        let own = [der::root().der().to_vec(), der::issued(&der::leaf_tbs(Some(&der::sct_list())))];
        leaves.chain(above).chain(own).collect()
    })
}

pub(crate) fn certificate_seeds() -> Vec<Vec<u8>> {
    let list = der::sct_list();
    let said = [der::leaf_tbs(None), der::leaf_tbs(Some(&list))];
    known().iter().cloned().chain(said).collect()
}

/// The bytes as the SCT list of a leaf that our authority signs.
pub(crate) fn run_sct(data: &[u8]) {
    if data.len() > 16 << 10 {
        return;
    }
    let leaf = Certificate::parse(&der::issued(&der::leaf_tbs(Some(data)))).expect("the leaf is well formed");
    let (root, at) = (std::slice::from_ref(der::root()), UnixTime::from_seconds(der::AT));
    let path = verify_path(&leaf, root, Purpose::CodeSigning, at).expect("the authority signed the leaf");
    let log = der::ct_log();
    for sct in verify_scts(&path, std::slice::from_ref(log)).unwrap_or_default() {
        assert_eq!((*sct.log(), sct.time()), (log.id, at), "a timestamp that the log never made");
    }
}

pub(crate) fn sct_seeds() -> Vec<Vec<u8>> {
    let list = der::sct_list();
    let entry = list.get(2..).unwrap_or_default();
    let twice = [entry, entry].concat();
    let length = u16::try_from(twice.len()).expect("two entries are short").to_be_bytes();
    vec![[&length, twice.as_slice()].concat(), list, vec![0, 0]]
}

/// A timestamp response: believed only with the time that the authority signed.
pub(crate) fn run_token(data: &[u8]) {
    let Ok(token) = TimestampToken::parse(data) else { return };
    let _ = token.imprint_hash();
    for chain in roots().flat_map(|root| &root.timestamp_authorities).map(|authority| authority.chain.as_slice()) {
        for (message, times) in stamped() {
            if let Ok(verified) = verify_timestamp(&token, message, chain) {
                assert_eq!(verified.time(), token.claimed_time());
                assert!(times.contains(&verified.time()), "a time that the authority never signed");
            }
        }
    }
}

/// What was stamped in the instance, with the times that its tokens claim.
fn stamped() -> &'static [(Vec<u8>, Vec<UnixTime>)] {
    static STAMPED: OnceLock<Vec<(Vec<u8>, Vec<UnixTime>)>> = OnceLock::new();
    STAMPED.get_or_init(|| {
        let mut stamped: Vec<(Vec<u8>, Vec<UnixTime>)> = Vec::new();
        // A case may be dishonest by a stamp at the wrong time: its authority did sign it.
        for bundle in cases().iter().filter_map(|case| Bundle::parse(&case.bundle).ok()) {
            let signature = match bundle.content {
                Content::Message { signature, .. } => Some(signature),
                Content::Envelope { signatures, .. } => signatures.into_iter().next().map(|(signature, _)| signature),
            };
            let times: Vec<UnixTime> =
                bundle.timestamps.iter().filter_map(|token| Some(TimestampToken::parse(token).ok()?.claimed_time())).collect();
            let Some(signature) = signature else { continue };
            match stamped.iter_mut().find(|(other, _)| *other == signature) {
                Some((_, known)) => known.extend(times),
                None => stamped.push((signature, times)),
            }
        }
        stamped
    })
}

pub(crate) fn token_seeds() -> Vec<Vec<u8>> {
    let bundles = cases().iter().filter_map(|case| Bundle::parse(&case.bundle).ok());
    bundles.flat_map(|bundle| bundle.timestamps).collect::<BTreeSet<_>>().into_iter().collect()
}

/// A trusted root of either reader; the general one is also used.
pub(crate) fn run_root(data: &[u8]) {
    if let Ok((logs, authorities)) = parse_trusted_root(data) {
        let bytes = trusted_root_json(&logs, &authorities).expect("what was parsed can be encoded");
        assert_eq!(parse_trusted_root(&bytes).expect("what was encoded can be parsed"), (logs, authorities));
        TrustedRoot::parse(&bytes).expect("what we write, the general reader accepts");
    }
    let Ok(root) = TrustedRoot::parse(data) else { return };
    assert_eq!(TrustedRoot::parse(data).expect("it was parsed before"), root);
    if let Some(case) = cases().first() {
        let (_, verified) = verify(&Request {
            bundle: &case.bundle,
            root: &root,
            expected: &case.expected,
            artifact: &case.artifact,
            thresholds: Thresholds::default(),
        });
        assert!(verified.is_none() || !root.logs.is_empty(), "verified without a trusted log");
    }
}

pub(crate) fn root_seeds() -> Vec<Vec<u8>> {
    let own = trusted_root_json(&[TrustedLog::new(keys::log())], &Authorities::default()).expect("the log is well formed");
    let roots: BTreeSet<Vec<u8>> = cases().iter().map(|case| case.root_bytes.clone()).collect();
    roots.into_iter().chain([own]).collect()
}
