//! The formats of inputs.

use std::path::Path;

/// The format of an input.
///
/// ```
/// use flatrec::exchange::InputFormat;
/// assert_eq!(InputFormat::from_path("in/flights.NPZ"), InputFormat::Npz);
/// assert_eq!(InputFormat::from_path("flights.txt.gz"), InputFormat::Csv);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InputFormat {
    /// CSV and its like: see [`CsvReader`](crate::exchange::CsvReader).
    Csv,
    /// A JSON object a line.
    Ndjson,
    /// An array of numpy.
    Npy,
    /// Arrays of numpy in a zip archive.
    Npz,
    /// A file (Feather, version 2) or a stream of Arrow.
    #[cfg(feature = "arrow")]
    Arrow,
    /// Parquet.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl InputFormat {
    /// The format by the path's ending: `.ndjson`, `.jsonl`, `.npy`, `.npz`, with the feature
    /// `arrow` also `.arrow`, `.arrows`, `.feather` or `.ipc`, with the feature `parquet` also
    /// `.parquet`, each before `.gz`, `.zst`, `.xz` or `.bz2`, too, and CSV for all others.
    pub fn from_path(path: impl AsRef<Path>) -> Self {
        let mut path = path.as_ref();
        let ending = |path: &Path| {
            path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
        };
        if let ("gz" | "zst" | "xz" | "bz2", Some(stem)) = (&*ending(path), path.file_stem()) {
            path = Path::new(stem);
        }
        match &*ending(path) {
            "ndjson" | "jsonl" => Self::Ndjson,
            "npy" => Self::Npy,
            "npz" => Self::Npz,
            #[cfg(feature = "arrow")]
            "arrow" | "arrows" | "feather" | "ipc" => Self::Arrow,
            #[cfg(feature = "parquet")]
            "parquet" => Self::Parquet,
            _ => Self::Csv,
        }
    }

    /// Whether an input is read from several places, so that a stream must be spooled first
    /// ([`Input::spool`](crate::exchange::Input::spool)).
    pub fn needs_file(self) -> bool {
        match self {
            Self::Npz => true,
            #[cfg(feature = "arrow")]
            Self::Arrow => true,
            #[cfg(feature = "parquet")]
            Self::Parquet => true,
            _ => false,
        }
    }
}
