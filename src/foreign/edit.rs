//! Changes records of a foreign file at their places.

use std::path::Path;

use super::encode::{compare, encode};
use super::file::ForeignFile;
use super::layout::ForeignLayout;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Backing as _, FileBacking};
use crate::number::len_of;
use crate::shm::Wait;

/// The operation in every error of a change.
const SET: &str = "set";

/// A foreign file that is open to change records at their places.
///
/// There is no log and no transaction. Each change is one write, of the bytes from the first to the
/// last that differ in the record. A program that reads beside it sees old bytes, new ones or some
/// of both, and a crash leaves some changes done and others not. What the file has beside the
/// values of the changed fields stays as it is, also what the layout does not describe.
///
/// The caller's duty: no program that does not take the same lock writes to the file while the
/// editor is open, since the bytes between two changed fields are written, too, as they were read.
/// The lock is the advisory lock of the whole file (`flock` on Unix), or one of bytes far past its
/// end on Windows.
///
/// ```
/// use flatrec::foreign::{ForeignEditor, ForeignLayout};
/// use flatrec::{Value, Wait};
/// # let dir = tempfile::tempdir()?;
/// # let path = dir.path().join("samples.bin");
/// std::fs::write(&path, [0, 1, 0xEE, 0, 2, 0xEE])?;
/// let json = r#"{ "endian": "big", "stride": 3, "fields": [{ "name": "n", "type": "uint16" }] }"#;
/// let layout = ForeignLayout::from_json(json, &path)?;
/// let mut editor = ForeignEditor::open(&path, &layout, Wait::No)?;
/// let mut record = editor.file().copy(1)?.expect("two records");
/// editor.file().schema().fields()[0].write(&mut record, &Value::UInt(513))?;
/// assert!(editor.set(1, &record)?);
/// editor.close()?;
/// assert_eq!(std::fs::read(&path)?, [0, 1, 0xEE, 2, 1, 0xEE]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ForeignEditor {
    file: ForeignFile,
    /// After a failed write or sync, what the file has is not known.
    is_poisoned: bool,
}

/// Bytes to write.
struct Change {
    offset: u64,
    bytes: Vec<u8>,
}

impl ForeignEditor {
    /// Opens the file at `path`, whose records lie as `layout` says, and waits for another editor.
    ///
    /// # Errors
    /// [`ErrorKind::Locked`] if another program has the lock; [`ErrorKind::Unsupported`] for a file
    /// whose checksum or index a change would make wrong; [`ErrorKind::PermissionDenied`] for a
    /// file that cannot be written; as [`ForeignFile::open`].
    pub fn open(path: impl AsRef<Path>, layout: &ForeignLayout, wait: Wait) -> Result<Self> {
        let path = path.as_ref();
        refuse_sealed(layout).map_err(|error| error.path(path))?;
        let backing = FileBacking::open(path, true)?;
        if !wait.until(|| backing.try_lock_editor())? {
            return Err(Error::held_by("another program has locked the file").path(path));
        }
        let file = ForeignFile::over(backing, path.to_path_buf(), layout)?;
        Ok(Self { file, is_poisoned: false })
    }

    /// The file, to read its records.
    pub fn file(&self) -> &ForeignFile {
        &self.file
    }

    /// Changes record `id` to `record`, which is one of the [file's schema](ForeignFile::schema);
    /// returns whether that changes any byte. [`ForeignEditor::close`] makes it durable.
    ///
    /// # Errors
    /// As [`ForeignFile::check_set`]; [`ErrorKind::Io`] or [`ErrorKind::NoSpace`] if the operating
    /// system reports an error, after which the record may have some of the new bytes, and
    /// [`ErrorKind::Poisoned`] ever after.
    pub fn set(&mut self, id: u64, record: &[u8]) -> Result<bool> {
        self.refuse_poisoned()?;
        let Some(change) = self.file.change(id, record)? else { return Ok(false) };
        self.is_poisoned = true;
        let written = self.file.backing.write_at(change.offset, &change.bytes);
        written.map_err(|error| error.record(id).path(self.file.path()))?;
        self.is_poisoned = false;
        Ok(true)
    }

    /// Makes the changes durable, and releases the lock. An editor that is dropped leaves it to the
    /// operating system when its changes go to the disk.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error; [`ErrorKind::Poisoned`] after a
    /// failed [`ForeignEditor::set`].
    pub fn close(self) -> Result<()> {
        self.refuse_poisoned()?;
        self.file.backing.sync_data().map_err(|error| error.path(self.file.path()))
    }

    fn refuse_poisoned(&self) -> Result<()> {
        match self.is_poisoned {
            false => Ok(()),
            true => Err(Error::new(ErrorKind::Poisoned, SET)
                .path(self.file.path())
                .detail("an earlier write failed, so its record may have some of the new bytes")
                .advice("compare that record, and open the file again")),
        }
    }
}

impl ForeignFile {
    /// Whether [`ForeignEditor::set`] would change the file if it changed record `id` to `record`.
    /// Nothing is written.
    ///
    /// ```
    /// use flatrec::ErrorKind;
    /// use flatrec::foreign::{ForeignFile, ForeignLayout};
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("lines.txt");
    /// std::fs::write(&path, "7 \n8 \n")?;
    /// let json = r#"{ "kind": "text", "fields": [
    ///     { "name": "n", "type": "uint8", "width": 2 }
    /// ] }"#;
    /// let file = ForeignFile::open(&path, &ForeignLayout::from_json(json, &path)?)?;
    /// assert!(file.check_set(0, &[99])?);
    /// assert!(!file.check_set(1, &[8])?);
    /// let error = file.check_set(1, &[100]).unwrap_err(); // three digits
    /// assert_eq!(error.kind(), ErrorKind::InvalidValue);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] past the last record; [`ErrorKind::Deleted`] for one that the file
    /// marks as deleted; [`ErrorKind::InvalidArgument`] for a record of another length;
    /// [`ErrorKind::InvalidValue`] for a value that the file cannot keep exactly, or that its
    /// header summarises; [`ErrorKind::Unsupported`] as [`ForeignEditor::open`]; as
    /// [`ForeignFile::copy`] if the record as it is cannot be read.
    pub fn check_set(&self, id: u64, record: &[u8]) -> Result<bool> {
        refuse_sealed(self.layout()).map_err(|error| error.path(self.path()))?;
        Ok(self.change(id, record)?.is_some())
    }

    /// The bytes to write, so that record `id` becomes `record`.
    fn change(&self, id: u64, record: &[u8]) -> Result<Option<Change>> {
        let refused = |kind, detail: String| {
            Err(Error::new(kind, SET).path(self.path()).record(id).detail(detail))
        };
        if id >= self.count() {
            let count = self.count();
            return refused(ErrorKind::OutOfRange, format!("the file has {count} records"));
        }
        let record_size = len_of(self.schema().record_size());
        if record.len() != record_size {
            let len = record.len();
            let detail = format!("{len} bytes for a record of {record_size}");
            return refused(ErrorKind::InvalidArgument, detail);
        }
        let mut old = vec![0; len_of(self.layout().stride())];
        self.read_raw(id, &mut old)?;
        let Some(before) = self.decode_one(id, &old)? else {
            return refused(ErrorKind::Deleted, "the file marks it as deleted".to_owned());
        };
        let mut new = old.clone();
        encode(self.layout(), &before, record, &mut new)
            .map_err(|fault| self.in_record(fault, SET, id))?;
        if let Some(after) = self.decode_one(id, &new)? {
            compare(self.layout(), &after, record)
                .map_err(|fault| self.in_record(fault, SET, id))?;
        }
        let differs = |at: &usize| old[*at] != new[*at];
        let (Some(first), Some(last)) =
            ((0..new.len()).find(differs), (0..new.len()).rfind(differs))
        else {
            return Ok(None);
        };
        let offset = self.offset_of(id)? + first as u64;
        Ok(Some(Change { offset, bytes: new[first..=last].to_vec() }))
    }
}

/// Refuses a file that no change leaves whole.
fn refuse_sealed(layout: &ForeignLayout) -> Result<()> {
    match layout.edits.sealed_by {
        None => Ok(()),
        Some(what) => Err(Error::new(ErrorKind::Unsupported, SET)
            .detail(format!("the file has {what}, which would be wrong after a change"))
            .advice("change it with a program that knows these, or change a copy in a store")),
    }
}
