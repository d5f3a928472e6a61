//! Says "ready" and spins on one instruction, in a thread, below a recursion through closures.
//! Usage: spin DEPTH
//! Build: rustc -O spin.rs
use std::arch::asm;
use std::hint::black_box;

#[inline(never)]
fn descend(depth: u32, last: &dyn Fn() -> u32) -> u32 {
    if depth == 0 { black_box(last()) } else { black_box(descend(black_box(depth - 1), &|| black_box(last()) + 1)) + 1 }
}

#[inline(never)]
fn spin() -> u32 {
    println!("ready");
    // SAFETY: one jump to itself; nothing is read or written.
    unsafe { asm!("2: jmp 2b", options(nomem, nostack)) };
    7
}

fn main() {
    let depth = std::env::args().nth(1).and_then(|depth| depth.parse().ok()).unwrap_or(0);
    let thread = std::thread::spawn(move || descend(depth, &|| spin() + 1));
    println!("{}", thread.join().unwrap_or(0));
}
