//! Text out of a log, made safe to show: names, payloads and paths may hold anything, and a
//! terminal obeys what it is sent.

/// Whether a character is invisible, or changes how what is around it looks: control characters
/// (C0, DEL, C1, with which every escape sequence begins), marks that reorder text, line and
/// paragraph separators, spaces of no width, and tags.
pub fn is_hidden(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}'
            | '\u{61c}'
            | '\u{180e}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// The text with every hidden character, and the backslash, written as an escape: `\\`, `\n`,
/// `\r`, `\t` or `\u{1b}`. What was there can be told from the result.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            hidden if is_hidden(hidden) => out.extend(hidden.escape_unicode()),
            plain => out.push(plain),
        }
    }
    out
}

/// The text escaped and in quotes, for where other text follows it on the line.
pub fn quote(text: &str) -> String {
    format!("\"{}\"", escape(text).replace('"', "\\\""))
}

/// A name, in quotes only if it could be mistaken for more than one word.
pub(crate) fn name(text: &str) -> String {
    let is_plain = |character: char| {
        !character.is_whitespace()
            && !is_hidden(character)
            && !matches!(character, '"' | '\\' | '@' | '=' | ',')
    };
    if !text.is_empty() && text.chars().all(is_plain) { text.to_owned() } else { quote(text) }
}

/// JSON text with the hidden characters in its strings escaped; it means the same.
pub(crate) fn escape_json(json: &str, out: &mut String) {
    for character in json.chars() {
        if is_hidden(character) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                out.push_str("\\u");
                let digits = [12, 8, 4, 0].map(|shift| u32::from(*unit >> shift) & 0xf);
                out.extend(digits.into_iter().filter_map(|digit| char::from_digit(digit, 16)));
            }
        } else {
            out.push(character);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every character that must not reach a terminal as it is.
    fn dangerous() -> Vec<char> {
        let ranges = [0..=0x1f, 0x7f..=0x9f, 0x200e..=0x200f, 0x2028..=0x202e, 0x2066..=0x2069];
        let singles = [0x61c, 0x200b, 0xfeff, 0xe0041];
        ranges.into_iter().flatten().chain(singles).map(|c| char::from_u32(c).unwrap()).collect()
    }

    #[test]
    fn nothing_hidden_gets_through() {
        for character in dangerous() {
            assert!(is_hidden(character), "{character:?}");
            let text = format!("a{character}b");
            for shown in [escape(&text), quote(&text), name(&text)] {
                assert!(!shown.contains(is_hidden), "{shown:?}");
            }
            let mut json = String::new();
            escape_json(&serde_json::to_string(&text).unwrap(), &mut json);
            assert!(!json.contains(is_hidden), "{json:?}");
            assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
        }
        let title = "\u{1b}]0;owned\u{7}\u{9b}31m";
        assert_eq!(escape(title), r"\u{1b}]0;owned\u{7}\u{9b}31m");
    }

    #[test]
    fn what_was_there_can_be_told() {
        assert_eq!(escape("\u{1b}"), r"\u{1b}");
        assert_eq!(escape(r"\u{1b}"), r"\\u{1b}");
        assert_eq!(escape("\n\\n"), r"\n\\n");
        assert_eq!(quote("a\"b"), r#""a\"b""#);
        assert_eq!(quote("a\\\"b"), r#""a\\\"b""#);
    }

    #[test]
    fn plain_text_stays() {
        for text in ["account-17", "Straße-é-日本", "{\"a\": 1}", "👍🏽"] {
            assert_eq!(escape(text), text);
        }
        assert_eq!(name("order/日本#1"), "order/日本#1");
        assert_eq!(name("a b"), "\"a b\"");
        assert_eq!(name("a@3"), "\"a@3\"");
        assert_eq!(name(""), "\"\"");
    }
}
