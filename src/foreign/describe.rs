//! Finds the layout of a file: by its first bytes, its kind, or a layout file.

use std::path::Path;

use super::json;
use super::kind::ForeignKind;
use super::kinds;
use super::layout::ForeignLayout;
use super::source::Source;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;

impl ForeignLayout {
    /// The layout of the file at `path`, if its first bytes and its length say what kind of file it
    /// is; `None` if they do not.
    ///
    /// ```
    /// use flatrec::foreign::ForeignLayout;
    /// # let dir = tempfile::tempdir()?;
    /// # let path = dir.path().join("rows.csv");
    /// std::fs::write(&path, "a,b\n1,2\n")?;
    /// assert!(ForeignLayout::detect(&path)?.is_none());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Corrupt`] if a file with the magic of a kind is damaged;
    /// [`ErrorKind::UnsupportedFormat`] if it has parts that this crate does not read;
    /// [`ErrorKind::NotFound`], [`ErrorKind::PermissionDenied`] or [`ErrorKind::Io`] if the file
    /// cannot be read.
    pub fn detect(path: impl AsRef<Path>) -> Result<Option<Self>> {
        let source = Source::open(path.as_ref())?;
        kinds::detect(&source).map_err(|error| source.name(error))
    }

    /// The layout of the file at `path`, which is of that kind. Some kinds take a parameter after a
    /// colon, as the document [FOREIGN.md](crate::documents::foreign) says.
    ///
    /// ```
    /// use flatrec::ErrorKind;
    /// use flatrec::foreign::ForeignLayout;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// let error = ForeignLayout::of_kind(file.path(), "parchment").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// As [`ForeignLayout::detect`]; [`ErrorKind::InvalidArgument`] for an unknown kind or
    /// parameter.
    pub fn of_kind(path: impl AsRef<Path>, kind: &str) -> Result<Self> {
        let (name, parameter) = match kind.split_once(':') {
            Some((name, parameter)) => (name, Some(parameter)),
            None => (kind, None),
        };
        let kind = ForeignKind::named(name)?;
        let source = Source::open(path.as_ref())?;
        kinds::layout(&source, kind, parameter).map_err(|error| source.name(error))
    }

    /// The layout that a JSON text describes, of the file at `path`. The document
    /// [FOREIGN.md](crate::documents::foreign#layout-files) has all its keys.
    ///
    /// ```
    /// use flatrec::foreign::ForeignLayout;
    /// # let file = tempfile::NamedTempFile::new()?;
    /// // struct { char tag; double value; } in C, after a header of 16 bytes
    /// let json = r#"{ "offset": 16, "count": 0, "c_struct": true, "fields": [
    ///     { "name": "tag", "type": "int8" },
    ///     { "name": "value", "type": "float64" }
    /// ] }"#;
    /// let layout = ForeignLayout::from_json(json, file.path())?;
    /// assert_eq!(layout.stride(), 16);
    /// assert_eq!(layout.schema().fields()[1].offset(), 8);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for text that is no layout; [`ErrorKind::Corrupt`] if the file
    /// does not have whole records; as [`ForeignLayout::detect`] if the file cannot be read.
    pub fn from_json(json: &str, path: impl AsRef<Path>) -> Result<Self> {
        let described = json::parse(json)?;
        let source = Source::open(path.as_ref())?;
        described.layout_of(&source).map_err(|error| source.name(error))
    }
}
