//! What all records of a store have in common.

use super::superblock::Core;
use crate::error::{Error, ErrorKind, Result};
use crate::format::Geometry;

/// What all records of a store have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Layout {
    pub(crate) geometry: Geometry,
    /// Bytes of a record, without its status byte.
    pub(crate) record_size: usize,
    /// Bytes from one record to the next.
    pub(crate) stride: usize,
    pub(crate) alignment: usize,
    /// Whether each record has a status byte.
    pub(crate) deletes: bool,
}

impl Layout {
    /// The layout of a store whose records are seen as something aligned to `alignment`, which may
    /// be more than the file asks for.
    pub(crate) fn of(core: &Core, alignment: usize) -> Result<Self> {
        let header = core.header();
        let size = |bytes: u32| {
            usize::try_from(bytes).map_err(|_| {
                Error::new(ErrorKind::OutOfRange, "open").detail("records larger than memory")
            })
        };
        Ok(Self {
            geometry: Geometry::new(header.data_offset, u64::from(header.stride))?,
            record_size: size(header.record_size)?,
            stride: size(header.stride)?,
            alignment: size(header.alignment)?.max(alignment),
            deletes: header.deletes,
        })
    }
}
