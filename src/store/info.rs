//! What a store gives of its parts for `info`.

use super::exclusive_file::{ExclusiveFile, Mode};
use crate::error::Result;
use crate::format::Header;
use crate::shm::{Seen, process};
use crate::sums::Known;
use crate::txn::{LogInfo, Parts, Row, StoreInfo, WriterInfo, leftovers_beside};
use crate::wal::LeftoverFile;

/// The facts of the store that `file` is.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
pub(super) fn info_of<R: Row + ?Sized>(file: &ExclusiveFile<R>) -> Result<StoreInfo> {
    let backing = &**file.superblock.backing();
    let log = file.mode.log();
    let seen = file.superblock.watch().seen();
    let leftovers = leftovers(file, &seen.header)?;
    let (writer, readers) = sharers(file)?;
    StoreInfo::of(Parts {
        path: file.path(),
        access: file.access(),
        shown: (file.array.count(), file.live_count()),
        newest: file.committed(),
        seen,
        log: log.map(|log| LogInfo::of(log, backing)).transpose()?,
        leftovers,
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

/// The files beside the store that are not part of its log; a writer has removed them.
fn leftovers<R: Row + ?Sized>(
    file: &ExclusiveFile<R>,
    header: &Header,
) -> Result<Vec<LeftoverFile>> {
    match &file.mode {
        Mode::Read(state) | Mode::Private(state) => {
            let presence = state.pin.presence();
            leftovers_beside(&**file.superblock.backing(), header, || presence.has_writer())
        }
        Mode::Write(_) | Mode::Unpublished(..) | Mode::Closed => Ok(Vec::new()),
    }
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
