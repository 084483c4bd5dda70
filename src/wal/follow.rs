//! Reading a log on as it is written, up to commits that are known to be there.
//!
//! Nothing is judged here: a reader that is told by the writer which commits there are has no need
//! to tell a torn end from damage. What does not fit is an error; beside a writer at work it may
//! pass, since the log may just be going elsewhere.

use super::files::survey;
use super::format::SECTOR_BYTES;
use super::reader::SegmentReader;
use super::replay::{Each, OPERATION, Replayed, Walk, gap, missing, take_first};
use crate::error::{Error, ErrorKind, Result};
use crate::io::Backing;

/// A place in a log: behind a commit, and before the next.
pub(crate) struct Position {
    reader: SegmentReader,
    salt: u64,
    chain: u64,
    offset: u64,
    next: u64,
    last_crc: u32,
    /// How many commits were handed out.
    frames: u64,
    /// The bytes of all frames before this place.
    log_len_bytes: u64,
}

impl Position {
    /// Reads the chain that begins with the segment of `salt`, calls `each` for the commits after
    /// `after` up to `through`, and stays there. `after` is the last commit that the array holds.
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if they are not all there; as [`replay`](super::replay()).
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

    /// Goes on to commit `through`.
    ///
    /// # Errors
    /// As [`Position::find`]; the position is good for nothing then.
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

    /// The number of the commit that comes next.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// How many commits were handed out so far, and the bytes of all frames before this place.
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
            // Each segment is taken out of those found, so that no chain goes round in circles.
            let found = match &mut found {
                Some(found) => found,
                none => none.insert(survey(data, file_id)?),
            };
            let place = (self.reader.path(), self.offset);
            let Some(segment) = walk.take_successor(found, self.salt, &place)? else {
                return Err(Error::new(ErrorKind::Corrupt, OPERATION)
                    .path(place.0)
                    .offset(place.1)
                    .detail(format!("it ends before commit {through}, which was published"))
                    .advice("open the store again; if that fails, too, verify it"));
            };
            self.reader = open(data, &segment.suffix)?;
            (self.salt, self.offset) = (segment.header.salt, SECTOR_BYTES);
        }
    }
}

fn open(data: &dyn Backing, suffix: &str) -> Result<SegmentReader> {
    super::files::open(data, suffix)?.ok_or_else(|| {
        let path = super::files::path_of(data, suffix);
        missing(path, "it was removed while the log was read")
    })
}

impl std::fmt::Debug for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Position").field("next", &self.next).finish_non_exhaustive()
    }
}
