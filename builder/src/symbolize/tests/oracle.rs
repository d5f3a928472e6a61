//! What others say of an address: the `addr2line` crate, and `llvm-symbolizer` where it is installed.

use std::borrow::Cow;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use object::{Object as _, ObjectSection as _};
use sealtrace_symbols::Location;

use super::{Module, is_there, skip};

/// One level: name, file, line. 0 and `None` where it is unknown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Told {
    pub(super) name: Option<String>,
    pub(super) file: Option<String>,
    pub(super) line: u32,
}

/// What our table says in the same form; a line without a function is one level without a name.
pub(super) fn ours(found: Option<&Location<'_>>) -> Vec<Told> {
    let Some(found) = found else { return Vec::new() };
    let told = |name: Option<&str>, file: Option<&str>, line| Told { name: name.map(str::to_owned), file: file.map(str::to_owned), line };
    if found.frames.is_empty() {
        return vec![told(None, found.file, found.line)];
    }
    found.frames.iter().map(|frame| told(Some(frame.name), frame.file, frame.line)).collect()
}

/// The difference between our answer and another's, or `None`. Names of inlined levels must be equal; the physical name must be one of
/// the aliases (`foo.cold` for `foo` is tolerated: symbol tables name the split-off part so).
pub(super) fn difference(found: Option<&Location<'_>>, theirs: &[Told]) -> Option<&'static str> {
    let ours = ours(found);
    let known = |levels: &[Told]| -> Vec<Told> { levels.iter().filter(|level| level.file.is_some() || level.line > 0).cloned().collect() };
    let (our_lines, their_lines) = (known(&ours), known(theirs));
    if our_lines.len() != their_lines.len() || our_lines.iter().zip(&their_lines).any(|(ours, theirs)| !is_same_line(ours, theirs)) {
        return Some("file:line");
    }
    let physical = theirs.last().and_then(|level| level.name.as_deref());
    let inlined = theirs.split_last().map_or(&[][..], |(_, inlined)| inlined);
    if ours.iter().zip(inlined).any(|(ours, theirs)| theirs.name.is_some() && ours.name != theirs.name) {
        return Some("inlined name");
    }
    let physical = physical?;
    let is_alias = |name: &str| {
        found.is_some_and(|found| found.aliases.contains(&name) || found.frames.last().is_some_and(|frame| frame.name == name))
    };
    let whole = physical.strip_suffix(".cold").unwrap_or(physical);
    (!is_alias(physical) && !is_alias(whole)).then_some("name")
}

/// Equal, or the same with the compilation directory twice: LLVM before 15 joins a relative one (Debian's `./csu`) with itself.
fn is_same_line(ours: &Told, theirs: &Told) -> bool {
    let doubled = || {
        let (ours, theirs) = (ours.file.as_deref()?, theirs.file.as_deref()?);
        let folder = theirs.strip_suffix(ours)?.strip_suffix('/')?;
        Some(folder.starts_with("./") && ours.starts_with(folder))
    };
    ours.line == theirs.line && (ours.file == theirs.file || doubled().unwrap_or(false))
}

/// The one way in which `llvm-symbolizer` is known to be wrong: it carries a symbol on over padding and into the next section. True
/// where its physical name is a symbol that has no size or ends at or before the address, and we name nothing there.
pub(super) fn is_carried_over(module: &Module, address: u64, theirs: &[Told]) -> bool {
    let Some(name) = theirs.last().and_then(|level| level.name.as_deref()) else { return false };
    let reaches = module.symbols.iter().any(|(symbol, range)| symbol == name && range.contains(&address));
    let none = module.at(address).is_none_or(|found| found.frames.is_empty());
    none && !reaches && module.symbols.iter().any(|(symbol, _)| symbol == name)
}

/// Asks the `addr2line` crate, which reads the file with the debug information on its own.
pub(super) fn addr2line(module: &Module, addresses: &[u64]) -> Vec<Vec<Told>> {
    let file = object::File::parse(module.debug.as_deref().unwrap_or(&module.bytes)).unwrap();
    let load = |id: gimli::SectionId| -> Result<Cow<'_, [u8]>, gimli::Error> {
        Ok(file.section_by_name(id.name()).map_or(Cow::Borrowed(&[][..]), |section| section.uncompressed_data().unwrap()))
    };
    let sections = gimli::DwarfSections::load(load).unwrap();
    let endian = if file.is_little_endian() { gimli::RunTimeEndian::Little } else { gimli::RunTimeEndian::Big };
    let dwarf = sections.borrow(|bytes| gimli::EndianSlice::new(bytes, endian));
    let context = addr2line::Context::from_dwarf(dwarf).unwrap();
    let told = |frame: addr2line::Frame<'_, _>| Told {
        name: frame
            .function
            .as_ref()
            .and_then(|function: &addr2line::FunctionName<gimli::EndianSlice<'_, _>>| function.raw_name().ok().map(Cow::into_owned)),
        file: frame.location.as_ref().and_then(|location| location.file).map(str::to_owned),
        line: frame.location.as_ref().and_then(|location| location.line).unwrap_or(0),
    };
    let ask = |&address: &u64| {
        let mut frames = context.find_frames(address).skip_all_loads().unwrap();
        let mut levels = Vec::new();
        while let Some(frame) = frames.next().unwrap() {
            levels.push(told(frame));
        }
        levels
    };
    addresses.iter().map(ask).collect()
}

/// Asks `llvm-symbolizer`; `None` where it is not installed, or too old for the file's compression.
pub(super) fn llvm(object: &Path, addresses: &[u64]) -> Option<Vec<Vec<Told>>> {
    ask("llvm-symbolizer", object, addresses)
}

/// Asks LLVM 19, which reads the inlined calls of a PDB; `None` where it is not installed.
pub(super) fn llvm_19(object: &Path, addresses: &[u64]) -> Option<Vec<Vec<Told>>> {
    ask("llvm-symbolizer-19", object, addresses)
}

fn ask(tool: &str, object: &Path, addresses: &[u64]) -> Option<Vec<Vec<Told>>> {
    if !is_there(tool) {
        skip(tool, "not installed");
        return None;
    }
    let mut child = Command::new(tool)
        .arg(format!("--obj={}", object.display()))
        .args(["--no-demangle", "--inlines", "--functions=linkage"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let questions: Vec<String> = addresses.iter().map(|address| format!("{address:#x}\n")).collect();
    let mut stdin = child.stdin.take().unwrap();
    let writer = std::thread::spawn(move || stdin.write_all(questions.concat().as_bytes()).unwrap());
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    if String::from_utf8_lossy(&output.stderr).contains("unsupported compression") {
        skip("llvm-symbolizer-zstd", "too old for zstd sections");
        return None;
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let answers: Vec<Vec<Told>> = text.split_terminator("\n\n").map(parse_answer).collect();
    assert_eq!(answers.len(), addresses.len(), "one answer for each address");
    Some(answers)
}

/// Pairs of lines: name, then `file:line:column`.
fn parse_answer(answer: &str) -> Vec<Told> {
    let lines: Vec<&str> = answer.lines().collect();
    let known = |text: &str| (text != "??").then(|| text.to_owned());
    let level = |pair: &[&str]| {
        let mut parts = pair[1].rsplitn(3, ':');
        let (_column, line, file) = (parts.next(), parts.next().unwrap(), parts.next().unwrap());
        let line = line.parse().unwrap();
        // A bare file name with line 0 is no line: where there is none, LLVM tells the symbol table's STT_FILE.
        // What stands behind an `@` is the version of an ELF symbol, but a part of a name of Visual C++.
        let name =
            known(pair[0]).map(|name| if name.starts_with('?') { name } else { name.split('@').next().unwrap_or_default().to_owned() });
        Told { name, file: known(file).filter(|file| line > 0 || file.contains('/')), line }
    };
    lines.chunks_exact(2).map(level).collect()
}
