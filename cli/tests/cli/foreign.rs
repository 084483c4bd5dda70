//! Flat files of other programs, read in place by the commands that read stores.

use super::*;

const LAYOUT: &str = r#"{ "offset": 4, "endian": "big", "fields": [
    { "name": "id", "type": "uint16" },
    { "name": "name", "type": "utf8(4)", "pad": "space" }
] }"#;

/// A file of three records, and its layout.
fn pets(place: &Place) {
    place.write("pets.bin", b"PETS\0\x01Tom \0\x02Rex \x01\0\xc5\x81at");
    place.write("pets.json", LAYOUT);
}

fn of<'a>(args: &[&'a str]) -> Vec<&'a str> {
    [args, &["--layout", "pets.json"]].concat()
}

/// Finds a command that reads a store and not a foreign file, or reads it differently.
#[test]
fn commands_that_read_take_a_file_with_a_layout() {
    let place = Place::new();
    pets(&place);
    let all = "id,name\n1,Tom\n2,Rex\n256,Łat\n";
    assert_eq!(place.ok(of(&["scan", "pets.bin", "--format", "csv"])), all);
    let found = place.ok(of(&["scan", "pets.bin", "--where", "name LIKE 'T%'", "--count"]));
    assert_eq!(found, "1\n");
    assert_eq!(place.ok(of(&["scan", "pets.bin", "--count"])), "3\n");
    let one = place.ok(of(&["get", "pets.bin", "2", "--format", "ndjson"]));
    assert_eq!(one, "{\"id\":256,\"name\":\"Łat\"}\n");
    let text = place.error(of(&["get", "pets.bin", "3"]));
    assert_eq!(text, "pets.bin has no record 3: its last is 2");
    assert_eq!(place.ok(of(&["export", "pets.bin", "-"])), all);
    place.ok(of(&["export", "pets.bin", "pets.csv"]));
    assert_eq!(place.read("pets.csv"), all);

    let info = place.ok(of(&["info", "pets.bin"]));
    for line in ["kind         binary", "records      3", "values       decoded, record by record"]
    {
        assert!(info.contains(line), "{info}");
    }
    let info = place.ok(of(&["info", "pets.bin", "--json"]));
    assert!(info.contains("\"data_offset_bytes\": 4"), "{info}");
    let schema = place.ok(of(&["schema", "pets.bin", "--as", "numpy"]));
    assert_eq!(
        schema,
        "{'dtype': {'names': ['id', 'name'], 'formats': ['>u2', 'S4'], 'offsets': [0, 2], \
         'itemsize': 6}, 'offset': 4, 'shape': (3,)}\n"
    );
    assert_eq!(place.files(), ["pets.bin", "pets.csv", "pets.json"], "a lock file beside it");
}

/// Finds a load that keeps the file's byte order or its padding.
#[test]
fn a_load_makes_a_store_of_native_values() {
    let place = Place::new();
    pets(&place);
    let told = place.ok(of(&["load", "pets.bin", "pets.rec"]));
    assert!(told.contains("3 records into pets.rec"), "{told}");
    let store = DynStore::open_read_only(place.path("pets.rec")).unwrap();
    assert_eq!(store.schema().fields()[0].to_string(), "id: uint16 at 0");
    assert_eq!(store.get(2).unwrap(), b"\0\x01\xc5\x81at");
    drop(store);
    let text = place.error(of(&["load", "pets.bin", "pets.rec"]));
    assert!(text.starts_with("pets.rec exists already"), "{text}");
    place.ok(of(&["load", "pets.bin", "pets.rec", "--force", "--no-checksums"]));
    for options in [&["--null", "NA"][..], &["--append"], &["--narrow"]] {
        let refused = place.usage(of(&[&["load", "pets.bin", "pets.rec"], options].concat()));
        assert!(refused.contains("its layout says what its records are"), "{refused}");
    }
    let refused = place.usage(of(&["load", "-", "pets.rec"]));
    assert!(refused.contains("--layout is for a file"), "{refused}");
}

/// Finds a change that is not made at its place, or that is made before all are checked.
#[test]
fn set_changes_records_at_their_places() {
    let place = Place::new();
    pets(&place);
    let told = place.ok(of(&["set", "pets.bin", "1", "name=Rexy", "id=7"]));
    assert_eq!(told, "name: \"Rex\" -> \"Rexy\"\nid: 2 -> 7\n");
    let bytes = || std::fs::read(place.path("pets.bin")).unwrap();
    assert_eq!(bytes(), b"PETS\0\x01Tom \0\x07Rexy\x01\0\xc5\x81at");
    let rehearsed = of(&["set", "pets.bin", "--where", "id < 100", "name=x", "--dry-run"]);
    assert_eq!(place.ok(rehearsed), "2 records of pets.bin would be changed\n");
    assert_eq!(
        place.ok(of(&["set", "pets.bin", "--where", "id = 1", "name="])),
        "\
               1 record of pets.bin was changed\n"
    );
    assert_eq!(bytes(), b"PETS\0\x01    \0\x07Rexy\x01\0\xc5\x81at");

    let before = bytes();
    for (words, what) in [
        (&["0,1", "name=Thomas"][..], "the text has 6 bytes, the field only 4"),
        (&["0", "name=x "], "field \"name\": the file would keep x instead"),
        (&["0", "id=65536"], "65536"),
        (&["0", "id="], "null"),
        (&["0,3", "id=9"], "pets.bin has no record 3: its last is 2"),
        (&["0", "age=9"], "age"),
    ] {
        let text = place.error(of(&[&["set", "pets.bin"], words].concat()));
        assert!(text.contains(what), "{text}");
        assert_eq!(bytes(), before, "{words:?}");
    }
    let text = place.error(["set", "pets.bin", "0", "id=9"]);
    assert!(text.contains("--layout KIND or --layout FILE.json"), "{text}");
    assert_eq!(place.files(), ["pets.bin", "pets.json"], "a lock file beside it");
}

/// Finds a second writer, and a write to a file that may not be written, without advice.
#[cfg(target_os = "linux")]
#[test]
fn set_waits_for_another_editor_of_the_file() {
    use flatrec::Wait;
    use flatrec::foreign::{ForeignEditor, ForeignLayout};
    let place = Place::new();
    pets(&place);
    let path = place.path("pets.bin");
    let layout = ForeignLayout::from_json(LAYOUT, &path).unwrap();
    let editor = ForeignEditor::open(&path, &layout, Wait::No).unwrap();
    let text = place.error(of(&["set", "pets.bin", "0", "id=9"]));
    assert!(
        text.contains(
            "lock pets.bin: locked by another handle: another program has locked the file"
        ),
        "{text}"
    );
    assert!(text.contains("wait for it with --wait SECONDS"), "{text}");
    let waiting = of(&["set", "pets.bin", "0", "id=9", "--wait", "60"]);
    let mut waiting = place.command(waiting).stdout(Stdio::null()).spawn().unwrap();
    editor.close().unwrap();
    assert!(waiting.wait().unwrap().success());
    assert_eq!(std::fs::read(&path).unwrap()[..6], *b"PETS\0\x09");
}

/// Finds a command for stores only that does not say what a foreign file is, or that changes it.
#[test]
fn commands_for_stores_name_what_other_files_are() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/foreign");
    place.write("rows.csv", "a\n1\n");
    place.write("one.rec", b"\x89FLATREC");
    let files = [
        ("people.dbf", "a table of dBASE"),
        ("events.fits", "a FITS file"),
        ("points-3.las", "a file of points (LAS)"),
        ("images.idx", "an array of MNIST (idx)"),
        ("matrix.npy", "an array of numpy"),
    ];
    let commands = [
        &["tail", "FILE"][..],
        &["tail", "FILE", "--follow"],
        &["diff-schema", "FILE", "rows.csv"],
        &["migrate", "FILE", "--drop", "AGE"],
        &["append", "FILE", "rows.csv"],
        &["load", "rows.csv", "FILE", "--append"],
        &["delete", "FILE", "1"],
        &["delete", "FILE", "--where", "AGE = 1", "--dry-run"],
        &["checkpoint", "FILE"],
        &["verify", "FILE"],
        &["verify", "FILE", "--rebuild"],
        &["salvage", "FILE", "out.rec"],
        &["backup", "FILE", "out.rec"],
        &["compact", "FILE", "out.rec"],
    ];
    for (name, what) in files {
        std::fs::copy(folder.join(name), place.path(name)).unwrap();
        let before = std::fs::read(place.path(name)).unwrap();
        for command in commands {
            let words = command.iter().map(|word| if *word == "FILE" { name } else { *word });
            let text = place.error(words);
            let refused = format!("{name} is {what}, and this command works on stores only");
            assert!(text.contains(&refused), "{command:?}: {text}");
            let advice = format!("(make a store of it with `flatrec load {name} STORE`)");
            assert!(text.ends_with(&advice), "{command:?}: {text}");
            assert_eq!(std::fs::read(place.path(name)).unwrap(), before, "{command:?}");
        }
    }
    place.ok(["load", "people.dbf", "one.rec", "--force"]);
    let text = place.error(["append", "one.rec", "people.dbf"]);
    assert!(text.starts_with("people.dbf is a table of dBASE"), "{text}");
    place.write("dump.bin", [7; 100]);
    let text = place.error(["backup", "dump.bin", "out.rec"]);
    assert!(text.contains("dump.bin: not a flatrec store: its first bytes"), "{text}");
    assert!(text.contains("some with --layout KIND"), "{text}");
    // Each command with a store is in one of the lists, or takes such files.
    let help = place.ok(["--help"]);
    let (_, list) = help.split_once("Commands:").unwrap();
    let (list, _) = list.split_once("Options:").unwrap();
    let named = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    for name in named.filter_map(|line| line.split_whitespace().next()) {
        let takes = ["load", "info", "get", "scan", "export", "schema", "set"].contains(&name);
        let makes = ["crash-test", "bench", "help"].contains(&name);
        let refuses = commands.iter().any(|command| command[0] == name);
        assert!(takes || makes || refuses, "{name} with a foreign file has no test");
    }
}

/// Finds a value that is changed, or a record that is dropped, in silence.
#[test]
fn values_that_do_not_decode_are_set_aside() {
    let place = Place::new();
    place.write("pets.bin", b"PETS\0\x01Tom \0\x02\xff\xfe  \0\x03Rex ");
    place.write("pets.json", LAYOUT);
    let ran = place.run(of(&["scan", "pets.bin", "--format", "csv"]));
    assert_eq!(ran.status, Some(1), "{}", ran.stdout);
    let what = "flatrec: read pets.bin at byte 12, record 1: invalid value: field \"name\": ";
    assert!(ran.stderr.starts_with(what), "{}", ran.stderr);
    let text = place.error(of(&["load", "pets.bin", "pets.rec"]));
    assert!(text.ends_with("(set bad records aside with --rejects FILE)"), "{text}");
    assert!(!place.path("pets.rec").exists());
    place.ok(of(&["load", "pets.bin", "pets.rec", "--rejects", "bad.csv"]));
    assert_eq!(place.ok(["scan", "pets.rec", "--format", "csv"]), "id,name\n1,Tom\n3,Rex\n");
    let bad = place.read("bad.csv");
    assert!(bad.starts_with("record,field,value,reason\n1,name,"), "{bad}");
    assert_eq!(bad.lines().count(), 2, "{bad}");
}

/// Finds an error of a file or a layout that does not say what to do.
#[test]
fn wrong_files_and_layouts_say_what_to_do() {
    let place = Place::new();
    pets(&place);
    let text = place.error(["get", "pets.bin", "0"]);
    assert!(text.contains("pets.bin: not a flatrec store"), "{text}");
    assert!(text.contains("--layout KIND or --layout FILE.json"), "{text}");
    let text = place.error(["info", "pets.bin", "--layout", "none.json"]);
    assert!(text.starts_with("--layout none.json: "), "{text}");
    assert!(text.contains("name a layout file, or one of the kinds"), "{text}");
    place.write("bad.json", "{ \"fields\": 7 }");
    let text = place.error(["info", "pets.bin", "--layout", "bad.json"]);
    assert!(text.starts_with("--layout bad.json: read the layout file: invalid schema"), "{text}");
    place.write("pets.bin", b"PETS\0\x01Tom \0\x02Re");
    let text = place.error(of(&["info", "pets.bin"]));
    assert!(text.contains("1 records of 6 bytes end 4 bytes before the end of the file"), "{text}");
    let text = place.error(of(&["info", "none.bin"]));
    assert!(text.starts_with("open none.bin: not found"), "{text}");
}

/// Finds a layout that the manual or the help shows and the command refuses.
#[test]
fn a_dump_of_c_structs_is_read_as_the_help_shows() {
    let place = Place::new();
    let help = place.ok(["get", "--help"]);
    let (_, shown) = help.split_once("has this layout:").unwrap();
    let end = shown.find("] }").unwrap() + 3;
    place.write("dump.json", &shown[..end]);
    let mut dump = vec![0; 16];
    dump.push(7);
    dump.extend([0xEE; 7]);
    dump.extend(2.5_f64.to_le_bytes());
    dump.extend(b"ab\0zz\xEE\xEE\xEE");
    place.write("dump.bin", dump);
    let shown = place.ok(["scan", "dump.bin", "--layout", "dump.json", "--format", "csv"]);
    assert_eq!(shown, "tag,value,name\n7,2.5,ab\n");
}

/// Finds a command that does not read an array of numpy in place, or a load that does not go
/// through the loader of arrays, which measures texts.
#[test]
fn arrays_of_numpy_are_read_in_place() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/foreign");
    for name in ["records.npy", "matrix.npy"] {
        std::fs::copy(folder.join(name), place.path(name)).unwrap();
    }
    let all = std::fs::read_to_string(folder.join("records.npy.csv")).unwrap();
    assert_eq!(place.ok(["scan", "records.npy", "--format", "csv"]), all);
    assert_eq!(place.ok(["export", "records.npy", "-"]), all);
    let found = ["scan", "records.npy", "--where", "at IS NULL AND ubig = 0", "--count"];
    assert_eq!(place.ok(found), "1\n");
    let one = place.ok(["get", "matrix.npy", "1", "--format", "ndjson"]);
    assert_eq!(one, "{\"value\":[[1,2],[3,4],[5,6]]}\n");
    let info = place.ok(["info", "matrix.npy"]);
    for line in ["kind         npy", "shape        2 x 3 x 2", "data offset  128 bytes"] {
        assert!(info.contains(line), "{info}");
    }
    let schema = place.ok(["schema", "matrix.npy", "--as", "numpy"]);
    assert_eq!(
        schema,
        "{'dtype': {'names': ['value'], 'formats': [('>i4', (6,))], 'offsets': [0], \
         'itemsize': 24}, 'offset': 128, 'shape': (2,)}\n"
    );
    let text = place.error(["schema", "records.npy", "--as", "numpy"]);
    assert!(text.contains("numpy.load(path, mmap_mode='r')"), "{text}");

    place.ok(["load", "records.npy", "loaded.rec"]);
    let width = |store: &str| {
        let store = DynStore::open_read_only(place.path(store)).unwrap();
        store.schema().field("name").unwrap().data_type()
    };
    assert_eq!(width("loaded.rec"), DataType::Utf8(8), "as wide as its longest text");
    place.ok(["load", "records.npy", "layout.rec", "--layout", "npy"]);
    assert_eq!(width("layout.rec"), DataType::Utf8(16), "as wide as its longest text can be");
    for store in ["loaded.rec", "layout.rec"] {
        assert_eq!(place.ok(["export", store, "-"]), all, "{store}");
    }
    let header = "{'descr': '<i4', 'fortran_order': True, 'shape': (2, 2), }\n";
    let array = [b"\x93NUMPY\x01\0\x3b\0", header.as_bytes(), &[0; 16]].concat();
    place.write("columns.npy", array);
    let text = place.error(["scan", "columns.npy"]);
    assert!(text.contains("Fortran's order"), "{text}");
    assert!(text.contains("(load it into a store with flatrec load, or save it in C's"), "{text}");
    place.ok(["load", "columns.npy", "columns.rec"]);
}

/// Finds a file with a magic that needs --layout, and a deleted record that is shown.
#[test]
fn a_table_of_dbase_needs_no_layout() {
    let place = Place::new();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/foreign");
    std::fs::copy(folder.join("people.dbf"), place.path("people.dbf")).unwrap();
    let all = std::fs::read_to_string(folder.join("people.dbf.csv")).unwrap();
    assert_eq!(place.ok(["scan", "people.dbf", "--format", "csv"]), all);
    assert_eq!(place.ok(["scan", "people.dbf", "--count", "--where", "AGE IS NULL"]), "1\n");
    assert_eq!(place.error(["get", "people.dbf", "2"]), "people.dbf: record 2 was deleted");
    let info = place.ok(["info", "people.dbf"]);
    assert!(info.contains("4, with the deleted ones") && info.contains("cp1252"), "{info}");
    let told = place.ok(["load", "people.dbf", "people.rec"]);
    assert!(told.contains("deleted   1 record"), "{told}");
    assert_eq!(place.ok(["export", "people.rec", "-"]), all);
    let text = place.error(["schema", "people.dbf", "--as", "numpy"]);
    assert!(text.contains("numpy has no type for some of its values"), "{text}");
    place.ok(["schema", "people.dbf", "--as", "json"]);
    let text = place.error(["info", "people.dbf", "--layout", "dbf:ebcdic"]);
    assert!(text.contains("the code pages are utf8, cp437"), "{text}");
    let ran = place.run(["export", "people.dbf", "-", "--as", "npy"]);
    assert_eq!(ran.status, Some(1), "the number of records is not known: {}", ran.stderr);
    place.ok(["export", "people.dbf", "people.npy"]);
}
