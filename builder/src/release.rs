//! Names and versions of releases, as they stand in tags, file names and `name:version`.

use std::fmt;
use std::str::FromStr;

/// The longest tag of a registry, and so the longest `NAME-VERSION` (OCI distribution spec, *Pulling manifests*).
const MAX_TAG: usize = 128;

/// A name or a version: `[A-Za-z0-9._-]+`, not starting with `.` or `-`, at most 128 characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Label(String);

/// Why a text is no name or version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("use 1 to 128 of A-Z a-z 0-9 . _ - and start with a letter, a digit or _: it becomes part of a tag")]
pub(crate) struct LabelError;

impl FromStr for Label {
    type Err = LabelError;

    fn from_str(text: &str) -> Result<Self, LabelError> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'));
        let fits = (1..=MAX_TAG).contains(&text.len());
        if plain && fits && !text.starts_with(['.', '-']) { Ok(Self(text.to_owned())) } else { Err(LabelError) }
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The tag of the root index, `NAME-VERSION`; `None` when it is longer than a tag may be.
pub(crate) fn root_tag(name: &Label, version: &Label) -> Option<String> {
    Some(format!("{name}-{version}")).filter(|tag| tag.len() <= MAX_TAG)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_can_stand_in_a_tag_is_a_label() {
        for good in ["a", "1.2.3", "_x", "A-b_c.d", &"x".repeat(128)] {
            assert!(good.parse::<Label>().is_ok(), "{good}");
        }
        for bad in ["", ".a", "-a", "a/b", "a:b", "a b", "ä", "a\n", "..", &"x".repeat(129)] {
            assert!(bad.parse::<Label>().is_err(), "{bad}");
        }
        let long: Label = "x".repeat(100).parse().unwrap();
        assert_eq!(root_tag(&long, &long), None);
    }
}
