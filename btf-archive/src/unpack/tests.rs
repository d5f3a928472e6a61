use super::*;

const LIMIT: usize = 64 << 20;

/// Bytes with calls and jumps in them: this test program.
fn program(length: usize) -> Vec<u8> {
    let mut bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
    bytes.truncate(length);
    bytes
}

fn piped(program: &str, arguments: &[&str], input: &[u8]) -> Option<Vec<u8>> {
    use std::io::Write as _;
    use std::process::{Command, Stdio};
    if !sealtrace_skip::has(program) {
        return None;
    }
    let mut child = Command::new(program).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    let writer = std::thread::spawn(move || stdin.write_all(&input).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    assert!(output.status.success());
    Some(output.stdout)
}

#[test]
fn what_xz_has_packed_is_unpacked_with_every_check_filter_and_number_of_blocks() {
    let program = program(2_500_000);
    for arguments in [
        ["--x86", "--lzma2=preset=1", "--check=crc32"].as_slice(),
        &["--x86", "--lzma2=preset=1", "--check=sha256", "--block-size=400000"],
        &["-1", "-T2", "--block-size=900000"],
        &["-0", "--check=none"],
    ] {
        let Some(packed) = piped("xz", &[&["-c"], arguments].concat(), &program) else { return };
        assert!(unpack_kernel(&packed, LIMIT).unwrap() == program, "{arguments:?}");
        assert_eq!(unpack_xz(&packed, program.len() - 1), Err(UnpackError::TooLarge { format: "xz", limit: program.len() - 1 }));
    }
    let Some(packed) = piped("xz", &["-c", "--arm64", "--lzma2"], &program) else { return };
    assert_eq!(unpack_xz(&packed, LIMIT), Err(UnpackError::Unsupported { what: "this filter of xz" }));
}

#[test]
fn every_format_of_a_kernel_is_unpacked_up_to_the_limit_and_what_is_behind_it_is_left_alone() {
    // More than one block of LZ4.
    let program = program(9_000_000);
    let size = u32::try_from(program.len()).unwrap().to_le_bytes();
    for (tool, arguments) in
        [("gzip", ["-c", "-n", "-3"].as_slice()), ("zstd", &["-c", "-3"]), ("lz4", &["-c", "-l"]), ("xz", &["-c", "-0"])]
    {
        let Some(mut packed) = piped(tool, arguments, &program) else { continue };
        packed.extend(size);
        assert!(unpack_kernel(&packed, LIMIT).unwrap() == program, "{tool}");
        assert!(matches!(unpack_kernel(&packed, 1000), Err(UnpackError::TooLarge { limit: 1000, .. })), "{tool}");
        for cut in [0, 3, 7, 11, 20, packed.len() / 2, packed.len() - size.len() - 30] {
            assert!(unpack_kernel(&packed[..cut], LIMIT).is_err(), "{tool} cut at {cut} was accepted");
        }
    }
    for other in [b"BZh91AY".as_slice(), b"\x89LZO\0\r\n", b"\x5d\0\0\x80\0", b"plain"] {
        assert!(matches!(unpack_kernel(other, LIMIT), Err(UnpackError::Unsupported { .. })));
    }
}

#[test]
fn no_changed_byte_of_packed_bytes_makes_anything_panic_and_xz_notices_each() {
    let text: Vec<u8> = program(60_000).into_iter().skip(40_000).take(1_200).collect();
    for (tool, arguments) in
        [("xz", ["-c", "--x86", "--lzma2", "--check=crc32"].as_slice()), ("lz4", &["-c", "-l"]), ("zstd", &["-c"]), ("gzip", &["-c", "-n"])]
    {
        let Some(packed) = piped(tool, arguments, &text) else { continue };
        for at in 0..packed.len() {
            for flip in [1, 0xff] {
                let mut changed = packed.clone();
                changed[at] ^= flip;
                let result = unpack_kernel(&changed, LIMIT);
                // Up to the index, which is not read: 28 bytes at the end are index and footer, for one block.
                if tool == "xz" && at + 28 < packed.len() {
                    assert!(result.is_err() || result.as_deref() == Ok(&text), "byte {at} ^ {flip:#x} was accepted");
                }
            }
        }
    }
}

#[test]
fn only_one_regular_file_that_stays_in_its_folder_is_taken_from_a_tar() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("r.btf"), "bytes").unwrap();
    std::fs::write(dir.path().join("s.btf"), "other").unwrap();
    std::os::unix::fs::symlink("/etc/passwd", dir.path().join("link.btf")).unwrap();
    let folder = dir.path().to_str().unwrap();
    let tar = |arguments: &[&str]| piped("tar", &[&["-C", folder, "-cf", "-"], arguments].concat(), b"");
    let Some(one) = tar(&["r.btf"]) else { return };
    assert_eq!(only_file(&one), Ok(("r.btf".to_owned(), b"bytes".as_slice())));
    let dotted = tar(&["./r.btf"]).unwrap();
    assert_eq!(only_file(&dotted).unwrap().1, b"bytes");
    for bad in [
        tar(&["r.btf", "s.btf"]).unwrap(),
        tar(&["link.btf"]).unwrap(),
        tar(&["-P", "--transform=s,^,/tmp/,", "r.btf"]).unwrap(),
        tar(&["-P", "--transform=s,^,../,", "r.btf"]).unwrap(),
        tar(&["."]).unwrap(),
        one[..515].to_vec(),
        Vec::new(),
    ] {
        assert!(matches!(only_file(&bad), Err(UnpackError::Malformed { .. })));
    }
    let mut changed = one.clone();
    for at in 0..512 {
        changed[at] ^= 1;
        assert!(only_file(&changed).is_err(), "byte {at} of the header");
        changed[at] = one[at];
    }
}
