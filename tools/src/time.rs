//! Times for people.

/// Microseconds since 1970-01-01T00:00:00Z as RFC 3339 says it, in UTC; as a number, if that has
/// no such date.
pub(crate) fn rfc_3339(micros: i64) -> String {
    match jiff::Timestamp::from_microsecond(micros) {
        Ok(timestamp) => format!("{timestamp:.6}"),
        Err(_) => format!("{micros}us"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_utc_with_microseconds() {
        assert_eq!(rfc_3339(0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(rfc_3339(-1), "1969-12-31T23:59:59.999999Z");
        assert_eq!(rfc_3339(1_709_164_800_000_001), "2024-02-29T00:00:00.000001Z");
        assert_eq!(rfc_3339(i64::MAX), "9223372036854775807us");
        assert_eq!(rfc_3339(i64::MIN), "-9223372036854775808us");
    }
}
