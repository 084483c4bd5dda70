//! What `info` says of a store besides its header: the handles that have it open, and its views.

use std::path::{Path, PathBuf};

use flatrec::map::Access;
use flatrec::{
    CommitId, DataType, Durability, DynDatabase, DynStore, DynWindowedStore, Field, ReaderInfo,
    Schema, StoreInfo,
};

/// Records of a page each, in a closed store.
fn make(directory: &Path, count: usize) -> PathBuf {
    let path = directory.join("pages.rec");
    let schema = Schema::packed([Field::new("page", DataType::Binary(4096))]).unwrap();
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append_packed(&vec![7; count * 4096]).unwrap();
    store.close().unwrap();
    path
}

/// The process of the writer, if there is one, and the commits that the other readers hold.
fn users(info: &StoreInfo) -> (Option<u64>, Vec<Option<u64>>) {
    let this = u64::from(std::process::id());
    assert!(info.readers.iter().all(|reader: &ReaderInfo| reader.process == this), "{info:?}");
    let mut held: Vec<_> =
        info.readers.iter().map(|reader| reader.oldest.map(CommitId::get)).collect();
    held.sort_unstable();
    (info.writer.as_ref().and_then(|writer| writer.process), held)
}

/// Finds a handle that counts itself among the others, or overlooks one.
#[test]
fn info_lists_the_writer_and_the_other_readers() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(directory.path(), 4);
    let this = Some(u64::from(std::process::id()));
    let first = DynStore::open_read_only(&path).unwrap();
    let info = first.info().unwrap();
    assert_eq!((users(&info), info.access), ((None, vec![]), Access::ReadOnly));
    assert_eq!(info.path.as_deref(), Some(&*path));
    let held = info.commit_id.get();

    let writer = DynDatabase::open(&path).unwrap();
    let mut transaction = writer.begin_write().unwrap();
    transaction.set(0, &[8; 4096]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    let idle = DynDatabase::open_read_only(&path).unwrap();
    assert_eq!(users(&first.info().unwrap()), (this, vec![None]));
    let snapshot = idle.begin_read().unwrap();
    assert_eq!(users(&first.info().unwrap()), (this, vec![Some(held + 1)]));
    let second = DynStore::open_read_only(&path).unwrap();
    let info = second.info().unwrap();
    assert_eq!(users(&info), (this, vec![Some(held), Some(held + 1)]));
    assert_eq!(
        (info.commit_id.get(), info.log.as_ref().map(|log| log.commits)),
        (held + 1, Some(1))
    );
    drop((first, snapshot, idle));
    writer.close().unwrap();
    assert_eq!(users(&second.info().unwrap()), (None, vec![]));
    drop(second);

    let alone = DynStore::open(&path).unwrap();
    let info = alone.info().unwrap();
    assert_eq!((users(&info), info.access), ((this, vec![]), Access::ReadWrite));
    let reader = DynDatabase::open_read_only(&path).unwrap();
    assert_eq!(users(&alone.info().unwrap()), (this, vec![None]));
    drop(reader);
    drop(alone);
    let private = DynStore::open_private(&path).unwrap();
    let info = private.info().unwrap();
    assert_eq!((users(&info), info.access), ((None, vec![]), Access::Private));
}

/// Finds a count of mapped bytes that is not that of the views.
#[test]
fn info_tells_what_is_mapped_and_in_memory() {
    let directory = tempfile::tempdir().unwrap();
    let path = make(directory.path(), 100);
    let whole = DynStore::open_read_only(&path).unwrap();
    assert!(whole.iter().all(|(_, page)| page == [7; 4096]));
    let info = whole.info().unwrap();
    assert_eq!(info.file_len_bytes, info.data_offset + 100 * 4096);
    assert!(info.mapped_bytes >= info.file_len_bytes && info.windows.is_none(), "{info:?}");
    let residency = info.residency.unwrap();
    assert_eq!(residency.pages, info.file_len_bytes.div_ceil(residency.page_size_bytes));
    assert_eq!(info.residency_asked_pages, residency.pages);
    // The records were read just now, and no test of this program needs much memory.
    let read = 100 * 4096 / residency.page_size_bytes;
    assert!((read / 2..=residency.pages).contains(&residency.resident_pages), "{residency:?}");
    drop(whole);

    let options = DynWindowedStore::read_options().max_mapped_bytes(256 << 10);
    let windowed = options.window_bytes(64 << 10).open_read_only(&path).unwrap();
    assert_eq!(windowed.info().unwrap().mapped_bytes, 0);
    assert!(windowed.iter().all(|page| page.unwrap().1 == [7; 4096]));
    let info = windowed.info().unwrap();
    let windows = info.windows.unwrap();
    assert_eq!((windows, info.mapped_bytes), (windowed.view_counters(), windows.mapped_bytes));
    assert!((64 << 10..=256 << 10).contains(&info.mapped_bytes), "{info:?}");
    assert_eq!((info.residency, info.residency_asked_pages), (None, 0));
    windowed.release_views();
    assert_eq!(windowed.info().unwrap().mapped_bytes, 0);
}
