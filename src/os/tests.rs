//! What every system must do; tests for Linux only are in `tests/linux.rs`.

#[cfg(target_os = "linux")]
mod linux;
mod locks;
mod sections;

use super::*;
use std::fs;
use std::path::Path;

use memmap2::{MmapMut, MmapOptions};

use super::skip::skip;

/// A new file of `len_bytes` zeros, open for both.
fn new_file(path: &Path, len_bytes: u64) -> File {
    let file = open(File::options().create_new(true), path);
    file.set_len(len_bytes).unwrap();
    file
}

fn open(options: &mut fs::OpenOptions, path: &Path) -> File {
    options.read(true).write(true).open(path).unwrap()
}

fn temp_dir() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn names_in(dir: &Path) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect();
    names.sort();
    names
}

/// Reads exactly `into.len()` bytes at `offset`.
///
/// Fails with [`io::ErrorKind::UnexpectedEof`] when the file ends before; what `into` then holds
/// is unspecified.
fn read_exact_at(file: &File, offset: u64, into: &mut [u8]) -> io::Result<()> {
    let mut done = 0;
    while done < into.len() {
        let position = offset.checked_add(done as u64).ok_or(io::ErrorKind::InvalidInput)?;
        match read_at(file, position, &mut into[done..])? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => done += read,
        }
    }
    Ok(())
}

/// Whether `holds` becomes true within ten seconds.
///
/// The lock of a closed file may live a moment longer than the file: a process that another test is
/// starting has a copy of every open file between its fork and its exec.
fn eventually(mut holds: impl FnMut() -> bool) -> bool {
    let start = std::time::Instant::now();
    while !holds() {
        if start.elapsed() > std::time::Duration::from_secs(10) {
            return false;
        }
        std::thread::yield_now();
    }
    true
}

#[test]
fn granularity_is_whole_pages() {
    assert!(page_size_bytes() >= 4096);
    assert!(allocation_granularity_bytes() >= page_size_bytes());
    if cfg!(windows) {
        assert_eq!(allocation_granularity_bytes(), 64 << 10);
    }
}

#[test]
fn pages_of_a_range_are_those_that_it_touches() {
    assert_eq!(pages_of(4096, 4096, 4096), Some((4096, 4096)));
    assert_eq!(pages_of(4097, 4096, 4096), Some((4096, 8192)));
    assert_eq!(pages_of(8191, 2, 4096), Some((4096, 8192)));
    assert_eq!(pages_of(8191, 0, 4096), Some((4096, 0)));
    assert_eq!(pages_of(usize::MAX - 10, 10, 4096), None);
    assert_eq!(pages_of(usize::MAX, 1, 4096), None);
}

#[test]
fn reads_and_writes_go_where_they_say() {
    let dir = temp_dir();
    let file = new_file(&dir.path().join("f"), 0);
    write_all_at(&file, 10, b"abcdef").unwrap();
    let mut bytes = [9; 8];
    read_exact_at(&file, 8, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0\0abcdef");

    assert_eq!(read_at(&file, 14, &mut bytes).unwrap(), 2, "the rest of the file");
    assert_eq!(read_at(&file, 16, &mut bytes).unwrap(), 0, "the end");
    assert_eq!(read_at(&file, 1 << 40, &mut bytes).unwrap(), 0, "past the end");
    let error = read_exact_at(&file, 14, &mut bytes).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof);
    assert!(read_exact_at(&file, u64::MAX, &mut bytes).is_err());
    assert!(write_all_at(&file, u64::MAX, b"x").is_err());
    assert_eq!(file.metadata().unwrap().len(), 16);
}

#[test]
fn preallocation_lengthens_keeps_and_refuses_to_shorten() {
    let dir = temp_dir();
    let file = new_file(&dir.path().join("f"), 0);
    write_all_at(&file, 0, b"kept").unwrap();
    let first = preallocate(&file, 4, 100_000).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 100_000);
    if first == Preallocated::Blocks {
        assert!(allocated_bytes(&file).unwrap() >= 100_000);
    }
    preallocate(&file, 100_000, 100_000).unwrap();
    preallocate(&file, 100_000, 3_000_000).unwrap();
    assert_eq!(file.metadata().unwrap().len(), 3_000_000);
    let error = preallocate(&file, 3_000_000, 2_000_000).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::InvalidInput);
    assert_eq!(file.metadata().unwrap().len(), 3_000_000);

    let mut head = [1; 8];
    read_exact_at(&file, 0, &mut head).unwrap();
    assert_eq!(&head, b"kept\0\0\0\0");
    sync_data(&file).unwrap();
    sync_full(&file).unwrap();
}

#[test]
fn a_preallocation_that_no_disk_can_hold_leaves_the_file_as_it_was() {
    let dir = temp_dir();
    let file = new_file(&dir.path().join("f"), 0);
    write_all_at(&file, 0, b"kept").unwrap();
    // 2^62 bytes: more than any file system takes, whether it says so as "too large" or "full".
    preallocate(&file, 4, 1 << 62).unwrap_err();
    assert_eq!(file.metadata().unwrap().len(), 4);
}

#[test]
fn replace_replaces_and_rename_new_does_not() {
    let dir = temp_dir();
    let [a, b, c] = ["a", "b", "c"].map(|name| dir.path().join(name));
    fs::write(&a, "a").unwrap();
    fs::write(&b, "b").unwrap();

    let error = rename_new(&a, &b).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(fs::read(&a).unwrap(), b"a");
    assert_eq!(fs::read(&b).unwrap(), b"b");

    replace(&a, &b).unwrap();
    assert_eq!(fs::read(&b).unwrap(), b"a");
    rename_new(&b, &c).unwrap();
    assert_eq!(names_in(dir.path()), ["c"]);
    assert_eq!(rename_new(&a, &b).unwrap_err().kind(), io::ErrorKind::NotFound);
    sync_directory(dir.path()).unwrap();
    sync_directory(Path::new("")).unwrap();
}

#[test]
fn a_temporary_file_works_and_is_gone_when_closed() {
    let dir = temp_dir();
    let file = open_temporary(dir.path()).unwrap();
    write_all_at(&file, 5, b"x").unwrap();
    let mut bytes = [1; 6];
    read_exact_at(&file, 0, &mut bytes).unwrap();
    assert_eq!(&bytes, b"\0\0\0\0\0x");
    if cfg!(unix) {
        assert!(names_in(dir.path()).is_empty(), "it has no name");
    }
    let other = open_temporary(dir.path()).unwrap();
    assert_ne!(file_identity(&file).unwrap(), file_identity(&other).unwrap());
    drop((file, other));
    assert!(names_in(dir.path()).is_empty());

    let missing = dir.path().join("missing");
    assert_eq!(open_temporary(&missing).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn identity_is_the_files_and_not_its_names() {
    let dir = temp_dir();
    let [a, b, link] = ["a", "b", "link"].map(|name| dir.path().join(name));
    let (a_file, b_file) = (new_file(&a, 0), new_file(&b, 0));
    fs::hard_link(&a, &link).unwrap();
    let again = File::open(&link).unwrap();
    assert_eq!(file_identity(&a_file).unwrap(), file_identity(&again).unwrap());
    assert_ne!(file_identity(&a_file).unwrap(), file_identity(&b_file).unwrap());
}

#[test]
fn the_file_system_of_a_temporary_file_has_a_name() {
    let file = tempfile::tempfile().unwrap();
    let kind = file_system(&file).unwrap();
    assert!(!kind.name().is_empty());
    // A name of letters: a number would mean that the table lacks a common file system.
    assert!(!matches!(kind, FileSystemKind::Unknown(_)), "{kind}");
}

const LEN_BYTES: usize = 16 << 20;

/// Memory whose every page has been written.
fn touched_memory() -> MmapMut {
    let mut map = MmapMut::map_anon(LEN_BYTES).unwrap();
    map.iter_mut().step_by(page_size_bytes()).for_each(|byte| *byte = 1);
    map
}

#[test]
fn faults_are_counted() {
    let before = process_faults().unwrap();
    let thread_before = thread_faults();
    drop(touched_memory());
    let faults = process_faults().unwrap().since(before);
    if cfg!(windows) && before.minor == 0 {
        skip!("this system does not count faults (Wine)");
        return;
    }
    assert!(faults.minor + faults.major > 0, "{faults:?}");
    assert_eq!(thread_before.is_some(), cfg!(target_os = "linux"));
    if let Some(thread_before) = thread_before {
        let faults = thread_faults().unwrap().since(thread_before);
        assert!(faults.minor + faults.major > 0, "{faults:?}");
    }
}

#[test]
fn touched_memory_is_resident() {
    let map = touched_memory();
    // SAFETY: the range is the map's own, which outlives the call.
    let residency = unsafe { residency(map.as_ptr(), LEN_BYTES) }.unwrap();
    let expected_pages = (LEN_BYTES / page_size_bytes()) as u64;
    assert_eq!(residency.pages, expected_pages);
    assert_eq!(residency.resident_pages, expected_pages);
    // SAFETY: as above.
    let one = unsafe { super::residency(map.as_ptr().wrapping_add(4095), 2) }.unwrap();
    assert_eq!(one.pages, if page_size_bytes() == 4096 { 2 } else { 1 });
    // SAFETY: as above; no bytes.
    let none = unsafe { super::residency(map.as_ptr(), 0) }.unwrap();
    assert_eq!((none.pages, none.fraction()), (0, 1.0));
}

#[test]
fn advice_never_changes_what_a_private_page_holds() {
    let mut map = MmapMut::map_anon(1 << 20).unwrap();
    map.fill(7);
    let advices = [
        Advice::Normal,
        Advice::Sequential,
        Advice::Random,
        Advice::WillNeed,
        Advice::DontNeed,
        Advice::PopulateRead,
        Advice::PopulateWrite,
    ];
    for advice in advices {
        // An odd range: it is widened to whole pages inside the map.
        let address = map.as_mut_ptr().wrapping_add(1);
        // SAFETY: the range is the map's own, which outlives the call.
        let advised = unsafe { advise(address, (1 << 20) - 2, advice) }.unwrap();
        if cfg!(target_os = "linux") {
            assert_ne!(advised, Advised::Unsupported, "{advice:?}");
        }
        assert!(map.iter().all(|byte| *byte == 7), "{advice:?}");
    }
}

#[test]
fn memory_can_be_locked_and_unlocked() {
    let dir = temp_dir();
    let file = new_file(&dir.path().join("f"), 64 << 10);
    // SAFETY: the file is private to this test.
    let map = unsafe { MmapOptions::new().map(&file) }.unwrap();
    // SAFETY: the range is the map's own, which outlives the call.
    unsafe { lock_memory(map.as_ptr().wrapping_add(100), 10_000) }.unwrap();
    // SAFETY: as above.
    let locked = unsafe { residency(map.as_ptr(), 10_100) }.unwrap();
    assert_eq!(locked.resident_pages, locked.pages);
    // SAFETY: as above.
    unsafe { unlock_memory(map.as_ptr().wrapping_add(100), 10_000) }.unwrap();
}
