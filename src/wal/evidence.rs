//! Looking behind a log's end for a frame that says that what is missing there was synced.
//!
//! Heads may lie on every sector, and each may claim a frame up to the segment's end. So frames are
//! not summed one by one: one sum runs over the bytes, and a frame's own follows from what the sum
//! was at its ends. Every byte is read once, and holes are not read at all.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::format::{FRAME_CRC_END, FRAME_HEAD_BYTES, FrameHead, SECTOR_BYTES};
use super::reader::{SegmentReader, WINDOW_BYTES};
use crate::error::Result;
use crate::format::checksum::{crc32c_append, crc32c_append_zeros, crc32c_between};

/// What the frame that is looked for says.
pub(super) struct Sought {
    pub(super) file_id: [u8; 16],
    pub(super) chain: u64,
    /// The salt of the segment, where it is known.
    pub(super) salt: Option<u64>,
    /// The commit that is missing.
    pub(super) missing: u64,
}

impl Sought {
    fn is_said_by(&self, frame: &FrameHead) -> bool {
        frame.file_id == self.file_id
            && frame.chain == self.chain
            && self.salt.unwrap_or(frame.salt) == frame.salt
            && frame.commit.counts.commit > self.missing
            && frame.synced >= self.missing
    }
}

/// The number of a commit whose frame, whole, lies from `from` on in the segment and says that the
/// missing commit was synced; and where that frame lies.
///
/// # Errors
/// The system's.
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
        if let Some(frame) = head.filter(|frame| sought.is_said_by(frame)) {
            sum.claim(offset, &frame);
        }
        if let Some(whole) = sum.pass(rest) {
            return Ok(Some(whole));
        }
    }
    Ok(None)
}

/// The sum of the bytes from somewhere on, and the frames that end further on.
struct Sum {
    /// Where the next byte comes from.
    at: u64,
    crc: u32,
    /// The first to end is on top.
    claimed: BinaryHeap<Reverse<Claim>>,
}

/// A frame of which the end was not reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Claim {
    end: u64,
    offset: u64,
    number: u64,
    /// The sum where it begins to be summed.
    before: u32,
    /// The sum that it claims.
    crc: u32,
}

impl Sum {
    /// Takes note of a frame at `offset`, of which the bytes that are not summed have passed.
    fn claim(&mut self, offset: u64, frame: &FrameHead) {
        if self.claimed.is_empty() {
            self.crc = 0; // Nothing was summed as long as nothing was claimed.
        }
        self.claimed.push(Reverse(Claim {
            end: offset + frame.len_bytes(),
            offset,
            number: frame.commit.counts.commit,
            before: self.crc,
            crc: frame.crc,
        }));
    }

    /// Goes on over these bytes; the first frame that ends in them and is whole.
    fn pass(&mut self, bytes: &[u8]) -> Option<(u64, u64)> {
        let mut left = bytes;
        self.go_on(bytes.len() as u64, |crc, step| {
            // No step is longer than what is left.
            let (passed, rest) = left.split_at(usize::try_from(step).unwrap_or(left.len()));
            left = rest;
            crc32c_append(crc, passed)
        })
    }

    /// Goes on over so many zeros.
    fn pass_zeros(&mut self, zeros: u64) -> Option<(u64, u64)> {
        self.go_on(zeros, crc32c_append_zeros)
    }

    fn go_on(
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
