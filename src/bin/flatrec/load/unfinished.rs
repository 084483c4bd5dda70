//! The small file beside an unfinished store, which says how a load that was cut can go on.
//!
//! `X-unfinished-progress` is written only when everything it speaks of is durable: the records in
//! `X-unfinished`, the bad rows set aside. It is made aside, synced and renamed, so that there is
//! always a whole one: the last or, after a power cut, the one before, which is as good. It names
//! the store by its file id, and means nothing beside any other.
//!
//! ```text
//! flatrec unfinished load 1 <CRC-32C of the rest, hexadecimal>
//! { JSON }
//! ```

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use flatrec::exchange::{LoadPoint, LoadReport};
use serde_json::{Map, Value, json};

use crate::failure::Failure;
use crate::paths::{sync_directory_of, with_ending};

/// The first bytes of the file, its version among them.
const MAGIC: &str = "flatrec unfinished load 1 ";
/// How much of the input is compared with what it was.
const HEAD_BYTES: u64 = 64 << 10;

/// The files that a load makes beside the store that will be at a path, by their endings.
pub(crate) const ENDINGS: [&str; 6] = [
    "-lock",
    "-sum",
    "-unfinished",
    "-unfinished-sum",
    "-unfinished-progress",
    "-unfinished-progress-new",
];

/// How far a load has come, and of what, and how.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Unfinished {
    /// The store's.
    pub(crate) file_id: [u8; 16],
    pub(crate) input: InputIdentity,
    /// Everything in the command line that decides the result, by the names of the options.
    pub(crate) choices: Map<String, Value>,
    /// How many rows there are in all, if they have been counted.
    pub(crate) rows: Option<u64>,
    pub(crate) point: LoadPoint,
    pub(crate) rejects: Option<RejectsSoFar>,
}

/// The bad rows set aside so far.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RejectsSoFar {
    pub(crate) made_at: PathBuf,
    pub(crate) len_bytes: u64,
}

impl RejectsSoFar {
    /// Removes the file, unless its name is none that is given to such files.
    fn remove(&self) {
        let name = self.made_at.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with('.') && name.ends_with(".tmp") {
            // What stays behind says by its name that it is temporary.
            let _ = fs::remove_file(&self.made_at);
        }
    }
}

/// By what an input is known again.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct InputIdentity {
    len_bytes: u64,
    /// Since 1970.
    modified_nanoseconds: i64,
    head_checksum: u32,
}

impl InputIdentity {
    /// The identity of the plain file at `path`; `None` if what is there is none.
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

    /// What is different about an input that was this one, if anything is.
    pub(crate) fn difference(&self, now: &Self) -> Option<String> {
        if self.len_bytes != now.len_bytes {
            return Some(format!("it had {} bytes and has {}", self.len_bytes, now.len_bytes));
        }
        if self.head_checksum != now.head_checksum {
            return Some("its first 64 KiB are not what they were".into());
        }
        (self.modified_nanoseconds != now.modified_nanoseconds)
            .then(|| "it was modified since".into())
    }
}

fn nanoseconds(time: SystemTime) -> i64 {
    let signed = |nanoseconds: u128| i64::try_from(nanoseconds).unwrap_or(i64::MAX);
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => signed(since.as_nanos()),
        Err(before) => -signed(before.duration().as_nanos()),
    }
}

/// The path of the file that speaks of the load into the store at `path`.
fn progress_path(store: &Path) -> PathBuf {
    with_ending(store, "-unfinished-progress")
}

impl Unfinished {
    /// What the last load into the store at `path` has left, if it was cut and can go on.
    pub(crate) fn read(store: &Path) -> Result<Option<Self>, Failure> {
        let path = progress_path(store);
        let bad = |why: &dyn std::fmt::Display| {
            Failure::Message(format!("{}: {why} (start over without --resume)", path.display()))
        };
        let Some(text) = read_own(&path)? else { return Ok(None) };
        let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
        let checksum = format!("{MAGIC}{:08x}", crc32c::crc32c(rest.as_bytes()));
        if first != checksum {
            return Err(bad(&"damaged, or of another version of flatrec"));
        }
        let value: Value = serde_json::from_str(rest).map_err(|error| bad(&error))?;
        Self::from_json(&value).map(Some).ok_or_else(|| bad(&"of another version of flatrec"))
    }

    /// Writes the file anew, durably. What it speaks of is durable already.
    pub(crate) fn write(&self, store: &Path) -> io::Result<()> {
        let path = progress_path(store);
        let made_at = with_ending(store, "-unfinished-progress-new");
        let text = format!("{:#}\n", self.to_json());
        let mut file = create_private(&made_at)?;
        write!(file, "{MAGIC}{:08x}\n{text}", crc32c::crc32c(text.as_bytes()))?;
        file.sync_all()?;
        drop(file);
        fs::rename(&made_at, &path)?;
        sync_directory_of(&path)
    }

    /// Refuses to begin a load where somebody else's file would be written over.
    pub(crate) fn refuse_foreign(store: &Path) -> Result<(), Failure> {
        read_own(&progress_path(store)).map(drop)
    }

    /// Removes what an earlier load into the store at `path` has left, but for the store; whether
    /// there was anything. For whoever has the store's writer lock.
    pub(crate) fn discard(store: &Path) -> bool {
        let left = Self::read(store);
        if let Ok(Some(Self { rejects: Some(rejects), .. })) = &left {
            rejects.remove();
        }
        Self::remove(store);
        !matches!(left, Ok(None))
    }

    /// Removes the file, and with it the means to go on.
    pub(crate) fn remove(store: &Path) {
        for ending in ["-unfinished-progress", "-unfinished-progress-new"] {
            // One that stays behind names a store that is gone, and so means nothing.
            let _ = fs::remove_file(with_ending(store, ending));
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
            "point": {
                "offset_bytes": self.point.offset_bytes,
                "lines": self.point.lines,
                "loaded": report.loaded,
                "rejected": report.rejected,
                "nulls": report.nulls,
                "read_bytes": report.read_bytes,
            },
            "rejects": self.rejects.as_ref().map(|rejects| {
                json!({ "made_at": rejects.made_at.to_str(), "bytes": rejects.len_bytes })
            }),
        })
    }

    fn from_json(value: &Value) -> Option<Self> {
        let (input, point) = (&value["input"], &value["point"]);
        let file_id = u128::from_str_radix(value["store"].as_str()?, 16).ok()?;
        let rejects = match &value["rejects"] {
            Value::Null => None,
            rejects => Some(RejectsSoFar {
                made_at: rejects["made_at"].as_str()?.into(),
                len_bytes: rejects["bytes"].as_u64()?,
            }),
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
            point: LoadPoint {
                offset_bytes: point["offset_bytes"].as_u64()?,
                lines: point["lines"].as_u64()?,
                report: LoadReport {
                    loaded: point["loaded"].as_u64()?,
                    rejected: point["rejected"].as_u64()?,
                    nulls: point["nulls"].as_u64()?,
                    read_bytes: point["read_bytes"].as_u64()?,
                },
            },
            rejects,
        })
    }
}

/// Makes the file anew, for this user alone: it tells of the input, and only the one who began a
/// load goes on with it. What has the name is removed, and never written through.
fn create_private(path: &Path) -> io::Result<File> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

/// The text of the file at `path`, if there is one; an error if it is somebody else's, which must
/// not be written over.
fn read_own(path: &Path) -> Result<Option<String>, Failure> {
    let shown = path.display();
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Failure::Message(format!("read {shown}: {error}"))),
    };
    if !bytes.starts_with(MAGIC.as_bytes()) {
        return Err(Failure::Message(format!(
            "{shown} is in the way, and no file of flatrec's (rename it)"
        )));
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}
