//! Payloads as JSON that Postgres can hold.

use annals_event::CodecId;
use serde_json::Value;

/// A payload as JSON text, if its codec says enough, and Postgres can hold it: it has no place for
/// NUL in text.
pub(crate) fn text(codec: CodecId, payload: &[u8]) -> Option<String> {
    match codec {
        CodecId::JSON => {
            let text = str::from_utf8(payload).ok()?;
            let value: Value = serde_json::from_str(text).ok()?;
            // The text itself: its numbers may have more digits than a `Value`.
            can_be_held(&value).then(|| text.to_owned())
        }
        CodecId::MESSAGE_PACK => {
            let value: Value = rmp_serde::from_slice(payload).ok()?;
            can_be_held(&value).then(|| value.to_string())
        }
        _ => None,
    }
}

fn can_be_held(value: &Value) -> bool {
    let is_text = |text: &str| !text.contains('\0');
    match value {
        Value::String(text) => is_text(text),
        Value::Array(values) => values.iter().all(can_be_held),
        Value::Object(fields) => {
            fields.iter().all(|(name, value)| is_text(name) && can_be_held(value))
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_postgres_can_hold_is_text() {
        let text = |payload: &[u8]| text(CodecId::JSON, payload);
        let digits = br#"{"a": [1.50, "x\\u0000"], "b": 12345678901234567890123}"#;
        assert_eq!(text(digits).unwrap().as_bytes(), digits);
        for wrong in [
            &br#"{"a": "\u0000"}"#[..],
            br#"{"\u0000": 1}"#,
            br#"["\ud800"]"#,
            b"{\"a\": \"\xff\"}",
            b"{} {}",
            b"1e999",
            b"",
        ] {
            assert_eq!(text(wrong), None, "{}", String::from_utf8_lossy(wrong));
        }
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        assert_eq!(text(deep.as_bytes()), None);
    }

    #[test]
    fn message_pack_is_told_in_json_and_others_are_not() {
        let packed = rmp_serde::to_vec_named(&serde_json::json!({"cents": 5})).unwrap();
        assert_eq!(text(CodecId::MESSAGE_PACK, &packed).unwrap(), r#"{"cents":5}"#);
        assert_eq!(text(CodecId::MESSAGE_PACK, &[0xc4, 1, 0]), None, "bytes are no text");
        assert_eq!(text(CodecId::BINCODE, b"{}"), None);
        assert_eq!(text(CodecId::RAW, b"{}"), None);
    }
}
