//! Opening a store, in the same order for every handle: locks, header, side files.
//!
//! An [`Opening`] has the locks and the header. A reader goes on to the log ([`Opening::follow`],
//! [`read_beside::take_up`]). A writer makes header and checksums durable as it read them, and then
//! recovers the log ([`take_over`](super::take_over)). A handle that inspects damage
//! ([`Opening::to_inspect`]) reads log and checksums as they are.

use std::path::Path;
use std::sync::Arc;

use super::engine::Engine;
use super::follow::LogFollower;
use super::locks::Locks;
use super::options::Common;
use super::read_beside;
use super::row::Row;
use super::superblock::Superblock;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Header, Schema};
use crate::io::{Access, Backing, FileBacking, named, refuse_network};
use crate::shm::Wait;

/// A store with its locks taken and its header read.
pub(crate) struct Opening {
    pub(crate) superblock: Superblock,
    pub(crate) locks: Locks,
}

impl Opening {
    /// Opens the store at `path`, with the locks that `access` needs.
    pub(crate) fn at(path: &Path, access: Access, common: &Common) -> Result<Self> {
        let (file, locks) = match access {
            Access::ReadWrite => lock_to_write(path, common)?,
            _ => {
                // If another process replaces the file between these two calls, the reader reads
                // the old file, as if it had opened it a moment before.
                let file = open_file(path, false)?;
                let locks = read_beside::reader_locks(path, &file, common.wait)?;
                (file, locks)
            }
        };
        Ok(Self { superblock: Superblock::open(file)?, locks })
    }

    /// Opens a store that may be damaged, to inspect it as it is. No checkpoint changes it while it
    /// is open. The file may be too short. Makes no lock file.
    pub(crate) fn to_inspect(path: &Path, wait: Wait) -> Result<Self> {
        let file = open_file(path, false)?;
        let locks = read_beside::onlooker_locks(path, &file, wait)?;
        Ok(Self { superblock: Superblock::open_even_short(file)?, locks })
    }

    /// Opens a store in a backing that no other handle has open.
    pub(crate) fn over(backing: Arc<dyn Backing>) -> Result<Self> {
        Ok(Self { superblock: Superblock::open(backing)?, locks: Locks::none() })
    }

    /// Refuses a store whose records cannot be rows of this type, or whose records an interrupted
    /// edit left half changed.
    pub(crate) fn check_rows<R: Row + ?Sized>(
        self,
        by_hand: Option<&Schema>,
        common: &Common,
    ) -> Result<Self> {
        match rows_of::<R>(&self.superblock, by_hand, common) {
            Ok(()) => Ok(self),
            Err(error) => Err(self.superblock.name(error)),
        }
    }

    /// Reads the log, and follows it. The images are aligned to `alignment`.
    pub(crate) fn follow(self, alignment: usize) -> Result<LogFollower> {
        let backing = Arc::clone(self.superblock.backing());
        LogFollower::open(self.superblock, self.locks, alignment)
            .map_err(|error| named(error, &*backing))
    }

    /// Recovers the log, and opens the store to write by transactions.
    pub(crate) fn write(self, common: &Common, alignment: usize) -> Result<Engine> {
        let backing = Arc::clone(self.superblock.backing());
        Engine::open(self.superblock, self.locks, common, alignment)
            .map_err(|error| named(error, &*backing))
    }
}

/// Opens a file that is a store. Refuses any other file before it is locked or gets a lock file.
fn open_file(path: &Path, writable: bool) -> Result<Arc<FileBacking>> {
    let file = Arc::new(FileBacking::open_any(path, writable)?);
    Superblock::check_is_store(&*file)?;
    Ok(file)
}

/// Opens the file and takes the writer's locks. If another process replaced the file while the
/// writer waited for a lock, the writer starts again with the new file.
fn lock_to_write(path: &Path, common: &Common) -> Result<(Arc<FileBacking>, Locks)> {
    loop {
        let file = open_file(path, true)?;
        let file_id = || Superblock::header_in(&*file).ok().map(|header| header.file_id);
        let locks = Locks::writer(path, common.wait, file_id)?;
        let locks = locks.add_inode(path, &file, common.wait)?;
        if file.is_same_file(&FileBacking::open(path, false)?)? {
            refuse_network_unless(common, &*file, "open for writing")?;
            return Ok((file, locks));
        }
    }
}

/// Opens a store to read, and again if the file system copied it during the opening: views of the
/// original do not show what a writer writes to the copy.
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

pub(crate) fn refuse_network_unless(
    common: &Common,
    file: &dyn Backing,
    operation: &'static str,
) -> Result<()> {
    if common.allow_network { Ok(()) } else { refuse_network(file, operation) }
}

/// Refuses a store whose exclusive edit was interrupted.
fn check_features(header: &Header, common: &Common) -> Result<()> {
    if header.editing && !common.accept_interrupted_edit {
        return Err(Error::new(ErrorKind::InterruptedEdit, "open")
            .detail("an exclusive edit was interrupted: records may be half changed")
            .advice(
                "restore a copy, or accept the records as they are with \
                 OpenOptions::accept_interrupted_edit",
            ));
    }
    Ok(())
}

/// As [`Opening::check_rows`], with only the superblock.
pub(crate) fn rows_of<R: Row + ?Sized>(
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
        "the records lie {stride} bytes apart, and the type must be aligned to {} bytes",
        R::ALIGNMENT
    )))
}
