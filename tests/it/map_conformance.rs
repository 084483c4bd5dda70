//! One conformance suite for every backing and every access.
//!
//! Each test runs on each kind of backing. A kind says what it cannot do (named shared memory
//! cannot grow), and the tests check that its error says so too.

#![allow(unsafe_code, reason = "the tests lend in place, which is unsafe")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use flatrec::Advice;
use flatrec::ErrorKind;
use flatrec::map::{Access, Backing, FileBacking, Mapping};

/// A backing for the suite, and what keeps it alive.
struct Subject {
    name: &'static str,
    mapping: Mapping,
    resizable: bool,
    /// A second handle on the same bytes, as another process would have.
    other: Option<Mapping>,
    _directory: Option<tempfile::TempDir>,
}

const LEN: u64 = 300_000; // not a multiple of pages or granules

fn unique_name(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("flatrec-test-{what}-{}-{next}", std::process::id())
}

fn new_file() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new");
    let mapping = Mapping::create_new(&path, LEN).unwrap();
    let other = Some(Mapping::open(&path, Access::ReadWrite).unwrap());
    Subject { name: "new file", mapping, resizable: true, other, _directory: Some(directory) }
}

fn existing_file() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("existing");
    std::fs::write(&path, vec![0; LEN as usize]).unwrap();
    let mapping = Mapping::open(&path, Access::ReadWrite).unwrap();
    let other = Some(Mapping::open(&path, Access::ReadWrite).unwrap());
    Subject { name: "existing file", mapping, resizable: true, other, _directory: Some(directory) }
}

fn opened_or_created() -> Subject {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("either");
    let mapping = Mapping::open_or_create(&path, LEN, |_| Ok(())).unwrap();
    let other =
        Mapping::open_or_create(&path, LEN, |_| panic!("an initialiser ran on an existing file"))
            .unwrap();
    let other = Some(other);
    Subject { name: "open or create", mapping, resizable: true, other, _directory: Some(directory) }
}

fn inherited() -> Subject {
    let file = tempfile::tempfile().unwrap();
    file.set_len(LEN).unwrap();
    let duplicate = file.try_clone().unwrap();
    let mapping = Mapping::from_file(file, Access::ReadWrite).unwrap();
    let other = Some(Mapping::from_file(duplicate, Access::ReadWrite).unwrap());
    Subject { name: "inherited file", mapping, resizable: true, other, _directory: None }
}

fn temporary() -> Subject {
    let mapping = Mapping::temporary(LEN).unwrap();
    Subject { name: "temporary", mapping, resizable: true, other: None, _directory: None }
}

fn anonymous() -> Subject {
    let mapping = Mapping::anonymous(LEN).unwrap();
    Subject { name: "anonymous", mapping, resizable: true, other: None, _directory: None }
}

fn named() -> Subject {
    let name = unique_name("conformance");
    let mapping = Mapping::named(&name, LEN, |_| Ok(())).unwrap();
    let other = Some(Mapping::open_named(&name, Access::ReadWrite).unwrap());
    Subject { name: "named", mapping, resizable: false, other, _directory: None }
}

fn custom() -> Subject {
    let backing: Arc<dyn Backing> = Arc::new(FileBacking::temporary(LEN).unwrap());
    let other = Some(Mapping::from_backing(Arc::clone(&backing), Access::ReadWrite));
    let mapping = Mapping::from_backing(backing, Access::ReadWrite);
    Subject { name: "any backing", mapping, resizable: true, other, _directory: None }
}

fn on_every_backing(test: impl Fn(&Subject)) {
    let makers: [fn() -> Subject; 8] = [
        new_file,
        existing_file,
        opened_or_created,
        inherited,
        temporary,
        anonymous,
        named,
        custom,
    ];
    for make in makers {
        let subject = make();
        println!("on {}", subject.name);
        test(&subject);
    }
}

/// Finds a new backing of another length, or with other bytes than zeros.
#[test]
fn a_new_backing_has_zeros_of_the_given_length() {
    on_every_backing(|subject| {
        assert_eq!(subject.mapping.len_bytes().unwrap(), LEN);
        assert!(subject.mapping.read_vec(0..LEN).unwrap().iter().all(|&byte| byte == 0));
    });
}

/// Finds a backing whose views are copies.
#[test]
fn overlapping_views_at_any_offset_are_coherent() {
    on_every_backing(|subject| {
        let one = subject.mapping.view(1..200_001).unwrap();
        let two = subject.mapping.view(65_537..300_000).unwrap();
        one.write(99_999, b"coherent").unwrap();
        let mut seen = [0; 8];
        two.read(100_000 - 65_537, &mut seen).unwrap();
        assert_eq!(&seen, b"coherent");
        two.write(100_002 - 65_537, b"H").unwrap();
        one.read(99_999, &mut seen).unwrap();
        assert_eq!(&seen, b"coHerent");
        if let Some(other) = &subject.other {
            assert_eq!(other.read_vec(100_000..100_008).unwrap(), b"coHerent");
        }
    });
}

/// Finds a backing that promises that calls and views are coherent, and breaks the promise.
#[test]
fn views_and_calls_are_coherent_if_the_backing_promises_it() {
    on_every_backing(|subject| {
        let backing = subject.mapping.backing();
        if !backing.properties().calls_see_views {
            if cfg!(windows) {
                return;
            }
            panic!("{} promises nothing", subject.name);
        }
        let view = subject.mapping.view(4000..5000).unwrap();
        backing.write_at(4090, b"by a call").unwrap();
        let mut seen = [0; 9];
        view.read(90, &mut seen).unwrap();
        assert_eq!(&seen, b"by a call");
        view.write(90, b"by a view").unwrap();
        assert_eq!(backing.read_at(4090, &mut seen).unwrap(), 9);
        assert_eq!(&seen, b"by a view");
    });
}

/// Finds a read past the end that returns bytes.
#[test]
fn reads_end_at_the_end_of_the_backing() {
    on_every_backing(|subject| {
        let backing = subject.mapping.backing();
        let mut buffer = [7; 100];
        assert_eq!(backing.read_at(LEN - 10, &mut buffer).unwrap(), 10);
        assert_eq!(backing.read_at(LEN, &mut buffer).unwrap(), 0);
        assert_eq!(backing.read_at(LEN + 1000, &mut buffer).unwrap(), 0);
    });
}

/// Finds a private view that changes the file.
#[test]
fn private_views_keep_their_changes_to_themselves() {
    on_every_backing(|subject| {
        subject.mapping.view(0..100).unwrap().write(0, b"shared").unwrap();
        let private = subject.mapping.with_access(Access::Private).unwrap();
        let mine = private.view(0..LEN).unwrap();
        let yours = private.view(0..LEN).unwrap();
        mine.write(0, b"secret").unwrap();
        let mut seen = [0; 6];
        mine.read(0, &mut seen).unwrap();
        assert_eq!(&seen, b"secret");
        yours.read(0, &mut seen).unwrap();
        assert_eq!(&seen, b"shared");
        assert_eq!(subject.mapping.read_vec(0..6).unwrap(), b"shared");
    });
}

/// Finds a call that writes through a read-only mapping.
#[test]
fn read_only_mappings_refuse_every_change() {
    on_every_backing(|subject| {
        let read_only = subject.mapping.with_access(Access::ReadOnly).unwrap();
        let view = read_only.view(10..20).unwrap();
        assert_eq!(view.write(0, b"x").unwrap_err().kind(), ErrorKind::ReadOnly);
        assert!(view.as_mut_ptr().is_none());
        for error in [
            read_only.grow(2 * LEN).unwrap_err(),
            read_only.flush(0..10).unwrap_err(),
            read_only.sync().unwrap_err(),
            read_only.with_access(Access::ReadWrite).unwrap_err(),
        ] {
            assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
        }
        assert_eq!(read_only.read_vec(10..11).unwrap(), [0]);
    });
}

/// Finds an access for which a typed view copies or faults.
#[test]
fn typed_records_are_read_and_written_in_place_with_every_access() {
    on_every_backing(|subject| {
        for access in [Access::ReadWrite, Access::Private] {
            let mapping = subject.mapping.with_access(access).unwrap();
            let records = mapping.typed::<[u16; 5]>(16).unwrap();
            assert_eq!(records.len(), (LEN - 16) / 10);
            let last = records.len() - 1;
            records.set(last, &[1, 2, 3, 4, last as u16]).unwrap();
            assert_eq!(records.get(last).unwrap(), [1, 2, 3, 4, last as u16]);
            assert_eq!(records.get(last + 1).unwrap_err().kind(), ErrorKind::OutOfRange);
            assert_eq!(records.set(last + 1, &[0; 5]).unwrap_err().kind(), ErrorKind::OutOfRange);
            // SAFETY: this thread alone uses these bytes.
            let slice = unsafe { records.slice(last - 1..last + 1) }.unwrap();
            assert_eq!(slice[1][0], 1);
            // SAFETY: as above, and `slice` is used no more.
            unsafe { records.slice_mut(0..2) }.unwrap()[1][4] = 77;
            assert_eq!(records.get(1).unwrap()[4], 77);
        }
        let read_only = subject.mapping.with_access(Access::ReadOnly).unwrap();
        let records = read_only.typed::<[u16; 5]>(16).unwrap();
        assert_eq!(records.get(1).unwrap()[4], 77, "the view misses the change from above");
        assert_eq!(records.set(0, &[0; 5]).unwrap_err().kind(), ErrorKind::ReadOnly);
        let odd = subject.mapping.typed::<u64>(3).unwrap();
        // SAFETY: this thread alone uses these bytes.
        let error = unsafe { odd.slice(0..2) }.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "misaligned: {error}");
        odd.set(1, &u64::MAX).unwrap();
        assert_eq!(odd.get(1).unwrap(), u64::MAX, "a copy must not need alignment");
    });
}

/// Finds a range past the end that is mapped or panics.
#[test]
fn ranges_past_the_end_are_errors() {
    on_every_backing(|subject| {
        for range in [LEN..LEN + 1, 0..LEN + 1, u64::MAX - 1..u64::MAX, 1 << 63..(1 << 63) + 1] {
            let error = subject.mapping.view(range.clone()).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfRange, "{range:?}: {error}");
        }
        #[allow(clippy::reversed_empty_ranges)]
        let error = subject.mapping.view(10..5).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
        let empty = subject.mapping.view(LEN..LEN).unwrap();
        assert_eq!(empty.len_bytes(), 0);
        empty.read(0, &mut []).unwrap();
        let view = subject.mapping.view(100..200).unwrap();
        let mut buffer = [0; 50];
        for at in [51, 100, usize::MAX] {
            let error = view.read(at, &mut buffer).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::OutOfRange);
            assert_eq!(view.write(at, &buffer).unwrap_err().kind(), ErrorKind::OutOfRange);
        }
        let error = subject.mapping.backing().write_at(u64::MAX - 4, b"past").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange, "{error}");
    });
}

/// Finds growth that moves the bytes of older views.
#[test]
fn growth_leaves_views_valid_and_adds_zeros() {
    on_every_backing(|subject| {
        let view = subject.mapping.view_all().unwrap();
        view.write(0, b"kept").unwrap();
        let grown = subject.mapping.grow(1 << 20);
        if !subject.resizable {
            assert_eq!(grown.unwrap_err().kind(), ErrorKind::Unsupported);
            return;
        }
        grown.unwrap();
        subject.mapping.grow(1000).unwrap(); // the backing is longer already, so nothing happens
        assert_eq!(subject.mapping.len_bytes().unwrap(), 1 << 20);
        let mut seen = [0; 4];
        view.read(0, &mut seen).unwrap();
        assert_eq!(&seen, b"kept");
        view.write(LEN as usize - 1, b"e").unwrap();
        assert_eq!(subject.mapping.read_vec(LEN - 1..LEN + 1).unwrap(), [b'e', 0]);
        let new = subject.mapping.view(LEN..1 << 20).unwrap();
        new.write((1 << 20) - LEN as usize - 1, b"z").unwrap();
        drop((view, new));
        subject.mapping.backing().trim(10).unwrap();
        assert_eq!(subject.mapping.len_bytes().unwrap(), 10);
        assert_eq!(subject.mapping.read_vec(0..4).unwrap(), b"kept");
    });
}

/// Finds a call that needs a range aligned to pages.
#[test]
fn flush_sync_advice_residency_and_memory_locks_work_on_any_range() {
    on_every_backing(|subject| {
        let mapping = &subject.mapping;
        let view = mapping.view(5..LEN).unwrap();
        view.write(70_000, b"dirty").unwrap();
        view.flush(70_000..70_005).unwrap();
        view.flush(0..0).unwrap();
        let past = view.flush(0..LEN as usize).unwrap_err();
        assert_eq!(past.kind(), ErrorKind::OutOfRange);
        // On every system a read call sees what views show after a flush.
        let mut called = [0; 5];
        assert_eq!(mapping.backing().read_at(70_005, &mut called).unwrap(), 5);
        assert_eq!(&called, b"dirty");
        mapping.flush(70_005..70_010).unwrap();
        mapping.flush(0..LEN).unwrap();
        mapping.flush(9..9).unwrap();
        mapping.sync().unwrap();
        mapping.backing().sync_full().unwrap();
        for advice in [
            Advice::Sequential,
            Advice::Random,
            Advice::WillNeed,
            Advice::PopulateRead,
            Advice::PopulateWrite,
            Advice::DontNeed,
            Advice::Normal,
        ] {
            view.advise(70_001..70_100, advice).unwrap();
        }
        view.advise(0..0, Advice::Random).unwrap();
        let past = view.advise(0..LEN as usize, Advice::Normal).unwrap_err();
        assert_eq!(past.kind(), ErrorKind::OutOfRange);
        let mut seen = [0; 5];
        view.read(70_000, &mut seen).unwrap();
        assert_eq!(&seen, b"dirty", "an advice changed the bytes");
        view.lock(70_000..70_001).unwrap();
        let residency = view.residency(70_000..70_001).unwrap();
        assert_eq!((residency.pages, residency.resident_pages), (1, 1));
        view.unlock(70_000..70_001).unwrap();
        assert!(mapping.backing().allocated_bytes().unwrap() > 0);
    });
}

/// Finds a flush of a read-only view that passes on to the system, which refuses it.
#[test]
fn a_flush_of_a_read_only_view_does_nothing() {
    on_every_backing(|subject| {
        for access in [Access::ReadOnly, Access::Private] {
            let view = subject.mapping.with_access(access).unwrap().view(5..LEN).unwrap();
            if access == Access::Private {
                view.write(70_000, b"mine").unwrap();
            }
            view.flush(0..view.len_bytes()).unwrap();
            assert_eq!(subject.mapping.read_vec(70_005..70_009).unwrap(), [0; 4]);
            let past = view.flush(1..view.len_bytes() + 2).unwrap_err();
            assert_eq!(past.kind(), ErrorKind::OutOfRange);
        }
    });
}

/// Finds a call that passes an empty range on to the system, which refuses it.
#[test]
fn an_empty_range_is_accepted_anywhere() {
    for subject in [new_file(), temporary(), anonymous(), named()] {
        let name = subject.name;
        for view in [subject.mapping.view(7..7).unwrap(), subject.mapping.view(1..100).unwrap()] {
            view.advise(0..0, Advice::WillNeed).unwrap();
            view.lock(0..0).unwrap_or_else(|error| panic!("{name}: {error}"));
            view.unlock(0..0).unwrap_or_else(|error| panic!("{name}: {error}"));
            let residency = view.residency(0..0).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(residency.pages, 0, "{name}");
        }
        // An empty slice at an odd address, and one without memory.
        for start in [1, LEN] {
            let records = subject.mapping.typed::<u64>(start).unwrap();
            // SAFETY: no other reference to these bytes exists.
            assert!(unsafe { records.slice(0..0) }.unwrap().is_empty(), "{name}");
            // SAFETY: no other reference to these bytes exists.
            assert!(unsafe { records.slice_mut(3..3) }.unwrap().is_empty(), "{name}");
        }
    }
}
