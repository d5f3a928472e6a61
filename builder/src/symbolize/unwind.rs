//! The CFI sections of a module, for its unwind data: of ELF, of 64-bit PE (MinGW) and of 64-bit Mach-O.
//!
//! Not here: `.pdata`/`.xdata` and `__unwind_info`, for which `unwind.v1` has no room yet.

use std::borrow::Cow;

use object::{BinaryFormat, Object as _, ObjectSection as _};
use sealtrace_unwind::UnwindSections;

use super::image::Image;
use super::sections::contents;
use super::{SymbolizeError, pdb};

/// Largest CFI section read, decompressed: 1 GiB (ours).
const MAX_CFI_BYTES: u64 = 1 << 30;

/// The CFI sections: `.eh_frame` of the binary, `.debug_frame` of the binary or else of its debug file. `None` where there are none.
///
/// # Errors
/// [`SymbolizeError`]
pub(crate) fn unwind_sections(binary: &[u8], debug: Option<&[u8]>) -> Result<Option<UnwindSections>, SymbolizeError> {
    // A PDB holds no CFI.
    let image = Image::parse(binary, debug.filter(|bytes| !pdb::is_pdb(bytes)))?;
    let file = image.binary();
    if image.format() != BinaryFormat::Elf && !file.is_64() {
        // The format holds addresses of 8 bytes.
        return Ok(None);
    }
    let address = |name: &str| file.section_by_name(name).map(|section| section.address());
    let eh_frame = non_empty(contents(file, ".eh_frame", MAX_CFI_BYTES)?);
    let mut debug_frame = None;
    for file in image.files() {
        if debug_frame.is_none() {
            debug_frame = non_empty(contents(file, ".debug_frame", MAX_CFI_BYTES)?);
        }
    }
    let eh_frame = address(".eh_frame").zip(eh_frame);
    if eh_frame.is_none() && debug_frame.is_none() {
        return Ok(None);
    }
    let got = address(".got").or_else(|| address(".got.plt"));
    Ok(Some(UnwindSections { image_base: image.base(), eh_frame, debug_frame, text: address(".text"), got }))
}

fn non_empty(bytes: Cow<'_, [u8]>) -> Option<Vec<u8>> {
    (!bytes.is_empty()).then(|| bytes.into_owned())
}
