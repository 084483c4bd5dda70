//! The `flatrec` command as a shell sees it: its output and its exit status.

mod annotated;
mod arrays;
mod bench;
mod bulk;
mod change;
mod conditions;
mod crash_test;
#[path = "../../../tests/support/dead.rs"]
mod dead;
mod deletes;
mod edges;
mod export;
mod field_names;
mod foreign;
mod formats;
// Under Wine a lost page ends the command, and Windows does not truncate a mapped file.
#[cfg(unix)]
mod faults;
#[cfg(target_os = "linux")]
mod full_disk;
#[cfg(target_os = "linux")]
mod guard;
mod guess;
// On other systems files have holes only if a program asks for them.
#[cfg(target_os = "linux")]
mod hostile;
mod hot_copies;
mod inputs;
mod interrupt;
#[cfg(target_os = "linux")]
mod leftovers;
mod load;
mod migrate;
#[path = "../../../tests/support/mounts.rs"]
#[cfg(target_os = "linux")]
mod mounts;
mod names;
mod next_month;
mod numpy;
// Other systems have no named pipes, and few links.
#[cfg(unix)]
mod outputs;
#[path = "../../../tests/support/packed.rs"]
mod packed;
// The commands are for the shell of a Unix.
#[cfg(unix)]
mod pasted;
// On other systems files have no owners that a command could check.
#[cfg(unix)]
mod planted;
mod read;
mod resume;
mod salvage;
mod sharing;
#[path = "../../../tests/support/shell.rs"]
mod shell;
mod shown;
mod side_files;
#[path = "../../../tests/support/skip.rs"]
mod skip;
mod tail;
mod transactions;
mod values;
mod waits;
#[cfg(windows)]
mod windows;
mod words;

use std::ffi::OsStr;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use flatrec::{DataType, DynStore, Field, Schema, TimeUnit};

/// A temporary directory in which commands run.
struct Place(tempfile::TempDir);

/// The result of a command.
#[derive(Debug, PartialEq, Eq)]
struct Ran {
    status: Option<i32>,
    stdout: String,
    stderr: String,
}

/// Runs a command to its end.
///
/// Under Wine about one process in ten thousand ends before its first instruction, with
/// ERROR_INTERNAL_ERROR. It has done nothing then, so this starts it again.
fn output_of(command: &mut Command) -> Output {
    const NEVER_STARTED: i32 = 1359;
    for _ in 0..3 {
        match command.output() {
            Err(error) if cfg!(windows) && error.raw_os_error() == Some(NEVER_STARTED) => {}
            output => return output.unwrap(),
        }
    }
    command.output().unwrap()
}

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// The names of the files here, sorted.
    fn files(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.0.path()).unwrap();
        let mut names: Vec<String> =
            entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flatrec"));
        command.current_dir(self.0.path()).args(args).stdin(Stdio::null());
        command
    }

    fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        let output = output_of(&mut self.command(args));
        Ran {
            status: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// Runs a command that must succeed and write nothing to standard error; returns its output.
    #[track_caller]
    fn ok<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let ran = self.run(args);
        assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{}", ran.stdout);
        ran.stdout
    }

    /// Runs a command that must fail without output; returns its message after `flatrec: `.
    #[track_caller]
    fn error<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let ran = self.run(args);
        assert_eq!((ran.status, &*ran.stdout), (Some(1), ""), "{}", ran.stderr);
        let text = ran.stderr.strip_prefix("flatrec: ").expect(&ran.stderr);
        text.trim_end().to_owned()
    }

    /// Runs a command line that must be refused; returns the message.
    #[track_caller]
    fn usage<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> String {
        let ran = self.run(args);
        assert_eq!((ran.status, &*ran.stdout), (Some(2), ""), "{}", ran.stderr);
        ran.stderr
    }
}

/// A store of three people, `people.rec`.
fn people(place: &Place) -> PathBuf {
    let schema = Schema::packed([
        Field::new("name", DataType::Utf8(14)),
        Field::new("age", DataType::UInt8).nullable(),
        Field::new("score", DataType::Float64).nullable(),
        Field::new("born", DataType::Date32),
        Field::new("seen", DataType::Timestamp(TimeUnit::Millisecond)).utc().nullable(),
        Field::new("nick name", DataType::Utf8(6)).nullable(),
        Field::new("admin", DataType::Bool),
        Field::new("rgb", DataType::UInt8).array(3),
    ])
    .unwrap();
    let path = place.path("people.rec");
    let mut store = DynStore::create(&path, &schema).unwrap();
    for person in [
        [
            ("name", "Ada"),
            ("age", "36"),
            ("score", "0.1"),
            ("born", "1815-12-10"),
            ("seen", "1852-11-27T12:00:00Z"),
            ("nick name", ""),
            ("admin", "true"),
            ("rgb", "[1,2,255]"),
        ]
        .as_slice(),
        &[
            ("name", "Łukasz, \"Ł\""),
            ("born", "2000-02-29"),
            ("admin", "false"),
            ("rgb", "[0,0,0]"),
        ],
        &[
            ("name", ""),
            ("age", "7"),
            ("score", "-1e300"),
            ("born", "1970-01-01"),
            ("seen", "2024-01-01T00:00:00.250Z"),
            ("nick name", "a\nb"),
            ("admin", "false"),
            ("rgb", "[9,9,9]"),
        ],
    ] {
        let mut record = vec![0; schema.record_size() as usize];
        for (name, text) in person {
            schema.field(name).unwrap().parse_text(text, &mut record).unwrap();
        }
        store.append(&record).unwrap();
    }
    store.close().unwrap();
    path
}

/// The bytes of a file, to check that they do not change.
fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap()
}
