//! The one token and the one key that a URI names; several are as bad as none, and both are listed.

use cryptoki::context::Pkcs11;
use cryptoki::object::{Attribute, AttributeType, KeyType, ObjectClass, ObjectHandle};
use cryptoki::session::Session;
use cryptoki::slot::{Slot, TokenInfo};
use sealtrace_envelope::PublicKey;
use sealtrace_signer::Pkcs11Uri;

use super::error::{Pkcs11Error, shown};

/// `prime256v1` as a DER object identifier (RFC 5480, section 2.1.1.1).
const P256_PARAMETERS: &[u8] = &[0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
/// The DER header of an octet string around an uncompressed point of P-256 (PKCS#11 v3.1, `CKA_EC_POINT`).
const POINT_HEADER: &[u8] = &[0x04, 0x41];
/// The bytes of an uncompressed point of P-256.
const POINT_BYTES: usize = 65;
/// The most keys that an error lists (ours).
const MAX_LISTED: usize = 20;

/// A private key of a token.
pub(super) struct PrivateKey {
    pub(super) handle: ObjectHandle,
    label: Vec<u8>,
    id: Vec<u8>,
}

impl PrivateKey {
    /// As errors show it, and as a reference can name it.
    fn shown(&self) -> String {
        let id: Vec<String> = self.id.iter().map(|byte| format!("%{byte:02X}")).collect();
        format!("object={} id={}", shown(&String::from_utf8_lossy(&self.label)), id.concat())
    }
}

/// The token that matches.
pub(super) fn token(module: &Pkcs11, uri: &Pkcs11Uri) -> Result<(Slot, TokenInfo), Pkcs11Error> {
    let failed = |error| Pkcs11Error::call("list tokens", &error);
    let mut tokens = Vec::new();
    for slot in module.get_slots_with_token().map_err(failed)? {
        let token = module.get_token_info(slot).map_err(failed)?;
        if token.token_initialized() {
            tokens.push((slot, token));
        }
    }
    let present = names(tokens.iter().map(shown_token));
    tokens.retain(|(slot, token)| matches(*slot, token, uri));
    let found = names(tokens.iter().map(shown_token));
    match (tokens.pop(), tokens.pop()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Pkcs11Error::NoToken { present }),
        _ => Err(Pkcs11Error::SeveralTokens { found }),
    }
}

fn shown_token((slot, token): &(Slot, TokenInfo)) -> String {
    format!("token={} serial={} slot-id={}", shown(token.label()), shown(token.serial_number()), slot.id())
}

/// Names in an order that does not depend on the token.
fn names(of: impl Iterator<Item = String>) -> Vec<String> {
    let mut names: Vec<_> = of.collect();
    names.sort();
    names.truncate(MAX_LISTED);
    names
}

fn matches(slot: Slot, token: &TokenInfo, uri: &Pkcs11Uri) -> bool {
    let same = |wanted: &Option<String>, found: &str| wanted.as_ref().is_none_or(|wanted| wanted == found.trim_end());
    same(&uri.token, token.label())
        && same(&uri.manufacturer, token.manufacturer_id())
        && same(&uri.model, token.model())
        && same(&uri.serial, token.serial_number())
        && uri.slot_id.is_none_or(|wanted| wanted == slot.id())
}

/// The private key that matches.
pub(super) fn private_key(session: &Session, uri: &Pkcs11Uri) -> Result<PrivateKey, Pkcs11Error> {
    let mut template = vec![Attribute::Class(ObjectClass::PRIVATE_KEY)];
    template.extend(uri.object.as_ref().map(|label| Attribute::Label(label.clone().into_bytes())));
    template.extend(uri.id.as_ref().map(|id| Attribute::Id(id.clone())));
    let mut found = private_keys(session, &template)?;
    let several = names(found.iter().map(PrivateKey::shown));
    match (found.pop(), found.pop()) {
        (Some(only), None) => Ok(only),
        (None, _) => {
            let all = private_keys(session, &[Attribute::Class(ObjectClass::PRIVATE_KEY)])?;
            Err(Pkcs11Error::NoKey { present: names(all.iter().map(PrivateKey::shown)) })
        }
        _ => Err(Pkcs11Error::SeveralKeys { found: several }),
    }
}

fn private_keys(session: &Session, template: &[Attribute]) -> Result<Vec<PrivateKey>, Pkcs11Error> {
    let handles = session.find_objects(template).map_err(|error| Pkcs11Error::call("find keys", &error))?;
    handles.into_iter().map(|handle| named(session, handle)).collect()
}

fn named(session: &Session, handle: ObjectHandle) -> Result<PrivateKey, Pkcs11Error> {
    let mut key = PrivateKey { handle, label: Vec::new(), id: Vec::new() };
    for attribute in attributes(session, handle, &[AttributeType::Label, AttributeType::Id])? {
        match attribute {
            Attribute::Label(label) => key.label = label,
            Attribute::Id(id) => key.id = id,
            _ => {}
        }
    }
    Ok(key)
}

/// The public half of a private key: the key is an ECDSA key on P-256, or refused.
pub(super) fn public_key(session: &Session, key: &PrivateKey) -> Result<PublicKey, Pkcs11Error> {
    check_kind(session, key)?;
    match public_points(session, key)?.as_slice() {
        [point] => {
            // Tokens older than PKCS#11 2.20 give the point without its octet string.
            let inner = point.strip_prefix(POINT_HEADER).filter(|inner| inner.len() == POINT_BYTES);
            Ok(PublicKey::from_uncompressed_point(inner.unwrap_or(point))?)
        }
        _ => Err(Pkcs11Error::NoPublicKey { key: key.shown() }),
    }
}

fn check_kind(session: &Session, key: &PrivateKey) -> Result<(), Pkcs11Error> {
    let other = |found: &str| Err(Pkcs11Error::NotP256 { key: key.shown(), found: found.to_owned() });
    // The kind alone first: a token may refuse to be asked for the curve of an RSA key.
    match attributes(session, key.handle, &[AttributeType::KeyType])?.as_slice() {
        [Attribute::KeyType(KeyType::EC)] => {}
        [Attribute::KeyType(KeyType::RSA)] => return other("an RSA key"),
        [Attribute::KeyType(kind)] => return other(&format!("of key type {kind}")),
        _ => return other("of no type that the token tells"),
    }
    match attributes(session, key.handle, &[AttributeType::EcParams])?.as_slice() {
        [Attribute::EcParams(parameters)] if parameters == P256_PARAMETERS => {}
        _ => return other("an EC key on another curve"),
    }
    match attributes(session, key.handle, &[AttributeType::AlwaysAuthenticate])?.as_slice() {
        [Attribute::AlwaysAuthenticate(true)] => Err(Pkcs11Error::AskEachTime { key: key.shown() }),
        _ => Ok(()),
    }
}

/// The points of the public keys with the private key's id, or label where it has no id, each once.
fn public_points(session: &Session, key: &PrivateKey) -> Result<Vec<Vec<u8>>, Pkcs11Error> {
    let name = if key.id.is_empty() { Attribute::Label(key.label.clone()) } else { Attribute::Id(key.id.clone()) };
    let found = session.find_objects(&[Attribute::Class(ObjectClass::PUBLIC_KEY), Attribute::KeyType(KeyType::EC), name]);
    let mut points = Vec::new();
    for handle in found.map_err(|error| Pkcs11Error::call("find the public key", &error))? {
        let read = attributes(session, handle, &[AttributeType::EcPoint])?;
        points.extend(read.into_iter().filter_map(|attribute| if let Attribute::EcPoint(point) = attribute { Some(point) } else { None }));
    }
    points.sort();
    points.dedup();
    Ok(points)
}

fn attributes(session: &Session, handle: ObjectHandle, wanted: &[AttributeType]) -> Result<Vec<Attribute>, Pkcs11Error> {
    session.get_attributes(handle, wanted).map_err(|error| Pkcs11Error::call("read a key's attributes", &error))
}
