//! Databases of numbers, for tests that need any record.

use flatrec::{Database, Durability, Record, Result};

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
pub(crate) struct N {
    pub(crate) n: u64,
}

/// Commits a record.
pub(crate) fn add(database: &Database<N>, n: u64) {
    try_add(database, n).unwrap();
}

/// Commits a record, or returns the error.
pub(crate) fn try_add(database: &Database<N>, n: u64) -> Result<()> {
    let mut transaction = database.begin_write()?;
    transaction.append(&N { n })?;
    transaction.commit(Durability::Immediate).map(drop)
}
