//! The formats that a build of the command can leave out, and the errors that say so.

use std::path::Path;

use flatrec::exchange::{ExportFormat, InputFormat};

use crate::failure::Failure;

/// A format that needs a feature of the library.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Optional {
    Arrow,
    ArrowStream,
    Parquet,
}

impl Optional {
    /// The format by the ending of a file's name, also before that of a compression.
    fn by_ending(path: &Path) -> Option<Self> {
        let ending = |path: &Path| {
            path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase()
        };
        let plain = match &*ending(path) {
            "gz" | "zst" | "xz" | "bz2" => path.file_stem().map_or(path, Path::new),
            _ => path,
        };
        match &*ending(plain) {
            "arrow" | "feather" | "ipc" => Some(Self::Arrow),
            "arrows" => Some(Self::ArrowStream),
            "parquet" => Some(Self::Parquet),
            _ => None,
        }
    }

    /// The format of an input.
    ///
    /// # Errors
    /// If this build does not include it.
    pub(crate) fn input(self) -> Result<InputFormat, Failure> {
        match self {
            #[cfg(feature = "arrow")]
            Self::Arrow | Self::ArrowStream => Ok(InputFormat::Arrow),
            #[cfg(feature = "parquet")]
            Self::Parquet => Ok(InputFormat::Parquet),
            #[cfg(not(feature = "parquet"))]
            left_out => Err(left_out.failure(None)),
        }
    }

    /// The format of an export.
    ///
    /// # Errors
    /// If this build does not include it.
    pub(crate) fn output(self) -> Result<ExportFormat, Failure> {
        match self {
            #[cfg(feature = "arrow")]
            Self::Arrow => Ok(ExportFormat::Arrow),
            #[cfg(feature = "arrow")]
            Self::ArrowStream => Ok(ExportFormat::ArrowStream),
            #[cfg(feature = "parquet")]
            Self::Parquet => Ok(ExportFormat::Parquet),
            #[cfg(not(feature = "parquet"))]
            left_out => Err(left_out.failure(None)),
        }
    }

    fn is_left_out(self) -> bool {
        match self {
            Self::Arrow | Self::ArrowStream => !cfg!(feature = "arrow"),
            Self::Parquet => !cfg!(feature = "parquet"),
        }
    }

    fn failure(self, path: Option<&Path>) -> Failure {
        let (name, feature) = match self {
            Self::Arrow | Self::ArrowStream => ("Arrow", "arrow"),
            Self::Parquet => ("Parquet", "parquet"),
        };
        let place = path.map_or(String::new(), |path| format!("{}: ", path.display()));
        Failure::Message(format!(
            "{place}this build of flatrec does not include {name} (build it with the cargo feature \
             `{feature}`, which is on by default, or take CSV or NDJSON)"
        ))
    }
}

/// Refuses a file whose ending says a format that this build does not include.
pub(crate) fn refuse_ending(path: &Path) -> Result<(), Failure> {
    match Optional::by_ending(path).filter(|it| it.is_left_out()) {
        Some(left_out) => Err(left_out.failure(Some(path))),
        None => Ok(()),
    }
}
