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
        let open = |common: &Common| {
            let check = |opening| check_created_as::<R>(opening, by_hand, common);
            Self::open_checked(path, Access::ReadWrite, by_hand, common, check)
        };
        let create = |common: &Common| Self::create(path, by_hand, common);
        let mut file = open_or_create(path, common.clone(), open, create)?;
        // What is left of the wait was for the opening.
        file.common.wait = common.wait;
        Ok(file)
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
