//! The key of a log witness: Ed25519, as `cosignature/v1` demands (C2SP tlog-cosignature, type 0x04), in a PKCS#8 PEM file.
//!
//! The one thing we sign that is not P-256. Not here: the decision to cosign (`sealtrace-tlog`), the log witness's state.

use std::path::Path;

use ed25519_dalek::pkcs8::spki::der::pem::LineEnding;
use ed25519_dalek::pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _};
use ed25519_dalek::{Signer as _, SigningKey as Ed25519};
use sealtrace_crypto::VerifyingKey;
use sealtrace_tlog::{Cosignable, CosignerKey, KeyName, NoteKey, NoteSignature};
use sealtrace_verdict::UnixTime;

use crate::file;
use crate::key::SigningKeyError;

/// A log witness's private key and its name. Its `Debug` output is the public half.
#[derive(Clone)]
pub struct WitnessKey {
    key: Ed25519,
    public: CosignerKey,
}

impl WitnessKey {
    /// A new key from the system's randomness.
    ///
    /// # Errors
    /// [`SigningKeyError::Randomness`]
    pub fn generate(name: KeyName) -> Result<Self, SigningKeyError> {
        let mut seed = [0; 32];
        file::fill_random(&mut seed)?;
        Self::from_seed(name, &seed)
    }

    /// The key of a seed, for tests and vectors that need the same key each time.
    ///
    /// # Errors
    /// [`SigningKeyError::Unusable`]
    pub fn from_seed(name: KeyName, seed: &[u8; 32]) -> Result<Self, SigningKeyError> {
        Self::of(name, Ed25519::from_bytes(seed))
    }

    /// Reads a key file. Nobody but its owner may be able to read or write it.
    ///
    /// # Errors
    /// [`SigningKeyError`]
    pub fn load(path: &Path, name: KeyName) -> Result<Self, SigningKeyError> {
        let wrong = |reason: String| SigningKeyError::NotEd25519 { path: path.to_owned(), reason };
        let (bytes, exposed) = file::read_private(path)?;
        let text = String::from_utf8(bytes).map_err(|error| wrong(error.to_string()))?;
        let key = Ed25519::from_pkcs8_pem(&text).map_err(|error| wrong(error.to_string()))?;
        match exposed {
            Some(mode) => Err(SigningKeyError::Exposed { path: path.to_owned(), mode }),
            None => Self::of(name, key),
        }
    }

    /// Writes the key to a new file of mode 0600; an existing file is left as it is.
    ///
    /// # Errors
    /// [`SigningKeyError::Exists`], [`SigningKeyError::Io`].
    pub fn create_file(&self, path: &Path) -> Result<(), SigningKeyError> {
        let pem = self.key.to_pkcs8_pem(LineEnding::LF).map_err(|error| unusable(&error))?;
        file::create_new(path, pem.as_bytes(), 0o600)
    }

    /// The public half: what others verify cosignatures with.
    pub fn public(&self) -> &CosignerKey {
        &self.public
    }

    /// Cosigns a checkpoint that may be cosigned. The state that says so must be on disk before.
    ///
    /// # Errors
    /// [`SigningKeyError::Unusable`] for a time or a name that the format cannot hold.
    pub fn cosign(&self, checkpoint: &Cosignable, time: UnixTime) -> Result<NoteSignature, SigningKeyError> {
        let prepared = self.public.prepare(checkpoint, time).map_err(|error| unusable(&error))?;
        let signature = self.key.try_sign(prepared.message()).map_err(|error| unusable(&error))?;
        prepared.assemble(&signature.to_bytes()).map_err(|error| unusable(&error))
    }

    fn of(name: KeyName, key: Ed25519) -> Result<Self, SigningKeyError> {
        let public = VerifyingKey::ed25519(key.verifying_key().as_bytes()).map_err(|error| unusable(&error))?;
        let public = NoteKey::of_cosigner(name, public).map_err(|error| unusable(&error))?;
        Ok(Self { key, public: CosignerKey::new(public).map_err(|error| unusable(&error))? })
    }
}

fn unusable(error: &dyn std::fmt::Display) -> SigningKeyError {
    SigningKeyError::Unusable { reason: error.to_string() }
}

impl std::fmt::Debug for WitnessKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "WitnessKey({})", self.public.key().vkey())
    }
}

#[cfg(test)]
mod tests {
    use sealtrace_tlog::{AddCheckpoint, Checkpoint, LogKey, Origin, RootHash, SignedCheckpoint, TreeHead, TreeSize, WitnessedLog, decide};

    use super::*;
    use crate::SigningKey;

    fn name() -> KeyName {
        KeyName::parse("witness.example.org").unwrap()
    }

    #[test]
    fn a_key_file_is_private_read_back_and_never_another_kind_of_key() {
        let dir = tempfile::tempdir().unwrap();
        let (path, other) = (dir.path().join("w.key"), dir.path().join("p256.key"));
        let key = WitnessKey::generate(name()).unwrap();
        key.create_file(&path).unwrap();
        assert!(matches!(key.create_file(&path), Err(SigningKeyError::Exists { .. })));
        assert_eq!(WitnessKey::load(&path, name()).unwrap().public(), key.public());
        SigningKey::generate().unwrap().create_file(&other).unwrap();
        assert!(matches!(WitnessKey::load(&other, name()), Err(SigningKeyError::NotEd25519 { .. })));
        assert!(matches!(SigningKey::load(&path), Err(SigningKeyError::NotP256 { .. })));
        std::os::unix::fs::symlink(&path, dir.path().join("link")).unwrap();
        let open = <std::fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o640);
        std::fs::set_permissions(&path, open).unwrap();
        assert!(matches!(WitnessKey::load(&path, name()), Err(SigningKeyError::Exposed { mode: 0o640, .. })));
    }

    #[test]
    fn a_cosignature_is_verified_by_the_public_half_and_states_its_time() {
        let signing = SigningKey::from_scalar(&[5; 32]).unwrap();
        let log = LogKey { origin: Origin::parse("example.org/log").unwrap(), key: signing.public_key().clone() };
        let tree = TreeHead { size: TreeSize(1), root: RootHash::from_bytes([3; 32]) };
        let unsigned = Checkpoint { origin: "example.org/log".to_owned(), tree, extension: Vec::new() };
        let checkpoint = SignedCheckpoint::assemble(unsigned.clone(), &log, signing.sign(unsigned.text().as_bytes()).unwrap());
        let known = WitnessedLog { origin: "example.org/log".to_owned(), keys: vec![log.note_key().unwrap()], last: None };
        let request = AddCheckpoint { old: TreeSize(0), proof: Vec::new(), checkpoint: checkpoint.clone() };
        let cosignable = decide(&request, &[known]).unwrap();
        let key = WitnessKey::from_seed(name(), &[1; 32]).unwrap();
        let line = key.cosign(&cosignable, UnixTime::from_seconds(1_700_000_000)).unwrap();
        let cosigned = checkpoint.with_signatures(&[line]).unwrap();
        let found = key.public().cosignatures(&cosigned).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].time(), Some(UnixTime::from_seconds(1_700_000_000)));
    }
}
