//! Chunks for rayon's threads.

use std::ops::RangeBounds;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::{Chunk, Snapshot};
use crate::txn::Row;

impl<R: Row + ?Sized> Snapshot<R> {
    /// The chunks of [`Snapshot::chunks`], for rayon's threads to share. Chunks of about 1 MiB keep
    /// all threads busy until the end, at no measurable cost.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Database, Durability, Record};
    /// use rayon::iter::ParallelIterator;
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Counter { n: u64 }
    /// let directory = tempfile::tempdir().unwrap();
    /// let database = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
    /// let mut transaction = database.begin_write().unwrap();
    /// transaction.append_slice(&[Counter { n: 3 }; 100_000]).unwrap();
    /// transaction.commit(Durability::Immediate).unwrap();
    ///
    /// let snapshot = database.begin_read().unwrap();
    /// let chunks = snapshot.par_chunks(.., 8192);
    /// let total: u64 = chunks.map(|chunk| chunk.iter().map(|(_, it)| it.n).sum::<u64>()).sum();
    /// assert_eq!(total, 300_000);
    /// # }
    /// ```
    ///
    /// # Panics
    /// If `records` is 0.
    pub fn par_chunks(
        &self,
        ids: impl RangeBounds<u64>,
        records: u64,
    ) -> impl IndexedParallelIterator<Item = Chunk<'_, R>> {
        let chunks = self.chunks(ids, records);
        (0..chunks.len()).into_par_iter().map(move |number| chunks.at(number as u64))
    }
}
