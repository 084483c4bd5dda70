//! What can be told about a store's checksums.

use std::fmt;
use std::ops::Range;

use super::checksum_file::{BlockState, FoundSums, Sums, describe};
use crate::error::Result;
use crate::format::Header;
use crate::io::Backing;

/// The checksums of a store's records, a sum for each 64 KiB: whether it has them.
///
/// ```
/// use flatrec::{Checksums, DataType, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let mut store = DynStore::options().checksums().create(&path, &schema)?;
/// store.append_packed(&[0; 4 * 20_000])?;
/// store.close()?;
/// assert_eq!(flatrec::verify(&path, 10)?.checksums, Checksums::Present { blocks: 2 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksums {
    /// There are none: damage in the records can go unseen.
    #[default]
    Absent,
    /// There are, for so many blocks.
    Present {
        /// Blocks of 64 KiB, the last of which may be shorter.
        blocks: u64,
    },
    /// Those there are belong to another store, such as one that this one has replaced.
    Foreign,
    /// Those there are were not kept by somebody who has changed the store.
    Stale,
    /// What there is cannot be used, and why.
    Damaged(String),
}

impl Checksums {
    pub(crate) fn of(found: &FoundSums) -> Self {
        match found {
            FoundSums::Absent => Self::Absent,
            FoundSums::Foreign => Self::Foreign,
            FoundSums::Stale => Self::Stale,
            FoundSums::Damaged(why) => Self::Damaged(why.clone()),
            FoundSums::Kept(sums) => Self::Present { blocks: sums.blocks() },
        }
    }

    /// Those of the store in `data`; nothing but their header is looked at.
    pub(crate) fn look(data: &dyn Backing, header: &Header) -> Result<Self> {
        Sums::find(data, header, false).map(|found| Self::of(&found))
    }
}

/// What an open store's checksums say without a look at the records.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) checksums: Checksums,
    /// The first of the blocks that are known to be damaged, and how many there are.
    pub(crate) damaged: Vec<DamagedBlock>,
    pub(crate) damaged_blocks: u64,
}

impl Known {
    /// Of a handle that keeps these sums, or of one that keeps none.
    pub(crate) fn of(kept: Option<&Sums>, data: &dyn Backing, header: &Header) -> Result<Self> {
        let found = match kept {
            Some(_) => FoundSums::Absent,
            None => Sums::find(data, header, false)?,
        };
        let checksums = match kept {
            Some(sums) => Checksums::Present { blocks: sums.blocks() },
            None => Checksums::of(&found),
        };
        let (damaged, damaged_blocks) = match (kept, &found) {
            (Some(sums), _) => DamagedBlock::noted_in(sums)?,
            (None, FoundSums::Kept(sums)) => DamagedBlock::noted_in(sums)?,
            (None, _) => Default::default(),
        };
        Ok(Self { checksums, damaged, damaged_blocks })
    }
}

impl fmt::Display for Checksums {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("none"),
            Self::Present { blocks: 1 } => f.write_str("1 block"),
            Self::Present { blocks } => write!(f, "{blocks} blocks"),
            Self::Foreign => f.write_str("none (those there are belong to another store)"),
            Self::Stale => {
                f.write_str("none (those there are were not kept when the store was changed)")
            }
            Self::Damaged(why) => write!(f, "not usable: {why}"),
        }
    }
}

/// A block of records that did not match its checksum when records of it were about to be changed.
///
/// The change was made, since the log would have had to keep it for good; a record that has been
/// changed since is what was committed. The others may be what they were or not, and nothing tells
/// which is which: so the block is doubted as a whole, whatever is written into it. `verify` lists
/// it, and `salvage` leaves its records out unless it is told to keep doubtful ones. What ends the
/// doubt is [`rebuild_checksums`](crate::rebuild_checksums), after a look at the records.
///
/// ```
/// use flatrec::{DataType, Durability, DynDatabase, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::options().checksums().create(&path, &schema)?;
/// store.append_packed(&[7; 8 * 20_000])?;
/// store.close()?;
/// let mut bytes = std::fs::read(&path)?;
/// bytes[65_536 + 100_000] ^= 4; // in the second block of 64 KiB
/// std::fs::write(&path, bytes)?;
///
/// let database = DynDatabase::open(&path)?;
/// let mut transaction = database.begin_write()?;
/// transaction.set(9000, &[1; 8])?;
/// transaction.commit(Durability::Immediate)?;
/// let checkpoint = database.checkpoint()?;
/// assert_eq!(checkpoint.damaged()[0].records, 8192..16_384);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DamagedBlock {
    /// The block's number: each has 64 KiB of records, from the first record on.
    pub block: u64,
    /// Its bytes in the file.
    pub bytes: Range<u64>,
    /// The records of which some byte lies there.
    pub records: Range<u64>,
    /// How it was found.
    pub why: String,
}

impl DamagedBlock {
    fn of(sums: &Sums, block: u64, state: BlockState) -> Self {
        let bytes = sums.bytes_of(block);
        let records = sums.records_in(&bytes);
        Self { block, bytes, records, why: state.why() }
    }

    /// Those that the handle with these sums has found.
    pub(crate) fn found_by(sums: &Sums) -> Vec<Self> {
        sums.doubted().map(|(block, state)| Self::of(sums, block, state)).collect()
    }

    /// Those that any handle has found since the sums were made, the first of them, and how many
    /// there are.
    fn noted_in(sums: &Sums) -> Result<(Vec<Self>, u64)> {
        let (first, found) = sums.find_doubted(DAMAGED_MAX)?;
        let first = first.into_iter();
        Ok((first.map(|block| Self::of(sums, block, BlockState::Doubted)).collect(), found))
    }
}

impl fmt::Display for DamagedBlock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", describe(self.block, &self.bytes, &self.records), self.why)
    }
}

/// How many damaged blocks are described at most where all that are known are asked for.
const DAMAGED_MAX: usize = 1000;
