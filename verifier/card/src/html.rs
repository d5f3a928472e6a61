//! Writing HTML: constant markup and escaped text never mix.

use serde::Serialize;

/// A document under construction.
#[derive(Debug, Default)]
pub(crate) struct Html {
    out: String,
}

impl Html {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// Markup of our own. Never text from outside.
    pub(crate) fn raw(&mut self, markup: &str) -> &mut Self {
        self.out.push_str(markup);
        self
    }

    /// Text from anywhere, escaped.
    pub(crate) fn text(&mut self, text: &str) -> &mut Self {
        for character in text.chars() {
            match character {
                '&' => self.out.push_str("&amp;"),
                '<' => self.out.push_str("&lt;"),
                '>' => self.out.push_str("&gt;"),
                '"' => self.out.push_str("&quot;"),
                '\'' => self.out.push_str("&#39;"),
                hidden if is_hidden(hidden) => self.out.push_str(&hidden.escape_default().to_string()),
                other => self.out.push(other),
            }
        }
        self
    }

    /// Text over several lines: line feeds stay.
    pub(crate) fn lines(&mut self, text: &str) -> &mut Self {
        for (position, line) in text.split('\n').enumerate() {
            if position > 0 {
                self.out.push('\n');
            }
            self.text(line);
        }
        self
    }

    /// An element without attributes but a class, holding text. Tag and class are our own.
    pub(crate) fn element(&mut self, tag: &str, class: &str, text: &str) -> &mut Self {
        self.raw("<").raw(tag);
        if !class.is_empty() {
            self.raw(" class=\"").raw(class).raw("\"");
        }
        self.raw(">").text(text).raw("</").raw(tag).raw(">")
    }

    /// A definition: name and text, left out when there is no text.
    pub(crate) fn definition(&mut self, name: &str, text: &str) -> &mut Self {
        if !text.is_empty() {
            self.element("dt", "", name).element("dd", "mono", text).raw("\n");
        }
        self
    }

    /// A table's head.
    pub(crate) fn table(&mut self, columns: &[&str]) -> &mut Self {
        self.raw("<div class=\"wide\"><table>\n<thead><tr>");
        for column in columns {
            self.element("th", "", column);
        }
        self.raw("</tr></thead>\n<tbody>\n")
    }

    /// A row of texts.
    pub(crate) fn row(&mut self, cells: &[&str]) -> &mut Self {
        self.raw("<tr>");
        for cell in cells {
            self.element("td", "mono", cell);
        }
        self.raw("</tr>\n")
    }

    /// A table's end.
    pub(crate) fn end_table(&mut self) -> &mut Self {
        self.raw("</tbody></table></div>\n")
    }

    pub(crate) fn finish(self) -> String {
        self.out
    }
}

/// Characters that a reader cannot see or that turn the text around them: controls, bidirectional marks, zero-width ones.
fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
}

/// The word that an enum is written as in JSON.
pub(crate) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_controls_and_direction_marks_become_visible_text() {
        let mut html = Html::new();
        html.element("td", "mono", "<script>alert('1')</script>&\"\u{1b}[2J\u{202e}\u{0}\u{e0041}é");
        assert_eq!(
            html.finish(),
            "<td class=\"mono\">&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&amp;&quot;\\u{1b}[2J\\u{202e}\\u{0}\\u{e0041}é</td>"
        );
    }
}
