//! Reads the bytes as a foreign file of each kind. They must give an error, or a layout whose
//! records can all be read, or are errors one by one.

use std::path::Path;

use flatrec::foreign::{ForeignFile, ForeignKind, ForeignLayout};
use flatrec::{Error, Result};

/// How many records are compared with changes.
const CHANGES: u64 = 8;

/// Runs the target on these bytes. The first one chooses the kind; a layout file ends at the first
/// NUL.
///
/// # Panics
/// If reading does not end with an error or all records.
pub(crate) fn run(data: &[u8]) {
    let Some((&choice, bytes)) = data.split_first() else { return };
    let kinds = ForeignKind::SELF_DESCRIBED;
    let kind = kinds.get(usize::from(choice) % (kinds.len() + 2));
    let is_described = kind.is_none() && usize::from(choice) % (kinds.len() + 2) == kinds.len();
    let (json, bytes) = match bytes.iter().position(|&byte| byte == 0).filter(|_| is_described) {
        Some(end) => (std::str::from_utf8(&bytes[..end]).unwrap_or_default(), &bytes[end + 1..]),
        None => ("", bytes),
    };
    let file = tempfile::NamedTempFile::new().expect("a temporary file");
    std::fs::write(file.path(), bytes).expect("a temporary file");
    let layout = match kind {
        Some(kind) => ForeignLayout::of_kind(file.path(), kind.name()).map(Some),
        None if is_described => ForeignLayout::from_json(json, file.path()).map(Some),
        None => ForeignLayout::detect(file.path()),
    };
    if let Ok(Some(layout)) = layout {
        let _ = read(file.path(), &layout);
        if let Ok(native) = layout.into_native() {
            let _ = read(file.path(), &native);
        }
    }
}

/// Reads all records, forward and backward, and checks changes of the first ones.
///
/// # Errors
/// The last error of a record, or that of opening the file.
pub(crate) fn read(path: &Path, layout: &ForeignLayout) -> Result<u64> {
    let file = ForeignFile::open(path, layout)?;
    let mut last: Option<Error> = None;
    let (mut forward, mut backward) = (0, 0);
    let mut copies = file.copies(..);
    let mut text = String::new();
    let mut previous: Option<Vec<u8>> = None;
    loop {
        match copies.next_record() {
            Ok(None) => break,
            Ok(Some((id, record))) => {
                forward += 1;
                if forward < CHANGES {
                    if let Ok(is_changed) = file.check_set(id, record) {
                        assert!(!is_changed, "record {id} differs from itself");
                    }
                    let _ = previous.map(|previous| file.check_set(id, &previous));
                    previous = Some(record.to_vec());
                }
                for field in file.schema().fields() {
                    text.clear();
                    let _ = field.format_text(record, &mut text);
                }
            }
            Err(error) => last = Some(error),
        }
    }
    let mut copies = file.copies(..);
    loop {
        match copies.next_record_back() {
            Ok(None) => break,
            Ok(Some(_)) => backward += 1,
            Err(_) => {}
        }
    }
    assert_eq!(forward, backward, "another number of records from the end");
    last.map_or(Ok(forward), Err)
}
