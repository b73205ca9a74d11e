//! Every limit of the format and the API, in one place.

/// Longest name of a stream, an event type or a tag, in bytes.
pub const NAME_BYTES_MAX: usize = 255;

/// Largest event: payload, metadata and tags together, in bytes.
pub const EVENT_BYTES_MAX: usize = 16 << 20;

/// Largest commit: all events of one append with their names, in bytes.
pub const COMMIT_BYTES_MAX: usize = 64 << 20;

/// Most events in one append.
pub const COMMIT_EVENTS_MAX: usize = 65_535;

/// Most streams that one append may name, written or only read.
pub const COMMIT_STREAMS_MAX: usize = 65_535;

/// Most tags on one event.
pub const EVENT_TAGS_MAX: usize = 64;

const _: () = {
    assert!(NAME_BYTES_MAX == 0xFF, "a name's length is one byte on disk");
    assert!(COMMIT_EVENTS_MAX == 0xFFFF, "stream and type numbers are at most 16 bits on disk");
    assert!(COMMIT_STREAMS_MAX <= 0xFFFF, "a stream count is 16 bits on disk");
    assert!(EVENT_BYTES_MAX < COMMIT_BYTES_MAX, "the largest event fits into a commit");
    assert!(COMMIT_BYTES_MAX < 1 << 31, "a length is a 32-bit number on disk");
};
