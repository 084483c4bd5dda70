//! What can be told about a store's checksums, and how it gets new ones.

use std::fmt;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::options::Common;
use super::table::Table;
use super::table_sums::refuse_other_file;
use crate::array::Reading;
use crate::error::Result;
use crate::format::Header;
use crate::io::{Access, Backing};
use crate::shm::Wait;
use crate::sums::{BLOCK_LEN_BYTES, BlockState, FoundSums, SUM_SUFFIX, Sums, describe};

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
    pub(super) fn of(found: &FoundSums) -> Self {
        match found {
            FoundSums::Absent => Self::Absent,
            FoundSums::Foreign => Self::Foreign,
            FoundSums::Stale => Self::Stale,
            FoundSums::Damaged(why) => Self::Damaged(why.clone()),
            FoundSums::Kept(sums) => Self::Present { blocks: sums.blocks() },
        }
    }

    /// Those of the store in `data`; nothing but their header is looked at.
    pub(super) fn look(data: &dyn Backing, header: &Header) -> Result<Self> {
        Sums::find(data, header, false).map(|found| Self::of(&found))
    }
}

/// What an open store's checksums say without a look at the records.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) checksums: Checksums,
    /// The first of the blocks that are known to be damaged, and how many there are.
    pub(super) damaged: Vec<DamagedBlock>,
    pub(super) damaged_blocks: u64,
}

impl Known {
    /// Of a handle that keeps these sums, or of one that keeps none.
    pub(super) fn of(kept: Option<&Sums>, data: &dyn Backing, header: &Header) -> Result<Self> {
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
/// doubt is [`rebuild_checksums`], after a look at the records.
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
    pub(super) fn found_by(sums: &Sums) -> Vec<Self> {
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

/// What [`rebuild_checksums`] has done.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rebuilt {
    /// Blocks that have a checksum now.
    pub blocks: u64,
    /// What there was before.
    pub before: Checksums,
    /// Blocks that did not match the checksums there were: what is in them now counts as right.
    pub mismatched: u64,
}

/// Makes new checksums for the store at `path`, of its records as they are, in place of those there
/// are. Damage that has gone unseen counts as right from then on: look with
/// [`verify`](crate::verify) first.
///
/// They are written aside, and take their name when they are complete. Nobody else may have the
/// store open to write meanwhile.
///
/// ```
/// use flatrec::{Checksums, DataType, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// DynStore::create(&path, &schema)?.close()?;
/// assert_eq!(flatrec::rebuild_checksums(&path)?.before, Checksums::Absent);
/// assert_eq!(flatrec::verify(&path, 10)?.checksums, Checksums::Present { blocks: 0 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`Store::open`](crate::Store::open); [`ErrorKind::AlreadyExists`] if a file of another kind
/// has their name; the system's.
///
/// [`ErrorKind::AlreadyExists`]: crate::ErrorKind::AlreadyExists
pub fn rebuild_checksums(path: impl AsRef<Path>) -> Result<Rebuilt> {
    rebuild_checksums_with_progress(path, Wait::No, &mut |_, _| Ok(()))
}

/// As [`rebuild_checksums`], waiting for a writer that has the store open. Calls `progress` now
/// and then with how many bytes of records are done, and of how many, the last time before the new
/// checksums get their name. An error that it returns ends the work, and the old ones stay.
///
/// ```
/// use flatrec::{DataType, DynStore, Field, Schema, Wait};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// DynStore::create(&path, &schema)?.close()?;
/// let stop = || Err(std::io::Error::other("not today").into());
/// let stopped = flatrec::rebuild_checksums_with_progress(&path, Wait::No, &mut |_, _| stop());
/// assert!(stopped.is_err());
/// assert!(!directory.path().join("numbers.rec-sum").exists());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Those of [`rebuild_checksums`] and of `progress`.
pub fn rebuild_checksums_with_progress(
    path: impl AsRef<Path>,
    wait: Wait,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<Rebuilt> {
    const ASIDE: &str = "-sum-unfinished";
    let path = path.as_ref();
    refuse_other_file(path)?;
    let reading = Reading::Windowed { budget_bytes: 64 << 20, window_bytes: 16 << 20 };
    let common = Common { wait, ..Common::default() };
    let mut table = Table::open_bytes(path, Access::ReadWrite, reading, &common)?;
    let backing = Arc::clone(table.core.backing());
    let found = Sums::find(&*backing, table.core.header(), false)?;
    let before = Checksums::of(&found);
    let mismatched = match &found {
        FoundSums::Kept(sums) => mismatched(&*backing, sums, progress)?,
        _ => 0,
    };
    // Those that were kept so far lose their name, which on some systems a file that is open keeps.
    drop(found);
    table.sums = None;
    let sums = Sums::create_with_progress(&*backing, ASIDE, table.core.header(), progress)?;
    backing.rename_side(ASIDE, SUM_SUFFIX)?;
    backing.sync_directory()?;
    let blocks = sums.blocks();
    table.close()?;
    Ok(Rebuilt { blocks, before, mismatched })
}

/// How many blocks do not match. The progress has not begun before there are new sums.
fn mismatched(
    data: &dyn Backing,
    sums: &Sums,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<u64> {
    let mut block_bytes = vec![0; usize::try_from(BLOCK_LEN_BYTES).unwrap_or(usize::MAX)];
    let mut mismatched = 0;
    for block in 0..sums.blocks() {
        progress(0, sums.blocks() * BLOCK_LEN_BYTES)?;
        let got = data.read_at(sums.bytes_of(block).start, &mut block_bytes)?;
        let state = sums.check_block(block, &block_bytes[..got])?;
        mismatched += u64::from(state != BlockState::Sound);
    }
    Ok(mismatched)
}
