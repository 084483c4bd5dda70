//! What is measured, and in which ways.

use clap::ValueEnum;

/// A kind of work. All ways of doing it take turns.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Work {
    /// All records into a new file, and one sync
    Append,
    /// Random records, each read whole
    Get,
    /// Two fields of random records
    Fields,
    /// All records in order
    Scan,
    /// Random records changed, and one sync
    Update,
    /// Records changed one by one, each durable before the next
    Commit,
    /// The file opened, one record read, the file closed
    Open,
    /// Random records that are not in memory
    ColdGet,
    /// All records in order, none of them in memory
    ColdScan,
    /// Random records of a file four times as large as the memory for it
    LargeGet,
    /// All records of such a file in order
    LargeScan,
}

/// A way of doing the work.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(super) enum Way {
    /// A map of the whole file, and pointers into it
    Map,
    /// `flatrec::Store`, which has the file to itself
    Store,
    /// `flatrec::Database`, with transactions and snapshots
    Database,
    /// A system call a record: `pread` and `pwrite`, `ReadFile` and `WriteFile`
    Calls,
    /// Calls with a buffer of 8 KiB between
    Buffered,
    /// Calls for 1 MiB at a time
    Chunks,
}

/// The name of a kind of work, or of a way, on the command line and in JSON.
pub(super) fn name(value: impl ValueEnum) -> String {
    let value = value.to_possible_value().expect("the command line takes each of them");
    value.get_name().to_owned()
}

impl Work {
    /// What a reader of the report is told.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Append => "append all, one sync",
            Self::Get => "random get, whole record",
            Self::Fields => "random get, two fields",
            Self::Scan => "scan",
            Self::Update => "random updates, one sync",
            Self::Commit => "durable commit of one record",
            Self::Open => "open, get, close",
            Self::ColdGet => "random get, not in memory",
            Self::ColdScan => "scan, not in memory",
            Self::LargeGet => "random get, 1/4 fits in memory",
            Self::LargeScan => "scan, 1/4 fits in memory",
        }
    }

    /// One operation, with its article.
    pub(super) fn operation(self) -> &'static str {
        match self {
            Self::Commit => "a commit",
            Self::Open => "an open",
            _ => "a record",
        }
    }

    /// The ways that make sense: the first is what the others are compared with.
    pub(super) fn ways(self) -> &'static [Way] {
        use Way::{Buffered, Calls, Chunks, Database, Map, Store};
        match self {
            Self::Append => &[Map, Store, Database, Calls, Buffered, Chunks],
            Self::Scan | Self::ColdScan | Self::LargeScan => {
                &[Map, Store, Database, Calls, Buffered, Chunks]
            }
            // A buffer, or a part of 1 MiB, is read for one record and thrown away.
            Self::Get | Self::Fields | Self::ColdGet | Self::LargeGet | Self::Open => {
                &[Map, Store, Database, Calls]
            }
            Self::Update | Self::Commit => &[Map, Store, Database, Calls],
        }
    }

    /// Whether it changes records of a file that exists.
    pub(super) fn changes(self) -> bool {
        matches!(self, Self::Update | Self::Commit)
    }

    pub(super) fn is_cold(self) -> bool {
        matches!(self, Self::ColdGet | Self::ColdScan) || self.is_large()
    }

    /// Whether it runs with less memory than the file has bytes.
    pub(super) fn is_large(self) -> bool {
        matches!(self, Self::LargeGet | Self::LargeScan)
    }
}

impl Way {
    /// The head of its column.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Map => "raw map",
            Self::Store => "Store",
            Self::Database => "Database",
            Self::Calls => "call a record",
            Self::Buffered => "buffered calls",
            Self::Chunks => "1 MiB calls",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Finds a name that the command line does not take, or a work without the raw map to compare
    /// with.
    #[test]
    fn names_are_those_of_the_command_line() {
        for &work in Work::value_variants() {
            assert_eq!(Work::from_str(&name(work), false), Ok(work));
            assert_eq!(work.ways()[0], Way::Map);
        }
        for &way in Way::value_variants() {
            assert_eq!(Way::from_str(&name(way), false), Ok(way));
        }
    }
}
