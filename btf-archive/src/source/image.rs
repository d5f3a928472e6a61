//! A bootable kernel of x86 (Linux `Documentation/arch/x86/boot.rst`): where the compressed kernel is, and which release it says it is.

use super::{SourceError, first_word};

/// Where the setup header's fields are.
const SETUP_SECTORS: usize = 0x1f1;
const BOOT_FLAG: usize = 0x1fe;
const MAGIC: usize = 0x202;
const PROTOCOL: usize = 0x206;
const VERSION_TEXT: usize = 0x20e;
const PAYLOAD_OFFSET: usize = 0x248;
const PAYLOAD_LENGTH: usize = 0x24c;
/// The first protocol with the place of the payload, 2.08 (Linux 2.6.26).
const OLDEST_PROTOCOL: u16 = 0x0208;
const SECTOR: usize = 512;

/// A kernel image.
#[derive(Debug)]
pub(super) struct Image<'a> {
    /// The compressed kernel, and behind it the length of the kernel.
    pub(super) payload: &'a [u8],
    /// Its release.
    pub(super) release: Option<String>,
}

impl<'a> Image<'a> {
    /// Finds the payload; `None` when the bytes are no image.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Option<Self>, SourceError> {
        if bytes.get(MAGIC..MAGIC + 4) != Some(b"HdrS") || bytes.get(BOOT_FLAG..BOOT_FLAG + 2) != Some(&[0x55, 0xaa]) {
            return Ok(None);
        }
        let cut = SourceError::Image { what: "the payload is not all there" };
        let half = |at: usize| bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u16::from_le_bytes);
        let word = |at: usize| {
            let word = bytes.get(at..).and_then(|rest| rest.first_chunk()).copied().map(u32::from_le_bytes)?;
            usize::try_from(word).ok()
        };
        if half(PROTOCOL).is_none_or(|protocol| protocol < OLDEST_PROTOCOL) {
            return Err(SourceError::Image { what: "its boot protocol is older than 2.08 and does not say where the kernel is" });
        }
        let sectors = match bytes.get(SETUP_SECTORS) {
            Some(0) | None => 4,
            Some(sectors) => usize::from(*sectors),
        };
        let (Some(offset), Some(length)) = (word(PAYLOAD_OFFSET), word(PAYLOAD_LENGTH)) else { return Err(cut) };
        let start = ((sectors + 1) * SECTOR).checked_add(offset).ok_or_else(|| cut.clone())?;
        let payload = start.checked_add(length).and_then(|end| bytes.get(start..end)).filter(|payload| !payload.is_empty());
        let text = half(VERSION_TEXT).filter(|&at| at != 0).and_then(|at| bytes.get(usize::from(at) + SECTOR..));
        Ok(Some(Self { payload: payload.ok_or(cut)?, release: text.and_then(first_word) }))
    }
}
