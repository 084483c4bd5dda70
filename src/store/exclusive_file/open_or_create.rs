//! Stores that are opened, or created if they do not exist.

use std::path::Path;
use std::sync::Arc;

use super::ExclusiveFile;
use crate::error::Result;
use crate::format::Schema;
use crate::io::Access;
use crate::txn::open_or_create::{check_created_as, open_or_create};
use crate::txn::opening::Opening;
use crate::txn::{Common, Row, Superblock};

impl<R: Row + ?Sized> ExclusiveFile<R> {
    /// Opens the store at `path` to write, or makes a new, empty one if there is no file. Of
    /// several callers at the same time one makes it, and the others open that one.
    pub(crate) fn open_or_create(
        path: &Path,
        by_hand: Option<&Schema>,
        common: &Common,
    ) -> Result<Self> {
        // A caller that cannot create a store here is told so, whether there is one or not.
        Self::schema_to_create(by_hand)?;
        let mut file = open_or_create(
            path,
            common.clone(),
            |common| Self::open_as_created(path, by_hand, common),
            |common| Self::create(path, by_hand, common),
        )?;
        // What is left of the wait was for the opening.
        file.common.wait = common.wait;
        Ok(file)
    }

    /// Opens a store, if it was created with the options that the caller would create it with.
    #[allow(unsafe_code, reason = "the locks that make a mapped array sound are held here")]
    fn open_as_created(path: &Path, by_hand: Option<&Schema>, common: &Common) -> Result<Self> {
        let access = Access::ReadWrite;
        let opening = Opening::at(path, access, common)?.check_rows::<R>(by_hand, common)?;
        check_created_as(&opening.superblock, common)?;
        let Opening { superblock, locks } = opening;
        // SAFETY: `Opening::at` took the locks that keep other handles from changing records.
        unsafe { Self::assemble(superblock, locks, by_hand, common, access) }
    }

    /// Makes a new, empty store at `path` that a database goes on with. The writer's locks stay
    /// taken, so that no other handle opens the store before its maker.
    pub(crate) fn create_opening(path: &Path, schema: &Schema, common: &Common) -> Result<Opening> {
        let made = Self::create(path, Some(schema), common)?;
        let (backing, locks) = (Arc::clone(made.superblock.backing()), made.locks.clone());
        made.close()?;
        Ok(Opening { superblock: Superblock::open(backing)?, locks })
    }
}
