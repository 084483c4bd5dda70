//! What only Linux can show: full and odd file systems, mounted for the test, and truncated maps.

use std::path::PathBuf;
use std::process::Command;

use super::super::unix;
use super::*;

/// A file system mounted in a folder of its own, unmounted at the end.
struct Mounted {
    dir: Option<tempfile::TempDir>,
}

impl Mounted {
    /// `None`, with a printed reason, if mounting is not allowed.
    fn new(kind: &str, options: &str) -> Option<Self> {
        let dir = temp_dir();
        let mut mount = Command::new("mount");
        mount.args(["-t", kind, "-o", options, "flatrec-test"]).arg(dir.path());
        match mount.output() {
            Ok(output) if output.status.success() => Some(Self { dir: Some(dir) }),
            Ok(output) => {
                skip!("mount: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                skip!("mount: {error}");
                None
            }
        }
    }

    fn join(&self, name: &str) -> PathBuf {
        self.path().join(name)
    }

    fn path(&self) -> &Path {
        self.dir.as_ref().unwrap().path()
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        let unmounted = Command::new("umount").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            // Left alone: removing the folder would remove the mounted files.
            let _ = self.dir.take().map(tempfile::TempDir::keep);
        }
    }
}

#[test]
fn a_full_disk_is_an_error_of_preallocation_which_is_then_undone() {
    let Some(mounted) = Mounted::new("tmpfs", "size=8m") else { return };
    let file = new_file(&mounted.join("f"), 0);
    assert_eq!(file_system(&file).unwrap(), FileSystemKind::Memory("tmpfs".into()));
    assert_eq!(preallocate(&file, 0, 3 << 20).unwrap(), Preallocated::Blocks);
    let before = allocated_bytes(&file).unwrap();

    let error = preallocate(&file, 3 << 20, 64 << 20).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.metadata().unwrap().len(), 3 << 20, "as long as before");
    assert_eq!(allocated_bytes(&file).unwrap(), before, "and no larger");
    assert_eq!(preallocate(&file, 3 << 20, 7 << 20).unwrap(), Preallocated::Blocks);
}

#[test]
fn a_failed_preallocation_on_ext4_gives_its_blocks_back() {
    let dir = temp_dir();
    let image = dir.path().join("image");
    new_file(&image, 16 << 20);
    let made = Command::new("mkfs.ext4").arg("-q").arg(&image).status();
    if !made.as_ref().is_ok_and(|status| status.success()) {
        skip!("mkfs.ext4: {made:?}");
        return;
    }
    let mounted = temp_dir();
    let mount = Command::new("mount").args(["-o", "loop"]).arg(&image).arg(mounted.path()).output();
    if !mount.as_ref().is_ok_and(|output| output.status.success()) {
        skip!("mount -o loop: {mount:?}");
        return;
    }
    let mounted = Mounted { dir: Some(mounted) };
    let file = new_file(&mounted.join("f"), 0);
    write_all_at(&file, 0, b"kept").unwrap();
    let error = preallocate(&file, 4, 64 << 20).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    assert_eq!(file.metadata().unwrap().len(), 4);
    assert!(allocated_bytes(&file).unwrap() <= 64 << 10);
}

#[test]
fn without_fallocate_only_the_length_grows() {
    let Some(mounted) = Mounted::new("ramfs", "mode=700") else { return };
    let file = new_file(&mounted.join("f"), 0);
    assert_eq!(file_system(&file).unwrap().to_string(), "ramfs (memory)");
    assert_eq!(preallocate(&file, 0, 1 << 20).unwrap(), Preallocated::LengthOnly);
    assert_eq!(file.metadata().unwrap().len(), 1 << 20);
}

#[test]
fn renames_and_temporary_files_work_where_the_system_lacks_the_newer_calls() {
    let dir = temp_dir();
    let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
    fs::write(&a, "a").unwrap();
    fs::write(&b, "b").unwrap();
    let error = unix::link_new(&a, &b).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    fs::remove_file(&b).unwrap();
    unix::link_new(&a, &b).unwrap();
    assert_eq!(names_in(dir.path()), ["b"]);
    assert_eq!(fs::read(&b).unwrap(), b"a");
    fs::remove_file(&b).unwrap();

    let file = unix::create_and_unlink(dir.path()).unwrap();
    write_all_at(&file, 0, b"x").unwrap();
    assert!(names_in(dir.path()).is_empty());
}

/// Whether the kernel looks at advice at all; prints a reason if not. An emulator of another
/// processor (qemu) accepts all advice and does nothing.
fn advice_is_heeded() -> bool {
    const NONSENSE: libc::c_int = 12_345;
    // SAFETY: a range of no bytes holds nothing that could be changed.
    let refused = unsafe { libc::madvise(std::ptr::null_mut(), 0, NONSENSE) } == -1;
    if !refused {
        skip!("advice that does not exist is accepted (an emulator)");
    }
    refused
}

#[test]
fn populating_reports_what_a_touch_would_die_of() {
    if !advice_is_heeded() {
        return;
    }
    let dir = temp_dir();
    let file = new_file(&dir.path().join("f"), 64 << 10);
    // SAFETY: the file is private to this test, and the map is not read past what is left of it.
    let mut map = unsafe { MmapOptions::new().map_mut(&file) }.unwrap();
    let address = map.as_mut_ptr();
    // SAFETY: the range is the map's own, which outlives the call; so below.
    let whole = unsafe { advise(address, 64 << 10, Advice::PopulateWrite) }.unwrap();
    if whole != Advised::Done {
        skip!("this kernel cannot populate");
        return;
    }
    file.set_len(4096).unwrap();
    for advice in [Advice::PopulateRead, Advice::PopulateWrite] {
        // SAFETY: as above.
        let error = unsafe { advise(address, 64 << 10, advice) }.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EFAULT), "{advice:?}");
        // SAFETY: as above.
        unsafe { advise(address, 100, advice) }.unwrap();
    }
    // SAFETY: the file is private to this test.
    let read_only = unsafe { MmapOptions::new().len(4096).map(&file) }.unwrap();
    let address = read_only.as_ptr().cast_mut();
    // SAFETY: as above.
    let error = unsafe { advise(address, 4096, Advice::PopulateWrite) }.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EINVAL), "a read-only view");
}

#[test]
fn a_full_disk_shows_when_a_hole_is_populated_for_writing() {
    if !advice_is_heeded() {
        return;
    }
    let Some(mounted) = Mounted::new("tmpfs", "size=1m") else { return };
    let file = new_file(&mounted.join("f"), 4 << 20);
    // SAFETY: the file is private to this test, and the map is not touched.
    let mut map = unsafe { MmapOptions::new().map_mut(&file) }.unwrap();
    // SAFETY: the range is the map's own, which outlives the call.
    let error = unsafe { advise(map.as_mut_ptr(), 4 << 20, Advice::PopulateWrite) }.unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EFAULT));
}

#[test]
fn pages_that_are_not_needed_leave_memory() {
    const LEN_BYTES: usize = 4 << 20;
    if !advice_is_heeded() {
        return;
    }
    let dir = temp_dir();
    let file = new_file(&dir.path().join("f"), 0);
    if !matches!(file_system(&file).unwrap(), FileSystemKind::Local(_)) {
        skip!("the temporary directory is not on a disk");
        return;
    }
    // Small writes make small folios: the kernel evicts no page of a folio that straddles two page
    // tables.
    for offset in (0..LEN_BYTES as u64).step_by(64 << 10) {
        write_all_at(&file, offset, &[7; 64 << 10]).unwrap();
    }
    sync_full(&file).unwrap();
    // SAFETY: the file is private to this test.
    let mut map = unsafe { MmapOptions::new().map_mut(&file) }.unwrap();
    assert!(map.iter().all(|byte| *byte == 7));
    let address = map.as_mut_ptr();
    // SAFETY: the range is the map's own, which outlives the call; so below.
    let before = unsafe { residency(address, LEN_BYTES) }.unwrap();
    assert_eq!(before.fraction(), 1.0);
    // SAFETY: as above.
    assert_eq!(unsafe { advise(address, LEN_BYTES, Advice::DontNeed) }.unwrap(), Advised::Done);
    // SAFETY: as above.
    let after = unsafe { residency(address, LEN_BYTES) }.unwrap();
    assert!(after.fraction() < 0.5, "{after:?}");
    assert!(map.iter().all(|byte| *byte == 7), "read back");
}
