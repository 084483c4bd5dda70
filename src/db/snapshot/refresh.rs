//! Snapshots that move on to newer commits.

use std::sync::Arc;

use super::Snapshot;
use crate::error::Result;
use crate::txn::Row;

impl<R: Row + ?Sized> Snapshot<R> {
    /// Whether this is the newest state there is to be seen. Costs a few loads, whoever writes.
    pub fn is_newest(&self) -> bool {
        self.source.is_newest(&self.state)
    }

    /// Moves the snapshot to the newest state there is: says whether it was another one. What was
    /// borrowed from it is given back by then, as the borrow checker sees to.
    ///
    /// # Errors
    /// As [`Reader::begin_read`](crate::Reader::begin_read), for a snapshot of a reader; then the
    /// snapshot is what it was. For one of a [`Database`](crate::Database), none.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Database, Durability, Record};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Counter { n: u64 }
    /// let directory = tempfile::tempdir().unwrap();
    /// let database = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
    /// let mut snapshot = database.begin_read();
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
