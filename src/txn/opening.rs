//! Opening a data file: its locks, and what is refused.

use std::path::Path;
use std::sync::Arc;

use super::locks::Locks;
use super::options::Common;
use super::read_beside;
use super::row::Row;
use super::superblock::Superblock;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Header, Schema};
use crate::io::{Access, FileBacking, refuse_network};

/// Opens the data file and takes the locks that `access` needs. Who had to wait for a lock may find
/// the file replaced by another meanwhile, and then starts again with that.
fn open_locked(path: &Path, access: Access, common: &Common) -> Result<(Arc<FileBacking>, Locks)> {
    loop {
        let file = Arc::new(FileBacking::open_any(path, access == Access::ReadWrite)?);
        // Before a lock file is made beside what is none of our business.
        Superblock::check_is_store(&*file)?;
        let locks = match access {
            Access::ReadWrite => {
                let file_id = || Superblock::header_in(&*file).ok().map(|header| header.file_id);
                Locks::writer(path, common.wait, file_id)?.add_inode(path, &file, common.wait)?
            }
            _ => read_beside::reader_locks(path, &file, common.wait)?,
        };
        if access != Access::ReadWrite {
            // A file that was replaced meanwhile is as good to read as the moment before.
            return Ok((file, locks));
        }
        let named = FileBacking::open(path, false)?;
        if file.is_same_file(&named)? {
            return Ok((file, locks));
        }
    }
}

/// Opens a store to read, again if the file system copied it meanwhile: views of what was opened
/// before do not follow.
pub(crate) fn until_current<V>(mut open: impl FnMut() -> Result<V>) -> Result<V> {
    const TRIES: u32 = 8;
    let mut tries = 0;
    loop {
        match open() {
            Err(error) if error.kind() == ErrorKind::Outdated && tries < TRIES => tries += 1,
            other => return other,
        }
    }
}

/// Opens the data file with its locks, and reads the header.
pub(crate) fn open_superblock(
    path: &Path,
    access: Access,
    common: &Common,
) -> Result<(Superblock, Locks)> {
    let (file, locks) = open_locked(path, access, common)?;
    if access == Access::ReadWrite {
        refuse_network_unless(common, &file, "open for writing")?;
    }
    Ok((Superblock::open(file)?, locks))
}

pub(crate) fn refuse_network_unless(
    common: &Common,
    file: &FileBacking,
    operation: &'static str,
) -> Result<()> {
    if common.allow_network { Ok(()) } else { refuse_network(file, operation) }
}

/// Refuses what was interrupted.
pub(crate) fn check_features(header: &Header, common: &Common) -> Result<()> {
    if header.editing && !common.accept_interrupted_edit {
        return Err(Error::new(ErrorKind::InterruptedEdit, "open")
            .detail("an exclusive edit was interrupted: records may be half changed")
            .advice(
                "restore a copy, or accept the records as they are with \
                 Options::accept_interrupted_edit",
            ));
    }
    Ok(())
}

/// An error if the store's records cannot be seen as rows of this type, or were left half changed.
pub(crate) fn check_rows<R: Row + ?Sized>(
    superblock: &Superblock,
    by_hand: Option<&Schema>,
    common: &Common,
) -> Result<()> {
    R::check_schema(by_hand, superblock.schema())?;
    check_features(superblock.header(), common)?;
    let stride = superblock.header().stride as usize;
    if stride % R::ALIGNMENT == 0 {
        return Ok(());
    }
    Err(Error::new(ErrorKind::SchemaMismatch, "open").detail(format!(
        "the records lie {stride} bytes apart, and the type's addresses are multiples of {}",
        R::ALIGNMENT
    )))
}
