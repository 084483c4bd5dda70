//! Files with a segment's name that are not part of the log, as a killed writer or a loss of power
//! leaves them: finding, naming and removing them.
//!
//! Only a writer removes such files, when it has read the log and knows which segments belong to
//! it. It removes a file only if that is or was about to become a segment of this store: any other
//! file is its user's.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::path::PathBuf;

use super::files::{LOOK_BYTES_MAX, ZEROS, open, path_of, suffix_of, suffixes};
use super::format::{FrameHead, Label, SECTOR_BYTES, SegmentHeader};
use super::reader::SegmentReader;
use crate::error::Result;
use crate::io::{Backing, OpenSide};

/// A file with the name of a segment of the log that is not part of the log: a program was killed,
/// or the power went, while it made or removed the file.
///
/// Such a file holds no commit, and the store is whole without it.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// DynStore::create(&path, &Schema::packed([Field::new("n", DataType::UInt8)])?)?.close()?;
/// std::fs::write(directory.path().join("numbers.rec-wal-2"), [0; 4096])?;
///
/// let info = DynStore::open_read_only(&path)?.info()?;
/// assert_eq!((info.leftovers[0].len_bytes, info.leftovers[0].is_removable), (4096, true));
///
/// DynStore::open(&path)?.close()?; // a writer removes it
/// assert!(DynStore::open_read_only(&path)?.info()?.leftovers.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LeftoverFile {
    /// The path of the file.
    pub path: PathBuf,
    /// The length of the file.
    pub len_bytes: u64,
    /// Whether the next writer removes the file. flatrec removes only files that it has made: if
    /// nothing in the file shows that, the user must decide.
    pub is_removable: bool,
}

impl fmt::Display for LeftoverFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (path, len_bytes) = (self.path.display(), self.len_bytes);
        match self.is_removable {
            true => write!(
                f,
                "{path}, {len_bytes} bytes, is not part of the log: the next writer removes it"
            ),
            false => write!(
                f,
                "{path}, {len_bytes} bytes, is not part of the log, and nothing in it shows that \
                 flatrec made it: remove it if you do not need it"
            ),
        }
    }
}

/// What a file with a segment's name says of itself.
enum Claim {
    /// A segment of this store. Without its header it does not name the salt before it. If its
    /// first sector is not one that a writer can have left, it is never removed.
    Segment { salt: u64, chain: u64, previous_salt: Option<u64>, is_removable: bool },
    /// A segment of this store that a writer has not finished, and that holds no whole first frame.
    Unfinished,
    /// Another file.
    Other,
}

impl Claim {
    fn read(reader: &mut SegmentReader, file_id: [u8; 16]) -> Result<Self> {
        reader.expect_little();
        let label = Label::read(reader.head()?, file_id);
        let first = match label {
            Label::Ours(SegmentHeader { salt, chain, previous_salt, .. }) => {
                let previous_salt = Some(previous_salt);
                return Ok(Self::Segment { salt, chain, previous_salt, is_removable: true });
            }
            Label::Other { .. } | Label::Strange => return Ok(Self::Other),
            Label::Damaged | Label::Blank | Label::Unknown => reader.first_frame(file_id)?,
        };
        if let Some(FrameHead { salt, chain, .. }) = first {
            let is_removable = label != Label::Unknown;
            return Ok(Self::Segment { salt, chain, previous_salt: None, is_removable });
        }
        Ok(match label {
            Label::Damaged => Self::Unfinished,
            Label::Blank if is_unfinished(reader, file_id)? => Self::Unfinished,
            _ => Self::Other,
        })
    }

    fn is_removable(&self) -> bool {
        match self {
            Self::Segment { is_removable, .. } => *is_removable,
            Self::Unfinished => true,
            Self::Other => false,
        }
    }

    /// Whether it is not one of the segments with these salts.
    fn is_left(&self, salts: impl Fn(u64) -> bool) -> bool {
        !matches!(self, Self::Segment { salt, .. } if salts(*salt))
    }
}

/// Whether a writer was making this file, whose first sector is blank, into a segment. Then all of
/// it is zeros, however long it is; or a loss of power has kept a later sector and not the first,
/// and the head of a frame shows the store.
fn is_unfinished(reader: &mut SegmentReader, file_id: [u8; 16]) -> Result<bool> {
    let (end, mut at, mut left) = (reader.len_bytes(), SECTOR_BYTES, LOOK_BYTES_MAX);
    let mut all_zeros = true;
    while at < end && left > 0 {
        // From whole sectors on, where frames begin.
        let data = reader.next_data(at)?;
        at = (data - data % SECTOR_BYTES).max(at);
        if at >= end {
            break;
        }
        let len = (end - at).min(ZEROS.len() as u64);
        let Some(bytes) = reader.bytes(at, usize::try_from(len).unwrap_or(ZEROS.len()))? else {
            return Ok(false); // The file was cut while it was read.
        };
        all_zeros &= bytes.iter().all(|&byte| byte == 0);
        if !all_zeros {
            let is_ours = |sector: &[u8]| {
                FrameHead::read(sector, end).is_some_and(|frame| frame.file_id == file_id)
            };
            if bytes.chunks(SECTOR_BYTES as usize).any(is_ours) {
                return Ok(true);
            }
            left = left.saturating_sub(len);
        }
        at += len;
    }
    Ok(all_zeros)
}

/// Removes the segments of this store except those with the salts of `keep`, and unfinished
/// segments. Leaves other files alone.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error: the first one,
/// after everything else was removed.
pub(crate) fn remove_stale(data: &dyn Backing, file_id: [u8; 16], keep: &[u64]) -> Result<()> {
    let mut result = Ok(());
    for suffix in suffixes(data)? {
        let Some(mut reader) = open(data, &suffix)? else { continue };
        let claim = Claim::read(&mut reader, file_id)?;
        drop(reader);
        if claim.is_removable() && claim.is_left(|salt| keep.contains(&salt)) {
            result = result.and(data.remove_side(&suffix));
        }
    }
    result
}

/// Whether a file has one of the names that new segments take first. A writer that died while it
/// made the first segment of a log has left one.
pub(crate) fn may_be_left(data: &dyn Backing) -> bool {
    const LOOKED_UP: u64 = 4;
    let is_free = |number| matches!(data.open_side(&suffix_of(number), OpenSide::Read), Ok(None));
    !(1..=LOOKED_UP).all(is_free)
}

/// The files that are not part of the log which begins with the segment of salt `live_log`, if the
/// header names one. Nothing if that segment is missing: then every file may be part of the log.
/// The caller makes sure that no writer is at work, whose unused segments these may be.
///
/// # Errors
/// [`ErrorKind::Io`](crate::ErrorKind::Io) if the operating system reports an error.
pub(crate) fn leftovers(
    data: &dyn Backing,
    file_id: [u8; 16],
    live_log: Option<u64>,
) -> Result<Vec<LeftoverFile>> {
    let mut files = Vec::new();
    for suffix in suffixes(data)? {
        let Some(mut reader) = open(data, &suffix)? else { continue };
        let claim = Claim::read(&mut reader, file_id)?;
        let (path, len_bytes) = (path_of(data, &suffix), reader.len_bytes());
        let is_removable = claim.is_removable();
        files.push((claim, LeftoverFile { path, len_bytes, is_removable }));
    }
    let in_log = match live_log {
        Some(live) => salts_behind(live, files.iter().map(|(claim, _)| claim)),
        None => HashSet::new(),
    };
    if live_log.is_some() && in_log.is_empty() {
        return Ok(Vec::new());
    }
    let is_left = |claim: &Claim| claim.is_left(|salt| in_log.contains(&salt));
    Ok(files.into_iter().filter(|(claim, _)| is_left(claim)).map(|(_, file)| file).collect())
}

/// The salts of the segments that follow the one of `first`, and its own; empty if it is missing. A
/// segment without a header does not name its predecessor, and counts if it is of the same chain.
fn salts_behind<'c>(first: u64, claims: impl Iterator<Item = &'c Claim>) -> HashSet<u64> {
    let (mut first_chain, mut headless) = (None, Vec::new());
    // By chain and the salt that they name as the one before.
    let mut following: HashMap<(u64, u64), Vec<u64>> = HashMap::new();
    for claim in claims {
        let &Claim::Segment { salt, chain, previous_salt, .. } = claim else { continue };
        if salt == first {
            first_chain = Some(chain);
        }
        match previous_salt {
            None => headless.push((chain, salt)),
            Some(previous) => following.entry((chain, previous)).or_default().push(salt),
        }
    }
    let Some(chain) = first_chain else { return HashSet::new() };
    let of_chain = headless.iter().filter(|(of, _)| *of == chain).map(|&(_, salt)| salt);
    let mut next: Vec<u64> = of_chain.chain([first]).collect();
    let mut found = HashSet::new();
    while let Some(salt) = next.pop() {
        if found.insert(salt) {
            next.extend(following.get(&(chain, salt)).into_iter().flatten());
        }
    }
    found
}
