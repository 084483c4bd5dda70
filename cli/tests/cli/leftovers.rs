//! Files of the log that a killed command leaves.

use std::fs;

use super::interrupt::stop;
use super::*;

/// How long the record of [`wide`] is, about: an earlier version took files of more than 64 MiB for
/// those of a user.
const RECORDS: usize = 18_000;
const WIDTH: usize = 4000;

/// A store whose whole change has a frame of more than 64 MiB.
fn wide(place: &Place) {
    let mut text = String::from("n,text\n");
    (0..RECORDS).for_each(|n| text.push_str(&format!("{n},\n")));
    place.write("in.csv", text);
    place.run(["load", "in.csv", "s.rec", "--type", "text=utf8(4000)"]);
}

/// The file that a command has made for its next segment and not begun: long, and blank.
fn unbegun(place: &Place, known: &[String]) -> Option<String> {
    place.files().into_iter().find(|name| {
        let is_new = name.starts_with("s.rec-wal-") && !known.contains(name);
        let mut front = [1; 512];
        let path = place.path(name);
        is_new
            && fs::metadata(&path).is_ok_and(|it| it.len() > (RECORDS * WIDTH) as u64)
            && fs::File::open(&path).and_then(|mut file| file.read_exact(&mut front)).is_ok()
            && front == [0; 512]
    })
}

/// Stops a `set` of all records between the making of a segment and its first byte.
fn stopped(place: &Place, value: usize) -> (std::process::Child, String) {
    let known = place.files();
    loop {
        let assignment = format!("n={value}");
        let mut set = place.command(["set", "s.rec", &assignment, "--where", "n >= 0"]);
        let mut child = set.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        while child.try_wait().unwrap().is_none() {
            if unbegun(place, &known).is_none() {
                continue;
            }
            stop(&child);
            // It may have gone on before it stopped.
            if let Some(name) = unbegun(place, &known) {
                return (child, name);
            }
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        place.ok(["checkpoint", "s.rec"]);
    }
}

/// Finds a segment of a live writer that a reader removes or reports; and one of a killed writer
/// that stays for ever, of which no command tells.
#[test]
fn what_a_killed_command_leaves_of_the_log_is_named_and_removed() {
    let place = Place::new();
    wide(&place);
    let mut left = Vec::new();
    for value in 1..=2 {
        let (mut child, name) = stopped(&place, value);
        let len = fs::metadata(place.path(&name)).unwrap().len();
        for command in [
            ["info", "s.rec"].as_slice(),
            &["verify", "s.rec"],
            &["scan", "s.rec", "--count"],
            &["backup", "s.rec", "copy.rec", "--force"],
        ] {
            let ran = place.run(command);
            assert_eq!(ran.status, Some(0), "{command:?}: {ran:?}");
            assert!(!format!("{ran:?}").contains("not part of the log"), "{command:?}: {ran:?}");
            assert_eq!(fs::metadata(place.path(&name)).unwrap().len(), len, "{command:?}");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        left.push(format!("{name}, {len} bytes, is not part of the log"));
        if value == 1 {
            // Another writer, killed at the same place, and so on: none of them gets to remove it.
            fs::rename(place.path(&name), place.path("s.rec-wal-9")).unwrap();
            left[0] = left[0].replace(&name, "s.rec-wal-9");
        }
    }
    // The second writer removed what the first one left.
    let gone = left.remove(0);
    assert_eq!(left.len(), 1);
    let info = place.ok(["info", "s.rec"]);
    assert!(info.contains(&left[0]) && !info.contains(&gone), "{info}");
    let json: serde_json::Value =
        serde_json::from_str(&place.ok(["info", "s.rec", "--json"])).unwrap();
    assert_eq!(json["leftovers"][0]["removable"], true, "{json}");
    let ran = place.run(["verify", "s.rec"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.contains("18000 records, ") && ran.stdout.ends_with("no doubts\n"));
    assert!(ran.stderr.starts_with("note: ") && ran.stderr.contains(&left[0]), "{ran:?}");
    assert!(ran.stderr.ends_with(": the next writer removes it\n"), "{ran:?}");

    place.ok(["checkpoint", "s.rec"]);
    let logs: Vec<String> =
        place.files().into_iter().filter(|name| name.contains("-wal-")).collect();
    assert_eq!(logs, [""; 0]);
    assert!(!place.ok(["info", "s.rec"]).contains("left over"));
    assert_eq!(place.ok(["verify", "s.rec"]).lines().count(), 1);
    assert_eq!(place.ok(["scan", "s.rec", "--where", "n = 17999", "--count"]), "1\n");
}
