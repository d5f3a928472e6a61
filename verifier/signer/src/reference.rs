//! Key references: the one syntax that names a signing key, `file:`, `pkcs11:`, `exec:` or `fulcio`.
//!
//! Only text in, a type out. Not here: opening what is named (`file`, `exec`; PKCS#11 and Fulcio are devices of the builder alone).

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use crate::pkcs11_uri::{Pkcs11Uri, Pkcs11UriError};

/// The most bytes of a reference (ours; a path has at most 4,096).
const MAX_REFERENCE_BYTES: usize = 8 << 10;
/// The instance that `fulcio` without an address means.
pub const PUBLIC_FULCIO: &str = "https://fulcio.sigstore.dev";

/// What names a signing key. Its `Display` can be typed again and never shows a PIN.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum KeyRef {
    /// A PKCS#8 PEM file.
    File(PathBuf),
    /// A key of a PKCS#11 token.
    Pkcs11(Box<Pkcs11Uri>),
    /// An external program and its arguments.
    Exec(ExecWords),
    /// A key that lives for one signature, certified by a Fulcio instance.
    Fulcio {
        /// The instance's address, without a slash at the end.
        url: String,
    },
}

/// A program and its arguments; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExecWords {
    pub(crate) program: OsString,
    pub(crate) arguments: Vec<OsString>,
}

/// Why a text is no key reference.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyRefError {
    /// Nothing behind the scheme, or nothing at all.
    #[error("the key reference names nothing")]
    Empty,
    /// Longer than a reference can be.
    #[error("the key reference has {found} bytes, at most {MAX_REFERENCE_BYTES} are read")]
    TooLong {
        /// Bytes found.
        found: usize,
    },
    /// A scheme that is none of ours.
    #[error("{scheme}: is no kind of key reference; there are file:, pkcs11:, exec: and fulcio")]
    Scheme {
        /// What stands before the colon.
        scheme: String,
    },
    /// The text of a kind that is text only has other bytes.
    #[error("the key reference is not UTF-8")]
    NotUtf8,
    /// A quote without its end.
    #[error("exec: has an opening {quote} without a closing one")]
    Quote {
        /// Which quote.
        quote: char,
    },
    /// Not an address of an instance.
    #[error("fulcio: takes an address that begins with https:// or http://")]
    FulcioAddress,
    /// Not a PKCS#11 URI.
    #[error(transparent)]
    Pkcs11(#[from] Pkcs11UriError),
}

impl KeyRef {
    /// Parses a reference. A text without a scheme is the path of a file.
    ///
    /// # Errors
    /// [`KeyRefError`]
    pub fn parse(text: &OsStr) -> Result<Self, KeyRefError> {
        let bytes = text.as_bytes();
        if bytes.len() > MAX_REFERENCE_BYTES {
            return Err(KeyRefError::TooLong { found: bytes.len() });
        }
        let Some((scheme, rest)) = scheme(bytes) else {
            return match bytes {
                [] => Err(KeyRefError::Empty),
                b"fulcio" => Ok(Self::Fulcio { url: PUBLIC_FULCIO.to_owned() }),
                path => Ok(Self::File(path_of(path))),
            };
        };
        match scheme {
            _ if rest.is_empty() => Err(KeyRefError::Empty),
            "file" => Ok(Self::File(path_of(rest))),
            "pkcs11" => Ok(Self::Pkcs11(Box::new(Pkcs11Uri::parse(utf8(rest)?)?))),
            "exec" => ExecWords::parse(rest).map(Self::Exec),
            "fulcio" => fulcio(utf8(rest)?),
            other => Err(KeyRefError::Scheme { scheme: other.to_owned() }),
        }
    }
}

/// What stands before the first colon when it looks like a scheme: two or more of `a-z0-9+-`, a letter first. A path with a
/// slash or a dot before its colon is a path.
fn scheme(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let end = bytes.iter().position(|byte| *byte == b':')?;
    let (scheme, rest) = bytes.split_at_checked(end)?;
    let word = scheme.iter().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'+' | b'-'));
    let starts = scheme.first().is_some_and(u8::is_ascii_lowercase);
    let scheme = std::str::from_utf8(scheme).ok().filter(|scheme| word && starts && scheme.len() > 1)?;
    Some((scheme, rest.strip_prefix(b":")?))
}

fn path_of(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsString::from_vec(bytes.to_vec()))
}

fn utf8(bytes: &[u8]) -> Result<&str, KeyRefError> {
    std::str::from_utf8(bytes).map_err(|_position| KeyRefError::NotUtf8)
}

fn fulcio(url: &str) -> Result<KeyRef, KeyRefError> {
    let plain = url.bytes().all(|byte| byte.is_ascii_graphic());
    let known = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://")).is_some_and(|host| !host.is_empty());
    if plain && known { Ok(KeyRef::Fulcio { url: url.trim_end_matches('/').to_owned() }) } else { Err(KeyRefError::FulcioAddress) }
}

impl ExecWords {
    /// Words are separated by spaces; what stands in single or double quotes is taken as it is. Nothing is expanded.
    fn parse(bytes: &[u8]) -> Result<Self, KeyRefError> {
        let mut words: Vec<OsString> = Vec::new();
        let (mut word, mut inside) = (None::<Vec<u8>>, None::<u8>);
        for byte in bytes {
            match (inside, *byte) {
                (Some(quote), byte) if byte == quote => inside = None,
                (None, b' ') => words.extend(word.take().map(OsString::from_vec)),
                (None, quote @ (b'"' | b'\'')) => {
                    inside = Some(quote);
                    word.get_or_insert_default();
                }
                (_, byte) => word.get_or_insert_default().push(byte),
            }
        }
        if let Some(quote) = inside {
            return Err(KeyRefError::Quote { quote: char::from(quote) });
        }
        words.extend(word.map(OsString::from_vec));
        let mut words = words.into_iter();
        match words.next().filter(|program| !program.is_empty()) {
            Some(program) => Ok(Self { program, arguments: words.collect() }),
            None => Err(KeyRefError::Empty),
        }
    }
}

impl std::fmt::Display for KeyRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::File(path) if scheme(path.as_os_str().as_bytes()).is_none() && path.as_os_str() != "fulcio" => {
                write!(f, "{}", path.display())
            }
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Pkcs11(uri) => write!(f, "{uri}"),
            Self::Exec(words) => write!(f, "exec:{words}"),
            Self::Fulcio { url } if url == PUBLIC_FULCIO => f.write_str("fulcio"),
            Self::Fulcio { url } => write!(f, "fulcio:{url}"),
        }
    }
}

impl std::fmt::Display for ExecWords {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (number, word) in std::iter::once(&self.program).chain(&self.arguments).enumerate() {
            let (text, space) = (word.to_string_lossy(), if number > 0 { " " } else { "" });
            let quote = match (text.is_empty() || text.contains([' ', '\'', '"']), text.contains('\'')) {
                (false, _) => "",
                (true, false) => "'",
                (true, true) => "\"",
            };
            write!(f, "{space}{quote}{text}{quote}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<KeyRef, KeyRefError> {
        KeyRef::parse(OsStr::new(text))
    }

    fn words(text: &str) -> Vec<String> {
        let Ok(KeyRef::Exec(words)) = parse(text) else { panic!("{text}") };
        std::iter::once(words.program).chain(words.arguments).map(|word| word.into_string().unwrap()).collect()
    }

    #[test]
    fn a_text_without_a_scheme_is_a_file() {
        for (text, path) in [
            ("k.key", "k.key"),
            ("file:k.key", "k.key"),
            ("file:/a/k", "/a/k"),
            ("./exec:x", "./exec:x"),
            ("a:b.key", "a:b.key"),
            ("C:k", "C:k"),
            ("dir/pkcs11:x", "dir/pkcs11:x"),
            ("file:exec:x", "exec:x"),
            ("file:fulcio", "fulcio"),
            (":x", ":x"),
        ] {
            assert_eq!(parse(text), Ok(KeyRef::File(path.into())), "{text}");
        }
        let odd = OsString::from_vec(b"k\xff.key".to_vec());
        assert_eq!(KeyRef::parse(&odd), Ok(KeyRef::File(odd.into())));
    }

    #[test]
    fn what_is_no_reference_is_refused_by_name() {
        for empty in ["", "file:", "exec:", "exec:  ", "exec:''", "pkcs11:", "fulcio:"] {
            assert_eq!(parse(empty), Err(KeyRefError::Empty), "{empty}");
        }
        for (text, scheme) in [("awskms:///alias/x", "awskms"), ("gcpkms://projects/x", "gcpkms"), ("https://x", "https")] {
            assert_eq!(parse(text), Err(KeyRefError::Scheme { scheme: scheme.to_owned() }));
        }
        assert_eq!(parse("exec:a 'b"), Err(KeyRefError::Quote { quote: '\'' }));
        assert_eq!(parse("fulcio:ftp://x"), Err(KeyRefError::FulcioAddress));
        assert_eq!(parse("fulcio:http://"), Err(KeyRefError::FulcioAddress));
        assert_eq!(parse("fulcio:http://a b"), Err(KeyRefError::FulcioAddress));
        assert_eq!(KeyRef::parse(&OsString::from_vec(b"pkcs11:token=\xff".to_vec())), Err(KeyRefError::NotUtf8));
        assert!(matches!(parse(&"x".repeat(9000)), Err(KeyRefError::TooLong { found: 9000 })));
    }

    #[test]
    fn words_are_split_at_spaces_and_nothing_is_expanded() {
        assert_eq!(words("exec:/bin/s  a b"), ["/bin/s", "a", "b"]);
        assert_eq!(words("exec:s 'a b' \"c'd\" e'f g'h"), ["s", "a b", "c'd", "ef gh"]);
        assert_eq!(words("exec:s $HOME `x` \\n ~ ''"), ["s", "$HOME", "`x`", "\\n", "~", ""]);
    }

    #[test]
    fn what_is_shown_is_the_same_reference() {
        for text in ["k.key", "file:exec:x", "file:fulcio", "exec:s 'a b' \"c'd\" ''", "fulcio", "fulcio:http://127.0.0.1:1/x"] {
            let reference = parse(text).unwrap();
            assert_eq!(parse(&reference.to_string()), Ok(reference.clone()), "{text} → {reference}");
        }
        assert_eq!(parse("fulcio:https://f.example/").unwrap().to_string(), "fulcio:https://f.example");
    }
}
