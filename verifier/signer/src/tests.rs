//! Keys on disk, and the signature that RFC 6979 gives.

use std::os::unix::fs::PermissionsExt as _;

use super::*;

#[test]
fn the_signature_is_that_of_rfc_6979_appendix_a_2_5() {
    let scalar = hex::decode("C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721").unwrap();
    let key = SigningKey::from_scalar(&scalar.try_into().unwrap()).unwrap();
    let signature = key.sign(b"sample").unwrap();
    let expected = "3046022100efd48b2aacb6a8fd1140dd9cd45e81d69d2c877b56aaf991c34d0ea84eaf3716\
                    022100f7cb1c942d657c41d436c7a1b6e29f65f3e900dbb9aff4064dc4ab2f843acda8";
    assert_eq!(hex::encode(&signature), expected);
    assert_eq!(key.public_key().verify(b"sample", &signature), Ok(()));
    assert!(SigningKey::from_scalar(&[0; 32]).is_err());
    assert!(SigningKey::from_scalar(&[0xff; 32]).is_err());
}

#[test]
fn a_generated_key_reads_back_and_is_never_overwritten() {
    let dir = tempfile::tempdir().unwrap();
    let (path, public) = (dir.path().join("k.key"), dir.path().join("k.pub"));
    let key = SigningKey::generate().unwrap();
    assert_ne!(key.key_id(), SigningKey::generate().unwrap().key_id());
    key.create_file(&path).unwrap();
    create_public_key_file(&public, key.public_key()).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    assert_eq!(SigningKey::load(&path).unwrap().key_id(), key.key_id());
    assert_eq!(&read_public_key_file(&public).unwrap(), key.public_key());
    let other = SigningKey::generate().unwrap();
    assert!(matches!(other.create_file(&path), Err(SigningKeyError::Exists { .. })));
    assert!(matches!(create_public_key_file(&public, other.public_key()), Err(SigningKeyError::Exists { .. })));
    assert_eq!(SigningKey::load(&path).unwrap().key_id(), key.key_id());
}

#[test]
fn a_key_that_others_can_use_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("k.key");
    SigningKey::generate().unwrap().create_file(&path).unwrap();
    for mode in [0o640, 0o604, 0o620, 0o602, 0o610, 0o666] {
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
        let refused = SigningKey::load(&path);
        assert!(matches!(refused, Err(SigningKeyError::Exposed { mode: found, .. }) if found == mode), "mode {mode:o}");
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o400)).unwrap();
    assert!(SigningKey::load(&path).is_ok());
}

#[test]
fn what_is_no_p256_key_file_is_refused_without_a_hang() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(SigningKey::load(dir.path()), Err(SigningKeyError::Io { .. })));
    assert!(matches!(SigningKey::load(&dir.path().join("missing")), Err(SigningKeyError::Io { .. })));
    let fifo = dir.path().join("fifo");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::RUSR, 0).unwrap();
    assert!(matches!(SigningKey::load(&fifo), Err(SigningKeyError::Io { .. })));
    for (name, text) in [
        ("empty", String::new()),
        ("text", "hello".to_owned()),
        ("public", SigningKey::generate().unwrap().public_key().to_pem().unwrap()),
        // An Ed25519 key of RFC 8410.
        (
            "ed25519",
            "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n"
                .to_owned(),
        ),
    ] {
        let path = dir.path().join(name);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(SigningKey::load(&path), Err(SigningKeyError::NotP256 { .. })), "{name}");
    }
}
