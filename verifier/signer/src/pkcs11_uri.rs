//! PKCS#11 URIs (RFC 7512): which key of which token, through which module, with which PIN.
//!
//! Only text in, a type out; the PIN is never shown. Not here: modules and tokens.

use std::path::PathBuf;

/// Characters that an attribute's value shows as they are (RFC 7512, section 2.3: `unreserved` and most of `pk11-res-avail`).
const PLAIN: &[u8] = b"-._~:[]@!$'()*+,=/";

/// A parsed URI. Every value that is `None` was not given, and matches anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pkcs11Uri {
    /// The token's label.
    pub token: Option<String>,
    /// The token's manufacturer.
    pub manufacturer: Option<String>,
    /// The token's model.
    pub model: Option<String>,
    /// The token's serial number.
    pub serial: Option<String>,
    /// The slot's number.
    pub slot_id: Option<u64>,
    /// The key's label.
    pub object: Option<String>,
    /// The key's id.
    pub id: Option<Vec<u8>>,
    /// The module, a shared library; an absolute path.
    pub module_path: Option<PathBuf>,
    /// Where the PIN comes from, when the URI says so.
    pub pin: Option<PinFrom>,
}

/// Where a PIN comes from. Its `Debug` output never holds a PIN.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum PinFrom {
    /// The PIN itself, in the URI (`pin-value`).
    Value(String),
    /// A file whose first line it is (`pin-source`).
    File(PathBuf),
}

/// Why a text is no PKCS#11 URI that we take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11UriError {
    /// Not `name=value`.
    #[error("pkcs11: {part:?} is not NAME=VALUE")]
    NotAttribute {
        /// The part.
        part: String,
    },
    /// A name that we do not know in this place.
    #[error(
        "pkcs11: attribute {name:?} is not known before the question mark; known are token, manufacturer, model, serial, slot-id, object, id, type"
    )]
    UnknownPath {
        /// The name.
        name: String,
    },
    /// A name that we do not know in this place.
    #[error("pkcs11: attribute {name:?} is not known after the question mark; known are module-path, pin-source, pin-value")]
    UnknownQuery {
        /// The name.
        name: String,
    },
    /// The same name twice.
    #[error("pkcs11: attribute {name} is given twice")]
    Twice {
        /// The name.
        name: &'static str,
    },
    /// A value that does not fit its name. Never shows the value, which may be a PIN.
    #[error("pkcs11: the value of {name} is not {expected}")]
    Value {
        /// The name.
        name: &'static str,
        /// What it should be.
        expected: &'static str,
    },
    /// Two PINs.
    #[error("pkcs11: pin-source and pin-value are both given")]
    TwoPins,
}

impl Pkcs11Uri {
    /// Parses what follows `pkcs11:`.
    ///
    /// # Errors
    /// [`Pkcs11UriError`]
    pub fn parse(text: &str) -> Result<Self, Pkcs11UriError> {
        let (path, query) = text.split_once('?').map_or((text, None), |(path, query)| (path, Some(query)));
        let mut uri = Self::default();
        let mut typed = None;
        for part in path.split(';').filter(|part| !part.is_empty()) {
            let (name, value) = attribute(part)?;
            match name {
                "token" => set("token", &mut uri.token, string("token", value)?)?,
                "manufacturer" => set("manufacturer", &mut uri.manufacturer, string("manufacturer", value)?)?,
                "model" => set("model", &mut uri.model, string("model", value)?)?,
                "serial" => set("serial", &mut uri.serial, string("serial", value)?)?,
                "object" => set("object", &mut uri.object, string("object", value)?)?,
                "id" => {
                    set("id", &mut uri.id, decode(value).ok_or(Pkcs11UriError::Value { name: "id", expected: "percent-encoded bytes" })?)?;
                }
                "slot-id" => {
                    let number = value.parse().map_err(|_error| Pkcs11UriError::Value { name: "slot-id", expected: "a number" })?;
                    set("slot-id", &mut uri.slot_id, number)?;
                }
                "type" if value == "private" => set("type", &mut typed, ())?,
                "type" => return Err(Pkcs11UriError::Value { name: "type", expected: "private, and only such keys sign" }),
                other => return Err(Pkcs11UriError::UnknownPath { name: other.to_owned() }),
            }
        }
        uri.query(query.unwrap_or_default())?;
        Ok(uri)
    }

    fn query(&mut self, query: &str) -> Result<(), Pkcs11UriError> {
        for part in query.split('&').filter(|part| !part.is_empty()) {
            let (name, value) = attribute(part)?;
            let pin = match name {
                "module-path" => {
                    set("module-path", &mut self.module_path, absolute("module-path", value)?)?;
                    continue;
                }
                "pin-value" => PinFrom::Value(string("pin-value", value)?),
                "pin-source" => PinFrom::File(absolute("pin-source", value.strip_prefix("file:").unwrap_or(value))?),
                other => return Err(Pkcs11UriError::UnknownQuery { name: other.to_owned() }),
            };
            match (&self.pin, &pin) {
                (None, _) => self.pin = Some(pin),
                (Some(PinFrom::Value(_)), PinFrom::Value(_)) => return Err(Pkcs11UriError::Twice { name: "pin-value" }),
                (Some(PinFrom::File(_)), PinFrom::File(_)) => return Err(Pkcs11UriError::Twice { name: "pin-source" }),
                _ => return Err(Pkcs11UriError::TwoPins),
            }
        }
        Ok(())
    }
}

/// Name and value. What is shown of a part without an equals sign is no value.
fn attribute(part: &str) -> Result<(&str, &str), Pkcs11UriError> {
    part.split_once('=').ok_or_else(|| Pkcs11UriError::NotAttribute { part: part.chars().take(32).collect() })
}

fn set<T>(name: &'static str, place: &mut Option<T>, value: T) -> Result<(), Pkcs11UriError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => Err(Pkcs11UriError::Twice { name }),
    }
}

fn string(name: &'static str, value: &str) -> Result<String, Pkcs11UriError> {
    let text = decode(value).and_then(|bytes| String::from_utf8(bytes).ok()).filter(|text| !text.is_empty() && !text.contains('\0'));
    text.ok_or(Pkcs11UriError::Value { name, expected: "percent-encoded UTF-8, not empty" })
}

fn absolute(name: &'static str, value: &str) -> Result<PathBuf, Pkcs11UriError> {
    let path = string(name, value).map(PathBuf::from)?;
    // A program's output as a PIN (`|command`), and a library that the loader would search for, are never wanted.
    if path.is_absolute() { Ok(path) } else { Err(Pkcs11UriError::Value { name, expected: "an absolute path" }) }
}

/// Percent decoding; `None` for a broken escape.
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            let value = digit(rest.next()?)?.checked_mul(16)?.checked_add(digit(rest.next()?)?)?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}

fn encode(bytes: &[u8]) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || PLAIN.contains(byte);
    bytes.iter().map(|byte| if plain(byte) { char::from(*byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The URI without a PIN; a PIN's file is shown.
impl std::fmt::Display for Pkcs11Uri {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let texts = [
            ("token", &self.token),
            ("manufacturer", &self.manufacturer),
            ("model", &self.model),
            ("serial", &self.serial),
            ("object", &self.object),
        ];
        let mut parts: Vec<String> =
            texts.iter().filter_map(|(name, value)| value.as_ref().map(|value| format!("{name}={}", encode(value.as_bytes())))).collect();
        parts.extend(self.slot_id.map(|number| format!("slot-id={number}")));
        parts.extend(self.id.as_ref().map(|id| {
            let escaped: Vec<String> = id.iter().map(|byte| format!("%{byte:02X}")).collect();
            format!("id={}", escaped.concat())
        }));
        write!(f, "pkcs11:{}", parts.join(";"))?;
        let path = |path: &PathBuf| encode(path.as_os_str().as_encoded_bytes());
        let mut query: Vec<String> = self.module_path.iter().map(|module| format!("module-path={}", path(module))).collect();
        if let Some(PinFrom::File(file)) = &self.pin {
            query.push(format!("pin-source={}", path(file)));
        }
        if query.is_empty() { Ok(()) } else { write!(f, "?{}", query.join("&")) }
    }
}

impl std::fmt::Debug for PinFrom {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Value(_) => f.write_str("Value(…)"),
            Self::File(path) => write!(f, "File({path:?})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_examples_of_rfc_7512_that_name_a_private_key_are_read() {
        let uri = Pkcs11Uri::parse(
            "token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;object=my-key;type=private",
        )
        .unwrap();
        assert_eq!(uri.token.as_deref(), Some("The Software PKCS#11 Softtoken"));
        assert_eq!(uri.manufacturer.as_deref(), Some("Snake Oil, Inc."));
        assert_eq!(uri.object.as_deref(), Some("my-key"));
        let uri =
            Pkcs11Uri::parse("token=Software%20PKCS%2311%20softtoken;id=%69%95%3E%5C%F4%BD%EC%91?pin-source=file:/etc/token_pin").unwrap();
        assert_eq!(uri.id.as_deref(), Some(&[0x69, 0x95, 0x3e, 0x5c, 0xf4, 0xbd, 0xec, 0x91][..]));
        assert_eq!(uri.pin, Some(PinFrom::File("/etc/token_pin".into())));
        let uri = Pkcs11Uri::parse("object=k?module-path=/usr/lib/m.so&pin-value=the-pin").unwrap();
        assert_eq!(uri.module_path.as_deref(), Some(std::path::Path::new("/usr/lib/m.so")));
        assert_eq!(uri.pin, Some(PinFrom::Value("the-pin".to_owned())));
    }

    #[test]
    fn what_is_shown_is_the_same_uri_without_its_pin() {
        let text = "token=a%20b;object=k%3B1;slot-id=7;id=%00%FF?module-path=/m%26.so&pin-source=/p";
        let uri = Pkcs11Uri::parse(text).unwrap();
        assert_eq!(uri.to_string(), format!("pkcs11:{text}"));
        let secret = Pkcs11Uri::parse("token=t?pin-value=s3cret").unwrap();
        assert_eq!(secret.to_string(), "pkcs11:token=t");
        assert!(!format!("{secret:?}").contains("s3cret"));
    }

    #[test]
    fn what_we_do_not_take_is_refused_by_name_and_without_its_value() {
        let refused = |text: &str| Pkcs11Uri::parse(text).unwrap_err();
        assert_eq!(refused("token=a;token=b"), Pkcs11UriError::Twice { name: "token" });
        assert_eq!(refused("?pin-value=1&pin-value=2"), Pkcs11UriError::Twice { name: "pin-value" });
        assert_eq!(refused("?pin-value=1&pin-source=/p"), Pkcs11UriError::TwoPins);
        assert_eq!(refused("colour=red"), Pkcs11UriError::UnknownPath { name: "colour".to_owned() });
        assert_eq!(refused("pin-value=1"), Pkcs11UriError::UnknownPath { name: "pin-value".to_owned() });
        assert_eq!(refused("?module-name=softhsm"), Pkcs11UriError::UnknownQuery { name: "module-name".to_owned() });
        assert_eq!(refused("token"), Pkcs11UriError::NotAttribute { part: "token".to_owned() });
        for (text, name) in [
            ("type=public", "type"),
            ("slot-id=x", "slot-id"),
            ("id=%4", "id"),
            ("id=%zz", "id"),
            ("token=%ff", "token"),
            ("token=", "token"),
            ("token=%00", "token"),
            ("?module-path=m.so", "module-path"),
            ("?pin-source=|cmd", "pin-source"),
            ("?pin-source=pin", "pin-source"),
            ("?pin-value=%ff", "pin-value"),
        ] {
            assert!(matches!(refused(text), Pkcs11UriError::Value { name: found, .. } if found == name), "{text}");
        }
    }
}
