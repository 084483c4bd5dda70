//! Numbers of files as lengths in memory: conversions that neither lose nor bend a number.
//!
//! Each says why its number fits. A number that may not fit is converted where it stands, and is an
//! error there.

/// A number of 32 bits as a length in memory.
///
/// It fits: no system that this crate is built for has smaller addresses, as is asserted here.
#[inline]
pub(crate) const fn len_of(number: u32) -> usize {
    const { assert!(usize::BITS >= u32::BITS, "addresses of 32 bits or more") };
    number as usize
}

/// The smaller of a length in a file and one in memory.
///
/// It fits: it is no more than `len`.
#[inline]
pub(crate) const fn smaller(file_len: u64, len: usize) -> usize {
    if file_len < len as u64 { file_len as usize } else { len }
}

/// The length of something that is in memory or in a mapped view, or an offset into it.
///
/// # Panics
/// If so many bytes cannot be addressed: then they are not in memory, which is our own bug.
#[inline]
pub(crate) fn in_memory(len: u64) -> usize {
    usize::try_from(len).expect("what is in memory has been addressed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_is_converted_as_it_is() {
        assert_eq!(len_of(u32::MAX) as u64, u64::from(u32::MAX));
        for (file_len, len, expected) in
            [(0, 0, 0), (3, 5, 3), (5, 5, 5), (9, 5, 5), (u64::MAX, 7, 7), (1 << 32, 1, 1)]
        {
            assert_eq!(smaller(file_len, len), expected, "{file_len} and {len}");
        }
        assert_eq!(smaller(u64::MAX, usize::MAX), usize::MAX);
        assert_eq!(in_memory(u64::from(u32::MAX)), len_of(u32::MAX));
    }
}
