//! A log that goes on where it lies, for want of room to copy it.
//!
//! What was found of it may be in the system's cache and not on the disk, and may look clean there.
//! Written over itself every byte is dirty again, and the sync that follows is one of this process.
//! No power cut can make it worse: a sector that is written with the bytes that are on the disk is
//! what it was, whether the write arrives or not, and one that was in the cache alone is there or
//! not, as before. So the chain that is found after a cut ends where it would have, or later.

use std::collections::VecDeque;
use std::sync::Arc;

use super::super::files::{SegmentFile, path_of};
use super::super::replay::{Replayed, missing, replay};
use super::{Current, Log, Older, SEGMENT_MAX_BYTES, SEGMENT_MIN_BYTES};
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Backing, OpenSide};
use crate::step::{self, Step};

/// How much is read and written at a time.
const CHUNK_BYTES: usize = 256 << 10;

impl Log {
    /// Makes the chain that begins with the segment of `salt` durable where it lies, and goes on
    /// behind it: with a new segment, since what lies behind the last frame in the last one may be
    /// frames that were never whole. No room is needed before that.
    ///
    /// # Errors
    /// As [`replay`]; [`ErrorKind::Corrupt`] if the chain is not the same any more once it was
    /// written; the system's, a full disk among them where each write takes new room.
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
            let backing = data
                .open_side(&segment.suffix, OpenSide::Write)?
                .ok_or_else(|| missing(path_of(&**data, &segment.suffix), "it was removed"))?;
            step::take(Step::KeptWrite, || write_over(&*backing, segment.end))?;
            step::take(Step::KeptSync, || backing.sync_data())?;
            let len_bytes = backing.len_bytes()?;
            files.push(SegmentFile { suffix: segment.suffix.clone(), backing, len_bytes });
        }
        data.sync_directory()?;
        // The cache may have lost what was looked at first before it was written over itself.
        if walk()? != found {
            return Err(Error::new(ErrorKind::Corrupt, "make the log durable of")
                .detail("it has changed while it was read and written")
                .advice("open the store again: it comes up with what the disk has"));
        }
        Self::behind(Arc::clone(data), file_id, &found, files)
    }

    /// The log that goes on behind `found`, whose segments these are.
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
                // It has no room, whatever lies behind its frames.
                let end = file.len_bytes;
                let checkpointed_end = end.saturating_sub(frames_len_bytes(at));
                current = Some(Current { file, salt, end, checkpointed_end });
            }
        }
        let current = current.ok_or_else(|| {
            Error::new(ErrorKind::Corrupt, "make the log durable of").detail("it has no segment")
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
            return Ok(()); // It was cut; the next look at it finds that out.
        }
        file.write_at(at, &bytes[..got])?;
        at += got as u64;
    }
    Ok(())
}
