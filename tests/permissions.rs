//! Who may use the files that a store makes: nobody who may not use the store.
#![cfg(all(unix, feature = "derive"))]

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Once;

use flatrec::map::{Access, Mapping};
use flatrec::{CopyOptions, Database, Durability, ErrorKind, Record, Store};
use tempfile::TempDir;

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct N {
    n: u64,
}

/// A directory for files that nothing but their makers keeps private.
fn open_handed() -> TempDir {
    static UMASK: Once = Once::new();
    // Of the whole process, and so the same for all tests.
    UMASK.call_once(|| {
        rustix::process::umask(rustix::fs::Mode::empty());
    });
    tempfile::tempdir().unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

fn add(database: &Database<N>, n: u64) {
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&N { n }).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
}

/// A store of one record, and nothing beside it.
fn store_of_mode(path: &Path, mode: u32) {
    let mut store = Store::<N>::create(path).unwrap();
    store.append(&N { n: 1 }).unwrap();
    store.close().unwrap();
    fs::remove_file(beside(path, "-lock")).unwrap();
    chmod(path, mode);
}

#[test]
fn side_files_have_the_permissions_of_the_data() {
    let directory = open_handed();
    for wanted in [0o600, 0o640, 0o660, 0o664, 0o666] {
        let path = directory.path().join(format!("{wanted:o}.rec"));
        store_of_mode(&path, wanted);
        flatrec::rebuild_checksums(&path).unwrap();
        let database = Database::<N>::open(&path).unwrap();
        add(&database, 2);
        for suffix in ["-lock", "-sum", "-wal-1"] {
            assert_eq!(mode(&beside(&path, suffix)), wanted, "{wanted:o}{suffix}");
        }
        database.close().unwrap();
    }
}

#[test]
fn neither_execution_nor_another_user_s_rights_are_handed_on() {
    let directory = open_handed();
    let path = directory.path().join("n.rec");
    store_of_mode(&path, 0o6775);
    Store::<N>::open_read_only(&path).unwrap();
    assert_eq!(mode(&beside(&path, "-lock")), 0o664);
}

#[test]
fn a_new_store_s_files_are_as_open_as_the_store() {
    let directory = open_handed();
    let path = directory.path().join("n.rec");
    let database = Database::<N>::options().checksums().create(&path).unwrap();
    add(&database, 1);
    for suffix in ["", "-lock", "-sum", "-wal-1"] {
        assert_eq!(mode(&beside(&path, suffix)), 0o666, "{suffix}");
    }
}

#[test]
fn side_files_are_narrowed_with_the_data_when_a_writer_comes() {
    let directory = open_handed();
    let path = directory.path().join("n.rec");
    Store::<N>::options().checksums().create(&path).unwrap().close().unwrap();
    chmod(&path, 0o640);
    // A file with another name is perhaps no side file by that.
    let linked = directory.path().join("linked");
    fs::hard_link(beside(&path, "-sum"), &linked).unwrap();
    Store::<N>::open(&path).unwrap().close().unwrap();
    assert_eq!((mode(&beside(&path, "-lock")), mode(&linked)), (0o640, 0o666));
    fs::remove_file(&linked).unwrap();
    Store::<N>::open(&path).unwrap().close().unwrap();
    assert_eq!(mode(&beside(&path, "-sum")), 0o640);
    chmod(&path, 0o666);
    Store::<N>::open(&path).unwrap().close().unwrap();
    assert_eq!(mode(&beside(&path, "-lock")), 0o640, "nothing is ever added");
}

#[test]
fn copies_are_no_more_open_than_the_store() {
    for wanted in [0o600, 0o640, 0o400] {
        let directory = open_handed();
        let at = |name: &str| directory.path().join(name);
        store_of_mode(&at("n.rec"), 0o600);
        flatrec::rebuild_checksums(at("n.rec")).unwrap();
        chmod(&at("n.rec"), wanted);
        flatrec::backup(at("n.rec"), at("backup.rec"), CopyOptions::new()).unwrap();
        let compacted = CopyOptions::new();
        flatrec::compact(at("n.rec"), at("compact.rec"), compacted, &mut |_, _| Ok(())).unwrap();
        let options = flatrec::SalvageOptions::new();
        flatrec::salvage(at("n.rec"), at("salvage.rec"), options).unwrap();
        for name in ["backup.rec", "compact.rec", "salvage.rec"] {
            for suffix in ["", "-lock", "-sum"] {
                let path = beside(&at(name), suffix);
                assert_eq!(mode(&path), wanted | 0o600, "{wanted:o}, {}", path.display());
            }
        }
    }
}

#[test]
fn what_replaces_a_file_is_no_more_open_than_that_was() {
    let directory = open_handed();
    let at = |name: &str| directory.path().join(name);
    store_of_mode(&at("n.rec"), 0o644);
    store_of_mode(&at("old.rec"), 0o660);
    let copied = CopyOptions::new().replace(true);
    flatrec::backup(at("n.rec"), at("old.rec"), copied).unwrap();
    assert_eq!(mode(&at("old.rec")), 0o640, "both must grant it");
    assert_eq!(mode(&at("old.rec-lock")), 0o640);
    store_of_mode(&at("next.rec"), 0o600);
    let next = Store::<N>::options().checksums().create_aside(at("next.rec"), true).unwrap();
    assert_eq!(mode(&at("next.rec-unfinished")), 0o600);
    next.close().unwrap();
    for name in ["next.rec", "next.rec-lock", "next.rec-sum"] {
        assert_eq!(mode(&at(name)), 0o600, "{name}");
    }
}

#[cfg(feature = "exchange")]
#[test]
fn an_export_keeps_the_permissions_of_the_file_that_it_replaces() {
    use flatrec::exchange::{ExportFormat, Exporter};
    let directory = open_handed();
    let out = directory.path().join("n.csv");
    let schema = N::schema().unwrap();
    let export = |replace: bool| {
        let exporter = Exporter::new(&schema, ExportFormat::Csv).replace(replace);
        exporter.export([&[7; 8][..]].into_iter(), &out).unwrap();
    };
    export(false);
    assert_eq!(mode(&out), 0o666, "a file of the user's own");
    chmod(&out, 0o600);
    export(true);
    assert_eq!(mode(&out), 0o600);
}

#[test]
fn a_symbolic_link_in_a_side_file_s_place_is_never_followed() {
    let directory = open_handed();
    let path = directory.path().join("n.rec");
    let target = directory.path().join("target");
    for dangling in [false, true] {
        for suffix in ["-lock", "-sum", "-wal-1"] {
            store_of_mode(&path, 0o644);
            if !dangling {
                fs::write(&target, "three years of work").unwrap();
                chmod(&target, 0o640);
            }
            let link = beside(&path, suffix);
            symlink(&target, &link).unwrap();
            let opened = Database::<N>::open(&path).and_then(|database| {
                let mut transaction = database.begin_write()?;
                transaction.append(&N { n: 2 })?;
                transaction.commit(Durability::Immediate)?;
                database.close()
            });
            // A segment may have any number: one that is taken is gone around.
            match opened {
                Ok(()) => assert_eq!(suffix, "-wal-1"),
                Err(error) => assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}"),
            }
            assert!(link.is_symlink(), "{suffix}");
            if dangling {
                assert!(!target.exists(), "{suffix}");
            } else {
                assert_eq!(fs::read(&target).unwrap(), b"three years of work");
                assert_eq!(mode(&target), 0o640);
            }
            for entry in fs::read_dir(directory.path()).unwrap() {
                fs::remove_file(entry.unwrap().path()).unwrap();
            }
        }
    }
}

/// Memory that others may write is not taken for our own, whoever put it there.
#[cfg(target_os = "linux")]
#[test]
fn named_memory_that_others_may_use_is_refused() {
    let name = format!("flatrec-open-to-all-{}", std::process::id());
    let planted = Path::new("/dev/shm").join(&name);
    open_handed();
    for length in [0, 8192] {
        fs::write(&planted, vec![0; length]).unwrap();
        chmod(&planted, 0o666);
        let refused = [
            Mapping::named(&name, 100, |_| panic!("it is not ours to initialise")).map(drop),
            Mapping::open_named(&name, Access::ReadOnly).map(drop),
            Mapping::remove_named(&name),
        ];
        for refused in refused {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::PermissionDenied);
        }
        assert_eq!(fs::metadata(&planted).unwrap().len(), length as u64);
        fs::remove_file(&planted).unwrap();
    }
    let memory = Mapping::named(&name, 100, |_| Ok(())).unwrap();
    assert_eq!(mode(&planted), 0o600);
    drop(memory);
    assert!(!planted.exists());
    // A link would lead to somebody's file.
    let target = open_handed();
    symlink(target.path().join("target"), &planted).unwrap();
    assert!(Mapping::named(&name, 100, |_| Ok(())).is_err());
    assert!(!target.path().join("target").exists());
    fs::remove_file(&planted).unwrap();
}

/// The users and groups of the tests below, which need no entry anywhere.
const OWNER: u32 = 65_531;
const MEMBER: u32 = 65_532;
const GROUP: u32 = 65_533;

/// A directory that the owner and the group may write in, if we may give files away at all.
fn shared_directory() -> Option<TempDir> {
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root can become another user");
        return None;
    }
    let directory = open_handed();
    let given = chown(directory.path(), Some(OWNER), Some(GROUP));
    chmod(directory.path(), 0o770);
    let runs = as_user(OWNER, "nothing", directory.path());
    if given.is_err() || !runs {
        println!("skipped: this root cannot give files away, or another user cannot run this test");
        return None;
    }
    Some(directory)
}

/// Runs [`another_user`] as that user, of the group `GROUP` alone.
fn as_user(user: u32, action: &str, path: &Path) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "another_user", "--nocapture"]).current_dir("/");
    command.env("FLATREC_TEST_ACTION", action).env("FLATREC_TEST_PATH", path);
    command.uid(user).gid(GROUP).output().is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout);
        if !output.status.success() {
            println!("{user} {action}: {text}{}", String::from_utf8_lossy(&output.stderr));
        }
        output.status.success() && text.contains("done: ")
    })
}

/// What another user does in a process of their own; nothing when it is run as a test.
#[test]
fn another_user() {
    let Ok(action) = std::env::var("FLATREC_TEST_ACTION") else { return };
    let path = PathBuf::from(std::env::var_os("FLATREC_TEST_PATH").unwrap());
    open_handed();
    match action.as_str() {
        "nothing" => {}
        "create" => Store::<N>::options().checksums().create(&path).unwrap().close().unwrap(),
        "read" => drop(Store::<N>::open_read_only(&path).unwrap()),
        "commit" => add(&Database::<N>::open(&path).unwrap(), 1),
        "commit and die" => {
            add(&Database::<N>::open(&path).unwrap(), 1);
            println!("done: {action}");
            std::process::abort();
        }
        other => panic!("{other} is no action"),
    }
    println!("done: {action}");
}

fn whose(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

#[test]
fn what_root_makes_beside_a_user_s_store_is_the_user_s() {
    let Some(directory) = shared_directory() else { return };
    for wanted in [0o600, 0o640, 0o664] {
        let path = directory.path().join(format!("{wanted:o}.rec"));
        assert!(as_user(OWNER, "create", &path));
        chmod(&path, wanted);
        fs::remove_file(beside(&path, "-lock")).unwrap();
        // As one who only looks would.
        Store::<N>::open_read_only(&path).unwrap();
        assert_eq!(whose(&beside(&path, "-lock")), (OWNER, GROUP, wanted));
        assert!(as_user(OWNER, "commit", &path));
        fs::remove_file(beside(&path, "-sum")).unwrap();
        flatrec::rebuild_checksums(&path).unwrap();
        let database = Database::<N>::open(&path).unwrap();
        add(&database, 1);
        for suffix in ["-sum", "-wal-1"] {
            assert_eq!(whose(&beside(&path, suffix)), (OWNER, GROUP, wanted), "{suffix}");
        }
        drop(database);
        assert!(as_user(OWNER, "commit", &path));
    }
}

#[test]
fn what_a_member_of_the_group_makes_is_the_group_s_and_not_more() {
    let Some(directory) = shared_directory() else { return };
    let path = directory.path().join("n.rec");
    assert!(as_user(OWNER, "create", &path));
    fs::remove_file(beside(&path, "-lock")).unwrap();
    chmod(&path, 0o660);
    assert!(as_user(MEMBER, "commit", &path));
    assert_eq!(whose(&beside(&path, "-lock")), (MEMBER, GROUP, 0o660));
    assert!(as_user(OWNER, "commit", &path), "the owner can use what the member made");
    // A store of a group that the member is not in, which grants its group more than others.
    fs::remove_file(beside(&path, "-lock")).unwrap();
    chown(&path, None, Some(0)).unwrap();
    chmod(&path, 0o646);
    assert!(as_user(MEMBER, "commit", &path));
    assert_eq!(whose(&beside(&path, "-lock")), (MEMBER, GROUP, 0o644));
}

#[test]
fn what_root_makes_in_the_place_of_a_user_s_file_stays_the_user_s() {
    let Some(directory) = shared_directory() else { return };
    let at = |name: &str| directory.path().join(name);
    assert!(as_user(OWNER, "create", &at("n.rec")));
    chmod(&at("n.rec"), 0o640);
    Store::<N>::options().create_aside(at("n.rec"), true).unwrap().close().unwrap();
    assert_eq!(whose(&at("n.rec")), (OWNER, GROUP, 0o640));
    flatrec::backup(at("n.rec"), at("backup.rec"), CopyOptions::new()).unwrap();
    assert_eq!(whose(&at("backup.rec")), (0, GROUP, 0o640), "a copy is its maker's");
    assert!(as_user(OWNER, "commit", &at("n.rec")));
}

#[cfg(target_os = "linux")]
#[test]
fn root_does_not_use_a_user_s_named_memory() {
    let Some(_directory) = shared_directory() else { return };
    let name = format!("flatrec-a-user-s-{}", std::process::id());
    let planted = Path::new("/dev/shm").join(&name);
    fs::write(&planted, vec![0; 8192]).unwrap();
    chmod(&planted, 0o600);
    chown(&planted, Some(OWNER), Some(GROUP)).unwrap();
    let refused = Mapping::named(&name, 100, |_| Ok(())).map(drop).unwrap_err();
    fs::remove_file(&planted).unwrap();
    assert_eq!(refused.kind(), ErrorKind::PermissionDenied, "{refused}");
    assert!(refused.to_string().contains("another user"), "{refused}");
}
