//! Follows a store that a writer may be changing: a reader keeps its own copy of what the log holds
//! beyond the array, and reads on as the writer commits.
//!
//! Invariants: the newest state that was read (`inner.found`) is one that the writer had published,
//! or, without a writer, the end of the log. A reader reads its array only while it pins the state
//! ([`Presence::pin`]): a checkpoint can change the records of an unpinned state at any time.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use super::info::{LogInfo, Parts, StoreInfo, leftovers_beside, segments_beside};
use super::locks::Locks;
use super::metadata::Metadata;
use super::read_beside;
use super::read_beside::{Found, Needed, RetryPolicy};
use super::reader_session::{CHECKPOINT_WAIT, Presence, SnapshotPin};
use super::recovered::{Gathering, RecoveredState, nothing};
use super::source::Source;
use super::superblock::Superblock;
use super::versions::{State, view_of};
use crate::error::Result;
use crate::format::{RecordLayout, Schema};
use crate::io::{Access, Backing, View};
use crate::shm::{ReadPoint, Wait, WatchedWords, store_word};
use crate::sums::Known;
use crate::wal::Position;

/// A store that is open to read, and what this reader last read of it.
pub(crate) struct LogFollower {
    inner: Mutex<Inner>,
    presence: Arc<Presence>,
    layout: RecordLayout,
    file_id: [u8; 16],
    schema: Schema,
    metadata: Arc<Metadata>,
    backing: Arc<dyn Backing>,
}

/// What this reader last read.
struct Inner {
    found: RecoveredState,
    /// Where the next commit's frame begins in the log, if there was a writer.
    position: Option<Position>,
    /// The commit as which `found` can be pinned.
    point: ReadPoint,
    /// The sequence of the header from which `found` was read.
    sequence: u64,
    /// A view of the array that reaches to the end of the records.
    view: Arc<View>,
    /// The reader has dropped the images of commits up to this one, because the array holds them.
    thinned: u64,
    /// The newest state that a caller was given.
    last: Weak<State>,
}

impl LogFollower {
    /// Opens the store to read, with or without a running writer.
    pub(crate) fn open(mut superblock: Superblock, locks: Locks, alignment: usize) -> Result<Self> {
        let file_id = superblock.header().file_id;
        let presence = Arc::new(Presence::new(locks, store_word(file_id))?);
        let Found { log, position, point } =
            read_beside::read(&mut superblock, &presence, alignment)?;
        let backing = Arc::clone(superblock.backing());
        let inner = Inner {
            thinned: superblock.header().counts.commit,
            found: log.unwrap_or_else(|| nothing(&superblock)),
            position,
            point,
            sequence: superblock.header().sequence,
            view: view_of(&*backing, backing.len_bytes()?)?,
            last: Weak::new(),
        };
        let layout = superblock.header().layout()?.aligned_to(alignment);
        let (schema, metadata) = (superblock.schema().clone(), Arc::clone(superblock.metadata()));
        let inner = Mutex::new(inner);
        Ok(Self { inner, presence, layout, file_id, schema, metadata, backing })
    }

    pub(crate) fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    pub(crate) fn presence(&self) -> &Presence {
        &self.presence
    }

    /// Facts about the store at this moment. Reads on in the log first, as
    /// [`LogFollower::newest`](Source::newest) does, but pins nothing.
    pub(crate) fn info(&self) -> Result<StoreInfo> {
        self.facts().map_err(|error| self.name(error))
    }

    fn facts(&self) -> Result<StoreInfo> {
        // First, because a header counts only commits that were published before.
        let seen = Superblock::seen_in(&*self.backing)?;
        let held = seen.header.counts;
        let (found, len_bytes, view) = {
            let mut inner = self.lock();
            self.catch_up(&mut inner)?;
            let passed = inner.position.as_ref().map(|position| position.passed().1);
            let len_bytes = passed.unwrap_or(inner.found.log_len_bytes);
            (inner.found.clone(), len_bytes, Arc::clone(&inner.view))
        };
        let commits = found.counts.commit.saturating_sub(held.commit);
        // A writer that this reader does not see may have gone on.
        let newest = if commits == 0 { held } else { found.counts };
        let log = match commits {
            0 if seen.header.live_log.is_none() => None,
            _ => Some(LogInfo {
                commits,
                records: found.overlay.sorted_after(held.commit).len() as u64,
                len_bytes: if commits == 0 { 0 } else { len_bytes },
                segments: segments_beside(&*self.backing)?,
            }),
        };
        let leftovers =
            leftovers_beside(&*self.backing, &seen.header, || self.presence.has_writer())?;
        let (writer, readers) = self.presence.sharers()?;
        StoreInfo::of(Parts {
            path: self.backing.path(),
            access: Access::ReadOnly,
            shown: (newest.records, newest.live),
            newest,
            log,
            leftovers,
            unsummed_in_log: if commits == 0 { 0 } else { found.unsummed },
            writer,
            readers,
            known: Known::of(None, &*self.backing, &seen.header)?,
            backing: &*self.backing,
            view: &view,
            windows: None,
            checkpoints: None,
            activity: None,
            seen,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A thread that panicked with the lock has left the old state, or the whole of the new one.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what the writer has published since the last call.
    fn catch_up(&self, inner: &mut Inner) -> Result<()> {
        self.presence.check_words()?;
        let (mark, published) = self.presence.mark();
        let ReadPoint { mark: then, commit, .. } = inner.point;
        if mark == then && (!inner.point.goes_by_words() || published <= commit) {
            return Ok(());
        }
        // If the writer has moved to another place in the log, or there is no position, the reader
        // starts again from the header.
        if mark != then || !self.go_on(inner, published) {
            self.read_anew(inner)?;
        }
        self.reach_end(inner)
    }

    /// Maps the array again if the view of it does not reach to the end of the records.
    fn reach_end(&self, inner: &mut Inner) -> Result<()> {
        let end = self.layout.geometry.offset_of(inner.found.counts.records)?;
        if end > inner.view.len_bytes() as u64 {
            inner.view = view_of(&*self.backing, self.backing.len_bytes()?)?;
        }
        Ok(())
    }

    /// Reads on in the log up to commit `through`; `false` if the writer has moved elsewhere.
    fn go_on(&self, inner: &mut Inner, through: u64) -> bool {
        let Some(mut position) = inner.position.take() else { return false };
        let _needed = Needed(&self.presence);
        if !self.presence.need(position.next(), inner.point.mark) {
            return false;
        }
        let mut gathering = Gathering::new(self.layout, inner.found.clone());
        let image_len = u32::try_from(self.layout.stride).unwrap_or(u32::MAX);
        let followed = position.follow(
            &*self.backing,
            self.file_id,
            through,
            image_len,
            &mut |commit, ids, images| gathering.take((commit, ids, images)),
        );
        // After any error the reader starts again from the header, which finds and reports the
        // error too.
        let Ok(found) = followed.and_then(|()| gathering.end(&*self.backing)) else {
            return false;
        };
        inner.point.commit = found.counts.commit;
        inner.found = found;
        inner.position = Some(position);
        true
    }

    fn read_anew(&self, inner: &mut Inner) -> Result<()> {
        let mut superblock = Superblock::open(Arc::clone(&self.backing))?;
        let alignment = self.layout.alignment;
        let Found { log, position, point } =
            read_beside::read(&mut superblock, &self.presence, alignment)?;
        inner.thinned = superblock.header().counts.commit;
        inner.found = log.unwrap_or_else(|| nothing(&superblock));
        inner.position = position;
        inner.point = point;
        inner.sequence = superblock.header().sequence;
        Ok(())
    }

    /// Pins what was read; `None` if a checkpoint may already have overwritten it.
    ///
    /// An unregistered reader has held nothing since it read. A writer that opened the store under
    /// another name uses another lock file and says nothing in this one, but it changes the header
    /// before it changes records. So if the header has changed, the reader keeps checkpoints away
    /// and reads everything again.
    fn pin(&self, inner: &mut Inner) -> Result<Option<SnapshotPin>> {
        let wait = Wait::AtMost(CHECKPOINT_WAIT);
        let held = self.presence.pin(inner.point, wait)?;
        if held.is_none() || self.presence.has_entry() {
            return Ok(held);
        }
        if Superblock::header_in(&*self.backing)?.sequence == inner.sequence {
            return Ok(held);
        }
        let _quiet = self.presence.keep_quiet(wait)?;
        drop(held);
        self.read_anew(inner)?;
        self.reach_end(inner)?;
        self.presence.pin(inner.point, wait)
    }

    /// Drops the images of commits that the array holds.
    fn thin(&self, inner: &mut Inner) {
        let held = self.presence.side().map_or(0, |side| side.held());
        // What the writer says counts only if it is the same writer as when this was read.
        let is_new = held > inner.thinned && held <= inner.found.counts.commit;
        if inner.point.goes_by_words() && is_new && self.holds(held) {
            inner.found.overlay = inner.found.overlay.without(held);
            inner.thinned = held;
        }
    }

    /// Whether the header says that the array holds all commits up to this one. The shared words
    /// are not enough: the writer may mean another file, which this one has replaced.
    fn holds(&self, commit: u64) -> bool {
        Superblock::header_in(&*self.backing).is_ok_and(|header| header.counts.commit >= commit)
    }

    fn try_newest(&self) -> Result<Arc<State>> {
        let mut inner = self.lock();
        let mut retry = RetryPolicy::default();
        loop {
            self.catch_up(&mut inner)?;
            if let Some(state) = inner.last.upgrade() {
                let same = |pin: &SnapshotPin| *pin.point() == inner.point;
                if state.pin.as_ref().is_some_and(same) {
                    return Ok(state);
                }
            }
            self.thin(&mut inner);
            let Some(pin) = self.pin(&mut inner)? else {
                // A commit that was overwritten has a newer, published one behind it.
                retry.wait(&self.presence, inner.point.mark, inner.point.commit)?;
                continue;
            };
            let state = Arc::new(State {
                counts: inner.found.counts,
                overlay: inner.found.overlay.clone(),
                view: Arc::clone(&inner.view),
                pin: Some(pin),
            });
            inner.last = Arc::downgrade(&state);
            return Ok(state);
        }
    }
}

impl Source for LogFollower {
    fn newest(&self) -> Result<Arc<State>> {
        self.try_newest().map_err(|error| self.name(error))
    }

    fn is_newest(&self, state: &State) -> bool {
        let (mark, published) = self.presence.mark();
        let is_newest = state.pin.as_ref().is_some_and(|pin| {
            let point = pin.point();
            point.mark == mark && (!point.goes_by_words() || published <= point.commit)
        });
        is_newest && self.presence.check_words().is_ok()
    }

    fn newest_commit(&self) -> u64 {
        let (mark, published) = self.presence.mark();
        let point = self.lock().point;
        let seen = point.commit;
        if !mark.has_words || mark == point.mark && point.at_rest {
            seen
        } else if mark == point.mark {
            published.max(seen)
        } else {
            published
        }
    }

    fn wait(&self, commit: u64, at_most: Duration) -> Result<bool> {
        let waited = self.presence.wait_until(at_most, || {
            self.presence.check_words()?;
            Ok(self.newest_commit() > commit)
        });
        waited.map_err(|error| self.name(error))
    }

    fn watched(&self) -> WatchedWords {
        self.presence.watched()
    }

    fn layout(&self) -> &RecordLayout {
        &self.layout
    }

    fn schema(&self) -> &Schema {
        &self.schema
    }

    fn path(&self) -> Option<PathBuf> {
        self.backing.path()
    }
}
