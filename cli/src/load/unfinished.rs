//! The small file beside an unfinished store, which says how to resume an interrupted load.
//!
//! `X-unfinished-progress` is written only after everything that it describes is durable: the
//! records in `X-unfinished` and the bad rows set aside. It is written under another name, synced
//! and renamed, so that a complete one always exists: the last or, after a power cut, the one
//! before, which is also valid. It names the store by its file id, and has no meaning beside
//! another store.
//!
//! Any user can put a file with that name there. A load trusts it only if it belongs to the same
//! user, is not a link and is not writable by others. Its content names no file: for the bad rows
//! it holds a tag, which stands between the name of `--rejects` and the ending `.tmp`.
//!
//! ```text
//! flatrec unfinished load 3 <CRC-32C of the rest, hexadecimal>
//! { JSON }
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use flatrec::exchange::{LoadPoint, LoadReport};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::own::{self, Found};
use crate::paths::{sync_directory_of, with_ending};
use crate::rejects;

/// The first bytes of the file in every version.
const MAGIC: &[u8] = b"flatrec unfinished load ";
/// Its first line, without the checksum.
const FIRST_LINE: &str = "flatrec unfinished load 3 ";
/// The longest file that is read. Most of it is the schema.
const TEXT_BYTES_MAX: u64 = 64 << 20;
/// The longest tag of a file of bad rows.
const TAG_BYTES_MAX: usize = 40;
/// How much of the input is compared.
const HEAD_BYTES: u64 = 64 << 10;

/// The progress of a load, with its input and its options.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unfinished {
    /// The file id of the store.
    pub(crate) file_id: [u8; 16],
    pub(crate) input: InputIdentity,
    /// The options that decide the result, by their names.
    pub(crate) choices: Map<String, Value>,
    /// The number of rows in all, if they have been counted.
    pub(crate) rows: Option<u64>,
    /// Whether the types of the store are those of a sample: before the load continues, inference
    /// must find the same ones.
    pub(crate) is_guess: bool,
    pub(crate) point: LoadPoint,
    pub(crate) rejects: Option<RejectsSoFar>,
}

/// The bad rows set aside so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RejectsSoFar {
    /// Distinguishes the name of their file from others beside that of `--rejects`.
    pub(crate) tag: String,
    pub(crate) len_bytes: u64,
}

impl RejectsSoFar {
    /// Accepts only a tag of letters, digits and dashes, which cannot lead to another directory.
    fn from_json(value: &Value) -> Option<Self> {
        let tag = value["tag"].as_str()?;
        let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        let is_tag = (1..=TAG_BYTES_MAX).contains(&tag.len()) && tag.bytes().all(is_part);
        Some(Self { tag: is_tag.then(|| tag.to_owned())?, len_bytes: value["bytes"].as_u64()? })
    }
}

/// The identity of an input.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InputIdentity {
    len_bytes: u64,
    /// Since 1970.
    modified_nanoseconds: i64,
    head_checksum: u32,
}

impl InputIdentity {
    /// The identity of the plain file at `path`; `None` for anything else.
    pub(crate) fn of(path: &Path) -> io::Result<Option<Self>> {
        if !fs::metadata(path)?.is_file() {
            return Ok(None);
        }
        let file = File::open(path)?;
        let metadata = file.metadata()?;
        let mut head = Vec::new();
        file.take(HEAD_BYTES).read_to_end(&mut head)?;
        Ok(Some(Self {
            len_bytes: metadata.len(),
            modified_nanoseconds: nanoseconds(metadata.modified()?),
            head_checksum: crc32c::crc32c(&head),
        }))
    }

    /// How the input differs from this one; `None` if it does not.
    pub(crate) fn difference(&self, now: &Self) -> Option<String> {
        if self.len_bytes != now.len_bytes {
            return Some(format!("it had {} bytes and has {}", self.len_bytes, now.len_bytes));
        }
        if self.head_checksum != now.head_checksum {
            return Some("its first 64 KiB have changed".into());
        }
        (self.modified_nanoseconds != now.modified_nanoseconds)
            .then(|| "it was modified later".into())
    }
}

fn nanoseconds(time: SystemTime) -> i64 {
    let signed = |nanoseconds: u128| i64::try_from(nanoseconds).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => signed(since.as_nanos()),
        Err(before) => -signed(before.duration().as_nanos()),
    }
}

/// The path of the progress file of the load into the store at `path`.
fn progress_path(store: &Path) -> PathBuf {
    let [path, _] = paths(store);
    path
}

/// That path, and the one under which the file is written.
fn paths(store: &Path) -> [PathBuf; 2] {
    ["-unfinished-progress", "-unfinished-progress-new"].map(|end| with_ending(store, end))
}

impl Unfinished {
    /// What the last load into the store at `path` has left, if it was interrupted and can be
    /// resumed.
    pub(crate) fn read(store: &Path) -> Result<Option<Self>, Failure> {
        let path = progress_path(store);
        let bad = |why: &dyn std::fmt::Display| {
            Failure::Message(format!("{}: {why} (start over without --resume)", path.display()))
        };
        let Some((_, bytes)) = read_own(&path).map_err(Failure::Message)? else { return Ok(None) };
        let text = String::from_utf8_lossy(&bytes);
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let checksum = format!("{FIRST_LINE}{:08x}", crc32c::crc32c(rest.as_bytes()));
        if first != checksum {
            return Err(bad(&"it is damaged, or from another version of flatrec"));
        }
        let value: Value = serde_json::from_str(rest).map_err(|error| bad(&error))?;
        Self::from_json(&value)
            .map(Some)
            .ok_or_else(|| bad(&"it is from another version of flatrec"))
    }

    /// Writes the file again, durably. Everything that it describes is already durable.
    pub(crate) fn write(&self, store: &Path) -> io::Result<()> {
        let path = progress_path(store);
        let [_, made_at] = paths(store);
        let text = format!("{:#}\n", self.to_json());
        let text = format!("{FIRST_LINE}{:08x}\n{text}", crc32c::crc32c(text.as_bytes()));
        if text.len() as u64 > TEXT_BYTES_MAX {
            return Err(io::ErrorKind::FileTooLarge.into());
        }
        let mut file = create_private(&made_at)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        drop(file);
        // Another file may have been put there since the load began.
        read_own(&path).map_err(io::Error::other)?;
        fs::rename(&made_at, &path)?;
        sync_directory_of(&path)
    }

    /// Refuses to begin a load if another file has one of the names.
    pub(crate) fn refuse_foreign(store: &Path) -> Result<(), Failure> {
        paths(store).iter().try_for_each(|path| read_own(path).map(drop)).map_err(Failure::Message)
    }

    /// Removes the progress of an earlier load into the store at `path`, and the rows that it set
    /// aside for the same `rejects`; returns whether there was any. The caller holds the store's
    /// writer lock.
    pub(crate) fn discard(store: &Path, rejects: Option<&Path>) -> bool {
        let left = Self::read(store);
        if let (Ok(Some(Self { rejects: Some(so_far), .. })), Some(path)) = (&left, rejects) {
            rejects::discard(path, so_far);
        }
        Self::remove(store);
        !matches!(left, Ok(None))
    }

    /// Removes the file, so that the load cannot be resumed.
    pub(crate) fn remove(store: &Path) {
        for path in paths(store) {
            // Without its store a progress file has no effect.
            let _ = remove_own(&path);
        }
    }

    fn to_json(&self) -> Value {
        let report = &self.point.report;
        json!({
            "store": self.file_id.map(|byte| format!("{byte:02x}")).concat(),
            "input": {
                "bytes": self.input.len_bytes,
                "modified_nanoseconds": self.input.modified_nanoseconds,
                "head_checksum": self.input.head_checksum,
            },
            "choices": self.choices,
            "rows": self.rows,
            "is_guess": self.is_guess,
            "point": {
                "offset_bytes": self.point.offset_bytes,
                "lines": self.point.lines,
                "loaded": report.loaded,
                "rejected": report.rejected,
                "nulls": report.nulls,
                "rounded": report.rounded,
                "read_bytes": report.read_bytes,
            },
            "rejects": self.rejects.as_ref().map(|rejects| {
                json!({ "tag": rejects.tag, "bytes": rejects.len_bytes })
            }),
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let (input, point) = (&value["input"], &value["point"]);
        let file_id = u128::from_str_radix(value["store"].as_str()?, 16).ok()?;
        let rejects = match &value["rejects"] {
            Value::Null => None,
            rejects => Some(RejectsSoFar::from_json(rejects)?),
        };
        Some(Self {
            file_id: file_id.to_be_bytes(),
            input: InputIdentity {
                len_bytes: input["bytes"].as_u64()?,
                modified_nanoseconds: input["modified_nanoseconds"].as_i64()?,
                head_checksum: input["head_checksum"].as_u64()?.try_into().ok()?,
            },
            choices: value["choices"].as_object()?.clone(),
            rows: value["rows"].as_u64(),
            is_guess: value["is_guess"].as_bool()?,
            point: LoadPoint {
                offset_bytes: point["offset_bytes"].as_u64()?,
                lines: point["lines"].as_u64()?,
                report: LoadReport {
                    loaded: point["loaded"].as_u64()?,
                    rejected: point["rejected"].as_u64()?,
                    nulls: point["nulls"].as_u64()?,
                    rounded: point["rounded"].as_u64()?,
                    read_bytes: point["read_bytes"].as_u64()?,
                },
            },
            rejects,
        })
    }
}

/// Creates the file again, for this user alone: it describes the input, and only this user resumes
/// the load. Replaces only a file that an earlier load of this user left.
fn create_private(path: &Path) -> io::Result<File> {
    remove_own(path)?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// Opens and reads the file at `path`, if it exists; an error unless this user's load made it.
fn read_own(path: &Path) -> Result<Option<(File, Vec<u8>)>, String> {
    let shown = path.display();
    let in_the_way = |why: &str| {
        format!("{shown} is in the way: {why} (rename it, or ask its owner to remove it)")
    };
    let failed = |error| format!("read {shown}: {error}");
    let mut file = match own::look(path, OpenOptions::new().read(true)).map_err(failed)? {
        Found::Nothing => return Ok(None),
        Found::Foreign(why) => return Err(in_the_way(why)),
        Found::Own(file) => file,
    };
    if !own::is_private(&file).map_err(failed)? {
        return Err(in_the_way("other users may write to it"));
    }
    let mut bytes = Vec::new();
    (&mut file).take(TEXT_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(failed)?;
    let is_ours = bytes.starts_with(MAGIC) || MAGIC.starts_with(&bytes);
    if !is_ours || bytes.len() as u64 > TEXT_BYTES_MAX {
        return Err(in_the_way("it is not a progress file of flatrec"));
    }
    Ok(Some((file, bytes)))
}

/// Removes the file at `path`, if a load of this user made it.
fn remove_own(path: &Path) -> io::Result<()> {
    match read_own(path) {
        Ok(Some((file, _))) => own::remove(path, file),
        Ok(None) => Ok(()),
        Err(why) => Err(io::Error::other(why)),
    }
}
