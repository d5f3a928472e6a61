//! A whole `capture.jsonl`: JCS lines, a header and then samples in canonical order.

use sealtrace_digest::CaptureSha256;
use sealtrace_json::JsonError;
use sealtrace_unwind::{Place, Placement, PlacementError};

use crate::capture::{CaptureHeader, Region, Sample};
use crate::capture_check;

/// The largest capture accepted: 1 GiB (ours).
pub const MAX_CAPTURE_BYTES: usize = 1 << 30;
/// The longest line accepted: 64 MiB (ours; the header of 10,000 regions takes about 3 MB).
pub const MAX_LINE_BYTES: usize = 64 << 20;
/// The most regions of a capture: 65,536 (ours; each holds at least one map, and Linux gives a process 65,530 unless it is told otherwise).
pub const MAX_REGIONS: usize = 1 << 16;
/// The most maps of a capture in total: 524,288 (ours: twice 262,144, to which `vm.max_map_count` is often raised, because replay cuts a map
/// in two at most once).
pub const MAX_MAPS: usize = 1 << 19;

/// A parsed capture: a header and samples in canonical order: by first seen, which differs for each (so the order does not depend on
/// the numbering of regions).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// First line.
    pub header: CaptureHeader,
    /// The other lines.
    pub samples: Vec<Sample>,
}

/// Why bytes are no capture.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CaptureError {
    /// Larger than [`MAX_CAPTURE_BYTES`].
    #[error("capture of {found} bytes exceeds the limit of {MAX_CAPTURE_BYTES}")]
    TooLarge {
        /// Its size in bytes.
        found: usize,
    },
    /// A line is not strict JSON of its shape.
    #[error("capture line {line}: {source}")]
    Line {
        /// Line number from 1.
        line: usize,
        /// The reason.
        source: JsonError,
    },
    /// The last line has no line feed: the file was cut.
    #[error("capture is cut: the last line does not end")]
    Cut,
    /// No header, or another version.
    #[error("capture header: {what}")]
    Header {
        /// What is wrong.
        what: String,
    },
    /// The regions are no address space.
    #[error("capture regions: {0}")]
    Regions(PlacementError),
    /// The counters do not add up, or samples and counters differ.
    #[error("capture counters: {what}")]
    Counters {
        /// What does not add up.
        what: String,
    },
    /// More regions or maps than any capture has.
    #[error("capture has {found} {what}, the limit is {limit}")]
    TooMany {
        /// `regions` or `maps`.
        what: &'static str,
        /// The limit.
        limit: usize,
        /// The number found.
        found: usize,
    },
    /// Records that have an order are out of it, or the same one comes twice: which of two holds must not be a reader's choice.
    #[error("capture line {line}: {what} are not strictly ascending")]
    Order {
        /// Line number from 1.
        line: usize,
        /// `words`, `calls`, `unreadable`, `notCopied`, or `rows`.
        what: &'static str,
    },
    /// A place that was not copied has another answer as well.
    #[error("capture line {line}: {place} stands in notCopied and in {what}")]
    TwoAnswers {
        /// Line number from 1.
        line: usize,
        /// The place.
        place: Place,
        /// `words` or `unreadable`.
        what: &'static str,
    },
    /// A record cannot be written.
    #[error("capture cannot be encoded: {0}")]
    Encode(JsonError),
}

impl Capture {
    /// Parses and checks a capture. Samples are put into canonical order; bytes need not be canonical (replay perturbs them on purpose).
    ///
    /// # Errors
    /// [`CaptureError`]
    pub fn parse(bytes: &[u8]) -> Result<Self, CaptureError> {
        if bytes.len() > MAX_CAPTURE_BYTES {
            return Err(CaptureError::TooLarge { found: bytes.len() });
        }
        let Some(body) = bytes.strip_suffix(b"\n") else {
            return Err(if bytes.is_empty() { header("the file is empty") } else { CaptureError::Cut });
        };
        let mut lines = (1_usize..).zip(body.split(|&byte| byte == b'\n'));
        let (_, first) = lines.next().ok_or_else(|| header("the file is empty"))?;
        let head: CaptureHeader = line(1, first)?;
        let samples = lines.map(|(number, text)| line(number, text)).collect::<Result<Vec<Sample>, _>>()?;
        let mut capture = Self { header: head, samples };
        capture.check()?;
        capture.samples.sort();
        Ok(capture)
    }

    /// Canonical bytes: JCS lines, samples sorted.
    ///
    /// # Errors
    /// [`CaptureError::Encode`]
    pub fn encode(&self) -> Result<Vec<u8>, CaptureError> {
        let mut bytes = sealtrace_json::canonical(&self.header).map_err(CaptureError::Encode)?;
        bytes.push(b'\n');
        let mut samples: Vec<&Sample> = self.samples.iter().collect();
        samples.sort();
        for sample in samples {
            bytes.extend(sealtrace_json::canonical(sample).map_err(CaptureError::Encode)?);
            bytes.push(b'\n');
        }
        Ok(bytes)
    }

    /// The digest that a witness refers to, of the bytes as stored.
    pub fn digest(bytes: &[u8]) -> CaptureSha256 {
        CaptureSha256::of(bytes)
    }

    /// The regions' sizes, for a [`Placement`].
    pub fn region_sizes(&self) -> Vec<u64> {
        self.header.regions.iter().map(|region| region.size).collect()
    }

    fn check(&self) -> Result<(), CaptureError> {
        let head = &self.header;
        if head.record != "header" || head.capture_version != 0 {
            return Err(header("expected record \"header\" with captureVersion 0"));
        }
        check_count("regions", MAX_REGIONS, head.regions.len())?;
        check_count("maps", MAX_MAPS, head.regions.iter().map(|region| region.maps.len()).sum())?;
        Placement::canonical(&self.region_sizes()).map_err(CaptureError::Regions)?;
        if head.regions.iter().any(|region| !maps_fit(region)) {
            return Err(header("a region's maps are out of order or reach past its end"));
        }
        if self.samples.iter().any(|sample| sample.record != "sample" || sample.count == 0) {
            return Err(header("a line after the header is no sample"));
        }
        let mut seen: Vec<u64> = self.samples.iter().map(|sample| sample.first_seen).collect();
        seen.sort_unstable();
        if seen.windows(2).any(|pair| matches!(pair, [a, b] if a == b)) {
            return Err(header("two samples have the same firstSeen"));
        }
        capture_check::made_with(head)?;
        self.check_order()?;
        capture_check::counters(head, &self.samples)
    }

    /// Samples are still in the order of the file's lines.
    fn check_order(&self) -> Result<(), CaptureError> {
        let in_order = |line, what, ascending: bool| if ascending { Ok(()) } else { Err(CaptureError::Order { line, what }) };
        in_order(1, "rows", ascending(&self.header.rows, |captured| (captured.region, captured.row.start)))?;
        for (line, sample) in (2..).zip(&self.samples) {
            in_order(line, "words", ascending(&sample.words, |&(at, _)| at))?;
            in_order(line, "calls", ascending(&sample.calls, |fact| fact.at))?;
            in_order(line, "unreadable", ascending(&sample.unreadable, |&at| at))?;
            in_order(line, "notCopied", ascending(&sample.not_copied, |&at| at))?;
            capture_check::one_answer(line, sample)?;
        }
        Ok(())
    }
}

fn check_count(what: &'static str, limit: usize, found: usize) -> Result<(), CaptureError> {
    if found > limit { Err(CaptureError::TooMany { what, limit, found }) } else { Ok(()) }
}

/// Whether each key is greater than the one before.
fn ascending<T, K: Ord>(items: &[T], key: impl Fn(&T) -> K) -> bool {
    items.is_sorted_by(|before, after| key(before) < key(after))
}

fn maps_fit(region: &Region) -> bool {
    let mut end = 0;
    region.maps.iter().all(|map| {
        let starts_after = map.offset >= end;
        end = map.offset.saturating_add(map.size);
        starts_after && end <= region.size
    })
}

fn header(what: &str) -> CaptureError {
    CaptureError::Header { what: what.to_owned() }
}

fn line<T: serde::de::DeserializeOwned>(number: usize, text: &[u8]) -> Result<T, CaptureError> {
    sealtrace_json::parse(text, MAX_LINE_BYTES).map_err(|source| CaptureError::Line { line: number, source })
}
