//! Times as records write them: RFC 3339 `YYYY-MM-DDThh:mm:ssZ`, whole seconds of UTC, no leap seconds. Not here: any clock.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// 9999-12-31T23:59:59Z: the last time with a four-digit year.
const LAST: u64 = 253_402_300_799;
const SECONDS_OF_DAY: u64 = 86_400;

/// Seconds since 1970-01-01T00:00:00Z, at most the last second of the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

/// Why a text or number is no time of ours.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time YYYY-MM-DDThh:mm:ssZ: {found:?}")]
pub struct TimeError {
    found: String,
}

impl UnixTime {
    /// A time from its seconds; `None` after the year 9999.
    pub fn from_seconds(seconds: u64) -> Option<Self> {
        (seconds <= LAST).then_some(Self(seconds))
    }

    /// Seconds since 1970.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// Seconds from `earlier` to this; 0 when it is not earlier.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

/// Days since 1970-01-01 of a date of the Gregorian calendar, year 1970 or later.
fn days_of((year, month, day): (u64, u64, u64)) -> Option<u64> {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let index = usize::try_from(month.checked_sub(1)?).ok()?;
    if year < 1970 || day == 0 || day > *lengths.get(index)? {
        return None;
    }
    let before = year - 1;
    let leap_days = before / 4 - before / 100 + before / 400 - (1969 / 4 - 1969 / 100 + 1969 / 400);
    let months: u64 = lengths.iter().take(index).sum();
    Some((year - 1970) * 365 + leap_days + months + day - 1)
}

/// The date of a day since 1970-01-01, found by year and month.
fn date_of(days: u64) -> (u64, u64, u64) {
    let start = |year, month| days_of((year, month, 1)).unwrap_or(u64::MAX);
    // A year has at least 365 days, so this is not before the year sought; leap days take it back by at most a few.
    let mut year = 1970 + days / 365;
    while start(year, 1) > days {
        year -= 1;
    }
    let month = (1..=12).rev().find(|&month| start(year, month) <= days).unwrap_or(1);
    (year, month, days.saturating_sub(start(year, month)) + 1)
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = date_of(self.0 / SECONDS_OF_DAY);
        let second = self.0 % SECONDS_OF_DAY;
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
    }
}

impl FromStr for UnixTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        let parse = || {
            let shape = b"dddd-dd-ddTdd:dd:ddZ";
            let matches = |(byte, form): (u8, &u8)| if *form == b'd' { byte.is_ascii_digit() } else { byte == *form };
            if text.len() != shape.len() || !text.bytes().zip(shape).all(matches) {
                return None;
            }
            let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
            let days = days_of((number(0..4)?, number(5..7)?, number(8..10)?))?;
            let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
            (hour < 24 && minute < 60 && second < 60).then_some(Self(days * SECONDS_OF_DAY + hour * 3600 + minute * 60 + second))
        };
        parse().ok_or_else(|| TimeError { found: text.chars().take(40).collect() })
    }
}

impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_round_trip_and_agree_with_known_ones() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T23:59:59Z", 951_868_799),
            ("2026-11-26T14:31:56Z", 1_795_703_516),
            ("2099-12-31T00:00:00Z", 4_102_358_400),
            ("9999-12-31T23:59:59Z", LAST),
        ] {
            assert_eq!(text.parse::<UnixTime>().unwrap().seconds(), seconds, "{text}");
            assert_eq!(UnixTime::from_seconds(seconds).unwrap().to_string(), text);
        }
        for day in 0..200_000 {
            assert_eq!(days_of(date_of(day)), Some(day));
        }
        assert_eq!(UnixTime::from_seconds(LAST + 1), None);
    }

    #[test]
    fn one_spelling_only() {
        for bad in [
            "",
            "2026-11-26",
            "2026-11-26T14:31:56+00:00",
            "2026-11-26t14:31:56z",
            "2025-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-11-26T24:00:00Z",
            "2026-11-26T23:59:60Z",
            "1969-12-31T23:59:59Z",
            "2026-11-26T14:31:56.0Z",
            "+026-11-26T14:31:56Z",
        ] {
            assert!(bad.parse::<UnixTime>().is_err(), "{bad}");
        }
    }
}
