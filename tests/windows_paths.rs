//! Paths on Windows: UTF-16 that need not be Unicode, longer than 260 characters, relative to a
//! drive, in any case, with dots that the system cuts off, names of devices and of streams. A store
//! can lie at every path of a file. flatrec refuses all other paths.
#![cfg(all(windows, feature = "derive"))]

mod support;

use std::ffi::OsString;
use std::fs;
use std::os::windows::ffi::{OsStrExt, OsStringExt};
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use flatrec::{
    CopyOptions, Database, Durability, Error, ErrorKind, Store, VerifyOptions, WriteTransaction,
};
use support::files::beside;
use support::numbered::{N, add};
use support::process;
use support::skip::skip;
use tempfile::TempDir;

fn commit(database: &Database<N>, change: impl Fn(&mut WriteTransaction<'_, N>)) {
    let mut transaction = database.begin_write().unwrap();
    change(&mut transaction);
    transaction.commit(Durability::Immediate).unwrap();
}

/// The path in the form that the system does not change.
fn verbatim(path: &Path) -> PathBuf {
    let shown = path.as_os_str();
    match shown.as_encoded_bytes().starts_with(br"\\?\") {
        true => path.to_path_buf(),
        false => {
            [OsString::from(r"\\?\"), shown.to_owned()].into_iter().collect::<OsString>().into()
        }
    }
}

/// The names in a directory, sorted.
fn names(directory: &Path) -> Vec<OsString> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

/// Checks that an error shows the path as the user gave it, and in no other form.
#[track_caller]
fn assert_names(error: &Error, given: &Path) {
    let text = error.to_string();
    let shown = given.display().to_string();
    assert!(text.contains(&shown), "{text}");
    assert!(shown.starts_with(r"\\?\") || !text.contains(r"\\?\"), "{text}");
}

#[track_caller]
fn refused<T>(result: flatrec::Result<T>, kind: ErrorKind, given: &Path) -> String {
    let error = result.err().expect("the call must be refused");
    assert_eq!(error.kind(), kind, "{error}");
    assert_names(&error, given);
    error.to_string()
}

/// Runs a store through its life: made, read beside its writer, closed to a second writer, left
/// with a log, recovered, verified, copied and made anew. `real` is the path of the file to which
/// `path` leads; its directory is empty before and after.
fn live(path: &Path, real: &Path) {
    let directory = real.parent().unwrap();
    refused(Store::<N>::open(path), ErrorKind::NotFound, path);
    let made = Database::<N>::create_options().checksums(true).create(path).unwrap();
    add(&made, 7);
    commit(&made, |transaction| transaction.set(0, &N { n: 1 }).unwrap());
    assert_eq!(made.path().unwrap(), path);
    let reader = Store::<N>::open_read_only(path).unwrap();
    assert_eq!(
        (reader.count(), reader.get(0).copied()),
        (1, Some(N { n: 1 })),
        "the reader missed the log"
    );
    refused(Store::<N>::open(path), ErrorKind::Locked, path);
    refused(Database::<N>::create(path), ErrorKind::AlreadyExists, path);
    let name = real.file_name().unwrap();
    let all: [OsString; 4] =
        ["", "-lock", "-sum", "-wal-1"].map(|suffix| beside(Path::new(name), suffix).into());
    assert_eq!(names(directory), all);
    // Copies the files as a kill would leave them.
    let dead = tempfile::tempdir().unwrap();
    let left = verbatim(dead.path());
    for name in names(directory) {
        fs::copy(verbatim(directory).join(&name), left.join(&name)).unwrap();
    }
    let found = Database::<N>::open(left.join(name)).unwrap();
    assert_eq!(found.begin_read().unwrap().get(0), Some(&N { n: 1 }));
    found.close().unwrap();
    assert!(!left.join(beside(Path::new(name), "-wal-1")).exists());
    drop(reader);
    made.close().unwrap();

    let mut store = Store::<N>::open(path).unwrap();
    store.append(&N { n: 2 }).unwrap();
    store.close().unwrap();
    let verified = flatrec::verify(path, VerifyOptions::new()).unwrap();
    assert!(matches!(verified.checksums, flatrec::Checksums::Present { blocks: 1 }));
    let copy = left.join("copy.rec");
    flatrec::backup(path, &copy, CopyOptions::new()).unwrap();
    let mut next = Store::<N>::create_options().checksums(true).create_aside(path, true).unwrap();
    next.append(&N { n: 3 }).unwrap();
    assert!(beside(path, "-unfinished").exists());
    next.close().unwrap();
    assert_eq!(Store::<N>::open_read_only(path).unwrap().get(0), Some(&N { n: 3 }));
    flatrec::backup(&copy, path, CopyOptions::new().replace(true)).unwrap();
    assert_eq!(Store::<N>::open_read_only(path).unwrap().count(), 2);

    fs::remove_file(path).unwrap();
    for suffix in ["-lock", "-sum"] {
        fs::remove_file(verbatim(directory).join(beside(Path::new(name), suffix))).unwrap();
    }
    assert_eq!(names(directory), [] as [OsString; 0]);
}

/// Finds a path that flatrec passes on in the system's code page.
#[test]
fn stores_have_names_in_any_language() {
    let home = tempfile::tempdir().unwrap();
    for name in ["Größe – übrig.rec", "航班記錄.rec", "полёты.rec", "🗂️🦀.rec", "e\u{301}té.rec"]
    {
        let path = home.path().join(name);
        live(&path, &path);
        fs::create_dir(&path).unwrap();
        live(&path.join("n.rec"), &path.join("n.rec"));
        fs::remove_dir(&path).unwrap();
    }
}

/// Finds a path that flatrec converts to UTF-8 and back.
#[test]
fn names_of_stores_need_not_be_unicode() {
    let home = tempfile::tempdir().unwrap();
    // Half of an emoji: UTF-8 cannot express it, but NTFS accepts it in a name.
    for half in [0xd83e, 0xdd80] {
        let name = OsString::from_wide(&[u16::from(b'a'), half, u16::from(b'b')]);
        assert!(name.to_str().is_none());
        let path = home.path().join(&name);
        let error = Store::<N>::open(&path).unwrap_err();
        assert!(error.to_string().contains("a\u{fffd}b"), "{error}");
        if let Err(error) = fs::write(&path, "") {
            skip!("this system refuses a file name that is not Unicode ({error})");
            let refused = Store::<N>::create(&path).unwrap_err();
            assert!(refused.to_string().contains("a\u{fffd}b"), "{refused}");
            continue;
        }
        assert_eq!(names(home.path()), [name]);
        fs::remove_file(&path).unwrap();
        live(&path, &path);
    }
}

/// Makes a directory whose path has `len` characters, without `\\?\`.
fn long_directory(home: &Path, len: usize) -> PathBuf {
    let mut directory = home.to_path_buf();
    loop {
        let left = len - directory.as_os_str().encode_wide().count();
        match left {
            0 => return directory,
            1 => panic!("no space for a name after the separator"),
            2..=101 => directory.push("d".repeat(left - 1)),
            // Leaves space for a separator and a name.
            _ => directory.push("d".repeat(if left == 102 { 90 } else { 100 })),
        }
        fs::create_dir(&directory).unwrap();
    }
}

/// Finds a call that passes a long path on without `\\?\`.
#[test]
fn stores_have_paths_longer_than_260_characters() {
    // Within 260 characters: the store but not its side files; then not even the store; then not
    // even its directory.
    for len in [238, 242, 247, 251, 255, 259, 300, 1000] {
        let home = tempfile::tempdir().unwrap();
        let path = long_directory(home.path(), len).join("n.rec");
        live(&path, &path);
        live(&verbatim(&path), &path);
    }
}

/// Finds a store that is made although its side files cannot be.
#[test]
fn a_name_too_long_for_its_side_files_is_refused() {
    let home = tempfile::tempdir().unwrap();
    // A name has up to 255 characters, and `-unfinished-sum` is the longest suffix of a maker.
    let long = |len: usize| home.path().join("n".repeat(len));
    live(&long(240), &long(240));
    for len in [241, 244, 245, 250, 251, 255, 256, 1000] {
        let path = long(len);
        let text = refused(
            Store::<N>::create_options().checksums(true).create(&path),
            ErrorKind::InvalidArgument,
            &path,
        );
        assert!(text.contains("shorter name"), "{text}");
        assert_eq!(names(home.path()), [] as [OsString; 0], "{len}");
    }
}

/// Finds a call that opens a device, which may hang or swallow the records.
#[test]
fn names_of_devices_are_refused() {
    let home = tempfile::tempdir().unwrap();
    for name in ["NUL", "nul", "CON", "COM1", r"\\.\NUL", r"\\.\pipe\flatrec-none"] {
        for path in [PathBuf::from(name), home.path().join(name)] {
            for opened in [
                Store::<N>::open(&path).map(drop),
                Store::<N>::open_read_only(&path).map(drop),
                Store::<N>::create(&path).map(drop),
                Store::<N>::create_options().create_aside(&path, true).map(drop),
                Database::<N>::open(&path).map(drop),
            ] {
                let text = refused(opened, ErrorKind::InvalidArgument, &path);
                assert!(text.contains("the name of a device"), "{text}");
            }
        }
    }
    assert_eq!(names(home.path()), [] as [OsString; 0]);
}

/// Finds a store in a stream, which shares its file with other data.
#[test]
fn streams_of_files_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("n.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    let before = names(home.path());
    for stream in [":more", "::$DATA", ":more:$DATA"] {
        let path = beside(&path, stream);
        for opened in [
            Store::<N>::open(&path).map(drop),
            Store::<N>::open_read_only(&path).map(drop),
            Store::<N>::create(&path).map(drop),
            Database::<N>::open(&path).map(drop),
        ] {
            let text = refused(opened, ErrorKind::InvalidArgument, &path);
            assert!(text.contains("a stream of another file"), "{text}");
        }
    }
    assert_eq!(names(home.path()), before);
}

/// Finds an error that does not say that the path is a directory's.
#[test]
fn directories_are_refused() {
    let home = tempfile::tempdir().unwrap();
    for path in [home.path().to_path_buf(), home.path().join("."), home.path().join(r"x\..")] {
        for opened in [
            Store::<N>::open(&path).map(drop),
            Store::<N>::open_read_only(&path).map(drop),
            Database::<N>::open(&path).map(drop),
        ] {
            let text = refused(opened, ErrorKind::InvalidArgument, &path);
            assert!(text.contains("not a regular file"), "{text}");
        }
        refused(Store::<N>::create(&path), ErrorKind::AlreadyExists, &path);
    }
    assert_eq!(names(home.path()), [] as [OsString; 0]);
}

/// Finds a path that `\\?\` makes literal before flatrec has resolved its dots.
#[test]
fn dots_and_forward_slashes_lead_to_the_same_store() {
    let home = tempfile::tempdir().unwrap();
    let real = home.path().join("n.rec");
    let at = |rest: &str| PathBuf::from(format!("{}{rest}", home.path().display()));
    for rest in ["/n.rec", r"\.\n.rec", r"\no\..\n.rec", r"\\n.rec", "/./no/../n.rec"] {
        live(&at(rest), &real);
    }
    live(&PathBuf::from(home.path().display().to_string().replace('\\', "/")).join("n.rec"), &real);
    live(&home.path().canonicalize().unwrap().join("n.rec"), &real);
}

/// Checks two names of one file. The second writer is refused, in either order, and a reader by one
/// name sees the commits by the other.
fn share(a: &Path, b: &Path) {
    for (a, b) in [(a, b), (b, a)] {
        let database = Database::<N>::open(a).unwrap();
        let before = database.begin_read().unwrap().count();
        add(&database, 1);
        refused(Store::<N>::open(b), ErrorKind::Locked, b);
        let reader = Store::<N>::open_read_only(b).unwrap();
        assert_eq!(reader.count(), before + 1, "the reader missed the log");
        assert_eq!(
            database.readers().unwrap().len(),
            1,
            "the reader has its entry in another lock file"
        );
        drop(reader);
        database.close().unwrap();
        let mut store = Store::<N>::open(a).unwrap();
        let reader = Store::<N>::open_read_only(b).unwrap();
        let error = store.edit().map(drop).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Locked, "the edit overlooked a reader: {error}");
        drop(reader);
        store.edit().unwrap().finish().unwrap();
        store.close().unwrap();
    }
}

/// Finds a second writer by a name in other capitals.
#[test]
fn names_that_differ_in_capitals_are_one_store() {
    let home = tempfile::tempdir().unwrap();
    one_by_capitals(home.path(), "data.rec", "DATA.Rec");
    one_by_capitals(home.path(), "äußerst.rec", "ÄUßERST.REC");
    // Wine cannot say how a name of this length is written.
    one_by_capitals(&long_directory(home.path(), 300), "data.rec", "DATA.Rec");
}

fn one_by_capitals(home: &Path, name: &str, other: &str) {
    let (path, capitals) = (home.join(name), home.join(other));
    Store::<N>::create(&path).unwrap().close().unwrap();
    assert!(capitals.exists(), "{other}");
    refused(Store::<N>::create(&capitals), ErrorKind::AlreadyExists, &capitals);
    share(&path, &capitals);
    assert_eq!(names(home), [name.into(), OsString::from(format!("{name}-lock"))]);
    // A writer finds an existing log, too.
    let database = Database::<N>::open(&path).unwrap();
    add(&database, 1);
    let dead = tempfile::tempdir().unwrap();
    let left =
        long_directory(dead.path(), home.as_os_str().len().max(dead.path().as_os_str().len()));
    for name in names(home) {
        fs::copy(home.join(&name), left.join(&name)).unwrap();
    }
    let count = database.begin_read().unwrap().count();
    database.close().unwrap();
    let found = Database::<N>::open(left.join(other)).unwrap();
    assert_eq!(found.begin_read().unwrap().count(), count);
    found.close().unwrap();
    assert_eq!(names(&left).len(), 2, "recovery left the log");
    for name in names(home) {
        fs::remove_file(home.join(name)).unwrap();
    }
}

/// The system drops the dot of `n.rec.`, but not that of `n.rec.-lock`: the store would lose its
/// side files.
#[test]
fn dots_and_spaces_at_the_end_are_refused() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("n.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    for end in [".", " ", "...", " ."] {
        let dotted = beside(&path, end);
        for opened in [
            Store::<N>::open(&dotted).map(drop),
            Store::<N>::open_read_only(&dotted).map(drop),
            Store::<N>::create_options().create_aside(&dotted, true).map(drop),
            Database::<N>::open(&dotted).map(drop),
        ] {
            let text = refused(opened, ErrorKind::InvalidArgument, &dotted);
            assert!(text.contains("dots and spaces"), "{text}");
        }
    }
    // In the form with `\\?\` they are a part of the name.
    let dotted = verbatim(&beside(&path, "."));
    fs::write(&dotted, "").unwrap();
    let told = dotted.canonicalize().unwrap();
    fs::remove_file(&dotted).unwrap();
    match told == dotted {
        true => {
            let home = tempfile::tempdir().unwrap();
            let dotted = verbatim(&home.path().join("n.rec."));
            live(&dotted, &dotted);
        }
        // Wine drops the dot.
        false => skip!("this system calls such a file {}", told.display()),
    }
    assert_eq!(names(home.path()), ["n.rec", "n.rec-lock"]);
}

/// Finds a second writer, or a side file, beside a link.
#[test]
fn links_and_junctions_lead_to_one_store() {
    let home = tempfile::tempdir().unwrap();
    let (data, links) = (home.path().join("data"), home.path().join("links"));
    fs::create_dir(&data).unwrap();
    fs::create_dir(&links).unwrap();
    let path = data.join("n.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    let link = links.join("other.rec");
    match std::os::windows::fs::symlink_file(&path, &link) {
        // Wine 8 returns success and makes no link.
        Ok(()) if link.symlink_metadata().is_err() => skip!("this system made no symbolic link"),
        Ok(()) => {
            share(&path, &link);
            assert_eq!(names(&links), ["other.rec"], "a handle made a file beside the link");
            fs::remove_file(&link).unwrap();
        }
        Err(error) => skip!("this system refuses symbolic links to files ({error})"),
    }
    let junction = links.join("junction");
    match std::os::windows::fs::symlink_dir(&data, &junction) {
        Ok(()) if junction.symlink_metadata().is_err() => {
            skip!("this system made no symbolic link to a directory");
        }
        Ok(()) => {
            share(&path, &junction.join("n.rec"));
            fs::remove_dir(&junction).unwrap();
        }
        Err(error) => skip!("this system refuses symbolic links to directories ({error})"),
    }
    let made = Command::new("cmd").args(["/c", "mklink", "/J"]).arg(&junction).arg(&data).output();
    match made {
        // Wine returns success and makes no junction.
        Ok(output) if output.status.success() && junction.symlink_metadata().is_ok() => {
            share(&path, &junction.join("n.rec"));
        }
        _ => skip!("this system makes no junctions"),
    }
}

/// The short name of a file, as `dir` shows it, or `None` if it has none.
fn short_name(path: &Path) -> Option<String> {
    let output = Command::new("cmd").args(["/c", "dir", "/x"]).current_dir(path.parent()?).output();
    let text = String::from_utf8_lossy(&output.ok()?.stdout).into_owned();
    let line = text.lines().find(|line| line.trim_end().ends_with("a long name.rec"))?;
    line.split_whitespace().find(|word| word.contains('~')).map(str::to_owned)
}

/// Finds a second writer by a short name.
#[test]
fn a_short_name_leads_to_the_same_store() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("a long name.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    match short_name(&path) {
        Some(short) => {
            share(&path, &home.path().join(&short));
            assert_eq!(names(home.path()), ["a long name.rec", "a long name.rec-lock"], "{short}");
        }
        None => skip!("this volume makes no short names"),
    }
}

/// Runs an action of [`relative`] in a process of its own, because `C:name` and `\name` depend on
/// the process's current directory.
fn in_a_process(action: &str, directory: &Path) {
    let mut command = process::running("relative");
    command.current_dir(directory);
    let output = command.env("FLATREC_TEST_ACTION", action).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && text.contains("done: "),
        "{text}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Runs the action that the environment names.
#[test]
#[ignore = "the child of the other tests"]
fn relative() {
    let Ok(action) = std::env::var("FLATREC_TEST_ACTION") else { return };
    let here = std::env::current_dir().unwrap();
    let real = here.join("n.rec");
    let drive = match here.components().next() {
        Some(Component::Prefix(prefix)) => prefix.as_os_str().to_str().unwrap().to_owned(),
        other => panic!("the current directory begins with {other:?}"),
    };
    match action.as_str() {
        "name" => {
            live(Path::new("n.rec"), &real);
            live(Path::new(r".\n.rec"), &real);
        }
        "drive" => {
            let relative = PathBuf::from(format!("{drive}n.rec"));
            live(&relative, &real);
            let rooted = real.strip_prefix(&drive).unwrap();
            assert!(rooted.has_root() && rooted.is_relative());
            live(rooted, &real);
            Store::<N>::create(&relative).unwrap().close().unwrap();
            share(&relative, rooted);
            share(&relative, &real);
        }
        "move" => {
            let elsewhere = TempDir::new().unwrap();
            let database = Database::<N>::create_options().checksums(true).create("n.rec").unwrap();
            let mut aside = Store::<N>::create_options().create_aside("later.rec", false).unwrap();
            std::env::set_current_dir(elsewhere.path()).unwrap();
            add(&database, 1);
            aside.append(&N { n: 1 }).unwrap();
            aside.close().unwrap();
            assert_eq!(names(elsewhere.path()), [] as [OsString; 0]);
            let listed = names(&here);
            for name in ["later.rec", "n.rec", "n.rec-lock", "n.rec-sum", "n.rec-wal-1"] {
                assert!(listed.contains(&name.into()), "{name}: {listed:?}");
            }
            refused(Store::<N>::open(&real), ErrorKind::Locked, &real);
            refused(Store::<N>::open("n.rec"), ErrorKind::NotFound, Path::new("n.rec"));
            database.close().unwrap();
            assert_eq!(Store::<N>::open_read_only(&real).unwrap().count(), 1);
            // The system cannot remove the current directory of a process.
            std::env::set_current_dir(&here).unwrap();
        }
        other => panic!("unknown action {other}"),
    }
    println!("done: {action}");
}

/// Finds a relative path that flatrec resolves otherwise than the system.
#[test]
fn relative_paths_depend_on_the_directory_and_the_drive() {
    let home = tempfile::tempdir().unwrap();
    in_a_process("name", home.path());
    in_a_process("drive", home.path());
    // The directory is short enough for a current directory, but a file in it is longer than
    // MAX_PATH.
    for len in [240, 250] {
        let home = tempfile::tempdir().unwrap();
        let directory = long_directory(home.path(), len);
        in_a_process("name", &directory);
    }
}

/// Finds a handle that resolves its path anew after the process has changed its directory.
#[test]
fn a_relative_path_keeps_the_directory_in_which_it_was_opened() {
    let home = tempfile::tempdir().unwrap();
    in_a_process("move", home.path());
}
