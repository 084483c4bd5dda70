//! `load --resume`: interrupted loads, and their continuation.

use std::fs;
use std::process::Child;
use std::time::{Duration, Instant};

use super::interrupt::{interrupt, was_run_in_a_console_of_its_own};
use super::packed::Packer;
use super::shell::shell;
use super::skip::skip;
use super::*;

/// Rows for some twenty blocks of the loader; one in a thousand is bad, one in a hundred has a
/// quoted line end.
fn rows() -> String {
    let mut csv = String::from("id,name,delay\n");
    for n in 0..160_000u32 {
        let name = if n % 100 == 7 { "\"two\nlines\"" } else { "a name of some length" };
        match n % 1000 {
            13 => csv.push_str(&format!("{n},{name},late\n")),
            14 => csv.push_str(&format!("{n},{name},NA\n")),
            _ => csv.push_str(&format!("{n},{name},{}\n", n / 4)),
        }
    }
    csv
}

const SCHEMA: &str = r#"{ "record_size": 38, "fields": [
    { "name": "id", "type": "uint32", "offset": 0 },
    { "name": "name", "type": "utf8(25)", "offset": 4 },
    { "name": "delay", "type": "int64", "offset": 29, "nullable": true }
] }"#;

/// A place with the rows in `in.csv` and their types.
fn place() -> Place {
    let place = Place::new();
    place.write("in.csv", rows());
    place.write("schema.json", SCHEMA);
    place
}

/// A load of `input` that keeps its progress after each block.
fn load<'a>(input: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    let args = ["load", input, "out.rec", "--schema", "schema.json", "--null", "NA"];
    let every = ["--rejects", "bad.csv", "--progress-every", "1"];
    [&args[..], &every, more].concat()
}

fn records(place: &Place) -> Vec<u8> {
    fs::read(place.path("out.rec")).unwrap()[65_536..].to_vec()
}

fn remove_all(place: &Place, keep: &[&str]) {
    for name in place.files() {
        if !keep.contains(&&*name) {
            fs::remove_file(place.path(&name)).unwrap();
        }
    }
}

fn spawn(place: &Place, args: &[&str]) -> Child {
    let mut command = place.command(args);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The result of `end` on a load that has kept some progress. If the load is too fast, this tries
/// again.
pub(super) fn cut_by(place: &Place, args: &[&str], end: impl Fn(&mut Child)) -> Ran {
    for _ in 0..50 {
        let mut child = spawn(place, args);
        while !place.path("out.rec-unfinished-progress").exists()
            && child.try_wait().unwrap().is_none()
        {
            std::thread::yield_now();
        }
        end(&mut child);
        let output = child.wait_with_output().unwrap();
        if !output.status.success() {
            return Ran {
                status: output.status.code(),
                stdout: String::from_utf8(output.stdout).unwrap(),
                stderr: String::from_utf8(output.stderr).unwrap(),
            };
        }
        let files = place.files();
        let inputs: Vec<&str> = files.iter().map(String::as_str).collect();
        let is_input = |name: &&str| name.starts_with("in.") || *name == "schema.json";
        remove_all(place, &inputs.into_iter().filter(is_input).collect::<Vec<_>>());
    }
    panic!("every load ended before it was killed");
}

fn cut(place: &Place, args: &[&str]) {
    cut_by(place, args, |child| child.kill().unwrap());
    assert!(place.path("out.rec-unfinished").exists() && !place.path("out.rec").exists());
}

/// Resumes, and returns the row after which it resumed.
#[track_caller]
fn resumed(place: &Place, args: &[&str]) -> u64 {
    let out = place.ok(args);
    let line = out.lines().find_map(|line| line.strip_prefix("resumed   behind row "));
    line.expect(&out).parse().unwrap()
}

/// The result of an uninterrupted load and its duration; its files are removed.
fn uninterrupted(place: &Place) -> (Vec<u8>, String, Duration) {
    let started = Instant::now();
    place.ok(load("in.csv", &[]));
    let time = started.elapsed();
    assert_eq!(
        place.files(),
        ["bad.csv", "in.csv", "out.rec", "out.rec-lock", "out.rec-sum", "schema.json"]
    );
    let made = (records(place), place.read("bad.csv"), time);
    remove_all(place, &["in.csv", "schema.json"]);
    assert_eq!(made.0.len(), 38 * (160_000 - 160));
    made
}

/// Waits until a load has kept its progress so many times and has used some part of the next
/// interval, or has ended.
fn watch(place: &Place, child: &mut Child, times: u32, part: Duration) {
    let (mut seen, mut last) = (0, None);
    while seen < times && child.try_wait().unwrap().is_none() {
        let now = fs::read(place.path("out.rec-unfinished-progress")).ok();
        if now.is_some() && now != last {
            (seen, last) = (seen + 1, now);
        }
        std::thread::yield_now();
    }
    // The kill should hit a random place in the load's work.
    std::thread::sleep(part);
}

fn has_gone_on(stdout: &[u8]) -> bool {
    String::from_utf8_lossy(stdout).contains("resumed   behind row ")
}

/// Finds a kill after which a resumed load loses a row or loads it twice.
#[test]
fn a_load_killed_anywhere_is_resumed_with_the_same_result() {
    let place = place();
    let (expected, rejects, time) = uninterrupted(&place);
    let (mut kills, mut gone_on) = (0u32, 0);
    for history in 0..10 {
        let mut args = load("in.csv", &[]);
        for _ in 0..3 {
            let mut child = spawn(&place, &args);
            kills += 1;
            let part = time.mul_f64((f64::from(kills) * 0.618_034).fract() / 20.0);
            watch(&place, &mut child, kills % 7, part);
            child.kill().unwrap();
            let output = child.wait_with_output().unwrap();
            gone_on += u32::from(has_gone_on(&output.stdout));
            args = load("in.csv", &["--resume"]);
        }
        // The last kill may have come after all work was done.
        let progress = place.path("out.rec-unfinished-progress");
        if progress.exists() || !place.path("out.rec").exists() {
            let output = place.command(&args).output().unwrap();
            assert!(output.status.success(), "history {history}: {output:?}");
            gone_on += u32::from(has_gone_on(&output.stdout));
        }
        assert!(records(&place) == expected, "history {history}: the records differ");
        assert!(place.read("bad.csv") == rejects, "history {history}: the rejects differ");
        let verified = place.ok(["verify", "out.rec"]);
        assert_eq!(verified, "out.rec: 159840 records, checksums of 93 blocks, no doubts\n");
        // A load that is killed before it keeps anything leaves its rejects under their temporary
        // name.
        let files: Vec<_> =
            place.files().into_iter().filter(|name| !name.starts_with(".bad.csv.")).collect();
        assert_eq!(files.len(), 6, "{files:?}");
        remove_all(&place, &["in.csv", "schema.json"]);
    }
    assert!(gone_on > 0, "none of {kills} kills left progress to resume from");
}

/// Finds a leftover of a resumed load, or a load that refuses its input under a new name.
#[test]
fn a_finished_resume_leaves_no_files_behind() {
    let place = place();
    let (expected, rejects, _) = uninterrupted(&place);
    cut(&place, &load("in.csv", &[]));
    let mut files = place.files();
    // The load may have been killed while it wrote its progress under another name.
    files.retain(|name| name != "out.rec-unfinished-progress-new");
    assert_eq!(files.len(), 7, "{files:?}");
    // The input is the same after a move.
    fs::rename(place.path("in.csv"), place.path("moved.csv")).unwrap();
    let row = resumed(&place, &load("moved.csv", &["--resume"]));
    assert!(row > 1000, "row {row}");
    assert!(records(&place) == expected && place.read("bad.csv") == rejects);
    assert_eq!(
        place.files(),
        ["bad.csv", "moved.csv", "out.rec", "out.rec-lock", "out.rec-sum", "schema.json"]
    );
}

/// Finds a Ctrl-C that loses the loaded rows, or whose message does not say how to continue.
#[test]
fn an_interrupted_load_says_how_to_resume() {
    if was_run_in_a_console_of_its_own("resume::an_interrupted_load_says_how_to_resume") {
        return;
    }
    let place = place();
    let (expected, rejects, _) = uninterrupted(&place);
    let ran = cut_by(&place, &load("in.csv", &[]), |child| interrupt(child));
    assert_eq!(ran.status, Some(130), "{ran:?}");
    assert_eq!(
        ran.stderr,
        "flatrec: interrupted; what was loaded is kept in out.rec-unfinished: the same command \
         with --resume continues it, and without --resume starts over\n"
    );
    resumed(&place, &load("in.csv", &["--resume"]));
    assert!(records(&place) == expected && place.read("bad.csv") == rejects);
}

/// Finds a `--resume` that continues with another input.
#[test]
fn a_resume_refuses_another_input_and_changes_nothing() {
    let place = place();
    let args = load("in.csv", &["--resume"]);
    cut(&place, &load("in.csv", &[]));
    let files = place.files();
    let left = |name: &str| fs::read(place.path(name)).unwrap();
    let progress = left("out.rec-unfinished-progress");
    let modified = fs::metadata(place.path("in.csv")).unwrap().modified().unwrap();
    let text = rows();
    let touch = |text: &str, modified| {
        place.write("in.csv", text);
        let file = fs::File::options().write(true).open(place.path("in.csv")).unwrap();
        file.set_modified(modified).unwrap();
    };
    let later = modified + Duration::from_secs(1);
    for (text, modified, why) in [
        (text.clone() + "1,x,2\n", modified, "it had "),
        (text.replacen("0,a", "0,b", 1), modified, "its first 64 KiB have changed"),
        (text.clone(), later, "it was modified later"),
    ] {
        touch(&text, modified);
        let text = place.error(&args);
        assert!(text.starts_with("the load of out.rec cannot be resumed: in.csv is not"), "{text}");
        assert!(text.contains(why), "{text}");
    }
    fs::remove_file(place.path("in.csv")).unwrap();
    assert!(place.error(&args).starts_with("open in.csv: "));
    touch(&text, modified);
    assert_eq!((place.files(), left("out.rec-unfinished-progress")), (files, progress));
    resumed(&place, &args);
}

/// Finds a `--resume` that continues with options that give other records.
#[test]
fn a_resume_refuses_other_options_and_names_them() {
    let place = place();
    cut(&place, &load("in.csv", &[]));
    place.write("wider.json", SCHEMA.replace("utf8(25)", "binary(25)"));
    let files = place.files();
    let begin = ["load", "in.csv", "out.rec", "--resume"];
    let (schema, null) = (["--schema", "schema.json"], ["--null", "NA"]);
    let rejects = ["--rejects", "bad.csv"];
    let wider = ["--schema", "wider.json"];
    for (options, why) in [
        ([&wider[..], &null, &rejects].concat(), "--schema has other types"),
        ([&null[..], &rejects].concat(), "--schema has other types"),
        ([&schema[..], &rejects].concat(), "--null was \"NA\" and is not given"),
        ([&schema[..], &null].concat(), "--rejects was \""),
        ([&schema[..], &null, &["--rejects", "b.csv"]].concat(), "b.csv\" (use the same"),
        ([&schema[..], &null, &rejects, &["--no-header"]].concat(), "--no-header was not given"),
        (
            [&schema[..], &null, &rejects, &["--delimiter", ";"]].concat(),
            "--delimiter was not given and is \";\"",
        ),
    ] {
        let text = place.error([&begin[..], &options].concat());
        assert!(text.starts_with("the load of out.rec cannot be resumed: "), "{text}");
        assert!(text.contains(why), "{text}");
    }
    assert!(place.usage([&begin[..], &["--append"]].concat()).contains("--append"));
    assert_eq!(place.files(), files);
    resumed(&place, &load("in.csv", &["--resume"]));
}

/// Finds a `--resume` that fails without progress, or that uses the progress of another store.
#[test]
fn with_nothing_to_resume_the_load_starts() {
    let place = place();
    place.write("small.csv", "id,name,delay\n1,x,\n");
    let ran = place.run(load("small.csv", &["--resume"]));
    let note = "flatrec: there is no unfinished load of out.rec to resume: this one starts\n";
    assert_eq!((ran.status, &*ran.stderr), (Some(0), note), "{ran:?}");
    assert_eq!(place.ok(["scan", "out.rec", "--count"]), "1\n");
    assert_eq!(
        place.error(["load", "small.csv", "out.rec", "--resume"]),
        "out.rec exists already (--append adds to it, --force replaces it)"
    );
    remove_all(&place, &["in.csv", "schema.json"]);

    // A progress file without its store has no meaning.
    cut(&place, &load("in.csv", &[]));
    fs::remove_file(place.path("out.rec-unfinished")).unwrap();
    let ran = place.run(load("in.csv", &["--resume"]));
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stderr.starts_with(note) && !ran.stdout.contains("resumed "), "{ran:?}");
    assert_eq!(
        place.files(),
        ["bad.csv", "in.csv", "out.rec", "out.rec-lock", "out.rec-sum", "schema.json"]
    );
    remove_all(&place, &["in.csv", "schema.json"]);

    // Neither does the progress file of another store.
    cut(&place, &load("in.csv", &[]));
    let progress = bytes(&place.path("out.rec-unfinished-progress"));
    fs::remove_file(place.path("out.rec-unfinished-progress")).unwrap();
    cut(&place, &load("in.csv", &[]));
    place.write("out.rec-unfinished-progress", progress);
    let ran = place.run(load("in.csv", &["--resume"]));
    assert!(ran.stderr.starts_with(note) && !ran.stdout.contains("resumed "), "{ran:?}");
}

/// Finds a reading command that spoils an unfinished store.
#[test]
fn reading_an_unfinished_store_does_not_end_it() {
    let place = place();
    let (expected, rejects, _) = uninterrupted(&place);
    cut(&place, &load("in.csv", &[]));
    let looked = place.run(["info", "out.rec-unfinished"]);
    assert_eq!(looked.status, Some(0), "{looked:?}");
    assert!(!place.files().contains(&"out.rec-unfinished-lock".into()), "{:?}", place.files());
    resumed(&place, &load("in.csv", &["--resume"]));
    assert!(records(&place) == expected && place.read("bad.csv") == rejects);
}

/// Finds a `load` that continues an unfinished one unasked.
#[test]
fn without_resume_the_load_starts_over() {
    let place = place();
    let (expected, rejects, _) = uninterrupted(&place);
    cut(&place, &load("in.csv", &[]));
    let ran = place.run(load("in.csv", &[]));
    assert_eq!(
        (ran.status, &*ran.stderr),
        (Some(0), "flatrec: the unfinished load of out.rec is discarded\n")
    );
    assert!(!ran.stdout.contains("resumed "), "{ran:?}");
    assert!(records(&place) == expected && place.read("bad.csv") == rejects);
    assert_eq!(
        place.files(),
        ["bad.csv", "in.csv", "out.rec", "out.rec-lock", "out.rec-sum", "schema.json"]
    );
}

/// Finds a failed load that leaves progress, which would fail again.
#[test]
fn a_bad_row_is_not_an_interruption() {
    let place = place();
    let text = rows().replace(",late\n", ",1\n");
    place.write("in.csv", format!("{text}1,x,late\n"));
    let args = ["load", "in.csv", "out.rec", "--schema", "schema.json", "--null", "NA"];
    let args = [&args[..], &["--progress-every", "1"]].concat();
    let files = place.files();
    let text = place.error(&args);
    assert!(text.contains("\"late\""), "{text}");
    assert_eq!(place.files(), files);
    cut(&place, &args);
    place.error([&args[..], &["--resume"]].concat());
    assert_eq!(place.files(), files);
}

/// Finds a `--resume` that reads a compressed file from the wrong place, or accepts a stream.
#[test]
fn a_compressed_input_is_resumed_and_a_stream_is_not() {
    let place = place();
    let (expected, rejects, _) = uninterrupted(&place);
    for packer in Packer::ALL {
        place.write("in.csv.packed", packer.pack(rows().as_bytes()));
        cut(&place, &load("in.csv.packed", &[]));
        resumed(&place, &load("in.csv.packed", &["--resume"]));
        assert!(records(&place) == expected && place.read("bad.csv") == rejects, "{packer:?}");
        remove_all(&place, &["in.csv", "schema.json"]);
    }

    let text = place.error(load("-", &["--resume"]));
    assert_eq!(
        text,
        "--resume reads a part of the input again, and - is not a plain file (load it from a \
         file, or without --resume)"
    );
}

/// Finds a `--resume` that infers other types than the first load.
#[test]
fn a_resume_does_not_infer_the_types_again() {
    let place = place();
    // Two passes: the first, uncut, has told of the types.
    let args = ["load", "in.csv", "out.rec", "--null", "NA", "--guess-from", "0"];
    let args = [&args[..], &["--progress-every", "1"]].concat();
    // Standard error tells why a column is text.
    assert_eq!(place.run(&args).status, Some(0));
    let expected = records(&place);
    remove_all(&place, &["in.csv", "schema.json"]);
    cut(&place, &args);
    resumed(&place, &[&args[..], &["--resume"]].concat());
    assert!(records(&place) == expected);
    assert_eq!(place.files(), ["in.csv", "out.rec", "out.rec-lock", "out.rec-sum", "schema.json"]);
}

/// Finds a `--resume` that forgets `--deletes`.
#[test]
fn a_resume_keeps_the_store_s_deletes() {
    let place = place();
    let args = ["load", "in.csv", "out.rec", "--null", "NA", "--guess-from", "0"];
    let args = [&args[..], &["--progress-every", "1", "--deletes"]].concat();
    assert_eq!(place.run(&args).status, Some(0));
    let expected = records(&place);
    remove_all(&place, &["in.csv", "schema.json"]);
    for _ in 0..5 {
        cut(&place, &args);
        let without = [&args[..args.len() - 1], &["--resume"]].concat();
        assert!(place.error(without).contains("--deletes was given and is not given"));
        resumed(&place, &[&args[..], &["--resume"]].concat());
        assert!(records(&place) == expected);
        assert!(place.ok(["verify", "out.rec"]).ends_with(" blocks, no doubts\n"));
        remove_all(&place, &["in.csv", "schema.json"]);
    }
}

/// Finds a load that stays unfinished after a kill between its last steps, when the store has its
/// name and the rejects do not.
#[test]
fn a_load_interrupted_at_its_very_end_is_finished() {
    let place = place();
    cut(&place, &load("in.csv", &[]));
    let progress = bytes(&place.path("out.rec-unfinished-progress"));
    let aside = place.files().into_iter().find(|name| name.starts_with(".bad.csv.")).unwrap();
    resumed(&place, &load("in.csv", &["--resume"]));
    let (rejects, sums) = (place.read("bad.csv"), bytes(&place.path("out.rec-sum")));
    for is_named in [false, true] {
        if !is_named {
            fs::rename(place.path("bad.csv"), place.path(&aside)).unwrap();
        }
        fs::rename(place.path("out.rec-sum"), place.path("out.rec-unfinished-sum")).unwrap();
        place.write("out.rec-unfinished-progress", &progress);
        assert_eq!(place.ok(load("in.csv", &["--resume"])), "out.rec was complete already\n");
        assert!(place.read("bad.csv") == rejects && bytes(&place.path("out.rec-sum")) == sums);
        assert_eq!(
            place.files(),
            ["bad.csv", "in.csv", "out.rec", "out.rec-lock", "out.rec-sum", "schema.json"]
        );
    }
}

/// Finds a load that overwrites a user's file under a name of its progress.
#[test]
fn a_file_in_the_way_is_not_overwritten() {
    let place = place();
    place.write("out.rec-unfinished-progress", "a diary");
    let text = place.error(load("in.csv", &[]));
    assert_eq!(
        text,
        "out.rec-unfinished-progress is in the way: it is not a progress file of flatrec (rename \
         it, or ask its owner to remove it)"
    );
    assert_eq!(place.read("out.rec-unfinished-progress"), "a diary");
    fs::remove_file(place.path("out.rec-unfinished-progress")).unwrap();

    cut(&place, &load("in.csv", &[]));
    let damaged = place.read("out.rec-unfinished-progress").replace("lines", "liens");
    place.write("out.rec-unfinished-progress", damaged);
    let text = place.error(load("in.csv", &["--resume"]));
    assert!(text.contains("damaged") && text.contains("start over without --resume"), "{text}");
    let ran = place.run(load("in.csv", &[]));
    assert_eq!(ran.status, Some(0), "{ran:?}");
}

/// Finds a load that syncs its progress although it ends soon.
#[test]
fn a_short_load_writes_no_progress() {
    let place = place();
    let mut child = spawn(&place, &load("in.csv", &[])[..9]);
    while child.try_wait().unwrap().is_none() {
        assert!(
            !place.path("out.rec-unfinished-progress").exists(),
            "the load wrote its progress within two seconds"
        );
        if place.path("out.rec-unfinished").exists() {
            child.kill().unwrap();
        }
    }
}

/// Finds a full disk that loses the loaded rows.
#[cfg(any(target_os = "linux", windows))]
#[test]
fn a_load_that_fills_the_disk_resumes_when_there_is_space() {
    let place = place();
    let (expected, rejects, _) = uninterrupted(&place);
    let disk = place.path("disk");
    fs::create_dir(&disk).unwrap();
    match shell(place.0.path(), "mount -t tmpfs -o size=6m tmpfs disk") {
        Some(Ok(())) => {}
        Some(Err(said)) => return skip!("{said}"),
        None => return skip!("there is no shell to mount a disk"),
    }
    let outcome = std::panic::catch_unwind(|| {
        fs::write(disk.join("ballast"), vec![1; 3 << 20]).unwrap();
        let args = ["load", "in.csv", "disk/out.rec", "--schema", "schema.json", "--null", "NA"];
        let every = ["--rejects", "disk/bad.csv", "--progress-every", "1"];
        let args = [&args[..], &every].concat();
        let text = place.error(&args);
        assert!(text.contains("no space left") && text.contains("with --resume"), "{text}");
        let again = [&args[..], &["--resume"]].concat();
        assert!(place.error(&again).contains("no space left"));
        fs::remove_file(disk.join("ballast")).unwrap();
        (resumed(&place, &again), bytes(&disk.join("out.rec")), bytes(&disk.join("bad.csv")))
    });
    shell(place.0.path(), "umount -l disk").unwrap().unwrap();
    let (row, store, set_aside) = outcome.unwrap();
    assert!(row > 1000, "row {row}");
    assert!(store[65_536..] == expected && set_aside == rejects.as_bytes());
}

/// Finds a load that replaces a file which takes a name of its progress during the load.
#[cfg(target_os = "linux")]
#[test]
#[cfg_attr(target_arch = "s390x", ignore = "qemu-user stops no process at once")]
fn a_file_put_at_a_progress_name_during_a_load_is_kept() {
    use rustix::process::{Pid, Signal, kill_process};

    use super::interrupt::stop;

    let [progress, new] = ["out.rec-unfinished-progress", "out.rec-unfinished-progress-new"];
    for name in [progress, new] {
        let place = place();
        let met = (0..50).any(|_| {
            let mut child = spawn(&place, &load("in.csv", &[]));
            let mut put = false;
            while !put && child.try_wait().unwrap().is_none() {
                std::thread::yield_now();
                // Stopped, the load makes no progress file at this moment.
                stop(&child);
                if place.path(progress).exists() && !place.path(new).exists() {
                    place.write("work", "three years of work");
                    fs::rename(place.path("work"), place.path(name)).unwrap();
                    put = true;
                }
                kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
            }
            let output = child.wait_with_output().unwrap();
            if put {
                assert_eq!(place.read(name), "three years of work", "{name}");
                assert!(output.status.success(), "{name}: {output:?}");
            }
            remove_all(&place, &["in.csv", "schema.json"]);
            put
        });
        assert!(met, "every load ended before it was stopped");
    }
}
