//! Errors: what failed, why, and what to do.
//!
//! Every [`Error`] names the operation, and the path, the offset or the record if there is one, and
//! gives advice. The kind is for programs ([`Error::kind`]), the text is for people. The text has
//! that of the system's own error in it, which is kept for programs ([`Error::io_error`]).

mod nearest;
mod printable;

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub(crate) use self::nearest::nearest;
#[cfg(feature = "text")]
pub(crate) use self::printable::cut;
pub use self::printable::printable;
pub(crate) use self::printable::{named, quoted};

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of failure of an [`Error`]; its `Display` is a phrase. It is not an error by itself: an
/// [`Error`] also says what failed, where, and what to do.
///
/// ```
/// use flatrec::{DynStore, ErrorKind};
/// let error = DynStore::open("no-such-file.rec").unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::NotFound);
/// ```
///
/// ```compile_fail,E0277
/// let error: Box<dyn std::error::Error> = flatrec::ErrorKind::NotFound.into();
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The operating system reported an error.
    Io,
    /// The file does not exist.
    NotFound,
    /// The file already exists, and the call creates only new ones.
    AlreadyExists,
    /// The permissions of the file or its directory forbid the call.
    PermissionDenied,
    /// The disk, the quota or the memory file system is full. Nothing was changed.
    NoSpace,
    /// Another handle holds the lock that the call needs.
    Locked,
    /// Another transaction of the same database has not ended, and the call does not wait for it.
    TransactionInProgress,
    /// The handle was opened read-only.
    ReadOnly,
    /// The file is not a flatrec store.
    NotAStore,
    /// The store was written by an unknown version, or with an unknown feature.
    UnsupportedFormat,
    /// A checksum or an invariant of the format does not hold.
    Corrupt,
    /// The file is shorter than its header says.
    Truncated,
    /// The store's schema differs from the schema that the caller expects.
    SchemaMismatch,
    /// The store was created with other options (deletes, checksums, metadata) than the caller asks
    /// for.
    OptionsMismatch,
    /// An impossible schema: overlapping fields, empty names, sizes out of range.
    InvalidSchema,
    /// A value that its field cannot hold, or text that is not such a value.
    InvalidValue,
    /// A record number, offset or length past the end or past the address space.
    OutOfRange,
    /// The record was deleted.
    Deleted,
    /// An argument that the call never accepts.
    InvalidArgument,
    /// The pinned views fill the whole budget, so another view cannot be mapped.
    BudgetExhausted,
    /// The file lies on a network file system, where the views of two machines are not coherent.
    NetworkFileSystem,
    /// An earlier write or sync failed: what the disk holds is unknown until the store is reopened.
    Poisoned,
    /// An exclusive edit of the store was interrupted: records may be half changed.
    InterruptedEdit,
    /// The log has reached its limit, and a reader holds its checkpoint back. Nothing was changed.
    LogFull,
    /// This system does not support the call.
    Unsupported,
    /// The handle's file is an old copy: a file system that lays one directory over another copied
    /// the file when a writer opened it. Opening the path again gives the new file.
    Outdated,
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Io => "input/output error",
            Self::NotFound => "not found",
            Self::AlreadyExists => "already exists",
            Self::PermissionDenied => "permission denied",
            Self::NoSpace => "no space left",
            Self::Locked => "locked by another handle",
            Self::TransactionInProgress => "a transaction is in progress",
            Self::ReadOnly => "opened read-only",
            Self::NotAStore => "not a flatrec store",
            Self::UnsupportedFormat => "unsupported format",
            Self::Corrupt => "corrupt",
            Self::Truncated => "truncated",
            Self::SchemaMismatch => "schema mismatch",
            Self::OptionsMismatch => "created with other options",
            Self::InvalidSchema => "invalid schema",
            Self::InvalidValue => "invalid value",
            Self::OutOfRange => "out of range",
            Self::Deleted => "deleted",
            Self::InvalidArgument => "invalid argument",
            Self::BudgetExhausted => "view budget exhausted",
            Self::NetworkFileSystem => "network file system",
            Self::Poisoned => "handle poisoned by a failed sync",
            Self::InterruptedEdit => "interrupted edit",
            Self::LogFull => "log full",
            Self::Unsupported => "not supported here",
            Self::Outdated => "outdated copy",
        })
    }
}

/// Why a call failed, where a program can do something about it: [`Error::cause`].
///
/// ```
/// use flatrec::{Cause, DataType, Field};
/// let field = Field::new("price", DataType::Float32);
/// let error = field.parse_text("16777217", &mut [0; 4]).unwrap_err();
/// assert_eq!(error.cause(), Some(Cause::UnfitNumber)); // `parse_text_rounded` stores it
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Cause {
    /// The text is a number that its field does not keep, and there is a nearest one:
    /// [`Field::parse_text_rounded`](crate::Field::parse_text_rounded) stores that.
    UnfitNumber,
    /// A condition compares a field of text with a number: [`Error::field_name`] has its name.
    TextWithNumber,
    /// A condition goes beyond the language that the module `query` describes.
    OutsideLanguage,
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
    cause: Option<Cause>,
    field: Option<Box<str>>,
    value: Option<Box<str>>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of `kind` in `operation` (a verb, as in "open" or "grow").
    pub(crate) fn new(kind: ErrorKind, operation: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            operation: operation.into(),
            path: None,
            offset: None,
            record: None,
            detail: None,
            advice: None,
            cause: None,
            field: None,
            value: None,
            source: None,
        }))
    }

    /// The operating system's error `source` in `operation`: its kind and advice follow from it.
    pub(crate) fn io(operation: impl Into<Cow<'static, str>>, source: io::Error) -> Self {
        let (kind, advice) = classify(&source);
        let mut error = Self::new(kind, operation);
        error.0.advice = advice.map(Cow::Borrowed);
        error.0.source = Some(Box::new(source));
        error
    }

    /// The error for a lock that `holder` has.
    pub(crate) fn held_by(holder: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorKind::Locked, "lock")
            .detail(holder)
            .advice("close the other handle, or wait for it with OpenOptions::wait")
    }

    /// The error for a file that ends at `end` although bytes from `offset` on should follow.
    pub(crate) fn truncated(operation: &'static str, end: u64, offset: u64) -> Self {
        Self::new(ErrorKind::Truncated, operation)
            .offset(end.max(offset))
            .detail(format!("the file now has {end} bytes"))
            .advice("another program truncated it while it was open: restore it from a copy")
    }

    /// Adds the path; the innermost call that knows it decides.
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

    /// Adds a detail.
    pub(crate) fn detail(mut self, detail: impl Into<Cow<'static, str>>) -> Self {
        self.0.detail = Some(detail.into());
        self
    }

    /// Adds advice for the user.
    pub(crate) fn advice(mut self, advice: impl Into<Cow<'static, str>>) -> Self {
        self.0.advice = Some(advice.into());
        self
    }

    /// Adds the cause.
    #[cfg(feature = "text")]
    pub(crate) fn because(mut self, cause: Cause) -> Self {
        self.0.cause = Some(cause);
        self
    }

    /// Adds the name of the field.
    pub(crate) fn field(mut self, name: &str) -> Self {
        self.0.field = Some(name.into());
        self
    }

    /// Adds the text of the value.
    #[cfg(feature = "exchange")]
    pub(crate) fn value(mut self, text: &str) -> Self {
        self.0.value = Some(text.into());
        self
    }

    /// Gives other advice about a file at `path` that is in the way.
    pub(crate) fn advise_to_replace(self, path: &Path, advice: &'static str) -> Self {
        let is_in_the_way = self.0.kind == ErrorKind::AlreadyExists;
        if is_in_the_way && self.0.path.as_deref() == Some(path) {
            self.advice(advice)
        } else {
            self
        }
    }

    /// Keeps the underlying error.
    pub(crate) fn source_error(
        mut self,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The detail without the operation and the place, for an error that states those itself.
    #[cfg(feature = "exchange")]
    pub(crate) fn into_detail(self) -> String {
        match self.0.detail {
            Some(detail) => detail.into_owned(),
            None => self.to_string(),
        }
    }

    /// The kind of failure.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The operation, as a verb.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The file concerned, if there is one.
    pub fn file_path(&self) -> Option<&Path> {
        self.0.path.as_deref()
    }

    /// The byte offset of the fault in that file, if there is one.
    pub fn file_offset(&self) -> Option<u64> {
        self.0.offset
    }

    /// The record number of the fault, if there is one.
    pub fn record_number(&self) -> Option<u64> {
        self.0.record
    }

    /// The cause, if a program can do something about it.
    pub fn cause(&self) -> Option<Cause> {
        self.0.cause
    }

    /// The name of the field that the [cause](Error::cause) concerns, if there is one.
    pub fn field_name(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The whole text of the value that does not fit the field of that name, if that is the fault
    /// of a row; `None` for a null.
    ///
    /// ```
    /// # #[cfg(feature = "exchange")] {
    /// use flatrec::exchange::{CsvOptions, CsvReader, Input};
    /// use flatrec::{DataType, Field, Schema};
    /// let schema = Schema::packed([Field::new("name", DataType::Utf8(2))]).unwrap();
    /// let load = |csv: &str| {
    ///     let mut reader = CsvReader::new(Input::from_bytes(csv), CsvOptions::new());
    ///     reader.load(&schema, &mut Vec::new()).unwrap_err()
    /// };
    /// let error = load("name\nAda\n");
    /// assert_eq!((error.field_name(), error.value_text()), (Some("name"), Some("Ada")));
    /// let error = load("name\n\n");
    /// assert_eq!((error.field_name(), error.value_text()), (Some("name"), None));
    /// # }
    /// ```
    pub fn value_text(&self) -> Option<&str> {
        self.0.value.as_deref()
    }

    /// The advice in parentheses at the end of the text, if there is one. A program that has
    /// better advice replaces it.
    ///
    /// ```
    /// let error = flatrec::DynStore::open("no-such-file.rec").unwrap_err();
    /// assert_eq!(error.what_to_do(), Some("check the path"));
    /// assert!(error.to_string().ends_with(" (check the path)"));
    /// ```
    pub fn what_to_do(&self) -> Option<&str> {
        self.0.advice.as_deref()
    }

    /// The error of the operating system, or of the caller's own reader, writer or callback, if
    /// that is what failed. Its text is part of this error's.
    ///
    /// ```
    /// let error = flatrec::DynStore::open("no-such-file.rec").unwrap_err();
    /// assert_eq!(error.io_error().unwrap().kind(), std::io::ErrorKind::NotFound);
    /// ```
    pub fn io_error(&self) -> Option<&io::Error> {
        self.0.source.as_deref()?.downcast_ref()
    }
}

/// For the caller's own sinks and callbacks, whose errors pass through calls of this crate.
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

/// The kind of a system error, and its standard advice.
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

/// Advice for a name that the system refuses.
const ADVICE_ON_NAMES: &str = if cfg!(windows) {
    "choose a shorter name without any of < > : \" | ? * (the files beside it add a suffix to \
     the name)"
} else {
    "choose a shorter name (the files beside it add a suffix to the name)"
};

/// Whether the system refuses the name itself: then it cannot name a file.
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

/// The text, which is what `fn main() -> flatrec::Result<()>` shows; `{:#?}` shows the parts.
impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !f.alternate() {
            return fmt::Display::fmt(self, f);
        }
        let Inner { kind, operation, path, offset, record, detail, advice, .. } = &*self.0;
        let Inner { cause, field, value, source, .. } = &*self.0;
        f.debug_struct("Error")
            .field("kind", kind)
            .field("operation", operation)
            .field("path", path)
            .field("offset", offset)
            .field("record", record)
            .field("detail", detail)
            .field("advice", advice)
            .field("cause", cause)
            .field("field", field)
            .field("value", value)
            .field("source", source)
            .finish()
    }
}

/// The text of an error ends with that of the error below it, so [`source`] is what lies below
/// both: a report that walks the chain shows each text once.
///
/// [`source`]: std::error::Error::source
impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref()?.source()
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
        assert!(error.0.source.is_none());
    }

    #[test]
    fn system_errors_keep_their_source_and_get_a_kind() {
        let error = Error::io("grow", io::Error::from(io::ErrorKind::StorageFull)).path("b.rec");
        assert_eq!(error.kind(), ErrorKind::NoSpace);
        assert_eq!(error.io_error().unwrap().kind(), io::ErrorKind::StorageFull);
        assert!(error.to_string().contains("free some space"), "{error}");
    }

    /// Reports that walk the chain showed the system's text twice.
    #[test]
    fn each_text_of_a_chain_is_shown_once() {
        let own = Error::new(ErrorKind::InvalidValue, "parse").detail("a bad row");
        let error = Error::from(io::Error::other(own)).path("c.rec");
        let mut chain = error.to_string();
        let mut below = error.source();
        while let Some(cause) = below {
            chain.push_str(&format!("; {cause}"));
            below = cause.source();
        }
        assert_eq!(chain.matches("a bad row").count(), 1, "{chain}");
    }

    #[test]
    fn what_main_shows_is_the_text_and_the_parts_are_for_the_asking() {
        let error = Error::new(ErrorKind::Corrupt, "read").path("a.rec").advice("run verify");
        assert_eq!(format!("{error:?}"), "read a.rec: corrupt (run verify)");
        let parts = format!("{error:#?}");
        assert!(parts.contains("kind: Corrupt") && parts.contains("advice: Some("), "{parts}");
    }
}
