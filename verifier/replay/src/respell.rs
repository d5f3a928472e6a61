//! P7: another spelling of the same JSON: key order, white space, escapes. Integers have one spelling in strict JSON, so they keep it.

use std::fmt::Write as _;

use serde_json::Value;

use crate::seeds::Stream;

const WHITE: [&str; 4] = ["", "", " ", "\t "];

/// The value as JSON in a drawn spelling, on one line.
pub(crate) fn respell(stream: &mut Stream, value: &Value) -> String {
    let mut text = String::new();
    write_value(stream, value, &mut text);
    text
}

fn white(stream: &mut Stream, text: &mut String) {
    text.push_str(WHITE.get(stream.position(WHITE.len())).copied().unwrap_or_default());
}

fn write_value(stream: &mut Stream, value: &Value, text: &mut String) {
    white(stream, text);
    match value {
        Value::Array(items) => write_list(stream, text, ('[', ']'), items.iter(), |stream, text, item| write_value(stream, item, text)),
        Value::Object(map) => {
            let mut entries: Vec<(&String, &Value)> = map.iter().collect();
            let order = stream.permutation(entries.len());
            entries = order.into_iter().filter_map(|from| entries.get(from).copied()).collect();
            write_list(stream, text, ('{', '}'), entries.into_iter(), |stream, text, (key, item)| {
                white(stream, text);
                write_text(stream, key, text);
                white(stream, text);
                text.push(':');
                write_value(stream, item, text);
            });
        }
        Value::String(value) => write_text(stream, value, text),
        Value::Null | Value::Bool(_) | Value::Number(_) => text.push_str(&value.to_string()),
    }
    white(stream, text);
}

fn write_list<T>(
    stream: &mut Stream,
    text: &mut String,
    ends: (char, char),
    items: impl Iterator<Item = T>,
    mut write: impl FnMut(&mut Stream, &mut String, T),
) {
    text.push(ends.0);
    for (position, item) in items.enumerate() {
        if position > 0 {
            text.push(',');
        }
        write(stream, text, item);
    }
    text.push(ends.1);
}

/// One string in two has one drawn character escaped; quotes, backslashes and control characters always are.
fn write_text(stream: &mut Stream, value: &str, text: &mut String) {
    let escaped = if stream.coin() { Some(stream.position(value.chars().count())) } else { None };
    text.push('"');
    for (position, character) in value.chars().enumerate() {
        if Some(position) == escaped || character.is_control() || matches!(character, '"' | '\\') {
            for unit in character.encode_utf16(&mut [0; 2]) {
                write!(text, "\\u{unit:04X}").ok();
            }
        } else {
            text.push(character);
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_spelling_reads_as_the_same_value() {
        let value = serde_json::json!({"a": [1, -2, null, true], "b": {"c": "é\"\\\u{1}\u{1F600}", "d": ""}, "": {}});
        let mut spellings = std::collections::BTreeSet::new();
        for seed in 1..40 {
            let text = respell(&mut Stream::new(seed), &value);
            assert!(!text.contains('\n'));
            assert_eq!(sealtrace_json::parse_value(text.as_bytes(), 10_000).unwrap(), value, "{text}");
            spellings.insert(text);
        }
        assert!(spellings.len() > 35);
    }
}
