//! Transactions: how a store changes so that no crash loses or tears a commit, and how readers
//! follow.
//!
//! - The header, in two slots, says which commit the array holds (`superblock`). The log holds the
//!   commits after that one; both together give the newest state (`recovered`).
//! - One writer at a time appends commits to the log (`engine`). Checkpoints copy them to the array
//!   (`checkpoint`, `install`), up to the oldest commit that a snapshot or another reader holds
//!   (`versions`, `locks`). A writer that opens a store first recovers the log that an earlier
//!   writer left (`recover`).
//! - Readers in other handles and processes find the newest commit by the shared words
//!   (`read_beside`, `follow`), and say in the reader table what they read (`reader_session`).
//!
//! Only `row` knows the type of a record. The handles of `store` and `db` lend records to users.

mod checkpoint;
mod commit_id;
mod engine;
mod follow;
#[cfg(all(test, loom))]
mod in_loom;
mod info;
mod install;
mod kept_sums;
mod locks;
mod long_append;
mod metadata;
pub(crate) mod open_or_create;
pub(crate) mod opening;
mod options;
mod parts;
pub(crate) mod read_beside;
mod reader_info;
mod reader_session;
mod recover;
mod recovered;
mod row;
pub(crate) mod slots;
mod source;
mod superblock;
mod token_lock;
mod version_list;
mod versions;

pub use commit_id::CommitId;
pub use engine::{Checkpoint, Durability, Receipt};
pub use info::{Activity, CheckpointInfo, LogInfo, SlotInfo, StoreInfo, WriterInfo};
pub use options::{CreateOptions, OpenOptions, ReadOptions};
pub use reader_info::ReaderInfo;
pub use row::Row;

pub(crate) use engine::{Changes, Engine, EngineHandle, Writer};
pub(crate) use follow::LogFollower;
pub(crate) use info::{Parts, leftovers_beside, slot_info};
pub(crate) use install::{Change, Plan, Work, install};
#[cfg(test)]
pub(crate) use install::{Stage, in_order, unsynced};
pub(crate) use kept_sums::{
    check_sums_possible, create_sums, name_sums_of_replaced, refuse_other_file, replaced,
};
pub(crate) use locks::{Locks, name_readers};
pub(crate) use long_append::MismatchedRecords;
pub(crate) use metadata::NewMetadata;
pub(crate) use options::Common;
pub(crate) use reader_session::{Presence, SnapshotPin};
pub(crate) use recover::{FoundLog, take_over};
pub(crate) use recovered::RecoveredState;
#[cfg(test)]
pub(crate) use recovered::read_log_through;
pub(crate) use row::wanted_schema;
pub(crate) use slots::Slots;
pub(crate) use source::Source;
pub(crate) use superblock::Superblock;
pub(crate) use token_lock::{Holder, Patience, Token};
pub(crate) use versions::State;
