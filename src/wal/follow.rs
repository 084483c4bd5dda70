//! Reads a growing log, up to commits that its writer has published.
//!
//! A reader that knows from the writer which commits exist need not tell a torn end from damage:
//! what does not fit is an error. Beside an active writer the error may pass, because the writer
//! may be moving to another log.

use super::files::survey;
use super::format::SECTOR_BYTES;
use super::reader::SegmentReader;
use super::replay::{Each, OPERATION, Replayed, Walk, gap, missing, take_first};
use crate::error::{Error, ErrorKind, Result};
use crate::io::Backing;

/// A place in a log, between two commits.
pub(crate) struct Position {
    reader: SegmentReader,
    salt: u64,
    chain: u64,
    offset: u64,
    next: u64,
    last_crc: u32,
    /// The number of commits given to `each`.
    frames: u64,
    /// The total length of all frames before this place.
    log_len_bytes: u64,
}

impl Position {
    /// Reads the chain that begins with the segment of `salt`, calls `each` for the commits after
    /// `after` up to `through`, and stops behind them. `after` is the last commit that the array
    /// holds.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if one of those commits is missing; the errors of
    /// [`replay`](super::replay()).
    pub(crate) fn find(
        data: &dyn Backing,
        file_id: [u8; 16],
        salt: u64,
        (after, through): (u64, u64),
        image_len: u32,
        each: &mut Each<'_>,
    ) -> Result<Self> {
        let segment = take_first(data, &mut survey(data, file_id)?, salt)?;
        if segment.header.first > after.saturating_add(1) {
            return Err(gap(data, &segment, after));
        }
        let mut position = Self {
            reader: open(data, &segment.suffix)?,
            salt,
            chain: segment.header.chain,
            offset: SECTOR_BYTES,
            next: segment.header.first,
            last_crc: segment.header.previous_crc,
            frames: 0,
            log_len_bytes: 0,
        };
        position.walk(data, file_id, (after, through), image_len, each)?;
        Ok(position)
    }

    /// Reads on to commit `through`.
    ///
    /// # Errors
    /// As [`Position::find`]; this position cannot be used afterwards.
    pub(crate) fn follow(
        &mut self,
        data: &dyn Backing,
        file_id: [u8; 16],
        through: u64,
        image_len: u32,
        each: &mut Each<'_>,
    ) -> Result<()> {
        self.reader.look_again()?;
        self.walk(data, file_id, (self.next.saturating_sub(1), through), image_len, each)
    }

    /// The number of the next commit.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The number of commits given to `each`, and the total length of all frames before this place.
    pub(crate) fn passed(&self) -> (u64, u64) {
        (self.frames, self.log_len_bytes)
    }

    fn walk(
        &mut self,
        data: &dyn Backing,
        file_id: [u8; 16],
        (after, through): (u64, u64),
        image_len: u32,
        each: &mut Each<'_>,
    ) -> Result<()> {
        let mut walk = Walk {
            data,
            file_id,
            chain: self.chain,
            image_len,
            after,
            through,
            next: self.next,
            last_crc: self.last_crc,
            replayed: Replayed::nothing(after),
        };
        let mut found = None;
        loop {
            self.offset = walk.segment(&mut self.reader, self.salt, self.offset, each)?;
            (self.next, self.last_crc) = (walk.next, walk.last_crc);
            if walk.next > through {
                self.frames += walk.replayed.frames;
                self.log_len_bytes = self.log_len_bytes.saturating_add(walk.replayed.log_len_bytes);
                return Ok(());
            }
            // Taking each segment out of `found` stops chains that form a circle.
            let found = match &mut found {
                Some(found) => found,
                none => none.insert(survey(data, file_id)?),
            };
            let place = (self.reader.path(), self.offset);
            let Some(segment) = walk.take_successor(found, self.salt, &place)? else {
                return Err(Error::new(ErrorKind::Corrupt, OPERATION)
                    .path(place.0)
                    .offset(place.1)
                    .detail(format!("the log ends before commit {through}, which was published"))
                    .advice("open the store again; if that fails too, verify it"));
            };
            self.reader = open(data, &segment.suffix)?;
            (self.salt, self.offset) = (segment.header.salt, SECTOR_BYTES);
        }
    }
}

fn open(data: &dyn Backing, suffix: &str) -> Result<SegmentReader> {
    super::files::open(data, suffix)?.ok_or_else(|| {
        let path = super::files::path_of(data, suffix);
        missing(path, "the file was removed while the log was read")
    })
}

impl std::fmt::Debug for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Position").field("next", &self.next).finish_non_exhaustive()
    }
}
