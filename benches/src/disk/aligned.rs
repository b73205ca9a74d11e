//! Bytes at an address that direct writes accept.

/// What addresses, offsets and lengths of direct writes are multiples of.
pub(crate) const ALIGNMENT: usize = 4096;

/// Bytes at an aligned address, padded to an aligned length.
#[derive(Debug)]
pub(crate) struct Aligned {
    bytes: Vec<u8>,
    start: usize,
    len: usize,
}

impl Aligned {
    pub(crate) fn new(len: usize) -> Self {
        let len = len.next_multiple_of(ALIGNMENT);
        let bytes = vec![0xA5; len + ALIGNMENT];
        let start = bytes.as_ptr().align_offset(ALIGNMENT);
        Self { bytes, start, len }
    }

    pub(crate) fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.start..).and_then(|bytes| bytes.get(..self.len)).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn address_and_length_are_aligned() {
        for (len, padded) in [(1, 4096), (4096, 4096), (5000, 8192)] {
            let aligned = Aligned::new(len);
            assert_eq!(aligned.as_slice().len(), padded);
            assert_eq!(aligned.as_slice().as_ptr().align_offset(ALIGNMENT), 0);
        }
    }
}
