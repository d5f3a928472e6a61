//! Where BTF comes from: bytes of a file → BTF and what the file tells about its kernel. Which files: `add`.

mod image;
mod notes;

use object::{Architecture, Object as _, ObjectSection as _};
use sealtrace_btf::{Btf, ParseError};
use sealtrace_digest::FileSha256;
use sealtrace_symbols::BtfSource;

use crate::unpack::{UnpackError, only_file, unpack_xz};

pub(crate) use notes::gnu_build_id;

/// The largest kernel, packed or unpacked (ours; a distribution's vmlinux with debug information has up to 1 GiB).
pub(crate) const MAX_KERNEL_BYTES: usize = 2 << 30;
/// The largest BTF blob accepted (ours; a distribution kernel's vmlinux has 4 to 12 MiB).
pub(crate) const MAX_BLOB_BYTES: usize = 256 << 20;
/// The longest `uname -r` (Linux `include/uapi/linux/utsname.h`, `__NEW_UTS_LEN`).
const MAX_RELEASE: usize = 64;
/// What a kernel says first about itself (Linux `init/version.c`, `linux_banner`).
const BANNER: &[u8] = b"Linux version ";

/// BTF and what the file that it comes from tells about its kernel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Source {
    pub(crate) kind: BtfSource,
    pub(crate) sha256: FileSha256,
    pub(crate) btf: Vec<u8>,
    pub(crate) build_id: Option<String>,
    pub(crate) release: Option<String>,
    pub(crate) arch: Option<&'static str>,
}

/// Why a file gives no BTF.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SourceError {
    /// No bytes.
    #[error("the file is empty")]
    Empty,
    /// Nothing that BTF is taken from.
    #[error("neither BTF, nor a .btf.tar.xz, nor a kernel for x86_64 (bzImage), nor an ELF file")]
    Unknown,
    /// A kernel image that holds itself together badly.
    #[error("kernel image: {what}")]
    Image {
        /// What is wrong.
        what: &'static str,
    },
    /// An ELF file that cannot be read.
    #[error("kernel: {why}")]
    Elf {
        /// In the parser's words.
        why: String,
    },
    /// A kernel without BTF.
    #[error("the kernel has no section .BTF: it was built without CONFIG_DEBUG_INFO_BTF")]
    NoBtf,
    /// Compressed bytes that cannot be unpacked.
    #[error(transparent)]
    Unpack(#[from] UnpackError),
    /// Damaged BTF.
    #[error(transparent)]
    Btf(#[from] ParseError),
}

impl Source {
    /// Finds the BTF in a file and parses all of it.
    pub(crate) fn read(bytes: &[u8]) -> Result<Self, SourceError> {
        let source = Self::find(bytes)?;
        Btf::parse(&source.btf)?;
        Ok(source)
    }

    fn find(bytes: &[u8]) -> Result<Self, SourceError> {
        let sha256 = FileSha256::of(bytes);
        let bare = |kind, btf| Self { kind, sha256, btf, build_id: None, release: None, arch: None };
        match bytes {
            [] => Err(SourceError::Empty),
            [0x9f, 0xeb, ..] | [0xeb, 0x9f, ..] => Ok(bare(BtfSource::Btf, bytes.to_vec())),
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(bare(BtfSource::Hub, unpack_hub(bytes)?)),
            [0x7f, b'E', b'L', b'F', ..] => Ok(Self { kind: BtfSource::Vmlinux, sha256, ..Self::of_elf(bytes)? }),
            _ => {
                let image = image::Image::parse(bytes)?.ok_or(SourceError::Unknown)?;
                let kernel = Self::of_elf(&crate::unpack::unpack_kernel(image.payload, MAX_KERNEL_BYTES)?)?;
                let release = image.release.or(kernel.release);
                Ok(Self { kind: BtfSource::KernelImage, sha256, release, ..kernel })
            }
        }
    }

    fn of_elf(bytes: &[u8]) -> Result<Self, SourceError> {
        let elf_error = |error: object::Error| SourceError::Elf { why: error.to_string() };
        let elf = object::File::parse(bytes).map_err(elf_error)?;
        let section = |name| elf.section_by_name(name).map(|section| section.data()).transpose().map_err(elf_error);
        let btf = section(".BTF")?.ok_or(SourceError::NoBtf)?;
        if btf.len() > MAX_BLOB_BYTES {
            return Err(UnpackError::TooLarge { format: ".BTF", limit: MAX_BLOB_BYTES }.into());
        }
        let notes = [section(".notes")?, section(".note.gnu.build-id")?];
        let arch = match elf.architecture() {
            Architecture::X86_64 => Some("x86_64"),
            Architecture::Aarch64 => Some("arm64"),
            _ => None,
        };
        Ok(Self {
            kind: BtfSource::Vmlinux,
            sha256: FileSha256::of(bytes),
            btf: btf.to_vec(),
            build_id: notes.into_iter().flatten().find_map(gnu_build_id),
            release: banner(bytes),
            arch,
        })
    }
}

/// The BTF of a BTFHub archive.
pub(crate) fn unpack_hub(bytes: &[u8]) -> Result<Vec<u8>, SourceError> {
    // A tar's header and padding, on top of the blob.
    let archive = unpack_xz(bytes, MAX_BLOB_BYTES + (1 << 20))?;
    let (_, blob) = only_file(&archive)?;
    if blob.is_empty() { Err(SourceError::Empty) } else { Ok(blob.to_vec()) }
}

/// The release that a kernel's banner states: the same wherever the banner stands.
fn banner(bytes: &[u8]) -> Option<String> {
    let mut rest = bytes;
    loop {
        let at = rest.windows(BANNER.len()).position(|window| window == BANNER)?;
        rest = rest.get(at + BANNER.len()..)?;
        let release = first_word(rest);
        if release.as_ref().is_some_and(|release| release.starts_with(|first: char| first.is_ascii_digit())) {
            return release;
        }
    }
}

/// A release up to the space behind it.
fn first_word(bytes: &[u8]) -> Option<String> {
    let word = bytes.get(..MAX_RELEASE + 1)?.split(|&byte| byte == b' ' || byte == 0).next()?;
    let plain = word.len() <= MAX_RELEASE && !word.is_empty() && word.iter().all(u8::is_ascii_graphic);
    plain.then(|| String::from_utf8_lossy(word).into_owned())
}

#[cfg(test)]
mod tests;
