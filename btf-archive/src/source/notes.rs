//! ELF notes as the kernel keeps them (`.notes`, `/sys/kernel/notes`): the GNU build-id and nothing else.

/// `NT_GNU_BUILD_ID`.
const BUILD_ID: u32 = 3;

/// The first GNU build-id in notes of a little-endian machine, as lower-case hex: name `GNU` *and* type 3.
pub(crate) fn gnu_build_id(mut notes: &[u8]) -> Option<String> {
    while let Some((header, rest)) = notes.split_first_chunk::<12>() {
        let mut words = header.chunks_exact(4).map(|word| u32::from_le_bytes(word.first_chunk().copied().unwrap_or_default()));
        let (name_len, len, kind) = (words.next()?, words.next()?, words.next()?);
        let (name_len, len) = (usize::try_from(name_len).ok()?, usize::try_from(len).ok()?);
        let (name, rest) = rest.split_at_checked(name_len.checked_next_multiple_of(4)?)?;
        let id = rest.get(..len)?;
        if kind == BUILD_ID && name.get(..name_len) == Some(b"GNU\0") && !id.is_empty() {
            return Some(hex::encode(id));
        }
        notes = rest.get(len.checked_next_multiple_of(4)?..).unwrap_or_default();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(name: &[u8], kind: u32, bytes: &[u8]) -> Vec<u8> {
        let length = |part: &[u8]| u32::try_from(part.len()).unwrap().to_le_bytes();
        let padded = |part: &[u8]| [part, &vec![0; part.len().next_multiple_of(4) - part.len()]].concat();
        [length(name).to_vec(), length(bytes).to_vec(), kind.to_le_bytes().to_vec(), padded(name), padded(bytes)].concat()
    }

    #[test]
    fn only_a_note_of_name_gnu_and_type_3_is_a_build_id() {
        let id = note(b"GNU\0", 3, &[0xab, 1, 2]);
        let others = [note(b"Xen\0", 3, &[1]), note(b"GNU\0", 1, &[2; 16]), note(b"Linux\0", 0x101, &[3; 5])].concat();
        assert_eq!(gnu_build_id(&[others.clone(), id.clone()].concat()).as_deref(), Some("ab0102"));
        assert_eq!(gnu_build_id(&others), None);
        assert_eq!(gnu_build_id(&note(b"GNU\0", 3, &[])), None);
        for cut in 0..id.len() - 1 {
            assert_eq!(gnu_build_id(&id[..cut]), None, "{cut}");
        }
        assert_eq!(gnu_build_id(&[0xff; 40]), None);
    }
}
