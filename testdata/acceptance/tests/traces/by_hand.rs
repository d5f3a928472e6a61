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
    /// The columns of the row that is in force at `pc`, in the FDE that starts at `fde`. An FDE without instructions prints no row: there its
    /// CIE's first one is in force.
    pub(crate) fn row(&self, text: &str) -> Option<BTreeMap<String, String>> {
        let section = text.split("Contents of the ").find(|part| part.starts_with(&format!("{} section", self.section)))?;
        let head = section.lines().find(|line| line.starts_with(&format!("{} ", self.fde)))?;
        assert!(head.contains(" FDE ") && self.covers(head)?, "{head} is no FDE of {:#x}", self.pc);
        let cie = head.split_once("cie=")?.1.split(' ').next()?;
        rows(section, self.fde, self.pc).or_else(|| rows(section, cie, 0))
    }

    fn covers(&self, head: &str) -> Option<bool> {
        let (start, end) = head.split_once("pc=")?.1.trim().split_once("..")?;
        Some((u64::from_str_radix(start, 16).ok()?..u64::from_str_radix(end, 16).ok()?).contains(&self.pc))
    }
}

/// The last row of an entry that starts at or before `pc`.
fn rows(section: &str, entry: &str, pc: u64) -> Option<BTreeMap<String, String>> {
    let mut lines =
        section.lines().skip_while(|line| !line.starts_with(&format!("{entry} "))).skip(1).take_while(|line| !line.trim().is_empty());
    let columns = lines.next()?.split_whitespace().map(str::to_owned);
    let rows = lines.map(|line| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
    let row = rows.filter(|row| u64::from_str_radix(&row[0], 16).is_ok_and(|start| start <= pc)).last()?;
    Some(columns.zip(row).collect())
}
