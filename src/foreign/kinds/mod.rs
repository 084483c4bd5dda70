//! The kinds of files that describe themselves: a file for each.

mod cifar;
mod dbf;
mod fits;
mod idx;
mod las;
mod npy;
mod utmp;
mod vecs;

use super::kind::ForeignKind;
use super::layout::ForeignLayout;
use super::source::{READ, Source};
use crate::error::{Error, ErrorKind, Result};

/// A parser that looks whether a file is of its kind.
type Detect = fn(&Source) -> Result<Option<ForeignLayout>>;

/// The kinds with a magic.
const WITH_MAGIC: [Detect; 5] = [fits::detect, las::detect, npy::detect, idx::detect, dbf::detect];

/// The layout of a file whose first bytes say what it is.
pub(super) fn detect(source: &Source) -> Result<Option<ForeignLayout>> {
    for detect in WITH_MAGIC {
        if let Some(layout) = detect(source)? {
            return Ok(Some(layout));
        }
    }
    Ok(None)
}

/// The layout of a file of that kind.
pub(super) fn layout(
    source: &Source,
    kind: ForeignKind,
    parameter: Option<&str>,
) -> Result<ForeignLayout> {
    use ForeignKind::*;
    if parameter.is_some() && !matches!(kind, Dbf | Fits) {
        return Err(Error::new(ErrorKind::InvalidArgument, READ)
            .detail(format!("files of kind {kind} have no parameter")));
    }
    match kind {
        Dbf => dbf::layout(source, parameter),
        Idx => idx::layout(source),
        Cifar10 | Cifar100 => cifar::layout(source, kind),
        Fvecs | Bvecs | Ivecs => vecs::layout(source, kind),
        Fits => fits::layout(source, parameter),
        Utmp => utmp::layout(source),
        Las => las::layout(source),
        Npy => npy::layout(source),
        Binary | Text => Err(Error::new(ErrorKind::InvalidArgument, READ)
            .detail(format!("files of kind {kind} need a layout file"))),
    }
}
