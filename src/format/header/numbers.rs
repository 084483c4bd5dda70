//! The numbers of a header that only ever increase, and whether a writer can continue them.

use super::Header;
use crate::error::{Error, ErrorKind, Result};

/// The end of sequences and commit numbers: counting never reaches it.
pub(crate) const NUMBERS_END: u64 = 1 << 63;

/// A writer needs this many left when it begins: more than it can use up.
const NUMBERS_LEFT_MIN: u64 = 1 << 48;

impl Header {
    /// Refuses a file with features that this program would not maintain, and one whose numbers
    /// could reach their end while it writes.
    pub(crate) fn check_writable(&self) -> Result<()> {
        if self.writers_flags != 0 {
            return Err(Error::new(ErrorKind::UnsupportedFormat, "write to")
                .detail(format!("unknown flags for writers {:#x}", self.writers_flags))
                .advice("a newer version of flatrec wrote it; use that one, or open it to read"));
        }
        self.check_numbers(NUMBERS_END - NUMBERS_LEFT_MIN)
    }

    /// Refuses numbers that every reader would refuse in a header.
    pub(crate) fn check_countable(&self) -> Result<()> {
        self.check_numbers(NUMBERS_END)
    }

    fn check_numbers(&self, end: u64) -> Result<()> {
        let used_up = self.numbers().into_iter().find(|&(_, number)| number >= end);
        let Some((what, number)) = used_up else { return Ok(()) };
        Err(Error::new(ErrorKind::OutOfRange, "write to")
            .detail(format!("its {what} is {number}, too close to the limit of 2^63"))
            .advice("make a copy of it with backup, which counts from 1 again, and write to that"))
    }

    /// The numbers that only increase.
    pub(super) fn numbers(&self) -> [(&'static str, u64); 2] {
        [("sequence", self.sequence), ("commit", self.counts.commit)]
    }
}
