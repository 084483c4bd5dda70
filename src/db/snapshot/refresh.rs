//! Moves snapshots to newer commits.

use std::sync::Arc;

use super::Snapshot;
use crate::error::Result;
use crate::txn::Row;

impl<R: Row + ?Sized> Snapshot<R> {
    /// Whether the snapshot shows the newest commit. Costs a few loads of memory, also beside a
    /// writer.
    pub fn is_newest(&self) -> bool {
        self.source.is_newest(&self.state)
    }

    /// Moves the snapshot to the newest commit. Returns `false` if it shows that one already.
    ///
    /// # Errors
    /// For a snapshot of a reader, as
    /// [`ReadOnlyDatabase::begin_read`](crate::ReadOnlyDatabase::begin_read); then the
    /// snapshot stays unchanged. A snapshot of a [`Database`](crate::Database) does not fail.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Database, Durability, Record};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Counter { n: u64 }
    /// let directory = tempfile::tempdir().unwrap();
    /// let database = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
    /// let mut snapshot = database.begin_read().unwrap();
    /// assert!(!snapshot.refresh().unwrap());
    ///
    /// let mut transaction = database.begin_write().unwrap();
    /// transaction.append(&Counter { n: 1 }).unwrap();
    /// transaction.commit(Durability::Eventual).unwrap();
    /// assert!(!snapshot.is_newest() && snapshot.is_empty());
    /// assert!(snapshot.refresh().unwrap());
    /// assert_eq!(snapshot.get(0).unwrap().n, 1);
    /// # }
    /// ```
    pub fn refresh(&mut self) -> Result<bool> {
        if self.is_newest() {
            return Ok(false);
        }
        let state = self.source.newest()?;
        if Arc::ptr_eq(&state, &self.state) {
            return Ok(false);
        }
        *self = Self::new(Arc::clone(&self.source), state)?;
        Ok(true)
    }
}
