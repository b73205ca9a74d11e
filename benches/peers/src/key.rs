//! Keys of events in key-value stores: the stream's number, then the version, most significant
//! byte first, so that a stream's events lie beside each other and in order.

use crate::system::Failure;

/// How long a key is.
pub(crate) const KEY_BYTES: usize = STREAM_BYTES + 8;

const STREAM_BYTES: usize = 4;

/// The key of an event.
#[expect(clippy::big_endian_bytes, reason = "the order of keys")]
pub(crate) fn of(stream: u32, version: u64) -> [u8; KEY_BYTES] {
    let mut key = [0; KEY_BYTES];
    let (head, tail) = key.split_at_mut(STREAM_BYTES);
    head.copy_from_slice(&stream.to_be_bytes());
    tail.copy_from_slice(&version.to_be_bytes());
    key
}

/// What every key of a stream begins with.
#[expect(clippy::big_endian_bytes, reason = "the order of keys")]
pub(crate) fn prefix(stream: u32) -> [u8; STREAM_BYTES] {
    stream.to_be_bytes()
}

/// The stream and the version of a key.
#[expect(clippy::big_endian_bytes, reason = "the order of keys")]
pub(crate) fn parse(key: &[u8]) -> Result<(u32, u64), Failure> {
    let (stream, version) = key.split_first_chunk().ok_or("a key is too short")?;
    let version = version.first_chunk().ok_or("a key is too short")?;
    Ok((u32::from_be_bytes(*stream), u64::from_be_bytes(*version)))
}

/// The version of a stream, by the last key that is not after it.
pub(crate) fn version_of(stream: u32, last: Option<&[u8]>) -> Result<u64, Failure> {
    let Some(last) = last else { return Ok(0) };
    let (found, version) = parse(last)?;
    Ok(if found == stream { version } else { 0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_in_the_order_of_streams_and_versions() {
        let keys = [(1, 2), (1, 256), (2, 1), (256, 0)].map(|(s, v)| of(s, v));
        assert!(keys.is_sorted());
        assert_eq!(parse(&keys[1]).unwrap(), (1, 256));
        assert!(keys[2].starts_with(&prefix(2)));
        assert!(parse(b"short").is_err());
    }

    #[test]
    fn the_version_is_that_of_the_last_key_of_the_stream() {
        assert_eq!(version_of(2, Some(&of(2, 7))).unwrap(), 7);
        assert_eq!(version_of(3, Some(&of(2, 7))).unwrap(), 0);
        assert_eq!(version_of(3, None).unwrap(), 0);
    }
}
