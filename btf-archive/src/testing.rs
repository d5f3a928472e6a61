//! Kernels made for tests: a small ELF file with sections, and a bootable image around it.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// BTF with one integer.
pub(crate) const BTF: &[u8] =
    b"\x9f\xeb\x01\x00\x18\0\0\0\0\0\0\0\x10\0\0\0\x10\0\0\0\x05\0\0\0\x01\0\0\0\0\0\0\x01\x04\0\0\0\x20\0\0\x01\0int\0";
/// A build-id note.
pub(crate) const NOTES: &[u8] = b"\x04\0\0\0\x04\0\0\0\x03\0\0\0GNU\0\x0b\xad\xca\xfe";
/// What a kernel says of itself.
pub(crate) const BANNER: &[u8] =
    b"Linux version %s\0Linux version 6.1.0-18-demo (build@host) (gcc 12) #1 SMP Debian 6.1.76-1 (2024-02-01)\n\0................";

fn length(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap()
}

/// An ELF file of `x86_64` with these sections.
pub(crate) fn elf(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let names: Vec<u8> = sections.iter().flat_map(|(name, _)| [b"\0", name.as_bytes()].concat()).chain(*b"\0.shstrtab\0").collect();
    let name_at = |name: &str| {
        let wanted = [b"\0", name.as_bytes(), b"\0"].concat();
        u32::try_from(names.windows(wanted.len()).position(|window| window == wanted).unwrap() + 1).unwrap()
    };
    let mut body = Vec::new();
    let mut headers = vec![0; 64];
    for (name, bytes) in sections.iter().copied().chain([(".shstrtab", names.as_slice())]) {
        let (offset, size) = (64 + length(&body), length(bytes));
        let kind: u32 = if name == ".shstrtab" { 3 } else { 1 };
        headers.extend([name_at(name), kind].map(u32::to_le_bytes).concat());
        headers.extend([0, 0, offset, size, 0, 1, 0].map(u64::to_le_bytes).concat());
        body.extend(bytes);
    }
    let count = u16::try_from(sections.len() + 2).unwrap();
    let mut file = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec();
    file.extend([2, 62].map(u16::to_le_bytes).concat());
    file.extend(1_u32.to_le_bytes());
    file.extend([0, 0, 64 + length(&body)].map(u64::to_le_bytes).concat());
    file.extend(0_u32.to_le_bytes());
    file.extend([64, 0, 0, 64, count, count - 1].map(u16::to_le_bytes).concat());
    [file, body, headers].concat()
}

/// What a tool packs, as the kernel's build does it: with the length behind, which gzip has itself.
pub(crate) fn packed(tool: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    if !sealtrace_skip::has(tool) {
        return None;
    }
    let arguments: &[&str] = match tool {
        "gzip" => &["-n", "-c"],
        "xz" => &["--check=crc32", "--x86", "--lzma2=dict=32MiB", "-c"],
        "lz4" => &["-l", "-c"],
        _ => &["-c"],
    };
    let mut child = Command::new(tool).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = bytes.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let mut output = child.wait_with_output().unwrap().stdout;
    writer.join().unwrap();
    if tool != "gzip" {
        output.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    }
    Some(output)
}

/// A bootable image: one sector of boot code, two of setup with `version` in it, then code that unpacks, then the payload.
pub(crate) fn bz_image(payload: &[u8], version: &[u8]) -> Vec<u8> {
    let mut image = vec![0; 3 * 512 + 100];
    let mut put = |at: usize, bytes: &[u8]| image[at..at + bytes.len()].copy_from_slice(bytes);
    put(0x1f1, &[2]);
    put(0x1fe, &[0x55, 0xaa]);
    put(0x202, b"HdrS");
    put(0x206, &0x20f_u16.to_le_bytes());
    if !version.is_empty() {
        put(0x20e, &0x300_u16.to_le_bytes());
        put(0x500, version);
    }
    put(0x248, &100_u32.to_le_bytes());
    put(0x24c, &u32::try_from(payload.len()).unwrap().to_le_bytes());
    image.extend(payload);
    image.extend(b"code and relocations");
    image
}
