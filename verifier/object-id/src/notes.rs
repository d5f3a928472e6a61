//! ELF notes: the build-ids among them. Owner *and* type are checked; the length of an id is data.

use object::endian::{Endian as _, Endianness};

use crate::ids::ObjectIds;

/// Owner of the GNU build-id.
const GNU: &[u8] = b"GNU\0";
/// Type of the GNU build-id.
const NT_GNU_BUILD_ID: u32 = 3;
/// Owner of the Go build id.
const GO: &[u8] = b"Go\0\0";
/// Type of the Go build id.
const NT_GO_BUILD_ID: u32 = 4;
/// The longest id accepted, in bytes (ours: GNU ids are 20 or fewer, Go ids about 83).
const MAX_ID_BYTES: usize = 1024;

/// What the notes of one segment or section say.
#[derive(Debug, Default)]
pub(crate) struct Notes<'data> {
    gnu: Vec<&'data [u8]>,
    go: Vec<&'data [u8]>,
    damage: Option<&'static str>,
}

/// The ids found so far; the first of each kind counts.
#[derive(Debug, Default)]
pub(crate) struct FoundIds {
    gnu: Option<String>,
    go: Option<String>,
    empty: bool,
    any: bool,
    damage: Option<&'static str>,
}

struct Note<'data> {
    owner: &'data [u8],
    kind: u32,
    desc: &'data [u8],
}

/// Splits one note off; `None` at damage.
fn split_note(data: &[u8], endian: Endianness, align: usize) -> Option<(Note<'_>, &[u8])> {
    let word = |at: usize| data.get(at..)?.first_chunk::<4>().map(|bytes| endian.read_u32(*bytes));
    let owner_size = usize::try_from(word(0)?).ok()?;
    let desc_size = usize::try_from(word(4)?).ok()?;
    let owner_end = owner_size.checked_add(12)?;
    let desc_start = owner_end.checked_next_multiple_of(align)?;
    let desc_end = desc_start.checked_add(desc_size)?;
    let note = Note { owner: data.get(12..owner_end)?, kind: word(8)?, desc: data.get(desc_start..desc_end)? };
    // The padding after the last note may be missing.
    let next = desc_end.checked_next_multiple_of(align)?;
    Some((note, data.get(next..).unwrap_or_default()))
}

/// Reads all notes of a segment or section. `align` is its alignment: 8 is 8, everything else is 4, as GNU tools read it.
/// The bytes themselves may start anywhere in the file.
pub(crate) fn notes_of(mut data: &[u8], endian: Endianness, align: u64) -> Notes<'_> {
    let align = if align == 8 { 8 } else { 4 };
    let mut notes = Notes::default();
    while !data.is_empty() {
        let Some((note, rest)) = split_note(data, endian, align) else {
            if data.iter().any(|&byte| byte != 0) {
                notes.damage = Some("a note is cut off or has impossible lengths");
            }
            break;
        };
        match (note.owner, note.kind) {
            (GNU, NT_GNU_BUILD_ID) => notes.gnu.push(note.desc),
            (GO, NT_GO_BUILD_ID) => notes.go.push(note.desc),
            _ => {}
        }
        data = rest;
    }
    notes
}

impl FoundIds {
    pub(crate) fn add(&mut self, notes: Notes<'_>) {
        self.damage = self.damage.or(notes.damage);
        self.any |= !notes.gnu.is_empty() || !notes.go.is_empty();
        for desc in notes.gnu {
            self.keep(desc, |found| &mut found.gnu, |desc| Some(hex::encode(desc)));
        }
        for desc in notes.go {
            let text = |desc: &[u8]| {
                let text = std::str::from_utf8(desc).ok()?;
                text.bytes().all(|byte| byte.is_ascii_graphic()).then(|| text.to_owned())
            };
            self.keep(desc, |found| &mut found.go, text);
        }
    }

    fn keep(&mut self, desc: &[u8], slot: impl FnOnce(&mut Self) -> &mut Option<String>, text: impl FnOnce(&[u8]) -> Option<String>) {
        if desc.is_empty() {
            self.empty = true;
            return;
        }
        let text = (desc.len() <= MAX_ID_BYTES).then(|| text(desc)).flatten();
        if text.is_none() {
            self.damage = self.damage.or(Some("a build-id note is too long or not plain text"));
        }
        let slot = slot(self);
        if slot.is_none() {
            *slot = text;
        }
    }

    /// What is damaged, when no id was found because of it.
    pub(crate) fn damage(&self) -> Option<&'static str> {
        self.damage.filter(|_| self.gnu.is_none() && self.go.is_none())
    }

    pub(crate) fn unidentified_reason(&self) -> Option<String> {
        if self.gnu.is_some() || self.go.is_some() {
            return None;
        }
        let reason = if self.empty { "its build-id note is empty" } else { "no build-id note" };
        Some(reason.to_owned())
    }

    pub(crate) fn ids(self) -> ObjectIds {
        ObjectIds { gnu_build_id: self.gnu, go_build_id: self.go, ..ObjectIds::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], kind: u32, desc: &[u8], align: usize) -> Vec<u8> {
        let len = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap().to_be_bytes();
        let mut bytes = [len(owner), len(desc), kind.to_be_bytes()].concat();
        bytes.extend(owner);
        bytes.resize(bytes.len().next_multiple_of(align), 0);
        bytes.extend(desc);
        bytes.resize(bytes.len().next_multiple_of(align), 0);
        bytes
    }

    fn found(data: &[u8], align: u64) -> FoundIds {
        let mut found = FoundIds::default();
        found.add(notes_of(data, Endianness::Big, align));
        found
    }

    #[test]
    fn an_id_of_any_length_is_data_and_owner_and_type_both_count() {
        for (align, wide) in [(4_u64, 4_usize), (8, 8), (1, 4), (16, 4)] {
            for len in [1, 6, 8, 16, 20, 33] {
                let desc = vec![0xa5; len];
                let mut data = note(b"GNU\0", 1, b"not it", wide);
                data.extend(note(b"CORE\0", 3, b"not it", wide));
                data.extend(note(b"GNU", 3, b"not it", wide));
                data.extend(note(b"GNU\0", 3, &desc, wide));
                let found = found(&data, align);
                assert_eq!(found.gnu, Some("a5".repeat(len)), "align {align}, length {len}");
                assert_eq!(found.unidentified_reason(), None);
            }
        }
    }

    #[test]
    fn a_go_id_is_text_and_an_empty_id_is_none() {
        assert_eq!(found(&note(b"Go\0\0", 4, b"a/b/c/d", 4), 4).ids().go_build_id.as_deref(), Some("a/b/c/d"));
        let empty = found(&note(b"GNU\0", 3, b"", 4), 4);
        assert_eq!(empty.unidentified_reason().as_deref(), Some("its build-id note is empty"));
        assert_eq!(empty.ids(), ObjectIds::default());
        assert!(found(&note(b"Go\0\0", 4, b"\x1b[2J", 4), 4).damage().is_some());
    }

    #[test]
    fn damage_counts_only_while_no_id_is_found() {
        let whole = note(b"GNU\0", 3, b"12345678", 4);
        // Up to three bytes of this note are zeros: padding.
        for cut in 4..whole.len() {
            assert!(found(&whole[..cut], 4).damage().is_some(), "cut at {cut}");
        }
        let mut behind = whole.clone();
        behind.extend(b"\xff\xff\xff\xff\xff");
        assert!(found(&behind, 4).damage().is_none());
        assert!(found(&[0; 7], 4).damage().is_none(), "zero padding is no damage");
        assert!(found(&[0xff; 64], 4).damage().is_some(), "lengths that overflow");
    }
}
