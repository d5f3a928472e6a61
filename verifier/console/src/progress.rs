//! One line of progress on a terminal's stderr, nothing anywhere else. It is gone when the work is done.
//!
//! Not here: any thread or timer of its own; a line is drawn when an item is done, at most ten times a second.

use std::borrow::Cow;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::Instant;

use crate::color::{Stream, is_capable, is_terminal};

/// Milliseconds between two drawings.
const PAUSE_MS: u64 = 100;
/// Cells of the bar.
const CELLS: u64 = 24;
/// Carriage return, then ECMA-48, *Erase in line*.
const CLEAR: &str = "\r\u{1b}[K";

/// Whether a line of progress stands on the terminal now, so that other lines must clear it first.
static DRAWN: AtomicBool = AtomicBool::new(false);

/// Progress of one step; shared between threads.
#[derive(Debug)]
pub struct Progress(Option<Bar>);

#[derive(Debug)]
struct Bar {
    step: Cow<'static, str>,
    unit: Unit,
    start: Instant,
    done: AtomicU64,
    total: AtomicU64,
    /// When it was last drawn, in milliseconds from the start.
    drawn: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
enum Unit {
    Items,
    Bytes,
}

impl Progress {
    /// Starts a step of a known number of items.
    pub fn start(step: impl Into<Cow<'static, str>>, items: usize) -> Self {
        Self::begin(step.into(), Unit::Items, u64::try_from(items).unwrap_or(u64::MAX))
    }

    /// Starts a step that is counted in bytes; [`Progress::set`] tells how many.
    pub fn of_bytes(step: impl Into<Cow<'static, str>>) -> Self {
        Self::begin(step.into(), Unit::Bytes, 0)
    }

    fn begin(step: Cow<'static, str>, unit: Unit, total: u64) -> Self {
        if !shows_progress() {
            return Self(None);
        }
        let bar = Bar { step, unit, start: Instant::now(), done: 0.into(), total: total.into(), drawn: 0.into() };
        bar.draw(0);
        Self(Some(bar))
    }

    /// One item is done.
    pub fn advance(&self) {
        if let Some(bar) = &self.0 {
            bar.done.fetch_add(1, Relaxed);
            bar.draw_sometimes();
        }
    }

    /// So much of so much is done.
    pub fn set(&self, done: u64, total: u64) {
        if let Some(bar) = &self.0 {
            bar.done.store(done, Relaxed);
            bar.total.store(total, Relaxed);
            bar.draw_sometimes();
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.0.is_some() {
            clear();
        }
    }
}

impl Bar {
    fn draw_sometimes(&self) {
        let now = u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX);
        let drawn = self.drawn.load(Relaxed);
        // Of several threads that come here at once, one draws.
        if now.saturating_sub(drawn) >= PAUSE_MS && self.drawn.compare_exchange(drawn, now, Relaxed, Relaxed).is_ok() {
            self.draw(now);
        }
    }

    fn draw(&self, now: u64) {
        let text = line(&self.step, self.unit, (self.done.load(Relaxed), self.total.load(Relaxed)), now);
        DRAWN.store(true, Relaxed);
        write(&format!("{CLEAR}{text}"));
    }
}

/// Whether progress is shown: stderr is a terminal that can move its cursor.
fn shows_progress() -> bool {
    is_terminal(Stream::Stderr) && is_capable(&|name: &str| std::env::var_os(name))
}

/// Takes a line of progress away before another line is written.
pub(crate) fn clear() {
    if DRAWN.swap(false, Relaxed) {
        write(CLEAR);
    }
}

fn write(text: &str) {
    let mut stderr = std::io::stderr().lock();
    // Nothing better can be done when the terminal is gone.
    drop(stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush()));
}

/// `symbols      [######..................] 12/48  9 s left`.
fn line(step: &str, unit: Unit, (done, total): (u64, u64), elapsed_ms: u64) -> String {
    let cells = done.min(total).saturating_mul(CELLS).checked_div(total).unwrap_or(0);
    let bar: String = (0..CELLS).map(|cell| if cell < cells { '#' } else { '.' }).collect();
    let amount = match unit {
        Unit::Items => format!("{done}/{total}"),
        Unit::Bytes => format!("{}/{}", bytes(done), bytes(total)),
    };
    let left = elapsed_ms.saturating_mul(total.saturating_sub(done)).checked_div(done).map(|ms| ms.div_ceil(1000));
    let left = left.filter(|_| elapsed_ms >= 1000).map_or_else(String::new, |seconds| format!("  {seconds} s left"));
    format!("{step:<12} [{bar}] {amount}{left}")
}

fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{} KiB", count >> 10),
        _ => format!("{} MiB", count >> 20),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_the_step_how_much_is_done_and_how_long_it_takes_yet() {
        assert_eq!(line("symbols", Unit::Items, (12, 48), 3_000), "symbols      [######..................] 12/48  9 s left");
        assert_eq!(line("importing", Unit::Bytes, (2 << 20, 4 << 20), 500), "importing    [############............] 2 MiB/4 MiB");
        assert_eq!(line("x", Unit::Bytes, (1_023, 1_024), 0), "x            [#######################.] 1023 B/1 KiB");
    }

    #[test]
    fn a_step_of_nothing_and_one_that_outgrows_its_total_are_lines_too() {
        assert_eq!(line("pair", Unit::Items, (0, 0), 5_000), "pair         [........................] 0/0");
        assert_eq!(line("pair", Unit::Items, (9, 3), 5_000), "pair         [########################] 9/3  0 s left");
        let huge = line("pair", Unit::Bytes, (u64::MAX, u64::MAX), u64::MAX);
        assert!(huge.contains("MiB"), "{huge}");
    }

    #[test]
    fn progress_is_shared_between_threads() {
        let progress = Progress::start("step", 2);
        std::thread::scope(|scope| {
            scope.spawn(|| progress.advance());
            scope.spawn(|| progress.advance());
        });
    }
}
