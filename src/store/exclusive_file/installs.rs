//! Installs what an exclusive file changes: appended records, edits and truncations.

use std::ops::Range;

use super::ExclusiveFile;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Counts;
use crate::io::Access;
use crate::sums::Sums;
use crate::txn::{Change, Plan, Row, Superblock, Work, install, name_readers};

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// As [`ExclusiveFile::flush`], with this number of live records and this head of the free
    /// list.
    pub(crate) fn flush_as(&mut self, live: u64, free_head: Option<u64>) -> Result<()> {
        let records = self.array.count();
        self.reserve_sums(records)?;
        let commit = self.superblock.header().counts.commit.saturating_add(1);
        let counts = Counts { commit, records, live, free_head };
        let change = Change {
            commit,
            changed: &self.edited_bytes(),
            end: self.end_of(records)?,
            header: &|header| header.counts = counts,
        };
        install(Plan::Flush, &change, &mut Exclusive { file: self, part: Part::Appended })
    }

    /// Commits the smaller count to both header slots, then truncates the array.
    pub(super) fn cut(&mut self, count: u64) -> Result<()> {
        let change = Change {
            commit: self.superblock.header().counts.commit.saturating_add(2),
            changed: &[],
            end: self.end_of(count)?,
            header: &|header| {
                let commit = header.counts.commit.saturating_add(1);
                header.counts = Counts { commit, records: count, live: count, free_head: None };
            },
        };
        install(Plan::Truncate, &change, &mut Exclusive { file: self, part: Part::Below(count) })
    }

    /// Shuts every reader out, for changes in place.
    pub(super) fn exclude_readers(&self) -> Result<()> {
        self.locks.exclude_readers(self.common.wait).map_err(|error| {
            let readers = self.mode.writer().map(|state| state.sharing.readers());
            match readers {
                Some(Ok(readers)) => name_readers(error, &readers),
                _ => error,
            }
        })
    }

    /// Starts an exclusive edit: shuts readers out and marks the header.
    pub(crate) fn begin_edit(&mut self) -> Result<()> {
        if self.access() == Access::Private {
            return Ok(());
        }
        self.check_writable("edit")?;
        if self.superblock.header().editing {
            return Err(self.superblock.name(
                Error::new(ErrorKind::InterruptedEdit, "edit")
                    .detail("an edit through this handle panicked: records may be half changed")
                    .advice("reopen the store with OpenOptions::accept_interrupted_edit"),
            ));
        }
        self.flush()?;
        self.exclude_readers()?;
        let change = Change {
            commit: self.superblock.header().counts.commit,
            changed: &[],
            end: self.end_of(self.array.count())?,
            header: &|header| header.editing = true,
        };
        let mut work = Exclusive { file: self, part: Part::Nothing };
        install(Plan::BeginEdit, &change, &mut work).inspect_err(|_| {
            let _ = self.locks.admit_readers();
        })
    }

    /// Makes the changes of an exclusive edit durable.
    pub(crate) fn sync_edits(&mut self, records: Range<u64>) -> Result<()> {
        if self.access() == Access::Private {
            return Ok(());
        }
        self.superblock.check_healthy("flush")?;
        let synced = self.array.sync_range(records);
        self.superblock.keep(synced)
    }

    /// Ends an exclusive edit: makes its changes durable, removes the mark and admits readers.
    pub(crate) fn finish_edit(&mut self) -> Result<()> {
        if self.access() == Access::Private {
            return Ok(());
        }
        self.superblock.check_healthy("flush")?;
        let commit = self.superblock.header().counts.commit.saturating_add(1);
        let change = Change {
            commit,
            changed: &self.edited_bytes(),
            end: self.end_of(self.array.count())?,
            header: &|header| {
                header.counts.commit = commit;
                header.editing = false;
            },
        };
        install(Plan::FinishEdit, &change, &mut Exclusive { file: self, part: Part::Edited })?;
        self.locks.admit_readers()
    }
}

/// Which records an exclusive file installs.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// None: the header alone changes.
    Nothing,
    /// The appended records.
    Appended,
    /// The records changed in place.
    Edited,
    /// Only the records below this number stay.
    Below(u64),
}

/// The part of an installation that differs for exclusive files.
struct Exclusive<'t, R: Row + ?Sized> {
    file: &'t mut ExclusiveFile<R>,
    part: Part,
}

impl<R: Row + ?Sized> Work for Exclusive<'_, R> {
    fn parts(&mut self) -> (&mut Superblock, Option<&mut Sums>) {
        (&mut self.file.superblock, self.file.mode.sums_mut().map(|kept| &mut kept.sums))
    }

    fn sync(&mut self) -> Result<()> {
        let array = &mut self.file.array;
        match self.part {
            Part::Appended => array.sync(),
            Part::Edited => {
                array.sync_range(0..array.count())?;
                array.release_writer()
            }
            Part::Nothing | Part::Below(_) => Ok(()),
        }
    }

    fn cut(&mut self) -> Result<()> {
        match self.part {
            Part::Below(count) => self.file.array.truncate(count),
            _ => Ok(()),
        }
    }

    fn tell(&mut self) -> Result<()> {
        self.file.tell_readers();
        Ok(())
    }
}
