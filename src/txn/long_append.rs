//! Records of a long append: the log counts them and has their checksums, but no images. Their
//! bytes are in the array, and a reader compares the array with the checksums.
//!
//! The writer syncs such records before it writes the frame that counts them, so after any crash
//! the records are in the array if the frame is in the log. They are missing if data file and log
//! are from different moments, as in a copy that was made while a writer went on.
//!
//! The comparison leaves out pieces with a record that a later commit has an image of: an
//! interrupted checkpoint may have written that image.

use std::collections::VecDeque;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::format::RecordLayout;
use crate::format::checksum::{crc32c_append, crc32c_append_zeros};
use crate::io::Backing;
use crate::number::smaller;
use crate::overlay::Overlay;
use crate::step::{self, Step};
use crate::wal::{Commit, LongAppendSums};

/// How many bytes of the array are read at a time.
const CHUNK_BYTES: usize = 256 << 10;

/// The records that one commit counts for the first time, if it lacks images of some.
#[derive(Debug)]
pub(crate) struct LongAppend {
    commit: u64,
    ids: Range<u64>,
    sums: Option<Arc<LongAppendSums>>,
}

impl LongAppend {
    /// The long append of a commit whose predecessor counted `before` records; `None` if the commit
    /// has an image of each new record.
    pub(crate) fn of(commit: &Commit, ids: &[u64], before: u64) -> Option<Self> {
        if commit.counts.records == before {
            return None;
        }
        let appended = before..commit.counts.records;
        let logged = ids.iter().filter(|&id| appended.contains(id)).count() as u64;
        let is_long = appended.end - appended.start > logged;
        let sums = commit.long_append.clone();
        is_long.then_some(Self { commit: commit.counts.commit, ids: appended, sums })
    }
}

/// How many bytes of records lie in the array that no header counts yet, and since which commits.
/// The sum of the bytes cannot overflow: all of them lie in one file.
#[derive(Debug, Default)]
pub(crate) struct UncountedBytes {
    commits: VecDeque<(u64, u64)>,
    bytes: u64,
}

impl UncountedBytes {
    /// Notes a commit that counts this many bytes of a long append.
    pub(crate) fn add(&mut self, commit: u64, bytes: u64) {
        if bytes > 0 {
            self.commits.push_back((commit, bytes));
            self.bytes += bytes;
        }
    }

    /// Notes that a header counts the records of all commits up to this one.
    pub(crate) fn count(&mut self, through: u64) {
        while let Some(&(commit, bytes)) = self.commits.front() {
            if commit > through {
                return;
            }
            self.commits.pop_front();
            self.bytes -= bytes;
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Records whose bytes are not those that their commit wrote.
#[derive(Clone, Debug)]
pub(crate) struct MismatchedRecords {
    commit: u64,
    pub(crate) ids: Range<u64>,
    /// Their bytes, counted from the start of the array.
    pub(crate) bytes: Range<u64>,
}

impl fmt::Display for MismatchedRecords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { commit, ids, .. } = self;
        write!(
            f,
            "records {}..{} are not those that commit {commit} in the log counts: data file and \
             log are not of the same moment, as in a copy that was made while the store was \
             written to",
            ids.start, ids.end
        )
    }
}

impl MismatchedRecords {
    pub(crate) fn error(&self) -> Error {
        Error::new(ErrorKind::Corrupt, "read the log of")
            .record(self.ids.start)
            .detail(self.to_string())
            .advice(
                "copy a store with flatrec backup, or when it is closed; salvage saves the other \
                 records",
            )
    }
}

/// The long appends of a whole log, with the images that may have changed them since.
#[derive(Debug)]
pub(crate) struct LongAppends<'a> {
    layout: &'a RecordLayout,
    all: &'a [LongAppend],
    /// The records that the log has images of, in order.
    images: Vec<u64>,
}

impl<'a> LongAppends<'a> {
    pub(crate) fn new(layout: &'a RecordLayout, all: &'a [LongAppend], overlay: &Overlay) -> Self {
        let images = match all.is_empty() {
            true => Vec::new(),
            false => overlay.sorted_after(0).into_iter().map(|(id, _)| id).collect(),
        };
        Self { layout, all, images }
    }

    /// The pieces that can be compared: the records that have bytes in each, its bytes of the
    /// array, and its checksum.
    fn pieces(&self, one: &LongAppend) -> Vec<(Range<u64>, Range<u64>, u32)> {
        let stride = self.layout.geometry.stride;
        let (Some(sums), Some(start)) = (&one.sums, one.ids.start.checked_mul(stride)) else {
            return Vec::new();
        };
        // A forged frame may count records whose end has no offset.
        let len_bytes = one.ids.end.checked_mul(stride).map(|end| end - start);
        if len_bytes != Some(sums.len_bytes()) {
            return Vec::new();
        }
        let located = sums.pieces().map(|(bytes, sum)| {
            let (first, end) = (bytes.start / stride, bytes.end.div_ceil(stride));
            let ids = one.ids.start + first..one.ids.start + end;
            (ids, start + bytes.start..start + bytes.end, sum)
        });
        located.filter(|(ids, ..)| self.images_in(ids) == 0).collect()
    }

    fn images_in(&self, ids: &Range<u64>) -> u64 {
        let below = |end: u64| self.images.partition_point(|&id| id < end);
        (below(ids.end) - below(ids.start)) as u64
    }

    /// How many records these long appends count.
    pub(crate) fn records(&self) -> u64 {
        self.all.iter().map(|one| one.ids.end - one.ids.start).sum()
    }

    /// How many of these records no checksum covers.
    pub(crate) fn unsummed(&self) -> u64 {
        let stride = self.layout.geometry.stride;
        let of_one = |one: &LongAppend| {
            let mut runs: Vec<Range<u64>> = Vec::new();
            for (_, bytes, _) in self.pieces(one) {
                match runs.last_mut() {
                    Some(last) if last.end == bytes.start => last.end = bytes.end,
                    _ => runs.push(bytes),
                }
            }
            let whole =
                |run: &Range<u64>| (run.end / stride).saturating_sub(run.start.div_ceil(stride));
            let summed: u64 = runs.iter().map(whole).sum();
            let other = summed.saturating_add(self.images_in(&one.ids));
            (one.ids.end - one.ids.start).saturating_sub(other)
        };
        self.all.iter().map(of_one).sum()
    }

    /// The records whose bytes in the array do not match the log's checksums.
    ///
    /// # Errors
    /// [`ErrorKind::Io`] if the operating system reports an error. A mismatch is not an error.
    pub(crate) fn mismatched(&self, backing: &dyn Backing) -> Result<Vec<MismatchedRecords>> {
        let mut mismatched: Vec<MismatchedRecords> = Vec::new();
        if step::skip(Step::LongAppendCheck) {
            return Ok(mismatched);
        }
        let mut buffer = Vec::new();
        for one in self.all {
            for (ids, bytes, sum) in self.pieces(one) {
                if self.sum(backing, &bytes, &mut buffer)? == Some(sum) {
                    continue;
                }
                match mismatched.last_mut() {
                    Some(last) if last.commit == one.commit && last.bytes.end == bytes.start => {
                        (last.ids.end, last.bytes.end) = (ids.end, bytes.end);
                    }
                    _ => mismatched.push(MismatchedRecords { commit: one.commit, ids, bytes }),
                }
            }
        }
        Ok(mismatched)
    }

    /// The checksum of these bytes of the array; `None` if the file ends before them.
    fn sum(
        &self,
        backing: &dyn Backing,
        bytes: &Range<u64>,
        buffer: &mut Vec<u8>,
    ) -> Result<Option<u32>> {
        buffer.resize(CHUNK_BYTES, 0);
        let (mut at, mut sum) = (bytes.start, 0);
        while at < bytes.end {
            let part = &mut buffer[..smaller(bytes.end - at, CHUNK_BYTES)];
            let offset = self.layout.geometry.data_offset.saturating_add(at);
            if backing.read_at(offset, part)? < part.len() {
                return Ok(None);
            }
            sum = crc32c_append(sum, part);
            at += part.len() as u64;
            if part.len() == CHUNK_BYTES && part.iter().all(|&byte| byte == 0) {
                // A whole chunk of zeros may lie in a hole of any length.
                let next = self.layout.geometry.data_offset.saturating_add(at);
                let zeros = backing.next_data(next)?.saturating_sub(next).min(bytes.end - at);
                sum = crc32c_append_zeros(sum, zeros);
                at += zeros;
            }
        }
        Ok(Some(sum))
    }
}
