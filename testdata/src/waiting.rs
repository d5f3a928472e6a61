//! A Rust program in known places: one thread deep in a recursion through closures and parked, one blocked on a channel, main in read_line.
//! Build: rustc -O waiting.rs
use std::hint::black_box;
use std::io::BufRead as _;
use std::sync::mpsc;

#[inline(never)]
fn descend(depth: u32, last: &dyn Fn() -> u32) -> u32 {
    if depth == 0 { black_box(last()) } else { black_box(descend(black_box(depth - 1), &|| black_box(last()) + 1)) + 1 }
}

fn main() {
    let (arrived, arrivals) = mpsc::channel();
    let first = arrived.clone();
    std::thread::spawn(move || {
        descend(12, &|| {
            first.send(()).unwrap();
            loop {
                std::thread::park();
            }
        })
    });
    let (keep, never) = mpsc::channel::<u32>();
    std::thread::spawn(move || {
        arrived.send(()).unwrap();
        black_box(never.recv().unwrap_or(0))
    });
    arrivals.recv().unwrap();
    arrivals.recv().unwrap();
    println!("ready");
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line).unwrap();
    drop(keep);
}
