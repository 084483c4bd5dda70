//! The name of a checksum file, and what a writer does with its stamp before it begins.
//!
//! A store that replaces another takes its name first, durably, and its checksums take theirs
//! afterwards. So the old store keeps its checksums as long as it exists. If the process dies
//! between the two, the checksums of the new store stay under their unfinished name, and the file
//! id identifies them.

use std::sync::Arc;

use super::{FoundSums, SUM_SUFFIX, Sums, is_sum_file, read_header};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Header, NoSumHeader, other_version};
use crate::io::{Backing, OpenSide};

/// The suffix of the checksum file of an unpublished store, behind the store's final name.
const UNNAMED_SUFFIX: &str = "-unfinished-sum";

impl Sums {
    /// Finds the checksums of the store in `data`, whose header this is.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
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
            // A writer excludes the processes that could have renamed them just now.
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
                // The program of that version would trust it again after changes made by this one.
                let (detail, _) = other_version(version);
                Err(Error::new(ErrorKind::UnsupportedFormat, "open")
                    .detail(format!("the checksum file beside the store has {detail}"))
                    .advice("use the version of flatrec that wrote it, or remove it"))
            }
            Err(NoSumHeader::Version(version)) => {
                Ok(FoundSums::Damaged(format!("its version is {version}")))
            }
            Err(NoSumHeader::Bad(why)) => Ok(FoundSums::Damaged(why.to_owned())),
        }
    }

    /// Renames the checksums of the store in `data` to their final name, durably, if the process
    /// that made them died before. The caller excludes every other writer.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error; [`Sums::find`] still finds them.
    pub(crate) fn name_left(data: &dyn Backing, header: &Header) -> Result<()> {
        // The rare condition first: each writer asks when it opens the store.
        if unnamed(data, header)?.is_none()
            || matches!(Self::find_named(data, header, false)?, FoundSums::Kept(_))
            || is_sum_file(data)? == Some(false)
        {
            return Ok(());
        }
        // Without the first sync a power cut may bring back the old store without its checksums.
        data.sync_directory()?;
        data.rename_side(UNNAMED_SUFFIX, SUM_SUFFIX)?;
        data.sync_directory()
    }

    /// Withdraws, durably, the announcement of a commit later than `commit`, for a store without a
    /// log, which cannot get a header of such a commit any more. Otherwise the next log would look
    /// as if a checkpoint of it had begun.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error.
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

/// The checksums of the store with this header, under their unfinished name. Ignores another file
/// with that name, and a name that the file system refuses.
fn unnamed(data: &dyn Backing, header: &Header) -> Result<Option<Arc<dyn Backing>>> {
    let Ok(Some(side)) = data.open_side(UNNAMED_SUFFIX, OpenSide::Read) else { return Ok(None) };
    let is_ours = read_header(&*side)?.is_ok_and(|found| found.file_id == header.file_id);
    Ok(is_ours.then_some(side))
}
