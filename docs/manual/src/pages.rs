//! One man page for a tool and one for each of its subcommands, in roff with the `man` macros; ASCII only, no date.

use std::io::Result;

use clap::Command;
use clap_mangen::Man;

use crate::File;

/// What every page ends with. The exit codes are those of the README.
const TAIL: &str = r".SH EXIT STATUS
.TP
0
done, or verified
.TP
1
rejected: well formed, but a check, integrity, policy or SLO failed
.TP
2
no verdict: usage, I/O, missing or incomplete input, a required check skipped
.TP
3
malformed or hostile input, or a limit
.TP
4
replay VACUOUS: the seeds could not have shown a difference
.TP
5
no usable BTF
.SH ENVIRONMENT
.TP
SEALTRACE_STORE
the store, where \-\-store does not name one
.TP
XDG_DATA_HOME, HOME
where the store is without either, unless the user is root
.TP
NO_COLOR, CLICOLOR_FORCE, CLICOLOR, TERM
whether words are coloured, where \-\-color does not say
";

/// The pages of a tool, itself first, as `man/man1/NAME.1`.
///
/// # Errors
/// Never in practice: pages are written to memory.
pub fn pages(tool: &Command) -> Result<Vec<File>> {
    let mut tool = tool.clone().disable_help_subcommand(true);
    tool.build();
    let mut files = Vec::new();
    let mut left = vec![(tool, None)];
    while let Some((command, parent)) = left.pop() {
        let name = page_name(&command);
        let below: Vec<_> = command.get_subcommands().filter(|below| !below.is_hide_set()).cloned().collect();
        files.push(page(&command, parent.as_deref(), &below)?);
        left.extend(below.into_iter().rev().map(|below| (below, Some(name.clone()))));
    }
    Ok(files)
}

/// `symbol-bundle-log-append`.
fn page_name(command: &Command) -> String {
    command.get_display_name().unwrap_or_else(|| command.get_name()).to_owned()
}

fn page(command: &Command, parent: Option<&str>, below: &[Command]) -> Result<File> {
    let name = page_name(command);
    let mut bytes = Vec::new();
    let page = Man::new(command.clone()).source(concat!("sealtrace ", env!("CARGO_PKG_VERSION"))).manual("Sealtrace");
    page.render(&mut bytes)?;
    let mut text = String::from_utf8_lossy(&bytes).into_owned();
    text.push_str(TAIL);
    let others: Vec<String> = parent.map(str::to_owned).into_iter().chain(below.iter().map(page_name)).collect();
    if !others.is_empty() {
        let others: Vec<_> = others.iter().map(|other| format!("\\fB{}\\fR(1)", other.replace('-', "\\-"))).collect();
        text.extend([".SH SEE ALSO\n", &others.join(", "), "\n"]);
    }
    Ok(File { path: format!("man/man1/{name}.1"), bytes: ascii(&text).into_bytes() })
}

/// A page that reads the same whatever encoding the formatter expects; what has no spelling in ASCII is left as its code point (`groff_char(7)`).
fn ascii(text: &str) -> String {
    let spelled = |c: char| match c {
        _ if c.is_ascii() => c.to_string(),
        '…' => "...".to_owned(),
        '−' => "\\-".to_owned(),
        '→' => "\\->".to_owned(),
        _ => format!("\\[u{:04X}]", u32::from(c)),
    };
    text.chars().map(spelled).collect()
}
