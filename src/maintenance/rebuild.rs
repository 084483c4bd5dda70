//! What can be told about a store's checksums, and how it gets new ones.

use std::path::Path;
use std::sync::Arc;

use crate::array::Reading;
use crate::error::Result;
use crate::io::{Access, Backing};
use crate::shm::Wait;
use crate::store::ExclusiveFile;
use crate::sums::{BLOCK_LEN_BYTES, BlockState, Checksums, FoundSums, SUM_SUFFIX, Sums};
use crate::txn::{Common, refuse_other_file};

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
/// [`verify`](super::verify) first.
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
    let mut file = ExclusiveFile::<[u8]>::open(path, Access::ReadWrite, reading, None, &common)?;
    let backing = Arc::clone(file.superblock.backing());
    let found = Sums::find(&*backing, file.superblock.header(), false)?;
    let before = Checksums::of(&found);
    let mismatched = match &found {
        FoundSums::Kept(sums) => mismatched(&*backing, sums, progress)?,
        _ => 0,
    };
    // Those that were kept so far lose their name, which on some systems a file that is open keeps.
    drop(found);
    file.mode.forget_sums();
    let sums = Sums::create_with_progress(&*backing, ASIDE, file.superblock.header(), progress)?;
    backing.rename_side(ASIDE, SUM_SUFFIX)?;
    backing.sync_directory()?;
    let blocks = sums.blocks();
    file.close()?;
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
