//! Numbers and names as bytes: little-endian, LEB128 for lengths, one length byte for names.

/// The bytes are not the body of a commit; says what is wrong with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the commit is malformed: {0}")]
pub struct Malformed(pub &'static str);

/// Appends `number` in LEB128: seven bits a byte, low bits first.
pub(crate) fn put_varint(mut number: u32, out: &mut Vec<u8>) {
    while number > 0x7F {
        out.push(low_byte(number) | 0x80);
        number >>= 7;
    }
    out.push(low_byte(number));
}

fn low_byte(number: u32) -> u8 {
    let [low, ..] = number.to_le_bytes();
    low
}

/// Appends a length byte and the name. A name is at most 255 bytes by construction.
pub(crate) fn put_name(name: &str, out: &mut Vec<u8>) {
    out.push(u8::try_from(name.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(name.as_bytes());
}

/// Takes `len` bytes off the front.
#[inline]
pub(crate) fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8], Malformed> {
    let (head, rest) = bytes.split_at_checked(len).ok_or(Malformed("it ends early"))?;
    *bytes = rest;
    Ok(head)
}

/// Takes `N` bytes off the front.
#[inline]
pub(crate) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(Malformed("it ends early"))?;
    *bytes = rest;
    Ok(*head)
}

/// Takes one byte off the front.
#[inline]
pub(crate) fn take_byte(bytes: &mut &[u8]) -> Result<u8, Malformed> {
    let [byte] = take_array(bytes)?;
    Ok(byte)
}

/// Takes a LEB128 number off the front; the shortest form is the only one accepted, so that one
/// commit has one encoding.
#[inline]
pub(crate) fn take_varint(bytes: &mut &[u8]) -> Result<usize, Malformed> {
    // Nearly every number is below 128.
    match bytes.split_first() {
        Some((byte, rest)) if *byte < 0x80 => {
            *bytes = rest;
            Ok(usize::from(*byte))
        }
        _ => take_long_varint(bytes),
    }
}

fn take_long_varint(bytes: &mut &[u8]) -> Result<usize, Malformed> {
    let mut number = 0_u32;
    for shift in [0, 7, 14, 21, 28] {
        let byte = take_byte(bytes)?;
        let bits = u32::from(byte & 0x7F);
        if shift == 28 && bits > 0xF {
            return Err(Malformed("a number is too large"));
        }
        number |= bits << shift;
        if byte & 0x80 == 0 {
            if byte == 0 && shift > 0 {
                return Err(Malformed("a number is not in its shortest form"));
            }
            return usize::try_from(number).map_err(|_| Malformed("a number is too large"));
        }
    }
    Err(Malformed("a number is too long"))
}

/// What follows `prefix`, if `bytes` begin with it. A few bytes are compared faster here than by
/// a call of the system's library.
#[inline]
pub(crate) fn after<'a>(prefix: &[u8], bytes: &'a [u8]) -> Option<&'a [u8]> {
    let (front, rest) = bytes.split_at_checked(prefix.len())?;
    let is_same = match (prefix.last_chunk::<8>(), front.last_chunk::<8>()) {
        (Some(a), Some(b)) if a == b => {
            let words = prefix.as_chunks::<8>().0.iter().zip(front.as_chunks::<8>().0);
            words.into_iter().all(|(a, b)| a == b)
        }
        (Some(_), Some(_)) => false,
        _ => prefix.iter().zip(front).all(|(a, b)| a == b),
    };
    is_same.then_some(rest)
}

/// Takes a length byte and a name off the front; its bytes are UTF-8, nothing more is checked.
pub(crate) fn take_name<'a>(bytes: &mut &'a [u8]) -> Result<&'a str, Malformed> {
    let len = usize::from(take_byte(bytes)?);
    str::from_utf8(take(bytes, len)?).map_err(|_| Malformed("a name is not UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        for number in [0, 1, 127, 128, 300, 16_383, 16_384, 1 << 21, 1 << 28, u32::MAX] {
            let mut bytes = Vec::new();
            put_varint(number, &mut bytes);
            let mut rest = bytes.as_slice();
            assert_eq!(take_varint(&mut rest), Ok(usize::try_from(number).unwrap()));
            assert!(rest.is_empty());
        }
    }

    #[test]
    fn a_prefix_is_the_same_bytes() {
        for len in 0..20 {
            let bytes: Vec<u8> = (0..len + 3).collect();
            let prefix = &bytes[..usize::from(len)];
            assert_eq!(after(prefix, &bytes), Some(&bytes[usize::from(len)..]));
            assert_eq!(after(&bytes, prefix), None);
            for at in 0..prefix.len() {
                let mut other = prefix.to_vec();
                other[at] ^= 0x10;
                assert_eq!(after(&other, &bytes), None, "byte {at} of {len}");
            }
        }
    }

    #[test]
    fn only_the_shortest_form_is_a_number() {
        for bytes in [
            &[0x80, 0x00][..],
            &[0xFF, 0x00],
            &[0x80],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0x10],
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
        ] {
            assert!(take_varint(&mut &*bytes).is_err(), "{bytes:x?}");
        }
    }
}
