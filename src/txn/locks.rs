//! Which handles can use a store at the same time.
//!
//! - A **writer** holds the writer range of the lock file and, on Unix, an exclusive lock on the
//!   data file's inode, which hard links and aliases share.
//! - A **reader** or a private store lends records in place and does not write. It holds the
//!   in-place range shared, so that no byte below its count changes.
//! - An **exclusive edit** or a truncation belongs to a writer. It also holds the in-place range
//!   exclusively until it ends.
//! - A **checkpoint** changes records in place beside readers, as far as the reader table allows
//!   ([`crate::shm`]). It holds the checkpoint range exclusively until it ends. An unregistered
//!   reader holds that range shared while it reads anything.
//! - Handles lock these ranges in the lock file and, on Linux, on the data inode too, because
//!   another name of the store has another lock file, and a file that was handed over has none. For
//!   the same reason a registered reader locks a byte of its own on the data inode, and says in its
//!   table entry which.
//! - A reader that has no lock file and may not make one holds the data inode's lock shared, which
//!   keeps every writer out.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::superblock::Superblock;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{FileBacking, named};
use crate::os::{LOCKS_CAN_BE_ASKED_FOR, LockKind, Sharing};
use crate::shm::{
    CHECKPOINT, CheckpointLimit, FOR_EARLIER_WRITERS, IN_PLACE, LockWords, READERS, Seen, SideLock,
    WRITER, Wait, WriterSide, process, store_word, writer_of,
};

/// Longer than a handle takes to find out whether another handle has a lock.
const MOMENT: Wait = Wait::AtMost(Duration::from_millis(20));

const WRITING: &str = "another handle has the store open to write";
const EDITING: &str = "an exclusive edit is under way";
const CHECKPOINTING: &str = "a checkpoint is under way";
const LENDING: &str =
    "records cannot be changed in place beside a reader, and one has the store open";

/// The locks that one handle holds; closing the files gives them back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Locks {
    // First, and so dropped first: a handle that waits for the writer's range must find the inode
    // unlocked when it gets the range.
    file: Option<Arc<FileBacking>>,
    side: Option<Arc<SideLock>>,
}

impl Locks {
    /// No locks, for files without a name, which no other handle can open.
    pub(crate) fn none() -> Self {
        Self::default()
    }

    /// Takes the writer's lock for a store at `path` that is about to be opened. If another handle
    /// has the lock, calls `file_id` for the store's id, to tell the shared words from those of an
    /// earlier store at the same path.
    pub(crate) fn writer(
        path: &Path,
        wait: Wait,
        file_id: impl Fn() -> Option<[u8; 16]>,
    ) -> Result<Self> {
        Self::writer_like(path, wait, &Sharing::like(path), file_id)
    }

    /// As [`Locks::writer`], for a handle that makes the store, with these permissions.
    pub(crate) fn maker(path: &Path, wait: Wait, sharing: &Sharing) -> Result<Self> {
        Self::writer_like(path, wait, sharing, || None)
    }

    fn writer_like(
        path: &Path,
        wait: Wait,
        sharing: &Sharing,
        file_id: impl Fn() -> Option<[u8; 16]>,
    ) -> Result<Self> {
        // On a system that cannot query a lock, a handle that asks takes the lock for a moment.
        let moment = if LOCKS_CAN_BE_ASKED_FOR { Wait::No } else { MOMENT };
        let wait = if wait == Wait::No { moment } else { wait };
        loop {
            let side = Arc::new(SideLock::open_or_create_shared(path, sharing)?);
            let process = || file_id().and_then(|file_id| writer_process(&side, file_id));
            let attempt = || side.try_lock(WRITER, LockKind::Exclusive);
            if !wait.until_locked(path, WRITING, process, attempt)? {
                let process = process();
                return Err(side.held_by(format!("{WRITING}{}", in_process(process))));
            }
            // The handle waited for a creator that failed and removed its lock file: start again.
            if side.is_named()? {
                return Ok(Self { file: None, side: Some(side) });
            }
        }
    }

    /// Adds the writer's lock on the data file itself.
    pub(crate) fn add_inode(
        mut self,
        path: &Path,
        file: &Arc<FileBacking>,
        wait: Wait,
    ) -> Result<Self> {
        lock_inode(path, file, LockKind::Exclusive, wait)?;
        enter(file, wait)?;
        self.file = Some(Arc::clone(file));
        Ok(self)
    }

    /// Adds the lock file of `other`.
    pub(crate) fn join(&mut self, other: Self) {
        self.side = other.side;
    }

    /// Whether this handle made the lock file.
    pub(crate) fn has_new_side(&self) -> bool {
        self.side.as_ref().is_some_and(|side| side.is_new())
    }

    /// Takes over the lock file of a process that died while it made the store.
    pub(crate) fn take_over(&self) {
        if let Some(side) = &self.side {
            side.take_over();
        }
    }

    /// Refuses a lock file that existed before `file` was made, if users that may not use `file`
    /// could have written it.
    pub(crate) fn check_trust(&self, file: &FileBacking) -> Result<()> {
        self.side.as_ref().map_or(Ok(()), |side| side.check_trust(&file.permissions()?))
    }

    /// Removes the lock file of a store whose making failed. Only under the writer's lock, and only
    /// if there is no data file: the lock file of a store is never unlinked.
    pub(crate) fn withdraw(&self) {
        if let Some(side) = &self.side {
            side.withdraw();
        }
    }

    /// Takes the locks of a handle that only lends records.
    /// `in_place` is how long to wait for an exclusive edit to end.
    pub(crate) fn reader(
        path: &Path,
        file: &Arc<FileBacking>,
        wait: Wait,
        in_place: Wait,
    ) -> Result<Self> {
        Self::reader_with(SideLock::open_for_reading(path)?, path, file, wait, in_place)
    }

    /// As [`Locks::reader`], but if there is no lock file, the handle keeps writers out instead of
    /// making one.
    pub(crate) fn onlooker(
        path: &Path,
        file: &Arc<FileBacking>,
        wait: Wait,
        in_place: Wait,
    ) -> Result<Self> {
        Self::reader_with(SideLock::open_if_there(path)?, path, file, wait, in_place)
    }

    fn reader_with(
        side: Option<SideLock>,
        path: &Path,
        file: &Arc<FileBacking>,
        wait: Wait,
        in_place: Wait,
    ) -> Result<Self> {
        let side = side.map(Arc::new);
        match &side {
            Some(side) => side
                .lock(IN_PLACE, LockKind::Shared, in_place, EDITING)
                .map_err(|error| name_editor(error, side, file))?,
            None => lock_inode(path, file, LockKind::Shared, wait)?,
        }
        enter(file, wait)?;
        lock_data(file, IN_PLACE, LockKind::Shared, in_place, EDITING)?;
        Ok(Self { file: Some(Arc::clone(file)), side })
    }

    /// Takes the locks of a handle on a file that is open already: those on the inode, if the path
    /// is known, and none in a lock file.
    pub(crate) fn handed_over(
        file: &Arc<FileBacking>,
        path: Option<&Path>,
        writes: bool,
        wait: Wait,
    ) -> Result<Self> {
        if let Some(path) = path {
            let kind = if writes { LockKind::Exclusive } else { LockKind::Shared };
            lock_inode(path, file, kind, wait)?;
            enter(file, wait)?;
        }
        if !writes {
            lock_data(file, IN_PLACE, LockKind::Shared, wait, EDITING)?;
        }
        Ok(Self { file: Some(Arc::clone(file)), side: None })
    }

    /// Shuts every reader out, for changes in place.
    pub(crate) fn exclude_readers(&self, wait: Wait) -> Result<()> {
        if let Some(side) = &self.side {
            side.lock(IN_PLACE, LockKind::Exclusive, wait, LENDING)?;
        }
        let Some(file) = &self.file else { return Ok(()) };
        lock_data(file, IN_PLACE, LockKind::Exclusive, wait, LENDING).inspect_err(|_| {
            let _ = self.admit_readers();
        })
    }

    /// Lets readers in again.
    pub(crate) fn admit_readers(&self) -> Result<()> {
        self.unlock(IN_PLACE)
    }

    fn unlock(&self, range: Range<u64>) -> Result<()> {
        let file = self.file.as_ref().map_or(Ok(()), |file| file.unlock_data(range.clone()));
        let side = self.side.as_ref().map_or(Ok(()), |side| side.unlock(range));
        file.and(side)
    }

    /// The lock file, if there is one.
    pub(crate) fn side(&self) -> Option<&Arc<SideLock>> {
        self.side.as_ref()
    }

    /// The shared words of the store with this id, for its writer: in the lock file if there is
    /// one, otherwise in this process's memory.
    pub(crate) fn words(&self, file_id: [u8; 16]) -> Result<WriterSide<LockWords>> {
        let words = match &self.side {
            Some(side) => LockWords::open(side)?,
            None => None,
        };
        let words = words.unwrap_or_else(LockWords::in_memory).beside(self.file.clone());
        Ok(WriterSide::new(words, store_word(file_id)))
    }

    /// Whether a writer has the store open under this name.
    pub(crate) fn has_writer(&self) -> Result<bool> {
        self.side.as_ref().map_or(Ok(false), |side| side.is_locked(WRITER, LockKind::Exclusive))
    }

    /// Whether `path` leads to the data file.
    pub(crate) fn is_at(&self, path: &Path) -> Result<bool> {
        self.file.as_ref().map_or(Ok(false), |file| file.is_at(path))
    }

    /// Shuts out unregistered readers and readers that are reading the log, and asks how far, up to
    /// `target`, a checkpoint may go. `None` if such readers exist, or readers that this writer
    /// does not see.
    pub(crate) fn begin_checkpoint(
        &self,
        sharing: &WriterSide<LockWords>,
        target: u64,
    ) -> Result<Option<CheckpointLimit>> {
        let begun = match self.try_lock_checkpoint() {
            Ok(true) => sharing.limit(target),
            other => other.map(|_| None),
        };
        if !matches!(begun, Ok(Some(_))) {
            self.end_checkpoint()?;
        }
        begun
    }

    fn try_lock_checkpoint(&self) -> Result<bool> {
        if let Some(side) = &self.side {
            if !side.try_lock(CHECKPOINT, LockKind::Exclusive)? {
                return Ok(false);
            }
        }
        let Some(file) = &self.file else { return Ok(true) };
        file.try_lock_data(CHECKPOINT, LockKind::Exclusive)
    }

    /// Whether there may be a reader whose table entry this writer does not see, or an unregistered
    /// reader that holds something.
    pub(crate) fn misses_readers(&self, sharing: &WriterSide<LockWords>) -> Result<bool> {
        let is_alone = self.try_lock_checkpoint()?;
        self.end_checkpoint()?;
        Ok(!is_alone || sharing.is_blind()?)
    }

    /// Admits the readers again that [`Locks::begin_checkpoint`] shut out.
    pub(crate) fn end_checkpoint(&self) -> Result<()> {
        self.unlock(CHECKPOINT)
    }

    /// For an unregistered reader: no checkpoint begins until
    /// [`Locks::let_checkpoints_go_on`].
    pub(crate) fn keep_checkpoints_away(&self, wait: Wait) -> Result<()> {
        if let Some(side) = &self.side {
            side.lock(CHECKPOINT, LockKind::Shared, wait, CHECKPOINTING)?;
        }
        let Some(file) = &self.file else { return Ok(()) };
        lock_data(file, CHECKPOINT, LockKind::Shared, wait, CHECKPOINTING).inspect_err(|_| {
            let _ = self.let_checkpoints_go_on();
        })
    }

    /// Undoes [`Locks::keep_checkpoints_away`].
    pub(crate) fn let_checkpoints_go_on(&self) -> Result<()> {
        self.unlock(CHECKPOINT)
    }

    /// For a reader that is about to register: locks a byte of its own on the data file, which
    /// shows the reader to a writer under any name. Returns the byte, if the system has such locks.
    pub(crate) fn name_reader(&self) -> Result<Option<u64>> {
        let Some(file) = &self.file else { return Ok(None) };
        file.lock_beside_others(FOR_EARLIER_WRITERS)?;
        file.lock_some_byte(READERS)
    }

    /// Unlocks the byte of [`Locks::name_reader`].
    pub(crate) fn unname_reader(&self, byte: u64) -> Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        file.unlock_data(FOR_EARLIER_WRITERS)?;
        file.unlock_data(byte..byte + 1)
    }

    /// For a reader that has just locked its byte: waits for a checkpoint of a writer under another
    /// name, which may have begun before and have missed the byte. Every later checkpoint sees it.
    /// The shared words tell what the writer under this name does.
    pub(crate) fn await_checkpoint_elsewhere(&self, wait: Wait) -> Result<()> {
        let (Some(file), Some(side)) = (&self.file, &self.side) else { return Ok(()) };
        let is_over = || {
            // In this order: the writer under this name locks the lock file first.
            Ok(!file.is_data_locked(CHECKPOINT, LockKind::Shared)?
                || side.is_locked(CHECKPOINT, LockKind::Shared)?)
        };
        let is_over = wait.until_locked(&**file, CHECKPOINTING, || None, is_over)?;
        if is_over { Ok(()) } else { Err(side.held_by(CHECKPOINTING)) }
    }
}

/// Says where a holder of a lock is, to follow its description.
fn in_process(number: Option<u64>) -> String {
    match number {
        Some(own) if own == process() => ", in this very process".to_owned(),
        Some(other) => format!(", in process {other}"),
        None => String::new(),
    }
}

/// Adds to the error of [`Locks::exclude_readers`] in which processes the readers are.
pub(crate) fn name_readers(error: Error, readers: &[Seen]) -> Error {
    if error.kind() != ErrorKind::Locked {
        return error;
    }
    let mut processes: Vec<u64> = readers.iter().map(|reader| reader.process).collect();
    processes.sort_unstable();
    processes.dedup();
    match processes[..] {
        [] => error,
        [one] => error.detail(format!("{LENDING}{}", in_process(Some(one)))),
        _ => {
            let numbers: Vec<String> = processes.iter().map(u64::to_string).collect();
            error.detail(format!("{LENDING}, in processes {}", numbers.join(", ")))
        }
    }
}

/// Adds to the error of a reader that an exclusive edit shuts out in which process the edit is.
fn name_editor(error: Error, side: &Arc<SideLock>, file: &FileBacking) -> Error {
    if error.kind() != ErrorKind::Locked {
        return error;
    }
    let header = Superblock::header_in(file).ok();
    let process = header.and_then(|header| writer_process(side, header.file_id));
    error.detail(format!("{EDITING}{}", in_process(process)))
}

/// The process that holds the writer's lock, if the shared words name it.
fn writer_process(side: &Arc<SideLock>, file_id: [u8; 16]) -> Option<u64> {
    let words = LockWords::open_if_there(side).ok()??;
    writer_of(&words, store_word(file_id))
}

/// Locks the data inode itself, on systems whose locks do not hinder reads and writes.
fn lock_inode(path: &Path, file: &FileBacking, kind: LockKind, wait: Wait) -> Result<()> {
    let holder = match kind {
        LockKind::Shared => "another handle has the data file open to write",
        LockKind::Exclusive => {
            "another handle has the data file open: to write under another name, or to read \
             without a lock file"
        }
    };
    if wait.until_locked(path, holder, || None, || file.try_lock_inode(kind))? {
        return Ok(());
    }
    Err(Error::held_by(holder).path(path))
}

/// Announces that a store has the file open, and waits for mappings and backings that write its
/// bytes.
fn enter(file: &FileBacking, wait: Wait) -> Result<()> {
    const MAPPED: &str = "a mapping or a backing has the data file open for writing";
    let attempt = || file.enter_as_store().map(|is_written| !is_written);
    if wait.until_locked(file, MAPPED, || None, attempt)? {
        return Ok(());
    }
    Err(named(Error::held_by(MAPPED), file))
}

fn lock_data(
    file: &FileBacking,
    range: Range<u64>,
    kind: LockKind,
    wait: Wait,
    holder: &'static str,
) -> Result<()> {
    let attempt = || file.try_lock_data(range.clone(), kind);
    if wait.until_locked(file, holder, || None, attempt)? {
        return Ok(());
    }
    Err(named(Error::held_by(holder), file))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a holder in another process that is described as one in this process.
    #[test]
    fn a_holder_is_where_it_says() {
        let own = process();
        assert_eq!(in_process(Some(own)), ", in this very process");
        assert_eq!(in_process(Some(own + 1)), format!(", in process {}", own + 1));
        assert_eq!(in_process(None), "");
    }
}
