//! Reads the bytes as a whole file on disk: opens it, reads it to the end, and verifies it.

use std::path::Path;

use flatrec::fuzzing::variant;
use flatrec::{DynStore, Result, VerifyOptions};

/// Runs the target on these bytes.
///
/// # Panics
/// If flatrec breaks a promise.
pub(crate) fn run(data: &[u8]) {
    let dir = tempfile::tempdir().expect("a directory");
    for (name, bytes) in [("raw", data), ("variant", &variant(data))] {
        let path = dir.path().join(name);
        std::fs::write(&path, bytes).expect("a file");
        // A handle may refuse or accept the file, but must not panic.
        let _ = open_every_way(&path);
    }
}

/// Reads every field of the records, up to a bounded number.
fn read_all(store: &DynStore) -> usize {
    let fields = store.schema().fields();
    let records = store.iter().take(1000);
    records
        .map(|(_, record)| fields.iter().filter(|field| field.read(record).is_ok()).count())
        .sum()
}

fn open_every_way(path: &Path) -> Result<()> {
    let store = DynStore::open_read_only(path)?;
    read_all(&store);
    assert!(store.iter().size_hint().1.is_some_and(|most| most as u64 == store.count()));
    for found in store.try_iter().take(1000).flatten() {
        assert_eq!(store.get(found.0), Some(found.1));
    }
    store.close()?;
    let store = DynStore::open_private(path)?;
    read_all(&store);
    store.close()?;
    flatrec::verify(path, VerifyOptions::new()).map(drop)
}
