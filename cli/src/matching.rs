//! Walks through the records that match a condition. Every command that has conditions uses this
//! one function.

use std::path::Path;

use flatrec::Copies;
use flatrec::query::Filter;

use crate::failure::Failure;

/// Calls `each` with the first `limit` of the records that match, in order; without a filter all
/// records match. Errors name the store at `path`.
pub(crate) fn visit(
    path: &Path,
    mut records: Copies<'_>,
    filter: Option<&Filter>,
    limit: u64,
    mut each: impl FnMut(u64, &[u8]) -> Result<(), Failure>,
) -> Result<(), Failure> {
    let mut visit = |found: Option<(u64, &[u8])>| match found {
        Some((id, record)) => {
            each(id, record).map_err(|failure| failure.in_record("read", path, id)).map(|()| true)
        }
        None => Ok(false),
    };
    let mut left = limit;
    match filter {
        Some(filter) => {
            let mut records = records.matching(filter);
            while left > 0 && visit(records.next_record()?)? {
                left -= 1;
            }
        }
        None => {
            while left > 0 && visit(records.next_record()?)? {
                left -= 1;
            }
        }
    }
    Ok(())
}
