//! Reading a command line: as clap does, with `--color` and `--json` heeded for usage errors too.

use std::ffi::OsString;

use clap::error::Error;
use clap::{Parser, ValueEnum as _};
use sealtrace_verdict::ExitCode;

use crate::color::{self, ColorChoice};

/// Arguments of every command that prints a result.
#[derive(Debug, Clone, Copy, Default, clap::Args)]
pub struct OutputArgs {
    /// Print the result as JSON on stdout
    #[arg(long)]
    pub json: bool,
    /// Colours: on a terminal unless the environment has `NO_COLOR`, always, or never
    #[arg(long, value_name = "WHEN", value_enum, default_value = "auto", hide_possible_values = true)]
    pub color: ColorChoice,
}

/// Reads the command line of this process. Help, version and usage errors end it, as clap has them: exit 0, 0 and 2.
pub fn parse<C: Parser>() -> C {
    let words: Vec<OsString> = std::env::args_os().collect();
    let choice = color_of(&words);
    color::choose(choice);
    let mut command = C::command().color(choice.into());
    let parsed = command.try_get_matches_from_mut(&words).and_then(|mut matches| C::from_arg_matches_mut(&mut matches));
    parsed.unwrap_or_else(|error| {
        let error = error.format(&mut command);
        if error.use_stderr() && own_words(&words).any(|word| word == "--json") {
            crate::print_json(&usage_error(&error, command.get_name()));
        }
        error.exit()
    })
}

/// The words before `--`: what follows belongs to the command that is started.
fn own_words(words: &[OsString]) -> impl Iterator<Item = &OsString> {
    words.iter().skip(1).take_while(|word| *word != "--")
}

/// What `--color` says, read before the rest can be; a wrong value is left for clap to refuse.
fn color_of(words: &[OsString]) -> ColorChoice {
    let mut words = own_words(words).filter_map(|word| word.to_str());
    let value = words.find_map(|word| match word.strip_prefix("--color") {
        Some("") => Some(None),
        Some(rest) => rest.strip_prefix('=').map(Some),
        None => None,
    });
    let value = value.and_then(|value| value.or_else(|| words.next()));
    value.and_then(|value| ColorChoice::from_str(value, false).ok()).unwrap_or_default()
}

/// The document of a usage error, of the form that [`crate::finish`] prints.
fn usage_error(error: &Error, tool: &str) -> serde_json::Value {
    let text = error.to_string();
    let message = text.split("\n\nUsage").next().unwrap_or_default().trim_start_matches("error: ");
    let message: Vec<_> = message.split_whitespace().collect();
    serde_json::json!({"error": {"exit": ExitCode::NoVerdict.code(), "message": message.join(" "), "next": format!("{tool} --help")}})
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn color_is_found_in_both_spellings_and_not_behind_two_dashes() {
        for (line, choice) in [
            ("tool --color always x", ColorChoice::Always),
            ("tool x --color=never", ColorChoice::Never),
            ("tool x --color", ColorChoice::Auto),
            ("tool --color wrong", ColorChoice::Auto),
            ("tool --colors=never", ColorChoice::Auto),
            ("tool -- cmd --color always", ColorChoice::Auto),
            ("--color=always", ColorChoice::Auto),
        ] {
            assert_eq!(color_of(&words(line)), choice, "{line}");
        }
    }

    #[derive(Debug, Parser)]
    struct Tool {
        #[arg(long, required = true)]
        needed: Option<String>,
        #[command(flatten)]
        output: OutputArgs,
    }

    #[test]
    fn a_usage_error_is_one_json_document_without_the_usage() {
        let error = Tool::try_parse_from(["tool", "--json"]).unwrap_err();
        let document = usage_error(&error, "tool");
        assert_eq!(document["error"]["exit"], 2);
        assert_eq!(document["error"]["message"], "the following required arguments were not provided: --needed <NEEDED>");
        let tool = Tool::try_parse_from(["tool", "--needed", "x"]).unwrap();
        assert_eq!((tool.output.json, tool.output.color, tool.needed.as_deref()), (false, ColorChoice::Auto, Some("x")));
    }
}
