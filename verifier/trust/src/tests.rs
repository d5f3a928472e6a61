//! Trust folders: round trip, and everything that is none.

mod enrol;
mod kit;
mod maker;
mod policy;

use p256::ecdsa::SigningKey;
use sealtrace_envelope::PublicKey;
use sealtrace_tlog::{LogKey, Origin};

use super::*;

fn key(scalar: u8) -> PublicKey {
    PublicKey::from_verifying_key(*SigningKey::from_slice(&[scalar; 32]).unwrap().verifying_key()).unwrap()
}

fn log(scalar: u8, origin: &str) -> TrustedLog {
    TrustedLog::new(LogKey { origin: Origin::parse(origin).unwrap(), key: key(scalar) })
}

fn trust() -> Trust {
    let mut trust = Trust::default();
    trust.add_signer(key(1));
    trust.add_signer(key(2));
    trust.add_log(log(3, "example.org/b")).unwrap();
    trust.add_log(log(4, "example.org/a")).unwrap();
    trust
}

#[test]
fn a_folder_round_trips_and_finds_by_key() {
    let files = trust().files().unwrap();
    assert_eq!(Trust::parse(&files).unwrap(), trust());
    let parsed = Trust::parse(&files).unwrap();
    assert_eq!(parsed.signer(key(1).key_id()), Some(&key(1)));
    assert_eq!(parsed.signer(key(3).key_id()), None);
    assert_eq!(parsed.log_by_key_id(key(3).key_id().as_bytes()).unwrap().log.origin.as_str(), "example.org/b");
    assert_eq!(parsed.log_by_key_id(key(1).key_id().as_bytes()), None);
    assert_eq!(parsed.fingerprints().len(), 4);
}

#[test]
fn a_folder_without_a_root_with_strange_files_or_misnamed_keys_is_refused() {
    let files = trust().files().unwrap();
    let without_root: Vec<_> = files.iter().filter(|(path, _)| path != TRUSTED_ROOT_FILE).cloned().collect();
    assert!(matches!(Trust::parse(&without_root), Err(TrustError::NoRoot)));
    for name in ["README", "keys/x.txt", "keys/a/b.pem", "Trusted_root.json", "keys/.pem.pem~"] {
        let strange = [files.clone(), vec![(name.to_owned(), Vec::new())]].concat();
        assert!(matches!(Trust::parse(&strange), Err(TrustError::Unexpected { .. })), "{name}");
    }
    let mut renamed = files.clone();
    renamed[0].0 = key_file_name(key(9).key_id());
    assert!(matches!(Trust::parse(&renamed), Err(TrustError::KeyName { .. })));
    let mut upper = files.clone();
    upper[0].0 = format!("keys/{}.pem", key(1).key_id().hex().to_uppercase());
    assert!(Trust::parse(&upper).is_err());
    let mut garbled = files.clone();
    garbled[0].1[40] ^= 1;
    assert!(Trust::parse(&garbled).is_err());
    let twice = [files.clone(), files].concat();
    assert!(matches!(Trust::parse(&twice), Err(TrustError::Twice { .. })));
}

#[test]
fn a_root_is_strict() {
    let bytes = trusted_root_json(trust().logs(), &Authorities::default()).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(parse_trusted_root(&bytes).unwrap().0, trust().logs());
    assert!(text.contains("\"start\":\"1970-01-01T00:00:00Z\"") && text.contains("\"baseUrl\":\"https://example.org/a\""));
    for (from, to) in [
        ("version=0.1", "version=0.2"),
        ("SHA2_256", "SHA2_512"),
        ("P256_SHA_256", "P384_SHA_384"),
        ("https://", "http://"),
        ("\"ctlogs\":[]", "\"ctlogs\":[{}]"),
        ("\"certificateAuthorities\":[],", ""),
        ("\"timestampAuthorities\":[]", "\"timestampAuthorities\":[1]"),
        ("\"keyId\":\"", "\"keyId\":\"A"),
        ("example.org/b", "example.org/a"),
        ("\"tlogs\"", "\"more\":1,\"tlogs\""),
        ("1970-01-01T", "1970-01]01T"),
        ("\"start\":\"", "\"end\":\"soon\",\"start\":\""),
    ] {
        let changed = text.replacen(from, to, 1);
        assert_ne!(changed, text, "{from}");
        assert!(parse_trusted_root(changed.as_bytes()).is_err(), "{from} → {to} was accepted");
    }
    for length in 0..bytes.len() {
        assert!(parse_trusted_root(&bytes[..length]).is_err());
    }
}

#[test]
fn a_log_never_changes_its_key_by_merging() {
    let mut held = trust();
    let mut offered = Trust::default();
    offered.add_log(log(5, "example.org/a")).unwrap();
    assert!(matches!(held.merge(&offered), Err(TrustError::LogKeyConflict { origin, .. }) if origin == "example.org/a"));
    assert_eq!(held.merge(&trust()).map_err(|error| error.to_string()), Ok(()));
    assert_eq!(held, trust());
}

fn window(start: &str, end: Option<&str>) -> Trust {
    let mut trust = Trust::default();
    let log = TrustedLog { valid_from: start.to_owned(), valid_until: end.map(str::to_owned), ..log(4, "example.org/a") };
    trust.add_log(log).unwrap();
    trust
}

#[test]
fn merging_a_log_keeps_the_stricter_window_in_either_order() {
    const OPEN: &str = "1970-01-01T00:00:00Z";
    let (early, late) = ("2025-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    for (one, two, both) in [
        ((OPEN, None), (OPEN, Some(late)), (OPEN, Some(late))),
        ((OPEN, Some(early)), (OPEN, Some(late)), (OPEN, Some(early))),
        ((OPEN, None), (early, None), (early, None)),
        ((early, None), (late, None), (late, None)),
        ((early, None), (OPEN, Some(late)), (early, Some(late))),
        ((OPEN, None), (OPEN, Some("2026-01-01T00:00:00.5Z")), (OPEN, Some("2026-01-01T00:00:00.5Z"))),
        ((late, Some(late)), (late, Some(late)), (late, Some(late))),
    ] {
        for (held, offered) in [(one, two), (two, one)] {
            let mut merged = window(held.0, held.1);
            merged.merge(&window(offered.0, offered.1)).map_err(|error| error.to_string()).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(merged, window(both.0, both.1), "{held:?} and {offered:?}");
        }
    }
    // Disjoint, and in forms whose order is not the order of text.
    for (one, two) in [
        ((OPEN, Some(early)), (late, None)),
        ((OPEN, Some("2026-01-01T00:00:00Z")), (OPEN, Some("2026-01-01T00:00:00+02:00"))),
        ((OPEN, Some(late)), (OPEN, Some("soon"))),
    ] {
        for (held, offered) in [(one, two), (two, one)] {
            let mut merged = window(held.0, held.1);
            let error = merged.merge(&window(offered.0, offered.1)).unwrap_err();
            assert!(matches!(error, TrustError::LogWindowConflict { .. }), "{error}");
            for time in [held.1, offered.1].into_iter().flatten() {
                assert!(error.to_string().contains(time), "{error}");
            }
            assert_eq!(merged, window(held.0, held.1));
        }
    }
}

#[test]
fn one_key_is_one_log_in_a_root_and_by_merging() {
    let mut held = trust();
    let mut offered = Trust::default();
    offered.add_signer(key(7));
    offered.add_log(log(4, "example.org/c")).unwrap();
    let error = held.merge(&offered).unwrap_err();
    assert!(
        matches!(&error, TrustError::LogNameConflict { held, offered, .. } if held == "example.org/a" && offered == "example.org/c"),
        "{error}"
    );
    assert_eq!(held, trust(), "nothing of a folder that is refused");
    let two = trusted_root_json(&[log(4, "example.org/a"), log(4, "example.org/c")], &Authorities::default()).unwrap();
    assert!(matches!(parse_trusted_root(&two), Err(TrustedRootError::OneKey { .. })));
    let apart = trusted_root_json(&[log(4, "example.org/a"), log(5, "example.org/c")], &Authorities::default()).unwrap();
    assert_eq!(parse_trusted_root(&apart).unwrap().0.len(), 2);
}
