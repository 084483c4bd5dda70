//! Decides whether a log that ends early was torn or damaged.
//!
//! A walk along the chain ends where the next commit, the *missing* one, is not whole. If that
//! commit was never synced, a power cut explains this: the end is *torn*, and the log ends there.
//! If it was synced, a promise is broken: the log is *damaged*. Several places, the *witnesses*,
//! can prove that the commit was synced. One proof is enough; without any, the end is torn.
//!
//! [`Witness::ruling`] is the whole decision. A test makes a log on disk for each of its rows, as
//! TigerBeetle does with its recovery cases (src/vsr/journal.zig).

use std::cmp::Ordering;

/// A place that can prove that the missing commit was synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witness {
    /// The header of the data file. A checkpoint syncs the log before it writes a record.
    Header {
        /// Whether it says that the array holds the missing commit.
        holds_missing: bool,
    },
    /// The bytes behind the end, in the segment where the walk ended.
    Rest,
    /// The segment that names the last segment of the walk as its predecessor but does not continue
    /// it. A writer syncs a segment before it begins the next.
    Successor,
    /// A segment that the walk did not reach.
    Segment {
        /// Whether it belongs to the chain of the walk. An interrupted recovery leaves copies of
        /// commits in another chain, and those were never promised.
        of_chain: bool,
        /// Whether its header is whole. Otherwise its first frame identifies it.
        has_header: bool,
        /// How its first commit compares with the missing one.
        first: Ordering,
    },
    /// A file with a segment's name but without a valid beginning: its first page may be lost.
    Faceless,
}

/// What follows from a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It proves nothing about the missing commit.
    Silent,
    /// The missing commit was synced.
    Damaged,
    /// The missing commit was synced if a whole frame of the chain, at the witness, says so.
    DamagedIfAFrameSaysSo,
    /// The missing commit was synced if the segment was really begun, that is, if its first frame
    /// is whole.
    DamagedIfBegun,
}

impl Witness {
    pub(super) const fn ruling(self) -> Ruling {
        use Ruling::*;
        match self {
            Self::Header { holds_missing: true } | Self::Successor => Damaged,
            Self::Header { holds_missing: false } => Silent,
            Self::Rest | Self::Faceless => DamagedIfAFrameSaysSo,
            Self::Segment { of_chain: false, .. } => Silent,
            Self::Segment { has_header: false, .. } => DamagedIfAFrameSaysSo,
            // The writer synced all earlier commits before it began the segment.
            Self::Segment { first: Ordering::Greater, .. } => DamagedIfBegun,
            // Earlier commits, or commits that a later writer wrote in place of the missing one.
            Self::Segment { first: Ordering::Less | Ordering::Equal, .. } => Silent,
        }
    }
}
