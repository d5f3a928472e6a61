//! Keys of PKCS#11 tokens: one key is found or none is used, and the token signs a digest.
//!
//! The module runs inside this process, so it is trusted as this tool is; its answers are not, they are verified. Not here: the
//! syntax of the URI (`sealtrace-signer`).

mod error;
mod find;

use std::path::PathBuf;

use cryptoki::context::{CInitializeArgs, CInitializeFlags, Pkcs11};
use cryptoki::mechanism::Mechanism;
use cryptoki::object::ObjectHandle;
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::AuthPin;
use sealtrace_digest::FileSha256;
use sealtrace_envelope::PublicKey;
use sealtrace_signer::{PIN_VARIABLE, PinFrom, Pkcs11Uri, Signer, SignerError, raw_to_der, read_secret_file};

pub(crate) use error::{Pkcs11Error, failure};

/// The environment's word on the module, for URIs without `module-path`.
const MODULE_VARIABLE: &str = "SEALTRACE_PKCS11_MODULE";
/// The most bytes of a PIN (ours; tokens take 255 at most).
const MAX_PIN_BYTES: usize = 255;

/// A key of a token, in a session of its own.
pub(crate) struct Pkcs11Signer {
    session: Session,
    key: ObjectHandle,
    public: PublicKey,
}

impl Pkcs11Signer {
    /// Opens the one key that the URI names.
    ///
    /// # Errors
    /// [`Pkcs11Error`]; nothing is chosen among several tokens or keys.
    pub(crate) fn open(uri: &Pkcs11Uri) -> Result<Self, Pkcs11Error> {
        let path = module_path(uri)?;
        let module = Pkcs11::new(&path).map_err(|error| Pkcs11Error::Module { path: path.clone(), reason: error.to_string() })?;
        let args = CInitializeArgs::new(CInitializeFlags::OS_LOCKING_OK);
        module.initialize(args).map_err(|error| Pkcs11Error::Module { path, reason: error::words(&error) })?;
        let (slot, token) = find::token(&module, uri)?;
        let session = module.open_ro_session(slot).map_err(|error| Pkcs11Error::call("open a session", &error))?;
        log_in(&session, &token, uri)?;
        let key = find::private_key(&session, uri)?;
        let public = find::public_key(&session, &key)?;
        Ok(Self { session, key: key.handle, public })
    }
}

impl Signer for Pkcs11Signer {
    fn public_key(&self) -> &PublicKey {
        &self.public
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let digest = FileSha256::of(message);
        let raw = self.session.sign(&Mechanism::Ecdsa, self.key, digest.as_bytes()).map_err(|error| Pkcs11Error::call("sign", &error));
        let der = raw.and_then(|raw| raw_to_der(&raw).map_err(Pkcs11Error::Answer));
        der.map_err(|error| SignerError::Device(error.into()))
    }
}

impl std::fmt::Debug for Pkcs11Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Pkcs11Signer({})", self.key_id().hex())
    }
}

fn module_path(uri: &Pkcs11Uri) -> Result<PathBuf, Pkcs11Error> {
    let variable = || std::env::var_os(MODULE_VARIABLE).map(PathBuf::from).filter(|path| path.is_absolute());
    uri.module_path.clone().or_else(variable).ok_or(Pkcs11Error::NoModule)
}

fn log_in(session: &Session, token: &TokenInfo, uri: &Pkcs11Uri) -> Result<(), Pkcs11Error> {
    if !token.login_required() {
        return Ok(());
    }
    let label = error::shown(token.label());
    let pin = match pin(uri)? {
        Some(pin) => Some(pin),
        // The token asks for the PIN itself, at its own keypad.
        None if token.protected_authentication_path() => None,
        None => return Err(Pkcs11Error::NoPin { token: label }),
    };
    session.login(UserType::User, pin.as_ref()).map_err(|error| Pkcs11Error::login(label, &error))
}

/// The PIN from the URI, its file or the environment, in this order.
fn pin(uri: &Pkcs11Uri) -> Result<Option<AuthPin>, Pkcs11Error> {
    let pin = match &uri.pin {
        Some(PinFrom::Value(value)) => value.clone(),
        Some(PinFrom::File(path)) => {
            let bytes = read_secret_file(path)?;
            let text = String::from_utf8(bytes).map_err(|_not_utf8| Pkcs11Error::PinFile { path: path.clone() })?;
            text.lines().next().unwrap_or_default().to_owned()
        }
        Some(_) => return Err(Pkcs11Error::PinLength),
        None => match std::env::var(PIN_VARIABLE) {
            Ok(pin) => pin,
            Err(std::env::VarError::NotPresent) => return Ok(None),
            Err(std::env::VarError::NotUnicode(_)) => return Err(Pkcs11Error::PinLength),
        },
    };
    if pin.is_empty() || pin.len() > MAX_PIN_BYTES { Err(Pkcs11Error::PinLength) } else { Ok(Some(AuthPin::from(pin))) }
}
