//! Key files: created once, never overwritten, refused when exposed.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use rustix::rand::{GetRandomFlags, getrandom};
use sealtrace_envelope::PublicKey;

use crate::key::SigningKeyError;

/// The most bytes of a key file (ours; a PKCS#8 PEM of a P-256 key is 241).
const MAX_KEY_BYTES: u64 = 16 << 10;
/// The most bytes of a certificate chain in PEM (ours; three certificates have 4,000).
const MAX_CHAIN_BYTES: u64 = 256 << 10;
/// Permission bits that let others use a key.
const GROUP_AND_OTHERS: u32 = 0o077;

pub(crate) fn fill_random(buffer: &mut [u8]) -> Result<(), SigningKeyError> {
    let mut filled = 0;
    while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match getrandom(rest, GetRandomFlags::empty()) {
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(SigningKeyError::Randomness { reason: error.to_string() }),
        }
    }
    Ok(())
}

/// A private key file's bytes, and its permission bits when others than its owner may use it.
pub(crate) fn read_private(path: &Path) -> Result<(Vec<u8>, Option<u32>), SigningKeyError> {
    let mut file = open(path)?;
    let mode = file.metadata().map_err(|source| io("read", path, source))?.permissions().mode() & 0o7777;
    Ok((read(&mut file, path)?, Some(mode).filter(|mode| mode & GROUP_AND_OTHERS != 0)))
}

/// Reads a small file with a secret, such as a PIN. Nobody but its owner may be able to read or write it.
///
/// # Errors
/// [`SigningKeyError::Io`], [`SigningKeyError::Exposed`].
pub fn read_secret_file(path: &Path) -> Result<Vec<u8>, SigningKeyError> {
    match read_private(path)? {
        (bytes, None) => Ok(bytes),
        (_, Some(mode)) => Err(SigningKeyError::Exposed { path: path.to_owned(), mode }),
    }
}

/// Reads a public key file (SPKI PEM).
///
/// # Errors
/// [`SigningKeyError::Io`], [`SigningKeyError::Public`].
pub fn read_public_key_file(path: &Path) -> Result<PublicKey, SigningKeyError> {
    let bytes = read(&mut open(path)?, path)?;
    PublicKey::parse_pem(&bytes).map_err(|source| SigningKeyError::Public { path: path.to_owned(), source })
}

/// A public file's bytes, of the size of a certificate chain at most.
pub(crate) fn read_public(path: &Path) -> Result<Vec<u8>, SigningKeyError> {
    read_at_most(&mut open(path)?, path, MAX_CHAIN_BYTES)
}

/// Writes a public key to a new file of mode 0644; an existing file is left as it is.
///
/// # Errors
/// [`SigningKeyError::Exists`], [`SigningKeyError::Io`].
pub fn create_public_key_file(path: &Path, key: &PublicKey) -> Result<(), SigningKeyError> {
    let pem = key.to_pem().map_err(|source| SigningKeyError::Public { path: path.to_owned(), source })?;
    create_new(path, pem.as_bytes(), 0o644)
}

pub(crate) fn create_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), SigningKeyError> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(mode).open(path);
    let mut file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => return Err(SigningKeyError::Exists { path: path.to_owned() }),
        Err(source) => return Err(io("create", path, source)),
    };
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|source| {
        // A half-written key must not stand in the way of the next attempt.
        drop(std::fs::remove_file(path));
        io("write", path, source)
    })
}

fn open(path: &Path) -> Result<File, SigningKeyError> {
    // Without O_NONBLOCK a FIFO would hang here.
    let flags = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path).map_err(|source| io("open", path, source))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_file()) {
        return Ok(file);
    }
    Err(io("read", path, std::io::Error::other("not a regular file")))
}

fn read(file: &mut File, path: &Path) -> Result<Vec<u8>, SigningKeyError> {
    read_at_most(file, path, MAX_KEY_BYTES)
}

fn read_at_most(file: &mut File, path: &Path, limit: u64) -> Result<Vec<u8>, SigningKeyError> {
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes).map_err(|source| io("read", path, source))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > limit) {
        return Err(io("read", path, std::io::Error::other("larger than any key")));
    }
    Ok(bytes)
}

fn io(doing: &'static str, path: &Path, source: std::io::Error) -> SigningKeyError {
    SigningKeyError::Io { doing, path: path.to_owned(), source }
}
