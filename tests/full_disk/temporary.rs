//! A temporary database whose directory has no space left.

use std::process::Stdio;

use super::support::process;
use super::*;

const CHILD: &str = "FLATREC_FULL_DISK_CHILD";

/// Fills the disk that its parent made the directory for temporary files.
#[test]
#[ignore = "the child of the other test"]
fn child() {
    let Ok(filler) = std::env::var(CHILD) else { return };
    let options = DynDatabase::create_options().checkpoint_at(512 << 10);
    let database = options.temporary(&thousand_bytes()).unwrap();
    for each in [7, 1200] {
        let before = database.begin_read().unwrap().count();
        let held = database.begin_read().unwrap();
        let (commits, error) =
            (0..).find_map(|n| append(&database, each).err().map(|error| (n, error))).unwrap();
        assert_eq!(error.kind(), ErrorKind::NoSpace, "{error}");
        assert!(error.to_string().contains("free some space"), "{error}");
        let count = before + commits * each;
        assert!(is_whole(&database, count), "{count} records of {each} each");
        assert!(held.count() == before && held.iter().all(|(id, it)| it == changed(id, 0)));
        drop(held);
        assert_eq!(database.checkpoint().unwrap().held_back(), None);
        assert!(is_whole(&database, count));
        if Path::new(&filler).exists() {
            give_back(Path::new(&filler));
            append(&database, 500).unwrap();
            assert!(is_whole(&database, count + 500));
        }
    }
    database.close().unwrap();
    println!("\n! ended");
}

/// Finds a temporary database that loses a commit on a full disk, or cannot go on with more space.
#[test]
fn a_temporary_database_on_a_full_disk_loses_nothing_and_continues() {
    let Some(disk) = SmallDisk::mount() else { return };
    let filler = disk.path().join("filler");
    drop(Mapping::create_new(&filler, 2 << 20).unwrap());
    let mut command = process::running("temporary::child");
    for variable in ["TMPDIR", "TMP", "TEMP"] {
        command.env(variable, disk.path());
    }
    let ran = command.env(CHILD, &filler).stdout(Stdio::piped()).output().unwrap();
    let said = String::from_utf8_lossy(&ran.stdout);
    assert!(ran.status.success() && said.contains("\n! ended"), "{said}");
}
