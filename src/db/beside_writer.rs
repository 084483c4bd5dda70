//! Opening a store to read beside a writer that is at work.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use super::core::Core;
use super::engine::{self, Recovered};
use super::locks::Locks;
use super::table::Table;
use crate::error::{ErrorKind, Result};
use crate::map::{FileBacking, Wait};

/// How often a reader looks again at a log that a writer may be changing.
const LOG_TRIES: u32 = 8;
/// How long a reader waits for a checkpoint to end, however impatient it is.
const CHECKPOINT_WAIT: Duration = Duration::from_secs(10);

/// Takes the locks of a handle that only lends records. A checkpoint shuts readers out for as long
/// as it takes to write its records, which nobody should have to think of; an exclusive edit, which
/// the header tells of, for as long as its user likes.
pub(super) fn reader_locks(path: &Path, file: &Arc<FileBacking>, wait: Wait) -> Result<Locks> {
    patient(file, wait, |in_place| Locks::reader(path, file, wait, in_place))
}

/// As [`reader_locks`], making no lock file.
pub(super) fn onlooker_locks(path: &Path, file: &Arc<FileBacking>, wait: Wait) -> Result<Locks> {
    patient(file, wait, |in_place| Locks::onlooker(path, file, wait, in_place))
}

fn patient(
    file: &Arc<FileBacking>,
    wait: Wait,
    lock: impl Fn(Wait) -> Result<Locks>,
) -> Result<Locks> {
    match lock(wait) {
        Err(error) if error.kind() == ErrorKind::Locked && wait == Wait::No => {
            let core = Core::open(Arc::clone(file) as _)?;
            if core.header().editing {
                return Err(error);
            }
            lock(Wait::AtMost(CHECKPOINT_WAIT))
        }
        other => other,
    }
}

/// Reads the log for a handle that does not write. A writer may be at work beside it: whose block
/// is half written, or whose segments are just being replaced by others, is looked at again.
/// The images are aligned to `alignment`.
pub(super) fn read_log(core: &mut Core, alignment: usize) -> Result<Option<Recovered>> {
    let mut tries = 0;
    loop {
        match engine::read_log(core, alignment) {
            Err(error) if error.kind() == ErrorKind::Corrupt && tries < LOG_TRIES => {
                tries += 1;
                *core = Core::open(Arc::clone(core.backing()))?;
            }
            other => return other,
        }
    }
}

impl<T: Copy + Send + Sync> Table<T> {
    /// The image that a commit in the log has left of record `index`: a windowed store has none of
    /// them in its windows.
    pub(super) fn image(&self, index: u64) -> Option<&[u8]> {
        self.image_slot(index)?.get(..self.slots.record_len())
    }

    /// As [`Table::image`], with the status byte.
    pub(super) fn image_slot(&self, index: u64) -> Option<&[u8]> {
        self.log.as_ref()?.overlay.find(index)
    }

    /// Whether commits in the log have changed some of these records.
    pub(super) fn has_images(&self, ids: Range<u64>) -> bool {
        let Some(log) = self.log.as_ref().filter(|log| !log.overlay.is_empty()) else {
            return false;
        };
        ids.into_iter().any(|id| log.overlay.find(id).is_some())
    }
}
