//! Changes of a store's schema: what becomes of values, numbers, side files and readers.

use std::io;
use std::path::{Path, PathBuf};

use flatrec::{
    Checksums, DataType, Durability, DynDatabase, DynStore, ErrorKind, Field, Group,
    MigrateOptions, MigrateReport, Schema, SchemaChange, TimeUnit, Value, Variant, VerifyOptions,
    Wait, migrate, verify,
};

fn schema() -> Schema {
    Schema::packed([
        Field::new("id", DataType::Int32),
        Field::new("px", DataType::Utf8(12)),
        Field::new("side", DataType::UInt8)
            .with_variants([Variant::new(1, "Buy"), Variant::new(2, "Sell")]),
        Field::new("note", DataType::Binary(8)),
        Field::new("at", DataType::Timestamp(TimeUnit::Second)).utc(),
    ])
    .unwrap()
}

fn record(schema: &Schema, values: &[Value<'_>]) -> Vec<u8> {
    let mut record = vec![0; schema.record_size() as usize];
    for (field, value) in schema.fields().iter().zip(values) {
        field.write(&mut record, value).unwrap();
    }
    record
}

fn values_of(id: i64, price: &str) -> Vec<Value<'_>> {
    vec![
        Value::Int(id),
        Value::Text(price),
        Value::UInt(2),
        Value::Binary(b"12345678"),
        Value::Timestamp(1_357_000_000 + id, TimeUnit::Second),
    ]
}

/// Makes a closed store of `count` records, with metadata and checksums.
fn store(directory: &Path, count: i64) -> PathBuf {
    let path = directory.join("trades.rec");
    let schema = schema();
    let mut store = DynStore::create_options()
        .metadata(b"from the exchange")
        .checksums(true)
        .create(&path, &schema)
        .unwrap();
    for id in 0..count {
        store.append(&record(&schema, &values_of(id, &format!("{}.25", id % 1000)))).unwrap();
    }
    store.close().unwrap();
    path
}

fn change() -> SchemaChange {
    SchemaChange::new()
        .retype("id", DataType::Int64)
        .rename("px", "price")
        .retype("price", DataType::Float64)
        .drop_field("note")
        .retype("at", DataType::Timestamp(TimeUnit::Millisecond))
        .add_field(Field::new("venue", DataType::Utf8(4)).nullable())
        .add_field(Field::new("lot", DataType::UInt16))
        .fill("lot", Value::UInt(100))
}

fn value<'r>(store: &'r DynStore, id: u64, name: &str) -> Value<'r> {
    let field = store.schema().field(name).unwrap_or_else(|| panic!("a field {name}"));
    field.read(store.get(id).unwrap()).unwrap()
}

/// Finds a value that changes, an annotation or metadata that is lost, a store without its sums.
#[test]
fn every_field_keeps_its_values_and_the_store_all_that_belongs_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path(), 2500);
    let report = migrate(&path, &change(), MigrateOptions::new()).unwrap();
    assert_eq!((report.records, report.deleted, report.left_out), (2500, 0, 0));
    assert_eq!(report.added, ["venue", "lot"]);
    assert_eq!(report.dropped, ["note"]);
    assert_eq!(report.written_bytes, path.metadata().unwrap().len());

    let store = DynStore::open_read_only(&path).unwrap();
    let fields: Vec<String> = store.schema().fields().iter().map(ToString::to_string).collect();
    let expected = [
        "id: int64 at 0",
        "price: float64 at 8",
        "side: uint8 at 16",
        "at: timestamp(ms) utc at 17",
        "venue: utf8(4) nullable at 25",
        "lot: uint16 at 30",
    ];
    assert_eq!(fields, expected);
    for id in [0, 999, 2499] {
        assert_eq!(value(&store, id, "id"), Value::Int(id as i64));
        assert_eq!(value(&store, id, "price"), Value::Float((id % 1000) as f64 + 0.25));
        let at = (1_357_000_000 + id as i64) * 1000;
        assert_eq!(value(&store, id, "at"), Value::Timestamp(at, TimeUnit::Millisecond));
        assert_eq!(value(&store, id, "venue"), Value::Null);
        assert_eq!(value(&store, id, "lot"), Value::UInt(100));
    }
    assert_eq!(store.schema().field("side").unwrap().variants()[1].name(), "Sell");
    assert_eq!(store.metadata().unwrap(), b"from the exchange");
    drop(store);
    let verified = verify(&path, VerifyOptions::new()).unwrap();
    assert!(verified.problems.is_empty(), "{verified:?}");
    assert!(matches!(verified.checksums, Checksums::Present { blocks: 2 }), "{verified:?}");
}

/// Finds a migration that changes something although a value does not fit, or that names the wrong
/// values.
#[test]
fn one_value_that_does_not_fit_leaves_everything_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path(), 300);
    let before = std::fs::read(&path).unwrap();
    let change = SchemaChange::new().retype("id", DataType::Int8).retype("px", DataType::UInt8);
    let mut told = Vec::new();
    let options = MigrateOptions::new().on_misfit(|misfit| {
        told.push((misfit.record, misfit.field.to_owned(), misfit.value.to_owned()));
        Ok(())
    });
    let error = migrate(&path, &change, options).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert!(error.to_string().contains("472 values do not fit"), "{error}");
    assert_eq!(told.len(), 300 + 172);
    assert_eq!(told[0], (0, "px".to_owned(), "0.25".to_owned()));
    assert_eq!(
        told[128..130],
        [(128, "id".to_owned(), "128".to_owned()), (128, "px".to_owned(), "128.25".to_owned())]
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert_eq!(names(directory.path()), ["trades.rec", "trades.rec-lock", "trades.rec-sum"]);
    // A dry run says the same and writes nothing at all.
    let dry = migrate(&path, &change, MigrateOptions::new().dry_run(true)).unwrap_err();
    assert_eq!(dry.to_string(), error.to_string());
}

fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Finds records that move although others are told apart by their numbers.
#[test]
fn records_that_do_not_fit_are_left_out_on_request() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path(), 300);
    let change = SchemaChange::new().retype("id", DataType::Int8);
    let report = migrate(&path, &change, MigrateOptions::new().leave_out_misfits(true)).unwrap();
    assert_eq!((report.records, report.left_out, report.misfits), (128, 172, 172));
    assert_eq!(report.renumbered, 0);
    assert_eq!(DynStore::open_read_only(&path).unwrap().count(), 128);
}

fn numbers(directory: &Path, deletes: bool) -> PathBuf {
    let path = directory.join("numbers.rec");
    let schema =
        Schema::packed([Field::new("n", DataType::Int64), Field::new("gap", DataType::Utf8(3))])
            .unwrap();
    let database = DynDatabase::create_options().deletes(deletes).create(&path, &schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for n in 0..1000_i64 {
        transaction.append(&record(&schema, &[Value::Int(n), Value::Text("abc")])).unwrap();
    }
    if deletes {
        for id in [3, 700, 10] {
            transaction.delete(id).unwrap();
        }
    }
    transaction.commit(Durability::Eventual).unwrap();
    database.close().unwrap();
    path
}

/// Finds a free list that leads elsewhere, or a left out record whose number another one gets.
#[test]
fn deleted_records_stay_deleted_and_left_out_ones_join_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), true);
    let change = SchemaChange::new()
        .retype("n", DataType::Int16)
        .drop_field("gap")
        .add_field(Field::new("wide", DataType::Float64).nullable());
    let report = migrate(&path, &change, MigrateOptions::new()).unwrap();
    assert_eq!((report.records, report.deleted), (997, 3));

    let narrow = SchemaChange::new().retype("n", DataType::UInt8);
    let options = MigrateOptions::new().leave_out_misfits(true);
    let report = migrate(&path, &narrow, options).unwrap();
    assert_eq!((report.records, report.left_out, report.deleted), (254, 743, 746));
    assert_eq!(report.renumbered, 0);
    assert!(verify(&path, VerifyOptions::new()).unwrap().problems.is_empty());

    let database = DynDatabase::open(&path).unwrap();
    let n = database.schema().fields()[0].clone();
    let snapshot = database.begin_read().unwrap();
    assert_eq!((snapshot.count(), snapshot.live_count()), (1000, 254));
    assert_eq!(n.read(snapshot.get(11).unwrap()).unwrap(), Value::UInt(11));
    assert!([3, 10, 256, 999].iter().all(|&id| snapshot.get(id).is_none()));
    // The list leads to all of them, the last ones first, and then to new places.
    let mut transaction = database.begin_write().unwrap();
    let record = vec![0; database.schema().record_size() as usize];
    let ids: Vec<u64> = (0..747).map(|_| transaction.insert(&record).unwrap()).collect();
    assert_eq!(ids[..2], [999, 998]);
    assert_eq!(ids[743..], [10, 700, 3, 1000]);
}

/// Finds a migration that takes the array alone and loses what the log holds.
#[test]
fn commits_in_the_log_are_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), false);
    let reader = DynDatabase::open_read_only(&path).unwrap();
    let held = reader.begin_read().unwrap();
    let database = DynDatabase::open(&path).unwrap();
    let n = database.schema().fields()[0].clone();
    let mut transaction = database.begin_write().unwrap();
    n.write(transaction.get_mut(5).unwrap().unwrap(), &Value::Int(-5)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
    assert!(names(directory.path()).iter().any(|name| name.contains("-wal-")), "the log is there");

    let change = SchemaChange::new().retype("n", DataType::Int32);
    let migrated = migrate(&path, &change, MigrateOptions::new());
    if cfg!(windows) {
        // An open file keeps its name there.
        migrated.unwrap_err();
        return;
    }
    migrated.unwrap();
    assert_eq!(n.read(held.get(5).unwrap()).unwrap(), Value::Int(5), "the reader keeps the store");
    drop((held, reader));
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!(value(&store, 5, "n"), Value::Int(-5));
    assert_eq!(store.count(), 1000);
    drop(store);
    assert_eq!(names(directory.path()), ["numbers.rec", "numbers.rec-lock"]);
}

/// Finds a migration beside a writer, whose commits it would lose.
#[test]
fn a_writer_keeps_a_migration_out_and_a_copy_can_be_made_beside_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), false);
    let database = DynDatabase::open(&path).unwrap();
    let change = SchemaChange::new().retype("n", DataType::Int32);
    let error = migrate(&path, &change, MigrateOptions::new()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Locked, "{error}");
    let out = directory.path().join("other.rec");
    migrate(&path, &change, MigrateOptions::new().out(&out)).unwrap();
    assert_eq!(DynStore::open_read_only(&out).unwrap().schema().record_size(), 7);
    database.close().unwrap();
    assert_eq!(DynStore::open_read_only(&path).unwrap().schema().record_size(), 11);
    let error = migrate(&path, &change, MigrateOptions::new().out(&out)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::AlreadyExists);
    assert!(error.to_string().contains("MigrateOptions::replace"), "{error}");
}

/// Interrupts a migration of many records, after `done_bytes`.
fn interrupt(path: &Path, change: &SchemaChange, done_bytes: u64) {
    let options = MigrateOptions::new().on_progress(|done, _| match done < done_bytes {
        true => Ok(()),
        false => Err(io::Error::other("enough").into()),
    });
    assert!(migrate(path, change, options).unwrap_err().to_string().contains("enough"));
}

fn resumed(path: &Path, change: &SchemaChange) -> MigrateReport {
    migrate(path, change, MigrateOptions::new().resume(true)).unwrap()
}

/// Finds a resumed migration that trusts records of another one, or loses or doubles some.
#[test]
fn an_interrupted_migration_goes_on_where_its_records_are_right() {
    let directory = tempfile::tempdir().unwrap();
    let count = 200_000;
    let path = store(directory.path(), count);
    let before = std::fs::read(&path).unwrap();
    interrupt(&path, &change(), 3 << 20);
    assert_eq!(std::fs::read(&path).unwrap(), before);
    assert!(names(directory.path()).contains(&"trades.rec-unfinished".to_owned()));

    // Of another change: starts over.
    let other = SchemaChange::new().retype("id", DataType::Int64);
    let out = directory.path().join("expected.rec");
    migrate(&path, &other, MigrateOptions::new().out(&out)).unwrap();
    interrupt(&path, &other, 3 << 20);

    // Of other records, although of the same change: starts over.
    let mut writer = DynStore::open(&path).unwrap();
    let id = writer.schema().fields()[0].clone();
    let mut edit = writer.edit().unwrap();
    id.write(edit.get_mut(7).unwrap().unwrap(), &Value::Int(-7)).unwrap();
    edit.finish().unwrap();
    writer.close().unwrap();
    let report = resumed(&path, &other);
    assert_eq!((report.resumed, report.records), (0, count as u64));
    assert_eq!(value(&DynStore::open_read_only(&path).unwrap(), 7, "id"), Value::Int(-7));

    let narrow = SchemaChange::new().retype("id", DataType::Int32);
    interrupt(&path, &narrow, 3 << 20);
    let report = resumed(&path, &narrow);
    assert!(report.resumed > 10_000 && report.resumed < count as u64, "{}", report.resumed);
    assert_eq!(report.records, count as u64);
    let store = DynStore::open_read_only(&path).unwrap();
    for at in (0..count as u64).step_by(977) {
        let expected = if at == 7 { -7 } else { at as i64 };
        assert_eq!(value(&store, at, "id"), Value::Int(expected));
    }
    drop(store);
    let left = names(directory.path());
    assert!(left.iter().all(|name| !name.contains("unfinished")), "{left:?}");
}

/// Finds fields that lose their values without a word.
#[test]
fn a_whole_new_schema_says_what_becomes_of_each_field() {
    let directory = tempfile::tempdir().unwrap();
    let path = store(directory.path(), 3);
    let new = Schema::packed([
        Field::new("price", DataType::Utf8(12)),
        Field::new("id", DataType::Int32),
    ])
    .unwrap();
    let apply = |change: &SchemaChange| migrate(&path, change, MigrateOptions::new());
    let error = apply(&SchemaChange::to(new.clone())).unwrap_err();
    let expected = "field px: the new schema has no field with this name (and 3 more)";
    assert!(error.to_string().contains(expected), "{error}");
    let change =
        SchemaChange::to(new.clone()).rename("px", "price").drop_field("side").drop_field("note");
    assert!(apply(&change).unwrap_err().to_string().contains("field at: the new schema"));
    apply(&change.drop_field("at")).unwrap();
    let store = DynStore::open_read_only(&path).unwrap();
    assert_eq!(value(&store, 2, "price"), Value::Text("2.25"));
    assert_eq!(value(&store, 2, "id"), Value::Int(2));
    assert_eq!(*store.schema(), new);

    let wrong = |change: SchemaChange, said: &str| {
        let error = apply(&change).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    };
    wrong(SchemaChange::new().drop_field("idd"), "there is no field idd (the nearest name is id)");
    wrong(SchemaChange::new().fill("x", Value::Null), "there is no field x");
    wrong(
        SchemaChange::new().add_field(Field::new("n", DataType::Bool)),
        "is new and cannot be null",
    );
    wrong(SchemaChange::new().rename("id", "price"), "two fields are named");
    let date = SchemaChange::new().retype("id", DataType::Date32);
    wrong(date, "field id: int32 cannot become date32");
}

/// Finds a nested record whose group points at other fields, and a layout that a Rust struct does
/// not have.
#[test]
fn groups_and_alignment_follow_their_fields() {
    let fields = [
        Field::new("a", DataType::UInt8).at(0),
        Field::new("pos.x", DataType::Float32).at(4),
        Field::new("pos.y", DataType::Float32).at(8),
        Field::new("b", DataType::UInt8).at(12),
    ];
    let schema = Schema::new(fields.to_vec(), 16, 4)
        .unwrap()
        .with_groups([Group::new("pos", 1..3)])
        .unwrap();
    let changed =
        SchemaChange::new().drop_field("a").add_field(Field::new("c", DataType::UInt16).nullable());
    let new = changed.apply(&schema).unwrap();
    assert_eq!(new.groups(), [Group::new("pos", 0..2)]);
    let offsets: Vec<u32> = new.fields().iter().map(Field::offset).collect();
    assert_eq!((offsets, new.record_size(), new.alignment()), (vec![0, 4, 8, 9], 12, 4));
    let broken = SchemaChange::new().drop_field("pos.x").apply(&schema).unwrap();
    assert!(broken.groups().is_empty());
    let renamed = SchemaChange::new().rename("a", "first").apply(&schema).unwrap();
    assert_eq!(renamed.fields()[3].offset(), 12, "nothing moves for a name");
}

/// Makes a store of one value, changes its type, and returns the new value or why it did not fit.
fn converted(from: Field, value: &Value<'_>, to: Field) -> Result<String, String> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("one.rec");
    let schema = Schema::packed([from.clone()]).unwrap();
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append(&record(&schema, &[*value])).unwrap();
    store.close().unwrap();
    let mut why = String::new();
    let options = MigrateOptions::new().on_misfit(|misfit| {
        misfit.why.clone_into(&mut why);
        Ok(())
    });
    match migrate(&path, &SchemaChange::to(Schema::packed([to]).unwrap()), options) {
        Err(error) if error.kind() == ErrorKind::InvalidValue => Err(why),
        done => {
            done.unwrap();
            let store = DynStore::open_read_only(&path).unwrap();
            let mut text = String::new();
            store.schema().fields()[0].format_text(store.get(0).unwrap(), &mut text).unwrap();
            Ok(text)
        }
    }
}

/// Finds a conversion that rounds, wraps or guesses.
#[test]
fn a_value_becomes_another_type_exactly_or_not_at_all() {
    use DataType::*;
    use TimeUnit::{Millisecond, Second};
    let fits: &[(DataType, Value<'_>, DataType, &str)] = &[
        (Int64, Value::Int(-128), Int8, "-128"),
        (UInt128, Value::UInt128(u128::MAX), Utf8(40), "340282366920938463463374607431768211455"),
        (Float64, Value::Float(3.0), UInt8, "3"),
        (
            Float64,
            Value::Float(2_f64.powi(127)),
            UInt128,
            "170141183460469231731687303715884105728",
        ),
        (Int64, Value::Int(1 << 53), Float64, "9007199254740992.0"),
        (Float64, Value::Float(0.5), Float32, "0.5"),
        (Float64, Value::Float(f64::NAN), Float32, "NaN"),
        (Bool, Value::Bool(true), Int8, "1"),
        (UInt64, Value::UInt(1), Bool, "true"),
        (Utf8(4), Value::Text("12.5"), Float32, "12.5"),
        (Utf8(9), Value::Text("true"), Bool, "true"),
        (Utf8(2), Value::Text("ab"), Utf8(9), "ab"),
        (Date32, Value::Date(1), Timestamp(Second), "1970-01-02T00:00:00"),
        (Timestamp(Millisecond), Value::Timestamp(86_400_000, Millisecond), Date32, "1970-01-02"),
        (Timestamp(Millisecond), Value::Timestamp(1500, Millisecond), Int64, "1500"),
        (Int64, Value::Int(86_400), Timestamp(Second), "1970-01-02T00:00:00"),
        (Binary(2), Value::Binary(&[1, 255]), Utf8(4), "01ff"),
    ];
    for (from, value, to, expected) in fits {
        let got = converted(Field::new("f", *from), value, Field::new("f", *to));
        assert_eq!(got.as_deref(), Ok(*expected), "{value:?} as {to}");
    }
    let misfits: &[(DataType, Value<'_>, DataType, &str)] = &[
        (Int64, Value::Int(128), Int8, "128 is out of range"),
        (Int64, Value::Int(-1), UInt64, "-1 is out of range"),
        (Float64, Value::Float(1.5), Int64, "1.5 is no integer"),
        (Float64, Value::Float(-0.0), Int64, "-0.0 is no integer"),
        (Float64, Value::Float(f64::NAN), Int64, "NaN is no integer"),
        (Float64, Value::Float(f64::INFINITY), UInt128, "inf is out of range"),
        (Float64, Value::Float(1e300), Int128, "1e300 is out of range"),
        (Int64, Value::Int((1 << 53) + 1), Float64, "9007199254740993 has more digits"),
        (Float64, Value::Float(0.1), Float32, "0.1 has more digits"),
        (Float64, Value::Float(1e300), Float32, "out of its range"),
        (Int8, Value::Int(2), Bool, "neither 0 nor 1"),
        (Utf8(9), Value::Text("007"), Int32, "007"),
        (Utf8(9), Value::Text(""), Int32, "\"\""),
        (Utf8(9), Value::Text("abcd"), Utf8(3), "4"),
        (Timestamp(Millisecond), Value::Timestamp(1500, Millisecond), Timestamp(Second), "1500 ms"),
        (Timestamp(Second), Value::Timestamp(1, Second), Date32, "not the midnight"),
        (Int64, Value::Int(i64::MAX), Duration(Second), ""),
    ];
    for (from, value, to, said) in misfits {
        let got = converted(Field::new("f", *from), value, Field::new("f", *to));
        match (got, said.is_empty()) {
            (Ok(_), true) => {}
            (Err(why), _) => assert!(why.contains(said), "{value:?} as {to}: {why}"),
            (Ok(text), false) => panic!("{value:?} became {text} as {to}"),
        }
    }
}

/// Finds nulls that become values, and null words that do not become null.
#[test]
fn null_stays_null_or_is_a_misfit() {
    let nullable = |data_type| Field::new("f", data_type).nullable();
    let plain = |data_type| Field::new("f", data_type);
    let null = Value::Null;
    let got = converted(nullable(DataType::Int8), &null, nullable(DataType::Int64));
    assert_eq!(got.as_deref(), Ok(""));
    let error = converted(nullable(DataType::Int8), &null, plain(DataType::Int8)).unwrap_err();
    assert!(error.contains("it is null"), "{error}");
    let word = nullable(DataType::Int16).with_null_words(["NA"]);
    let got = converted(plain(DataType::Utf8(4)), &Value::Text("NA"), word.clone());
    assert_eq!(got.as_deref(), Ok(""));
    let got = converted(plain(DataType::Utf8(4)), &Value::Text(""), word);
    assert_eq!(got.as_deref(), Ok(""));
}

/// Finds a name that keeps the old store, or a link that is replaced by the new one.
#[cfg(unix)]
#[test]
fn a_link_leads_to_the_new_store_and_a_second_name_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), false);
    let link = directory.path().join("link.rec");
    std::os::unix::fs::symlink("numbers.rec", &link).unwrap();
    let change = SchemaChange::new().retype("n", DataType::Int32);
    migrate(&link, &change, MigrateOptions::new()).unwrap();
    assert!(link.symlink_metadata().unwrap().is_symlink());
    assert_eq!(DynStore::open_read_only(&path).unwrap().schema().record_size(), 7);

    std::fs::hard_link(&path, directory.path().join("second.rec")).unwrap();
    let back = SchemaChange::new().retype("n", DataType::Int64);
    let error = migrate(&path, &back, MigrateOptions::new()).unwrap_err();
    assert!(error.to_string().contains("hard link"), "{error}");
}

/// Finds a store that is written anew although nothing changes.
#[test]
fn no_change_leaves_the_file_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), true);
    let before = DynStore::open_read_only(&path).unwrap().info().unwrap().file_id;
    let report = migrate(&path, &SchemaChange::new(), MigrateOptions::new()).unwrap();
    assert_eq!((report.changed, report.records, report.deleted), (false, 997, 3));
    assert_eq!(DynStore::open_read_only(&path).unwrap().info().unwrap().file_id, before);
    let report =
        migrate(&path, &SchemaChange::new(), MigrateOptions::new().metadata(b"new")).unwrap();
    assert!(report.changed);
    assert_eq!(DynStore::open_read_only(&path).unwrap().metadata().unwrap(), b"new");
}

/// Finds a migration of the state before it had the lock: the commits since then would be lost.
#[test]
fn commits_of_a_writer_that_it_waits_for_are_migrated() {
    let directory = tempfile::tempdir().unwrap();
    let path = numbers(directory.path(), false);
    let database = DynDatabase::open(&path).unwrap();
    let record = vec![7; database.schema().record_size() as usize];
    let report = std::thread::scope(|scope| {
        let migrating = scope.spawn(|| {
            let change = SchemaChange::new().make_nullable("n");
            migrate(&path, &change, MigrateOptions::new().wait(Wait::Forever))
        });
        // The migration opens the store while these commits go on.
        for _ in 0..500 {
            let mut transaction = database.begin_write().unwrap();
            transaction.append(&record).unwrap();
            transaction.commit(Durability::Eventual).unwrap();
            std::thread::yield_now();
        }
        database.close().unwrap();
        migrating.join().unwrap()
    });
    assert_eq!(report.unwrap().records, 1500);
}
