//! Tables of fields whose holes and overlaps the compiler rejects.

/// Declares where each field of a fixed-size structure lies; `docs/format.md` has the same table,
/// and a test compares the two.
macro_rules! layout {
    ($(#[$doc:meta])* $name:ident, $total:literal { $($field:ident : $from:literal .. $to:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub(crate) struct $name;

        impl $name {
            $(
                #[doc = concat!("Where `", stringify!($field), "` begins.")]
                pub(crate) const $field: usize = $from;
            )*
            /// Length of the whole.
            pub(crate) const LEN: usize = $total;
            /// Every field: name, first byte, the byte after the last.
            #[cfg(test)]
            pub(crate) const FIELDS: &[(&str, usize, usize)] =
                &[$((stringify!($field), $from, $to),)*];
        }

        const _: () = {
            let mut end = 0;
            $(
                assert!($from == end, "a hole or an overlap");
                assert!($to > $from, "an empty field");
                end = $to;
            )*
            assert!(end == $total, "the fields do not add up");
        };
    };
}

pub(crate) use layout;

/// The `N` bytes at `at`; zeroes where there are not as many.
#[inline]
pub(crate) fn array_at<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes.get(at..).and_then(<[u8]>::first_chunk).copied().unwrap_or([0; N])
}

/// The number at `at`.
#[inline]
pub(crate) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array_at(bytes, at))
}

/// The number at `at`.
#[inline]
pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array_at(bytes, at))
}

/// The number at `at`.
#[inline]
pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array_at(bytes, at))
}

/// Overwrites the bytes at `at`.
pub(crate) fn put_at<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) {
    if let Some(field) = bytes.get_mut(at..).and_then(<[u8]>::first_chunk_mut) {
        *field = value;
    }
}
