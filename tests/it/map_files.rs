//! Mappings and the file system: errors, racing initialisers, full disks, names.

use std::process::Command;

use flatrec::ErrorKind;
use flatrec::map::{Access, Mapping};

use crate::support::process;
use crate::support::skip::skip;

/// Finds a wrong path whose error does not name the fault.
#[test]
fn each_wrong_path_has_its_own_clear_error() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let error = Mapping::open(&path, Access::ReadOnly).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");

    let error = Mapping::open(directory.path(), Access::ReadOnly).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    let pipe = directory.path().join("pipe");
    match Command::new("mkfifo").arg(&pipe).status() {
        Ok(status) if status.success() => {
            // The call must not wait for the other end.
            let error = Mapping::open(&pipe, Access::ReadOnly).unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{error}");
        }
        made => skip!("this system has no mkfifo ({made:?})"),
    }

    Mapping::create_new(&path, 0).unwrap();
    let error = Mapping::create_new(&path, 0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);

    let error = Mapping::create_new(directory.path().join("none/file"), 1).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Finds an empty file that the system refuses to map.
#[test]
fn a_file_of_length_zero_maps_to_nothing_and_can_grow() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("empty");
    std::fs::write(&path, b"").unwrap();
    let mapping = Mapping::open(&path, Access::ReadWrite).unwrap();
    assert_eq!(mapping.view_all().unwrap().len_bytes(), 0);
    assert_eq!(mapping.typed::<u64>(0).unwrap().len(), 0);
    assert_eq!(mapping.view(0..1).unwrap_err().kind(), ErrorKind::OutOfRange);
    mapping.grow(10).unwrap();
    assert_eq!(mapping.read_vec(0..10).unwrap(), [0; 10]);
}

/// Finds a length that overflows the system's offsets.
#[test]
fn lengths_above_the_largest_offset_are_errors() {
    let mapping = Mapping::temporary(0).unwrap();
    let error = mapping.grow(u64::MAX).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfRange, "{error}");
    assert_eq!(mapping.len_bytes().unwrap(), 0);
}

/// Finds bytes of a failed initialiser that the next opener takes for initialised.
#[test]
fn a_failing_initialiser_leaves_nothing_and_the_next_one_runs() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("made");
    let failed = Mapping::open_or_create(&path, 100, |mapping| {
        mapping.view_all()?.write(0, b"half")?;
        mapping.view(0..1000).map(|_| ()) // the initialiser's own error: the range is too long
    });
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::OutOfRange);
    assert!(!path.exists());
    let made = Mapping::open_or_create(&path, 100, |mapping| {
        assert_eq!(mapping.read_vec(0..4)?, [0; 4]);
        mapping.view_all()?.write(0, b"whole")
    })
    .unwrap();
    assert_eq!(made.read_vec(0..5).unwrap(), b"whole");

    let name = format!("flatrec-failing-{}", std::process::id());
    let failed = Mapping::named(&name, 100, |mapping| {
        mapping.view_all()?.write(0, b"half")?;
        mapping.view(0..1000).map(|_| ())
    });
    assert_eq!(failed.unwrap_err().kind(), ErrorKind::OutOfRange);
    let made = Mapping::named(&name, 100, |mapping| {
        assert_eq!(mapping.read_vec(0..4)?, [0; 4]);
        mapping.view_all()?.write(0, b"whole")
    })
    .unwrap();
    assert_eq!(made.read_vec(0..5).unwrap(), b"whole");
}

/// Finds named memory that outlives its creator's name, or whose length a second opener changes.
#[test]
fn the_name_of_shared_memory_ends_with_its_creator() {
    let name = format!("flatrec-names-{}", std::process::id());
    let error = Mapping::open_named(&name, Access::ReadOnly).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let creator = Mapping::named(&name, 1000, |_| Ok(())).unwrap();
    let finder =
        Mapping::named(&name, 5000, |_| panic!("an initialiser ran on initialised memory"))
            .unwrap();
    assert_eq!(finder.len_bytes().unwrap(), 1000, "a second opener changed the length");
    creator.view_all().unwrap().write(999, b"!").unwrap();
    drop(creator);
    assert_eq!(finder.read_vec(999..1000).unwrap(), b"!", "the memory did not outlive its name");
    if cfg!(unix) {
        let error = Mapping::open_named(&name, Access::ReadOnly).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(Mapping::remove_named(&name).unwrap_err().kind(), ErrorKind::NotFound);
    }
    for wrong in ["", "a/b", ".hidden", "sp ace"] {
        let error = Mapping::named(wrong, 10, |_| Ok(())).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{wrong:?}: {error}");
    }
    let error = Mapping::named("flatrec-empty", 0, |_| Ok(())).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
}

const CHILD: &str = "FLATREC_TEST_CHILD";

/// Does the job that the environment names.
#[test]
#[ignore = "the child of the other tests"]
fn child() {
    let Ok(job) = std::env::var(CHILD) else { return };
    let words: Vec<&str> = job.split('|').collect();
    let count_up = |mapping: &Mapping| {
        // Takes long enough for processes to race: touches each page.
        for offset in (0..mapping.len_bytes()?).step_by(4096) {
            mapping.view(offset..offset + 1)?.write(0, &[1])?;
        }
        println!("initialised");
        Ok(())
    };
    match words[..] {
        ["file", path] => {
            let mapping = Mapping::open_or_create(path, 1 << 20, count_up).unwrap();
            let bytes = mapping.read_vec(0..1 << 20).unwrap();
            assert!(bytes.iter().step_by(4096).all(|&byte| byte == 1), "half initialised");
        }
        ["named", name] => {
            let mapping = Mapping::named(name, 1 << 20, count_up).unwrap();
            let bytes = mapping.read_vec(0..1 << 20).unwrap();
            assert!(bytes.iter().step_by(4096).all(|&byte| byte == 1), "half initialised");
            println!("holding");
            // Waits until the parent closes the input, so that the name outlives the race.
            std::io::stdin().read_line(&mut String::new()).unwrap();
        }
        ["die in file", path] => {
            let _ = Mapping::open_or_create(path, 1 << 20, |mapping| {
                mapping.view_all()?.write(4096, b"half")?;
                std::process::abort()
            });
        }
        ["die in named", name] => {
            let _ = Mapping::named(name, 1 << 20, |mapping| {
                mapping.view_all()?.write(4096, b"half")?;
                std::process::abort()
            });
        }
        ["die in small named", name] => {
            let _ = Mapping::named(name, 100, |_| std::process::abort());
        }
        #[cfg(unix)]
        ["unprivileged", directory] => unprivileged(std::path::Path::new(directory)),
        _ => panic!("unknown job {job}"),
    }
}

fn spawn(job: &str) -> std::process::Child {
    process::running("map_files::child")
        .env(CHILD, job)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap()
}

/// Runs the job in eight processes, and counts those that initialised.
fn race(job: &str) -> usize {
    let children: Vec<_> = (0..8).map(|_| spawn(job)).collect();
    // All children hold what they opened until their input closes, so that the name stays.
    let outputs: Vec<_> = if job.starts_with("named") {
        hold_together(children)
    } else {
        children
            .into_iter()
            .map(|child| {
                let output = child.wait_with_output().unwrap();
                assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
                String::from_utf8(output.stdout).unwrap()
            })
            .collect()
    };
    outputs.iter().filter(|output| output.contains("initialised")).count()
}

/// Waits until every child holds the memory, and then ends them.
fn hold_together(mut children: Vec<std::process::Child>) -> Vec<String> {
    use std::io::{BufRead, BufReader, Read};
    let mut outputs = Vec::new();
    let mut readers = Vec::new();
    for child in &mut children {
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut output = String::new();
        while !output.contains("holding") {
            let read = reader.read_line(&mut output).unwrap();
            assert!(read > 0, "a child ended early: {output}");
        }
        outputs.push(output);
        readers.push(reader);
    }
    for ((mut child, mut reader), output) in children.into_iter().zip(readers).zip(&mut outputs) {
        drop(child.stdin.take());
        reader.read_to_string(output).unwrap();
        assert!(child.wait().unwrap().success());
    }
    outputs
}

/// Finds a race in which two processes initialise one file.
#[test]
fn exactly_one_of_several_processes_initialises_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("raced");
    assert_eq!(race(&format!("file|{}", path.display())), 1);
}

/// Finds a race in which two processes initialise the same memory.
#[test]
fn exactly_one_of_several_processes_initialises_named_memory() {
    assert_eq!(race(&format!("named|flatrec-race-{}", std::process::id())), 1);
}

/// Finds an opener that waits for ever for a dead initialiser, or takes its bytes.
#[test]
fn the_next_opener_initialises_after_an_initialiser_died() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("died");
    let status = spawn(&format!("die in file|{}", path.display())).wait_with_output().unwrap();
    assert!(!status.status.success());
    assert!(!path.exists());
    let check = |mapping: &Mapping| {
        assert_eq!(mapping.read_vec(4096..4100)?, [0; 4], "the dead initialiser's bytes stayed");
        Ok(())
    };
    Mapping::open_or_create(&path, 1 << 20, check).unwrap();

    let name = format!("flatrec-died-{}", std::process::id());
    let status = spawn(&format!("die in named|{name}")).wait_with_output().unwrap();
    assert!(!status.status.success());
    if cfg!(unix) {
        let error = Mapping::open_named(&name, Access::ReadOnly).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    }
    Mapping::named(&name, 1 << 20, check).unwrap();
}

/// Finds an opener that writes past named memory which a dead initialiser made shorter.
#[cfg(unix)] // on Windows named memory ends with its last handle
#[test]
fn an_opener_after_a_dead_initialiser_keeps_the_shorter_length() {
    let name = format!("flatrec-small-{}", std::process::id());
    let status = spawn(&format!("die in small named|{name}")).wait_with_output().unwrap();
    assert!(!status.status.success());
    let taken = Mapping::named(&name, 1 << 20, |mapping| {
        let view = mapping.view_all()?;
        view.write(0, &vec![7; view.len_bytes()])
    });
    assert_eq!(taken.unwrap().read_vec(0..100).unwrap(), [7; 100]);
}

/// Checks what a user without rights to a directory and its files may not do, in a process of that
/// user.
#[cfg(unix)]
fn unprivileged(directory: &std::path::Path) {
    let refused = |error: flatrec::Error| {
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{error}");
        assert!(error.to_string().contains("check the permissions"), "{error}");
    };
    refused(Mapping::open(directory.join("secret"), Access::ReadOnly).unwrap_err());
    refused(Mapping::open(directory.join("public"), Access::ReadWrite).unwrap_err());
    refused(Mapping::create_new(directory.join("new"), 10).unwrap_err());
    refused(Mapping::open_or_create(directory.join("new"), 10, |_| Ok(())).unwrap_err());
    let public = Mapping::open(directory.join("public"), Access::ReadOnly).unwrap();
    assert_eq!(public.read_vec(0..5).unwrap(), b"bytes");
    let private = Mapping::open(directory.join("public"), Access::Private).unwrap();
    private.view_all().unwrap().write(0, b"B").unwrap(); // the change is private

    let store = flatrec::DynStore::open_read_only(directory.join("store")).unwrap();
    assert_eq!(store.get(0), Some(&[7][..]), "a reader demanded the right to write");
    refused(flatrec::DynStore::open(directory.join("store")).unwrap_err());
    let unlocked = flatrec::DynStore::open_read_only(directory.join("open/unlocked")).unwrap();
    assert_eq!(unlocked.get(0), Some(&[7][..]));
    assert!(
        !directory.join("open/unlocked-lock").exists(),
        "a reader used a lock file that it may not lock"
    );
    println!("all calls were refused");
}

/// Finds a missing permission that causes another error, or a reader that demands to write.
#[cfg(unix)] // on Windows permissions are lists
#[test]
fn a_missing_permission_is_an_error_that_says_so() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;
    let allow = |path: &std::path::Path, mode: u32| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path();
    allow(path, 0o755);
    std::fs::write(path.join("secret"), b"bytes").unwrap();
    allow(&path.join("secret"), 0o600);
    std::fs::write(path.join("public"), b"bytes").unwrap();
    allow(&path.join("public"), 0o644);
    let schema = flatrec::Schema::packed([flatrec::Field::new("n", flatrec::DataType::UInt8)]);
    let mut store = flatrec::DynStore::create(path.join("store"), &schema.unwrap()).unwrap();
    store.append(&[7]).unwrap();
    store.close().unwrap();
    std::fs::create_dir(path.join("open")).unwrap();
    allow(&path.join("open"), 0o777); // all users may make files here
    std::fs::copy(path.join("store"), path.join("open/unlocked")).unwrap();
    allow(&path.join("store"), 0o664);
    std::fs::remove_file(path.join("store-lock")).unwrap();
    flatrec::DynStore::open(path.join("store")).unwrap().close().unwrap();
    let mode = std::fs::metadata(path.join("store-lock")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o664, "the lock file has other permissions than its data file");
    // Other users may lack access to the test program, so they run a copy.
    let program = path.join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    allow(&program, 0o755);
    let child = Command::new(&program)
        .args(["--exact", "map_files::child", "--include-ignored", "--nocapture"])
        .env(CHILD, format!("unprivileged|{}", path.display()))
        .current_dir(path)
        .uid(65534)
        .gid(65534)
        .output();
    let output = match child {
        Ok(output) => output,
        Err(error) => {
            skip!("only root can run a process as another user ({error})");
            return;
        }
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complained = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{complained}");
    assert!(said.contains("all calls were refused"), "{said}{complained}");
}

/// Makes a store of one record, 7.
fn small_store(path: &std::path::Path) {
    let schema = flatrec::Schema::packed([flatrec::Field::new("n", flatrec::DataType::UInt8)]);
    let mut store = flatrec::DynStore::create(path, &schema.unwrap()).unwrap();
    store.append(&[7]).unwrap();
    store.close().unwrap();
}

/// Safe code wrote through a mapping into a record that a store lent, and into the lock file with
/// the reader table.
#[test]
fn no_safe_call_writes_to_the_files_of_a_store() {
    use flatrec::map::{Backing, FileBacking, OpenSide};
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let (path, lock) = (at("n.rec"), at("n.rec-lock"));
    small_store(&path);
    let linked = at("linked");
    std::fs::hard_link(&path, &linked).unwrap();
    let open = |path: &std::path::Path| {
        std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap()
    };
    let other = FileBacking::create_new(at("n")).unwrap();
    for is_open in [true, false] {
        let reader = is_open.then(|| flatrec::DynStore::open_read_only(&path).unwrap());
        let lent = reader.as_ref().map(|reader| reader.get(0).unwrap());
        // The lock file without its reader table, because a backup adds a reader.
        let bytes =
            || (std::fs::read(&path).unwrap(), std::fs::read(&lock).unwrap()[..192].to_vec());
        let before = bytes();
        for file in [&path, &lock, &linked] {
            let refused = [
                Mapping::open(file, Access::ReadWrite).map(drop),
                Mapping::open_or_create(file, 10, |_| Ok(())).map(drop),
                Mapping::from_file(open(file), Access::ReadWrite).map(drop),
                FileBacking::open(file, true).map(drop),
                FileBacking::from_file(open(file), Some(file)).map(drop),
            ];
            for (way, refused) in refused.into_iter().enumerate() {
                let error = refused.expect_err(&format!("way {way} into {}", file.display()));
                // On other systems the locks do not show that the store is open.
                if cfg!(target_os = "linux") {
                    let kind = if is_open { ErrorKind::Locked } else { ErrorKind::InvalidArgument };
                    assert_eq!(error.kind(), kind, "{way}: {error}");
                }
            }
            Mapping::open(file, Access::ReadOnly).unwrap();
            let private = Mapping::open(file, Access::Private).unwrap();
            private.view(0..8).unwrap().write(0, &[0; 8]).unwrap();
        }
        // Through a backing whose side files they would be.
        for suffix in [".rec", ".rec-lock"] {
            if let Some(side) = other.open_side(suffix, OpenSide::Write).unwrap() {
                assert!(side.write_at(0, &[0; 8]).is_err(), "{suffix}");
                assert!(side.trim(0).is_err(), "{suffix}");
                assert!(side.view(0, 8, Access::ReadWrite).is_err(), "{suffix}");
            }
        }
        assert!(other.remove_side(".rec-lock").is_err());
        assert!(other.rename_side(".rec-lock", ".away").is_err());
        assert!(FileBacking::open(&lock, false).unwrap().rename(&at("away"), false).is_err());
        let new = FileBacking::create_new(at(&format!("new-{is_open}"))).unwrap();
        assert!(new.rename(&lock, true).is_err());
        let replaced = flatrec::CopyOptions::new().replace(true);
        assert!(flatrec::backup(&path, &lock, replaced).is_err());
        assert!(bytes() == before);
        assert_eq!(lent, is_open.then_some(&[7][..]));
    }
}

/// Finds a handle that opens a file as a store while a mapping can write its bytes.
#[cfg(target_os = "linux")] // on other systems the data file has no such locks
#[test]
fn a_file_that_is_mapped_for_writing_is_not_opened_as_a_store() {
    use std::os::fd::AsFd;
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    small_store(&at("made"));
    let store = std::fs::read(at("made")).unwrap();
    let path = at("n.rec");
    let opened = || {
        use flatrec::{DynDatabase, DynStore};
        [
            DynStore::open_read_only(&path).map(drop),
            DynStore::open(&path).map(drop),
            DynDatabase::open(&path).map(drop),
            DynDatabase::open_read_only(&path).map(drop),
            flatrec::verify(&path, flatrec::VerifyOptions::new().max_problems(1)).map(drop),
        ]
    };
    let refused = |when: &str| {
        for opened in opened() {
            let error = opened.expect_err(when);
            assert_eq!(error.kind(), ErrorKind::Locked, "{when}: {error}");
            assert!(error.to_string().contains("open for writing"), "{when}: {error}");
        }
    };
    let mapping = Mapping::create_new(&path, store.len() as u64).unwrap();
    std::fs::write(&path, &store).unwrap();
    refused("mapped");
    let second = std::fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let shared = std::fs::File::from(second.as_fd().try_clone_to_owned().unwrap());
    std::fs::write(&path, vec![0; store.len()]).unwrap();
    let first = Mapping::from_file(second, Access::ReadWrite).unwrap();
    drop(Mapping::from_file(shared, Access::ReadWrite).unwrap());
    std::fs::write(&path, &store).unwrap();
    drop(mapping);
    refused("mapped through a file of which a copy was closed");
    let view = first.view(0..10).unwrap();
    drop(first);
    refused("shown by a view");
    drop(view);
    for opened in opened() {
        opened.unwrap();
    }
}

/// A lock file without a writer yet is empty. Finds a mapping that writes to one that a reader
/// uses.
#[cfg(target_os = "linux")] // as in the test above
#[test]
fn a_lock_file_that_only_readers_used_is_not_mapped_for_writing() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    small_store(&at("n.rec"));
    std::fs::remove_file(at("n.rec-lock")).unwrap();
    let reader = flatrec::DynDatabase::open_read_only(at("n.rec")).unwrap();
    let error = Mapping::open(at("n.rec-lock"), Access::ReadWrite).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    drop(reader);
    let mapping = Mapping::open(at("n.rec-lock"), Access::ReadWrite).unwrap();
    let error = flatrec::DynDatabase::open_read_only(at("n.rec")).map(drop).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    drop(mapping);
    drop(flatrec::DynDatabase::open_read_only(at("n.rec")).unwrap());
}

/// An initialiser that opened its own file waited for itself for ever.
#[test]
fn an_initialiser_that_opens_its_own_file_gets_an_error() {
    let (done, wait) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("shared");
        let mut errors = Vec::new();
        let file = Mapping::open_or_create(&path, 100, |_| {
            errors.push(Mapping::open_or_create(&path, 100, |_| Ok(())).unwrap_err());
            // The same file by another path.
            let dotted = directory.path().join(".").join("shared");
            errors.push(Mapping::open_or_create(dotted, 100, |_| Ok(())).unwrap_err());
            let other = directory.path().join("other");
            Mapping::open_or_create(other, 100, |_| Ok(())).map(drop)
        });
        file.unwrap();
        let name = format!("flatrec-itself-{}", std::process::id());
        let memory = Mapping::named(&name, 100, |_| {
            errors.push(Mapping::named(&name, 100, |_| Ok(())).unwrap_err());
            errors.push(Mapping::open_named(&name, Access::ReadOnly).unwrap_err());
            Mapping::named(&format!("{name}-other"), 100, |_| Ok(())).map(drop)
        });
        let memory = memory.unwrap();
        // Every call opens it now that it is made.
        Mapping::open_or_create(&path, 100, |_| panic!("it exists")).unwrap();
        Mapping::named(&name, 100, |_| panic!("it exists")).unwrap();
        Mapping::open_named(&name, Access::ReadOnly).unwrap();
        drop(memory);
        done.send(errors).unwrap();
    });
    let errors = wait
        .recv_timeout(std::time::Duration::from_secs(30))
        .expect("the initialiser waits for ever");
    assert_eq!(errors.len(), 4);
    for error in errors {
        assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
        assert!(error.to_string().contains("its own initialiser"), "{error}");
    }
}

/// Finds a thread that opens what another thread has not finished.
#[test]
fn a_thread_waits_for_the_initialiser_of_another_thread() {
    let (begun, begin) = std::sync::mpsc::channel();
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("shared");
    std::thread::scope(|scope| {
        let path = &path;
        let waits = scope.spawn(move || {
            begin.recv().unwrap();
            Mapping::open_or_create(path, 100, |_| panic!("it exists")).map(drop)
        });
        Mapping::open_or_create(path, 100, |_| {
            begun.send(()).unwrap();
            Ok(())
        })
        .unwrap();
        waits.join().unwrap().unwrap();
    });
}

/// The name of a killed maker's leftover says for which path it was made. Finds a maker that keeps
/// it, or removes a file with a similar name or of another user.
#[test]
fn a_maker_removes_the_leftovers_for_its_path_only() {
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name);
    let names = || {
        let entries = std::fs::read_dir(directory.path()).unwrap();
        let name = |entry: std::fs::DirEntry| entry.file_name().into_string().unwrap();
        entries.map(|entry| name(entry.unwrap())).collect::<std::collections::BTreeSet<_>>()
    };
    let mut made = String::new();
    Mapping::open_or_create(at("shared"), 100, |_| {
        made = names().into_iter().find(|name| name.starts_with(".flatrec-new-")).unwrap();
        Ok(())
    })
    .unwrap();
    std::fs::remove_file(at("shared")).unwrap();
    let (start, _) = made.split_at(made.len() - 16);
    let digit = if &start[13..14] == "0" { "1" } else { "0" };
    let other = [&start[..13], digit, &start[14..]].concat();
    let left = format!("{start}0123456789abcdef");
    let mut others = vec![format!("{start}of-work"), format!("{other}0123456789abcdef")];
    for name in others.iter().chain([&left]) {
        std::fs::write(at(name), "a hundred bytes").unwrap();
    }
    others.push(format!("{start}0000000000000001"));
    std::fs::create_dir(at(&others[2])).unwrap();
    #[cfg(unix)]
    {
        others.push(format!("{start}0000000000000002"));
        std::os::unix::fs::symlink(at(&others[0]), at(&others[3])).unwrap();
        others.push(format!("{start}0000000000000003"));
        std::fs::write(at(&others[4]), "another user's").unwrap();
        if let Err(error) = std::os::unix::fs::chown(at(&others[4]), Some(65_531), None) {
            std::fs::remove_file(at(&others.pop().unwrap())).unwrap();
            skip!("only root can make another user's file: {error}");
        }
    }
    Mapping::open_or_create(at("shared"), 100, |_| Ok(())).unwrap();
    others.extend(["shared".to_owned(), "shared-lock".to_owned()]);
    assert_eq!(names(), others.into_iter().collect());
}
