//! The identity of an event.

use std::fmt;

use crate::ordinal::Position;

/// 16 bytes that name one event. The caller may give them, to make an append idempotent;
/// otherwise they follow from the log's id and the event's position and take no space on disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EventId([u8; 16]);

impl EventId {
    /// From bytes, for example those of a UUID.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// The id of the event at `position` of the log `log_id` when its writer gave none.
    pub const fn derived(log_id: u128, position: Position) -> Self {
        // `as` widens here; `From` is not const.
        #[expect(clippy::as_conversions, reason = "u64 to u128 in a const fn")]
        let position = position.get() as u128;
        Self((log_id ^ position).to_le_bytes())
    }
}

/// Hexadecimal in the five groups of a UUID (RFC 9562).
impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            if matches!(index, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_differ_by_position_and_log() {
        let id = EventId::derived(7 << 64, Position::new(1));
        assert_ne!(id, EventId::derived(7 << 64, Position::new(2)));
        assert_ne!(id, EventId::derived(8 << 64, Position::new(1)));
        assert_eq!(id.to_string(), "01000000-0000-0000-0700-000000000000");
    }
}
