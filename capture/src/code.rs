//! Facts about `x86_64` code bytes: which call instruction ends before an address, and the signal trampoline. Bytes in, facts out.

use sealtrace_unwind::CallSite;

/// The longest call instruction looked for: REX, ff, `ModRM`, SIB, disp32.
pub(crate) const MAX_CALL: usize = 8;
/// `mov $15,%rax; syscall`: the restorer of every signal frame (Linux, arch/x86).
pub(crate) const SIGRETURN: [u8; 9] = [0x48, 0xc7, 0xc0, 0x0f, 0x00, 0x00, 0x00, 0x0f, 0x05];

/// Which call ends at the end of `before`, the code directly before a return address (Intel SDM, *CALL*: `e8 rel32`, `ff /2`).
pub(crate) fn call_before(before: &[u8]) -> CallSite {
    if ending(before, 5).is_some_and(|bytes| bytes.first() == Some(&0xe8)) {
        return CallSite::CallRelative;
    }
    if (2..=7).any(|length| ending(before, length).is_some_and(is_indirect_call)) { CallSite::CallIndirect } else { CallSite::None }
}

fn ending(bytes: &[u8], length: usize) -> Option<&[u8]> {
    bytes.get(bytes.len().checked_sub(length)?..)
}

/// Whether these bytes, as a whole, are `ff /2`. A REX prefix before them changes the register, not that it is a call.
fn is_indirect_call(bytes: &[u8]) -> bool {
    let Some((&[0xff, modrm], rest)) = bytes.split_first_chunk::<2>() else { return false };
    if (modrm >> 3) & 7 != 2 {
        return false;
    }
    let (mode, rm) = (modrm >> 6, modrm & 7);
    let (sib, rest) = if mode != 3 && rm == 4 {
        match rest.split_first() {
            Some((&sib, rest)) => (Some(sib), rest),
            None => return false,
        }
    } else {
        (None, rest)
    };
    let displacement = match (mode, rm, sib) {
        // rip-relative, or SIB without a base.
        (0, 5, _) => 4,
        (0, 4, Some(sib)) if sib & 7 == 5 => 4,
        (0 | 3, ..) => 0,
        (1, ..) => 1,
        _ => 4,
    };
    rest.len() == displacement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_call_is_known() {
        let indirect: &[&[u8]] = &[
            &[0xff, 0xd0],                                     // call *%rax
            &[0x41, 0xff, 0xd4],                               // call *%r12
            &[0xff, 0x10],                                     // call *(%rax)
            &[0xff, 0x50, 0x18],                               // call *0x18(%rax)
            &[0xff, 0x90, 0x00, 0x01, 0x00, 0x00],             // call *0x100(%rax)
            &[0xff, 0x15, 0x11, 0x22, 0x00, 0x00],             // call *0x2211(%rip)
            &[0x41, 0xff, 0x14, 0x24],                         // call *(%r12)
            &[0xff, 0x14, 0xc5, 0x00, 0x10, 0x00, 0x00],       // call *0x1000(,%rax,8)
            &[0xff, 0x54, 0x24, 0x08],                         // call *8(%rsp)
            &[0x42, 0xff, 0x94, 0xc8, 0x80, 0x00, 0x00, 0x00], // call *0x80(%rax,%r9,8)
        ];
        for code in indirect {
            let mut before = vec![0x90; MAX_CALL - code.len()];
            before.extend_from_slice(code);
            assert_eq!(call_before(&before), CallSite::CallIndirect, "{code:x?}");
            assert_eq!(call_before(code), CallSite::CallIndirect, "{code:x?}");
        }
        assert_eq!(call_before(&[0x90, 0xe8, 1, 2, 3, 4]), CallSite::CallRelative);
    }

    #[test]
    fn what_is_no_call_is_none() {
        // jmp *%rax, push, nop, a call cut short, a call that ends elsewhere.
        for code in [&[0xff, 0xe0][..], &[0x50], &[0x90; 8], &[0xe8, 1, 2, 3], &[0xff, 0xd0, 0x90], &[0xff, 0x50], &[0xff, 0x14], &[]] {
            assert_eq!(call_before(code), CallSite::None, "{code:x?}");
        }
    }
}
