//! What a store gives of its parts for `info`.

use super::exclusive_file::{ExclusiveFile, Mode};
use crate::error::Result;
use crate::shm::{Seen, process};
use crate::sums::Known;
use crate::txn::{LogInfo, Parts, Row, StoreInfo, WriterInfo};

/// The facts of the store that `file` is.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
pub(super) fn info_of<R: Row + ?Sized>(file: &ExclusiveFile<R>) -> Result<StoreInfo> {
    let backing = &**file.superblock.backing();
    let log = file.mode.log();
    let (writer, readers) = sharers(file)?;
    StoreInfo::of(Parts {
        path: file.path(),
        access: file.access(),
        shown: (file.array.count(), file.live_count()),
        newest: file.committed(),
        seen: file.superblock.watch().seen(),
        log: log.map(|log| LogInfo::of(log, backing)).transpose()?,
        unsummed_in_log: log.map_or(0, |log| log.unsummed),
        writer,
        readers,
        known: Known::of(file.mode.sums(), backing, file.superblock.header())?,
        backing,
        view: file.array.whole().view(),
        windows: file.array.counters(),
        checkpoints: None,
        activity: None,
    })
}

/// The writer of the store of `file`, and the readers in other handles.
fn sharers<R: Row + ?Sized>(file: &ExclusiveFile<R>) -> Result<(Option<WriterInfo>, Vec<Seen>)> {
    match &file.mode {
        Mode::Write(state) | Mode::Unpublished(state, _) => {
            Ok((Some(WriterInfo { process: Some(process()) }), state.sharing.readers()?))
        }
        Mode::Read(state) | Mode::Private(state) => state.pin.presence().sharers(),
        Mode::Closed => Ok((None, Vec::new())),
    }
}
