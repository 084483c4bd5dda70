//! The programs that have a store open, as `info` and errors show them.

use std::time::{Duration, Instant};

use flatrec::{Durability, DynDatabase, ErrorKind, Wait};

use super::*;

/// The lines of `info` on log, writer and readers, and the object of `info --json`.
fn shown(place: &Place) -> (Vec<String>, serde_json::Value) {
    let info = place.ok(["info", "people.rec"]);
    let from = info.lines().skip_while(|line| !line.starts_with("log "));
    let lines = from.take_while(|line| !line.starts_with("checksums"));
    let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
    let json = place.ok(["info", "people.rec", "--json"]);
    (lines.map(words).collect(), serde_json::from_str(&json).unwrap())
}

fn set(database: &DynDatabase) {
    let mut transaction = database.begin_write().unwrap();
    let record = transaction.get(0).unwrap().to_vec();
    transaction.set(0, &record).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
}

/// Finds a reader or writer that `info` omits or shows wrongly.
#[test]
fn info_shows_the_programs_that_have_the_store_open() {
    let place = Place::new();
    let path = people(&place);
    let (lines, json) = shown(&place);
    assert_eq!(lines, ["log none", "writer none", "readers none"]);
    assert_eq!((&json["writer"], json["readers"].as_array().unwrap().len()), (&().into(), 0));

    let own = std::process::id();
    let database = DynDatabase::open(&path).unwrap();
    let reader = DynDatabase::open_read_only(&path).unwrap();
    let (lines, json) = shown(&place);
    assert_eq!(lines[1..3], [format!("writer process {own}"), "readers 1".into()]);
    assert_eq!(lines[3], format!("process {own}, which holds no snapshot"));
    assert_eq!(json["writer"]["process"], own);
    assert_eq!(json["readers"][0]["process"], own);
    assert_eq!(json["readers"][0]["oldest_commit"], serde_json::Value::Null);
    assert_eq!(json["readers_hold_log_bytes"], 0);

    set(&database);
    let snapshot = reader.begin_read().unwrap();
    set(&database);
    set(&database);
    database.checkpoint().unwrap();
    let (lines, json) = shown(&place);
    let held = json["readers_hold_log_bytes"].as_u64().unwrap();
    assert!(held > 49 && held == json["log"]["len_bytes"].as_u64().unwrap(), "{json}");
    assert!(lines[2].starts_with(&format!("readers 1; {held} bytes")), "{lines:?}");
    let commit = snapshot.commit_id().get();
    let begin = format!("process {own}, which has held commit {commit} for ");
    assert!(lines[3].starts_with(&begin) && lines[3].ends_with(", 2 commits behind"), "{lines:?}");
    assert_eq!(json["readers"][0]["oldest_commit"], commit);
    assert_eq!(json["readers"][0]["commits_behind"], 2);
    assert!(json["readers"][0]["held_for_seconds"].as_u64().is_some());
    assert_eq!(database.readers().unwrap().len(), 1, "info left an entry in the reader table");

    drop((snapshot, reader));
    let store = DynStore::open_read_only(&path).unwrap();
    let info = store.info().unwrap();
    assert_eq!(info.writer.unwrap().process, Some(own.into()));
    assert_eq!(info.readers, [], "the handle lists itself");
    drop(store);
    database.close().unwrap();
    assert_eq!(shown(&place).0, ["log none", "writer none", "readers none"]);
    let store = DynStore::open(&path).unwrap();
    assert_eq!(store.info().unwrap().writer.unwrap().process, Some(own.into()));
}

/// Finds an error that does not say which process has the store open.
#[test]
fn an_error_of_a_second_writer_names_the_first_one_s_process() {
    let place = Place::new();
    let path = people(&place);
    let database = DynDatabase::open(&path).unwrap();
    let own = std::process::id();
    let error = DynDatabase::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    let text = error.to_string();
    assert!(text.contains("people.rec-lock"), "{text}");
    let holder = "another handle has the store open to write";
    assert!(text.contains(&format!("{holder}, in this very process (")), "{text}");
    let text = place.error(["set", "people.rec", "0", "age=1"]);
    assert!(text.contains(&format!("{holder}, in process {own} (close the other")), "{text}");

    let limit = Duration::from_millis(300);
    let started = Instant::now();
    let options = DynDatabase::options().wait(Wait::AtMost(limit));
    let error = options.clone().open(&path).unwrap_err();
    let waited = started.elapsed();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("in this very process"), "{error}");
    assert!(waited >= limit && waited < limit + Duration::from_secs(60), "{waited:?}");
    std::thread::scope(|scope| {
        let patient = DynDatabase::options().wait(Wait::Forever);
        let waiting = scope.spawn(|| patient.open(&path).map(drop));
        database.close().unwrap();
        waiting.join().unwrap().unwrap();
    });
    options.open(&path).unwrap().close().unwrap();
}

/// Finds an error that names the writer of another store, by shared words that are not this
/// store's.
#[test]
fn shared_words_of_another_store_name_no_writer() {
    let place = Place::new();
    let path = people(&place);
    let store = DynStore::open(&path).unwrap();
    let lock = PathBuf::from(format!("{}-lock", path.display()));
    let words = bytes(&lock);
    for (at, fill) in [(71..72, 0xa5), (72..80, 0xa5), (128..136, 0)] {
        let mut other = words.clone();
        other[at].fill(fill);
        // Written in place: another file would be another lock.
        let mut file = std::fs::File::options().write(true).open(&lock).unwrap();
        file.write_all(&other).unwrap();
        let text = DynStore::open(&path).unwrap_err().to_string();
        assert!(text.contains("has the store open to write (close"), "{text}");
        let info = DynStore::open_read_only(&path).unwrap().info().unwrap();
        assert_eq!(info.writer.unwrap().process, None);
        drop(file);
        std::fs::File::options().write(true).open(&lock).unwrap().write_all(&words).unwrap();
    }
    let text = DynStore::open(&path).unwrap_err().to_string();
    assert!(text.contains("in this very process"), "{text}");
    store.close().unwrap();
}

/// Runs a command that must end within a minute, without a panic or a signal.
#[track_caller]
fn ends(place: &Place, args: &[&str]) -> Ran {
    let mut command = place.command(args);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let end = Instant::now() + Duration::from_secs(60);
    while child.try_wait().unwrap().is_none() {
        if Instant::now() > end {
            child.kill().unwrap();
            panic!("{args:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    let (status, stdout, stderr) = (output.status.code(), text(output.stdout), text(output.stderr));
    let ran = Ran { status, stdout, stderr };
    assert!(matches!(ran.status, Some(0 | 1)), "{args:?}: {ran:?}");
    assert!(!ran.stderr.contains("panicked"), "{args:?}: {ran:?}");
    ran
}

/// The commands that read a store and its lock file.
const LOOKING: [&[&str]; 4] = [
    &["info", "people.rec"],
    &["info", "people.rec", "--json"],
    &["verify", "people.rec"],
    &["verify", "people.rec", "--rebuild"],
];

/// Finds a command that changes a user's file in the place of the lock file, or whose error does
/// not name it.
#[test]
fn a_foreign_file_in_the_lock_files_place_is_named_and_kept() {
    let place = Place::new();
    let store = bytes(&people(&place));
    let lock = place.path("people.rec-lock");
    for (foreign, hole) in [(&b"three years of work\n"[..], 0), (b"!", 0), (b"", 1 << 40)] {
        std::fs::write(&lock, foreign).unwrap();
        if hole > 0 && cfg!(target_os = "linux") {
            // More zeros than a lock file has.
            std::fs::File::options().write(true).open(&lock).unwrap().set_len(hole).unwrap();
        } else if hole > 0 {
            std::fs::write(&lock, vec![0; 8 << 20]).unwrap();
        }
        let len = lock.metadata().unwrap().len();
        for args in LOOKING {
            let ran = ends(&place, args);
            assert_eq!((ran.status, &*ran.stdout), (Some(1), ""), "{args:?}: {ran:?}");
            assert!(ran.stderr.contains("people.rec-lock"), "{args:?}: {}", ran.stderr);
            assert!(ran.stderr.contains("rename one of the two"), "{args:?}: {}", ran.stderr);
        }
        assert_eq!(lock.metadata().unwrap().len(), len);
        assert!(hole > 0 || bytes(&lock) == foreign);
        assert_eq!(bytes(&place.path("people.rec")), store);
        assert_eq!(place.files(), ["people.rec", "people.rec-lock"]);
    }
}

/// Finds shared words that change the records which a command shows, or do damage. At most a
/// command may say that the store is locked.
#[test]
fn false_shared_words_change_no_records() {
    let place = Place::new();
    let path = people(&place);
    place.ok(["verify", "people.rec", "--rebuild"]);
    let lock = place.path("people.rec-lock");
    let words = bytes(&lock);
    let filled = |from: usize, len: usize, fill: &dyn Fn(usize) -> u64| {
        let mut bytes = words.clone();
        bytes.resize(bytes.len().max(len), 0);
        for at in (from..bytes.len()).step_by(8) {
            bytes[at..at + 8].copy_from_slice(&fill(at).to_le_bytes());
        }
        bytes
    };
    // The last two keep the word that names the store, so that handles use the others.
    let claims = [
        ("the highest numbers", filled(72, 0, &|_| u64::MAX)),
        ("any numbers", filled(72, 0, &|at| (at as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))),
        ("the highest numbers of this store", filled(80, 0, &|_| u64::MAX)),
        (
            "as many readers as there can be",
            filled(4096, 8192 + (4 << 20), &|at| {
                if at % 64 == 0 { u64::from_le_bytes(words[72..80].try_into().unwrap()) } else { 1 }
            }),
        ),
    ];
    for (what, claim) in &claims {
        for is_open in [false, true] {
            let writer = is_open.then(|| DynDatabase::open(&path).unwrap());
            // Writes in place, because another file would be another lock.
            std::fs::File::options().write(true).open(&lock).unwrap().write_all(claim).unwrap();
            for args in &LOOKING[1..if is_open { 3 } else { 4 }] {
                let ran = ends(&place, args);
                let about = format!("{what}, open: {is_open}: {args:?}: {ran:?}");
                if is_open && ran.status == Some(1) {
                    assert!(ran.stderr.contains("locked by another handle"), "{about}");
                    // The command waited ten seconds for a commit that no writer can publish.
                    assert!(ran.stderr.contains("the lock file is damaged"), "{about}");
                    continue;
                }
                assert_eq!((ran.status, &*ran.stderr), (Some(0), ""), "{about}");
                if args[0] == "info" {
                    let json: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
                    assert_eq!(
                        (&json["records"], &json["readers"]),
                        (&serde_json::json!(3), &serde_json::json!([]))
                    );
                    assert_eq!(json["writer"].is_null(), !is_open, "{about}");
                } else {
                    assert!(ran.stdout.contains("no doubts") || args.len() > 2, "{about}");
                }
            }
            drop(writer);
            std::fs::write(&lock, &words).unwrap();
            place.ok(["verify", "people.rec"]);
        }
    }
}
