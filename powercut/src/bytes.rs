//! Numbers and strings of bytes, one after the other: how notes travel and recordings are kept.

use crate::number::{to_u64, to_usize};

/// Puts a number at the end: eight bytes, little-endian.
pub(crate) fn put(out: &mut Vec<u8>, number: u64) {
    out.extend(number.to_le_bytes());
}

/// Puts a length and so many bytes at the end.
pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put(out, to_u64(bytes.len()));
    out.extend(bytes);
}

/// Takes from the front what was put there; `None` where it ends too early.
#[derive(Debug)]
pub(crate) struct Taker<'a>(&'a [u8]);

impl<'a> Taker<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn number(&mut self) -> Option<u64> {
        let (number, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(u64::from_le_bytes(*number))
    }

    pub(crate) fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = to_usize(self.number()?);
        let (bytes, rest) = self.0.split_at_checked(len)?;
        self.0 = rest;
        Some(bytes)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    /// A count, then as many of what `take` takes.
    pub(crate) fn many<T>(&mut self, take: impl Fn(&mut Self) -> Option<T>) -> Option<Vec<T>> {
        let count = self.number()?;
        (0..count).map(|_| take(self)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_put_is_taken() {
        let mut bytes = Vec::new();
        put(&mut bytes, 7);
        put_bytes(&mut bytes, b"text");
        put(&mut bytes, 2);
        put(&mut bytes, 1);
        put(&mut bytes, u64::MAX);
        let mut taker = Taker::new(&bytes);
        assert_eq!(taker.number(), Some(7));
        assert_eq!(taker.text().as_deref(), Some("text"));
        assert_eq!(taker.many(Taker::number), Some(vec![1, u64::MAX]));
        assert!(taker.is_empty() && taker.number().is_none());
        assert_eq!(Taker::new(&[255; 12]).bytes(), None);
    }
}
