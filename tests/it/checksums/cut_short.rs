//! Programs that were cut short between two steps, and what becomes of checksums then.

use super::*;

/// The store `x`, as a program leaves it that died in a flush, with sums of what no header counts.
fn cut_in_a_flush(place: &Place) -> PathBuf {
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

/// Finds recovery that explains damage by a flush that died, and sums the damaged block as sound.
#[test]
fn a_flush_that_was_cut_short_is_no_checkpoint_that_was() {
    let place = Place::new();
    let path = cut_in_a_flush(&place);
    clean(&path, 5);
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(1000, &record(1)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    for way in 0..2 {
        let copy = copy_as_killed(&place);
        clean(&copy, 5);
        // No checkpoint has begun: what differs is damaged.
        flip(&copy, D + 80_000, 1);
        let doubts = verify(&copy, flatrec::VerifyOptions::new()).unwrap().problems;
        assert!(doubts.first().is_some_and(|it| it.to_string().contains("records 655..1311")));
        match way {
            0 => DynDatabase::open(&copy).unwrap().close().unwrap(),
            _ => DynStore::open(&copy).unwrap().close().unwrap(),
        }
        let report = verify(&copy, flatrec::VerifyOptions::new()).unwrap();
        assert_eq!(report.problems_found, 1, "no change makes it look sound");
        for file in place.files().iter().filter(|file| file.starts_with("killed")) {
            std::fs::remove_file(place.path(file)).unwrap();
        }
    }
}

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

/// Finds a maker that removes the checksums of a store that its own store has not replaced.
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
        let options = DynStore::create_options().checksums(checksums);
        drop(options.create_aside(&path, &schema(), true).unwrap());
        clean(&path, 5);
        assert_eq!(place.files(), ["x", "x-lock", "x-sum"]);
    }
}

/// Finds a writer that adopts or removes another file with the name of unfinished checksums.
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
