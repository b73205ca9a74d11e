//! Which bit was flipped, by the difference that it makes to a CRC.
//!
//! A CRC is linear: a flipped bit changes it by the same amount whatever the other bits are, and
//! that amount depends only on how many bits follow. Going backward through the bytes, it is the
//! next state of the CRC's shift register from bit to bit. The register of CRC-32 takes
//! 2^32 - 1 steps to come back to a state, so no two bits of anything shorter make the same
//! difference. (W. W. Peterson and D. T. Brown, "Cyclic Codes for Error Detection", 1961.)

/// The polynomial of `docs/format.md`, reflected.
const POLYNOMIAL: u32 = 0xEDB8_8320;

/// The bit of `len` bytes whose flip changes their CRC by `difference`: its byte, and a mask. It is
/// found in one step for each bit.
pub(crate) fn flipped_bit(len: usize, difference: u32) -> Option<(usize, u8)> {
    let mut state = POLYNOMIAL;
    for byte in (0..len).rev() {
        for bit in (0..8).rev() {
            if state == difference {
                return Some((byte, 1 << bit));
            }
            state = (state >> 1) ^ if state & 1 == 1 { POLYNOMIAL } else { 0 };
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_flipped_bit_is_found_whatever_the_bytes() {
        for len in [1_usize, 2, 7, 64, 300] {
            let mut bytes: Vec<u8> =
                (0..=u8::MAX).cycle().map(|byte| byte ^ 0x5A).take(len).collect();
            let right = crc32fast::hash(&bytes);
            for at in 0..len {
                for bit in 0..8 {
                    bytes[at] ^= 1 << bit;
                    let difference = right ^ crc32fast::hash(&bytes);
                    assert_eq!(flipped_bit(len, difference), Some((at, 1 << bit)));
                    bytes[at] ^= 1 << bit;
                }
            }
        }
    }

    /// Up to 91,607 bits, checksum included, no two flipped bits look like one. (P. Koopman,
    /// "32-Bit Cyclic Redundancy Codes for Internet Applications", 2002.)
    #[test]
    fn two_flipped_bits_are_none() {
        let len = 200;
        let mut bytes = vec![7; len];
        let right = crc32fast::hash(&bytes);
        for first in (0..8 * len).step_by(3) {
            for second in (first + 1..8 * len).step_by(7) {
                for bit in [first, second] {
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
                let difference = right ^ crc32fast::hash(&bytes);
                assert_eq!(flipped_bit(len, difference), None, "{first} {second}");
                for bit in [first, second] {
                    bytes[bit / 8] ^= 1 << (bit % 8);
                }
            }
        }
    }

    #[test]
    fn no_difference_is_no_bit() {
        assert_eq!(flipped_bit(1000, 0), None);
        assert_eq!(flipped_bit(0, POLYNOMIAL), None);
    }
}
