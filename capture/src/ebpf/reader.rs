//! The thread that empties the ring buffer while records are walked or files are read: what it cannot hold stays in the ring buffer, and
//! what does not fit there either is counted as lost by the kernel.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use aya::maps::{MapData, RingBuf};

/// The most bytes of records that wait here (ours; beside the 8 MiB of the ring buffer).
const MAX_WAITING: usize = 16 << 20;
/// The most records handed out at once: a target that is faster than the walker may not keep it from looking at the clock.
const MAX_AT_ONCE: usize = 4096;
/// How long records may wait in the ring buffer: at 400,000 records of 3 KiB a second it fills in 7 ms.
const PAUSE: Duration = Duration::from_millis(1);

/// Records in the order of the ring buffer.
#[derive(Debug)]
pub(super) struct Reader {
    records: Receiver<Vec<u8>>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    waiting: AtomicUsize,
    end: AtomicBool,
}

impl Reader {
    /// Starts reading.
    pub(super) fn start(ring: RingBuf<MapData>) -> Self {
        let shared = Arc::new(Shared::default());
        let (sender, records) = channel();
        let thread = std::thread::spawn({
            let shared = Arc::clone(&shared);
            move || read(ring, &sender, &shared)
        });
        Self { records, shared, thread }
    }

    /// Hands records that wait to `each`, at most [`MAX_AT_ONCE`]; gives their number.
    pub(super) fn drain(&self, each: &mut dyn FnMut(&[u8])) -> u64 {
        let mut number = 0;
        for record in self.records.try_iter().take(MAX_AT_ONCE) {
            self.shared.waiting.fetch_sub(record.len(), Ordering::Relaxed);
            each(&record);
            number += 1;
        }
        number
    }

    /// Reads the ring buffer to its end and hands on what is left. Nothing may write to it any more.
    pub(super) fn finish(self, each: &mut dyn FnMut(&[u8])) {
        self.shared.end.store(true, Ordering::Release);
        for record in &self.records {
            self.shared.waiting.fetch_sub(record.len(), Ordering::Relaxed);
            each(&record);
        }
        // The channel is closed, so the thread has ended; it cannot panic.
        drop(self.thread.join());
    }
}

fn read(mut ring: RingBuf<MapData>, records: &Sender<Vec<u8>>, shared: &Shared) {
    loop {
        // Asked before the ring buffer is emptied: what was written before the end was called is read.
        let is_end = shared.end.load(Ordering::Acquire);
        while shared.waiting.load(Ordering::Relaxed) < MAX_WAITING {
            let Some(record) = ring.next() else { break };
            shared.waiting.fetch_add(record.len(), Ordering::Relaxed);
            if records.send(record.to_vec()).is_err() {
                return;
            }
        }
        let is_empty = shared.waiting.load(Ordering::Relaxed) < MAX_WAITING;
        if is_end && is_empty {
            return;
        }
        std::thread::sleep(PAUSE);
    }
}
