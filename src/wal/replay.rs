//! Walks an untrusted chain, and tells a torn end from damage.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;

use super::Commit;
use super::evidence::{self, Sought};
use super::files::{Following, Found, LOOK_BYTES_MAX, Survey, open, path_of, survey};
use super::format::{FrameHead, SECTOR_BYTES, in_sectors};
use super::reader::SegmentReader;
use super::verdict::{Ruling, Witness};
use crate::error::{Error, ErrorKind, Result};
use crate::io::Backing;
use crate::step::{self, Step};

pub(super) const OPERATION: &str = "read the log";

/// What a walk found in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Replayed {
    /// The number of its last commit.
    pub(crate) last: u64,
    /// The number of commits given to `each`.
    pub(crate) frames: u64,
    /// The total length of its frames.
    pub(crate) log_len_bytes: u64,
    /// The salt of the segment that it began with.
    pub(super) chain: u64,
    /// The checksum of its last frame.
    pub(super) last_crc: u32,
    /// Its segments, in order.
    pub(super) segments: Vec<Passed>,
    /// A segment that is shorter than its header says, its length, and the length in the header. If
    /// the file was cut at the end of a frame, only this shows that the log did not end there.
    cut: Option<(PathBuf, u64, u64)>,
}

/// A segment that was walked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Passed {
    pub(super) suffix: String,
    pub(super) salt: u64,
    /// The end of its frames.
    pub(super) end: u64,
    /// The last commit up to there.
    pub(super) last: u64,
    pub(super) frames_len_bytes: u64,
}

impl Replayed {
    /// A chain that gave no commit after `last`.
    pub(super) fn nothing(last: u64) -> Self {
        let (chain, last_crc, segments) = (0, 0, Vec::new());
        Self { last, frames: 0, log_len_bytes: 0, chain, last_crc, segments, cut: None }
    }

    /// Fails if a segment was cut.
    pub(crate) fn check_uncut(&self) -> Result<()> {
        let Some((path, len_bytes, whole_bytes)) = &self.cut else { return Ok(()) };
        Err(Error::new(ErrorKind::Corrupt, OPERATION)
            .path(path)
            .offset(*len_bytes)
            .detail(format!("the file was cut from {whole_bytes} bytes to {len_bytes}"))
            .advice("restore data file and log together from a backup, or salvage what is left"))
    }
}

/// The callback for each commit: the commit, the numbers of the records it changed, and their
/// images, one after another.
pub(crate) type Each<'a> = dyn FnMut(&Commit, &[u64], &[u8]) -> Result<()> + 'a;

/// Walks the chain that begins with the segment of `salt` and calls `each` for every commit after
/// `after`, in order. `after` is the last commit that the array holds; the log was synced up to
/// there.
///
/// # Errors
/// [`ErrorKind::Corrupt`] if the log is missing, belongs to another store, does not continue
/// `after`, or lacks a synced commit; `each` may have been called for earlier commits before that.
/// [`ErrorKind::UnsupportedFormat`] for a later version; the errors of `each`; [`ErrorKind::Io`] if
/// the operating system reports an error. Beside an active writer any of these may pass; the caller
/// can try again.
pub(crate) fn replay(
    data: &dyn Backing,
    file_id: [u8; 16],
    salt: u64,
    after: u64,
    image_len: u32,
    each: &mut Each<'_>,
) -> Result<Replayed> {
    let mut found = survey(data, file_id)?;
    let mut segment = take_first(data, &mut found, salt)?;
    if segment.header.first > after.saturating_add(1) {
        return Err(gap(data, &segment, after));
    }
    let mut walk = Walk {
        data,
        file_id,
        chain: segment.header.chain,
        image_len,
        after,
        through: u64::MAX,
        next: segment.header.first,
        last_crc: segment.header.previous_crc,
        replayed: Replayed::nothing(after),
    };
    loop {
        let mut reader = open(data, &segment.suffix)?.ok_or_else(|| {
            missing(path_of(data, &segment.suffix), "the file was removed while the log was read")
        })?;
        reader.end_at(segment.header.len_bytes);
        let end = walk.segment(&mut reader, segment.header.salt, SECTOR_BYTES, each)?;
        walk.note_cut(&reader, segment.header.len_bytes, end);
        walk.note_passed(&segment, end);
        // Taking each segment out of `found` stops chains that form a circle.
        let place = (reader.path(), end);
        match walk.take_successor(&mut found, segment.header.salt, &place)? {
            Some(successor) => segment = successor,
            None => {
                walk.judge_end(&mut reader, segment.header.salt, &place)?;
                walk.judge_others(&found, &place)?;
                return Ok(walk.replayed);
            }
        }
    }
}

/// The end of the frames of a segment: its path, and the offset.
pub(super) type Place = (PathBuf, u64);

/// The state of a walk along a chain.
pub(super) struct Walk<'a> {
    pub(super) data: &'a dyn Backing,
    pub(super) file_id: [u8; 16],
    /// The salt of the segment that the chain began with.
    pub(super) chain: u64,
    pub(super) image_len: u32,
    pub(super) after: u64,
    /// The last commit to read.
    pub(super) through: u64,
    /// The number of the next commit.
    pub(super) next: u64,
    /// The checksum of the frame before it.
    pub(super) last_crc: u32,
    pub(super) replayed: Replayed,
}

impl Walk<'_> {
    /// Walks the frames of one segment from `offset` on. Returns where they end, or where commit
    /// `through` ends.
    pub(super) fn segment(
        &mut self,
        reader: &mut SegmentReader,
        salt: u64,
        mut offset: u64,
        each: &mut Each<'_>,
    ) -> Result<u64> {
        let mut ids = Vec::new();
        while self.next <= self.through {
            let Some(mut frame) = reader.frame_at(offset)?.filter(|it| self.continues(it, salt))
            else {
                break;
            };
            let taken = match self.check(&frame) {
                Ok(()) if reader.numbers_repeat_zero(offset, &frame)? => Err(twice_in_one(0)),
                Ok(()) => {
                    let long_append = reader.long_append_sums(offset, &frame)?.map(Arc::new);
                    let Some(payload) = reader.payload(offset, &frame)? else { break };
                    frame = FrameHead { commit: Commit { long_append, ..frame.commit }, ..frame };
                    self.take(&frame, payload, &mut ids, each)?
                }
                broken => broken,
            };
            if let Err(broken) = taken {
                return Err(Error::new(ErrorKind::Corrupt, OPERATION)
                    .path(reader.path())
                    .offset(offset)
                    .detail(format!(
                        "commit {} has a valid checksum, but {broken}",
                        frame.commit.counts.commit
                    ))
                    .advice(
                        "restore data file and log together: this log was not written for this \
                         state of the data file",
                    ));
            }
            let len_bytes = in_sectors(frame.len_bytes());
            offset = offset.saturating_add(len_bytes);
            self.replayed.log_len_bytes = self.replayed.log_len_bytes.saturating_add(len_bytes);
        }
        Ok(offset)
    }

    /// Notes a cut segment. One without a whole frame may be a large one, which grows as it is
    /// written.
    fn note_cut(&mut self, reader: &SegmentReader, whole_bytes: u64, end: u64) {
        let len_bytes = reader.len_bytes();
        if end > SECTOR_BYTES && len_bytes < whole_bytes {
            self.replayed.cut = Some((reader.path(), len_bytes, whole_bytes));
        }
    }

    fn note_passed(&mut self, segment: &Found, end: u64) {
        self.replayed.segments.push(Passed {
            suffix: segment.suffix.clone(),
            salt: segment.header.salt,
            end,
            last: self.next.saturating_sub(1),
            frames_len_bytes: end - SECTOR_BYTES,
        });
        (self.replayed.chain, self.replayed.last_crc) = (self.chain, self.last_crc);
    }

    /// Whether a whole frame is the next one of the chain.
    fn continues(&self, frame: &FrameHead, salt: u64) -> bool {
        frame.file_id == self.file_id
            && (frame.salt == salt || step::skip(Step::SaltCheck))
            && (frame.commit.counts.commit == self.next || step::skip(Step::NumberCheck))
            && (frame.previous_crc == self.last_crc || step::skip(Step::ChainCheck))
    }

    /// Says what is impossible about a frame by its head alone, before memory is allocated for its
    /// content.
    fn check(&self, frame: &FrameHead) -> Result<(), String> {
        if frame.images > 0 && frame.image_len_bytes != self.image_len {
            return Err(format!(
                "its images have {} bytes, and the store's records {}",
                frame.image_len_bytes, self.image_len
            ));
        }
        if frame.images > frame.commit.counts.records {
            return Err("it has more images than there are records".to_owned());
        }
        if frame.synced >= frame.commit.counts.commit || frame.commit.counts.commit == u64::MAX {
            return Err("it claims to have been synced before it was written".to_owned());
        }
        Ok(())
    }

    /// Gives the next frame to `each`, unless the array holds it. The inner error says what is
    /// impossible about it.
    fn take(
        &mut self,
        frame: &FrameHead,
        payload: &[u8],
        ids: &mut Vec<u64>,
        each: &mut Each<'_>,
    ) -> Result<Result<(), String>> {
        let commit = &frame.commit;
        let numbers = usize::try_from(frame.images).ok();
        let split = numbers.and_then(|images| images.checked_mul(size_of::<u64>()));
        let Some((numbers, images)) = split.and_then(|at| payload.split_at_checked(at)) else {
            return Ok(Err("it is too short for its record numbers".to_owned()));
        };
        ids.clear();
        ids.extend(
            numbers
                .chunks_exact(size_of::<u64>())
                .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("a chunk of eight"))),
        );
        if let Err(broken) = commit.check(ids) {
            return Ok(Err(broken));
        }
        if let Some(twice) = repeated(ids) {
            return Ok(Err(twice_in_one(twice)));
        }
        if commit.counts.commit > self.after {
            each(commit, ids, images)?;
            self.replayed.frames += 1;
            self.replayed.last = commit.counts.commit;
        }
        self.next = commit.counts.commit + 1; // checked with the head
        self.last_crc = frame.crc;
        Ok(Ok(()))
    }

    /// Takes out of `found` the segment that continues the one of `salt`.
    pub(super) fn take_successor(
        &self,
        found: &mut Survey,
        salt: u64,
        place: &Place,
    ) -> Result<Option<Found>> {
        let (chain, first, previous_crc) = (self.chain, self.next, self.last_crc);
        // A segment without a header is known only by its first frame.
        let places =
            [Following::Salt { chain, salt }, Following::Frame { chain, first, previous_crc }];
        let taken = found.take(&places);
        let taken = taken.map_err(|two| twice(self.data, &two))?;
        let Some(segment) = taken else { return Ok(None) };
        if !self.links(&segment) {
            const { assert!(matches!(Witness::Successor.ruling(), Ruling::Damaged)) };
            let path = path_of(self.data, &segment.suffix);
            let first = segment.header.first;
            let evidence = format!("{} was begun after it, with commit {first}", path.display());
            return Err(self.lost(place, &evidence));
        }
        Ok(Some(segment))
    }

    fn links(&self, segment: &Found) -> bool {
        segment.header.first == self.next && segment.header.previous_crc == self.last_crc
    }

    /// Asks the header of the data file and the bytes behind the end whether the missing commit was
    /// synced.
    fn judge_end(&self, reader: &mut SegmentReader, salt: u64, place: &Place) -> Result<()> {
        let holds_missing = self.next <= self.after;
        for witness in [Witness::Header { holds_missing }, Witness::Rest] {
            if let Some(evidence) = self.ask(witness, reader, Some(salt), place.1)? {
                return Err(self.lost(place, &evidence));
            }
        }
        Ok(())
    }

    /// Asks the segments that the walk did not reach.
    fn judge_others(&self, found: &Survey, place: &Place) -> Result<()> {
        for segment in found.segments() {
            let witness = Witness::Segment {
                of_chain: segment.header.chain == self.chain,
                has_header: !segment.headless,
                first: segment.header.first.cmp(&self.next),
            };
            if witness.ruling() == Ruling::Silent {
                continue;
            }
            let Some(mut reader) = open(self.data, &segment.suffix)? else { continue };
            let salt = (!segment.headless).then_some(segment.header.salt);
            let evidence = self.ask(witness, &mut reader, salt, SECTOR_BYTES)?;
            self.refuse_if(evidence, &segment.suffix, place)?;
        }
        for suffix in &found.faceless {
            let Some(mut reader) = open(self.data, suffix)? else { continue };
            reader.end_at(LOOK_BYTES_MAX);
            let evidence = self.ask(Witness::Faceless, &mut reader, None, SECTOR_BYTES)?;
            self.refuse_if(evidence, suffix, place)?;
        }
        Ok(())
    }

    /// Describes the proof of a witness, if it proves that the next commit was synced; it lies in
    /// the segment from `offset` on.
    fn ask(
        &self,
        witness: Witness,
        reader: &mut SegmentReader,
        salt: Option<u64>,
        offset: u64,
    ) -> Result<Option<String>> {
        Ok(match witness.ruling() {
            Ruling::Silent => None,
            Ruling::Damaged => {
                Some(format!("the data file already holds the changes up to commit {}", self.after))
            }
            Ruling::DamagedIfAFrameSaysSo => {
                let (file_id, chain, missing) = (self.file_id, self.chain, self.next);
                let sought = Sought { file_id, chain, salt, missing };
                let found = evidence::find(reader, &sought, offset)?;
                found.map(|(number, at)| format!("commit {number} records the sync, at byte {at}"))
            }
            Ruling::DamagedIfBegun => {
                let first = reader.first_frame(self.file_id)?;
                first.filter(|first| Some(first.salt) == salt).map(|first| {
                    format!("commit {} was written after it", first.commit.counts.commit)
                })
            }
        })
    }

    fn refuse_if(&self, evidence: Option<String>, suffix: &str, place: &Place) -> Result<()> {
        let Some(evidence) = evidence else { return Ok(()) };
        let path = path_of(self.data, suffix);
        Err(self.lost(place, &format!("{evidence}, in {}", path.display())))
    }

    /// The error for a synced commit that is missing.
    fn lost(&self, (path, offset): &Place, evidence: &str) -> Error {
        Error::new(ErrorKind::Corrupt, OPERATION)
            .path(path)
            .offset(*offset)
            .detail(format!("commit {} was synced and is damaged: {evidence}", self.next))
            .advice("restore data file and log together from a backup, or salvage what is left")
    }
}

fn twice_in_one(id: u64) -> String {
    format!("it has two images of record {id}")
}

/// A number that occurs more than once.
fn repeated(ids: &[u64]) -> Option<u64> {
    if ids.windows(2).all(|pair| pair[0] < pair[1]) {
        return None; // The usual order.
    }
    let mut sorted = ids.to_vec();
    sorted.sort_unstable();
    sorted.windows(2).find(|pair| pair[0] == pair[1]).map(|pair| pair[0])
}

/// Takes the segment that the header names out of `found`.
pub(super) fn take_first(data: &dyn Backing, found: &mut Survey, salt: u64) -> Result<Found> {
    match found.take_salt(salt) {
        Ok(Some(first)) => Ok(first),
        Ok(None) => Err(absent(data, found)),
        Err(two) => Err(twice(data, &two)),
    }
}

/// The error for a missing log, given the files that exist instead.
fn absent(data: &dyn Backing, found: &Survey) -> Error {
    let wanted = path_of(data, "-wal-…");
    let named = |suffix: &String| path_of(data, suffix).display().to_string();
    if let Some(damaged) = found.damaged.first() {
        return missing(path_of(data, damaged), "its header is damaged");
    }
    if let Some(stranger) = found.strangers.first() {
        return Error::new(ErrorKind::Corrupt, OPERATION)
            .path(path_of(data, stranger))
            .detail("it belongs to another store, and this store's own log is missing")
            .advice("put back the log that lay beside this data file, under the same name");
    }
    match found.segments().next() {
        Some(other) => missing(
            wanted,
            format!("{} is there, but the header names another segment", named(&other.suffix)),
        ),
        None => missing(
            wanted,
            "the log that the header names is missing, or belongs to a user that may not write \
             the data file",
        ),
    }
}

pub(super) fn missing(path: PathBuf, detail: impl Into<Cow<'static, str>>) -> Error {
    Error::new(ErrorKind::Corrupt, OPERATION).path(path).detail(detail).advice(
        "the log holds committed changes: restore it, or move or copy it together with the data \
         file, under the same name, or copy the store with backup; if this path is a link, open \
         the store under its own name",
    )
}

pub(super) fn gap(data: &dyn Backing, segment: &Found, after: u64) -> Error {
    let (from, to) = (after.saturating_add(1), segment.header.first.saturating_sub(1));
    Error::new(ErrorKind::Corrupt, OPERATION)
        .path(path_of(data, &segment.suffix))
        .detail(format!(
            "the log does not continue the state in the header: commits {from} to {to} are missing"
        ))
        .advice("restore data file and log together, from the same backup")
}

fn twice(data: &dyn Backing, [one, other]: &[Found; 2]) -> Error {
    let other = path_of(data, &other.suffix);
    Error::new(ErrorKind::Corrupt, OPERATION)
        .path(path_of(data, &one.suffix))
        .detail(format!("{} claims the same place in the log", other.display()))
        .advice("one is a copy of the other: move the copy away")
}
