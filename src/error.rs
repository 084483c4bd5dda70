//! What can go wrong, and what to do about it.
//!
//! Every [`Error`] names the operation, the path, the offset or record where there is one, and says
//! what to do. The kind is for programs ([`Error::kind`]), the text is for people, and the
//! system's own error is kept as [`source`](std::error::Error::source).

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// `text` as a terminal may show it: control characters, which could command the terminal or begin
/// a line, and those that turn the direction of writing are escaped as in Rust's literals.
///
/// Errors show their paths so. Programs that print a name, or text that they found in a file, can
/// do the same.
///
/// ```
/// assert_eq!(flatrec::printable("Łukasz.rec"), "Łukasz.rec");
/// assert_eq!(flatrec::printable("a\x1b[2Jb"), "a\\u{1b}[2Jb");
/// assert_eq!(flatrec::printable("cer.\u{202e}txt"), "cer.\\u{202e}txt");
/// ```
pub fn printable(text: &str) -> Cow<'_, str> {
    // Most text is of such bytes alone, and these are quick to look at.
    if text.bytes().all(|byte| matches!(byte, b' '..=b'~')) || !text.contains(is_command) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match is_command(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Whether a character changes how what follows it is shown. Joiners, of which emoji are made, do
/// not.
fn is_command(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}')
        || matches!(c, '\u{2066}'..='\u{2069}')
}

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What sort of failure an [`Error`] is; the sentence of each is its `Display`.
///
/// ```
/// use flatrec::{DynStore, ErrorKind};
/// let error = DynStore::open("no-such-file.rec").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The system refused or failed an input or output call.
    #[error("input/output error")]
    Io,
    /// The file does not exist.
    #[error("not found")]
    NotFound,
    /// The file exists already and the call promised to make a new one.
    #[error("already exists")]
    AlreadyExists,
    /// The permissions of the file or its directory forbid the call.
    #[error("permission denied")]
    PermissionDenied,
    /// The disk, the quota or the memory file system is full. Nothing was changed.
    #[error("no space left")]
    NoSpace,
    /// Another handle holds the lock that the call needs.
    #[error("locked by another handle")]
    Locked,
    /// The handle was opened read-only.
    #[error("opened read-only")]
    ReadOnly,
    /// The bytes are no flatrec store at all.
    #[error("not a flatrec store")]
    NotAStore,
    /// The store was written by a version, or with a feature, that this one does not know.
    #[error("unsupported format")]
    UnsupportedFormat,
    /// A checksum or an invariant of the format does not hold.
    #[error("corrupt")]
    Corrupt,
    /// The file is shorter than its header says.
    #[error("truncated")]
    Truncated,
    /// The store's schema is not the one asked for.
    #[error("schema mismatch")]
    SchemaMismatch,
    /// A schema that cannot be: overlapping fields, empty names, sizes out of range.
    #[error("invalid schema")]
    InvalidSchema,
    /// A value that its field cannot hold, or text that is no such value.
    #[error("invalid value")]
    InvalidValue,
    /// A record number, offset or length past the end or past what can be addressed.
    #[error("out of range")]
    OutOfRange,
    /// The record was deleted.
    #[error("deleted")]
    Deleted,
    /// An argument that no call of this kind can serve.
    #[error("invalid argument")]
    InvalidArgument,
    /// The pinned views fill the whole budget, so that no other view can be mapped.
    #[error("view budget exhausted")]
    BudgetExhausted,
    /// The file lies on a network file system, where two machines' views are not coherent.
    #[error("network file system")]
    NetworkFileSystem,
    /// An earlier sync failed: what the disk holds is unknown until the store is reopened.
    #[error("handle poisoned by a failed sync")]
    Poisoned,
    /// An exclusive edit of the store was interrupted: records may be half changed.
    #[error("interrupted edit")]
    InterruptedEdit,
    /// The log may not grow further, and a reader keeps it from being checkpointed. Nothing was
    /// changed.
    #[error("log full")]
    LogFull,
    /// This system cannot do it.
    #[error("not supported here")]
    Unsupported,
    /// The file that is open is not the one that is written any more: a file system that lays one
    /// directory over another copied it when a writer opened it. Opened again it is the new one.
    #[error("outdated copy")]
    Outdated,
}

/// An error: what failed, where, why, and what to do.
///
/// ```
/// let error = flatrec::DynStore::open("no-such-file.rec").unwrap_err();
/// let text = error.to_string();
/// assert!(text.starts_with("open no-such-file.rec: not found"), "{text}");
/// ```
pub struct Error(Box<Inner>);

struct Inner {
    kind: ErrorKind,
    operation: Cow<'static, str>,
    path: Option<PathBuf>,
    offset: Option<u64>,
    record: Option<u64>,
    detail: Option<Cow<'static, str>>,
    advice: Option<Cow<'static, str>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` met while doing `operation` (a verb, as in "open" or "grow").
    pub(crate) fn new(kind: ErrorKind, operation: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: operation.into(),
            path: None,
            offset: None,
            record: None,
            detail: None,
            advice: None,
            source: None,
        }))
    }

    /// The system's error `source`, met while doing `operation`: its kind and advice follow from
    /// it.
    pub(crate) fn io(operation: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        let (kind, advice) = classify(&source);
        let mut error = Self::new(kind, operation);
        error.0.advice = advice.map(Cow::Borrowed);
        error.0.source = Some(Box::new(source));
        error
    }

    /// The error of a lock that `holder` has.
    pub(crate) fn held_by(holder: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Locked, "lock")
            .detail(holder)
            .advice("close the other handle, or wait for it with Options::wait")
    }

    /// A file that ends at `end` by now, where there should be bytes from `offset` on.
    pub(crate) fn truncated(operation: &'static str, end: u64, offset: u64) -> Self {
        Self::new(ErrorKind::Truncated, operation)
            .offset(end.max(offset))
            .detail(format!("the file has {end} bytes by now"))
            .advice("somebody has cut it while it was open: restore it from a copy")
    }

    /// Adds the path; the innermost call that knows it wins.
    pub(crate) fn path(mut self, path: impl AsRef<Path>) -> Self {
        self.0.path.get_or_insert_with(|| path.as_ref().to_path_buf());
        self
    }

    /// Adds the byte offset in the file.
    pub(crate) fn offset(mut self, offset: u64) -> Self {
        self.0.offset.get_or_insert(offset);
        self
    }

    /// Adds the record number.
    pub(crate) fn record(mut self, record: u64) -> Self {
        self.0.record.get_or_insert(record);
        self
    }

    /// Says more about what was found.
    pub(crate) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Says what the user can do.
    pub(crate) fn advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// Keeps the error underneath.
    pub(crate) fn source_error(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// What was found, without the operation and the place: for an error that says those itself.
    #[cfg(feature = "exchange")]
    pub(crate) fn into_detail(self) -> String {
        match self.0.detail {
            Some(detail) => detail.into_owned(),
            None => self.to_string(),
        }
    }

    /// What sort of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What was being done, as a verb.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The file concerned, where there is one.
    pub fn file_path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte offset in that file, where one is to blame.
    pub fn file_offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The record number, where one is to blame.
    pub fn record_number(&self) -> Option<u64> {
        self.0.record
    }
}

/// For sinks and callbacks of the caller's own, whose errors go through calls of this crate.
///
/// ```
/// let error = flatrec::Error::from(std::io::Error::from(std::io::ErrorKind::BrokenPipe));
/// assert_eq!(error.kind(), flatrec::ErrorKind::Io);
/// ```
impl From<io::Error> for Error {
    fn from(source: io::Error) -> Self {
        Self::io("call back", source)
    }
}

/// The kind of a system error, and the advice that always goes with it.
fn classify(source: &io::Error) -> (ErrorKind, Option<&'static str>) {
    match source.kind() {
        io::ErrorKind::NotFound => (ErrorKind::NotFound, Some("check the path")),
        io::ErrorKind::AlreadyExists => {
            (ErrorKind::AlreadyExists, Some("open it instead, or choose another path"))
        }
        io::ErrorKind::PermissionDenied => (
            ErrorKind::PermissionDenied,
            Some("check the permissions of the file and of its directory"),
        ),
        io::ErrorKind::ReadOnlyFilesystem => {
            (ErrorKind::PermissionDenied, Some("the file system is mounted read-only"))
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            (ErrorKind::NoSpace, Some("free some space or choose another disk"))
        }
        io::ErrorKind::FileTooLarge => (
            ErrorKind::NoSpace,
            Some("raise the limit on the size of files, or choose another file system"),
        ),
        io::ErrorKind::UnexpectedEof => {
            (ErrorKind::Truncated, Some("the file is shorter than it was or should be"))
        }
        io::ErrorKind::Unsupported => (ErrorKind::Unsupported, None),
        _ if is_bad_name(source) => (ErrorKind::InvalidArgument, Some(ADVICE_ON_NAMES)),
        _ => (ErrorKind::Io, None),
    }
}

/// What makes a name that the system takes.
const ADVICE_ON_NAMES: &str = if cfg!(windows) {
    "choose a shorter name, since those of the files beside it are longer, without any of \
     < > : \" | ? *"
} else {
    "choose a shorter name, since those of the files beside it are longer"
};

/// Whether the system refuses the name itself: no file can have it.
fn is_bad_name(source: &io::Error) -> bool {
    #[cfg(unix)]
    const CODES: &[i32] = &[libc::ENAMETOOLONG];
    // ERROR_INVALID_NAME, ERROR_BAD_PATHNAME and ERROR_FILENAME_EXCED_RANGE.
    #[cfg(windows)]
    const CODES: &[i32] = &[123, 161, 206];
    source.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.write_str(&inner.operation)?;
        if let Some(path) = &inner.path {
            write!(f, " {}", printable(&path.to_string_lossy()))?;
        }
        if let Some(offset) = inner.offset {
            write!(f, " at byte {offset}")?;
        }
        if let Some(record) = inner.record {
            write!(f, ", record {record}")?;
        }
        write!(f, ": {}", inner.kind)?;
        if let Some(detail) = &inner.detail {
            write!(f, ": {detail}")?;
        }
        if let Some(source) = &inner.source {
            write!(f, ": {source}")?;
        }
        match &inner.advice {
            Some(advice) => write!(f, " ({advice})"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &*self.0;
        f.debug_struct("Error")
            .field("kind", &inner.kind)
            .field("text", &self.to_string())
            .field("source", &inner.source)
            .finish()
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn std::error::Error + 'static))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::error::Error as _;

    #[test]
    fn text_names_operation_path_place_and_advice() {
        let error = Error::new(ErrorKind::Corrupt, "read")
            .path("a.rec")
            .path("outer.rec")
            .offset(4096)
            .record(7)
            .detail("slot checksum")
            .advice("run verify");
        assert_eq!(
            error.to_string(),
            "read a.rec at byte 4096, record 7: corrupt: slot checksum (run verify)"
        );
        assert!(error.source().is_none());
    }

    #[test]
    fn system_errors_keep_their_source_and_get_a_kind() {
        let error = Error::io("grow", io::Error::from(io::ErrorKind::StorageFull)).path("b.rec");
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert!(error.source().is_some());
        assert!(error.to_string().contains("free some space"), "{error}");
    }
}
