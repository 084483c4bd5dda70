//! Permissions of the files that flatrec makes: no user gains access that the store denies.
#![cfg(all(unix, feature = "derive"))]

mod support;

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::sync::Once;

use flatrec::map::{Access, Mapping};
use flatrec::{CopyOptions, Database, Durability, DynStore, ErrorKind, Record, Store};
use support::files::beside;
use support::numbered::{N, add};
use support::process;
use support::skip::skip;
use tempfile::TempDir;

/// A directory for files that only their makers' modes protect: the umask is 0.
fn open_handed() -> TempDir {
    static UMASK: Once = Once::new();
    // The umask belongs to the process, so all tests share it.
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

/// Makes a store of one record without side files.
fn store_of_mode(path: &Path, mode: u32) {
    let mut store = Store::<N>::create(path).unwrap();
    store.append(&N { n: 1 }).unwrap();
    store.close().unwrap();
    fs::remove_file(beside(path, "-lock")).unwrap();
    chmod(path, mode);
}

/// Finds a side file that the umask alone protects.
#[test]
fn side_files_have_the_permissions_of_the_data_file() {
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

/// Finds a side file that may be executed, or that runs as its owner.
#[test]
fn side_files_get_neither_the_execute_nor_the_set_id_bits() {
    let directory = open_handed();
    let path = directory.path().join("n.rec");
    store_of_mode(&path, 0o6775);
    Store::<N>::open_read_only(&path).unwrap();
    assert_eq!(mode(&beside(&path, "-lock")), 0o664);
}

/// Finds a new side file that users of the store cannot open.
#[test]
fn side_files_of_a_new_store_have_its_permissions() {
    let directory = open_handed();
    let path = directory.path().join("n.rec");
    let database = Database::<N>::create_options().checksums(true).create(&path).unwrap();
    add(&database, 1);
    for suffix in ["", "-lock", "-sum", "-wal-1"] {
        assert_eq!(mode(&beside(&path, suffix)), 0o666, "{suffix}");
    }
}

/// Finds a side file that stays open to users whom the store no longer admits.
#[test]
fn a_writer_narrows_side_files_to_the_permissions_of_the_data_file() {
    let directory = open_handed();
    let path = directory.path().join("n.rec");
    Store::<N>::create_options().checksums(true).create(&path).unwrap().close().unwrap();
    chmod(&path, 0o640);
    // A file with a second name may be another program's, so the writer leaves it alone.
    let linked = directory.path().join("linked");
    fs::hard_link(beside(&path, "-sum"), &linked).unwrap();
    Store::<N>::open(&path).unwrap().close().unwrap();
    assert_eq!((mode(&beside(&path, "-lock")), mode(&linked)), (0o640, 0o666));
    fs::remove_file(&linked).unwrap();
    Store::<N>::open(&path).unwrap().close().unwrap();
    assert_eq!(mode(&beside(&path, "-sum")), 0o640);
    chmod(&path, 0o666);
    Store::<N>::open(&path).unwrap().close().unwrap();
    assert_eq!(mode(&beside(&path, "-lock")), 0o640, "a writer widened the permissions");
}

/// Finds a copy that admits more users than the store.
#[test]
fn copies_have_at_most_the_permissions_of_the_store() {
    for wanted in [0o600, 0o640, 0o400] {
        let directory = open_handed();
        let at = |name: &str| directory.path().join(name);
        store_of_mode(&at("n.rec"), 0o600);
        flatrec::rebuild_checksums(at("n.rec")).unwrap();
        chmod(&at("n.rec"), wanted);
        flatrec::backup(at("n.rec"), at("backup.rec"), CopyOptions::new()).unwrap();
        flatrec::compact(at("n.rec"), at("compact.rec"), flatrec::CompactOptions::new()).unwrap();
        flatrec::salvage(at("n.rec"), at("salvage.rec"), flatrec::SalvageOptions::new()).unwrap();
        for name in ["backup.rec", "compact.rec", "salvage.rec"] {
            for suffix in ["", "-lock", "-sum"] {
                let path = beside(&at(name), suffix);
                assert_eq!(mode(&path), wanted | 0o600, "{wanted:o}, {}", path.display());
            }
        }
    }
}

/// Finds a copy or a new store that widens the permissions of the file that it replaces.
#[test]
fn a_replacement_is_no_more_open_than_the_old_file() {
    let directory = open_handed();
    let at = |name: &str| directory.path().join(name);
    store_of_mode(&at("n.rec"), 0o644);
    store_of_mode(&at("old.rec"), 0o660);
    let copied = CopyOptions::new().replace(true);
    flatrec::backup(at("n.rec"), at("old.rec"), copied).unwrap();
    assert_eq!(mode(&at("old.rec")), 0o640, "the copy grants only what both files grant");
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

/// Finds an export that opens a private file to other users.
#[cfg(feature = "exchange")]
#[test]
fn an_export_keeps_the_permissions_of_the_file_that_it_replaces() {
    use flatrec::exchange::{ExportFormat, Exporter};
    let directory = open_handed();
    let out = directory.path().join("n.csv");
    let schema = N::schema().unwrap();
    let export = |replace: bool| {
        let exporter = Exporter::new(&schema, ExportFormat::Csv).replace(replace);
        exporter.export([(0, &[7; 8][..])], &out).unwrap();
    };
    export(false);
    assert_eq!(mode(&out), 0o666, "a new file has the mode that the umask leaves");
    chmod(&out, 0o600);
    export(true);
    assert_eq!(mode(&out), 0o600);
}

/// Finds a handle that writes through a link that another user planted.
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
            // A writer gives its segment another number if the first is taken.
            let kind = opened.err().map(|error| error.kind());
            let expected = (suffix != "-wal-1").then_some(ErrorKind::InvalidArgument);
            assert_eq!(kind, expected, "{suffix}");
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

/// Finds a handle that uses named memory which other users may write.
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
            Mapping::named(&name, 100, |_| panic!("an initialiser ran on another user's memory"))
                .map(drop),
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
    // A link may lead to another user's file.
    let target = open_handed();
    symlink(target.path().join("target"), &planted).unwrap();
    assert!(Mapping::named(&name, 100, |_| Ok(())).is_err());
    assert!(!target.path().join("target").exists());
    fs::remove_file(&planted).unwrap();
}

/// The users and groups of these tests, without accounts.
const OWNER: u32 = 65_531;
const MEMBER: u32 = 65_532;
const GROUP: u32 = 65_533;
const STRANGER: u32 = 65_530;

/// A directory of the owner and the group. Skips the test where this user cannot give files away.
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

/// Runs [`another_user`] as that user. The stranger is not in the group.
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

/// The action of another user, in a process of that user.
#[test]
#[ignore = "the child of the other tests"]
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
        other => panic!("unknown action {other}"),
    }
    println!("done: {action}");
}

fn whose(path: &Path) -> (u32, u32, u32) {
    let metadata = fs::metadata(path).unwrap();
    (metadata.uid(), metadata.gid(), metadata.mode() & 0o7777)
}

/// Finds a side file of root's that the owner of the store cannot open.
#[test]
fn side_files_that_root_makes_belong_to_the_store_s_owner() {
    let Some(directory) = shared_directory() else { return };
    for wanted in [0o600, 0o640, 0o664] {
        let path = directory.path().join(format!("{wanted:o}.rec"));
        assert!(as_user(OWNER, "create", &path));
        chmod(&path, wanted);
        fs::remove_file(beside(&path, "-lock")).unwrap();
        // A reader makes the lock file.
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

/// Finds a side file of a member that shuts the owner out or admits strangers.
#[test]
fn side_files_that_a_group_member_makes_admit_the_group_and_no_one_else() {
    let Some(directory) = shared_directory() else { return };
    let path = directory.path().join("n.rec");
    assert!(as_user(OWNER, "create", &path));
    fs::remove_file(beside(&path, "-lock")).unwrap();
    chmod(&path, 0o660);
    assert!(as_user(MEMBER, "commit", &path));
    assert_eq!(whose(&beside(&path, "-lock")), (MEMBER, GROUP, 0o660));
    assert!(as_user(OWNER, "commit", &path), "the owner cannot use the member's lock file");
    // The member is not in the store's group, which may do less than other users.
    fs::remove_file(beside(&path, "-lock")).unwrap();
    chown(&path, None, Some(0)).unwrap();
    chmod(&path, 0o646);
    assert!(as_user(MEMBER, "commit", &path));
    assert_eq!(whose(&beside(&path, "-lock")), (MEMBER, GROUP, 0o644));
}

/// Finds a replacement by root that the owner can no longer open.
#[test]
fn a_store_that_root_replaces_keeps_its_owner() {
    let Some(directory) = shared_directory() else { return };
    let at = |name: &str| directory.path().join(name);
    assert!(as_user(OWNER, "create", &at("n.rec")));
    chmod(&at("n.rec"), 0o640);
    Store::<N>::create_options().create_aside(at("n.rec"), true).unwrap().close().unwrap();
    assert_eq!(whose(&at("n.rec")), (OWNER, GROUP, 0o640));
    flatrec::backup(at("n.rec"), at("backup.rec"), CopyOptions::new()).unwrap();
    assert_eq!(whose(&at("backup.rec")), (0, GROUP, 0o640), "a copy belongs to its maker");
    assert!(as_user(OWNER, "commit", &at("n.rec")));
}

/// Finds root using memory whose content another user controls.
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

/// Checks that every call refuses the store.
fn be_refused(path: &Path) {
    let opened = [
        ("create", Store::<N>::create(path).map(drop)),
        ("open", Store::<N>::open(path).map(drop)),
        ("read", Store::<N>::open_read_only(path).map(drop)),
        ("database", Database::<N>::open(path).map(drop)),
        ("reader", Database::<N>::open_read_only(path).map(drop)),
        ("verify", flatrec::verify(path, flatrec::VerifyOptions::new()).map(drop)),
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

/// A directory like /tmp, in which all users may make files and remove only their own.
fn sticky_directory() -> Option<TempDir> {
    let directory = shared_directory()?;
    chown(directory.path(), Some(0), Some(0)).unwrap();
    chmod(directory.path(), 0o1777);
    Some(directory)
}

/// A stranger made the lock file. By wiping it the stranger let the owner's writer change what the
/// owner's reader had lent; by truncating it the stranger killed the reader.
#[test]
fn a_lock_file_that_a_stranger_made_is_refused() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    let lock = beside(&path, "-lock");
    assert!(as_user(STRANGER, "plant", &lock));
    assert!(as_user(OWNER, "be refused", &path), "a call believed a lock file without a store");
    fs::remove_file(&lock).unwrap();
    assert!(as_user(OWNER, "create", &path));
    let used = fs::read(&lock).unwrap();
    for (mode, setgid) in [(0o600, false), (0o644, false), (0o660, true)] {
        chmod(&path, mode);
        if setgid {
            // In this directory new files get the directory's group, whichever user makes them.
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

/// Finds a handle that refuses a member's lock file, or believes it without the group's access.
#[test]
fn a_lock_file_that_a_group_member_made_is_used() {
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
        // When the group may not write the data file, its members are strangers.
        chmod(&path, 0o640);
        assert!(as_user(OWNER, "be refused", &path), "sticky: {sticky}");
    }
}

/// The owner and root narrow a lock file that is more open than the store, before they believe it.
/// Another user cannot narrow it and must be refused.
#[test]
fn a_lock_file_more_open_than_the_store_is_narrowed_by_its_owner_and_refused_by_others() {
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
    assert!(!as_user(MEMBER, "read", &path), "a reader believed a lock file that all may write");
    chmod(&lock, 0o640);
    assert!(as_user(MEMBER, "read", &path));
    // A lock file with a second name may be another program's, so no user narrows it.
    chmod(&lock, 0o666);
    fs::hard_link(&lock, directory.path().join("linked")).unwrap();
    assert!(as_user(OWNER, "be refused", &path));
}

/// A reader without permission to write the store made a lock file of its own, which the owner
/// could not use.
#[test]
fn a_reader_without_permission_to_write_makes_no_lock_file() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    assert!(as_user(OWNER, "create", &path));
    chmod(&path, 0o644);
    fs::remove_file(beside(&path, "-lock")).unwrap();
    assert!(as_user(STRANGER, "read", &path));
    assert!(!beside(&path, "-lock").exists());
    assert!(as_user(OWNER, "commit", &path));
    assert!(as_user(STRANGER, "read", &path), "the reader fails beside the owner's lock file");
}

/// A user with access to read a store knows everything that a forged log must contain. Finds a
/// handle that replays it, or that fails because of it.
#[test]
fn a_stranger_s_log_is_ignored() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    let log = beside(&path, "-wal-1");
    assert!(as_user(OWNER, "create", &path));
    chmod(&path, 0o644);
    assert!(!as_user(OWNER, "commit and die", &path));
    assert!(log.exists());
    chown(&log, Some(STRANGER), Some(STRANGER)).unwrap();
    for opened in [Store::<N>::open(&path).map(drop), Store::<N>::open_read_only(&path).map(drop)] {
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Corrupt, "the log must count as missing");
    }
    chown(&log, Some(OWNER), Some(GROUP)).unwrap();
    // Handles skip a stranger's file, whether it is a copy of the log or unreadable.
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

/// A stranger's checksums would call sound records damaged, and damaged ones sound.
#[test]
fn a_stranger_s_checksum_file_is_refused() {
    let Some(directory) = sticky_directory() else { return };
    let path = directory.path().join("n.rec");
    assert!(as_user(OWNER, "create", &path));
    chmod(&path, 0o644);
    chown(beside(&path, "-sum"), Some(STRANGER), Some(STRANGER)).unwrap();
    let verified = flatrec::verify(&path, flatrec::VerifyOptions::new()).map(drop);
    for opened in [Store::<N>::open(&path).map(drop), verified] {
        let error = opened.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().contains("n.rec-sum"), "{error}");
    }
    chown(beside(&path, "-sum"), Some(OWNER), None).unwrap();
    assert!(as_user(OWNER, "commit", &path));
}

/// Finds a maker that continues a stranger's store, which would stay the stranger's.
#[test]
fn a_stranger_s_unfinished_store_is_not_resumed() {
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
