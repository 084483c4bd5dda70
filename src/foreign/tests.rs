//! Layouts of every kind, with hostile files.

mod layout_files;

use std::path::PathBuf;

use super::*;
use crate::error::{Error, ErrorKind};

/// A file with these bytes.
struct Made {
    _directory: tempfile::TempDir,
    path: PathBuf,
}

fn made(bytes: impl AsRef<[u8]>) -> Made {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    std::fs::write(&path, bytes).unwrap();
    Made { _directory: directory, path }
}

impl Made {
    #[track_caller]
    fn described(&self, json: &str) -> ForeignFile {
        let layout = ForeignLayout::from_json(json, &self.path).unwrap();
        ForeignFile::open(&self.path, &layout).unwrap()
    }

    #[track_caller]
    fn refused(&self, json: &str) -> Error {
        ForeignLayout::from_json(json, &self.path).unwrap_err()
    }
}

/// All records as rows of CSV without a header.
#[track_caller]
fn rows(file: &ForeignFile) -> Vec<String> {
    let mut copies = file.copies(..);
    let mut rows = Vec::new();
    while let Some((_, record)) = copies.next_record().unwrap() {
        rows.push(row(file, record));
    }
    rows
}

fn row(file: &ForeignFile, record: &[u8]) -> String {
    let mut cells = Vec::new();
    for field in file.schema().fields() {
        let mut text = String::new();
        field.format_text(record, &mut text).unwrap();
        cells.push(text);
    }
    cells.join(",")
}

#[track_caller]
fn assert_says(error: &Error, kind: ErrorKind, what: &str) {
    let text = error.to_string();
    assert_eq!(error.kind(), kind, "{text}");
    assert!(text.contains(what), "{text}");
}
