//! The names that belong to a store, and the outputs that must not take them; files of the user
//! under such names.

use std::collections::BTreeMap;
use std::fs;

use flatrec::{Durability, DynDatabase};

use super::*;

/// A place with `s.rec`, with the log of a killed writer; a damaged store `d.rec`; a CSV file
/// `in.csv` with a row that does not fit and its types; and `t.rec`, another store.
fn stores() -> Place {
    let place = Place::new();
    place.write("in.csv", "n\n1\nx\n");
    let schema = r#"{"record_size": 8, "fields": [{"name": "n", "type": "int64", "offset": 0}]}"#;
    place.write("schema.json", schema);
    place.write("good.csv", "n\n7\n8\n");
    let live = Place::new();
    for (at, name) in [(&live, "s.rec"), (&place, "t.rec"), (&place, "d.rec")] {
        let (input, types) = (place.path("good.csv"), place.path("schema.json"));
        at.ok([
            OsStr::new("load"),
            input.as_ref(),
            name.as_ref(),
            "--schema".as_ref(),
            types.as_ref(),
        ]);
    }
    let database = DynDatabase::open(live.path("s.rec")).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&[9; 8]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    // The files as after a kill: an open store keeps its locks as long as this process lives.
    for name in live.files() {
        fs::copy(live.path(&name), place.path(&name)).unwrap();
    }
    assert!(place.files().contains(&"s.rec-wal-1".into()), "{:?}", place.files());
    let mut damaged = bytes(&place.path("d.rec"));
    damaged[65_536] ^= 1;
    fs::write(place.path("d.rec"), damaged).unwrap();
    place
}

/// The files of a place by their names, with their lengths and checksums.
fn all(place: &Place) -> BTreeMap<String, (usize, u32)> {
    let names = place.files().into_iter().filter(|name| place.path(name).is_file());
    let held = |name: &str| bytes(&place.path(name));
    names.map(|name| (name.clone(), (held(&name).len(), crc32c::crc32c(&held(&name))))).collect()
}

/// Command lines with OUT in the place of an output, and the stores that they read and create.
const OUTPUTS: [(&[&str], [&str; 2]); 9] = [
    (&["compact", "s.rec", "new.rec", "--force", "--map", "OUT"], ["s.rec", "new.rec"]),
    (&["salvage", "d.rec", "new.rec", "--force", "--list", "OUT"], ["d.rec", "new.rec"]),
    (
        &["load", "in.csv", "new.rec", "--schema", "schema.json", "--force", "--rejects", "OUT"],
        ["new.rec", "new.rec"],
    ),
    (&["append", "s.rec", "in.csv", "--rejects", "OUT"], ["s.rec", "s.rec"]),
    (&["load", "in.csv", "s.rec", "--append", "--rejects", "OUT"], ["s.rec", "s.rec"]),
    (&["backup", "s.rec", "OUT", "--force"], ["s.rec", "s.rec"]),
    (&["compact", "s.rec", "OUT", "--force"], ["s.rec", "s.rec"]),
    (&["salvage", "d.rec", "OUT", "--force"], ["d.rec", "d.rec"]),
    (&["load", "good.csv", "OUT", "--force"], ["t.rec", "s.rec"]),
];

const SUFFIXES: [&str; 11] = [
    "-lock",
    "-sum",
    "-sum-unfinished",
    "-wal-1",
    "-wal-2",
    "-wal-987654321",
    "-unfinished",
    "-unfinished-sum",
    "-unfinished-wal-3",
    "-unfinished-progress",
    "-unfinished-progress-new",
];

fn with_output<'a>(command: &[&'a str], output: &'a str) -> Vec<&'a str> {
    command.iter().map(|word| if *word == "OUT" { output } else { *word }).collect()
}

/// `compact --map s.rec-wal-1 --force` replaced the live log of `s.rec` by the map without an
/// error, because the checks did not know the names of segments.
#[test]
fn no_output_takes_a_name_of_a_store_that_is_read_or_made() {
    let place = stores();
    fs::create_dir(place.path("sub")).unwrap();
    let before = all(&place);
    for (command, of) in OUTPUTS {
        for store in of {
            for suffix in SUFFIXES {
                for way in ["", "./", "sub/../"] {
                    let output = format!("{way}{store}{suffix}");
                    let text = place.error(with_output(command, &output));
                    let refused = text.contains("would overwrite that file")
                        || text.contains("has the name of a file beside");
                    assert!(refused, "{command:?} {output}: {text}");
                }
            }
        }
    }
    assert_eq!(all(&place), before);
}

/// Finds an output that overwrites a store's file through a link.
#[cfg(unix)]
#[test]
fn no_output_takes_a_name_of_a_store_through_links() {
    let place = stores();
    let before = all(&place);
    std::os::unix::fs::symlink(".", place.path("here")).unwrap();
    for (at, suffix) in ["-wal-1", "-sum", "-lock"].iter().enumerate() {
        let store_file = format!("s.rec{suffix}");
        fs::hard_link(place.path(&store_file), place.path(&format!("hard{at}.csv"))).unwrap();
        std::os::unix::fs::symlink(&store_file, place.path(&format!("soft{at}.csv"))).unwrap();
    }
    // The link leads to a free name of the store.
    std::os::unix::fs::symlink("s.rec-wal-2", place.path("next.csv")).unwrap();
    std::os::unix::fs::symlink("s.rec", place.path("other.rec")).unwrap();
    for output in [
        "here/s.rec-wal-1",
        "here/s.rec-wal-8",
        "here/here/s.rec-unfinished",
        "hard0.csv",
        "hard1.csv",
        "hard2.csv",
        "soft0.csv",
        "soft1.csv",
        "soft2.csv",
        "next.csv",
    ] {
        for command in [
            &["compact", "s.rec", "new.rec", "--force", "--map", "OUT"][..],
            &["compact", "other.rec", "new.rec", "--force", "--map", "OUT"],
            &["salvage", "s.rec", "new.rec", "--force", "--list", "OUT"],
            &["append", "s.rec", "in.csv", "--rejects", "OUT"],
        ] {
            let text = place.error(with_output(command, output));
            assert!(text.contains("would overwrite that file"), "{command:?} {output}: {text}");
        }
        if output.ends_with(".csv") {
            let text = place.error(["export", "s.rec", output, "--force"]);
            assert!(text.contains("would overwrite that file"), "{output}: {text}");
        }
    }
    let after = all(&place);
    assert!(before.iter().all(|(name, held)| after.get(name) == Some(held)));
    assert!(!place.path("s.rec-wal-2").exists());
}

/// Finds an output that overwrites a store's file through a descriptor that the shell opened.
#[cfg(target_os = "linux")]
#[test]
fn no_output_takes_a_name_of_a_store_through_a_descriptor() {
    let place = stores();
    let before = all(&place);
    let command = env!("CARGO_BIN_EXE_flatrec");
    for line in [
        format!("{command} append s.rec in.csv --rejects /dev/fd/5 5>>s.rec-wal-1"),
        format!("{command} salvage s.rec new.rec --list /dev/fd/5 --force 5>>s.rec-sum"),
        format!("{command} salvage s.rec new.rec --list /dev/stdout --force >>s.rec"),
    ] {
        let said = shell::shell(place.0.path(), &line).unwrap().unwrap_err();
        assert!(said.contains("would overwrite that file"), "{line}: {said}");
    }
    assert_eq!(all(&place), before);
}

/// Finds an output that overwrites a file of a store that the command line does not name.
#[test]
fn no_output_takes_the_name_of_another_store_s_side_file() {
    let place = stores();
    let before = all(&place);
    for suffix in SUFFIXES {
        let output = format!("t.rec{suffix}");
        for (command, _) in OUTPUTS {
            let text = place.error(with_output(command, &output));
            assert!(text.contains("has the name of a file beside the store"), "{command:?} {text}");
            assert!(text.contains("t.rec (choose another path)"), "{command:?} {text}");
        }
    }
    assert_eq!(all(&place), before);
    // Without a store of that name, the name is free.
    place.ok(["backup", "s.rec", "u.rec-lock"]);
}

/// Finds a `--force` that replaces a part of a store by a table. It may replace other files.
#[test]
fn force_never_replaces_a_part_of_a_store_by_another_kind_of_file() {
    let place = stores();
    for (part, name) in [
        ("t.rec", "store.csv"),
        ("t.rec-sum", "sum.csv"),
        ("s.rec-wal-1", "log.csv"),
        ("s.rec-lock", "lock.csv"),
    ] {
        fs::copy(place.path(part), place.path(name)).unwrap();
    }
    place.write("progress.csv", "flatrec unfinished load 3 00000000\n{}\n");
    let before = all(&place);
    for output in ["store.csv", "sum.csv", "log.csv", "lock.csv", "progress.csv"] {
        for command in [
            &["compact", "s.rec", "new.rec", "--force", "--map", "OUT"][..],
            &["salvage", "s.rec", "new.rec", "--force", "--list", "OUT"],
            &["export", "s.rec", "OUT", "--force"],
            &["load", "in.csv", "n.rec", "--schema", "schema.json", "--force", "--rejects", "OUT"],
        ] {
            let text = place.error(with_output(command, output));
            assert!(text.contains("is a store or a part of one"), "{command:?} {output}: {text}");
        }
    }
    assert_eq!(all(&place), before);
    place.write("plain.csv", "an export of last year");
    place.ok(["export", "s.rec", "plain.csv", "--force"]);
    assert_eq!(place.read("plain.csv").lines().count(), 4);
}

/// Finds a command that reads a store while it writes the new one over it.
#[test]
fn a_source_is_never_a_file_that_its_copy_overwrites() {
    let place = stores();
    for name in ["y.rec-unfinished", "y.rec-wal-1"] {
        fs::copy(place.path("t.rec"), place.path(name)).unwrap();
    }
    fs::copy(place.path("good.csv"), place.path("y.rec-sum")).unwrap();
    let before = all(&place);
    for command in [
        ["backup", "y.rec-unfinished", "y.rec"],
        ["compact", "y.rec-wal-1", "y.rec"],
        ["salvage", "y.rec-unfinished", "y.rec"],
        ["load", "y.rec-sum", "y.rec"],
    ] {
        let text = place.error(command);
        assert!(text.contains("has the name of a file beside y.rec"), "{command:?}: {text}");
    }
    assert_eq!(all(&place), before);
}

/// A copy of a store whose records are all in the log.
fn recordless_with_log(place: &Place) -> String {
    let schema = flatrec::Schema::packed([flatrec::Field::new("n", flatrec::DataType::Int64)]);
    let database = DynDatabase::create(place.path("e.rec"), &schema.unwrap()).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&[9; 8]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    fs::copy(place.path("e.rec"), place.path("copy-of-e")).unwrap();
    database.close().unwrap();
    "copy-of-e".to_owned()
}

/// After `cp x.rec y.rec-unfinished` any command that makes `y.rec` removed the copy.
#[test]
fn a_whole_store_under_the_name_of_an_unfinished_one_is_kept() {
    let place = stores();
    // The lock file of a removed `y.rec` stays; it helps to recognise a maker's leftover.
    place.write("y.rec-lock", "");
    fs::copy(place.path(&recordless_with_log(&place)), place.path("l.rec")).unwrap();
    for source in ["t.rec", "s.rec", "l.rec"] {
        fs::copy(place.path(source), place.path("y.rec-unfinished")).unwrap();
        // Readers write to the lock file what they read.
        let unlocked = || {
            let mut all = all(&place);
            all.retain(|name, _| !name.ends_with("-lock"));
            all
        };
        let before = unlocked();
        for command in [
            &["load", "good.csv", "y.rec"][..],
            &["load", "good.csv", "y.rec", "--force"],
            &["load", "good.csv", "y.rec", "--resume"],
            &["backup", "t.rec", "y.rec"],
            &["compact", "t.rec", "y.rec", "--map", "map.csv"],
            &["salvage", "t.rec", "y.rec", "--force"],
        ] {
            let ran = place.run(command);
            assert_eq!(ran.status, Some(1), "{command:?}: {ran:?}");
            let why = "y.rec-unfinished: already exists: the file is not the leftover";
            assert!(ran.stderr.contains(why), "{command:?}: {ran:?}");
            assert!(ran.stderr.contains("rename it"), "{command:?}: {ran:?}");
        }
        assert_eq!(unlocked(), before);
    }
    fs::remove_file(place.path("y.rec-unfinished")).unwrap();
    place.ok(["load", "good.csv", "y.rec"]);
}

/// Finds a maker that takes a finished store for a leftover because it was renamed, whichever
/// command made it.
#[test]
fn a_finished_store_is_not_a_leftover_under_another_name() {
    let place = stores();
    place.ok(["load", "good.csv", "loaded.rec"]);
    place.ok(["backup", "s.rec", "backup.rec"]);
    place.ok(["compact", "s.rec", "compact.rec"]);
    place.ok(["salvage", "s.rec", "salvage.rec"]);
    for made in ["loaded.rec", "backup.rec", "compact.rec", "salvage.rec"] {
        place.write("y.rec-lock", "");
        fs::copy(place.path(made), place.path("y.rec-unfinished")).unwrap();
        let text = place.error(["load", "good.csv", "y.rec"]);
        assert!(text.contains("is not the leftover of an interrupted call"), "{made}: {text}");
    }
}

/// A `load` removed a user's file, without a message, that had a name of its own unfinished files.
#[test]
fn a_load_removes_only_its_own_files() {
    let place = stores();
    for suffix in ["-unfinished", "-unfinished-progress", "-unfinished-progress-new"] {
        let name = format!("x.rec{suffix}");
        place.write(&name, "three years of work");
        // As after the removal of an `x.rec`.
        place.write("x.rec-lock", "");
        let before = all(&place);
        for more in [&[][..], &["--force"], &["--resume"]] {
            let ran = place.run([&["load", "good.csv", "x.rec"][..], more].concat());
            assert_eq!(ran.status, Some(1), "{suffix} {more:?}: {ran:?}");
            assert!(ran.stderr.contains(&*name), "{suffix} {more:?}: {ran:?}");
        }
        assert_eq!(all(&place), before);
        fs::remove_file(place.path(&name)).unwrap();
    }
    // The leftovers of a killed load, also half-written ones, do not block a later load.
    place.write("x.rec-unfinished-progress-new", "flatrec unfin");
    place.ok(["load", "good.csv", "x.rec"]);
}

/// Finds a `--force` that replaces a pipe or a device, beside which the command would write its
/// files.
#[cfg(unix)]
#[test]
fn force_replaces_no_pipe() {
    promptly(|at| {
        at("the first command".into());
        let place = stores();
        shell::shell(place.0.path(), "mkfifo pipe.csv").unwrap().unwrap();
        for command in [
            &["compact", "s.rec", "new.rec", "--force", "--map", "pipe.csv"][..],
            &["export", "s.rec", "pipe.csv", "--force"],
            &["backup", "s.rec", "pipe.csv", "--force"],
        ] {
            let text = place.error(command);
            assert!(
                text.starts_with("--map pipe.csv is not") || text.starts_with("pipe.csv is not"),
                "{text}"
            );
        }
        use std::os::unix::fs::FileTypeExt as _;
        assert!(fs::metadata(place.path("pipe.csv")).unwrap().file_type().is_fifo());
    });
}

/// A `load` waited for ever for a pipe that had the name of its progress file.
#[cfg(unix)]
#[test]
fn a_pipe_under_a_name_of_a_store_delays_no_command() {
    promptly(|at| {
        let commands: &[&[&str]] = &[
            &["load", "good.csv", "X"],
            &["load", "good.csv", "X", "--force"],
            &["load", "good.csv", "X", "--resume"],
            &["load", "good.csv", "X", "--append"],
            &["append", "X", "good.csv"],
            &["info", "X"],
            &["get", "X", "0"],
            &["scan", "X"],
            &["tail", "X"],
            &["schema", "X"],
            &["export", "X", "out.csv", "--force"],
            &["set", "X", "0", "n=1"],
            &["delete", "X", "0"],
            &["verify", "X"],
            &["verify", "X", "--rebuild"],
            &["checkpoint", "X"],
            &["backup", "X", "copy.rec", "--force"],
            &["backup", "t.rec", "X", "--force"],
            &["compact", "X", "copy.rec", "--force"],
            &["compact", "t.rec", "X", "--force"],
            &["salvage", "X", "copy.rec", "--force"],
            &["salvage", "t.rec", "X", "--force"],
        ];
        for suffix in ["", "-lock", "-sum", "-sum-unfinished", "-wal-1", "-unfinished"]
            .into_iter()
            .chain(["-unfinished-lock", "-unfinished-sum", "-unfinished-progress"])
            .chain(["-unfinished-progress-new"])
        {
            let place = stores();
            for store in ["s.rec", "none.rec"] {
                let pipe = format!("{store}{suffix}");
                let _ = fs::remove_file(place.path(&pipe));
                shell::shell(place.0.path(), &format!("mkfifo {pipe}")).unwrap().unwrap();
                for command in commands {
                    let words = command.iter().map(|it| if *it == "X" { store } else { *it });
                    let words: Vec<&str> = words.collect();
                    at(format!("{words:?} with a pipe at {pipe}"));
                    let ran = place.run(&words);
                    let how = (ran.status, ran.stderr.is_empty());
                    assert!(matches!(how, (Some(0), _) | (Some(1), false)), "{words:?}: {ran:?}");
                }
                use std::os::unix::fs::FileTypeExt as _;
                let there = fs::symlink_metadata(place.path(&pipe)).unwrap();
                assert!(there.file_type().is_fifo(), "{pipe} was replaced");
            }
        }
    });
}

/// Runs a test that reports its steps; fails if a step takes a minute.
#[cfg(unix)]
fn promptly(test: impl FnOnce(&dyn Fn(String)) + Send + 'static) {
    let (told, wait) = std::sync::mpsc::channel();
    let running = std::thread::spawn(move || test(&|place| told.send(place).unwrap()));
    let mut last = String::new();
    loop {
        match wait.recv_timeout(std::time::Duration::from_secs(60)) {
            Ok(place) => last = place,
            Err(std::sync::mpsc::RecvTimeoutError::Timeout) => {
                panic!("{last}: the command waits for ever")
            }
            Err(_) => break,
        }
    }
    running.join().unwrap();
}

/// Finds a `--rejects` that replaces a pipe which the user names instead of writing to it.
#[cfg(unix)]
#[test]
fn rows_that_do_not_fit_go_to_a_pipe_that_the_user_names() {
    let place = stores();
    shell::shell(place.0.path(), "mkfifo pipe").unwrap().unwrap();
    let reader = {
        let pipe = place.path("pipe");
        std::thread::spawn(move || fs::read_to_string(pipe).unwrap())
    };
    place.ok(["append", "s.rec", "in.csv", "--rejects", "pipe"]);
    assert!(reader.join().unwrap().starts_with("line,column,reason,row\n3,n,"));
    let said = place.ok(["append", "s.rec", "in.csv", "--rejects", "/dev/stdout"]);
    assert!(said.contains("line,column,reason,row\n3,n,"), "{said}");
}
