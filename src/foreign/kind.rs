//! The kinds of foreign files, and their names.

use std::fmt;

use crate::error::{Error, ErrorKind, Result};

/// A kind of foreign file.
///
/// ```
/// use flatrec::foreign::ForeignKind;
/// assert_eq!(ForeignKind::Binary.name(), "binary");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ForeignKind {
    /// Records that a layout file describes, such as a dump of C structs.
    Binary,
    /// Lines of the same length that a layout file describes.
    Text,
    /// A table of dBASE III: `.dbf`.
    Dbf,
    /// An array of the MNIST data sets.
    Idx,
    /// A batch of CIFAR-10.
    Cifar10,
    /// A batch of CIFAR-100.
    Cifar100,
    /// Vectors of `float32`: `.fvecs`.
    Fvecs,
    /// Vectors of `uint8`: `.bvecs`.
    Bvecs,
    /// Vectors of `int32`: `.ivecs`.
    Ivecs,
    /// A binary table of FITS.
    Fits,
    /// Logins of Linux: `utmp`, `wtmp`, `btmp`.
    Utmp,
    /// Points of LAS.
    Las,
    /// An array of numpy: `.npy`.
    Npy,
}

impl ForeignKind {
    /// The kinds that describe themselves, so that no layout file is necessary.
    pub const SELF_DESCRIBED: &'static [Self] = &[
        Self::Dbf,
        Self::Idx,
        Self::Cifar10,
        Self::Cifar100,
        Self::Fvecs,
        Self::Bvecs,
        Self::Ivecs,
        Self::Fits,
        Self::Utmp,
        Self::Las,
        Self::Npy,
    ];

    /// The kind's name, as [`ForeignLayout::of_kind`](super::ForeignLayout::of_kind) takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "binary",
            Self::Text => "text",
            Self::Dbf => "dbf",
            Self::Idx => "idx",
            Self::Cifar10 => "cifar10",
            Self::Cifar100 => "cifar100",
            Self::Fvecs => "fvecs",
            Self::Bvecs => "bvecs",
            Self::Ivecs => "ivecs",
            Self::Fits => "fits",
            Self::Utmp => "utmp",
            Self::Las => "las",
            Self::Npy => "npy",
        }
    }

    /// What such a file is, for people.
    ///
    /// ```
    /// use flatrec::foreign::ForeignKind;
    /// assert_eq!(ForeignKind::Dbf.description(), "a table of dBASE");
    /// ```
    pub const fn description(self) -> &'static str {
        match self {
            Self::Binary => "a file of records",
            Self::Text => "a file of lines of the same length",
            Self::Dbf => "a table of dBASE",
            Self::Idx => "an array of MNIST (idx)",
            Self::Cifar10 => "a batch of CIFAR-10",
            Self::Cifar100 => "a batch of CIFAR-100",
            Self::Fvecs | Self::Bvecs | Self::Ivecs => "a file of vectors",
            Self::Fits => "a FITS file",
            Self::Utmp => "a file of logins",
            Self::Las => "a file of points (LAS)",
            Self::Npy => "an array of numpy",
        }
    }

    /// The kind with that name, among those that describe themselves.
    pub(super) fn named(name: &str) -> Result<Self> {
        let found = Self::SELF_DESCRIBED.iter().find(|kind| kind.name() == name);
        found.copied().ok_or_else(|| {
            let names: Vec<&str> = Self::SELF_DESCRIBED.iter().map(|kind| kind.name()).collect();
            Error::new(ErrorKind::InvalidArgument, "choose a kind of file")
                .detail(format!("{name:?} is no kind of foreign file"))
                .advice(format!("the kinds are {}", names.join(", ")))
        })
    }
}

impl fmt::Display for ForeignKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
