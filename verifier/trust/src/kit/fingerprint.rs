//! The fingerprint of a trust kit, as hex and as words to read over a telephone.

use std::fmt;

use sealtrace_digest::{FileSha256, StatementDigest};

use super::words::WORDS;

/// Bytes of the digest that the words carry: 128 bits, which nobody finds a second kit for.
const WORD_BYTES: usize = 16;
/// Most characters of a fingerprint that is typed in (ours; 17 words have at most 135).
const MAX_TEXT: usize = 512;

/// SHA-256 of a kit's payload: its content address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KitDigest(StatementDigest);

/// What an operator typed in to compare a kit with: the whole digest, or the words of its first half.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fingerprint(Typed);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Typed {
    Hex(KitDigest),
    Words([u8; WORD_BYTES]),
}

/// Why a text is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum FingerprintError {
    /// Neither 64 hex digits nor 17 words.
    #[error("a fingerprint is 64 hex digits or 17 words, found {words} word(s)")]
    Shape {
        /// How many words there are.
        words: usize,
    },
    /// A word that is not in the list.
    #[error("word {position} is none of the list: {word:?}")]
    Word {
        /// From 1.
        position: usize,
        /// The word.
        word: String,
    },
    /// The last word does not follow from the others: one was misheard.
    #[error("the last word does not follow from the others: one of them was misheard, or two were swapped")]
    Checksum,
}

impl KitDigest {
    /// The digest of a payload.
    pub fn of(payload: &[u8]) -> Self {
        Self(StatementDigest::of(payload))
    }

    /// From 64 lower-case hex digits.
    pub fn parse_hex(text: &str) -> Option<Self> {
        StatementDigest::parse_hex(text).ok().map(Self)
    }

    /// 64 lower-case hex digits.
    pub fn hex(&self) -> String {
        self.0.hex()
    }

    /// 16 words for the first 16 bytes, and one that follows from them.
    pub fn words(&self) -> String {
        let half = self.half();
        let words: Vec<&str> = half.iter().chain([&check_byte(half)]).filter_map(|&byte| WORDS.get(usize::from(byte)).copied()).collect();
        words.join(" ")
    }

    fn half(&self) -> [u8; WORD_BYTES] {
        let mut half = [0; WORD_BYTES];
        half.iter_mut().zip(self.0.as_bytes()).for_each(|(to, from)| *to = *from);
        half
    }
}

impl fmt::Display for KitDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl serde::Serialize for KitDigest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for KitDigest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse_hex(&text).ok_or_else(|| serde::de::Error::custom("not 64 lower-case hex digits"))
    }
}

impl Fingerprint {
    /// Reads what an operator typed: 64 hex digits, or 17 words parted by spaces or hyphens; case does not matter.
    ///
    /// # Errors
    /// [`FingerprintError`]
    pub fn parse(text: &str) -> Result<Self, FingerprintError> {
        let lower: String = text.chars().take(MAX_TEXT).collect::<String>().to_lowercase();
        let parts: Vec<&str> = lower.split(|c: char| c.is_whitespace() || c == '-').filter(|part| !part.is_empty()).collect();
        if let Some(digest) = KitDigest::parse_hex(&parts.concat()) {
            return Ok(Self(Typed::Hex(digest)));
        }
        if parts.len() != WORD_BYTES + 1 {
            return Err(FingerprintError::Shape { words: parts.len() });
        }
        let mut bytes = Vec::new();
        for (position, word) in (1..).zip(&parts) {
            let byte = WORDS.iter().position(|known| known == word).and_then(|at| u8::try_from(at).ok());
            bytes.push(byte.ok_or_else(|| FingerprintError::Word { position, word: (*word).to_owned() })?);
        }
        let check = bytes.pop();
        let half: [u8; WORD_BYTES] = bytes.try_into().map_err(|_length| FingerprintError::Shape { words: parts.len() })?;
        if check == Some(check_byte(half)) { Ok(Self(Typed::Words(half))) } else { Err(FingerprintError::Checksum) }
    }

    /// Whether it is the fingerprint of this kit.
    pub fn is_of(&self, kit: &KitDigest) -> bool {
        match &self.0 {
            Typed::Hex(digest) => digest == kit,
            Typed::Words(half) => *half == kit.half(),
        }
    }
}

/// The byte behind the last word.
fn check_byte(half: [u8; WORD_BYTES]) -> u8 {
    let mut hasher = FileSha256::hasher();
    hasher.update(b"sealtrace kit words");
    hasher.update(&half);
    hasher.finish().as_bytes().first().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn the_words_are_256_short_and_told_apart_by_three_letters() {
        assert!(WORDS.is_sorted());
        assert_eq!(WORDS.iter().map(|word| &word[..3]).collect::<BTreeSet<_>>().len(), 256);
        assert!(WORDS.iter().all(|word| (4..=7).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase())));
    }

    #[test]
    fn a_kit_is_recognised_by_hex_and_words_in_any_case_and_by_nothing_else() {
        let digest = KitDigest::of(b"kit");
        for text in
            [digest.hex(), digest.hex().to_uppercase(), digest.words(), digest.words().to_uppercase(), digest.words().replace(' ', "-")]
        {
            assert!(Fingerprint::parse(&text).unwrap().is_of(&digest), "{text}");
            assert!(!Fingerprint::parse(&text).unwrap().is_of(&KitDigest::of(b"other")), "{text}");
        }
        let words = digest.words();
        let mut list: Vec<&str> = words.split(' ').collect();
        assert_eq!(list.len(), 17);
        list.swap(0, 1);
        assert_eq!(Fingerprint::parse(&list.join(" ")), Err(FingerprintError::Checksum));
        list[0] = "unheard";
        assert!(matches!(Fingerprint::parse(&list.join(" ")), Err(FingerprintError::Word { position: 1, .. })));
        assert!(matches!(Fingerprint::parse(&list[1..].join(" ")), Err(FingerprintError::Shape { words: 16 })));
        assert!(Fingerprint::parse("").is_err() && Fingerprint::parse(&digest.hex()[1..]).is_err());
    }
}
