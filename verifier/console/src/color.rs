//! Colours for people: on a terminal, never in a pipe, by the conventions `NO_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR` and `TERM=dumb`.
//!
//! Not here: any meaning that only a colour carries. Every coloured word says the same without it.

use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::sync::OnceLock;

/// When colours are used (`--color`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum ColorChoice {
    /// On a terminal, unless the environment says otherwise
    #[default]
    Auto,
    /// In a file or pipe, too
    Always,
    /// Nowhere
    Never,
}

/// What a word means for the reader.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It holds: green.
    Good,
    /// It does not hold: red.
    Bad,
    /// Not known, or to be looked at: yellow.
    Unsure,
    /// What to do next: bold.
    Strong,
}

/// Where a text goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stream {
    /// Data.
    Stdout,
    /// Words for people.
    Stderr,
}

static CHOICE: OnceLock<ColorChoice> = OnceLock::new();

/// Sets the choice of this process; the first one counts.
pub(crate) fn choose(choice: ColorChoice) {
    CHOICE.get_or_init(|| choice);
}

/// A text in the colour of its tone where this stream shows colours, else the text as it is. Escape foreign text first.
pub fn paint(stream: Stream, tone: Tone, text: &str) -> String {
    let choice = CHOICE.get().copied().unwrap_or_default();
    let variable = |name: &str| std::env::var_os(name);
    if shows_colors(choice, is_terminal(stream), &variable) { colored(tone, text) } else { text.to_owned() }
}

/// Whether a stream is a terminal that moves its cursor when told to.
pub(crate) fn is_terminal(stream: Stream) -> bool {
    match stream {
        Stream::Stdout => std::io::stdout().is_terminal(),
        Stream::Stderr => std::io::stderr().is_terminal(),
    }
}

/// Whether the terminal understands more than plain lines.
pub(crate) fn is_capable(variable: &impl Fn(&str) -> Option<OsString>) -> bool {
    // A console of Windows needs to be told first; without that it shows the sequences themselves.
    !cfg!(windows) && variable("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

fn shows_colors(choice: ColorChoice, terminal: bool, variable: &impl Fn(&str) -> Option<OsString>) -> bool {
    let set = |name: &str| variable(name).is_some_and(|value| !value.is_empty());
    let zero = |name: &str| variable(name).is_some_and(|value| value == "0");
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto if set("NO_COLOR") => false,
        ColorChoice::Auto if set("CLICOLOR_FORCE") && !zero("CLICOLOR_FORCE") => true,
        ColorChoice::Auto => terminal && !zero("CLICOLOR") && is_capable(variable),
    }
}

/// ECMA-48, *Select graphic rendition*.
fn colored(tone: Tone, text: &str) -> String {
    let code = match tone {
        Tone::Good => "1;32",
        Tone::Bad => "1;31",
        Tone::Unsure => "1;33",
        Tone::Strong => "1",
    };
    format!("\u{1b}[{code}m{text}\u{1b}[0m")
}

impl From<ColorChoice> for clap::ColorChoice {
    fn from(choice: ColorChoice) -> Self {
        match choice {
            ColorChoice::Auto => Self::Auto,
            ColorChoice::Always => Self::Always,
            ColorChoice::Never => Self::Never,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TERMINAL: &[(&str, &str)] = &[("TERM", "xterm")];

    fn auto(terminal: bool, variables: &[(&str, &str)]) -> bool {
        let variable = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| OsString::from(value));
        shows_colors(ColorChoice::Auto, terminal, &variable)
    }

    #[test]
    fn a_terminal_shows_colors_and_a_pipe_does_not() {
        assert_eq!(auto(true, TERMINAL), !cfg!(windows));
        assert!(!auto(false, TERMINAL));
        assert!(!auto(true, &[]), "a terminal without TERM is not known to show any");
    }

    #[test]
    fn the_environment_decides_before_the_terminal_and_the_option_before_both() {
        assert!(!auto(true, &[("TERM", "xterm"), ("NO_COLOR", "1")]));
        assert_eq!(auto(true, &[("TERM", "xterm"), ("NO_COLOR", "")]), !cfg!(windows), "an empty NO_COLOR is none");
        assert!(!auto(true, &[("TERM", "dumb")]));
        assert!(!auto(true, &[("TERM", "xterm"), ("CLICOLOR", "0")]));
        assert!(auto(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!auto(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!auto(false, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
        let none = |_: &str| None;
        assert!(shows_colors(ColorChoice::Always, false, &none));
        assert!(!shows_colors(ColorChoice::Never, true, &|_: &str| Some("1".into())));
    }

    #[test]
    fn a_painted_text_ends_its_own_color() {
        for tone in [Tone::Good, Tone::Bad, Tone::Unsure, Tone::Strong] {
            let text = colored(tone, "x");
            assert!(text.starts_with("\u{1b}[1") && text.ends_with("x\u{1b}[0m"));
        }
    }
}
