//! Copies records out of snapshots, so that an unreadable page is an error instead of a signal.

use super::Snapshot;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Found;
use crate::txn::{Row, slots};

impl<R: Row + ?Sized> Snapshot<R> {
    /// Copies the bytes of record `id` into `into`, which must have the length of a record. Returns
    /// `false` past the last record and for a deleted one. Once
    /// [`install_fault_guard`](crate::install_fault_guard) was called, an unreadable page is an
    /// error here, while [`Snapshot::get`] raises a signal.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if `into` has another length; [`ErrorKind::Corrupt`] if the
    /// record's status byte is damaged: neither live nor deleted; [`ErrorKind::Truncated`] if
    /// another program has truncated the file; [`ErrorKind::Io`] if the operating system reports an
    /// error.
    ///
    /// ```
    /// use flatrec::{DataType, Durability, DynDatabase, Field, Schema};
    /// let directory = tempfile::tempdir()?;
    /// let path = directory.path().join("numbers.rec");
    /// let schema = Schema::packed([Field::new("n", DataType::UInt16)])?;
    /// let database = DynDatabase::create(&path, &schema)?;
    /// let mut transaction = database.begin_write()?;
    /// transaction.append(&7u16.to_le_bytes())?;
    /// transaction.commit(Durability::Eventual)?;
    /// let mut record = [0; 2];
    /// assert!(database.begin_read()?.read_bytes(0, &mut record)?);
    /// assert_eq!(record, [7, 0]);
    /// assert!(!database.begin_read()?.read_bytes(1, &mut record)?);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn read_bytes(&self, id: u64, into: &mut [u8]) -> Result<bool> {
        self.copy(id, into).map_err(|error| self.source.name(error))
    }

    fn copy(&self, id: u64, into: &mut [u8]) -> Result<bool> {
        if into.len() != self.layout.record_size {
            return Err(Error::new(ErrorKind::InvalidArgument, "read").record(id).detail(format!(
                "a record has {} bytes, and the buffer {}",
                self.layout.record_size,
                into.len()
            )));
        }
        if id >= self.count() {
            return Ok(false);
        }
        let image = self.state.overlay.find(id);
        if !self.layout.deletes {
            match image.and_then(|image| image.get(..self.layout.record_size)) {
                Some(bytes) => into.copy_from_slice(bytes),
                None => self.array.copy(id, self.layout.record_size, into)?,
            }
            return Ok(true);
        }
        let mut slot = vec![0; self.layout.stride];
        match image {
            Some(image) if image.len() == slot.len() => slot.copy_from_slice(image),
            _ => self.array.copy(id, slot.len(), &mut slot)?,
        }
        match self.layout.found(&slot) {
            Ok(Found::Live) => into.copy_from_slice(&slot[..self.layout.record_size]),
            Ok(_) => return Ok(false),
            Err(status) => return Err(slots::damaged(id, status)),
        }
        Ok(true)
    }
}
