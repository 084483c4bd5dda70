//! The numbers of a header that only ever count up, and whether a writer can count on from them.

use super::Header;
use crate::error::{Error, ErrorKind, Result};

/// Where sequences and numbers of commits end: no store comes that far by counting.
pub(crate) const NUMBERS_END: u64 = 1 << 63;

/// A writer needs that many left when it begins: more than it could use up in a lifetime.
const NUMBERS_LEFT_MIN: u64 = 1 << 48;

impl Header {
    /// An error if the file has features that this program would not keep up if it wrote, or if its
    /// numbers could end while it writes: before anything is promised that no header could tell.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.writers_flags != 0 {
            return Err(Error::new(ErrorKind::UnsupportedFormat, "write to")
                .detail(format!("unknown flags for writers {:#x}", self.writers_flags))
                .advice("a newer version of flatrec wrote it; use that one, or open it to read"));
        }
        self.check_numbers(NUMBERS_END - NUMBERS_LEFT_MIN)
    }

    /// An error if every reader would refuse a header with these numbers.
    pub(crate) fn check_countable(&self) -> Result<()> {
        self.check_numbers(NUMBERS_END)
    }

    fn check_numbers(&self, end: u64) -> Result<()> {
        let used_up = self.numbers().into_iter().find(|&(_, number)| number >= end);
        let Some((what, number)) = used_up else { return Ok(()) };
        Err(Error::new(ErrorKind::OutOfRange, "write to")
            .detail(format!("its {what} is {number}, and such numbers end at 2^63"))
            .advice("make a copy of it with backup, which counts from 1 again, and write to that"))
    }

    /// What only ever counts up.
    pub(super) fn numbers(&self) -> [(&'static str, u64); 2] {
        [("sequence", self.sequence), ("commit", self.commit)]
    }
}
