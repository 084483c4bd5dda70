//! Locks between two open files of one process, and between processes.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Stdio};

use super::*;

/// Tells the file to lock to the process that [`locks_die_with_their_process`] starts.
const CHILD_FILE: &str = "FLATREC_TEST_LOCK_FILE";

#[test]
fn ranges_exclude_and_share_between_two_open_files() {
    let dir = temp_dir();
    let path = dir.path().join("lock");
    let mine = new_file(&path, 0);
    let theirs = open(&mut File::options(), &path);
    let try_theirs = |start, len, kind| try_lock_range(&theirs, start, len, kind).unwrap();

    assert!(try_lock_range(&mine, 10, 5, LockKind::Exclusive).unwrap());
    assert!(!try_theirs(14, 1, LockKind::Shared));
    assert!(!try_theirs(0, 100, LockKind::Exclusive));
    assert!(try_theirs(0, 10, LockKind::Exclusive), "the bytes before");
    assert!(try_theirs(15, 1 << 20, LockKind::Exclusive), "the bytes after");

    unlock_range(&mine, 10, 5).unwrap();
    assert!(try_theirs(10, 5, LockKind::Shared));
    assert!(try_lock_range(&mine, 10, 5, LockKind::Shared).unwrap(), "shared beside shared");
    assert!(!try_lock_range(&mine, 15, 1, LockKind::Shared).unwrap());
    drop(theirs);
    assert!(eventually(|| try_lock_range(&mine, 15, 1, LockKind::Exclusive).unwrap()));

    unlock_range(&mine, 999, 1).unwrap();
    for refused in [(0, 0), (u64::MAX, 1)] {
        let error = try_lock_range(&mine, refused.0, refused.1, LockKind::Shared).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{refused:?}");
    }
}

#[test]
fn a_clone_keeps_the_lock_of_its_file() {
    let dir = temp_dir();
    let path = dir.path().join("lock");
    let mine = new_file(&path, 0);
    let theirs = open(&mut File::options(), &path);
    assert!(try_lock_range(&mine, 0, 1, LockKind::Exclusive).unwrap());
    let clone = mine.try_clone().unwrap();
    // Closing any other descriptor of the file loses a classic fcntl lock.
    drop(File::open(&path).unwrap());
    drop(mine);
    assert!(!try_lock_range(&theirs, 0, 1, LockKind::Exclusive).unwrap());
    drop(clone);
    assert!(eventually(|| try_lock_range(&theirs, 0, 1, LockKind::Exclusive).unwrap()));
}

#[cfg(unix)]
#[test]
fn a_lock_can_be_raised_and_lowered_in_place() {
    let dir = temp_dir();
    let path = dir.path().join("lock");
    let mine = new_file(&path, 0);
    let theirs = open(&mut File::options(), &path);
    assert!(try_lock_range(&mine, 0, 1, LockKind::Shared).unwrap());
    assert!(try_lock_range(&theirs, 0, 1, LockKind::Shared).unwrap());
    assert!(!try_lock_range(&mine, 0, 1, LockKind::Exclusive).unwrap(), "beside a sharer");
    unlock_range(&theirs, 0, 1).unwrap();
    assert!(try_lock_range(&mine, 0, 1, LockKind::Exclusive).unwrap());
    assert!(!try_lock_range(&theirs, 0, 1, LockKind::Shared).unwrap());
    assert!(try_lock_range(&mine, 0, 1, LockKind::Shared).unwrap());
    assert!(try_lock_range(&theirs, 0, 1, LockKind::Shared).unwrap());
}

#[cfg(unix)]
#[test]
fn an_inode_is_locked_under_all_its_names() {
    let dir = temp_dir();
    let [path, link] = ["f", "link"].map(|name| dir.path().join(name));
    let mine = new_file(&path, 0);
    fs::hard_link(&path, &link).unwrap();
    let theirs = open(&mut File::options(), &link);
    assert!(try_lock_inode(&mine, LockKind::Exclusive).unwrap());
    assert!(!try_lock_inode(&theirs, LockKind::Exclusive).unwrap());
    assert!(!try_lock_inode(&theirs, LockKind::Shared).unwrap());
    if cfg!(target_os = "linux") {
        assert!(try_lock_range(&theirs, 0, 1, LockKind::Exclusive).unwrap(), "another lock");
    }
    unlock_inode(&mine).unwrap();
    assert!(try_lock_inode(&theirs, LockKind::Exclusive).unwrap());
    drop(theirs);
    assert!(eventually(|| try_lock_inode(&mine, LockKind::Exclusive).unwrap()));
}

#[test]
fn locks_die_with_their_process() {
    let dir = temp_dir();
    let path = dir.path().join("lock");
    let file = new_file(&path, 0);
    let Some(mut child) = spawn("child_holds_a_lock", CHILD_FILE, path.as_os_str()) else {
        return;
    };
    assert!(!try_lock_range(&file, 7, 1, LockKind::Exclusive).unwrap(), "the child holds it");
    assert!(try_lock_range(&file, 8, 1, LockKind::Exclusive).unwrap());
    child.0.kill().unwrap();
    child.0.wait().unwrap();
    assert!(eventually(|| try_lock_range(&file, 7, 1, LockKind::Exclusive).unwrap()));
}

#[test]
#[ignore = "is the other process of locks_die_with_their_process"]
fn child_holds_a_lock() {
    let Some(path) = std::env::var_os(CHILD_FILE) else {
        return;
    };
    let file = open(&mut File::options(), Path::new(&path));
    assert!(try_lock_range(&file, 7, 1, LockKind::Exclusive).unwrap());
    ready_until_killed();
}

/// A process that is killed when its test ends, in every case.
pub(super) struct Killed(pub(super) Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // Both fail only for a child that has already been waited for.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Runs the ignored test `name` of this binary as a process of its own and waits until it is ready.
///
/// `None`, with a printed reason, if a test binary cannot run itself (under an emulator).
pub(super) fn spawn(name: &str, variable: &str, value: &std::ffi::OsStr) -> Option<Killed> {
    let program = std::env::current_exe().unwrap();
    let listed = Command::new(&program).args(["--list", "--ignored", name]).output();
    if !listed.as_ref().is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains(name)) {
        skip!("this program cannot start itself: {listed:?}");
        return None;
    }
    let mut command = Command::new(&program);
    command.args(["--ignored", "--nocapture", "--test-threads=1", name]).env(variable, value);
    let spawned = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut child = Killed(spawned.unwrap());
    let output = BufReader::new(child.0.stdout.take().unwrap());
    let ready = output.lines().any(|line| line.unwrap().contains(READY));
    assert!(ready, "{name} ended before it was ready");
    Some(child)
}

const READY: &str = "the child is ready";

/// Tells the parent that the child is ready, and waits until it is killed or the parent is gone.
pub(super) fn ready_until_killed() {
    println!("{READY}");
    let _ = std::io::stdin().read(&mut [0]);
}
