//! `/proc/PID/maps`: lines in, typed maps out. Not here: reading the file, what belongs to which module (`regions`).

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;

/// The most maps accepted (ours; `vm.max_map_count` is 65,530 unless somebody raised it).
pub(crate) const MAX_MAPS: usize = 1 << 20;

/// Protection of a map.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Perms {
    pub(crate) read: bool,
    pub(crate) write: bool,
    pub(crate) execute: bool,
}

impl Perms {
    /// `rwx` with `-` for what is missing.
    pub(crate) fn text(self) -> String {
        [(self.read, 'r'), (self.write, 'w'), (self.execute, 'x')].map(|(has, letter)| if has { letter } else { '-' }).iter().collect()
    }
}

/// The file behind a map, as the kernel names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct FileKey {
    /// `major:minor`, hex.
    pub(crate) device: String,
    pub(crate) inode: u64,
    /// Path as the target sees it, without ` (deleted)`: a file that is deleted while it is watched stays the same file.
    pub(crate) path: PathBuf,
}

/// What backs a map.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Backing {
    Anonymous,
    Stack,
    Vdso,
    File(FileKey),
    /// `[vvar]`, `[vsyscall]`: no stack and no module; a pointer into it is kept as invalid.
    Special,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Map {
    pub(crate) start: u64,
    pub(crate) end: u64,
    pub(crate) perms: Perms,
    pub(crate) offset: u64,
    pub(crate) backing: Backing,
}

/// Why the text is no list of maps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum MapsError {
    /// A line has another shape. Its text is not repeated: it holds addresses.
    #[error("line {line} of the memory maps has an unknown shape")]
    Line { line: usize },
    /// More than [`MAX_MAPS`].
    #[error("more than {MAX_MAPS} memory maps")]
    TooMany,
}

/// Parses `/proc/PID/maps`: ascending, not overlapping.
pub(crate) fn parse(text: &[u8]) -> Result<Vec<Map>, MapsError> {
    let mut maps: Vec<Map> = Vec::new();
    for (number, line) in (1..).zip(text.split(|&byte| byte == b'\n')) {
        if line.is_empty() {
            continue;
        }
        if number > MAX_MAPS {
            return Err(MapsError::TooMany);
        }
        let map = parse_line(line).ok_or(MapsError::Line { line: number })?;
        if maps.last().is_some_and(|last| map.start < last.end) {
            return Err(MapsError::Line { line: number });
        }
        maps.push(map);
    }
    Ok(maps)
}

fn parse_line(line: &[u8]) -> Option<Map> {
    let mut rest = line;
    let mut field = || {
        let trimmed = rest.trim_ascii_start();
        let end = trimmed.iter().position(|&byte| byte == b' ').unwrap_or(trimmed.len());
        let (field, after) = trimmed.split_at_checked(end)?;
        rest = after;
        std::str::from_utf8(field).ok()
    };
    let (start, end) = field()?.split_once('-')?;
    let perms = field()?.as_bytes();
    let perms = Perms { read: perms.first()? == &b'r', write: perms.get(1)? == &b'w', execute: perms.get(2)? == &b'x' };
    let offset = u64::from_str_radix(field()?, 16).ok()?;
    let device = field()?.to_owned();
    let inode: u64 = field()?.parse().ok()?;
    let backing = backing(rest.trim_ascii_start(), device, inode);
    let (start, end) = (u64::from_str_radix(start, 16).ok()?, u64::from_str_radix(end, 16).ok()?);
    (start < end).then_some(Map { start, end, perms, offset, backing })
}

fn backing(name: &[u8], device: String, inode: u64) -> Backing {
    match name {
        b"" | b"[heap]" => Backing::Anonymous,
        b"[stack]" => Backing::Stack,
        b"[vdso]" => Backing::Vdso,
        // Where the kernel steps over instructions that carry a probe: code that it put there.
        _ if name.starts_with(b"[uprobes") => Backing::Anonymous,
        _ if name.starts_with(b"[anon") || name.starts_with(b"[stack:") => Backing::Anonymous,
        _ if name.first() == Some(&b'[') => Backing::Special,
        _ => {
            let whole = name.strip_suffix(b" (deleted)");
            let path = PathBuf::from(OsString::from_vec(unescape(whole.unwrap_or(name))));
            Backing::File(FileKey { device, inode, path })
        }
    }
}

/// The kernel writes a line feed in a name as `\012`, and nothing else so.
fn unescape(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((&first, after)) = rest.split_first() {
        if let Some(after) = rest.strip_prefix(br"\012") {
            out.push(b'\n');
            rest = after;
        } else {
            out.push(first);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"55d5ec652000-55d5ec655000 r--p 00000000 fe:00 247741                     /usr/bin/sed\n\
        55d5ec655000-55d5ec669000 r-xp 00003000 fe:00 247741                     /tmp/a\\012b (deleted)\n\
        55d5f3127000-55d5f3148000 rw-p 00000000 00:00 0                          [heap]\n\
        7f28cf992000-7f28cf994000 ---p 00000000 00:00 0 \n\
        7f28cfc54000-7f28cfc58000 r--p 00000000 00:00 0                          [vvar]\n\
        7f28cfc5a000-7f28cfc5c000 r-xp 00000000 00:00 0                          [vdso]\n\
        7ffe525f1000-7ffe52612000 rw-p 00000000 00:00 0                          [stack]\n";

    #[test]
    fn every_kind_of_line_is_told_apart() {
        let maps = parse(TEXT).unwrap();
        let file = |path: &str| Backing::File(FileKey { device: "fe:00".into(), inode: 247_741, path: path.into() });
        let expected = [
            file("/usr/bin/sed"),
            file("/tmp/a\nb"),
            Backing::Anonymous,
            Backing::Anonymous,
            Backing::Special,
            Backing::Vdso,
            Backing::Stack,
        ];
        assert_eq!(maps.iter().map(|map| map.backing.clone()).collect::<Vec<_>>(), expected);
        assert_eq!(maps[1].offset, 0x3000);
        assert_eq!(maps.iter().map(|map| map.perms.text()).collect::<Vec<_>>(), ["r--", "r-x", "rw-", "---", "r--", "r-x", "rw-"]);
    }

    #[test]
    fn a_cut_or_disordered_list_is_refused_and_no_address_is_repeated() {
        for bad in
            [&b"55d5ec652000-"[..], b"2000-1000 r--p 0 0:0 0", b"1000-2000 r-", b"x", b"1000-2000 r--p 0 0:0 0\n1000-2000 r--p 0 0:0 0"]
        {
            let error = parse(bad).unwrap_err();
            assert!(!error.to_string().contains("1000"), "{error}");
        }
        for cut in 0..TEXT.len() {
            // Any prefix parses or is refused; it never panics.
            drop(parse(TEXT.get(..cut).unwrap()));
        }
    }
}
