//! Stores and databases in a backing that the caller provides.
#![cfg(feature = "derive")]
#![allow(unsafe_code, reason = "opening over the caller's backing is unsafe")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use flatrec::map::{Backing, FileBacking};
use flatrec::{
    Checksums, DataType, Database, Durability, DynDatabase, ErrorKind, Field, FileSystemKind,
    Schema, Store, VerifyOptions, verify,
};

use crate::support::hooked::{Call, Hooked, Then};
use crate::support::numbered::{N, add};

fn file(path: &std::path::Path) -> Arc<dyn Backing> {
    Arc::new(FileBacking::create_new(path).unwrap())
}

/// Finds an option of a new store that is lost when the caller provides the backing.
#[test]
fn a_database_is_made_in_a_backing_and_found_by_its_path() {
    let directory = tempfile::tempdir().unwrap();
    for (name, checksums) in [("plain", false), ("summed", true)] {
        let path = directory.path().join(name);
        let options = Database::<N>::create_options().metadata("a word");
        let options = if checksums { options.checksums(true) } else { options };
        // SAFETY: this test alone has the file.
        let database = unsafe { options.create_over(file(&path)) }.unwrap();
        for n in 0..10 {
            add(&database, n);
        }
        database.close().unwrap();
        let store = Store::<N>::open_read_only(&path).unwrap();
        assert_eq!(
            store.iter().map(|(_, record)| record.n).collect::<Vec<_>>(),
            Vec::from_iter(0..10)
        );
        assert_eq!(store.metadata().unwrap(), b"a word");
        let report = verify(&path, VerifyOptions::new()).unwrap();
        let found = if checksums { Checksums::Present { blocks: 1 } } else { Checksums::Absent };
        assert_eq!((report.checksums, report.problems), (found, vec![]));
    }
}

/// Finds a database of bytes that uses another schema than the given one.
#[test]
fn a_database_of_bytes_is_made_in_a_backing() {
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("bytes");
    // SAFETY: this test alone has the file.
    let database =
        unsafe { DynDatabase::create_options().create_over(file(&path), &schema) }.unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&7_u64.to_le_bytes()).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    drop(database);
    // SAFETY: as above.
    let file = unsafe { FileBacking::open_unchecked(&path, true) }.unwrap();
    // SAFETY: as above.
    let database = unsafe { DynDatabase::options().over(Arc::new(file)) }.unwrap();
    assert_eq!(database.schema(), &schema);
    assert_eq!(database.begin_read().unwrap().get(0), Some(&7_u64.to_le_bytes()[..]));
}

/// Finds a typed store that overwrites records with a new store.
#[test]
fn a_typed_store_is_made_in_an_empty_backing_and_opened_in_others() {
    let backing: Arc<dyn Backing> = Arc::new(FileBacking::temporary(0).unwrap());
    // SAFETY: this test alone has the file, by one handle at a time.
    let read = || unsafe { Store::<N>::read_options().over(Arc::clone(&backing)) };
    assert_eq!(read().unwrap_err().kind(), ErrorKind::NotAStore);
    // SAFETY: as above.
    let made = unsafe { Store::<N>::create_options().create_over(Arc::clone(&backing)) };
    let mut store = made.unwrap();
    store.append(&N { n: 7 }).unwrap();
    store.close().unwrap();
    // SAFETY: as above.
    let mut store = unsafe { Store::<N>::options().over(Arc::clone(&backing)) }.unwrap();
    assert_eq!(store.get(0), Some(&N { n: 7 }));
    store.append(&N { n: 8 }).unwrap();
    store.close().unwrap();
    assert_eq!(read().unwrap().get(1), Some(&N { n: 8 }));
    let options = Store::<flatrec::PodRecord<u32>>::options();
    let options = options.schema(Schema::packed([Field::new("m", DataType::UInt32)]).unwrap());
    // SAFETY: as above.
    let other = unsafe { options.over(Arc::clone(&backing)) };
    assert_eq!(other.unwrap_err().kind(), ErrorKind::SchemaMismatch);
}

/// Finds a reader that calls a header damaged while a writer is writing it.
#[test]
fn a_header_without_a_whole_slot_is_read_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store");
    let database = Database::<N>::create(&path).unwrap();
    add(&database, 7);
    database.close().unwrap();
    // SAFETY: this test alone has the file.
    let file = unsafe { FileBacking::open_unchecked(&path, true) }.unwrap();
    let looks = AtomicU32::new(0);
    let hook = move |file: &Arc<dyn Backing>, _: &str, call: Call<'_>| {
        if let Call::Read { offset: 0, .. } = call {
            // At the first look the checksums of both slots do not match their counts.
            let look = looks.fetch_add(1, Ordering::Relaxed);
            for slot in [0, 4096] {
                let mut byte = [0];
                file.read_at(slot + 80, &mut byte)?;
                byte[0] ^= u8::from(look < 2);
                file.write_at(slot + 80, &byte)?;
            }
        }
        Ok(Then::Forward)
    };
    let backing = Arc::new(Hooked::over(Arc::new(file), hook));
    // SAFETY: as above.
    let store = unsafe { Store::<N>::read_options().over(backing) }.unwrap();
    assert_eq!(store.get(0), Some(&N { n: 7 }));
}

/// A backing on a network file system was opened to write whatever the options said.
#[test]
fn a_backing_on_a_network_file_system_is_written_only_if_allowed() {
    let made = || {
        let file: Arc<dyn Backing> = Arc::new(FileBacking::temporary(0).unwrap());
        let hook = |_: &Arc<dyn Backing>, _: &str, _: Call<'_>| Ok(Then::Forward);
        let network = Hooked::over(Arc::clone(&file), hook).with_properties(|properties| {
            properties.file_system = FileSystemKind::Network("nfs".into());
        });
        Arc::new(network) as Arc<dyn Backing>
    };
    let kind = |refused: flatrec::Result<()>| refused.unwrap_err().kind();
    let refused = ErrorKind::NetworkFileSystem;
    let backing = made();
    let creating = |allow| Store::<N>::create_options().allow_network_file_system(allow);
    let copy = || Arc::clone(&backing);
    // SAFETY: this test alone has the files, by one handle at a time.
    let create = |allow| unsafe { creating(allow).create_over(copy()) }.map(drop);
    assert_eq!(kind(create(false)), refused);
    create(true).unwrap();
    let options = |allow| Store::<N>::options().allow_network_file_system(allow);
    // SAFETY: as above.
    let open = |allow| unsafe { options(allow).over(copy()) }.map(drop);
    assert_eq!(kind(open(false)), refused);
    open(true).unwrap();
    // SAFETY: as above.
    assert!(unsafe { Store::<N>::read_options().over(copy()) }.unwrap().is_empty());

    let options = |allow| Database::<N>::options().allow_network_file_system(allow);
    // SAFETY: as above.
    let open = |allow| unsafe { options(allow).over(copy()) }.map(drop);
    assert_eq!(kind(open(false)), refused);
    open(true).unwrap();
    let other = made();
    let options = |allow| Database::<N>::create_options().allow_network_file_system(allow);
    // SAFETY: as above.
    let create = |allow| unsafe { options(allow).create_over(Arc::clone(&other)) }.map(drop);
    assert_eq!(kind(create(false)), refused);
    create(true).unwrap();
}
