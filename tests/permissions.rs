//! Permissions of the files that a store makes: they admit only users that may use the store.
#![cfg(all(unix, feature = "derive"))]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use flatrec::map::{Access, Mapping};
use flatrec::{
    CompactOptions, CopyOptions, Database, Durability, DynStore, ErrorKind, Record, Store,
    VerifyOptions,
};
use support::files::beside;
use support::numbered::{N, add};
use support::process;
use support::skip::skip;
use tempfile::TempDir;

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
    let database = Database::<N>::create_options().checksums(true).create(&path).unwrap();
    add(&database, 1);
    for suffix in ["", "-lock", "-sum", "-wal-1"] {
        assert_eq!(mode(&beside(&path, suffix)), 0o666, "{suffix}");
    }
}

#[test]
fn side_files_are_narrowed_with_the_data_when_a_writer_comes() {
    let directory = open_handed();
    let path = directory.path().join("n.rec");
    Store::<N>::create_options().checksums(true).create(&path).unwrap().close().unwrap();
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
fn copies_have_at_most_the_permissions_of_the_store() {
    for wanted in [0o600, 0o640, 0o400] {
        let directory = open_handed();
        let at = |name: &str| directory.path().join(name);
        store_of_mode(&at("n.rec"), 0o600);
        flatrec::rebuild_checksums(at("n.rec")).unwrap();
        chmod(&at("n.rec"), wanted);
        flatrec::backup(at("n.rec"), at("backup.rec"), CopyOptions::new()).unwrap();
        let compacted = CopyOptions::new();
        flatrec::compact(at("n.rec"), at("compact.rec"), CompactOptions::from(compacted)).unwrap();
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
    let next =
        Store::<N>::create_options().checksums(true).create_aside(at("next.rec"), true).unwrap();
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

/// Memory that other users may write is not used as ours, whichever user made it.
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
    // A link would lead to another user's file.
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
const STRANGER: u32 = 65_530;

/// A directory that the owner and the group may write in, if we may give files away at all.
fn shared_directory() -> Option<TempDir> {
    if !rustix::process::geteuid().is_root() {
        skip!("only root can become another user");
        return None;
    }
    let directory = open_handed();
    let given = chown(directory.path(), Some(OWNER), Some(GROUP));
    chmod(directory.path(), 0o770);
    let runs = as_user(OWNER, "nothing", directory.path());
    if given.is_err() || !runs {
        skip!("this root cannot give files away, or another user cannot run this test");
        return None;
    }
    Some(directory)
}

/// Runs [`another_user`] as that user, of the group `GROUP` alone; a stranger is in none of that.
fn as_user(user: u32, action: &str, path: &Path) -> bool {
    let group = if user == STRANGER { STRANGER } else { GROUP };
    let mut command = process::running("another_user");
    command.current_dir("/").env("FLATREC_TEST_ACTION", action).env("FLATREC_TEST_PATH", path);
    command.uid(user).gid(group).output().is_ok_and(|output| {
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
        "create" => {
            Store::<N>::create_options().checksums(true).create(&path).unwrap().close().unwrap()
        }
        "read" => drop(Store::<N>::open_read_only(&path).unwrap()),
        "plant" => {
            fs::write(&path, std::env::var("FLATREC_TEST_BYTES").unwrap_or_default()).unwrap();
            chmod(&path, 0o666);
        }
        "be refused" => {
            rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o022));
            be_refused(&path);
        }
        "commit" => add(&Database::<N>::open(&path).unwrap(), 1),
        "commit and die" => {
            let database = Database::<N>::open(&path).unwrap();
            add(&database, 1);
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
        // As a reader would.
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
    Store::<N>::create_options().create_aside(at("n.rec"), true).unwrap().close().unwrap();
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

/// Nothing of a store beside which another user has put a lock file is used.
fn be_refused(path: &Path) {
    let opened = [
        ("create", Store::<N>::create(path).map(drop)),
        ("open", Store::<N>::open(path).map(drop)),
        ("read", Store::<N>::open_read_only(path).map(drop)),
        ("database", Database::<N>::open(path).map(drop)),
        ("reader", Database::<N>::open_read_only(path).map(drop)),
        ("verify", flatrec::verify(path, VerifyOptions::new()).map(drop)),
        ("mapping", Mapping::open_or_create(path, 100, |_| Ok(())).map(drop)),
    ];
    let there = path.exists();
    for (way, opened) in opened {
        let error = opened.expect_err(way);
        match error.kind() {
            ErrorKind::AlreadyExists if there && way == "create" => {}
            ErrorKind::NotFound if !there => {}
            kind => assert_eq!(kind, ErrorKind::PermissionDenied, "{way}: {error}"),
        }
    }
    assert_eq!(path.exists(), there);
}

/// A directory in which all may make files, and remove no others' files.
fn sticky_directory() -> Option<TempDir> {
    let directory = shared_directory()?;
    chown(directory.path(), Some(0), Some(0)).unwrap();
    chmod(directory.path(), 0o1777);
    Some(directory)
}

/// A user who could not open the store made its lock file, and by wiping that let the owner's
/// writer change what the owner's reader lent; cutting it ended the reader by a signal.
#[test]
fn a_lock_file_that_a_stranger_has_made_is_refused() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    let lock = beside(&path, "-lock");
    assert!(as_user(STRANGER, "plant", &lock));
    assert!(as_user(OWNER, "be refused", &path), "there is no store yet");
    fs::remove_file(&lock).unwrap();
    assert!(as_user(OWNER, "create", &path));
    let used = fs::read(&lock).unwrap();
    for (mode, setgid) in [(0o600, false), (0o644, false), (0o660, true)] {
        chmod(&path, mode);
        if setgid {
            // New files there get the group of the directory, whichever user makes them.
            chown(directory.path(), None, Some(GROUP)).unwrap();
            chmod(directory.path(), 0o3777);
        }
        for bytes in [&[][..], &[0; 8192], &used] {
            fs::remove_file(&lock).unwrap();
            assert!(as_user(STRANGER, "plant", &lock));
            fs::write(&lock, bytes).unwrap();
            chmod(&lock, 0o666);
            assert_eq!(whose(&lock).1, if setgid { GROUP } else { STRANGER });
            for user in [OWNER, 0] {
                match user {
                    0 => be_refused(&path),
                    _ => assert!(as_user(user, "be refused", &path), "{mode:o}"),
                }
                assert_eq!(fs::read(&lock).unwrap(), bytes);
                assert_eq!(whose(&lock).2, 0o666);
            }
        }
    }
    fs::remove_file(&lock).unwrap();
    assert!(as_user(OWNER, "commit", &path));
}

/// What members of the group make is the group's, in a directory of any kind.
#[test]
fn a_lock_file_that_a_member_of_the_group_has_made_is_taken() {
    for sticky in [true, false] {
        let Some(directory) = (if sticky { sticky_directory() } else { shared_directory() }) else {
            return;
        };
        let path = directory.path().join("n.rec");
        assert!(as_user(OWNER, "create", &path));
        chmod(&path, 0o660);
        fs::remove_file(beside(&path, "-lock")).unwrap();
        assert!(as_user(MEMBER, "commit", &path));
        assert_eq!(whose(&beside(&path, "-lock")), (MEMBER, GROUP, 0o660));
        assert!(as_user(OWNER, "commit", &path), "sticky: {sticky}");
        Store::<N>::open(&path).unwrap();
        // Once the group may not write the data, its members are strangers to it.
        chmod(&path, 0o640);
        assert!(as_user(OWNER, "be refused", &path), "sticky: {sticky}");
    }
}

/// Permissions that were taken from the store are taken from its lock file before it is believed,
/// by its owner and by root; another user cannot, and is refused.
#[test]
fn a_lock_file_that_is_more_open_than_the_store_is_narrowed_or_refused() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    let lock = beside(&path, "-lock");
    assert!(as_user(OWNER, "create", &path));
    for user in [OWNER, 0] {
        for action in ["read", "commit"] {
            chmod(&path, 0o640);
            chmod(&lock, 0o666);
            match (user, action) {
                (0, "read") => drop(Store::<N>::open_read_only(&path).unwrap()),
                (0, _) => add(&Database::<N>::open(&path).unwrap(), 1),
                _ => assert!(as_user(user, action, &path)),
            }
            assert_eq!(whose(&lock), (OWNER, GROUP, 0o640), "{user} {action}");
        }
    }
    chmod(&lock, 0o666);
    let error = as_user(MEMBER, "read", &path);
    assert!(!error, "a lock file that all may write was believed");
    chmod(&lock, 0o640);
    assert!(as_user(MEMBER, "read", &path));
    // One with another name cannot be narrowed: that may be no lock file by there.
    chmod(&lock, 0o666);
    fs::hard_link(&lock, directory.path().join("linked")).unwrap();
    assert!(as_user(OWNER, "be refused", &path));
}

/// A reader that may not write the store made a lock file of its own once, which the owner could
/// not use.
#[test]
fn a_mere_reader_makes_no_lock_file() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    assert!(as_user(OWNER, "create", &path));
    chmod(&path, 0o644);
    fs::remove_file(beside(&path, "-lock")).unwrap();
    assert!(as_user(STRANGER, "read", &path));
    assert!(!beside(&path, "-lock").exists());
    assert!(as_user(OWNER, "commit", &path));
    assert!(as_user(STRANGER, "read", &path), "beside the owner's lock file");
}

/// A user that may read a store knows everything that a forged log must contain.
#[test]
fn the_log_of_a_stranger_is_not_believed_and_does_not_block_the_owner() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    let log = beside(&path, "-wal-1");
    assert!(as_user(OWNER, "create", &path));
    chmod(&path, 0o644);
    assert!(!as_user(OWNER, "commit and die", &path));
    assert!(log.exists());
    chown(&log, Some(STRANGER), Some(STRANGER)).unwrap();
    for opened in [Store::<N>::open(&path).map(drop), Store::<N>::open_read_only(&path).map(drop)] {
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Corrupt, "its log is missing");
    }
    chown(&log, Some(OWNER), Some(GROUP)).unwrap();
    // A stranger's file beside the store is skipped, whether it is a copy of the log or unreadable.
    let bytes = fs::read(&log).unwrap();
    for mode in [0o666, 0] {
        let planted = beside(&path, "-wal-7");
        fs::write(&planted, &bytes).unwrap();
        chown(&planted, Some(STRANGER), Some(STRANGER)).unwrap();
        chmod(&planted, mode);
        assert!(as_user(OWNER, "read", &path), "{mode:o}");
        assert!(!as_user(OWNER, "commit and die", &path), "{mode:o}");
        assert!(planted.exists());
        fs::remove_file(&planted).unwrap();
    }
    assert_eq!(Store::<N>::open(&path).unwrap().count(), 3);
}

/// Checksums of a stranger would call sound records damaged, and damaged ones sound.
#[test]
fn the_checksums_of_a_stranger_are_refused() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    assert!(as_user(OWNER, "create", &path));
    chmod(&path, 0o644);
    chown(beside(&path, "-sum"), Some(STRANGER), Some(STRANGER)).unwrap();
    for opened in
        [Store::<N>::open(&path).map(drop), flatrec::verify(&path, VerifyOptions::new()).map(drop)]
    {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().contains("n.rec-sum"), "{error}");
    }
    chown(beside(&path, "-sum"), Some(OWNER), None).unwrap();
    assert!(as_user(OWNER, "commit", &path));
}

/// What a stranger has left as an unfinished store would be the stranger's when it appears.
#[test]
fn the_unfinished_store_of_a_stranger_is_not_gone_on_with() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    let aside = beside(&path, "-unfinished");
    let mut made =
        DynStore::create_options().create_aside(&path, &N::schema().unwrap(), false).unwrap();
    made.keep_unfinished(true);
    made.append(&1u64.to_le_bytes()).unwrap();
    made.flush().unwrap();
    drop(made);
    chown(&aside, Some(STRANGER), Some(STRANGER)).unwrap();
    chmod(&aside, 0o666);
    let error = DynStore::options().resume_aside(&path, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
    assert!(!path.exists());
    let target = directory.path().join("target");
    fs::rename(&aside, &target).unwrap();
    chown(&target, Some(0), Some(0)).unwrap();
    symlink(&target, &aside).unwrap();
    assert!(DynStore::options().resume_aside(&path, false).is_err());
    fs::remove_file(&aside).unwrap();
    fs::rename(&target, &aside).unwrap();
    DynStore::options().resume_aside(&path, false).unwrap().close().unwrap();
    assert_eq!(Store::<N>::open(&path).unwrap().count(), 1);
}
