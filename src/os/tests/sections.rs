//! Named shared memory, as two handles and as two processes see it.

use std::borrow::BorrowMut;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use super::locks::{ready_until_killed, spawn};
use super::*;

/// Tells the section to the process that [`an_initialiser_that_dies_lets_the_next_one_in`] starts.
const CHILD_SECTION: &str = "FLATREC_TEST_SECTION";

/// A name of this test's own, removed when it ends.
struct Name(String);

impl Name {
    fn new(of: &str) -> Self {
        Self(format!("flatrec-test-{of}{}", unlikely_name().replace(".flatrec", "")))
    }
}

impl Drop for Name {
    fn drop(&mut self) {
        NamedSection::remove(&self.0).unwrap();
    }
}

/// Copies `bytes` to the start of the view.
fn put(view: &mut SectionView, bytes: &[u8]) {
    assert!(bytes.len() <= view.len_bytes());
    // SAFETY: the source is a slice, the target as many bytes of a view mapped for writing
    // (asserted above), which overlap nothing; the other handles of these tests wait during the
    // copy.
    unsafe { view.as_mut_ptr().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
}

/// The first `N` bytes of the view.
fn take<const N: usize>(mut view: impl BorrowMut<SectionView>) -> [u8; N] {
    let view = view.borrow_mut();
    assert!(N <= view.len_bytes());
    // SAFETY: N bytes of a mapped view (asserted above), and an array needs no alignment.
    unsafe { view.as_mut_ptr().cast::<[u8; N]>().read() }
}

#[test]
fn two_handles_see_one_memory() {
    let name = Name::new("two");
    assert_eq!(NamedSection::open(&name.0).unwrap_err().kind(), io::ErrorKind::NotFound);
    let (mine, created) = NamedSection::open_or_create(&name.0, 100_001).unwrap();
    assert!(created);
    assert!(mine.len_bytes() >= 100_001);
    assert_eq!(mine.len_bytes() % page_size_bytes() as u64, 0);
    let (theirs, created) = NamedSection::open_or_create(&name.0, 7).unwrap();
    assert!(!created);
    assert_eq!(theirs.len_bytes(), mine.len_bytes(), "an existing section keeps its size");

    let whole = usize::try_from(mine.len_bytes()).unwrap();
    let mut view = mine.view(0, whole, true).unwrap();
    assert_eq!(take(&mut view), [0_u8; 100_001]);
    put(&mut view, b"here");
    assert_eq!(&take::<4>(theirs.view(0, 4, false).unwrap()), b"here");
    // Any offset works, not only multiples of the system's granularity.
    let mut inner = NamedSection::open(&name.0).unwrap().view(70_001, 10, true).unwrap();
    assert_eq!(inner.len_bytes(), 10);
    put(&mut inner, b"there");
    drop(inner);
    assert_eq!(&take::<5>(theirs.view(70_001, 5, false).unwrap()), b"there");
}

#[test]
fn a_private_view_keeps_its_changes_to_itself() {
    let name = Name::new("private");
    let (section, _) = NamedSection::open_or_create(&name.0, 4096).unwrap();
    let mut shared = section.view(0, 4096, true).unwrap();
    let mut private = section.view_private(0, 4096).unwrap();
    put(&mut shared, b"shared");
    put(&mut private, b"mine");
    assert_eq!(&take::<6>(&mut shared), b"shared");
    assert_eq!(&take::<4>(&mut private), b"mine");
}

#[test]
fn a_removed_name_makes_a_new_section_when_the_last_handle_is_gone() {
    let name = Name::new("removed");
    let (section, _) = NamedSection::open_or_create(&name.0, 4096).unwrap();
    let mut view = section.view(0, 4096, true).unwrap();
    put(&mut view, b"old");
    NamedSection::remove(&name.0).unwrap();
    assert_eq!(&take::<3>(&mut view), b"old", "the handle keeps it");
    drop((view, section));
    let (section, created) = NamedSection::open_or_create(&name.0, 4096).unwrap();
    assert!(created);
    assert_eq!(&take::<3>(section.view(0, 3, false).unwrap()), b"\0\0\0");
    NamedSection::remove(&name.0).unwrap();
    NamedSection::remove(&name.0).unwrap();
}

#[test]
fn views_outside_and_names_outside_the_rules_are_refused() {
    let name = Name::new("refused");
    let (section, _) = NamedSection::open_or_create(&name.0, 4096).unwrap();
    let len_bytes = section.len_bytes();
    for (offset, len) in [(0, 0), (len_bytes, 1), (len_bytes - 1, 2), (u64::MAX, 2)] {
        let error = section.view(offset, len, false).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{offset} + {len}");
    }
    for len in [0, u64::MAX] {
        let error = NamedSection::open_or_create("ok", len).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{len}");
    }
    let long = "n".repeat(201);
    for bad_name in ["", ".", "..", "../x", "/x", "a/b", ".x", "a b", "a\0", "\u{e9}", "a:b", &long]
    {
        let refused = [
            NamedSection::open_or_create(bad_name, 1).map(drop),
            NamedSection::open(bad_name).map(drop),
            NamedSection::remove(bad_name),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::InvalidInput, "{bad_name:?}");
        }
    }
    let absent = NamedSection::open(&long[1..]).unwrap_err();
    assert_eq!(absent.kind(), io::ErrorKind::NotFound);
}

#[test]
fn one_of_many_openers_creates_the_section() {
    let name = Name::new("race");
    let barrier = std::sync::Barrier::new(8);
    let open = || {
        barrier.wait();
        NamedSection::open_or_create(&name.0, 8192).unwrap()
    };
    let opened: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(opened.iter().filter(|(_, created)| *created).count(), 1);
    assert!(opened.iter().all(|(section, _)| section.len_bytes() == 8192));
}

#[test]
fn one_at_a_time_holds_the_lock() {
    let name = Name::new("lock");
    let (_section, _) = NamedSection::open_or_create(&name.0, 4096).unwrap();
    let inside = AtomicBool::new(false);
    let enter_often = || {
        let section = NamedSection::open(&name.0).unwrap();
        for _ in 0..200 {
            let guard = section.lock_initialisation().unwrap();
            assert!(!inside.swap(true, Ordering::Relaxed), "another is inside");
            thread::yield_now();
            inside.store(false, Ordering::Relaxed);
            drop(guard);
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(enter_often))));
}

#[test]
fn an_initialiser_that_dies_lets_the_next_one_in() {
    let name = Name::new("dies");
    let (section, created) = NamedSection::open_or_create(&name.0, 4096).unwrap();
    assert!(created);
    let Some(mut child) = spawn("child_locks_a_section", CHILD_SECTION, name.0.as_ref()) else {
        return;
    };
    assert_eq!(&take::<9>(section.view(0, 9, false).unwrap()), b"half-done");
    child.0.kill().unwrap();
    drop(section.lock_initialisation().unwrap());
}

#[test]
#[ignore = "is the other process of an_initialiser_that_dies_lets_the_next_one_in"]
fn child_locks_a_section() {
    let Ok(name) = std::env::var(CHILD_SECTION) else {
        return;
    };
    let section = NamedSection::open(&name).unwrap();
    let _guard = section.lock_initialisation().unwrap();
    put(&mut section.view(0, 4096, true).unwrap(), b"half-done");
    ready_until_killed();
}
