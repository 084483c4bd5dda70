//! A log that stays where it is, because there is no room for a copy.
//!
//! Bytes that a replay found may be only in the page cache, and the kernel may consider them clean.
//! Writing every byte over itself makes it dirty again, so that the following sync covers it. A
//! power cut cannot make things worse: a sector rewritten with the bytes on the disk is unchanged
//! whether or not the write arrives, and a sector that was only in the cache arrives or not, as
//! before. So after a cut the chain ends where it would have ended, or later.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::files::{SegmentFile, path_of};
use super::super::replay::{Replayed, missing, replay};
use super::{Current, Log, Older, SEGMENT_MAX_BYTES, SEGMENT_MIN_BYTES};
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Backing, OpenSide};
use crate::step::{self, Step};

/// The length of one read or write.
const CHUNK_BYTES: usize = 256 << 10;

impl Log {
    /// Makes the chain that begins with the segment of `salt` durable in place, and continues it
    /// with a new segment: the last segment may have frames behind its end that were never whole.
    /// Needs no room itself.
    ///
    /// # Errors
    /// As [`replay`]; [`ErrorKind::Corrupt`] if the chain has changed once it is written;
    /// [`ErrorKind::NoSpace`] on a full disk where each write takes new room; [`ErrorKind::Io`] if
    /// the operating system reports another error.
    pub(crate) fn keep(
        data: &Arc<dyn Backing>,
        file_id: [u8; 16],
        salt: u64,
        after: u64,
        image_len: u32,
    ) -> Result<Self> {
        let walk = || replay(&**data, file_id, salt, after, image_len, &mut |_, _, _| Ok(()));
        let found = walk()?;
        let mut files = Vec::new();
        for segment in &found.segments {
            let backing = data.open_side(&segment.suffix, OpenSide::Write)?.ok_or_else(|| {
                missing(path_of(&**data, &segment.suffix), "the file was removed")
            })?;
            step::take(Step::KeptWrite, || write_over(&*backing, segment.end))?;
            step::take(Step::KeptSync, || backing.sync_data())?;
            let len_bytes = backing.len_bytes()?;
            files.push(SegmentFile { suffix: segment.suffix.clone(), backing, len_bytes });
        }
        data.sync_directory()?;
        // The kernel may have dropped cached bytes of the first walk before they were written over.
        if walk()? != found {
            return Err(Error::new(ErrorKind::Corrupt, "make the log durable")
                .detail("it changed while it was read and rewritten")
                .advice("open the store again: it will show what the disk holds"));
        }
        Self::behind(Arc::clone(data), file_id, &found, files)
    }

    /// The log that continues `found`, whose segments are `files`.
    fn behind(
        data: Arc<dyn Backing>,
        file_id: [u8; 16],
        found: &Replayed,
        files: Vec<SegmentFile>,
    ) -> Result<Self> {
        let frames_len_bytes = |at: usize| found.segments[at].frames_len_bytes;
        let last = files.len().saturating_sub(1);
        let mut older = VecDeque::new();
        let mut current = None;
        for (at, file) in files.into_iter().enumerate() {
            let salt = found.segments[at].salt;
            if at < last {
                let SegmentFile { suffix, len_bytes, .. } = file;
                let (last, frames_len_bytes) = (found.segments[at].last, frames_len_bytes(at));
                older.push_back(Older { suffix, len_bytes, salt, last, frames_len_bytes });
            } else {
                // A full segment: bytes behind its frames are never used.
                let end = file.len_bytes;
                let checkpointed_end = end.saturating_sub(frames_len_bytes(at));
                current = Some(Current { file, salt, end, checkpointed_end });
            }
        }
        let current = current.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "make the log durable").detail("it has no segment")
        })?;
        Ok(Self {
            data,
            file_id,
            chain: found.chain,
            older,
            current,
            prepared: None,
            idle: VecDeque::new(),
            stuck: Vec::new(),
            next_len_bytes: 2 * SEGMENT_MIN_BYTES,
            segment_max_bytes: SEGMENT_MAX_BYTES,
            next: found.last.saturating_add(1),
            last_crc: found.last_crc,
            buffer: Vec::new(),
        })
    }

    /// Whether the current segment has no room left.
    pub(crate) fn is_full(&self) -> bool {
        self.room_bytes() == 0
    }
}

/// Writes the first `end` bytes of a file over themselves.
fn write_over(file: &dyn Backing, end: u64) -> Result<()> {
    let mut bytes = vec![0; CHUNK_BYTES];
    let mut at = 0;
    while at < end {
        let len = usize::try_from(end - at).unwrap_or(CHUNK_BYTES).min(CHUNK_BYTES);
        let got = file.read_at(at, &mut bytes[..len])?;
        if got == 0 {
            return Ok(()); // The file was cut; the next replay reports that.
        }
        file.write_at(at, &bytes[..got])?;
        at += got as u64;
    }
    Ok(())
}
