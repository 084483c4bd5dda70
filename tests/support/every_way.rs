//! Opens files that may be damaged with every kind of handle, and uses the handles that open. A
//! handle may refuse the files or accept them. All handles that accept them must show the same.

use std::path::Path;

use flatrec::zerocopy::IntoBytes as _;
use flatrec::{
    Durability, DynDatabase, DynStore, ErrorKind, Result, SalvageOptions, Snapshot, VerifyOptions,
    VerifyReport, WindowedStore, salvage, verify,
};

use super::patched::{Files, Row};

/// What a handle shows.
#[derive(Clone, Debug, PartialEq)]
struct Contents {
    count: u64,
    live: Vec<(u64, Vec<u8>)>,
    /// Records with an unknown status byte.
    bad: u64,
}

/// What the handles did with the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// `verify` found no problem.
    pub(crate) clean: bool,
    /// A reader opened them.
    pub(crate) read: bool,
    /// A database opened them and committed.
    pub(crate) written: bool,
}

/// Opens `files` in every way, each time from a fresh copy below `directory`.
///
/// # Panics
/// If flatrec breaks a promise.
pub(crate) fn open_every_way(directory: &Path, files: &Files) -> Outcome {
    let path = files.put(directory, "look");
    let report = verify(&path, VerifyOptions::new());
    let clean = matches!(&report, Ok(report) if report.problems_found == 0);
    let contents = look(&path);
    if let (true, Ok(report)) = (clean, &report) {
        check_clean(report, contents.as_ref());
    }
    let contents = contents.ok();
    let rescued = rescue(&path, clean, contents.as_ref());
    assert!(rescued.is_ok() || !clean, "verify found no problem, but salvage failed: {rescued:?}");

    let path = files.put(directory, "store");
    let stored = use_store(&path, contents.as_ref());
    assert!(
        !clean || may_be_refused(&stored),
        "verify found no problem, but a store refused to write: {stored:?}"
    );
    still_clean(&path, clean);

    let path = files.put(directory, "database");
    let committed = use_database(&path, contents.as_ref());
    assert!(
        !clean || may_be_refused(&committed),
        "verify found no problem, but a commit failed: {committed:?}"
    );
    still_clean(&path, clean);
    Outcome { clean, read: contents.is_some(), written: committed.is_ok() }
}

/// Whether a writer succeeded, or refused sound files: numbers at their limit and flags of newer
/// writers are not damage, but no writer can continue.
fn may_be_refused(written: &Result<()>) -> bool {
    let is_fine = |kind| matches!(kind, ErrorKind::OutOfRange | ErrorKind::UnsupportedFormat);
    written.as_ref().err().is_none_or(|error| is_fine(error.kind()))
}

fn check_clean(report: &VerifyReport, contents: std::result::Result<&Contents, &flatrec::Error>) {
    let contents = contents.expect("a reader must open files in which verify found no problem");
    assert_eq!(contents.bad, 0, "verify overlooked a status byte");
    assert_eq!(contents.live.len() as u64, report.records, "verify and a reader count differently");
    assert_eq!(contents.count, report.records + report.deleted);
}

fn still_clean(path: &Path, clean: bool) {
    if clean {
        let report = verify(path, VerifyOptions::new())
            .expect("verify must read a store that a writer closed");
        assert_eq!(report.problems, [], "a writer left problems in a sound store");
    }
}

/// Reads the files through the handles that do not change them.
fn look(path: &Path) -> Result<Contents> {
    let private = DynStore::open_private(path).and_then(|mut store| {
        let contents = contents_of(&store);
        let id = contents.live.first().map(|(id, _)| *id);
        let mut edit = store.edit()?;
        if let Some(id) = id {
            edit.get_mut(id)?.expect("a live record").fill(0x5A);
        }
        edit.finish()?;
        Ok(contents)
    });
    let windowed = WindowedStore::<Row>::read_options()
        .max_mapped_bytes(256 << 10)
        .window_bytes(64 << 10)
        .open_read_only(path)
        .map(|store| windowed_contents_of(&store));
    let store = DynStore::open_read_only(path)?;
    let contents = contents_of(&store);
    store.info()?;
    assert_eq!(private.expect("a private store must open what a reader opens"), contents);
    if let Ok(windowed) = windowed {
        assert_eq!(windowed, contents);
    }
    store.close()?;
    Ok(contents)
}

fn contents_of(store: &DynStore) -> Contents {
    let (count, fields) = (store.count(), store.schema().fields());
    let (mut live, mut bad) = (Vec::new(), 0);
    for id in 0..count {
        let found = store.try_get(id);
        assert_eq!(store.get(id), found.as_ref().ok().copied());
        match found {
            Ok(record) => {
                // A value may be invalid for its field; reading it must not panic.
                fields.iter().for_each(|field| drop(field.read(record)));
                live.push((id, record.to_vec()));
            }
            Err(error) if error.kind() == ErrorKind::Deleted => {}
            Err(_) => bad += 1,
        }
    }
    assert_eq!(store.get(count), None);
    assert!(store.iter().eq(live.iter().map(|(id, record)| (*id, &record[..]))));
    let sound = store.try_iter().filter_map(Result::ok);
    assert!(sound.eq(live.iter().map(|(id, record)| (*id, &record[..]))));
    assert_eq!(store.copy(count / 2).ok().flatten(), store.get(count / 2).map(<[u8]>::to_vec));
    Contents { count, live, bad }
}

fn windowed_contents_of(store: &WindowedStore<Row>) -> Contents {
    let (mut live, mut bad) = (Vec::new(), 0);
    for id in 0..store.count() {
        match store.copy(id) {
            Ok(Some(row)) => live.push((id, bytes_of(&row))),
            Ok(None) => {}
            Err(_) => bad += 1,
        }
    }
    let ranged = store.iter().filter_map(Result::ok).map(|(id, row)| (id, bytes_of(&row)));
    assert!(ranged.eq(live.iter().cloned()));
    Contents { count: store.count(), live, bad }
}

fn bytes_of(row: &Row) -> Vec<u8> {
    row.as_bytes().to_vec()
}

fn check_snapshot(snapshot: &Snapshot<[u8]>, contents: &Contents) {
    assert_eq!(snapshot.count(), contents.count);
    let live = || contents.live.iter().map(|(id, record)| (*id, &record[..]));
    assert!(snapshot.iter().eq(live()), "a snapshot and a reader show different records");
    for (id, record) in live() {
        assert_eq!(snapshot.get(id), Some(record));
    }
}

/// Salvages the files, and reads the result.
fn rescue(path: &Path, clean: bool, contents: Option<&Contents>) -> Result<()> {
    let choices = [SalvageOptions::new(), SalvageOptions::new().keep_ids(true).keep_doubtful(true)];
    for (n, options) in choices.into_iter().enumerate() {
        let out = path.with_file_name(format!("saved-{n}"));
        let report = salvage(path, &out, options)?;
        let saved = contents_of(
            &DynStore::open_read_only(&out).expect("a reader must open a salvaged store"),
        );
        assert_eq!(saved.bad, 0);
        if let (true, Some(contents)) = (clean, contents) {
            assert_eq!((report.saved, report.lost_records()), (contents.live.len() as u64, 0));
            if n == 0 {
                let records = |contents: &Contents| -> Vec<Vec<u8>> {
                    contents.live.iter().map(|(_, record)| record.clone()).collect()
                };
                assert_eq!(records(&saved), records(contents), "salvage changed a record");
            }
        }
    }
    Ok(())
}

/// Writes to the files through a store.
fn use_store(path: &Path, contents: Option<&Contents>) -> Result<()> {
    let mut store = DynStore::options().accept_interrupted_edit(true).open(path)?;
    let mut expected = contents_of(&store);
    if let Some(contents) = contents {
        assert_eq!(&expected, contents, "a writer and a reader show different records");
    }
    let record = vec![0; store.schema().record_size() as usize];
    expected.live.push((store.append(&record)?, record.clone()));
    expected.count += 1;
    store.flush()?;
    let mut edit = store.edit()?;
    edit.set(expected.live[0].0, &record)?;
    expected.live[0].1 = record;
    edit.finish()?;
    store.close()?;
    let again = contents_of(
        &DynStore::open_read_only(path).expect("a reader must open a store that was closed"),
    );
    assert_eq!(again, expected, "a reader does not show what a store wrote");
    Ok(())
}

/// Writes to the files through a database.
fn use_database(path: &Path, contents: Option<&Contents>) -> Result<()> {
    let database = DynDatabase::open(path)?;
    let before = database.begin_read().unwrap();
    if let Some(contents) = contents {
        check_snapshot(&before, contents);
    }
    let ids: Vec<u64> = before.iter().map(|(id, _)| id).take(2).collect();
    let record = vec![1; database.schema().record_size() as usize];
    let mut transaction = database.begin_write()?;
    if let &[first, second] = &ids[..] {
        transaction.set(first, &record)?;
        // A store without deletes refuses a deletion.
        let _ = transaction.delete(second);
    }
    let mut written = Vec::new();
    for _ in 0..8 {
        written.push(transaction.insert(&record)?);
    }
    written.push(transaction.append(&record)?);
    transaction.commit(Durability::Immediate)?;
    if let Some(contents) = contents {
        check_snapshot(&before, contents);
    }
    drop(before);
    let after = database.begin_read().unwrap();
    assert!(written.iter().all(|&id| after.get(id) == Some(&record[..])), "{written:?}");
    drop(after);
    let settled = database.checkpoint().and_then(|_| database.close());
    // The commit was acknowledged, whether the close succeeded or not.
    let again = DynStore::open_read_only(path).expect("a reader must open a store after a commit");
    assert!(written.iter().all(|&id| again.get(id) == Some(&record[..])), "{written:?}");
    contents_of(&again);
    settled
}
