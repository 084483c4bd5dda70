//! flatrec itself: the handle that has a file to itself, and the database.

use std::io;

use flatrec::{Durability, DynDatabase, DynReadOnlyDatabase, DynStore};

use super::{Reads, Timed, Writes};
use crate::bench::shape::Shape;

/// The store's own error, which says more than its kind.
pub(super) fn other(error: flatrec::Error) -> io::Error {
    io::Error::other(error)
}

fn missing(id: u64) -> io::Error {
    io::Error::other(format!("record {id} is missing"))
}

/// `Store`.
pub(super) struct OwnStore {
    pub(super) store: Option<DynStore>,
    pub(super) shape: Shape,
}

impl OwnStore {
    fn store(&mut self) -> io::Result<&mut DynStore> {
        self.store.as_mut().ok_or_else(|| io::Error::other("the store is closed"))
    }
}

impl Reads for OwnStore {
    fn get(&mut self, ids: &[u64], of: fn(&[u8]) -> u64, _: bool) -> io::Result<u64> {
        let store = &*self.store()?;
        ids.iter().try_fold(0, |sum: u64, &id| {
            Ok(sum.wrapping_add(of(store.get(id).ok_or_else(|| missing(id))?)))
        })
    }

    fn scan(&mut self, of: fn(&[u8]) -> u64) -> io::Result<u64> {
        let store = &*self.store()?;
        Ok(store.iter().fold(0, |sum: u64, (_, record)| sum.wrapping_add(of(record))))
    }
}

impl Writes for OwnStore {
    fn append(&mut self, timed: &mut Timed) -> io::Result<()> {
        let shape = self.shape;
        let mut record = vec![0; shape.record_len()];
        let store = self.store()?;
        for id in 0..shape.records {
            shape.fill(&mut record, id, 0);
            store.append(&record).map_err(other)?;
        }
        store.flush().map_err(other)?;
        timed.durable();
        Ok(())
    }

    fn update(&mut self, ids: &[u64], turn: u32, timed: &mut Timed) -> io::Result<()> {
        let shape = self.shape;
        let mut edit = self.store()?.edit().map_err(other)?;
        for &id in ids {
            let record = edit.get_mut(id).map_err(other)?.ok_or_else(|| missing(id))?;
            shape.fill(record, id, turn);
        }
        edit.finish().map_err(other)?;
        timed.durable();
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.store.take().map_or(Ok(()), |store| store.close().map_err(other))
    }
}

/// A snapshot of a `ReadOnlyDatabase`.
pub(super) struct OwnReader(pub(super) DynReadOnlyDatabase);

impl Reads for OwnReader {
    fn get(&mut self, ids: &[u64], of: fn(&[u8]) -> u64, _: bool) -> io::Result<u64> {
        let snapshot = self.0.begin_read().map_err(other)?;
        ids.iter().try_fold(0, |sum: u64, &id| {
            Ok(sum.wrapping_add(of(snapshot.get(id).ok_or_else(|| missing(id))?)))
        })
    }

    fn scan(&mut self, of: fn(&[u8]) -> u64) -> io::Result<u64> {
        let snapshot = self.0.begin_read().map_err(other)?;
        Ok(snapshot.iter().fold(0, |sum: u64, (_, record)| sum.wrapping_add(of(record))))
    }
}

/// `Database`.
pub(super) struct OwnDatabase {
    pub(super) database: Option<DynDatabase>,
    pub(super) shape: Shape,
}

impl OwnDatabase {
    fn database(&self) -> io::Result<&DynDatabase> {
        self.database.as_ref().ok_or_else(|| io::Error::other("the database is closed"))
    }
}

impl Writes for OwnDatabase {
    fn append(&mut self, timed: &mut Timed) -> io::Result<()> {
        let shape = self.shape;
        let mut record = vec![0; shape.record_len()];
        let mut transaction = self.database()?.begin_write().map_err(other)?;
        for id in 0..shape.records {
            shape.fill(&mut record, id, 0);
            transaction.append(&record).map_err(other)?;
        }
        transaction.commit(Durability::Immediate).map_err(other)?;
        timed.durable();
        Ok(())
    }

    fn update(&mut self, ids: &[u64], turn: u32, timed: &mut Timed) -> io::Result<()> {
        let shape = self.shape;
        let mut record = vec![0; shape.record_len()];
        let mut transaction = self.database()?.begin_write().map_err(other)?;
        for &id in ids {
            shape.fill(&mut record, id, turn);
            transaction.set(id, &record).map_err(other)?;
        }
        transaction.commit(Durability::Immediate).map_err(other)?;
        timed.durable();
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        self.database.take().map_or(Ok(()), |database| database.close().map_err(other))
    }
}
