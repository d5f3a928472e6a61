//! DER and X.509, written only: an authority, and leaves that it signs whatever they say.

use std::sync::OnceLock;

use sealtrace_certificate::{Certificate, CtLog};
use sealtrace_crypto::{Hash, VerifyingKey};
use sealtrace_verdict::UnixTime;

use crate::keys;

/// The scalars of the authority's and the CT log's key.
const AUTHORITY: u8 = 20;
const CT_LOG: u8 = 21;
/// 2025-06-12T12:00:05Z, within every certificate.
pub(crate) const AT: u64 = 1_749_729_605;
/// `ecdsa-with-SHA256`.
const ALGORITHM: [u8; 12] = [0x30, 0x0a, 0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x0f];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 0x25];
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
const SCT_LIST: &[u8] = &[0x2b, 0x06, 0x01, 0x04, 0x01, 0xd6, 0x79, 0x02, 0x04, 0x02];
const CODE_SIGNING: &[u8] = &[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];

fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).expect("what is written is short").to_be_bytes();
    let significant: Vec<u8> = length.into_iter().skip_while(|byte| *byte == 0).collect();
    let mut out = vec![tag];
    match significant.as_slice() {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | u8::try_from(long.len()).expect("four bytes at most"));
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(content);
    out
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(0x30, &parts.concat())
}

fn extension(oid: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical: &[u8] = if critical { &[0x01, 0x01, 0xff] } else { &[] };
    sequence(&[&tlv(0x06, oid), critical, &tlv(0x04, value)])
}

fn name(text: &str) -> Vec<u8> {
    let attribute = sequence(&[&[0x06, 0x03, 0x55, 0x04, 0x03], &tlv(0x13, text.as_bytes())]);
    sequence(&[&tlv(0x31, &attribute)])
}

fn tbs(subject: &str, key: u8, extensions: &[Vec<u8>]) -> Vec<u8> {
    let validity = sequence(&[&tlv(0x17, b"250101000000Z"), &tlv(0x17, b"300101000000Z")]);
    let version = tlv(0xa0, &tlv(0x02, &[2]));
    let extensions = tlv(0xa3, &tlv(0x30, &extensions.concat()));
    let public = keys::p256_public(key);
    sequence(&[&version, &tlv(0x02, &[7]), &ALGORITHM, &name("authority"), &validity, &name(subject), public.spki(), &extensions])
}

/// The certificate of any `tbs`, signed by the authority.
pub(crate) fn issued(tbs: &[u8]) -> Vec<u8> {
    let signature = [&[0], keys::p256_sign(AUTHORITY, tbs).as_slice()].concat();
    sequence(&[tbs, &ALGORITHM, &tlv(0x03, &signature)])
}

/// The same with a signature of nothing, which is enough to see whether it can be parsed.
pub(crate) fn unsigned(tbs: &[u8]) -> Vec<u8> {
    sequence(&[tbs, &ALGORITHM, &tlv(0x03, &[0, 0x30, 0])])
}

/// The authority.
pub(crate) fn root() -> &'static Certificate {
    static ROOT: OnceLock<Certificate> = OnceLock::new();
    ROOT.get_or_init(make_root)
}

fn make_root() -> Certificate {
    let constraints = extension(BASIC_CONSTRAINTS, true, &sequence(&[&[0x01, 0x01, 0xff]]));
    let usage = extension(KEY_USAGE, true, &[0x03, 0x02, 0x01, 0x06]);
    Certificate::parse(&issued(&tbs("authority", AUTHORITY, &[constraints, usage]))).expect("the authority is well formed")
}

/// What a leaf says, with the value of its SCT list.
pub(crate) fn leaf_tbs(list: Option<&[u8]>) -> Vec<u8> {
    let usage = extension(KEY_USAGE, true, &[0x03, 0x02, 0x07, 0x80]);
    let purpose = extension(EXTENDED_KEY_USAGE, false, &sequence(&[&tlv(0x06, CODE_SIGNING)]));
    let names = extension(ALTERNATIVE_NAME, true, &sequence(&[&tlv(0x86, b"https://example.org/workload")]));
    let list = list.map(|list| extension(SCT_LIST, false, &tlv(0x04, list)));
    tbs("leaf", keys::SIGNER, &[usage, purpose, names].into_iter().chain(list).collect::<Vec<_>>())
}

/// The CT log.
pub(crate) fn ct_log() -> &'static CtLog {
    static LOG: OnceLock<CtLog> = OnceLock::new();
    LOG.get_or_init(|| {
        let key = VerifyingKey::parse_spki(keys::p256_public(CT_LOG).spki()).expect("the key is well formed");
        CtLog { id: *key.key_id().as_bytes(), key, from: UnixTime::EPOCH, until: None }
    })
}

/// The CT log's timestamp of the leaf, as a list of one.
pub(crate) fn sct_list() -> Vec<u8> {
    let seen = leaf_tbs(None);
    let issuer = Hash::Sha256.digest(root().key().spki());
    let time = (AT * 1000).to_be_bytes();
    let signature = keys::p256_sign(CT_LOG, &[&[0, 0], &time[..], &[0, 1], &issuer, &length(3, &seen), &seen, &[0, 0]].concat());
    let sct = [&[0], &ct_log().id[..], &time, &[0, 0, 4, 3], &length(2, &signature), &signature].concat();
    let entry = [length(2, &sct), sct].concat();
    [length(2, &entry), entry].concat()
}

/// A TLS length of so many octets.
fn length(octets: usize, of: &[u8]) -> Vec<u8> {
    let bytes = of.len().to_be_bytes();
    bytes.into_iter().skip(bytes.len() - octets).collect()
}
