//! What a name may be: of a stream, an event type, a tag.

use crate::limits::NAME_BYTES_MAX;

/// A name that is empty, too long, or holds a control character.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidName {
    /// Nothing in it.
    #[error("{what} is empty; give it 1 to 255 bytes")]
    Empty {
        /// What was to be named.
        what: &'static str,
    },
    /// Longer than [`NAME_BYTES_MAX`].
    #[error("{what} has {bytes} bytes; shorten it to at most 255")]
    TooLong {
        /// What was to be named.
        what: &'static str,
        /// Its length in bytes.
        bytes: usize,
    },
    /// A control character (Unicode category Cc) in it.
    #[error("{what} has the control character U+{:04X} at byte {at}; remove or encode it", u32::from(*character))]
    ControlCharacter {
        /// What was to be named.
        what: &'static str,
        /// The character.
        character: char,
        /// Its offset in bytes.
        at: usize,
    },
}

/// Checks a name; `what` says in the error what it would have named.
pub(crate) fn check(name: &str, what: &'static str) -> Result<(), InvalidName> {
    if name.is_empty() {
        return Err(InvalidName::Empty { what });
    }
    if name.len() > NAME_BYTES_MAX {
        return Err(InvalidName::TooLong { what, bytes: name.len() });
    }
    // Nearly every name needs no decoding.
    if is_printable_ascii(name.as_bytes()) {
        return Ok(());
    }
    match name.char_indices().find(|(_, character)| character.is_control()) {
        Some((at, character)) => Err(InvalidName::ControlCharacter { what, character, at }),
        None => Ok(()),
    }
}

/// Whether every byte is one of 0x20 to 0x7E.
#[inline]
fn is_printable_ascii(name: &[u8]) -> bool {
    // Eight bytes at a time: a byte's high bit is set in `wrong` if it is below 0x20, or above
    // 0x7E, or if a byte before it was.
    const ONES: u64 = u64::from_le_bytes([1; 8]);
    let Some(last) = name.last_chunk() else {
        return name.iter().all(|byte| matches!(byte, 0x20..=0x7E));
    };
    let (words, _) = name.as_chunks();
    let wrong = words.iter().chain([last]).fold(0, |wrong, word| {
        let word = u64::from_le_bytes(*word);
        wrong | word.wrapping_sub(0x20 * ONES) | word.wrapping_add(ONES) | word
    });
    wrong & (0x80 * ONES) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn printable_ascii_is_told_from_everything_else() {
        for len in 1..=17 {
            let name = vec![b'a'; len];
            assert!(is_printable_ascii(&name));
            for (at, byte) in (0..len).flat_map(|at| (0..=255).map(move |byte| (at, byte))) {
                let mut name = name.clone();
                name[at] = byte;
                let expected = matches!(byte, 0x20..=0x7E);
                assert_eq!(is_printable_ascii(&name), expected, "{byte:x} at {at} of {len}");
            }
        }
    }

    #[test]
    fn a_name_is_1_to_255_bytes_without_control_characters() {
        assert_eq!(check("", "x"), Err(InvalidName::Empty { what: "x" }));
        assert_eq!(check(&"a".repeat(255), "x"), Ok(()));
        let long = "a".repeat(256);
        assert_eq!(check(&long, "x"), Err(InvalidName::TooLong { what: "x", bytes: 256 }));
        for character in ['\0', '\n', '\u{1b}', '\u{7f}', '\u{85}', '\u{9b}'] {
            let expected = InvalidName::ControlCharacter { what: "x", character, at: 2 };
            assert_eq!(check(&format!("ab{character}c"), "x"), Err(expected));
        }
        assert_eq!(check("Straße-é-日本", "x"), Ok(()));
    }

    #[test]
    fn the_error_says_what_to_do() {
        let error = check("a\u{1b}", "the stream id").unwrap_err();
        let text = "the stream id has the control character U+001B at byte 1; remove or encode it";
        assert_eq!(error.to_string(), text);
    }
}
