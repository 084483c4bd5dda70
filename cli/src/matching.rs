//! Walks through the records that match a condition. Every command that has conditions uses these.

use std::path::Path;

use flatrec::Copies;
use flatrec::query::{Filter, MatchingCopies};

use crate::failure::Failure;

/// Copies of the records that match, in order; without a filter all records match.
pub(crate) enum Matching<'a> {
    All(Copies<'a>),
    Some(MatchingCopies<'a>),
}

impl<'a> Matching<'a> {
    pub(crate) fn new(records: Copies<'a>, filter: Option<&'a Filter>) -> Self {
        match filter {
            Some(filter) => Self::Some(records.matching(filter)),
            None => Self::All(records),
        }
    }

    /// The next record and its number. After an error the next call continues behind that record.
    pub(crate) fn next_record(&mut self) -> flatrec::Result<Option<(u64, &[u8])>> {
        match self {
            Self::All(records) => records.next_record(),
            Self::Some(records) => records.next_record(),
        }
    }
}

/// Calls `each` with the first `limit` of the records that match, in order; without a filter all
/// records match. Errors name the store at `path`.
pub(crate) fn visit(
    path: &Path,
    records: Copies<'_>,
    filter: Option<&Filter>,
    limit: u64,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut records = Matching::new(records, filter);
    let mut left = limit;
    while left > 0 {
        let Some((id, record)) = records.next_record()? else { break };
        each(id, record).map_err(|failure| failure.in_record("read", path, id))?;
        left -= 1;
    }
    Ok(())
}
