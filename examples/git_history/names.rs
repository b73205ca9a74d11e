//! The streams' names.
//!
//! git's names are bytes; a stream's are at most 255 bytes of UTF-8 without control characters.
//! So bytes that are no UTF-8, control characters and `%` are written as `%` and two hexadecimal
//! digits, and of a name that is still too long the beginning is kept, and `%~` and a hash put
//! behind it. Different names stay different: no `%~` comes from the first rule.

use annals::{InvalidName, StreamId, limits::NAME_BYTES_MAX};

/// What the names of all files' streams begin with.
pub(crate) const FILES: &str = "file/";
/// What the names of all authors' streams begin with.
pub(crate) const AUTHORS: &str = "author/";

/// `%~` and 32 hexadecimal digits.
const HASH_BYTES: usize = 34;

/// The stream of a file or an author.
pub(crate) fn stream(prefix: &str, name: &[u8]) -> Result<StreamId, InvalidName> {
    let name = escaped(name);
    if is_short(prefix, &name) {
        return StreamId::new(&format!("{prefix}{name}"));
    }
    let kept = name.floor_char_boundary(NAME_BYTES_MAX - prefix.len() - HASH_BYTES);
    let (start, _) = name.split_at(kept);
    StreamId::new(&format!("{prefix}{start}%~{:032x}", hash(name.as_bytes())))
}

/// Whether the stream's name says all of an escaped name.
pub(crate) fn is_short(prefix: &str, escaped: &str) -> bool {
    prefix.len() + escaped.len() <= NAME_BYTES_MAX
}

/// As UTF-8 without control characters; the bytes can be got back from it.
pub(crate) fn escaped(name: &[u8]) -> String {
    let mut escaped = String::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for character in chunk.valid().chars() {
            if character == '%' || character.is_control() {
                escape(character.encode_utf8(&mut [0; 4]).as_bytes(), &mut escaped);
            } else {
                escaped.push(character);
            }
        }
        escape(chunk.invalid(), &mut escaped);
    }
    escaped
}

fn escape(bytes: &[u8], escaped: &mut String) {
    escaped.extend(bytes.iter().map(|byte| format!("%{byte:02X}")));
}

/// FNV-1a with 128 bits: short, and the same on every machine, now and later.
fn hash(bytes: &[u8]) -> u128 {
    let mix = |hash: u128, byte: &u8| {
        (hash ^ u128::from(*byte)).wrapping_mul(0x0000_0000_0100_0000_0000_0000_0000_013B)
    };
    bytes.iter().fold(0x6C62_272E_07BB_0142_62B8_2175_6295_C58D, mix)
}
