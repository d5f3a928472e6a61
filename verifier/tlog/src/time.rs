//! A moment as others state it. Not here: a clock, and how records spell it (RFC 3339).

/// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(pub u64);

impl std::fmt::Display for UnixTime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
