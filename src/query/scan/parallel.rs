//! Conditions on rayon's threads.

use std::ops::Range;

use rayon::iter::{IndexedParallelIterator, IntoParallelIterator, ParallelIterator};

use super::Matches;
use crate::db::Snapshot;
use crate::error::Result;
use crate::query::Filter;
use crate::store::{LendsStrides, Store};
use crate::txn::Row;

/// How many bytes of records a thread takes at a time.
const PART_BYTES: u64 = 1 << 20;

/// The numbers of all records, in parts.
fn parts(source: &dyn LendsStrides) -> impl IndexedParallelIterator<Item = Range<u64>> + use<> {
    let count = source.records();
    if let Some(images) = source.images() {
        images.prepare(&(0..count));
    }
    let part = (PART_BYTES / source.layout().stride as u64).max(1);
    (0..usize::try_from(count.div_ceil(part)).unwrap_or(usize::MAX)).into_par_iter().map(
        move |number| {
            let start = number as u64 * part;
            start..start.saturating_add(part).min(count)
        },
    )
}

fn filter<'a, R: Row + ?Sized>(
    source: &'a dyn LendsStrides,
    filter: &'a Filter,
) -> impl ParallelIterator<Item = Result<(u64, &'a R)>> {
    parts(source).flat_map_iter(move |ids| Matches::new(source, filter).within(ids))
}

/// Adds up the counts of the parts. Gives the first error in the order of the records.
fn count_where<R: Row + ?Sized>(source: &dyn LendsStrides, filter: &Filter) -> Result<u64> {
    let counts =
        parts(source).map(|ids| Matches::<R>::new(source, filter).within(ids).count_records());
    counts.reduce(|| Ok(0), |before, after| Ok(before? + after?))
}

impl<R: Row + ?Sized> Store<R> {
    /// As [`Store::filter`], on rayon's threads. Collected into a vector, the records are in order.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// use rayon::iter::ParallelIterator;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3, 40])?;
    /// let filter = Filter::parse("n > 10", &schema)?;
    /// let found: Result<Vec<_>, _> = store.par_filter(&filter).collect();
    /// assert_eq!(found?, [(1, &[20][..]), (3, &[40])]);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn par_filter<'a>(
        &'a self,
        filter: &'a Filter,
    ) -> impl ParallelIterator<Item = Result<(u64, &'a R)>> {
        self::filter(&self.file, filter)
    }

    /// As [`Store::count_where`], on rayon's threads.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3, 40])?;
    /// assert_eq!(store.par_count_where(&Filter::parse("n > 10", &schema)?)?, 2);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of [`Store::filter`].
    pub fn par_count_where(&self, filter: &Filter) -> Result<u64> {
        count_where::<R>(&self.file, filter)
    }
}

impl<R: Row + ?Sized> Snapshot<R> {
    /// As [`Snapshot::filter`], on rayon's threads. Collected into a vector, the records are in
    /// order.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// use rayon::iter::ParallelIterator;
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[1, 20, 3, 40])?;
    /// transaction.commit(Durability::Immediate)?;
    /// let filter = Filter::parse("n > 10", &schema)?;
    /// let snapshot = database.begin_read()?;
    /// let found: Result<Vec<_>, _> = snapshot.par_filter(&filter).collect();
    /// assert_eq!(found?, [(1, &[20][..]), (3, &[40])]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn par_filter<'a>(
        &'a self,
        filter: &'a Filter,
    ) -> impl ParallelIterator<Item = Result<(u64, &'a R)>> {
        self::filter(self, filter)
    }

    /// As [`Snapshot::count_where`], on rayon's threads.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append_packed(&[1, 20, 3, 40])?;
    /// transaction.commit(Durability::Immediate)?;
    /// let filter = Filter::parse("n > 10", &schema)?;
    /// assert_eq!(database.begin_read()?.par_count_where(&filter)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first error of [`Snapshot::filter`].
    pub fn par_count_where(&self, filter: &Filter) -> Result<u64> {
        count_where::<R>(self, filter)
    }
}
