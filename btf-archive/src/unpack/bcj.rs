//! The x86 filter of xz, backwards: absolute targets of calls and jumps become relative ones again (xz file format 1.2, *BCJ filters*).

/// The opcodes of `call` and `jmp` with a 32-bit target.
fn is_branch(byte: u8) -> bool {
    byte & 0xfe == 0xe8
}

/// The upper byte of a target that the filter has changed: near addresses only, of either sign.
fn is_near(byte: u8) -> bool {
    matches!(byte, 0x00 | 0xff)
}

/// Which of the three bytes before an opcode looked like an opcode themselves, newest in bit 0.
type Recent = u8;

/// Where the newest of them lies: how many of the target's upper bytes were opcodes' surroundings.
fn newest(recent: Recent) -> usize {
    match recent {
        0 => 0,
        1 => 1,
        2 | 3 => 2,
        _ => 3,
    }
}

/// Undoes the filter for a whole block, which begins at address 0.
pub(super) fn undo_x86(bytes: &mut [u8]) {
    let mut recent: Recent = 0;
    let mut last: Option<usize> = None;
    let mut at = 0;
    while let Some([opcode, target @ .., top]) = bytes.get(at..).and_then(|rest| rest.first_chunk::<5>()).copied() {
        if !is_branch(opcode) {
            at += 1;
            continue;
        }
        // A branch within the last three bytes: its opcode may be part of this one's target, or this one's part of its target.
        recent = match last.map_or(usize::MAX, |last| at - last) {
            near @ 1..=3 => recent << (near - 1) & 7,
            _ => 0,
        };
        last = Some(at);
        let [low, middle, high] = target;
        let checked = match newest(recent) {
            1 => Some(high),
            2 => Some(middle),
            3 => Some(low),
            _ => None,
        };
        let blocked = checked.is_some_and(|byte| !matches!(recent, 1 | 2 | 4) || is_near(byte));
        if blocked || !is_near(top) {
            recent = recent << 1 | 1;
            at += 1;
            continue;
        }
        let address = u32::try_from(at + 5).unwrap_or(u32::MAX);
        let relative = relative(u32::from_le_bytes([low, middle, high, top]), address, recent);
        if let Some(place) = bytes.get_mut(at + 1..at + 5) {
            place.copy_from_slice(&relative.to_le_bytes());
        }
        at += 5;
    }
}

/// The relative target: repeated while the result would itself look filtered in the byte that an earlier branch claims.
fn relative(mut target: u32, address: u32, recent: Recent) -> u32 {
    let bits = 8 * newest(recent);
    loop {
        let result = target.wrapping_sub(address);
        let claimed = result.checked_shr(u32::try_from(24 - bits).unwrap_or(0)).unwrap_or(0).to_le_bytes()[0];
        if bits == 0 || !is_near(claimed) {
            // 25 bits with a sign.
            let low = result & 0x01ff_ffff;
            return if low & 0x0100_0000 == 0 { low } else { low | 0xff00_0000 };
        }
        target = result ^ ((1 << (32 - bits)) - 1);
    }
}
