//! What a user can learn about a store's checksums.

use std::fmt;
use std::ops::Range;

use super::checksum_file::{BlockState, FoundSums, Sums, describe};
use crate::error::Result;
use crate::format::Header;
use crate::io::Backing;

/// Whether a store has checksums of its records, one for each 64 KiB.
///
/// ```
/// use flatrec::{Checksums, DataType, DynStore, Field, Schema, VerifyOptions, verify};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let mut store = DynStore::create_options().checksums(true).create(&path, &schema)?;
/// store.append_packed(&[0; 4 * 20_000])?;
/// store.close()?;
/// let report = verify(&path, VerifyOptions::new())?;
/// assert_eq!(report.checksums, Checksums::Present { blocks: 2 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Checksums {
    /// The store has no checksums: damage in the records can go unseen.
    #[default]
    Absent,
    /// The store has checksums.
    Present {
        /// The number of blocks of 64 KiB; the last block may be shorter.
        blocks: u64,
    },
    /// The checksum file belongs to another store, for example one that this store has replaced.
    Foreign,
    /// The checksum file is out of date: a later change of the store did not update it.
    Stale,
    /// The checksum file is unusable, for this reason.
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

    /// The checksums of the store in `data`; reads only the header of the checksum file.
    pub(crate) fn look(data: &dyn Backing, header: &Header) -> Result<Self> {
        Sums::find(data, header, false).map(|found| Self::of(&found))
    }
}

/// What the checksums of an open store say without a read of the records.
#[derive(Debug, Default)]
pub(crate) struct Known {
    pub(crate) checksums: Checksums,
    /// The first blocks that are known to be damaged, and the number of all.
    pub(crate) damaged: Vec<DamagedBlock>,
    pub(crate) damaged_blocks: u64,
}

impl Known {
    /// For a handle that keeps these sums, or for one without.
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
            Self::Foreign => f.write_str("none (the checksum file belongs to another store)"),
            Self::Stale => {
                f.write_str("none (the checksum file was not updated when the store changed)")
            }
            Self::Damaged(why) => write!(f, "not usable: {why}"),
        }
    }
}

/// A block of records that did not match its checksum when a writer was about to change records in
/// it.
///
/// The writer made the change, because otherwise the log would have had to keep it for good. A
/// record that has been changed since is as committed. The other records may or may not be right,
/// and nothing shows which are: so the block is doubted as a whole, whatever is written into it.
/// `verify` lists it, and `salvage` leaves its records out unless it is told to keep doubtful ones.
/// [`rebuild_checksums`](crate::rebuild_checksums) ends the doubt, after a look at the records.
///
/// ```
/// use flatrec::{DataType, Durability, DynDatabase, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let mut store = DynStore::create_options().checksums(true).create(&path, &schema)?;
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
    /// The records with a byte in the block.
    pub records: Range<u64>,
    /// What was found.
    pub why: String,
}

impl DamagedBlock {
    fn of(sums: &Sums, block: u64, state: BlockState) -> Self {
        let bytes = sums.bytes_of(block);
        let records = sums.records_in(&bytes);
        Self { block, bytes, records, why: state.why() }
    }

    /// The blocks that the handle with these sums has found.
    pub(crate) fn found_by(sums: &Sums) -> Vec<Self> {
        sums.doubted().map(|(block, state)| Self::of(sums, block, state)).collect()
    }

    /// The first blocks that any handle has found since the sums were made, and the number of all.
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

/// The most known damaged blocks that are described.
const DAMAGED_MAX: usize = 1000;
