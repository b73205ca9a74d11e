//! What an event is, as a digest that both sides can compute: SHA-256 over its columns, each with
//! its length. A range of events is the digest of theirs, in order.

use annals_event::{EventId, RecordedEvent};
use sha2::{Digest, Sha256};
use tokio_postgres::types::Type;

use crate::{
    rows::{derived_id, signed},
    types::Time,
};

/// The columns of a range of positions, hashed by the server.
macro_rules! hashed {
    () => {
        "SELECT e.position, sha256(
            int8send(e.position) || int8send(e.version) || timestamptz_send(e.time)
            || int4send(coalesce(e.commit_index, -1)) || int2send(e.codec)
            || int4send(e.schema_version)
            || coalesce(uuid_send(e.id), '\\x00000000000000000000000000000000'::bytea)
            || int4send(octet_length(coalesce(s.name, ''))) || convert_to(coalesce(s.name, ''), 'UTF8')
            || int4send(octet_length(e.type)) || convert_to(e.type, 'UTF8')
            || int4send(octet_length(e.payload)) || e.payload
            || int4send(coalesce(octet_length(e.metadata), 0)) || coalesce(e.metadata, ''::bytea)
            || convert_to(coalesce(array_to_string(e.tags, E'\\x1f'), ''), 'UTF8')
        ) AS hash
        FROM events e LEFT JOIN streams s ON s.number = e.stream
        WHERE e.position > $1 AND e.position <= $2"
    };
}

/// One digest of a range.
pub(crate) const RANGE: &str = concat!(
    "SELECT coalesce(sha256(string_agg(x.hash, ''::bytea ORDER BY x.position)), ''::bytea) FROM (",
    hashed!(),
    ") x"
);

/// The digests of a range's events.
pub(crate) const EACH: &str = concat!(hashed!(), " ORDER BY e.position");

/// The range: after, up to.
pub(crate) const TYPES: &[Type] = &[Type::INT8, Type::INT8];

/// The digest of an event of the log with this id. `index` is its place in its commit, if the
/// mirror is to know it.
#[expect(clippy::big_endian_bytes, reason = "as Postgres sends them")]
pub(crate) fn of(log: EventId, index: Option<i32>, event: &RecordedEvent) -> [u8; 32] {
    let mut hash = Sha256::new();
    let position = signed(event.position.get());
    hash.update(position.to_be_bytes());
    hash.update(signed(event.version.get()).to_be_bytes());
    hash.update(Time(event.time).since_2000().to_be_bytes());
    hash.update(index.unwrap_or(-1).to_be_bytes());
    hash.update(i16::from(event.codec.0).to_be_bytes());
    hash.update(i32::from(event.schema_version.0).to_be_bytes());
    let is_derived = event.id == derived_id(log, event.position);
    hash.update(if is_derived { [0; 16] } else { *event.id.as_bytes() });
    for part in [
        event.stream.as_str().as_bytes(),
        event.event_type.as_str().as_bytes(),
        &event.payload,
        &event.metadata,
    ] {
        // No event is as long as 2 GiB.
        hash.update(i32::try_from(part.len()).unwrap_or(i32::MAX).to_be_bytes());
        hash.update(part);
    }
    hash.update(event.tags.join("\u{1f}"));
    hash.finalize().into()
}

/// The digest of a range, from those of its events.
pub(crate) fn of_range<'h>(hashes: impl ExactSizeIterator<Item = &'h [u8; 32]>) -> Vec<u8> {
    if hashes.len() == 0 {
        return Vec::new();
    }
    let mut hash = Sha256::new();
    hashes.for_each(|one| hash.update(one));
    hash.finalize().to_vec()
}
