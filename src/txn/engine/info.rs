//! Facts about a database and its store, without the writer: a transaction may have it for long.

use super::super::info::{Activity, LogInfo, Parts, StoreInfo, WriterInfo};
use super::super::source::Source;
use super::Engine;
use crate::error::Result;
use crate::io::Access;
use crate::shm::process;
use crate::sums::Known;

impl Engine {
    /// Facts about the store at this moment. Waits for no transaction and no checkpoint.
    ///
    /// # Errors
    /// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
    pub(crate) fn info(&self) -> Result<StoreInfo> {
        self.facts().map_err(|error| self.name(error))
    }

    fn facts(&self) -> Result<StoreInfo> {
        // In this order: a header counts only commits that were published before, and checksums are
        // never older than the header.
        let seen = self.watch.seen();
        let state = self.load();
        let backing = &*self.backing;
        let known = Known::of(None, backing, &seen.header)?;
        let held = seen.header.counts.commit;
        let commits = state.counts.commit.saturating_sub(held);
        let (segments, len_bytes) = self.counters.log_size();
        let log = (seen.header.live_log.is_some() || commits > 0).then(|| LogInfo {
            commits,
            records: state.overlay.sorted_after(held).len() as u64,
            len_bytes,
            segments,
        });
        StoreInfo::of(Parts {
            path: backing.path(),
            access: Access::ReadWrite,
            shown: (state.counts.records, state.counts.live),
            newest: state.counts,
            log,
            leftovers: Vec::new(),
            unsummed_in_log: self.counters.unsummed(held),
            writer: Some(WriterInfo { process: Some(process()) }),
            readers: self.published.sharing().readers()?,
            known,
            backing,
            view: &state.view,
            windows: None,
            checkpoints: Some(self.counters.checkpoints().clone()),
            activity: Some(self.activity(state.counts.commit)),
            seen,
        })
    }

    /// What this handle has done, up to commit `newest`.
    fn activity(&self, newest: u64) -> Activity {
        let (log_syncs, largest_group) = self.group.syncs();
        Activity {
            commits: newest.saturating_sub(self.counters.opened_at),
            aborted: self.counters.aborted(),
            log_syncs,
            largest_group,
            log_written_bytes: self.counters.log_written_bytes(),
        }
    }
}
