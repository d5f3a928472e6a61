//! The one file of a BTFHub archive (`RELEASE.btf.tar.xz`): read strictly, never written to a path of its choosing.

use super::{UnpackError, malformed};

const FORMAT: &str = "tar";
const BLOCK: usize = 512;

/// Name and bytes of the one regular file of an archive; anything beside it is refused.
pub(crate) fn only_file(archive: &[u8]) -> Result<(String, &[u8]), UnpackError> {
    let (header, rest) = archive.split_first_chunk::<BLOCK>().ok_or_else(|| malformed(FORMAT, "shorter than a header"))?;
    let field = |start: usize, length: usize| header.get(start..start + length).unwrap_or_default();
    check_sum(header)?;
    let name = text(field(0, 100)).ok_or_else(|| malformed(FORMAT, "the name is no plain text"))?;
    if !matches!(field(156, 1), [b'0' | 0]) {
        return Err(malformed(FORMAT, format!("{name} is no regular file")));
    }
    let prefix = if field(257, 6) == b"ustar\0" { text(field(345, 155)) } else { Some(String::new()) };
    let whole = format!("{}/{name}", prefix.unwrap_or_default());
    if whole.split('/').any(|part| part == "..") || name.starts_with('/') {
        return Err(malformed(FORMAT, format!("{name} leaves its folder")));
    }
    let size = octal(field(124, 12)).ok_or_else(|| malformed(FORMAT, "the size is no number"))?;
    let (bytes, behind) = rest.split_at_checked(size).ok_or_else(|| malformed(FORMAT, "the file is cut off"))?;
    if behind.iter().any(|&byte| byte != 0) {
        return Err(malformed(FORMAT, "more than one file"));
    }
    Ok((name, bytes))
}

/// Checks the sum over a header, with spaces in its own place.
fn check_sum(header: &[u8; BLOCK]) -> Result<(), UnpackError> {
    let sum = header.iter().enumerate().map(|(at, byte)| if (148..156).contains(&at) { 32 } else { usize::from(*byte) });
    let stored = octal(header.get(148..156).unwrap_or_default());
    if stored == Some(sum.sum()) { Ok(()) } else { Err(malformed(FORMAT, "the header's sum does not match")) }
}

fn text(field: &[u8]) -> Option<String> {
    let text = field.split(|&byte| byte == 0).next()?;
    let text = str::from_utf8(text).ok()?;
    text.chars().all(|letter| letter.is_ascii_graphic()).then(|| text.to_owned())
}

fn octal(field: &[u8]) -> Option<usize> {
    let text = str::from_utf8(field).ok()?.trim_matches(['\0', ' ']);
    usize::from_str_radix(text, 8).ok()
}
