//! Programs that were cut short between two steps, and what becomes of checksums then.

use super::*;

/// A store takes its name before its checksums do.
#[test]
fn checksums_whose_maker_died_before_they_had_their_name_are_found() {
    let place = Place::new();
    let path = place.store(3000);
    let left = place.path("x-unfinished-sum");
    std::fs::rename(place.path("x-sum"), &left).unwrap();
    clean(&path, 5);
    DynStore::open(&path).unwrap().close().unwrap();
    assert_eq!(place.files(), ["x", "x-lock", "x-sum"]);
    clean(&path, 5);
}

#[test]
fn the_next_maker_leaves_them_to_the_store_that_it_has_not_replaced_yet() {
    let place = Place::new();
    let path = place.store(3000);
    // As a maker that died leaves them: the store before had some, too.
    std::fs::rename(place.path("x-sum"), place.path("x-unfinished-sum")).unwrap();
    let other = Place::new();
    other.store(10);
    std::fs::copy(other.path("x-sum"), place.path("x-sum")).unwrap();
    clean(&path, 5);
    for checksums in [true, false] {
        let options = DynStore::options();
        let options = if checksums { options.checksums() } else { options };
        drop(options.create_aside(&path, &schema(), true).unwrap());
        clean(&path, 5);
        assert_eq!(place.files(), ["x", "x-lock", "x-sum"]);
    }
}

#[test]
fn other_files_of_that_name_are_left_alone() {
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
        assert_eq!(verify(&path, 9).unwrap().checksums, Checksums::Absent);
        assert_eq!(std::fs::read(&left).unwrap(), bytes);
    }
    std::fs::remove_file(&left).unwrap();
    std::fs::create_dir(&left).unwrap();
    DynStore::open(&path).unwrap().close().unwrap();
    assert_eq!(verify(&path, 9).unwrap().doubts, []);
}
