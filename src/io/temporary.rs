//! A file without a name whose side files have no names either.
//!
//! The side files are found by their suffix in the memory of this process alone. Each is a file
//! without a name in the directory for temporary files, as the data file is: all are gone when the
//! last handle on them goes, and when the process is killed.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::backing::{Backing, Grown, OpenSide, Properties, sealed};
use super::file::FileBacking;
use super::view::{Access, View};
use crate::error::{Error, ErrorKind, Result};
use crate::os::Survives;

/// A temporary file with side files.
#[derive(Debug)]
pub(crate) struct TemporaryBacking {
    file: FileBacking,
    /// By suffix. A side file that was removed lives on in the handles that have it open.
    sides: Mutex<BTreeMap<String, Arc<TemporaryBacking>>>,
}

impl TemporaryBacking {
    /// An empty file.
    ///
    /// # Errors
    /// As [`FileBacking::temporary`].
    pub(crate) fn new() -> Result<Self> {
        Ok(Self { file: FileBacking::temporary(0)?, sides: Mutex::default() })
    }

    fn sides(&self) -> MutexGuard<'_, BTreeMap<String, Arc<Self>>> {
        self.sides.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl sealed::Sealed for TemporaryBacking {}

impl Backing for TemporaryBacking {
    fn path(&self) -> Option<PathBuf> {
        None
    }

    fn properties(&self) -> &Properties {
        self.file.properties()
    }

    fn len_bytes(&self) -> Result<u64> {
        self.file.len_bytes()
    }

    fn allocated_bytes(&self) -> Result<u64> {
        self.file.allocated_bytes()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.file.read_at(offset, into)
    }

    fn next_data(&self, offset: u64) -> Result<u64> {
        self.file.next_data(offset)
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        self.file.write_at(offset, from)
    }

    fn grow(&self, len_bytes: u64) -> Result<Grown> {
        self.file.grow(len_bytes)
    }

    fn trim(&self, len_bytes: u64) -> Result<()> {
        self.file.trim(len_bytes)
    }

    fn view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View> {
        self.file.view(offset, len_bytes, access)
    }

    fn flush_view(&self, view: &View, range: Range<usize>) -> Result<()> {
        self.file.flush_view(view, range)
    }

    /// Does nothing: after a crash or a power cut no file is left that could lack the bytes.
    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn survives_synced(&self) -> Survives {
        Survives::Nothing
    }

    fn sync_full(&self) -> Result<()> {
        Ok(())
    }

    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        self.file.rename(to, replace)
    }

    fn sync_directory(&self) -> Result<()> {
        Ok(())
    }

    fn open_side(&self, suffix: &str, how: OpenSide) -> Result<Option<Arc<dyn Backing>>> {
        let mut sides = self.sides();
        let found = sides.get(suffix).map(Arc::clone);
        match (found, how) {
            (Some(_), OpenSide::Create) => Err(Error::new(ErrorKind::AlreadyExists, "create")
                .detail(format!("a side file {suffix} of this temporary file exists"))),
            (None, OpenSide::Create) => {
                let made = Arc::new(Self::new()?);
                sides.insert(suffix.to_owned(), Arc::clone(&made));
                Ok(Some(made))
            }
            (found, OpenSide::Read | OpenSide::Write) => Ok(found.map(|side| side as _)),
        }
    }

    fn list_sides(&self) -> Result<Vec<String>> {
        Ok(self.sides().keys().cloned().collect())
    }

    fn rename_side(&self, from: &str, to: &str) -> Result<()> {
        let mut sides = self.sides();
        let Some(side) = sides.remove(from) else {
            return Err(Error::new(ErrorKind::NotFound, "rename")
                .detail(format!("this temporary file has no side file {from}")));
        };
        sides.insert(to.to_owned(), side);
        Ok(())
    }

    fn remove_side(&self, suffix: &str) -> Result<()> {
        self.sides().remove(suffix);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn side_files_are_found_by_suffix_until_they_are_removed() {
        let file = TemporaryBacking::new().unwrap();
        assert!(file.open_side("-a", OpenSide::Read).unwrap().is_none());
        assert!(file.open_side("-a", OpenSide::Write).unwrap().is_none());
        let side = file.open_side("-a", OpenSide::Create).unwrap().unwrap();
        side.write_at(0, b"side").unwrap();
        let taken = file.open_side("-a", OpenSide::Create).unwrap_err();
        assert_eq!(taken.kind(), ErrorKind::AlreadyExists);

        file.rename_side("-a", "-b").unwrap();
        assert_eq!(file.rename_side("-a", "-c").unwrap_err().kind(), ErrorKind::NotFound);
        assert_eq!(file.list_sides().unwrap(), ["-b"]);
        let mut seen = [0; 8];
        let again = file.open_side("-b", OpenSide::Read).unwrap().unwrap();
        assert_eq!(again.read_at(0, &mut seen).unwrap(), 4);
        assert_eq!(&seen[..4], b"side");

        file.remove_side("-b").unwrap();
        file.remove_side("-b").unwrap();
        assert!(file.list_sides().unwrap().is_empty());
        assert_eq!(side.len_bytes().unwrap(), 4, "a removed file lives on in its handles");
        assert!((side.path(), file.path()) == (None, None));
    }
}
