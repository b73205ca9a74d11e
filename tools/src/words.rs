//! Numbers as words.

/// A number of things.
pub(crate) fn counted(number: u64, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

/// Positions from the first to the one before `next`.
pub(crate) fn positions(first: u64, next: u64) -> String {
    match next.checked_sub(1) {
        Some(last) if last == first => format!("position {first}"),
        Some(last) if last > first => format!("positions {first} to {last}"),
        _ => "no positions".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_no_plural() {
        assert_eq!(counted(0, "commit"), "0 commits");
        assert_eq!(counted(1, "commit"), "1 commit");
        assert_eq!(positions(1, 1), "no positions");
        assert_eq!(positions(1, 2), "position 1");
        assert_eq!(positions(1, 3), "positions 1 to 2");
        assert_eq!(positions(1, 0), "no positions");
    }
}
