//! `verify` with checksums, and `salvage`.

use flatrec::{Durability, DynDatabase};

use super::*;

/// A loaded store of 20,000 records of 8 bytes, `out.rec`: two whole blocks, and a part of a third.
fn loaded(place: &Place) -> PathBuf {
    let rows: String = (0..20_000).map(|n| format!("{n}\n")).collect();
    place.write("in.csv", format!("n\n{rows}"));
    place.ok(["load", "in.csv", "out.rec"]);
    place.path("out.rec")
}

fn flip(path: &Path, offset: usize) {
    let mut damaged = bytes(path);
    damaged[offset] ^= 1;
    std::fs::write(path, damaged).unwrap();
}

/// Finds a store without checksums that the user did not ask for, or a change that does not update
/// them.
#[test]
fn load_keeps_checksums_unless_told_not_to() {
    let place = Place::new();
    loaded(&place);
    assert_eq!(
        place.ok(["verify", "out.rec"]),
        "out.rec: 20000 records, checksums of 3 blocks, no doubts\n"
    );
    let info = place.ok(["info", "out.rec"]);
    assert!(info.contains("\nchecksums      3 blocks\n"), "{info}");
    assert!(place.ok(["info", "out.rec", "--json"]).contains("\"state\": \"present\""));
    place.ok(["load", "in.csv", "out.rec", "--force", "--no-checksums"]);
    assert_eq!(place.files(), ["in.csv", "out.rec", "out.rec-lock"]);
    assert_eq!(
        place.ok(["verify", "out.rec"]),
        "out.rec: 20000 records, no checksum file, no doubts\n"
    );
    let info = place.ok(["info", "out.rec"]);
    assert!(
        info.contains("\nchecksums      none: there is no -sum file beside the store\n"),
        "{info}"
    );
    assert_eq!(
        place.ok(["verify", "out.rec", "--rebuild"]),
        "out.rec: new checksums of 3 blocks; there were no old ones\n"
    );
    // Every later change updates them.
    place.ok(["append", "out.rec", "in.csv"]);
    place.ok(["set", "out.rec", "7", "n=8"]);
    assert_eq!(
        place.ok(["verify", "out.rec"]),
        "out.rec: 40000 records, checksums of 5 blocks, no doubts\n"
    );
}

/// Finds a `salvage` that saves damaged records unasked, or does not list them.
#[test]
fn salvage_lists_damage_and_saves_it_only_if_asked() {
    let place = Place::new();
    let path = loaded(&place);
    flip(&path, 65_536 + 70_000);
    let why = "block 1, bytes 131072..196608, records 8192..16384: it does not match its checksum";
    let ran = place.run(["verify", "out.rec"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.stdout.contains(why), "{}", ran.stdout);
    assert_eq!(ran.stderr, "flatrec: out.rec: 1 doubt in 20000 records\n");

    let before = bytes(&path);
    let ran = place.run(["salvage", "out.rec", "saved.rec", "--list", "lost.csv"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert_eq!(
        ran.stdout,
        format!("first   last  records  state  why\n 8192  16383     8192  lost   {why}\n")
    );
    assert_eq!(ran.stderr, "flatrec: saved.rec: 11808 of 20000 records saved, 8192 lost\n");
    assert_eq!(
        place.read("lost.csv"),
        format!("first,last,records,state,why\n8192,16383,8192,lost,\"{why}\"\n")
    );
    assert_eq!(bytes(&path), before);
    assert_eq!(
        place.ok(["get", "saved.rec", "8192", "--format", "csv"]),
        "n\n16384\n",
        "the saved records are not renumbered without gaps"
    );
    let text = place.error(["salvage", "out.rec", "saved.rec"]);
    assert!(text.contains("saved.rec: already exists"), "{text}");
    assert!(text.contains("--force to replace a store"), "{text}");
    let text = place.error(["salvage", "out.rec", "more.rec", "--list", "lost.csv"]);
    assert!(text.starts_with("--list lost.csv exists already"), "{text}");
    let text = place.error(["salvage", "out.rec", "more.rec", "--list", "more.rec-sum", "--force"]);
    assert_eq!(text, "--list more.rec-sum would overwrite that file");

    place.run(["salvage", "out.rec", "saved.rec", "--force", "--keep-ids"]);
    assert_eq!(place.ok(["get", "saved.rec", "16384", "--format", "csv"]), "n\n16384\n");
    let kept = place.ok(["salvage", "out.rec", "saved.rec", "--force", "--keep-doubtful"]);
    assert!(kept.contains("doubtful  block 1"), "{kept}");
    let end = "saved.rec: 20000 of 20000 records saved, 8192 of them doubtful, 0 lost\n";
    assert!(kept.ends_with(end), "{kept}");

    assert_eq!(
        place.ok(["verify", "out.rec", "--rebuild"]),
        "out.rec: new checksums of 3 blocks; 1 of them did not match the old ones\n"
    );
    assert_eq!(
        place.ok(["salvage", "out.rec", "saved.rec", "--force"]),
        "saved.rec: 20000 of 20000 records saved, 0 lost\n"
    );
}

/// Finds a `salvage` that stops at the end of a truncated file, or changes its source.
#[test]
fn a_store_without_checksums_is_saved_as_far_as_it_can_be_read() {
    let place = Place::new();
    let path = people(&place);
    let mut short = bytes(&path);
    short.truncate(65_536 + 2 * 49 + 10);
    std::fs::write(&path, &short).unwrap();
    std::fs::remove_file(place.path("people.rec-lock")).unwrap();
    let ran = place.run(["salvage", "people.rec", "saved.rec", "--format", "csv"]);
    assert_eq!(ran.status, Some(1));
    assert_eq!(ran.stdout, "first,last,records,state,why\n2,2,1,lost,the file ends before them\n");
    assert_eq!(ran.stderr, "flatrec: saved.rec: 2 of 3 records saved, 1 lost, 1 doubt\n");
    assert_eq!(
        place.files(),
        ["people.rec", "saved.rec", "saved.rec-lock", "saved.rec-sum"],
        "salvage made a file beside the damaged store"
    );
}

/// Finds a `salvage` that succeeds although the newest commits are lost.
#[test]
fn a_missing_log_is_a_failure() {
    let place = Place::new();
    let path = loaded(&place);
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append_packed(&[7; 8]).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    std::fs::copy(&path, place.path("alone.rec")).unwrap();
    database.close().unwrap();

    let ran = place.run(["salvage", "alone.rec", "saved.rec"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stdout.contains("the log with the newest commits cannot be read"), "{ran:?}");
    assert_eq!(
        ran.stderr,
        "flatrec: saved.rec: 20000 of 20000 records saved, 0 lost, and the commits in the log, 1 \
         doubt\n"
    );
    assert_eq!(place.ok(["scan", "saved.rec", "--count"]), "20000\n");
}

/// Finds a `checkpoint` that fails at a damaged block, or hides the damage.
#[test]
fn a_checkpoint_writes_the_log_into_a_damaged_block_and_says_so() {
    let place = Place::new();
    let path = loaded(&place);
    flip(&path, 65_536 + 70_000);
    // Beside a reader the change stays in the log. The command failed at such a block.
    let reader = DynDatabase::open_read_only(&path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    place.ok(["set", "out.rec", "8200", "n=1"]);
    drop((snapshot, reader));
    let ran = place.run(["checkpoint", "out.rec"]);
    assert_eq!(ran.status, Some(0), "{ran:?}");
    assert!(ran.stdout.starts_with("out.rec: 1 records written to their places"), "{ran:?}");
    let block = "block 1, bytes 131072..196608, records 8192..16384";
    assert_eq!(
        ran.stderr,
        format!("flatrec: warning: out.rec: {block}: it does not match its checksum\n")
    );
    let why = "it did not match its checksum before some of its records were changed; it is \
               unknown which of its records are right";
    let info = place.ok(["info", "out.rec"]);
    assert!(info.contains(&format!("\ndamage         {block}: {why}\n")), "{info}");
    let info = place.ok(["info", "out.rec", "--json"]);
    assert!(info.contains("\"damaged_blocks\": 1,"), "{info}");
    assert!(info.contains("\"first_record\": 8192,"), "{info}");
    let ran = place.run(["verify", "out.rec"]);
    assert_eq!(ran.status, Some(1));
    assert!(ran.stdout.contains(&format!("{block}: {why}")), "{}", ran.stdout);
    place.ok(["verify", "out.rec", "--rebuild"]);
    assert!(!place.ok(["info", "out.rec"]).contains("\ndamage "));
}
