//! The numbers of a commit: what header slots and log say alike of the records that it leaves.

use super::status::NO_FREE_RECORD;

/// What a commit counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// The commit's number. Commits are numbered 1, 2, 3 and so on; a new store is at 0.
    pub(crate) commit: u64,
    /// Records, deleted ones included.
    pub(crate) records: u64,
    /// Records that are not deleted.
    pub(crate) live: u64,
    /// The deleted record that is used again first.
    pub(crate) free_head: Option<u64>,
}

impl Counts {
    /// Whether every record that is counted lives, as in a store without deletes.
    pub(crate) fn are_all_live(self) -> bool {
        self.live == self.records && self.free_head.is_none()
    }

    /// The free list's first record as files have it.
    pub(crate) fn free_head_number(self) -> u64 {
        self.free_head.unwrap_or(NO_FREE_RECORD)
    }

    /// The free list's first record, by the number that a file has for it.
    pub(crate) fn free_head_of(number: u64) -> Option<u64> {
        (number != NO_FREE_RECORD).then_some(number)
    }

    /// What no commit can have left.
    pub(crate) fn check(self) -> Result<(), String> {
        let Self { records, live, free_head, .. } = self;
        if live > records {
            return Err(format!("{live} live records of {records}"));
        }
        match free_head {
            Some(head) if head >= records => {
                Err(format!("a free list that begins at record {head} of {records}"))
            }
            _ => Ok(()),
        }
    }
}
