//! The formats of an export.

use std::path::Path;

use super::packed::Packing;
use crate::error::{Error, ErrorKind, Result};

/// The format of an export.
///
/// ```
/// use flatrec::exchange::ExportFormat;
/// assert_eq!(ExportFormat::from_path("out/flights.NPY")?, ExportFormat::Npy);
/// assert!(ExportFormat::from_path("flights.xlsx").is_err());
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExportFormat {
    /// CSV with a header: see [`CsvWriter`](crate::exchange::CsvWriter).
    Csv,
    /// The same with tabs between the fields.
    Tsv,
    /// A JSON object a line, numbers that are not finite as strings: see
    /// [`NdjsonWriter`](crate::exchange::NdjsonWriter).
    Ndjson,
    /// A structured numpy array, dates as days since 1970: see
    /// [`NpyWriter`](crate::exchange::NpyWriter).
    Npy,
    /// A file of Arrow (Feather, version 2).
    #[cfg(feature = "arrow")]
    Arrow,
    /// A stream of Arrow.
    #[cfg(feature = "arrow")]
    ArrowStream,
    /// Parquet, compressed by zstd.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl ExportFormat {
    /// The format by the path's ending: `.csv`, `.tsv`, `.ndjson`, `.jsonl` or `.npy`, with the
    /// feature `arrow` also `.arrow`, `.feather`, `.ipc` and, for a stream, `.arrows`, and with the
    /// feature `parquet` also `.parquet`, each also before
    /// `.gz` or `.zst`, by which [`Exporter`](crate::exchange::Exporter) compresses the file.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for any other ending.
    pub fn from_path(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let (_, plain) = Packing::of(path);
        let ending = plain.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
        match ending.as_str() {
            "csv" => Ok(Self::Csv),
            "tsv" => Ok(Self::Tsv),
            "ndjson" | "jsonl" => Ok(Self::Ndjson),
            "npy" => Ok(Self::Npy),
            #[cfg(feature = "arrow")]
            "arrow" | "feather" | "ipc" => Ok(Self::Arrow),
            #[cfg(feature = "arrow")]
            "arrows" => Ok(Self::ArrowStream),
            #[cfg(feature = "parquet")]
            "parquet" => Ok(Self::Parquet),
            _ => Err(Error::new(ErrorKind::InvalidArgument, "export to")
                .path(path)
                .detail("the ending of the path is unknown")
                .advice("end the path in .npy, or in .csv, .tsv or .ndjson, and .gz or .zst")),
        }
    }
}
