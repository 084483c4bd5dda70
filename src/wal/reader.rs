//! Reads an untrusted segment, without reading or allocating more than it holds.

use std::path::PathBuf;
use std::sync::Arc;

use super::format::{FRAME_CRC_END, FRAME_HEAD_BYTES, FrameHead, SECTOR_BYTES};
use super::long_append::LongAppendSums;
use crate::error::{Error, ErrorKind, Result};
use crate::format::checksum::{crc32c, crc32c_append, crc32c_append_zeros};
use crate::io::Backing;
use crate::number::{in_memory, smaller};
use crate::os;
use crate::step::{self, Step};

/// The length of one read. The checksum of a longer frame is verified before memory is allocated
/// for it.
pub(super) const WINDOW_BYTES: usize = 256 << 10;

/// The length of one read when a reader follows a growing log, or reads only a header.
const FOLLOWING_WINDOW_BYTES: usize = 16 << 10;

/// A segment, with a window of its bytes in memory.
pub(super) struct SegmentReader {
    backing: Arc<dyn Backing>,
    len_bytes: u64,
    buffer: Vec<u8>,
    /// The offset of the buffer's bytes.
    start: u64,
    /// The length of one read.
    window_bytes: usize,
}

impl SegmentReader {
    pub(super) fn new(backing: Arc<dyn Backing>) -> Result<Self> {
        let len_bytes = backing.len_bytes()?;
        let (buffer, window_bytes) = (Vec::new(), WINDOW_BYTES);
        Ok(Self { backing, len_bytes, buffer, start: 0, window_bytes })
    }

    /// Drops the buffered bytes, because the writer has written more; expects little.
    pub(super) fn look_again(&mut self) -> Result<()> {
        self.buffer.clear();
        self.expect_little();
        self.len_bytes = self.backing.len_bytes()?;
        Ok(())
    }

    /// Uses short reads from now on.
    pub(super) fn expect_little(&mut self) {
        self.window_bytes = FOLLOWING_WINDOW_BYTES;
    }

    pub(super) fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    pub(super) fn path(&self) -> PathBuf {
        self.backing.path().unwrap_or_default()
    }

    /// Ends the segment at the length in its header, or not if that is 0 (unknown): bytes behind do
    /// not belong to it, and may be a hole of any length.
    pub(super) fn end_at(&mut self, len_bytes: u64) {
        if len_bytes > 0 {
            self.len_bytes = self.len_bytes.min(len_bytes);
        }
    }

    /// An offset such that all bytes from `offset` up to it are zeros.
    pub(super) fn next_data(&self, offset: u64) -> Result<u64> {
        self.backing.next_data(offset)
    }

    /// The first sector, or the part of it that exists.
    pub(super) fn head(&mut self) -> Result<&[u8]> {
        let len = self.len_bytes.min(SECTOR_BYTES);
        Ok(self.bytes(0, in_memory(len))?.unwrap_or(&[]))
    }

    /// The frame behind the header, if it is whole and belongs to that store.
    pub(super) fn first_frame(&mut self, file_id: [u8; 16]) -> Result<Option<FrameHead>> {
        let frame = self.frame_at(SECTOR_BYTES)?;
        Ok(frame.filter(|frame| frame.file_id == file_id && frame.salt != 0))
    }

    /// The frame at `offset`, if its checksum matches.
    pub(super) fn frame_at(&mut self, offset: u64) -> Result<Option<FrameHead>> {
        let room = self.len_bytes.saturating_sub(offset);
        let Some(head) = self.bytes(offset, FRAME_HEAD_BYTES)? else { return Ok(None) };
        let Some(frame) = FrameHead::read(head, room) else { return Ok(None) };
        let crc = self.crc_at(offset, frame.len_bytes())?;
        let whole = crc == Some(frame.crc) || crc.is_some() && step::skip(Step::FrameCheck);
        Ok(whole.then_some(frame))
    }

    /// The checksums of records in the array that the frame at `offset` states.
    pub(super) fn long_append_sums(
        &mut self,
        offset: u64,
        frame: &FrameHead,
    ) -> Result<Option<LongAppendSums>> {
        let len_bytes = frame.len_bytes();
        let Some(further_len) = frame.sums.further_len_bytes(len_bytes) else { return Ok(None) };
        let further = self.bytes(offset.saturating_add(len_bytes), further_len)?;
        Ok(frame.sums.with(further))
    }

    /// The payload of a frame that [`SegmentReader::frame_at`] found at `offset`; `None` if it has
    /// changed since.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for a frame that does not fit in memory; [`ErrorKind::Io`] if the
    /// operating system reports an error.
    pub(super) fn payload(&mut self, offset: u64, frame: &FrameHead) -> Result<Option<&[u8]>> {
        let path = self.path();
        let len_bytes = frame.len_bytes();
        let Ok(len) = usize::try_from(len_bytes) else {
            return Err(too_large(len_bytes).path(path).offset(offset));
        };
        let Some(bytes) = self.bytes(offset, len)? else { return Ok(None) };
        if len > WINDOW_BYTES && crc32c(&bytes[FRAME_CRC_END..]) != frame.crc {
            return Ok(None);
        }
        Ok(Some(&bytes[FRAME_HEAD_BYTES..]))
    }

    /// Whether a frame that [`SegmentReader::frame_at`] found at `offset` has the record number 0
    /// twice. Checked first, so that no memory is allocated for numbers in a hole.
    pub(super) fn numbers_repeat_zero(&mut self, offset: u64, frame: &FrameHead) -> Result<bool> {
        let start = offset.saturating_add(FRAME_HEAD_BYTES as u64);
        let end = start.saturating_add(frame.images.saturating_mul(size_of::<u64>() as u64));
        let (mut at, mut zeros) = (start, 0);
        while at < end && zeros < 2 {
            let len = usize::try_from(end - at).unwrap_or(WINDOW_BYTES).min(WINDOW_BYTES);
            let Some(bytes) = self.bytes(at, len)? else { return Ok(false) };
            let numbers = bytes.chunks_exact(size_of::<u64>());
            zeros += numbers.filter(|number| number.iter().all(|&byte| byte == 0)).count();
            at += len as u64;
        }
        Ok(zeros > 1)
    }

    /// The checksum of a frame of `len_bytes` bytes; `None` if the segment ends before.
    fn crc_at(&mut self, offset: u64, len_bytes: u64) -> Result<Option<u32>> {
        let mut crc = 0;
        let mut done = 0;
        while done < len_bytes {
            let next = smaller(len_bytes - done, WINDOW_BYTES);
            let Some(bytes) = self.bytes(offset + done, next)? else {
                return Ok(None);
            };
            let covered = if done == 0 { &bytes[FRAME_CRC_END..] } else { bytes };
            crc = crc32c_append(crc, covered);
            let zeros = bytes.len() == WINDOW_BYTES && bytes.iter().all(|&byte| byte == 0);
            done += bytes.len() as u64;
            if zeros {
                // So many zeros may be part of a hole.
                let data = self.next_data(offset + done)?.saturating_sub(offset).min(len_bytes);
                crc = crc32c_append_zeros(crc, data.saturating_sub(done));
                done = done.max(data);
            }
        }
        Ok(Some(crc))
    }

    /// `len` bytes from `offset` on; `None` if the segment ends before.
    pub(super) fn bytes(&mut self, offset: u64, len: usize) -> Result<Option<&[u8]>> {
        let Some(end) = offset.checked_add(len as u64).filter(|&end| end <= self.len_bytes) else {
            return Ok(None);
        };
        let buffered = self.start..=self.start + self.buffer.len() as u64;
        if !buffered.contains(&offset) || !buffered.contains(&end) {
            let wanted = len.max(smaller(self.len_bytes - offset, self.window_bytes));
            self.start = offset;
            let read = self.fill(offset, wanted)?;
            self.buffer.truncate(read);
            if read < len {
                return Ok(None); // The file was cut after its length was read.
            }
        }
        let from = usize::try_from(offset - self.start).expect("less than the buffer's length");
        Ok(Some(&self.buffer[from..from + len]))
    }

    /// Reads `len` bytes from `offset` on into the buffer. Returns how many the file has.
    ///
    /// A buffer longer than a window is allocated zeroed and read around the holes of the file, so
    /// that a hole takes no memory.
    fn fill(&mut self, offset: u64, len: usize) -> Result<usize> {
        self.buffer.clear();
        if len <= WINDOW_BYTES {
            self.buffer.resize(len, 0);
            return self.backing.read_at(offset, &mut self.buffer);
        }
        self.buffer = os::zeroed(len)
            .map_err(|_| too_large(len as u64).path(self.path()).offset(offset))?
            .into_vec();
        let mut done = 0;
        while done < len {
            let data = self.backing.next_data(offset + done as u64)?.saturating_sub(offset);
            done = done.max(smaller(data, len));
            let piece = len.min(done + WINDOW_BYTES);
            let read = self.backing.read_at(offset + done as u64, &mut self.buffer[done..piece])?;
            done += read;
            if done < piece {
                break;
            }
        }
        Ok(done)
    }
}

fn too_large(len_bytes: u64) -> Error {
    Error::new(ErrorKind::Unsupported, "read the log")
        .detail(format!("a commit of {len_bytes} bytes does not fit in the memory of this process"))
        .advice("open the store in a process with more memory")
}
