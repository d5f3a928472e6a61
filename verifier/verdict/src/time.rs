//! A moment in whole seconds since 1970-01-01T00:00:00Z, and its RFC 3339 text.
//!
//! Not here: any clock. A moment comes from something authenticated, or from a caller that says where it has it from.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH_DAYS: u64 = 719_468;
/// Days of 400 years.
const ERA_DAYS: u64 = 146_097;
/// The last moment with a four-digit year: 9999-12-31T23:59:59Z.
const LAST: u64 = 253_402_300_799;

/// Seconds since 1970-01-01T00:00:00Z, up to the year 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnixTime(u64);

/// Why a text is no moment.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a time of the years 1970 to 9999 (RFC 3339): {found:?}")]
pub struct TimeError {
    found: String,
}

impl UnixTime {
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);

    /// A moment from its seconds; later than the year 9999 is the year's last second.
    pub fn from_seconds(seconds: u64) -> Self {
        Self(seconds.min(LAST))
    }

    /// Seconds since the epoch.
    pub fn seconds(self) -> u64 {
        self.0
    }

    /// A moment of the calendar, all fields as written; `None` for one that does not exist or is before 1970.
    pub fn from_calendar(date: (u64, u64, u64), clock: (u64, u64, u64)) -> Option<Self> {
        let ((year, month, day), (hour, minute, second)) = (date, clock);
        let valid = (1970..=9999).contains(&year) && (1..=12).contains(&month) && day >= 1 && day <= days_of_month(year, month);
        if !valid || hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        Some(Self(days_from_civil(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second))
    }

    /// This many seconds later.
    #[must_use]
    pub fn plus(self, seconds: u64) -> Self {
        Self::from_seconds(self.0.saturating_add(seconds))
    }

    /// Seconds since `earlier`; 0 where that is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }
}

fn is_leap(year: u64) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_month(year: u64, month: u64) -> u64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01 of a date from then on. Years run from March, so that the leap day is the last of a year.
fn days_from_civil(year: u64, month: u64, day: u64) -> u64 {
    let year = if month <= 2 { year - 1 } else { year };
    let month_from_march = if month > 2 { month - 3 } else { month + 9 };
    let (era, of_era) = (year / 400, year % 400);
    let day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    era * ERA_DAYS + of_era * 365 + of_era / 4 - of_era / 100 + day_of_year - EPOCH_DAYS
}

/// The inverse of [`days_from_civil`].
fn civil_from_days(days: u64) -> (u64, u64, u64) {
    let shifted = days + EPOCH_DAYS;
    let (era, of_era) = (shifted / ERA_DAYS, shifted % ERA_DAYS);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for UnixTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0 / 86_400);
        let of_day = self.0 % 86_400;
        write!(f, "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z", of_day / 3_600, of_day / 60 % 60, of_day % 60)
    }
}

/// Reads `YYYY-MM-DDThh:mm:ss[.fraction](Z|±hh:mm)`. A fraction is cut off.
impl FromStr for UnixTime {
    type Err = TimeError;

    fn from_str(text: &str) -> Result<Self, TimeError> {
        parse(text).ok_or_else(|| TimeError { found: text.chars().take(40).collect() })
    }
}

fn parse(text: &str) -> Option<UnixTime> {
    let shape = "dddd-dd-ddTdd:dd:dd";
    let (main, rest) = text.split_at_checked(shape.len())?;
    let fits = main.bytes().zip(shape.bytes()).all(|(byte, form)| if form == b'd' { byte.is_ascii_digit() } else { byte == form });
    let number = |from: usize, to: usize| main.get(from..to)?.parse::<u64>().ok();
    if !fits {
        return None;
    }
    let date = (number(0, 4)?, number(5, 7)?, number(8, 10)?);
    let moment = UnixTime::from_calendar(date, (number(11, 13)?, number(14, 16)?, number(17, 19)?))?;
    let zone = match rest.strip_prefix('.') {
        Some(fraction) => {
            let zone = fraction.trim_start_matches(|c: char| c.is_ascii_digit());
            if (1..=9).contains(&(fraction.len() - zone.len())) { zone } else { return None }
        }
        None => rest,
    };
    if zone == "Z" {
        return Some(moment);
    }
    let (sign, clock) = zone.split_at_checked(1)?;
    let (hours, minutes) = clock.split_once(':')?;
    let two = |text: &str, most: u64| {
        let digits = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse::<u64>().ok().filter(|value| digits && *value <= most)
    };
    let offset = two(hours, 23)? * 3_600 + two(minutes, 59)? * 60;
    match sign {
        "+" => moment.0.checked_sub(offset).map(UnixTime),
        "-" => moment.0.checked_add(offset).filter(|seconds| *seconds <= LAST).map(UnixTime),
        _ => None,
    }
}

impl Serialize for UnixTime {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Records have one spelling, `YYYY-MM-DDThh:mm:ssZ`; what is written otherwise is refused.
impl<'de> Deserialize<'de> for UnixTime {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: Self = text.parse().map_err(serde::de::Error::custom)?;
        if time.to_string() == text {
            Ok(time)
        } else {
            Err(serde::de::Error::custom(format_args!("time is not written YYYY-MM-DDThh:mm:ssZ: {text:?}")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_round_trips_through_its_text() {
        for (text, seconds) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:00:00Z", 951_825_600),
            ("2026-11-26T14:24:01Z", 1_795_703_041),
            ("2099-12-31T23:59:59Z", 4_102_444_799),
            ("9999-12-31T23:59:59Z", LAST),
        ] {
            assert_eq!(text.parse(), Ok(UnixTime(seconds)), "{text}");
            assert_eq!(UnixTime(seconds).to_string(), text);
        }
        for day in (0..2_932_897).step_by(61) {
            let time = UnixTime(day * 86_400 + 3_601);
            assert_eq!(time.to_string().parse(), Ok(time));
        }
    }

    #[test]
    fn fractions_are_cut_and_offsets_counted() {
        assert_eq!("2021-10-07T13:56:59.999Z".parse::<UnixTime>().unwrap().to_string(), "2021-10-07T13:56:59Z");
        assert_eq!("2021-10-07T13:56:59+02:00".parse::<UnixTime>().unwrap().to_string(), "2021-10-07T11:56:59Z");
        assert_eq!("2021-10-07T23:56:59-00:30".parse::<UnixTime>().unwrap().to_string(), "2021-10-08T00:26:59Z");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "2021-10-07",
            "2021-10-07T13:56:59",
            "2021-02-29T00:00:00Z",
            "2021-13-01T00:00:00Z",
            "2021-01-01T24:00:00Z",
            "2021-01-01T00:00:60Z",
            "1969-12-31T23:59:59Z",
            "2021-01-01T00:00:00.Z",
            "2021-01-01T00:00:00+2:00",
            "2021-01-01T00:00:00+0200",
            "2021-01-01t00:00:00Z",
            "2021-01-01T00:00:00z",
            "1970-01-01T00:00:00+00:01",
            "２021-01-01T00:00:00Z",
        ] {
            assert!(text.parse::<UnixTime>().is_err(), "{text:?} was accepted");
        }
    }
}
