//! Gives a store new checksums.

use std::path::Path;
use std::sync::Arc;

use crate::array::Reading;
use crate::error::Result;
use crate::io::{Access, Backing};
use crate::number::in_memory;
use crate::shm::Wait;
use crate::store::ExclusiveFile;
use crate::sums::{BLOCK_LEN_BYTES, BlockState, Checksums, FoundSums, SUM_SUFFIX, Sums};
use crate::txn::{Common, refuse_other_file};

/// The result of [`rebuild_checksums`].
///
/// ```
/// use flatrec::{Checksums, DataType, DynStore, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let path = directory.path().join("numbers.rec");
/// let schema = Schema::packed([Field::new("n", DataType::UInt32)])?;
/// let mut store = DynStore::create(&path, &schema)?;
/// store.append(&[7; 4])?;
/// store.close()?;
/// let report = flatrec::rebuild_checksums(&path)?;
/// assert_eq!((report.blocks, report.before, report.mismatched), (1, Checksums::Absent, 0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RebuildReport {
    /// The number of blocks with a checksum.
    pub blocks: u64,
    /// The checksums that the store had before.
    pub before: Checksums,
    /// The number of blocks that did not match their previous checksums. The new checksums accept
    /// the content of these blocks.
    pub mismatched: u64,
}

/// Computes new checksums of the records of the store at `path`, and replaces the previous ones.
/// The new checksums accept damage that the records have now, so run [`verify`](super::verify)
/// first.
///
/// The new checksum file has a temporary name until it is complete. No writer may have the store
/// open.
///
/// ```
/// use flatrec::{Checksums, DataType, DynStore, Field, Schema}; let directory =
/// tempfile::tempdir()?; let path = directory.path().join("numbers.rec"); let schema =
/// Schema::packed([Field::new("n", DataType::UInt32)])?; DynStore::create(&path,
/// &schema)?.close()?; assert_eq!(flatrec::rebuild_checksums(&path)?.before, Checksums::Absent);
/// assert_eq!(flatrec::verify(&path, flatrec::VerifyOptions::new())?.checksums, Checksums::Present
/// { blocks: 0 });
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`Store::open`](crate::Store::open); [`ErrorKind::AlreadyExists`] if a file that is not a
/// checksum file already has its name; [`ErrorKind::Io`] if the operating system reports an error.
///
/// [`ErrorKind::AlreadyExists`]: crate::ErrorKind::AlreadyExists
/// [`ErrorKind::Io`]: crate::ErrorKind::Io
pub fn rebuild_checksums(path: impl AsRef<Path>) -> Result<RebuildReport> {
    rebuild_checksums_with_progress(path, Wait::No, &mut |_, _| Ok(()))
}

/// As [`rebuild_checksums`], but waits as `wait` says for a writer that has the store open. Calls
/// `progress` from time to time with the bytes of records read so far, and all bytes to read; the
/// last call comes before the new checksum file gets its name. If it returns an error, the work
/// ends with that error, and the previous checksums stay.
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
) -> Result<RebuildReport> {
    const ASIDE: &str = "-sum-unfinished";
    let path = path.as_ref();
    refuse_other_file(path)?;
    let reading = Reading::Windowed { budget_bytes: 64 << 20, window_bytes: 16 << 20 };
    let common = Common { wait, reading, ..Common::default() };
    let mut file = ExclusiveFile::<[u8]>::open(path, Access::ReadWrite, None, &common)?;
    let backing = Arc::clone(file.superblock.backing());
    let found = Sums::find(&*backing, file.superblock.header(), false)?;
    let before = Checksums::of(&found);
    let mismatched = match &found {
        FoundSums::Kept(sums) => mismatched(&*backing, sums, progress)?,
        _ => 0,
    };
    // Closes the previous checksum file: some systems cannot replace the name of an open file.
    drop(found);
    file.mode.forget_sums();
    let sums = Sums::create_with_progress(&*backing, ASIDE, file.superblock.header(), progress)?;
    backing.rename_side(ASIDE, SUM_SUFFIX)?;
    backing.sync_directory()?;
    let blocks = sums.blocks();
    file.close()?;
    Ok(RebuildReport { blocks, before, mismatched })
}

/// The number of blocks that do not match. Reports a progress of 0 bytes, because the new checksums
/// have not begun.
fn mismatched(
    data: &dyn Backing,
    sums: &Sums,
    progress: &mut dyn FnMut(u64, u64) -> Result<()>,
) -> Result<u64> {
    let mut block_bytes = vec![0; in_memory(BLOCK_LEN_BYTES)];
    let mut mismatched = 0;
    for block in 0..sums.blocks() {
        progress(0, sums.blocks() * BLOCK_LEN_BYTES)?;
        let got = data.read_at(sums.bytes_of(block).start, &mut block_bytes)?;
        let state = sums.check_block(block, &block_bytes[..got])?;
        mismatched += u64::from(state != BlockState::Sound);
    }
    Ok(mismatched)
}
