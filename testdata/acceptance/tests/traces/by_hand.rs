//! What `addr2line`, `llvm-symbolizer` and `readelf --debug-dump=frames-interp` print, as data.

use std::collections::BTreeMap;

/// Function and `file:line` (file without folder) of an address, innermost first.
pub(crate) type Chain = Vec<(String, String)>;

/// `FILE:LINE` without folder, column and discriminator; `??` where the line is not known.
fn position(text: &str) -> String {
    let text = text.split(" (discriminator").next().unwrap_or_default();
    let mut parts = text.split(':');
    let file = parts.next().unwrap_or_default().rsplit('/').next().unwrap_or_default();
    match parts.next() {
        Some(line) if file != "??" && line.parse::<u32>().is_ok_and(|line| line > 0) => format!("{file}:{line}"),
        _ => "??".to_owned(),
    }
}

/// What `addr2line -f -i` and `llvm-symbolizer` print: a line with the name, a line with the position, for each function.
pub(crate) fn chain(text: &str) -> Chain {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines.chunks_exact(2).map(|pair| (pair[0].to_owned(), position(pair[1]))).collect()
}

/// Where to look for an unwind row.
pub(crate) struct Cfi<'a> {
    pub(crate) section: &'a str,
    /// Offset of the FDE, as readelf prints it.
    pub(crate) fde: &'a str,
    pub(crate) pc: u64,
}

impl Cfi<'_> {
    /// The columns of the row that is in force at `pc`, in the FDE that starts at `fde`.
    pub(crate) fn row(&self, text: &str) -> Option<BTreeMap<String, String>> {
        let section = text.split("Contents of the ").find(|part| part.starts_with(&format!("{} section", self.section)))?;
        let mut lines = section.lines().skip_while(|line| !line.starts_with(&format!("{} ", self.fde)));
        let head = lines.next()?;
        assert!(head.contains(" FDE ") && self.covers(head)?, "{head} is no FDE of {:#x}", self.pc);
        let columns: Vec<&str> = lines.next()?.split_whitespace().collect();
        let rows = lines.take_while(|line| !line.trim().is_empty()).map(|line| line.split_whitespace().collect::<Vec<_>>());
        let started = rows.filter(|row| u64::from_str_radix(row[0], 16).is_ok_and(|start| start <= self.pc));
        let row = started.last()?;
        Some(columns.into_iter().map(str::to_owned).zip(row.into_iter().map(str::to_owned)).collect())
    }

    fn covers(&self, head: &str) -> Option<bool> {
        let (start, end) = head.split_once("pc=")?.1.trim().split_once("..")?;
        Some((u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?).contains(&self.pc))
    }
}
