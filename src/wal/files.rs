//! The files of a log: naming, making and finding them.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use super::format::{Label, SECTOR_BYTES, SegmentHeader};
use super::reader::SegmentReader;
use crate::error::{Error, ErrorKind, Result};
use crate::format::{VERSION, other_version};
use crate::io::{Backing, Grown, OpenSide, is_disbelieved};
use crate::number::smaller;
use crate::os;
use crate::step::{self, Step};

/// The part of a segment's name between the data file's name and the number.
const PREFIX: &str = "-wal-";

/// A piece of zeros for new files.
pub(super) static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// The number in this suffix, if it is the suffix of a segment.
fn number_of(suffix: &str) -> Option<u64> {
    let digits = suffix.strip_prefix(PREFIX)?;
    let number: u64 = digits.parse().ok()?;
    // One name for each number: no signs, no leading zeros.
    (number > 0 && number.to_string() == digits).then_some(number)
}

pub(super) fn suffix_of(number: u64) -> String {
    format!("{PREFIX}{number}")
}

/// The suffixes of all files with a segment's name, by number.
pub(super) fn suffixes(data: &dyn Backing) -> Result<Vec<String>> {
    let numbers: BTreeSet<u64> =
        data.list_sides()?.iter().filter_map(|suffix| number_of(suffix)).collect();
    Ok(numbers.into_iter().map(suffix_of).collect())
}

/// The path of the file with this suffix, for errors.
pub(super) fn path_of(data: &dyn Backing, suffix: &str) -> PathBuf {
    let mut path = data.path().unwrap_or_default().into_os_string();
    path.push(suffix);
    path.into()
}

/// A new salt: random, and not 0.
pub(super) fn new_salt() -> Result<u64> {
    let random = os::random_id().map_err(|source| Error::io("begin a log segment", source))?;
    let (half, _) = random.split_at(size_of::<u64>());
    let salt = u64::from_le_bytes(half.try_into().expect("the half of 16 bytes"));
    Ok(salt.max(1))
}

/// A file that is or will become a segment.
#[derive(Debug)]
pub(super) struct SegmentFile {
    pub(super) suffix: String,
    pub(super) backing: Arc<dyn Backing>,
    pub(super) len_bytes: u64,
}

/// What a new file is filled with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fill {
    /// Written zeros, so that writing over them later changes no metadata.
    Zeros,
    /// Reserved room: the writer writes such a file once, from end to end, and then syncs it.
    Room,
}

impl SegmentFile {
    /// Makes a file of that length that begins with `header`. Its name is durable, and with
    /// [`Fill::Zeros`] its bytes are too. After an error the file is removed.
    pub(super) fn create(
        data: &dyn Backing,
        len_bytes: u64,
        header: &[u8],
        fill: Fill,
    ) -> Result<Self> {
        let taken: BTreeSet<u64> =
            data.list_sides()?.iter().filter_map(|suffix| number_of(suffix)).collect();
        let free = (1..).find(|number| !taken.contains(number)).expect("one of 2^64 numbers");
        let suffix = suffix_of(free);
        let backing = data
            .open_side(&suffix, OpenSide::Create)?
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "make").path(path_of(data, &suffix)))?;
        let made = fill_file(&*backing, len_bytes, header, fill).and_then(|()| {
            step::take(Step::SegmentNameSync, || data.sync_directory())?;
            Ok(Self { suffix: suffix.clone(), backing, len_bytes })
        });
        if made.is_err() {
            // The next opener removes what this cannot; the first error is reported.
            let _ = data.remove_side(&suffix);
        }
        made
    }
}

fn fill_file(backing: &dyn Backing, len_bytes: u64, header: &[u8], fill: Fill) -> Result<()> {
    if fill == Fill::Room && backing.grow(len_bytes)? == Grown::Reserved {
        return Ok(());
    }
    let mut at = 0;
    while at < len_bytes {
        let len = smaller(len_bytes - at, ZEROS.len());
        if at == 0 && !header.is_empty() {
            let mut front = ZEROS[..len].to_vec();
            front[..header.len()].copy_from_slice(header);
            backing.write_at(0, &front)?;
        } else {
            backing.write_at(at, &ZEROS[..len])?;
        }
        at += len as u64;
    }
    step::take(Step::SegmentZeroSync, || backing.sync_data())
}

/// A segment found beside a data file.
#[derive(Clone, Debug)]
pub(super) struct Found {
    pub(super) suffix: String,
    pub(super) header: SegmentHeader,
    /// Whether the header is damaged or unwritten, and `header` comes from the first frame, which
    /// does not name the salt before it.
    pub(super) headless: bool,
}

/// The files with segments' names beside a data file.
#[derive(Debug, Default)]
pub(super) struct Survey {
    /// The segments of this store that the walk has not taken.
    segments: Vec<Option<Found>>,
    /// The indices in `segments` by claimed place: with a map, following a very long chain takes
    /// time linear in its length.
    places: HashMap<Following, Vec<usize>>,
    /// Suffixes of segments of other stores.
    pub(super) strangers: Vec<String>,
    /// Suffixes of segments with a damaged header and no whole first frame.
    pub(super) damaged: Vec<String>,
    /// Those, and suffixes of files that do not begin like a segment, perhaps because their first
    /// page was lost.
    pub(super) faceless: Vec<String>,
}

/// The place that a segment claims in a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Following {
    /// Behind the segment with this salt.
    Salt { chain: u64, salt: u64 },
    /// Behind the frame with this checksum and before this commit, for a segment that does not name
    /// the salt before it.
    Frame { chain: u64, first: u64, previous_crc: u32 },
}

impl Found {
    fn following(&self) -> Following {
        let SegmentHeader { chain, first, previous_crc, previous_salt: salt, .. } = self.header;
        match self.headless {
            true => Following::Frame { chain, first, previous_crc },
            false => Following::Salt { chain, salt },
        }
    }
}

impl Survey {
    fn add(&mut self, found: Found) {
        self.places.entry(found.following()).or_default().push(self.segments.len());
        self.segments.push(Some(found));
    }

    /// The segments that the walk has not taken.
    pub(super) fn segments(&self) -> impl Iterator<Item = &Found> {
        self.segments.iter().flatten()
    }

    /// Takes the segment that claims one of the places. Returns both as the error if two do.
    pub(super) fn take(&mut self, places: &[Following]) -> Result<Option<Found>, Box<[Found; 2]>> {
        let numbers = places.iter().filter_map(|place| self.places.get(place)).flatten();
        self.take_one(numbers.copied().collect())
    }

    /// As [`Survey::take`], for the segment with that salt.
    pub(super) fn take_salt(&mut self, salt: u64) -> Result<Option<Found>, Box<[Found; 2]>> {
        let named = |(number, found): (usize, &Option<Found>)| {
            found.as_ref().filter(|found| found.header.salt == salt).map(|_| number)
        };
        self.take_one(self.segments.iter().enumerate().filter_map(named).collect())
    }

    fn take_one(&mut self, mut numbers: Vec<usize>) -> Result<Option<Found>, Box<[Found; 2]>> {
        steps::add(numbers.len());
        numbers.retain(|&number| self.segments[number].is_some());
        numbers.sort_unstable();
        let mut claiming = numbers.iter().map(|&number| self.segments[number].clone());
        match (claiming.next().flatten(), claiming.next().flatten()) {
            (Some(one), Some(other)) => Err(Box::new([one, other])),
            (one, _) => {
                numbers.iter().for_each(|&number| self.segments[number] = None);
                Ok(one)
            }
        }
    }
}

/// Counts the segments examined to find successors: a test checks that the count grows linearly.
pub(super) mod steps {
    #[cfg(test)]
    thread_local!(static TAKEN: std::cell::Cell<usize> = const { std::cell::Cell::new(0) });

    pub(super) fn add(_steps: usize) {
        #[cfg(test)]
        TAKEN.set(TAKEN.get() + _steps);
    }

    #[cfg(test)]
    pub(in crate::wal) fn take() -> usize {
        TAKEN.take()
    }
}

/// Opens a file with a segment's name; `None` if it is gone or cannot be a segment.
pub(super) fn open(data: &dyn Backing, suffix: &str) -> Result<Option<SegmentReader>> {
    match data.open_side(suffix, OpenSide::Read) {
        Ok(Some(backing)) => Ok(Some(SegmentReader::new(backing)?)),
        Ok(None) => Ok(None),
        // A directory or a pipe, or the file of a user that may not write the data file.
        Err(error) if error.kind() == ErrorKind::InvalidArgument || is_disbelieved(&error) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

/// Reads the headers of all segments beside `data`.
///
/// # Errors
/// [`ErrorKind::UnsupportedFormat`] for a segment of this store and another version;
/// [`ErrorKind::Io`] if the operating system reports an error.
pub(super) fn survey(data: &dyn Backing, file_id: [u8; 16]) -> Result<Survey> {
    let mut survey = Survey::default();
    for suffix in suffixes(data)? {
        let Some(mut reader) = open(data, &suffix)? else { continue };
        reader.expect_little();
        let label = Label::read(reader.head()?, file_id);
        match label {
            Label::Ours(header) => {
                survey.add(Found { suffix, header, headless: false });
            }
            Label::Other { version, sector } => {
                let (detail, advice) = match version {
                    VERSION => {
                        (format!("sectors of {sector} bytes"), "use the program that wrote the log")
                    }
                    _ => other_version(version),
                };
                return Err(Error::new(ErrorKind::UnsupportedFormat, "read the log")
                    .path(path_of(data, &suffix))
                    .detail(detail)
                    .advice(advice));
            }
            Label::Strange => survey.strangers.push(suffix),
            Label::Damaged | Label::Blank | Label::Unknown => match reader.first_frame(file_id)? {
                Some(frame) => {
                    let header = SegmentHeader {
                        file_id,
                        salt: frame.salt,
                        chain: frame.chain,
                        len_bytes: 0,
                        previous_salt: 0,
                        first: frame.commit.counts.commit,
                        previous_crc: frame.previous_crc,
                    };
                    survey.add(Found { suffix, header, headless: true });
                }
                None => {
                    if label == Label::Damaged {
                        survey.damaged.push(suffix.clone());
                    }
                    survey.faceless.push(suffix);
                }
            },
        }
    }
    Ok(survey)
}

/// The highest first commit among the segments of this store with a whole first frame.
///
/// # Errors
/// As [`survey`].
pub(crate) fn newest_begun(data: &dyn Backing, file_id: [u8; 16]) -> Result<Option<u64>> {
    let mut newest = None;
    for segment in survey(data, file_id)?.segments() {
        let Some(mut reader) = open(data, &segment.suffix)? else { continue };
        if let Some(frame) = reader.first_frame(file_id)? {
            newest = newest.max(Some(frame.commit.counts.commit));
        }
    }
    Ok(newest)
}

/// At most this much is read of a file that does not begin like a segment: segments that are not
/// the first of their chain and have more than one frame are shorter.
pub(super) const LOOK_BYTES_MAX: u64 = 64 << 20;

const _: () = assert!(SECTOR_BYTES as usize <= ZEROS.len());
