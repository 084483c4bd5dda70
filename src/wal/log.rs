//! The log as its one writer uses it: the end of the chain, and the files to recycle.

mod kept;

use std::collections::VecDeque;
use std::sync::Arc;

use super::files::{Fill, SegmentFile, new_salt};
use super::format::{
    FRAME_CRC_END, FRAME_HEAD_BYTES, FrameHead, SECTOR_BYTES, SegmentHeader, SumsHead,
    frame_len_bytes, in_sectors,
};
use super::{Commit, Images};
use crate::error::{Error, ErrorKind, Result};
use crate::format::checksum::{crc32c, crc32c_append};
use crate::io::{Backing, OpenSide};
use crate::step::{self, Step};
use crate::trace;

/// The shortest segment, and usually the first: a small store stays small.
const SEGMENT_MIN_BYTES: u64 = 64 << 10;

/// Segments double up to this length. A frame that does not fit in one gets a segment of its own.
const SEGMENT_MAX_BYTES: u64 = 4 << 20;

/// Limits of the files kept for recycling.
const POOL_MAX_BYTES: u64 = 16 << 20;
const POOL_MAX_FILES: usize = 4;

/// Frames up to this length take one write.
const ONE_WRITE_MAX_BYTES: u64 = 256 << 10;

/// The segment that frames are appended to.
#[derive(Debug)]
struct Current {
    file: SegmentFile,
    salt: u64,
    /// The offset of the next frame.
    end: u64,
    /// The end of the frames that the last checkpoint of all commits covered.
    checkpointed_end: u64,
}

/// A segment before the current one.
#[derive(Debug)]
struct Older {
    suffix: String,
    len_bytes: u64,
    salt: u64,
    /// The number of its last frame.
    last: u64,
    /// The length of its frames, without those that a checkpoint of all commits covered.
    frames_len_bytes: u64,
}

/// A file without needed commits.
#[derive(Debug)]
struct Idle {
    suffix: String,
    len_bytes: u64,
}

/// The log of one writer: the end of a chain, and the segments that are still needed.
///
/// After [`Log::append`] has failed, the content of the log is unknown: the caller may only drop
/// it. Dropping the log leaves its files as they are.
#[derive(Debug)]
pub(crate) struct Log {
    data: Arc<dyn Backing>,
    file_id: [u8; 16],
    /// The salt of the segment that the chain began with.
    chain: u64,
    /// Oldest first.
    older: VecDeque<Older>,
    current: Current,
    /// The next segment, once it is made.
    prepared: Option<SegmentFile>,
    /// Files to recycle. The oldest is reused first, so that a reader of an old state finds the
    /// beginning of its log gone, and not the end.
    idle: VecDeque<Idle>,
    /// Files that could not be removed.
    stuck: Vec<String>,
    /// The length of the next new segment.
    next_len_bytes: u64,
    /// The greatest length of a segment that is reused; a larger frame has a longer one.
    segment_max_bytes: u64,
    /// The number of the next commit.
    next: u64,
    /// The checksum of the last frame.
    last_crc: u32,
    buffer: Vec<u8>,
}

impl Log {
    /// Begins a chain with the commit `first`: makes its first segment, of 64 KiB, durably.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error, [`ErrorKind::NoSpace`] on a full
    /// disk; then the segment does not exist.
    pub(crate) fn create(data: Arc<dyn Backing>, file_id: [u8; 16], first: u64) -> Result<Self> {
        Self::create_with_room(data, file_id, first, 0)
    }

    /// As [`Log::create`], with room in the first segment for `len_bytes` bytes of frames.
    ///
    /// # Errors
    /// As [`Log::create`].
    pub(crate) fn create_with_room(
        data: Arc<dyn Backing>,
        file_id: [u8; 16],
        first: u64,
        len_bytes: u64,
    ) -> Result<Self> {
        let needed = len_bytes.saturating_add(SECTOR_BYTES).max(SEGMENT_MIN_BYTES);
        let len_bytes =
            if needed <= SEGMENT_MAX_BYTES { needed.next_power_of_two() } else { needed };
        let salt = new_salt()?;
        let header = SegmentHeader {
            file_id,
            salt,
            chain: salt,
            len_bytes,
            previous_salt: 0,
            first,
            previous_crc: 0,
        };
        let file = SegmentFile::create(&*data, len_bytes, &header.encode(), Fill::Zeros)?;
        Ok(Self {
            data,
            file_id,
            chain: salt,
            older: VecDeque::new(),
            current: Current { file, salt, end: SECTOR_BYTES, checkpointed_end: SECTOR_BYTES },
            prepared: None,
            idle: VecDeque::new(),
            stuck: Vec::new(),
            next_len_bytes: 2 * SEGMENT_MIN_BYTES,
            segment_max_bytes: SEGMENT_MAX_BYTES,
            next: first,
            last_crc: 0,
            buffer: Vec::new(),
        })
    }

    /// Limits the length of new segments, within the fixed limits: a log that is soon reused needs
    /// only short ones.
    pub(crate) fn limit_segments(&mut self, len_bytes: u64) {
        let longest = len_bytes.clamp(SEGMENT_MIN_BYTES, SEGMENT_MAX_BYTES);
        self.segment_max_bytes = 1 << longest.ilog2();
        self.next_len_bytes = self.next_len_bytes.min(self.segment_max_bytes);
    }

    /// The salt of the oldest needed segment, which the header names.
    pub(crate) fn salt(&self) -> u64 {
        self.older.front().map_or(self.current.salt, |older| older.salt)
    }

    /// The number of the next commit.
    pub(crate) fn next(&self) -> u64 {
        self.next
    }

    /// The salts of all needed segments.
    pub(crate) fn salts(&self) -> Vec<u64> {
        let older = self.older.iter().map(|older| older.salt);
        older.chain([self.current.salt]).collect()
    }

    /// Whether a frame with `images` images begins a new segment; the current one is then synced.
    pub(crate) fn changes_segment(&self, images: u64, image_len: u32) -> bool {
        let len_bytes = frame_len_bytes(images, image_len).map(in_sectors);
        len_bytes.is_none_or(|len_bytes| len_bytes > self.room_bytes())
    }

    /// Makes room for a frame with `images` images, so that appending it needs no more space.
    ///
    /// # Errors
    /// [`ErrorKind::NoSpace`] on a full disk; [`ErrorKind::OutOfRange`] for more images than a file
    /// can hold; [`ErrorKind::Io`] if the operating system reports another error. The log is
    /// unchanged then and stays usable.
    pub(crate) fn reserve(&mut self, images: u64, image_len: u32) -> Result<()> {
        let Some(len_bytes) = frame_len_bytes(images, image_len).map(in_sectors) else {
            return Err(Error::new(ErrorKind::OutOfRange, "commit")
                .detail(format!(
                    "{images} records of {image_len} bytes are too many for one commit"
                ))
                .advice("split them into several transactions"));
        };
        if len_bytes <= self.room_bytes() {
            return Ok(());
        }
        let needed = len_bytes.saturating_add(SECTOR_BYTES);
        if let Some(prepared) = self.prepared.take() {
            // A segment made for a large frame that was never appended is too long for other
            // frames.
            if prepared.len_bytes >= needed
                && (prepared.len_bytes <= SEGMENT_MAX_BYTES || prepared.len_bytes == needed)
            {
                self.prepared = Some(prepared);
                return Ok(());
            }
            let SegmentFile { suffix, len_bytes, .. } = prepared;
            self.idle.push_back(Idle { suffix, len_bytes });
            self.bound_idle();
        }
        self.prepared = Some(self.prepare(needed)?);
        Ok(())
    }

    /// Appends a frame, without syncing it, and returns how many bytes that wrote. `synced` is the
    /// highest commit known to be durable.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error. The content of the log is
    /// unknown then, and the caller must stop using it.
    ///
    /// # Panics
    /// If the commit is not the next one, or is impossible: a commit that a reader would refuse
    /// must not reach the disk.
    pub(crate) fn append(
        &mut self,
        commit: &Commit,
        synced: u64,
        images: &Images<'_>,
    ) -> Result<u64> {
        self.check(commit, synced, images);
        let count = images.ids.len() as u64;
        self.reserve(count, images.image_len)?;
        let len_bytes = frame_len_bytes(count, images.image_len).expect("reserve checked it");
        let fits = in_sectors(len_bytes) <= self.room_bytes();
        let begun = if fits { None } else { Some(self.begin_segment()?) };
        let long_append = commit.long_append.as_deref();
        let (sums, further) = long_append.map(|it| SumsHead::of(it, len_bytes)).unwrap_or_default();
        let mut head = FrameHead {
            crc: 0,
            file_id: self.file_id,
            salt: self.current.salt,
            chain: self.chain,
            commit: Commit { long_append: None, ..*commit },
            // begin_segment has synced the previous segment with all earlier frames.
            synced: if begun.is_some() { commit.counts.commit.saturating_sub(1) } else { synced },
            images: count,
            image_len_bytes: images.image_len,
            previous_crc: self.last_crc,
            sums,
        };
        // One write puts a new segment's header and its first frame on the disk.
        let header = begun.as_ref().map_or(&[][..], |header| header);
        let offset = self.current.end - header.len() as u64;
        let buffer = &mut self.buffer;
        buffer.clear();
        buffer.extend_from_slice(header);
        if len_bytes <= ONE_WRITE_MAX_BYTES {
            head.crc = put_frame(buffer, &head, images, &further);
            self.current.file.backing.write_at(offset, buffer)?;
        } else {
            head.crc = crc_of(&head, images);
            let tail = &further;
            write_large(&*self.current.file.backing, offset, buffer, &head, images, tail)?;
        }
        self.current.end += in_sectors(len_bytes);
        self.last_crc = head.crc;
        self.next = commit.counts.commit.checked_add(1).expect("fewer than 2^64 commits");
        Ok(self.current.end - offset)
    }

    /// The segment of the last frame. Syncing it makes all frames durable.
    pub(crate) fn segment(&self) -> Arc<dyn Backing> {
        Arc::clone(&self.current.file.backing)
    }

    /// The salt that the header must name when the array holds all commits up to `checkpointed`.
    pub(crate) fn oldest_after(&self, checkpointed: u64) -> u64 {
        let needed = self.older.iter().find(|older| older.last > checkpointed);
        needed.map_or(self.current.salt, |older| older.salt)
    }

    /// Releases the segments whose commits are all in the array, those up to `checkpointed`, for
    /// recycling. Keeps the segment that ends with commit `needed` and all later ones, because a
    /// reader is still reading from there. The caller must first make a header durable that names
    /// [`Log::oldest_after`].
    pub(crate) fn release(&mut self, checkpointed: u64, needed: Option<u64>) {
        if checkpointed.checked_add(1) == Some(self.next) {
            self.current.checkpointed_end = self.current.end;
        }
        while let Some(older) = self.older.front() {
            if older.last > checkpointed || needed.is_some_and(|needed| older.last >= needed) {
                break;
            }
            if let Some(Older { suffix, len_bytes, .. }) = self.older.pop_front() {
                self.idle.push_back(Idle { suffix, len_bytes });
            }
        }
        self.bound_idle();
    }

    /// Removes all files of the log. The caller makes sure that no header names it.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error: the first one, after everything
    /// else was removed.
    pub(crate) fn remove(self) -> Result<()> {
        let Self { data, older, current, prepared, idle, stuck, .. } = self;
        let suffixes = older.into_iter().map(|older| older.suffix);
        let suffixes = suffixes.chain(idle.into_iter().map(|idle| idle.suffix)).chain(stuck);
        // Dropping it closes the file first: Windows does not remove open files.
        let suffixes = suffixes.chain(prepared.map(|file| file.suffix));
        let suffixes = suffixes.chain([current.file.suffix]);
        let suffixes: Vec<String> = suffixes.collect();
        let mut result = Ok(());
        for suffix in suffixes {
            result = result.and(data.remove_side(&suffix));
        }
        result
    }

    /// The length of the frames in needed segments, without those that a checkpoint of all commits
    /// covered.
    pub(crate) fn len_bytes(&self) -> u64 {
        let older: u64 = self.older.iter().map(|older| older.frames_len_bytes).sum();
        older + (self.current.end - self.current.checkpointed_end)
    }

    /// The length of the segments that are kept although the array holds all their commits.
    pub(crate) fn kept_bytes(&self, checkpointed: u64) -> u64 {
        let kept = self.older.iter().take_while(|older| older.last <= checkpointed);
        kept.map(|older| older.len_bytes).sum()
    }

    /// The number of needed segments.
    #[cfg(test)]
    pub(super) fn segments(&self) -> u64 {
        self.older.len() as u64 + 1
    }

    /// The number of files, with those that wait for their use and those that could not be removed.
    #[inline]
    pub(crate) fn files(&self) -> u64 {
        let others = self.older.len() + self.idle.len() + self.stuck.len();
        others as u64 + 1 + u64::from(self.prepared.is_some())
    }

    fn room_bytes(&self) -> u64 {
        self.current.file.len_bytes - self.current.end
    }

    fn check(&self, commit: &Commit, synced: u64, images: &Images<'_>) {
        assert_eq!(commit.counts.commit, self.next, "commits are numbered without gaps");
        assert!(
            synced < commit.counts.commit,
            "commit {} cannot be synced before it is written",
            commit.counts.commit
        );
        if let Err(broken) = commit.check(images.ids) {
            panic!("refusing to log an impossible commit: {broken}: {commit:?}");
        }
        let given: u64 = images.pieces.iter().map(|piece| piece.len() as u64).sum();
        let expected = (images.ids.len() as u64).checked_mul(images.image_len.into());
        assert_eq!(Some(given), expected, "an image for each record");
    }

    /// Continues in the prepared segment. Returns its header, for the caller to write with the
    /// first frame.
    fn begin_segment(&mut self) -> Result<[u8; SECTOR_BYTES as usize]> {
        let salt = new_salt()?;
        // Any byte of the new segment proves that everything before it is durable.
        step::take(Step::SegmentSync, || self.current.file.backing.sync_data())?;
        let file = self.prepared.take().expect("reserve made one");
        let header = SegmentHeader {
            file_id: self.file_id,
            salt,
            chain: self.chain,
            len_bytes: file.len_bytes,
            previous_salt: self.current.salt,
            first: self.next,
            previous_crc: self.last_crc,
        };
        if file.len_bytes <= self.segment_max_bytes {
            self.next_len_bytes =
                (2 * file.len_bytes).clamp(self.next_len_bytes, self.segment_max_bytes);
        }
        let sealed = std::mem::replace(
            &mut self.current,
            Current { file, salt, end: SECTOR_BYTES, checkpointed_end: SECTOR_BYTES },
        );
        let SegmentFile { suffix, len_bytes, .. } = &self.current.file;
        trace::log_segment(&*self.data, suffix, *len_bytes, self.next);
        self.older.push_back(Older {
            suffix: sealed.file.suffix,
            len_bytes: sealed.file.len_bytes,
            salt: sealed.salt,
            last: self.next.saturating_sub(1),
            frames_len_bytes: sealed.end - sealed.checkpointed_end,
        });
        Ok(header.encode())
    }

    /// Makes or recycles a file for a segment of at least `needed` bytes.
    fn prepare(&mut self, needed: u64) -> Result<SegmentFile> {
        if needed > SEGMENT_MAX_BYTES {
            return SegmentFile::create(&*self.data, needed, &[], Fill::Room);
        }
        let wanted = self.next_len_bytes.max(needed.next_power_of_two());
        if let Some(recycled) = self.recycle(wanted)? {
            return Ok(recycled);
        }
        match SegmentFile::create(&*self.data, wanted, &[], Fill::Zeros) {
            // On a full disk a shorter recycled file is enough.
            Err(error) if error.kind() == ErrorKind::NoSpace => self.recycle(needed)?.ok_or(error),
            made => made,
        }
    }

    /// Takes the oldest idle file of at least `needed` bytes.
    fn recycle(&mut self, needed: u64) -> Result<Option<SegmentFile>> {
        while let Some(at) = self.idle.iter().position(|idle| idle.len_bytes >= needed) {
            let Some(Idle { suffix, len_bytes }) = self.idle.remove(at) else { break };
            // A user may have removed or cut the file.
            if let Some(backing) = self.data.open_side(&suffix, OpenSide::Write)? {
                if backing.len_bytes()? == len_bytes {
                    return Ok(Some(SegmentFile { suffix, backing, len_bytes }));
                }
            }
        }
        Ok(None)
    }

    /// Removes idle files beyond the limits of number and length.
    fn bound_idle(&mut self) {
        loop {
            let oversized =
                self.idle.iter().position(|idle| idle.len_bytes > self.segment_max_bytes);
            let held: u64 = self.idle.iter().map(|idle| idle.len_bytes).sum();
            let too_many = self.idle.len() > POOL_MAX_FILES || held > POOL_MAX_BYTES;
            let Some(at) = oversized.or(too_many.then_some(0)) else { return };
            if let Some(idle) = self.idle.remove(at) {
                // Windows may refuse because another process has the file open; `remove` tries
                // again.
                if self.data.remove_side(&idle.suffix).is_err() {
                    self.stuck.push(idle.suffix);
                }
            }
        }
    }
}

/// Calls `each` with a frame, piece by piece.
fn each_piece(
    head: &FrameHead,
    images: &Images<'_>,
    each: &mut dyn FnMut(&[u8]) -> Result<()>,
) -> Result<()> {
    each(&head.encode())?;
    let mut numbers = [0; 4096];
    for ids in images.ids.chunks(numbers.len() / size_of::<u64>()) {
        let (used, _) = numbers.split_at_mut(size_of_val(ids));
        for (place, id) in used.chunks_exact_mut(size_of::<u64>()).zip(ids) {
            place.copy_from_slice(&id.to_le_bytes());
        }
        each(used)?;
    }
    images.pieces.iter().try_for_each(|piece| each(piece))
}

/// Appends to `buffer` a frame with its checksum, and `tail`, filled up to whole sectors. Returns
/// the checksum.
fn put_frame(buffer: &mut Vec<u8>, head: &FrameHead, images: &Images<'_>, tail: &[u8]) -> u32 {
    let start = buffer.len();
    buffer.extend_from_slice(&head.encode());
    for id in images.ids {
        buffer.extend_from_slice(&id.to_le_bytes());
    }
    for piece in images.pieces {
        buffer.extend_from_slice(piece);
    }
    let crc = crc32c(&buffer[start + FRAME_CRC_END..]);
    let head = FrameHead { crc, ..head.clone() };
    buffer[start..start + FRAME_HEAD_BYTES].copy_from_slice(&head.encode());
    buffer.extend_from_slice(tail);
    let sector = usize::try_from(SECTOR_BYTES).expect("a sector is small");
    buffer.resize(buffer.len().next_multiple_of(sector), 0);
    crc
}

/// Computes the checksum of a frame.
fn crc_of(head: &FrameHead, images: &Images<'_>) -> u32 {
    let mut crc = 0;
    let mut skip = FRAME_CRC_END;
    let summed = each_piece(head, images, &mut |bytes| {
        crc = crc32c_append(crc, &bytes[std::mem::take(&mut skip)..]);
        Ok(())
    });
    summed.expect("summing does not fail");
    crc
}

/// Writes the content of `buffer`, a frame and `tail`, filled up to whole sectors, to `offset`, in
/// pieces of bounded length.
fn write_large(
    backing: &dyn Backing,
    mut offset: u64,
    buffer: &mut Vec<u8>,
    head: &FrameHead,
    images: &Images<'_>,
    tail: &[u8],
) -> Result<()> {
    let limit = usize::try_from(ONE_WRITE_MAX_BYTES).expect("far less than any address space");
    each_piece(head, images, &mut |mut bytes| {
        if buffer.len() + bytes.len() >= limit {
            if !buffer.is_empty() {
                backing.write_at(offset, buffer)?;
                offset += buffer.len() as u64;
                buffer.clear();
            }
            let (whole, rest) = bytes.split_at(bytes.len() - bytes.len() % limit);
            if !whole.is_empty() {
                backing.write_at(offset, whole)?;
                offset += whole.len() as u64;
            }
            bytes = rest;
        }
        buffer.extend_from_slice(bytes);
        Ok(())
    })?;
    let fill = in_sectors(head.len_bytes()) - head.len_bytes();
    let end = buffer.len() + usize::try_from(fill).expect("less than a sector");
    buffer.extend_from_slice(tail);
    buffer.resize(end, 0);
    backing.write_at(offset, buffer)
}
