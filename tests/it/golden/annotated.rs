//! A store with annotations and with the types that came after the first files of version 1.

use std::path::Path;

use flatrec::{
    DataType, Database, DisplayHint, Durability, DynDatabase, DynStore, Field, Group, Schema,
    TimeUnit, Value, Variant, VerifyOptions, verify,
};

use super::copy;

const COUNT: u64 = 20;
const METADATA: &str = "thirteen byte";

/// A field for each kind of annotation, and one for each later type.
fn schema() -> Schema {
    let sides = [Variant::new(-1, "Sell"), Variant::new(0, "keine"), Variant::new(100, "Buy")];
    let fields = [
        Field::new("side", DataType::Int8).with_variants(sides),
        Field::new("kind", DataType::UInt64).with_variants([Variant::new(u64::MAX, "last")]),
        Field::new("box.low", DataType::Float32).with_shape([2, 2]),
        Field::new("box.legs[0].px", DataType::Int32).with_scale(2),
        Field::new("box.legs[1].px", DataType::Int32).with_scale(2),
        Field::new("id", DataType::Binary(16)).with_display(DisplayHint::Uuid),
        Field::new("letter", DataType::UInt32).with_display(DisplayHint::Char).array(2),
        Field::new("at", DataType::Timestamp(TimeUnit::Millisecond))
            .nullable()
            .with_epoch(TimeUnit::Second)
            .with_null_words(["NA", ""]),
        Field::new("big", DataType::Int128).big_endian(),
        Field::new("huge", DataType::UInt128).nullable().with_display(DisplayHint::Hex),
        Field::new("took", DataType::Duration(TimeUnit::Microsecond)),
    ];
    let groups = [Group::new("box", 2..5), Group::new("box.legs", 3..5).array(2)];
    let schema = Schema::packed(fields).unwrap();
    schema.with_null_words(["null"]).unwrap().with_groups(groups).unwrap()
}

/// The texts of the fields of record `id`; empty for null.
fn texts(id: u64) -> Vec<String> {
    let number = id as i64;
    let hex = format!("{:032x}", u128::from(id) << 120 | 0x0123_4567_89ab_cdef);
    let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    // The epoch's numbers, since the field came from such.
    let at = format!("{}.25", 60 * id);
    vec![
        ["Sell", "keine", "Buy", "7"][(id % 4) as usize].to_owned(),
        if id % 2 == 0 { "last".to_owned() } else { id.to_string() },
        format!("[[{id}.0,0.5],[-1.0,{id}.25]]"),
        (number * 100 - 3).to_string(),
        (number * -100).to_string(),
        uuid,
        if id % 3 == 0 { r#"["ä","\""]"#.to_owned() } else { r#"["U+D800","x"]"#.to_owned() },
        if id % 5 == 0 { String::new() } else { at },
        (i128::MIN + i128::from(id)).to_string(),
        if id % 7 == 0 { String::new() } else { format!("0x{:x}", u128::MAX - u128::from(id)) },
        format!("{}PT{id}.000001S", if id == 0 { "" } else { "-" }),
    ]
}

fn record(schema: &Schema, id: u64) -> Vec<u8> {
    let mut record = vec![0; schema.record_size() as usize];
    for (field, text) in schema.fields().iter().zip(texts(id)) {
        if !text.is_empty() {
            field.parse_text(&text, &mut record).unwrap();
        }
    }
    record
}

/// Makes the golden file.
pub(super) fn make(path: &Path) {
    let schema = schema();
    let mut store = DynStore::create_options().metadata(METADATA).create(path, &schema).unwrap();
    for id in 0..COUNT {
        store.append(&record(&schema, id)).unwrap();
    }
    store.close().unwrap();
}

#[track_caller]
fn check(path: &Path, changed: Option<u64>) {
    let store = DynStore::open_read_only(path).unwrap();
    assert_eq!(store.schema(), &schema());
    assert_eq!(store.metadata().unwrap(), METADATA.as_bytes());
    assert_eq!(store.count(), COUNT);
    for id in 0..COUNT {
        let of = if changed == Some(id) { COUNT - 1 } else { id };
        for (field, text) in store.schema().fields().iter().zip(texts(of)) {
            let mut found = String::new();
            field.format_text(store.get(id).unwrap(), &mut found).unwrap();
            assert_eq!(found, text, "{id}, {}", field.name());
        }
    }
    assert_eq!(verify(path, VerifyOptions::new()).unwrap().problems, []);
}

/// Finds annotations or later types that are read otherwise than they were written, and writers
/// and copies that lose them.
#[test]
fn annotations_and_later_types_are_read_and_kept() {
    let (directory, path) = copy("annotated");
    check(&path, None);
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.set(3, &record(&schema(), COUNT - 1)).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
    check(&path, Some(3));
    let backup = directory.path().join("backup.rec");
    flatrec::backup(&path, &backup, flatrec::CopyOptions::new()).unwrap();
    check(&backup, Some(3));
}

/// The values beneath the texts: no form changes them.
#[test]
fn values_are_those_of_the_types() {
    let (_directory, path) = copy("annotated");
    let store = DynStore::open_read_only(&path).unwrap();
    let record = store.get(2).unwrap();
    let value = |name: &str| store.schema().field(name).unwrap().read(record).unwrap();
    assert_eq!(value("side"), Value::Int(100));
    assert_eq!(value("kind"), Value::UInt(u64::MAX));
    assert_eq!(value("big"), Value::Int128(i128::MIN + 2));
    assert_eq!(value("huge"), Value::UInt128(u128::MAX - 2));
    assert_eq!(value("took"), Value::Duration(-2_000_001, TimeUnit::Microsecond));
}

/// Finds damage in the block of annotations that is not noticed.
#[test]
fn damaged_annotations_are_refused() {
    let (_directory, path) = copy("annotated");
    let good = std::fs::read(&path).unwrap();
    let start = (8192 + 64 * 11 + METADATA.len()).next_multiple_of(8);
    let len = u32::from_le_bytes(good[144..148].try_into().unwrap()) as usize;
    for at in [start, start + len / 2, start + len - 1] {
        let mut bad = good.clone();
        bad[at] ^= 1;
        std::fs::write(&path, bad).unwrap();
        for refused in
            [DynStore::open_read_only(&path).map(drop), Database::<[u8]>::open(&path).map(drop)]
        {
            let error = refused.unwrap_err();
            assert_eq!(error.kind(), flatrec::ErrorKind::Corrupt, "{error}");
            assert!(error.to_string().contains("annotations"), "{error}");
        }
    }
}
