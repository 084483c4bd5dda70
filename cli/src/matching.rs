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
    let mut left = limit;
    while left > 0 {
        let Some((id, record)) = records.next_record()? else { break };
        let shown = match filter.map_or(Ok(true), |filter| filter.matches(record)) {
            Ok(true) => each(id, record).map(|()| 1),
            Ok(false) => Ok(0),
            Err(error) => Err(error.into()),
        };
        left -= shown.map_err(|failure| failure.in_record("read", path, id))?;
    }
    Ok(())
}
