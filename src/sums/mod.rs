//! The checksum file: an entry for each 64 KiB of records.

mod checksum_file;
mod report;

pub use report::{Checksums, DamagedBlock};

pub(crate) use checksum_file::{
    BLOCK_LEN_BYTES, BlockSet, BlockState, FoundSums, SUM_SUFFIX, Sums, describe, is_ours,
    is_sum_file,
};
pub(crate) use report::Known;
