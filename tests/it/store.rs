//! Stores through their public calls: what they keep, what they refuse, and how they say so.

use flatrec::{
    Bool, CreateOptions, DataType, DynStore, ErrorKind, Field, Nullable, PodRecord, Problem,
    Record, Schema, SlotInfo, Store, Utf8, Value, VerifyOptions, WindowedStore, WriteBack, verify,
};

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Sample {
    id: u64,
    value: f32,
    kind: u32,
}

fn sample(id: u64) -> Sample {
    Sample { id, value: id as f32 / 2.0, kind: (id % 7) as u32 }
}

#[derive(Clone, Copy, Record)]
#[repr(C, packed)]
struct Classic {
    id: u32,
    name: Utf8<20>,
    active: Bool,
    score: Nullable<i64>,
    rest: [u8; 91],
}

const WAYS: [WriteBack; 3] = [WriteBack::Auto, WriteBack::Positioned, WriteBack::Mapped];

fn ways() -> impl Iterator<Item = CreateOptions<Store<Sample>>> {
    let possible = |way: &WriteBack| cfg!(unix) || *way != WriteBack::Positioned;
    WAYS.into_iter().filter(possible).map(|way| Store::create_options().write_back(way))
}

struct Dir(tempfile::TempDir);

impl Dir {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    fn names(&self) -> Vec<String> {
        crate::support::files::names(self.0.path())
    }
}

/// Finds padding between records, which the format does not have.
#[test]
fn records_of_125_bytes_lie_without_gaps() {
    assert_eq!(size_of::<Classic>(), 125);
    let dir = Dir::new();
    let mut store = Store::<Classic>::create(dir.path("c")).unwrap();
    let record = Classic {
        id: 7,
        name: Utf8::new("seven").unwrap(),
        active: true.into(),
        score: Nullable::null(),
        rest: [9; 91],
    };
    store.append_slice(&vec![record; 1000]).unwrap();
    store.close().unwrap();
    let len = std::fs::metadata(dir.path("c")).unwrap().len();
    assert_eq!(len, 65_536 + 125_000, "the closed file is longer than header and records");
    assert_eq!(dir.names(), ["c", "c-lock"]);
    let store = Store::<Classic>::open_read_only(dir.path("c")).unwrap();
    assert_eq!({ store.get(999).unwrap().id }, 7);
    assert_eq!(store.get(0).unwrap().name.as_str().unwrap(), "seven");
    assert!(store.get(1000).is_none());
}

/// Finds a record that the append buffer or the file shows wrongly.
#[test]
fn appended_records_are_readable_at_once_and_after_reopening() {
    for options in ways() {
        let dir = Dir::new();
        let path = dir.path("s");
        let mut store = options.create(&path).unwrap();
        assert!(store.is_empty() && store.get(0).is_none());
        for id in 0..10_000 {
            assert_eq!(store.append(&sample(id)).unwrap(), id);
            assert_eq!(*store.get(id).unwrap(), sample(id));
        }
        let many: Vec<Sample> = (10_000..60_000).map(sample).collect();
        assert_eq!(store.append_slice(&many).unwrap(), 10_000..60_000);
        assert_eq!(store.append_all((60_000..60_100).map(sample)).unwrap(), 60_000..60_100);
        assert!(store.iter().map(|(_, record)| *record).eq((0..60_100).map(sample)));
        let back = store.range(59_990..).rev().map(|(_, record)| *record);
        assert!(back.eq((59_990..60_100).rev().map(sample)));
        assert_eq!(store.iter().size_hint(), (60_100, Some(60_100)));
        assert_eq!(store.iter().nth(60_099), Some((60_099, &sample(60_099))));
        // Iterates from the file into the append buffer by other methods.
        let mut walk = store.range(59_998..60_100);
        assert_eq!(walk.nth(3), Some((60_001, &sample(60_001))));
        assert_eq!(walk.next_back(), Some((60_099, &sample(60_099))));
        let mut folded = Vec::new();
        store.iter().for_each(|(_, found)| folded.push(*found));
        assert!(folded.into_iter().eq((0..60_100).map(sample)));
        store.close().unwrap();

        let store = Store::<Sample>::open(&path).unwrap();
        assert_eq!(store.count(), 60_100);
        assert!(store.iter().map(|(_, record)| *record).eq((0..60_100).map(sample)));
        assert_eq!(store.slice(5..8).unwrap(), [sample(5), sample(6), sample(7)]);
        assert!(store.slice(60_099..60_101).is_none());
        assert_eq!(store.copy(3).unwrap(), Some(sample(3)));
    }
}

/// Finds a reader whose count changes with the writer.
#[test]
fn a_read_only_store_keeps_the_count_of_its_opening() {
    for options in ways() {
        let dir = Dir::new();
        let path = dir.path("s");
        let mut writer = options.create(&path).unwrap();
        writer.append_all((0..1000).map(sample)).unwrap();
        assert_eq!(Store::<Sample>::open_read_only(&path).unwrap().count(), 0);
        writer.flush().unwrap();
        let reader = Store::<Sample>::open_read_only(&path).unwrap();
        let first = reader.get(0).unwrap();
        writer.append_all((1000..200_000).map(sample)).unwrap();
        writer.flush().unwrap();
        assert_eq!(reader.count(), 1000);
        assert_eq!(*first, sample(0));
        assert!(reader.iter().map(|(_, record)| *record).eq((0..1000).map(sample)));
        writer.close().unwrap(); // trims the file behind the reader's records
        assert!(reader.iter().map(|(_, record)| *record).eq((0..1000).map(sample)));
        assert_eq!(Store::<Sample>::open_read_only(&path).unwrap().count(), 200_000);
    }
}

/// Finds two writers of one store.
#[test]
fn handles_that_exclude_each_other_are_refused() {
    let dir = Dir::new();
    let path = dir.path("s");
    let mut writer = Store::<Sample>::create(&path).unwrap();
    writer.append(&sample(0)).unwrap();
    let error = Store::<Sample>::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked);
    assert!(error.to_string().contains("s-lock"), "{error}");
    writer.flush().unwrap();
    let reader = Store::<Sample>::open_read_only(&path).unwrap();
    let error = writer.edit().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    let error = writer.truncate(0).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    drop(reader);
    let mut edit = writer.edit().unwrap();
    let error = Store::<Sample>::open_read_only(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    edit.get_mut(0).unwrap().unwrap().value = 5.0;
    edit.finish().unwrap();
    assert_eq!(Store::<Sample>::open_read_only(&path).unwrap().get(0).unwrap().value, 5.0);
}

/// Finds a second writer by another name.
#[cfg(unix)] // on Windows a lock on the data file would block reads
#[test]
fn a_hard_link_does_not_hide_a_writer() {
    let dir = Dir::new();
    let writer = Store::<Sample>::create(dir.path("s")).unwrap();
    std::fs::hard_link(dir.path("s"), dir.path("alias")).unwrap();
    let error = Store::<Sample>::open(dir.path("alias")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    drop(writer);
    Store::<Sample>::open(dir.path("alias")).unwrap();
}

/// Finds an edit that is lost when the store is opened again.
#[test]
fn edits_change_records_in_place_and_are_durable_when_finished() {
    for options in ways() {
        let dir = Dir::new();
        let path = dir.path("s");
        let mut store = options.create(&path).unwrap();
        store.append_all((0..50_000).map(sample)).unwrap();
        let mut edit = store.edit().unwrap();
        assert_eq!(edit.count(), 50_000);
        for id in (0..50_000).step_by(3) {
            edit.get_mut(id).unwrap().unwrap().kind = 1000;
        }
        assert_eq!(edit.try_get(3).unwrap().kind, 1000);
        assert_eq!(edit.try_get(4).unwrap().kind, 4);
        edit.set(7, &sample(70)).unwrap();
        edit.flush_range(0..10).unwrap();
        assert!(edit.get_mut(50_000).unwrap().is_none());
        let error = edit.set(50_000, &sample(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
        assert_eq!(error.record_number(), Some(50_000));
        let error = edit.flush_range(0..50_001).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::OutOfRange);
        edit.flush().unwrap();
        edit.finish().unwrap();
        let right = |id: u64, record: &Sample| match id {
            7 => *record == sample(70),
            _ if id % 3 == 0 => *record == Sample { kind: 1000, ..sample(id) },
            _ => *record == sample(id),
        };
        assert!(store.iter().all(|(id, record)| right(id, record)), "edited");
        store.append(&sample(1)).unwrap();
        assert_eq!(store.get(50_000), Some(&sample(1)));
        store.close().unwrap();
        let store = Store::<Sample>::open_read_only(&path).unwrap();
        assert!(store.range(..50_000).all(|(id, record)| right(id, record)));
        assert_eq!(verify(&path, VerifyOptions::new()).unwrap().problems_found, 0);
    }
}

/// Finds a private store that changes the file.
#[test]
fn private_stores_change_only_their_own_view() {
    let dir = Dir::new();
    let path = dir.path("s");
    let mut store = Store::<Sample>::create(&path).unwrap();
    store.append_all((0..1000).map(sample)).unwrap();
    store.flush().unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut private = Store::<Sample>::open_private(&path).unwrap();
    let mut edit = private.edit().unwrap();
    edit.get_mut(10).unwrap().unwrap().id = 77;
    edit.finish().unwrap();
    assert_eq!(private.get(10).unwrap().id, 77);
    assert_eq!(store.get(10).unwrap().id, 10);
    assert_eq!(private.append(&sample(0)).unwrap_err().kind(), ErrorKind::ReadOnly);
    assert_eq!(private.truncate(0).unwrap_err().kind(), ErrorKind::ReadOnly);
    store.append(&sample(1000)).unwrap(); // a private store does not block appends
    private.close().unwrap();
    let after = std::fs::read(&path).unwrap();
    assert!(before[65_536..65_536 + 16_000] == after[65_536..65_536 + 16_000]);
}

/// Finds truncated records that come back after a longer append.
#[test]
fn truncated_records_never_come_back() {
    for options in ways() {
        let dir = Dir::new();
        let path = dir.path("s");
        let mut store = options.create(&path).unwrap();
        store.append_all((0..1000).map(sample)).unwrap();
        store.flush().unwrap();
        store.append_all((1000..1100).map(sample)).unwrap();
        store.truncate(1050).unwrap(); // above the durable records
        assert_eq!(store.count(), 1050);
        store.truncate(10).unwrap();
        assert_eq!(store.count(), 10);
        assert!(store.get(10).is_none());
        store.truncate(500).unwrap();
        assert_eq!(store.count(), 10, "a truncation added records");
        store.append(&sample(77)).unwrap();
        assert_eq!(store.get(10), Some(&sample(77)));
        store.close().unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 65_536 + 11 * 16);
        let store = Store::<Sample>::open_read_only(&path).unwrap();
        assert_eq!(store.count(), 11);
        assert_eq!(store.get(10), Some(&sample(77)));
    }
}

/// Finds a type that opens a file of other fields, or an error that does not name the field.
#[test]
fn wrong_types_are_refused_with_each_field() {
    #[derive(Clone, Copy, Record)]
    #[repr(C)]
    struct Other {
        id: u64,
        value: i32,
        sort: u32,
    }
    let dir = Dir::new();
    let path = dir.path("s");
    Store::<Sample>::create(&path).unwrap().close().unwrap();
    let error = Store::<Other>::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    let text = error.to_string();
    for part in ["value: expected int32 at 8, found float32 at 8", "sort", "kind"] {
        assert!(text.contains(part), "{text}");
    }
    let error = Store::<PodRecord<[u8; 8]>>::open(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
}

/// Finds a given schema that is not written, or not compared.
#[test]
fn pod_records_accept_a_given_schema() {
    let dir = Dir::new();
    let schema = Schema::new(
        vec![Field::new("x", DataType::Float32), Field::new("y", DataType::Float32).at(4)],
        8,
        4,
    )
    .unwrap();
    type Pair = PodRecord<[[u8; 4]; 2]>;
    let pair: Pair = PodRecord([1.0_f32.to_le_bytes(), 2.0_f32.to_le_bytes()]);
    let options = Store::<Pair>::create_options().schema(schema.clone());
    let mut store = options.create(dir.path("p")).unwrap();
    store.append(&pair).unwrap();
    store.close().unwrap();
    let options = Store::<Pair>::options().schema(schema);
    assert_eq!(options.open(dir.path("p")).unwrap().get(0), Some(&pair));
    Store::<Pair>::open(dir.path("p")).unwrap();
    let dynamic = DynStore::open_read_only(dir.path("p")).unwrap();
    let y = dynamic.schema().field("y").unwrap();
    assert_eq!(y.read(dynamic.get(0).unwrap()).unwrap(), Value::Float32(2.0));
    let wrong = Schema::packed([Field::new("x", DataType::Float32)]).unwrap();
    let options = Store::<Pair>::create_options().schema(wrong);
    assert_eq!(options.create(dir.path("q")).unwrap_err().kind(), ErrorKind::InvalidSchema);
}

/// Finds damage that an error calls a foreign file, or a foreign file that it calls damaged.
#[test]
fn foreign_files_and_damaged_stores_have_different_errors() {
    let dir = Dir::new();
    let open = |name: &str| DynStore::open(dir.path(name)).unwrap_err();
    assert_eq!(open("none").kind(), ErrorKind::NotFound);
    assert_eq!(dir.names(), [""; 0], "a failed call left a file");
    for (name, bytes) in [("empty", &b""[..]), ("text", &[b'x'; 100_000][..])] {
        std::fs::write(dir.path(name), bytes).unwrap();
        assert_eq!(open(name).kind(), ErrorKind::NotAStore, "{}", open(name));
    }
    let error = DynStore::open(dir.0.path()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");

    let mut store = Store::<Sample>::create(dir.path("s")).unwrap();
    store.append_all((0..1000).map(sample)).unwrap();
    store.close().unwrap();
    let whole = std::fs::read(dir.path("s")).unwrap();
    std::fs::write(dir.path("cut"), &whole[..65_536 + 16 * 500 + 3]).unwrap();
    let error = open("cut");
    assert_eq!(error.kind(), ErrorKind::Truncated);
    assert!(error.to_string().contains("500"), "{error}");

    let mut flipped = whole.clone();
    flipped[80] ^= 1; // damages one slot
    std::fs::write(dir.path("one"), &flipped).unwrap();
    let store = DynStore::open_read_only(dir.path("one")).unwrap();
    assert_eq!(store.count(), 1000, "the store does not use the other slot");
    assert!(matches!(store.info().unwrap().slots[0], SlotInfo::Bad(_)));
    assert_eq!(verify(dir.path("one"), VerifyOptions::new()).unwrap().problems_found, 1);
    flipped[4096 + 80] ^= 1; // damages both
    std::fs::write(dir.path("both"), &flipped).unwrap();
    assert_eq!(open("both").kind(), ErrorKind::Corrupt);
    let mut schema = whole;
    schema[8192 + 3] ^= 1;
    std::fs::write(dir.path("schema"), &schema).unwrap();
    assert_eq!(open("schema").kind(), ErrorKind::Corrupt);
    assert_eq!(verify(dir.path("schema"), VerifyOptions::new()).unwrap().problems_found, 1);
}

/// Finds a maker that overwrites a file, or leaves files where it failed.
#[test]
fn a_maker_never_overwrites_and_leaves_nothing_when_it_fails() {
    let dir = Dir::new();
    let path = dir.path("s");
    std::fs::write(&path, b"precious").unwrap();
    let error = Store::<Sample>::create(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    assert_eq!(dir.names(), ["s"]);
    let error = Store::<Sample>::create(dir.path("none/s")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound, "{error}");
}

/// Finds a store that other processes see before it is whole.
#[test]
fn an_unpublished_store_appears_when_it_is_closed() {
    let dir = Dir::new();
    let path = dir.path("s");
    let mut store = Store::<Sample>::create_options().create_aside(&path, false).unwrap();
    store.append(&sample(1)).unwrap();
    assert!(!path.exists());
    let error = Store::<Sample>::create(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "a second maker must wait: {error}");
    drop(store);
    assert_eq!(dir.names(), [""; 0], "a store that was not closed left a file");
    let mut store = Store::<Sample>::create_options().create_aside(&path, false).unwrap();
    store.append(&sample(1)).unwrap();
    store.close().unwrap();
    assert_eq!(dir.names(), ["s", "s-lock"]);
    let error = Store::<Sample>::create_options().create_aside(&path, false).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    let reader = Store::<Sample>::open_read_only(&path).unwrap();
    let mut store = Store::<Sample>::create_options().create_aside(&path, true).unwrap();
    store.append_all((5..7).map(sample)).unwrap();
    if cfg!(windows) {
        drop(reader); // Windows cannot replace an open file
        store.close().unwrap();
    } else {
        store.close().unwrap();
        assert_eq!(reader.get(0), Some(&sample(1)), "the reader lost the old file");
    }
    assert_eq!(Store::<Sample>::open_read_only(&path).unwrap().count(), 2);
}

/// Finds a side file of a store without a name.
#[test]
fn temporary_and_given_files_have_no_side_files() {
    let mut store = Store::<Sample>::temporary().unwrap();
    store.append_all((0..100_000).map(sample)).unwrap();
    store.flush().unwrap();
    assert_eq!(store.get(99_999), Some(&sample(99_999)));
    assert!(store.path().is_none());
    store.close().unwrap();

    let dir = Dir::new();
    let path = dir.path("s");
    Store::<Sample>::create(&path).unwrap().close().unwrap();
    std::fs::remove_file(dir.path("s-lock")).unwrap();
    let open = || std::fs::File::options().read(true).write(true).open(&path).unwrap();
    #[allow(unsafe_code)]
    // SAFETY: this test alone uses the file.
    let store = unsafe { Store::<Sample>::options().from_file(open(), Some(&path)) };
    let mut store = store.unwrap();
    if cfg!(unix) {
        #[allow(unsafe_code)]
        // SAFETY: the call refuses the file.
        let second = unsafe { Store::<Sample>::options().from_file(open(), Some(&path)) };
        assert_eq!(second.unwrap_err().kind(), ErrorKind::Locked);
    }
    store.append(&sample(4)).unwrap();
    store.close().unwrap();
    assert_eq!(dir.names(), ["s"]);
    #[allow(unsafe_code)]
    // SAFETY: this test alone uses the file.
    let store = unsafe { DynStore::read_options().from_file(open(), None) };
    assert_eq!(store.unwrap().count(), 1);
}

/// Finds a windowed store that maps more than its budget.
#[test]
fn windowed_stores_stay_within_their_budget() {
    for way in WAYS.into_iter().filter(|way| cfg!(unix) || *way != WriteBack::Positioned) {
        let dir = Dir::new();
        let path = dir.path("s");
        let mut store = Store::<Sample>::create(&path).unwrap();
        store.append_all((0..200_000).map(sample)).unwrap();
        store.close().unwrap();
        let options = WindowedStore::<Sample>::options().write_back(way).window_bytes(64 << 10);
        let mut store = options.max_mapped_bytes(512 << 10).open(&path).unwrap();
        for id in (0..200_000).step_by(97).chain((0..200_000).rev().step_by(1009)) {
            assert_eq!(*store.get(id).unwrap().unwrap(), sample(id));
            assert!(store.view_counters().mapped_bytes <= 512 << 10);
        }
        let counters = store.view_counters();
        assert!(counters.hits > 0 && counters.evictions > 0 && counters.remaps > 10);
        let held = store.get(7).unwrap().unwrap();
        let window = store.window(100_000).unwrap().unwrap();
        assert!(window.ids().contains(&100_000) && window.ids().end - window.ids().start == 4096);
        assert!(window.ids().all(|id| *window.get(id).unwrap() == sample(id)));
        assert!(window.get(window.ids().end).is_none());
        assert!(window.get(window.ids().start - 1).is_none());
        drop(window);
        let last = store.window(199_999).unwrap().unwrap();
        assert_eq!(last.ids().end, 200_000);
        assert!(store.window(200_000).unwrap().is_none());
        drop(last);
        store.release_views();
        assert_eq!(store.view_counters().views, 1, "the store unmapped the pinned window");
        assert_eq!(*held, sample(7));
        drop(held);
        assert!(store.get(200_000).unwrap().is_none());
        assert_eq!(store.append(&sample(200_000)).unwrap(), 200_000);
        assert_eq!(*store.get(200_000).unwrap().unwrap(), sample(200_000));
        store.append_slice(&(200_001..230_000).map(sample).collect::<Vec<_>>()).unwrap();
        store.flush().unwrap();
        for id in 199_000..230_000 {
            assert_eq!(*store.get(id).unwrap().unwrap(), sample(id));
        }
        let mut edit = store.edit().unwrap();
        for id in (0..230_000).step_by(1000) {
            edit.get_mut(id).unwrap().unwrap().kind = 9;
        }
        edit.finish().unwrap();
        assert_eq!(store.copy(229_000).unwrap().unwrap().kind, 9);
        assert_eq!(store.copy(5).unwrap().unwrap(), sample(5));
        assert!(store.range(1..999).map(|found| found.unwrap().1).eq((1..999).map(sample)));
        store.close().unwrap();
        let store = Store::<Sample>::open_read_only(&path).unwrap();
        assert_eq!(store.count(), 230_000);
        assert_eq!(store.get(100_000).unwrap().kind, 9);
    }
}

/// Finds a thread that waits for ever for its own pins.
#[test]
fn pins_that_fill_the_budget_are_an_error() {
    let dir = Dir::new();
    let path = dir.path("s");
    let mut store = Store::<Sample>::create(&path).unwrap();
    store.append_all((0..100_000).map(sample)).unwrap();
    store.close().unwrap();
    let windows = WindowedStore::<Sample>::read_options().window_bytes(64 << 10);
    let open = || windows.clone().max_mapped_bytes(256 << 10).open_read_only(&path);
    let store = open().unwrap();
    let mut pinned = Vec::new();
    let error = loop {
        match store.get(pinned.len() as u64 * 4096) {
            Ok(record) => pinned.push(record.unwrap()),
            Err(error) => break error,
        }
    };
    assert_eq!(error.kind(), ErrorKind::BudgetExhausted, "{error}");
    assert!(pinned.len() >= 2);
    assert!((0..).step_by(4096).zip(&pinned).all(|(id, record)| **record == sample(id)));
    drop(pinned.pop());
    assert_eq!(*store.get(99_999).unwrap().unwrap(), sample(99_999));
    let error = windows.clone().max_mapped_bytes(1000).open_read_only(&path).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
}

/// Finds a call that writes through a read-only store.
#[test]
fn read_only_stores_refuse_to_write() {
    let dir = Dir::new();
    let path = dir.path("s");
    let mut store = Store::<Sample>::create(&path).unwrap();
    store.append(&sample(0)).unwrap();
    store.close().unwrap();
    let before = std::fs::read(&path).unwrap();
    let mut store = Store::<Sample>::open_read_only(&path).unwrap();
    for error in [
        store.append(&sample(1)).unwrap_err(),
        store.truncate(0).unwrap_err(),
        store.edit().unwrap_err(),
        store.reserve(1).unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::ReadOnly, "{error}");
    }
    store.flush().unwrap(); // a read-only store has nothing to flush
    store.close().unwrap();
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

/// Finds a record of the wrong length that shifts all later ones.
#[test]
fn dynamic_stores_check_lengths_and_fields() {
    let schema =
        Schema::packed([Field::new("id", DataType::UInt16), Field::new("name", DataType::Utf8(4))])
            .unwrap();
    let mut store = DynStore::temporary(&schema).unwrap();
    assert_eq!(store.append(&[0; 5]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(store.append_packed(&[0; 13]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    assert_eq!(store.append_packed(&[0; 12]).unwrap(), 0..2);
    let mut edit = store.edit().unwrap();
    edit.set_field(1, "name", &Value::Text("Ada")).unwrap();
    let error = edit.set_field(1, "name", &Value::Text("Augusta")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
    let error = edit.set_field(1, "nam", &Value::Text("x")).unwrap_err();
    assert!(error.to_string().contains("id, name"), "{error}");
    assert_eq!(edit.set(0, &[1; 7]).unwrap_err().kind(), ErrorKind::InvalidArgument);
    edit.finish().unwrap();
    assert_eq!(store.get(1).unwrap(), b"\0\0Ada\0");
    assert_eq!(store.iter().map(|(_, record)| record.len()).collect::<Vec<_>>(), [6, 6]);
}

/// Finds a drop that loses appended records, or leaves the store without a clean close.
#[test]
fn dropping_a_store_closes_it() {
    let dir = Dir::new();
    let path = dir.path("s");
    let mut store = Store::<Sample>::create(&path).unwrap();
    store.append_all((0..10).map(sample)).unwrap();
    drop(store);
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 65_536 + 160);
    assert_eq!(Store::<Sample>::open(&path).unwrap().count(), 10);
}

/// Finds an invalid value that `verify` does not report.
#[test]
fn verify_lists_invalid_values() {
    let dir = Dir::new();
    let schema = Schema::packed([
        Field::new("flag", DataType::Bool),
        Field::new("name", DataType::Utf8(3)),
        Field::new("age", DataType::UInt8).nullable(),
    ])
    .unwrap();
    let mut store = DynStore::create(dir.path("v"), &schema).unwrap();
    store.append(b"\x01Ada\x01\x05").unwrap();
    store.append(b"\x02Ada\x01\x05").unwrap();
    store.append(b"\x01\xff\xfe\0\x03\x05").unwrap();
    store.close().unwrap();
    let report = verify(dir.path("v"), VerifyOptions::new()).unwrap();
    let place = |problem: &Problem| (problem.record.unwrap(), problem.field.clone().unwrap());
    let found: Vec<_> = report.problems.iter().map(place).collect();
    assert_eq!(found, [(1, "flag"), (2, "name"), (2, "age")].map(|(id, name)| (id, name.into())));
    let first = verify(dir.path("v"), VerifyOptions::new().max_problems(1)).unwrap();
    assert_eq!((first.problems.len(), first.problems_found), (1, 3));
}
