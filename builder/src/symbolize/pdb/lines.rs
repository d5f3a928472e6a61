//! Line information of a module (C13): lines of procedures, the files they name, the first lines of inlined functions.
//!
//! Layouts: `cvinfo.h` of Microsoft's microsoft-pdb. Not read: columns, the old form C11.

use std::collections::BTreeMap;

use super::bytes::Bytes;
use super::records::Place;

const LINES: u32 = 0xf2;
const CHECKSUMS: u32 = 0xf4;
const INLINEE_LINES: u32 = 0xf6;
/// Size of the header of a block of lines.
const BLOCK_HEADER: u32 = 12;
/// Lines that tell a debugger where not to stop: compilers write them where there is no line.
const NO_LINE: [u32; 2] = [0xf0_0f00, 0xfe_efee];

/// Lines of some code that belongs together.
#[derive(Debug)]
pub(super) struct Fragment {
    pub(super) start: Place,
    pub(super) len: u32,
    /// Ascending by offset from the start; each holds up to the next, the last up to the end.
    pub(super) rows: Vec<Row>,
}

/// A row of a fragment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) offset: u32,
    /// The module's number of the file.
    pub(super) file: u32,
    /// 0 unknown.
    pub(super) line: u32,
}

/// Where an inlined function starts in its source.
#[derive(Debug, Clone, Copy)]
pub(super) struct FirstLine {
    /// The module's number of the file.
    pub(super) file: u32,
    pub(super) line: u32,
}

/// What a module's line information tells.
#[derive(Debug, Default)]
pub(super) struct ModuleLines<'a> {
    pub(super) fragments: Vec<Fragment>,
    /// By id of the function, in the module's numbering.
    pub(super) inlinees: BTreeMap<u32, FirstLine>,
    checksums: &'a [u8],
    /// Whether a part could not be read; what was found before it counts.
    pub(super) is_damaged: bool,
}

impl<'a> ModuleLines<'a> {
    /// Reads all subsections.
    pub(super) fn parse(mut input: Bytes<'a>) -> Self {
        let mut found = Self::default();
        while !input.0.is_empty() {
            let read = subsection(&mut input).and_then(|(kind, part)| found.add(kind, part));
            if read.is_none() {
                found.is_damaged = true;
                break;
            }
        }
        found
    }

    fn add(&mut self, kind: u32, mut part: Bytes<'a>) -> Option<()> {
        match kind {
            LINES => self.fragments.push(fragment(&mut part)?),
            CHECKSUMS => self.checksums = part.0,
            INLINEE_LINES => {
                let has_more_files = part.u32()? == 1;
                while !part.0.is_empty() {
                    let (id, file, line) = (part.u32()?, part.u32()?, part.u32()?);
                    if has_more_files {
                        let files = part.u32()?;
                        part.take_u32(files.checked_mul(4)?)?;
                    }
                    self.inlinees.entry(id).or_insert(FirstLine { file, line });
                }
            }
            _ => {}
        }
        Some(())
    }

    /// Where in the string table the path of a file stands; `file` is the offset of its checksum.
    pub(super) fn path_of(&self, file: u32) -> Option<u32> {
        Bytes::at(self.checksums, file)?.u32()
    }
}

fn subsection<'a>(input: &mut Bytes<'a>) -> Option<(u32, Bytes<'a>)> {
    let (kind, len) = (input.u32()?, input.u32()?);
    let part = input.take_u32(len)?;
    input.align(part.len());
    Some((kind, Bytes(part)))
}

fn fragment(part: &mut Bytes<'_>) -> Option<Fragment> {
    let offset = part.u32()?;
    let start = Place { section: part.u16()?, offset };
    let _has_columns = part.u16()?;
    let len = part.u32()?;
    let mut rows = Vec::new();
    while !part.0.is_empty() {
        let (file, count, size) = (part.u32()?, part.u32()?, part.u32()?);
        let mut block = Bytes(part.take_u32(size.checked_sub(BLOCK_HEADER)?)?);
        for _ in 0..count {
            let (offset, line) = (block.u32()?, block.u32()? & 0xff_ffff);
            rows.push(Row { offset, file, line: if NO_LINE.contains(&line) { 0 } else { line } });
        }
    }
    // Stable: of rows with one offset the last is the one that counts.
    rows.sort_by_key(|row| row.offset);
    Some(Fragment { start, len, rows })
}

/// The lines of an inlined call: offsets count from the start of the procedure. `len`: of the procedure, the end of a last row without
/// one. `None` when an annotation cannot be read.
pub(super) fn inlined_rows(annotations: Bytes<'_>, first: FirstLine, len: u32) -> Option<Vec<(std::ops::Range<u32>, Row)>> {
    let mut state = Annotated { input: annotations, base: 0, at: 0, row: Row { offset: 0, file: first.file, line: first.line } };
    let mut rows: Vec<(std::ops::Range<u32>, Row)> = Vec::new();
    // The row that has no end yet.
    let mut open: Option<Row> = None;
    loop {
        let end = |row: Row, end: u32| (row.offset..end, row);
        match state.step()? {
            Step::Done => break,
            Step::Nothing => {}
            Step::Row { len } => {
                rows.extend(open.take().map(|row| end(row, state.row.offset)));
                match len {
                    Some(len) => rows.push(end(state.row, state.row.offset.checked_add(len)?)),
                    None => open = Some(state.row),
                }
            }
            Step::End { at } => rows.extend(open.take().map(|row| end(row, at))),
        }
    }
    rows.extend(open.map(|row| (row.offset..len, row)));
    Some(rows)
}

/// The state machine of annotations.
#[derive(Debug)]
struct Annotated<'a> {
    input: Bytes<'a>,
    base: u32,
    at: u32,
    row: Row,
}

/// What an annotation does, besides changing the state.
enum Step {
    Nothing,
    /// No annotation is left; a zero pads the record.
    Done,
    /// A row starts, with a length or up to the next one.
    Row {
        len: Option<u32>,
    },
    /// The row before ends there.
    End {
        at: u32,
    },
}

impl Annotated<'_> {
    fn step(&mut self) -> Option<Step> {
        let operation = if self.input.0.is_empty() { 0 } else { self.number()? };
        if operation == 0 { Some(Step::Done) } else { self.run(operation) }
    }

    fn run(&mut self, operation: u32) -> Option<Step> {
        let operand = self.number()?;
        match operation {
            // CodeOffset, ChangeCodeOffsetBase
            1 => self.at = operand,
            2 => self.base = operand,
            // ChangeCodeOffset
            3 => return self.start(operand, None),
            // ChangeCodeLength
            4 => {
                self.at = self.at.checked_add(operand)?;
                return Some(Step::End { at: self.at.checked_add(self.base)? });
            }
            // ChangeFile, ChangeLineOffset
            5 => self.row.file = operand,
            6 => self.change_line(operand),
            // ChangeCodeOffsetAndLineOffset
            11 => {
                self.change_line(operand >> 4);
                return self.start(operand & 0xf, None);
            }
            // ChangeCodeLengthAndCodeOffset
            12 => {
                let delta = self.number()?;
                return self.start(delta, Some(operand));
            }
            // Ends of lines, kinds of ranges, columns.
            7..=10 | 13 => {}
            _ => return None,
        }
        Some(Step::Nothing)
    }

    fn start(&mut self, delta: u32, len: Option<u32>) -> Option<Step> {
        self.at = self.at.checked_add(delta)?;
        self.row.offset = self.at.checked_add(self.base)?;
        Some(Step::Row { len })
    }

    /// The sign stands in the lowest bit.
    fn change_line(&mut self, operand: u32) {
        let delta = operand >> 1;
        let line = if operand & 1 == 0 { self.row.line.checked_add(delta) } else { self.row.line.checked_sub(delta) };
        self.row.line = line.unwrap_or(0);
    }

    /// One, two or four bytes; the highest bits say how many.
    fn number(&mut self) -> Option<u32> {
        let first = u32::from(self.input.u8()?);
        let mut next = |number: u32| Some(number << 8 | u32::from(self.input.u8()?));
        match first {
            0..0x80 => Some(first),
            0x80..0xc0 => next(first & 0x3f),
            0xc0..0xe0 => next(first & 0x1f).and_then(&mut next).and_then(next),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(annotations: &[u8]) -> Option<Vec<(std::ops::Range<u32>, u32)>> {
        let rows = inlined_rows(Bytes(annotations), FirstLine { file: 8, line: 10 }, 100)?;
        Some(rows.into_iter().map(|(range, row)| (range, row.line)).collect())
    }

    #[test]
    fn annotations_give_ranges_and_lines() {
        // Start at 4, length 6; two more, a line back.
        assert_eq!(rows(&[3, 4, 4, 6]), Some(vec![(4..10, 10)]));
        assert_eq!(rows(&[3, 4, 6, 3, 3, 2, 4, 6, 0, 0]), Some(vec![(4..6, 10), (6..12, 9)]));
        assert_eq!(rows(&[11, 0x25, 12, 3, 9]), Some(vec![(5..14, 11), (14..17, 11)]));
        assert_eq!(rows(&[3, 4]), Some(vec![(4..100, 10)]), "a last row without an end");
    }

    #[test]
    fn numbers_have_one_two_or_four_bytes() {
        assert_eq!(rows(&[3, 0x81, 0x02, 4, 1]), Some(vec![(0x102..0x103, 10)]));
        assert_eq!(rows(&[3, 0xc1, 0, 0, 2, 4, 1]), Some(vec![(0x100_0002..0x100_0003, 10)]));
        assert_eq!(rows(&[3, 0xff, 0, 0, 0]), None);
    }

    #[test]
    fn a_cut_or_unknown_annotation_is_damage() {
        for bytes in [&[3][..], &[14, 1], &[12, 1], &[3, 0x80]] {
            assert_eq!(rows(bytes), None, "{bytes:?}");
        }
    }
}
