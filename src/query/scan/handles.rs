//! The calls of stores and snapshots that take a condition.

use super::{Matches, MatchingCopies};
use crate::db::Snapshot;
use crate::error::Result;
use crate::query::Filter;
use crate::store::{Store, WindowedStore};
use crate::txn::Row;

impl<R: Row + ?Sized> Store<R> {
    /// The records for which `filter` is true, in place and in order, each with its number.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3, 40])?;
    /// let filter = Filter::parse("n > 10", &schema)?;
    /// for found in store.filter(&filter).within(..3) {
    ///     let (id, record) = found?;
    ///     assert_eq!((id, record), (1, &[20][..]));
    /// }
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn filter<'a>(&'a self, filter: &'a Filter) -> Matches<'a, R> {
        Matches::new(&self.file, filter)
    }

    /// How many records there are for which `filter` is true.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[1, 20, 3, 40])?;
    /// assert_eq!(store.count_where(&Filter::parse("n > 10", &schema)?)?, 2);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// The first error of [`Store::filter`].
    pub fn count_where(&self, filter: &Filter) -> Result<u64> {
        self.filter(filter).count_records()
    }
}

impl<R: Row + ?Sized> WindowedStore<R> {
    /// Copies of the records for which `filter` is true, in order, each with its number:
    /// [`WindowedStore::copies`] with a condition.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynWindowedStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let mut store = DynWindowedStore::create(&path, &schema)?;
    /// store.append_packed(&[1, 20, 3, 40])?;
    /// let filter = Filter::parse("n > 10", &schema)?;
    /// assert_eq!(store.filter(&filter).next().transpose()?, Some((1, vec![20])));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter<'a>(&'a self, filter: &'a Filter) -> MatchingCopies<'a, R> {
        self.copies(..).matching(filter)
    }

    /// How many records there are for which `filter` is true.
    ///
    /// ```
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynWindowedStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let mut store = DynWindowedStore::create(&path, &schema)?;
    /// store.append_packed(&[1, 20, 3, 40])?;
    /// assert_eq!(store.count_where(&Filter::parse("n > 10", &schema)?)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first error of [`WindowedStore::filter`].
    pub fn count_where(&self, filter: &Filter) -> Result<u64> {
        self.filter(filter).count_records()
    }
}

impl<R: Row + ?Sized> Snapshot<R> {
    /// The records for which `filter` is true, in place and in order, each with its number.
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
    /// let snapshot = database.begin_read()?;
    /// let found: Result<Vec<_>, _> = snapshot.filter(&filter).collect();
    /// assert_eq!(found?, [(1, &[20][..]), (3, &[40])]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn filter<'a>(&'a self, filter: &'a Filter) -> Matches<'a, R> {
        Matches::new(self, filter)
    }

    /// How many records there are for which `filter` is true.
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
    /// assert_eq!(database.begin_read()?.count_where(&filter)?, 2);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// The first error of [`Snapshot::filter`].
    pub fn count_where(&self, filter: &Filter) -> Result<u64> {
        self.filter(filter).count_records()
    }
}
