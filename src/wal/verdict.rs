//! Whether a log that ends early was torn or damaged: the decision, as a table.
//!
//! A walk along the chain ends where the next commit, the *missing* one, is not whole. A power cut
//! leaves that where the commit had not been synced, and then it is simply the end. If the commit
//! had been synced, a promise is broken, and the log is damaged. The log says so itself in several
//! places, the witnesses. One that says that the missing commit was synced decides; where none
//! does, the end is torn.
//!
//! [`Witness::ruling`] is the whole decision. A test makes a log on disk for every row of it, as
//! TigerBeetle does with its recovery cases (src/vsr/journal.zig).

use std::cmp::Ordering;

/// A place that may say that the missing commit was synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Witness {
    /// The header of the data file. A checkpoint syncs the log before it writes a record.
    Header {
        /// Whether it says that the array holds the missing commit.
        holds_missing: bool,
    },
    /// What lies behind the end in the segment where the walk ended.
    Rest,
    /// The segment that names the last one of the walk as its predecessor, and does not continue
    /// it. A segment is synced before the next one is begun.
    Successor,
    /// A segment that the walk did not come to.
    Segment {
        /// Whether it is of the chain that was walked. A recovery that was cut short leaves copies
        /// of commits in another chain, and nothing was promised of those.
        of_chain: bool,
        /// Whether its header is whole. If not, its first frame says where it belongs.
        has_header: bool,
        /// How its first commit compares with the missing one.
        first: Ordering,
    },
    /// A file with the name of a segment and without a beginning: its first page may be lost.
    Faceless,
}

/// What a witness comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ruling {
    /// It says nothing of the missing commit.
    Silent,
    /// The missing commit was synced.
    Damaged,
    /// The missing commit was synced if a whole frame of the chain says so that lies there.
    DamagedIfAFrameSaysSo,
    /// The missing commit was synced if the segment was really begun: if its first frame is whole.
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
            // All commits before its first were synced before it was begun.
            Self::Segment { first: Ordering::Greater, .. } => DamagedIfBegun,
            // A segment of earlier commits, or what a writer began in place of the missing one.
            Self::Segment { first: Ordering::Less | Ordering::Equal, .. } => Silent,
        }
    }
}
