//! Searches behind a log's end for a frame that proves that the missing commit was synced.
//!
//! Every sector may contain a head, and each head may claim a frame up to the segment's end. So
//! frames are not summed one by one: a single running sum covers the bytes, and the sum of a frame
//! follows from its values at the two ends of the frame. Every byte is read once, and holes are not
//! read at all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::format::{FRAME_CRC_END, FRAME_HEAD_BYTES, FrameHead, SECTOR_BYTES};
use super::reader::{SegmentReader, WINDOW_BYTES};
use crate::error::Result;
use crate::format::checksum::{crc32c_append, crc32c_append_zeros, crc32c_between};

/// What the wanted frame must say.
pub(super) struct Sought {
    pub(super) file_id: [u8; 16],
    pub(super) chain: u64,
    /// The salt of the segment, if known.
    pub(super) salt: Option<u64>,
    /// The missing commit.
    pub(super) missing: u64,
}

impl Sought {
    fn is_met_by(&self, frame: &FrameHead) -> bool {
        frame.file_id == self.file_id
            && frame.chain == self.chain
            && self.salt.unwrap_or(frame.salt) == frame.salt
            && frame.commit.counts.commit > self.missing
            && frame.synced >= self.missing
    }
}

/// The number and offset of a whole frame that lies in the segment from `from` on and says that the
/// missing commit was synced.
///
/// # Errors
/// [`ErrorKind::Io`] if the operating system reports an error.
pub(super) fn find(
    reader: &mut SegmentReader,
    sought: &Sought,
    from: u64,
) -> Result<Option<(u64, u64)>> {
    let end = reader.len_bytes();
    let mut sum = Sum { at: from, crc: 0, claimed: BinaryHeap::new() };
    let mut looked_at = None;
    while sum.at < end {
        let offset = sum.at;
        let window = offset / WINDOW_BYTES as u64;
        if looked_at != Some(window) {
            looked_at = Some(window);
            let data = reader.next_data(offset)?.min(end);
            let data = (data - data % SECTOR_BYTES).max(offset);
            if let Some(whole) = sum.pass_zeros(data - offset) {
                return Ok(Some(whole));
            }
            if data > offset {
                looked_at = Some(data / WINDOW_BYTES as u64);
                continue;
            }
        }
        let len = usize::try_from((end - offset).min(SECTOR_BYTES)).unwrap_or(FRAME_HEAD_BYTES);
        let Some(sector) = reader.bytes(offset, len)? else { return Ok(None) };
        let (summed_before, rest) = sector.split_at(len.min(FRAME_CRC_END));
        if let Some(whole) = sum.pass(summed_before) {
            return Ok(Some(whole));
        }
        let head = FrameHead::read(sector, end - offset);
        if let Some(frame) = head.filter(|frame| sought.is_met_by(frame)) {
            sum.claim(offset, &frame);
        }
        if let Some(whole) = sum.pass(rest) {
            return Ok(Some(whole));
        }
    }
    Ok(None)
}

/// The running sum, and the claimed frames that end further on.
struct Sum {
    /// The offset of the next byte.
    at: u64,
    crc: u32,
    /// The frame that ends first is on top.
    claimed: BinaryHeap<Reverse<Claim>>,
}

/// A claimed frame whose end the sum has not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    end: u64,
    offset: u64,
    number: u64,
    /// The running sum where the checksum of the frame begins.
    before: u32,
    /// The checksum in its head.
    crc: u32,
}

impl Sum {
    /// Adds the frame at `offset`, after the bytes that its checksum leaves out.
    fn claim(&mut self, offset: u64, frame: &FrameHead) {
        if self.claimed.is_empty() {
            self.crc = 0; // No claimed frame needs the sum before here.
        }
        self.claimed.push(Reverse(Claim {
            end: offset + frame.len_bytes(),
            offset,
            number: frame.commit.counts.commit,
            before: self.crc,
            crc: frame.crc,
        }));
    }

    /// Adds these bytes to the sum. Returns the first whole frame that ends in them.
    fn pass(&mut self, bytes: &[u8]) -> Option<(u64, u64)> {
        let mut left = bytes;
        self.advance(bytes.len() as u64, |crc, step| {
            // A step is at most as long as the rest.
            let (passed, rest) = left.split_at(usize::try_from(step).unwrap_or(left.len()));
            left = rest;
            crc32c_append(crc, passed)
        })
    }

    /// Adds so many zeros to the sum.
    fn pass_zeros(&mut self, zeros: u64) -> Option<(u64, u64)> {
        self.advance(zeros, crc32c_append_zeros)
    }

    fn advance(
        &mut self,
        len_bytes: u64,
        mut append: impl FnMut(u32, u64) -> u32,
    ) -> Option<(u64, u64)> {
        let through = self.at + len_bytes;
        while let Some(&Reverse(next)) = self.claimed.peek() {
            let step = next.end.min(through) - self.at;
            self.crc = append(self.crc, step);
            self.at += step;
            if next.end > through {
                return None;
            }
            self.claimed.pop();
            let summed = next.end - next.offset - FRAME_CRC_END as u64;
            if crc32c_between(next.before, self.crc, summed) == next.crc {
                return Some((next.number, next.offset));
            }
        }
        self.at = through;
        None
    }
}
