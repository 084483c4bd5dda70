//! Programs that died between two steps, and what the next handle does with their checksums.

use super::*;

/// Makes the store `x` of a program that died in a flush, with checksums of records that no header
/// counts.
fn died_in_a_flush(place: &Place) -> PathBuf {
    let path = place.store(3000);
    let header = std::fs::read(&path).unwrap()[..8192].to_vec();
    let mut store = DynStore::open(&path).unwrap();
    append(&mut store, 3000..3200);
    store.flush().unwrap();
    let copy = copy_as_killed(place);
    drop(store);
    let mut bytes = std::fs::read(&copy).unwrap();
    bytes[..8192].copy_from_slice(&header);
    std::fs::write(&copy, bytes).unwrap();
    for file in place.files().iter().filter(|file| file.starts_with('x')) {
        std::fs::remove_file(place.path(file)).unwrap();
    }
    for file in place.files() {
        let name = file.replace("killed", "x");
        std::fs::rename(place.path(&file), place.path(&name)).unwrap();
    }
    path
}

/// Finds a recovery that takes damage for the work of a flush that died, and sums the damaged
/// block.
#[test]
fn an_interrupted_flush_does_not_excuse_damage() {
    let place = Place::new();
    let path = died_in_a_flush(&place);
    clean(&path, 5);
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(1000, &record(1)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    for way in 0..2 {
        let copy = copy_as_killed(&place);
        clean(&copy, 5);
        // No checkpoint has begun, so every difference is damage.
        flip(&copy, D + 80_000, 1);
        let doubts = verify(&copy, flatrec::VerifyOptions::new()).unwrap().problems;
        assert!(doubts.first().is_some_and(|it| it.to_string().contains("records 655..1311")));
        match way {
            0 => DynDatabase::open(&copy).unwrap().close().unwrap(),
            _ => DynStore::open(&copy).unwrap().close().unwrap(),
        }
        let report = verify(&copy, flatrec::VerifyOptions::new()).unwrap();
        assert_eq!(report.problems_found, 1, "a change made the damaged block look sound");
        for file in place.files().iter().filter(|file| file.starts_with("killed")) {
            std::fs::remove_file(place.path(file)).unwrap();
        }
    }
}

/// A store gets its name before its checksum file does. Finds a handle that loses the checksums of
/// a maker that died between the two.
#[test]
fn checksums_of_a_maker_that_died_before_it_named_them_are_found() {
    let place = Place::new();
    let path = place.store(3000);
    let left = place.path("x-unfinished-sum");
    std::fs::rename(place.path("x-sum"), &left).unwrap();
    clean(&path, 5);
    DynStore::open(&path).unwrap().close().unwrap();
    assert_eq!(place.files(), ["x", "x-lock", "x-sum"]);
    clean(&path, 5);
}

/// Finds a new maker that removes checksums under their unfinished name although they belong to the
/// published store.
#[test]
fn a_new_maker_keeps_unnamed_checksums_of_the_published_store() {
    let place = Place::new();
    let path = place.store(3000);
    // The files of a maker that died. The replaced store had checksums too.
    std::fs::rename(place.path("x-sum"), place.path("x-unfinished-sum")).unwrap();
    let other = Place::new();
    other.store(10);
    std::fs::copy(other.path("x-sum"), place.path("x-sum")).unwrap();
    clean(&path, 5);
    for checksums in [true, false] {
        let options = DynStore::create_options().checksums(checksums);
        drop(options.create_aside(&path, &schema(), true).unwrap());
        clean(&path, 5);
        assert_eq!(place.files(), ["x", "x-lock", "x-sum"]);
    }
}

/// Finds a writer that adopts or removes another file under the name of unfinished checksums.
#[test]
fn other_files_under_the_name_of_unfinished_checksums_stay() {
    let place = Place::new();
    let path = place.path("x");
    DynStore::create(&path, &schema()).unwrap().close().unwrap();
    let left = place.path("x-unfinished-sum");
    let other = Place::new();
    other.store(10);
    std::fs::copy(other.path("x-sum"), &left).unwrap();
    let of_another = std::fs::read(&left).unwrap();
    for bytes in [&of_another[..], b"mine", b""] {
        std::fs::write(&left, bytes).unwrap();
        let mut store = DynStore::open(&path).unwrap();
        append(&mut store, 0..1);
        store.close().unwrap();
        assert_eq!(
            verify(&path, flatrec::VerifyOptions::new()).unwrap().checksums,
            Checksums::Absent
        );
        assert_eq!(std::fs::read(&left).unwrap(), bytes);
    }
    std::fs::remove_file(&left).unwrap();
    std::fs::create_dir(&left).unwrap();
    DynStore::open(&path).unwrap().close().unwrap();
    assert_eq!(verify(&path, flatrec::VerifyOptions::new()).unwrap().problems, []);
}
