//! Address spaces: a *place* (region and offset) has no slide; an AVMA exists only under one [`Placement`].

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// An actual virtual memory address under one placement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Avma(pub u64);

/// An address relative to a module's image base (for ELF: `p_vaddr` of the lowest `PT_LOAD`, page aligned down).
/// Image base + this = what `addr2line` and `readelf` call the address. Written `0x…` in JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleRelAddr(pub u64);

/// The position of a region in the capture header's list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RegionIndex(pub u32);

/// A region and an offset into it: an address without a slide. Written `<region>:<offset in hex>`, e.g. `3:1f40`.
/// In a module's region the offset is the [`ModuleRelAddr`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Place {
    /// Which region.
    pub region: RegionIndex,
    /// Bytes from the region's start.
    pub offset: u64,
}

/// What a register or a memory word holds, as far as a witness may tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Word {
    /// A pointer into a mapped region.
    At(Place),
    /// Zero.
    Null,
    /// Anything else: it points into no mapped region, so its value is neither used nor kept.
    Invalid,
}

/// Where each region lies. Capture and resolve use [`Placement::canonical`]; replay draws others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// (base, size) by region index.
    regions: Vec<(u64, u64)>,
    /// base → region index.
    by_base: BTreeMap<u64, u32>,
}

/// Why a list of bases and sizes is no placement.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PlacementError {
    /// A region would reach past the end of the address space.
    #[error("region {region} of {size} bytes does not fit the address space")]
    DoesNotFit {
        /// Region index.
        region: usize,
        /// Its size in bytes.
        size: u64,
    },
    /// Two regions overlap, or a base is not page aligned.
    #[error("region {region} overlaps another or is not page aligned")]
    Overlap {
        /// Region index.
        region: usize,
    },
    /// More than `u32::MAX` regions.
    #[error("too many regions")]
    TooMany,
}

/// Page size that slides are a multiple of; the low 12 bits of an address survive every placement.
pub(crate) const PAGE: u64 = 4096;
const CANONICAL_START: u64 = 0x1000_0000;
const CANONICAL_GAP: u64 = 0x20_0000;

impl Placement {
    /// The canonical placement: regions in order from 0x10000000, 2 MiB aligned with a 2 MiB gap between them.
    ///
    /// # Errors
    /// [`PlacementError`] when the sizes do not fit.
    pub fn canonical(sizes: &[u64]) -> Result<Self, PlacementError> {
        let mut bases = Vec::with_capacity(sizes.len());
        let mut next = CANONICAL_START;
        for (region, &size) in sizes.iter().enumerate() {
            bases.push(next);
            next = next
                .checked_add(size)
                .and_then(|end| end.checked_add(2 * CANONICAL_GAP - 1))
                .map(|end| end & !(CANONICAL_GAP - 1))
                .ok_or(PlacementError::DoesNotFit { region, size })?;
        }
        Self::new(&bases, sizes)
    }

    /// A placement from page-aligned bases and sizes, by region index.
    ///
    /// # Errors
    /// [`PlacementError`] on overlap, misalignment, or a region past the end of the address space.
    pub fn new(bases: &[u64], sizes: &[u64]) -> Result<Self, PlacementError> {
        let regions: Vec<(u64, u64)> = bases.iter().copied().zip(sizes.iter().copied()).collect();
        let mut by_base = BTreeMap::new();
        for (region, &(base, size)) in regions.iter().enumerate() {
            base.checked_add(size).ok_or(PlacementError::DoesNotFit { region, size })?;
            let index = u32::try_from(region).map_err(|_overflow| PlacementError::TooMany)?;
            if base % PAGE != 0 || by_base.insert(base, index).is_some() {
                return Err(PlacementError::Overlap { region });
            }
        }
        let placement = Self { regions, by_base };
        placement.refuse_overlap()?;
        Ok(placement)
    }

    fn refuse_overlap(&self) -> Result<(), PlacementError> {
        let mut end = 0;
        for (&base, &index) in &self.by_base {
            let region = usize::try_from(index).unwrap_or(usize::MAX);
            let size = self.regions.get(region).map_or(0, |&(_, size)| size);
            if base < end {
                return Err(PlacementError::Overlap { region });
            }
            end = base.saturating_add(size);
        }
        Ok(())
    }

    /// The place of an address, if it lies in a region.
    pub fn place(&self, address: Avma) -> Option<Place> {
        let (&base, &index) = self.by_base.range(..=address.0).next_back()?;
        let (_, size) = self.regions.get(usize::try_from(index).ok()?)?;
        let offset = address.0 - base;
        (offset < *size).then_some(Place { region: RegionIndex(index), offset })
    }

    /// The address of a place, if its region exists.
    pub fn avma(&self, place: Place) -> Option<Avma> {
        let (base, _) = self.regions.get(usize::try_from(place.region.0).ok()?)?;
        base.checked_add(place.offset).map(Avma)
    }

    /// A raw value as a word.
    pub fn word(&self, value: u64) -> Word {
        match (value, self.place(Avma(value))) {
            (0, _) => Word::Null,
            (_, Some(place)) => Word::At(place),
            (_, None) => Word::Invalid,
        }
    }

    /// How many regions there are.
    pub fn len(&self) -> usize {
        self.regions.len()
    }

    /// Whether there is no region.
    pub fn is_empty(&self) -> bool {
        self.regions.is_empty()
    }
}

/// Registers by DWARF number (`x86_64`: 0 rax, 1 rdx, 2 rcx, 3 rbx, 4 rsi, 5 rdi, 6 rbp, 7 rsp, 8–15 r8–r15, 16 rip).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct Registers(pub BTreeMap<u16, Word>);

impl Registers {
    /// rbp.
    pub const FP: u16 = 6;
    /// rsp.
    pub const SP: u16 = 7;
    /// rip, the return-address column.
    pub const IP: u16 = 16;
}

impl<'de> Deserialize<'de> for Registers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A key is read as the text that it is, however it is escaped.
        #[derive(PartialEq, Eq, PartialOrd, Ord)]
        struct Number(u16);

        impl<'de> Deserialize<'de> for Number {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let Text(text) = Text::deserialize(deserializer)?;
                let number = text.parse().ok().filter(|number| is_spelled(number, &text));
                number.map(Self).ok_or_else(|| serde::de::Error::custom(format_args!("not the number of a register: {text:?}")))
            }
        }

        let words = BTreeMap::<Number, Word>::deserialize(deserializer)?;
        Ok(Self(words.into_iter().map(|(Number(number), word)| (number, word)).collect()))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{:x}", self.region.0, self.offset)
    }
}

impl FromStr for Place {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parsed = text.split_once(':').and_then(|(region, offset)| {
            Some(Self { region: RegionIndex(region.parse().ok()?), offset: u64::from_str_radix(offset, 16).ok()? })
        });
        // One spelling per place: signs, leading zeros and upper case are refused.
        parsed.filter(|place| is_spelled(place, text)).ok_or_else(|| format!("not a place (region:offset): {text:?}"))
    }
}

/// A text, borrowed from the document where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Whether a value is written as this text.
fn is_spelled(value: &impl fmt::Display, text: &str) -> bool {
    use fmt::Write as _;
    let mut rest = Rest(text);
    write!(rest, "{value}").is_ok() && rest.0.is_empty()
}

/// What of a text has not been written yet.
struct Rest<'a>(&'a str);

impl fmt::Write for Rest<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        self.0 = self.0.strip_prefix(part).ok_or(fmt::Error)?;
        Ok(())
    }
}

impl Serialize for Place {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Place {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer)?.0.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Word {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::At(place) => place.serialize(serializer),
            Self::Null => serializer.serialize_str("null"),
            Self::Invalid => serializer.serialize_str("invalid"),
        }
    }
}

impl<'de> Deserialize<'de> for Word {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match &*Text::deserialize(deserializer)?.0 {
            "null" => Ok(Self::Null),
            "invalid" => Ok(Self::Invalid),
            place => place.parse().map(Self::At).map_err(serde::de::Error::custom),
        }
    }
}

impl fmt::Display for ModuleRelAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}

impl Serialize for ModuleRelAddr {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ModuleRelAddr {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Text(text) = Text::deserialize(deserializer)?;
        text.strip_prefix("0x")
            .and_then(|hex| u64::from_str_radix(hex, 16).ok())
            .map(Self)
            .filter(|address| is_spelled(address, &text))
            .ok_or_else(|| serde::de::Error::custom(format_args!("not a module-relative address: {text:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_and_addresses_convert_both_ways_and_gaps_are_invalid() {
        let placement = Placement::canonical(&[0x1000, 0x30_0000, 8]).unwrap();
        for place in ["0:0", "0:fff", "1:2fffff", "2:7"] {
            let place: Place = place.parse().unwrap();
            assert_eq!(placement.place(placement.avma(place).unwrap()), Some(place));
        }
        assert_eq!(placement.word(0), Word::Null);
        assert_eq!(placement.word(0x1000_1000), Word::Invalid);
        assert!(Placement::canonical(&[u64::MAX]).is_err());
        assert!(Placement::new(&[0x1000, 0x1000], &[1, 1]).is_err());
        assert!(Placement::new(&[0x1000, 0x2000], &[0x1001, 1]).is_err());
    }

    #[test]
    fn a_place_has_one_spelling() {
        for bad in ["+1:0", "1:00", "1:A", "1", ":", "1:-1"] {
            assert!(bad.parse::<Place>().is_err(), "{bad}");
        }
    }
    #[test]
    fn a_register_has_one_number_however_its_key_is_escaped() {
        let read = |text: &str| serde_json::from_str::<Registers>(text);
        let registers = Registers([(6, Word::Null), (16, Word::Invalid)].into());
        assert_eq!(serde_json::to_string(&registers).unwrap(), r#"{"6":"null","16":"invalid"}"#);
        assert_eq!(read(r#"{"6":"null","16":"invalid"}"#).unwrap(), registers);
        assert_eq!(read(r#"{"\u0036":"nul\u006c","1\u0036":"invalid"}"#).unwrap(), registers);
        for bad in [r#"{"06":"null"}"#, r#"{"+6":"null"}"#, r#"{"65536":"null"}"#, r#"{"":"null"}"#, r#"{"6":1}"#] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }
}
