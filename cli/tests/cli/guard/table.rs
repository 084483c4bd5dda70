//! The table: a row for each command, and for each way in which its outcome differs.

use flatrec::DynStore;

use super::{Place, RECORDS};

/// The purpose of a command, which decides its status when its output fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Its output: without output the command did nothing, and a closed pipe is no error.
    Output,
    /// A verdict, given by its status: there are no doubts.
    Acquittal,
    /// A verdict, given by its status: there are doubts.
    Doubts,
    /// Other work, which its output reports.
    Work,
    /// Other work with lost records, which its status tells.
    WorkWithLosses,
}

impl Kind {
    /// The status without obstacles.
    pub(super) fn status(self) -> i32 {
        match self {
            Self::Output | Self::Acquittal | Self::Work => 0,
            Self::Doubts | Self::WorkWithLosses => 1,
        }
    }

    pub(super) fn is_work(self) -> bool {
        matches!(self, Self::Work | Self::WorkWithLosses)
    }

    /// The status when standard output is full.
    pub(super) fn status_when_full(self) -> i32 {
        match self {
            Self::Output | Self::Doubts | Self::WorkWithLosses => 1,
            Self::Acquittal | Self::Work => 3,
        }
    }

    /// The status when standard output has no reader.
    pub(super) fn status_when_closed(self) -> i32 {
        match self {
            Self::Output | Self::Acquittal => 0,
            Self::Doubts | Self::WorkWithLosses => 1,
            Self::Work => 3,
        }
    }
}

pub(super) struct Row {
    pub(super) args: &'static [&'static str],
    pub(super) kind: Kind,
    /// The description of the work when only its report is missing.
    pub(super) says: &'static str,
    /// Whether the work was done.
    pub(super) done: fn(&Place) -> bool,
    /// Files that exist after the work and did not before.
    pub(super) makes: &'static [&'static str],
    pub(super) removes: &'static [&'static str],
    /// Stores that existed before.
    pub(super) reads: &'static [&'static str],
}

/// The number of records in the store; `None` without a store.
fn count(place: &Place, name: &str) -> Option<u64> {
    DynStore::open_read_only(place.path(name)).ok().map(|store| store.live_count())
}

fn nothing(_: &Place) -> bool {
    false
}

const fn output(args: &'static [&'static str], reads: &'static [&'static str]) -> Row {
    Row { args, kind: Kind::Output, says: "", done: nothing, makes: &[], removes: &[], reads }
}

/// The number of records that match the condition.
fn scan(place: &Place, condition: &str) -> u64 {
    let counted = place.ok(["scan", "s.rec", "--count", "--where", condition]);
    counted.trim().parse().unwrap()
}

/// All work of the command.
pub(super) const ROWS: &[Row] = &[
    output(&["info", "s.rec"], &["s.rec"]),
    output(&["info", "s.rec", "--json"], &["s.rec"]),
    output(&["get", "s.rec", "1"], &["s.rec"]),
    output(&["get", "s.rec", "1,2", "--format", "csv"], &["s.rec"]),
    output(&["scan", "s.rec"], &["s.rec"]),
    output(&["scan", "s.rec", "--format", "ndjson"], &["s.rec"]),
    output(&["scan", "s.rec", "--count"], &["s.rec"]),
    output(&["scan", "s.rec", "--where", "n < 20"], &["s.rec"]),
    output(&["tail", "s.rec"], &["s.rec"]),
    output(&["schema", "s.rec"], &["s.rec"]),
    output(&["schema", "s.rec", "--as", "json"], &["s.rec"]),
    output(&["diff-schema", "s.rec", "s.rec", "--json"], &["s.rec"]),
    output(&["scan", "f.bin", "--layout", "f.json"], &[]),
    output(&["info", "f.bin", "--layout", "f.json"], &[]),
    output(&["crash-test", "--seed", "5", "--histories", "1"], &[]),
    output(&["bench", "--records", "100", "--seconds", "0", "--only", "open"], &[]),
    Row {
        args: &["verify", "s.rec"],
        kind: Kind::Acquittal,
        says: "s.rec has no doubts",
        done: nothing,
        makes: &[],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["verify", "s.rec", "--format", "csv"],
        kind: Kind::Acquittal,
        says: "s.rec has no doubts",
        done: nothing,
        makes: &[],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["verify", "d.rec"],
        kind: Kind::Doubts,
        says: "d.rec: 1 doubt in 600 records",
        done: nothing,
        makes: &[],
        removes: &[],
        reads: &["d.rec"],
    },
    Row {
        args: &["verify", "d.rec", "--format", "ndjson"],
        kind: Kind::Doubts,
        says: "d.rec: 1 doubt in 600 records",
        done: nothing,
        makes: &[],
        removes: &[],
        reads: &["d.rec"],
    },
    Row {
        args: &["load", "in.csv", "o.rec"],
        kind: Kind::Work,
        says: "loaded 5 records into o.rec",
        done: |place| count(place, "o.rec") == Some(5),
        makes: &["o.rec", "o.rec-lock", "o.rec-sum"],
        removes: &[],
        reads: &[],
    },
    Row {
        args: &["load", "in.ndjson", "o.rec"],
        kind: Kind::Work,
        says: "loaded 5 records into o.rec",
        done: |place| count(place, "o.rec") == Some(5),
        makes: &["o.rec", "o.rec-lock", "o.rec-sum"],
        removes: &[],
        reads: &[],
    },
    #[cfg(feature = "parquet")]
    Row {
        args: &["load", "in.parquet", "o.rec"],
        kind: Kind::Work,
        says: "loaded 5 records into o.rec",
        done: |place| count(place, "o.rec") == Some(5),
        makes: &["o.rec", "o.rec-lock", "o.rec-sum"],
        removes: &[],
        reads: &[],
    },
    Row {
        args: &["load", "in.npy", "o.rec"],
        kind: Kind::Work,
        says: "loaded 5 records into o.rec",
        done: |place| count(place, "o.rec") == Some(5),
        makes: &["o.rec", "o.rec-lock", "o.rec-sum"],
        removes: &[],
        reads: &[],
    },
    Row {
        args: &["load", "in.csv", "s.rec", "--append"],
        kind: Kind::Work,
        says: "appended 5 records to s.rec as commit",
        done: |place| count(place, "s.rec") == Some(RECORDS - 1 + 5),
        makes: &[],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["load", "bad.csv", "s.rec", "--append", "--rejects", "r.csv"],
        kind: Kind::Work,
        says: "appended 0 records, 20000 rows set aside, to s.rec as commit",
        done: |place| place.path("r.csv").exists(),
        makes: &["r.csv"],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["append", "s.rec", "in.csv"],
        kind: Kind::Work,
        says: "appended 5 records to s.rec as commit",
        done: |place| count(place, "s.rec") == Some(RECORDS - 1 + 5),
        makes: &[],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["set", "s.rec", "2", "n=77"],
        kind: Kind::Work,
        says: "changed record 2 of s.rec as commit",
        done: |place| scan(place, "n = 77") == 2,
        makes: &[],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["delete", "s.rec", "8", "9"],
        kind: Kind::Work,
        says: "deleted 2 records of s.rec as commit",
        done: |place| count(place, "s.rec") == Some(RECORDS - 3),
        makes: &[],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["checkpoint", "l.rec"],
        kind: Kind::Work,
        says: "wrote the log of l.rec to its records",
        done: |place| !place.path("l.rec-wal-1").exists(),
        makes: &[],
        removes: &["l.rec-wal-1"],
        reads: &["l.rec"],
    },
    Row {
        args: &["verify", "n.rec", "--rebuild"],
        kind: Kind::Work,
        says: "made new checksums of n.rec",
        done: |place| place.path("n.rec-sum").exists(),
        makes: &["n.rec-sum"],
        removes: &[],
        reads: &["n.rec"],
    },
    Row {
        args: &["salvage", "s.rec", "o.rec"],
        kind: Kind::Work,
        says: "o.rec: 599 of 600 records saved, 1 deleted, 0 lost",
        done: |place| count(place, "o.rec") == Some(RECORDS - 1),
        makes: &["o.rec", "o.rec-lock", "o.rec-sum"],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["salvage", "d.rec", "o.rec", "--list", "list.csv"],
        kind: Kind::WorkWithLosses,
        says: "o.rec: 0 of 600 records saved, 600 lost",
        done: |place| count(place, "o.rec") == Some(0),
        makes: &["o.rec", "o.rec-lock", "o.rec-sum", "list.csv"],
        removes: &[],
        reads: &["d.rec"],
    },
    Row {
        args: &["backup", "s.rec", "o.rec"],
        kind: Kind::Work,
        says: "copied 599 records and 1 deleted ones to o.rec",
        done: |place| count(place, "o.rec") == Some(RECORDS - 1),
        makes: &["o.rec", "o.rec-lock", "o.rec-sum"],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["compact", "s.rec", "o.rec", "--map", "map.csv"],
        kind: Kind::Work,
        says: "copied 599 records to o.rec",
        done: |place| count(place, "o.rec") == Some(RECORDS - 1),
        makes: &["o.rec", "o.rec-lock", "o.rec-sum", "map.csv"],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["migrate", "s.rec", "--nullable", "n"],
        kind: Kind::Work,
        says: "migrated 599 records of s.rec",
        done: |place| {
            let store = DynStore::open_read_only(place.path("s.rec")).unwrap();
            store.schema().field("n").unwrap().is_nullable()
        },
        makes: &[],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["migrate", "s.rec", "--drop", "text", "--out", "o.rec"],
        kind: Kind::Work,
        says: "migrated 599 records of s.rec",
        done: |place| count(place, "o.rec") == Some(RECORDS - 1),
        makes: &["o.rec", "o.rec-lock", "o.rec-sum"],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["export", "s.rec", "o.csv"],
        kind: Kind::Work,
        says: "exported 599 records to o.csv",
        done: |place| place.path("o.csv").exists(),
        makes: &["o.csv"],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["export", "s.rec", "o.ndjson"],
        kind: Kind::Work,
        says: "exported 599 records to o.ndjson",
        done: |place| place.path("o.ndjson").exists(),
        makes: &["o.ndjson"],
        removes: &[],
        reads: &["s.rec"],
    },
    #[cfg(feature = "parquet")]
    Row {
        args: &["export", "s.rec", "o.arrow"],
        kind: Kind::Work,
        says: "exported 599 records to o.arrow",
        done: |place| place.path("o.arrow").exists(),
        makes: &["o.arrow"],
        removes: &[],
        reads: &["s.rec"],
    },
    #[cfg(feature = "parquet")]
    Row {
        args: &["export", "s.rec", "o.parquet"],
        kind: Kind::Work,
        says: "exported 599 records to o.parquet",
        done: |place| place.path("o.parquet").exists(),
        makes: &["o.parquet"],
        removes: &[],
        reads: &["s.rec"],
    },
    Row {
        args: &["export", "s.rec", "o.npy"],
        kind: Kind::Work,
        says: "exported 599 records to o.npy",
        done: |place| place.path("o.npy").exists(),
        makes: &["o.npy"],
        removes: &[],
        reads: &["s.rec"],
    },
];
