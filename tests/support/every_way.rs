//! Opens files that may be damaged with every kind of handle, and uses what opens. Refusing is as
//! good as accepting; what is accepted must be the same to all.

use std::path::Path;

use flatrec::zerocopy::IntoBytes as _;
use flatrec::{
    Durability, DynDatabase, DynStore, ErrorKind, Result, SalvageOptions, Snapshot, VerifyOptions,
    VerifyReport, WindowedStore, salvage, verify,
};

use super::patched::{Files, Row};

/// What a handle sees.
#[derive(Clone, Debug, PartialEq)]
struct Contents {
    count: u64,
    live: Vec<(u64, Vec<u8>)>,
    /// Records with an unknown status byte.
    bad: u64,
}

/// What became of files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// Nothing speaks against them.
    pub(crate) clean: bool,
    /// A reader opens them.
    pub(crate) read: bool,
    /// A database opens them, and commits.
    pub(crate) written: bool,
}

/// Opens `files` in every way, each time as they are, in directories below `directory`.
///
/// # Panics
/// If something is wrong with us.
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
    assert!(rescued.is_ok() || !clean, "clean, and not salvaged: {rescued:?}");

    let path = files.put(directory, "store");
    let stored = use_store(&path, contents.as_ref());
    assert!(!clean || may_be_refused(&stored), "clean, and not written: {stored:?}");
    still_clean(&path, clean);

    let path = files.put(directory, "database");
    let committed = use_database(&path, contents.as_ref());
    assert!(!clean || may_be_refused(&committed), "clean, and not committed to: {committed:?}");
    still_clean(&path, clean);
    Outcome { clean, read: contents.is_some(), written: committed.is_ok() }
}

/// Numbers that leave no room for more, and flags for newer writers, are no damage, and nothing is
/// written behind them.
fn may_be_refused(written: &Result<()>) -> bool {
    let is_fine = |kind| matches!(kind, ErrorKind::OutOfRange | ErrorKind::UnsupportedFormat);
    written.as_ref().err().is_none_or(|error| is_fine(error.kind()))
}

fn check_clean(report: &VerifyReport, contents: std::result::Result<&Contents, &flatrec::Error>) {
    let contents = contents.expect("verify has no doubts");
    assert_eq!(contents.bad, 0, "verify has no doubts");
    assert_eq!(contents.live.len() as u64, report.records, "verify and a reader count");
    assert_eq!(contents.count, report.records + report.deleted);
}

fn still_clean(path: &Path, clean: bool) {
    if clean {
        let report = verify(path, VerifyOptions::new()).expect("it was written to, and closed");
        assert_eq!(report.problems, [], "it was clean before it was written to");
    }
}

/// Reads files by the handles that do not change them.
fn look(path: &Path) -> Result<Contents> {
    let private = DynStore::open_private(path).and_then(|mut store| {
        let contents = contents_of(&store);
        let id = contents.live.first().map(|(id, _)| *id);
        let mut edit = store.edit()?;
        if let Some(id) = id {
            edit.get_mut(id)?.fill(0x5A);
        }
        edit.finish()?;
        Ok(contents)
    });
    let windowed = WindowedStore::<Row>::options()
        .max_mapped_bytes(256 << 10)
        .window_bytes(64 << 10)
        .open_read_only(path)
        .map(|store| windowed_contents_of(&store));
    let store = DynStore::open_read_only(path)?;
    let contents = contents_of(&store);
    store.info()?;
    assert_eq!(private.expect("a reader opens it"), contents);
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
        assert_eq!(store.get(id), found.as_ref().copied().unwrap_or_default());
        match found {
            Ok(Some(record)) => {
                // The value may not fit its field; reading it must be harmless.
                fields.iter().for_each(|field| drop(field.read(record)));
                live.push((id, record.to_vec()));
            }
            Ok(None) => {}
            Err(_) => bad += 1,
        }
    }
    assert_eq!(store.get(count), None);
    assert!(store.iter().eq(live.iter().map(|(_, record)| &record[..])));
    let sound = store.iter_with_ids().filter_map(Result::ok);
    assert!(sound.eq(live.iter().map(|(id, record)| (*id, &record[..]))));
    assert_eq!(store.try_read(count / 2).ok(), store.try_get(count / 2).ok().map(owned));
    Contents { count, live, bad }
}

fn owned(record: Option<&[u8]>) -> Option<Vec<u8>> {
    record.map(<[u8]>::to_vec)
}

fn windowed_contents_of(store: &WindowedStore<Row>) -> Contents {
    let (mut live, mut bad) = (Vec::new(), 0);
    for id in 0..store.count() {
        match store.read(id) {
            Ok(Some(row)) => live.push((id, bytes_of(&row))),
            Ok(None) => {}
            Err(_) => bad += 1,
        }
    }
    let ranged = store.range(0..store.count()).filter_map(Result::ok).map(|row| bytes_of(&row));
    assert!(ranged.eq(live.iter().map(|(_, record)| record.clone())));
    Contents { count: store.count(), live, bad }
}

fn bytes_of(row: &Row) -> Vec<u8> {
    row.as_bytes().to_vec()
}

fn check_snapshot(snapshot: &Snapshot<[u8]>, contents: &Contents) {
    assert_eq!(snapshot.count(), contents.count);
    let live = || contents.live.iter().map(|(id, record)| (*id, &record[..]));
    assert!(snapshot.iter().eq(live()), "a snapshot and a reader differ");
    for (id, record) in live() {
        assert_eq!(snapshot.get(id), Some(record));
    }
}

/// Saves what can be saved, and reads it.
fn rescue(path: &Path, clean: bool, contents: Option<&Contents>) -> Result<()> {
    let choices = [SalvageOptions::new(), SalvageOptions::new().keep_ids(true).keep_doubtful(true)];
    for (n, options) in choices.into_iter().enumerate() {
        let out = path.with_file_name(format!("saved-{n}"));
        let report = salvage(path, &out, options)?;
        let saved = contents_of(&DynStore::open_read_only(&out).expect("a store just written"));
        assert_eq!(saved.bad, 0);
        if let (true, Some(contents)) = (clean, contents) {
            assert_eq!((report.saved, report.lost_records()), (contents.live.len() as u64, 0));
            if n == 0 {
                let records = |contents: &Contents| -> Vec<Vec<u8>> {
                    contents.live.iter().map(|(_, record)| record.clone()).collect()
                };
                assert_eq!(records(&saved), records(contents), "what was saved differs");
            }
        }
    }
    Ok(())
}

/// Writes to the files as a store does.
fn use_store(path: &Path, contents: Option<&Contents>) -> Result<()> {
    let mut store = DynStore::options().accept_interrupted_edit(true).open(path)?;
    let mut expected = contents_of(&store);
    if let Some(contents) = contents {
        assert_eq!(&expected, contents, "a writer and a reader differ");
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
    let again = contents_of(&DynStore::open_read_only(path).expect("closed just now"));
    assert_eq!(again, expected, "what was written differs");
    Ok(())
}

/// Writes to the files as a database does.
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
        // Of a store without deletes nothing can be deleted.
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
    // Whatever became of that: the commit was acknowledged.
    let again = DynStore::open_read_only(path).expect("committed to just now");
    assert!(written.iter().all(|&id| again.get(id) == Some(&record[..])), "{written:?}");
    contents_of(&again);
    settled
}
