//! The numbers of commits.

use std::fmt;
use std::num::ParseIntError;
use std::str::FromStr;

/// The number of a commit. A new store is at commit 0, and each commit has a higher number than the
/// one before. A flush and an exclusive edit of a [`Store`](crate::Store) are commits, too.
///
/// Numbers of different stores cannot be compared: a backup counts from 1 again.
///
/// ```
/// use flatrec::{CommitId, DataType, Durability, DynDatabase, Field, Schema};
/// let directory = tempfile::tempdir()?;
/// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
/// let database = DynDatabase::create(directory.path().join("numbers.rec"), &schema)?;
/// let mut transaction = database.begin_write()?;
/// transaction.append(&[7])?;
/// let receipt = transaction.commit(Durability::Immediate)?;
/// assert_eq!(database.begin_read()?.commit_id(), receipt.commit_id());
/// assert_eq!(receipt.commit_id(), CommitId::from(1));
///
/// let said = receipt.commit_id().to_string(); // such as a program writes to a log of its own
/// assert_eq!(said.parse(), Ok(receipt.commit_id()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CommitId(u64);

impl CommitId {
    /// The number, for a program that keeps it; `CommitId::from` takes it back.
    ///
    /// ```
    /// assert_eq!(flatrec::CommitId::from(7).get(), 7);
    /// ```
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl From<u64> for CommitId {
    fn from(number: u64) -> Self {
        Self(number)
    }
}

impl From<CommitId> for u64 {
    fn from(id: CommitId) -> Self {
        id.0
    }
}

impl FromStr for CommitId {
    type Err = ParseIntError;

    fn from_str(text: &str) -> Result<Self, ParseIntError> {
        text.parse().map(Self)
    }
}

impl fmt::Display for CommitId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
