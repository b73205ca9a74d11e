//! Payloads and metadata, which only the application understands: text, if they are UTF-8.

use crate::{
    escape::{escape, quote},
    json::Object,
};

/// `key=text`, or `key_hex=digits` for what is no text. The last of a line needs no quotes.
pub(crate) fn text(key: &str, bytes: &[u8], is_last: bool) -> String {
    match str::from_utf8(bytes) {
        Ok(text) if is_last => format!("{key}={}", escape(text)),
        Ok(text) => format!("{key}={}", quote(text)),
        Err(_) => format!("{key}_hex={}", hex(bytes)),
    }
}

/// As [`text`], as a member of an object.
pub(crate) fn put(object: Object, key: &str, bytes: &[u8]) -> Object {
    match str::from_utf8(bytes) {
        Ok(text) => object.put(key, text),
        Err(_) => object.put(&format!("{key}_hex"), hex(bytes)),
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    digits.filter_map(|digit| char::from_digit(digit.into(), 16)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_text_or_hex() {
        assert_eq!(text("payload", b"{\"a\": 1}\n", true), r#"payload={"a": 1}\n"#);
        assert_eq!(text("metadata", b"a b", false), "metadata=\"a b\"");
        assert_eq!(text("payload", &[0xff, 0], true), "payload_hex=ff00");
        let object = put(put(Object::new(), "a", b"x"), "b", &[0x80, 7]);
        assert_eq!(object.finish(), r#"{"a":"x","b_hex":"8007"}"#);
    }
}
