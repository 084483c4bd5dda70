//! Under which name a store's checksums lie, and what their header says before a writer begins.
//!
//! A store that was made aside takes its name before its checksums take theirs, and durably: so the
//! store that it replaces keeps its own for as long as it is there. Should the maker die between
//! the two, the new store's lie where they were made, and are known by the file id.

use std::sync::Arc;

use super::{FoundSums, SUM_SUFFIX, Sums, is_sum_file, read_header};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Header, NoSumHeader, other_version};
use crate::io::{Backing, OpenSide};

/// How the checksum file of a store that is made aside is called, from the store's name to be.
const UNNAMED_SUFFIX: &str = "-unfinished-sum";

impl Sums {
    /// Looks for the checksums of the store in `data`, whose header this is.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn find(data: &dyn Backing, header: &Header, writable: bool) -> Result<FoundSums> {
        let named = Self::find_named(data, header, writable)?;
        if matches!(named, FoundSums::Kept(_)) {
            return Ok(named);
        }
        if let Some(side) = unnamed(data, header)? {
            let opened = match writable {
                true => data.open_side(UNNAMED_SUFFIX, OpenSide::Write)?,
                false => Some(side),
            };
            if let Some(side) = opened {
                return Self::in_file(side, header, writable);
            }
        }
        match writable {
            // A writer keeps away the makers that could have given them their name just now.
            true => Ok(named),
            false => Self::find_named(data, header, false),
        }
    }

    fn find_named(data: &dyn Backing, header: &Header, writable: bool) -> Result<FoundSums> {
        let how = if writable { OpenSide::Write } else { OpenSide::Read };
        match data.open_side(SUM_SUFFIX, how)? {
            Some(side) => Self::in_file(side, header, writable),
            None => Ok(FoundSums::Absent),
        }
    }

    fn in_file(side: Arc<dyn Backing>, header: &Header, writable: bool) -> Result<FoundSums> {
        match read_header(&*side)? {
            Ok(found) => Self::over(side, found, header),
            Err(NoSumHeader::Version(version)) if writable => {
                // Its program would trust it again after changes that it does not know of.
                let (detail, _) = other_version(version);
                Err(Error::new(ErrorKind::UnsupportedFormat, "open")
                    .detail(format!("the checksum file beside the store is of {detail}"))
                    .advice("use the version of flatrec that wrote it, or remove it"))
            }
            Err(NoSumHeader::Version(version)) => {
                Ok(FoundSums::Damaged(format!("its version is {version}")))
            }
            Err(NoSumHeader::Bad(why)) => Ok(FoundSums::Damaged(why.to_owned())),
        }
    }

    /// Gives the checksums of the store in `data` their name, if their maker died before it had,
    /// durably. The caller keeps every other writer out.
    ///
    /// # Errors
    /// The system's; they are found where they are all the same.
    pub(crate) fn name_left(data: &dyn Backing, header: &Header) -> Result<()> {
        // First what is seldom there: each writer asks when it opens the store.
        if unnamed(data, header)?.is_none()
            || matches!(Self::find_named(data, header, false)?, FoundSums::Kept(_))
            || is_sum_file(data)? == Some(false)
        {
            return Ok(());
        }
        // Without the first sync the store before may come back, and would find its own gone.
        data.sync_directory()?;
        data.rename_side(UNNAMED_SUFFIX, SUM_SUFFIX)?;
        data.sync_directory()
    }

    /// Takes back, durably, that a later commit than this one was announced: for a store without a
    /// log, of which no header can come any more that counts further. Otherwise the next log would
    /// look as if a checkpoint of it had begun.
    ///
    /// # Errors
    /// The system's.
    pub(crate) fn unannounce(&mut self, commit: u64) -> Result<()> {
        if self.header.commit <= commit {
            return Ok(());
        }
        self.header.commit = commit;
        self.header_written = false;
        self.sync(commit)?;
        self.checkpoint_begun = None;
        Ok(())
    }
}

/// The checksums of the store with this header, where they were made. Another file of that name
/// is left alone, and so is a name that the file system refuses.
fn unnamed(data: &dyn Backing, header: &Header) -> Result<Option<Arc<dyn Backing>>> {
    let Ok(Some(side)) = data.open_side(UNNAMED_SUFFIX, OpenSide::Read) else { return Ok(None) };
    let is_ours = read_header(&*side)?.is_ok_and(|found| found.file_id == header.file_id);
    Ok(is_ours.then_some(side))
}
