//! `#[derive(Record)]` on every kind of struct and field: the derived schema, and bytes that mean
//! the same to the struct and to the schema. The documentation of `flatrec::derived` and of the
//! derive shows what does not compile.
#![cfg(feature = "derive")]
#![forbid(unsafe_code)]

use flatrec::{
    Bool, DataType, DynStore, Field, FieldType, Nullable, PodRecord, Record, Result, Schema, Store,
    Utf8, Value, be, le,
};

fn lines(schema: &Schema) -> Vec<String> {
    schema.fields().iter().map(ToString::to_string).collect()
}

/// Writes `record` to a file, and returns the schema and the bytes found there.
fn through_a_file<R: Record>(record: R) -> (Schema, Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("records.rec");
    let mut store = Store::<R>::create(&path).unwrap();
    store.append(&record).unwrap();
    store.close().unwrap();
    let store = DynStore::open(&path).unwrap();
    (store.schema().clone(), store.get(0).unwrap().to_vec())
}

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Everything {
    #[record(timestamp = "ns", utc)]
    at: i64,
    real: f64,
    big: u64,
    #[record(date)]
    day: i32,
    small: f32,
    two: u16,
    r#type: i16,
    one: u8,
    minus: i8,
    flag: Bool,
    text: Utf8<3>,
    #[record(utf8, rename = "raw text")]
    raw: [u8; 2],
    bytes: [u8; 4],
    numbers: [le::U16; 2],
    #[record(skip)]
    _padding: [u8; 4],
}

/// Finds an offset of the derived schema that is not the compiler's.
#[test]
fn a_naturally_aligned_struct_has_its_fields_where_the_compiler_put_them() {
    let schema = Everything::schema().unwrap();
    // The alignment is not always 8: some 32-bit systems align 64-bit numbers to 4 bytes.
    let alignment = u32::try_from(align_of::<Everything>()).unwrap();
    assert_eq!((schema.record_size(), schema.alignment()), (56, alignment));
    assert_eq!(
        lines(&schema),
        [
            "at: timestamp(ns) utc at 0",
            "real: float64 at 8",
            "big: uint64 at 16",
            "day: date32 at 24",
            "small: float32 at 28",
            "two: uint16 at 32",
            "type: int16 at 34",
            "one: uint8 at 36",
            "minus: int8 at 37",
            "flag: bool at 38",
            "text: utf8(3) at 39",
            "raw text: utf8(2) at 42",
            "bytes: binary(4) at 44",
            "numbers: uint16[2] at 48",
        ]
    );
}

#[derive(Clone, Copy, Record)]
#[repr(C, packed)]
struct Packed {
    one: u8,
    count: le::U64,
    #[record(timestamp = "s")]
    seen: Nullable<le::I64>,
    axes: Nullable<[be::F32; 3]>,
    #[record(date)]
    days: Nullable<[le::I32; 2]>,
    #[record(utf8)]
    codes: [[u8; 2]; 3],
}

/// Finds an offset in a packed struct for which the macro assumes padding.
#[test]
fn a_packed_struct_has_no_gaps_whatever_its_fields() {
    let schema = Packed::schema().unwrap();
    assert_eq!((schema.record_size(), schema.alignment()), (1 + 8 + 9 + 13 + 9 + 6, 1));
    assert_eq!(
        lines(&schema),
        [
            "one: uint8 at 0",
            "count: uint64 at 1",
            "seen: timestamp(s) nullable at 9",
            "axes: float32[3] nullable big-endian at 18",
            "days: date32[2] nullable at 31",
            "codes: utf8(2)[3] at 40",
        ]
    );
    let packed = Schema::packed(schema.fields().to_vec()).unwrap();
    assert_eq!(packed, schema);
}

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Lengths {
    number: u128,
    #[record(duration = "ms")]
    took: i64,
    #[record(duration = "s")]
    each: [be::I64; 1],
}

/// Finds an attribute that gives a duration another unit, and an integer of another width.
#[test]
fn a_struct_can_have_durations_and_integers_of_128_bits() {
    assert_eq!(
        lines(&Lengths::schema().unwrap()),
        [
            "number: uint128 at 0",
            "took: duration(ms) at 16",
            "each: duration(s)[1] big-endian at 24",
        ]
    );
}

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Wrapped {
    inner: be::I16,
}

mod vendored {
    pub(crate) use flatrec as database;
}

#[derive(Clone, Copy, Record)]
#[record(crate = "crate::derive::vendored::database")]
#[repr(C, align(16))]
struct Aligned {
    data: [u8; 16],
}

/// Finds generated code that depends on the names in scope.
#[test]
fn the_macro_accepts_other_layouts_and_paths_to_the_crate() {
    assert_eq!(lines(&Wrapped::schema().unwrap()), ["inner: int16 big-endian at 0"]);
    let schema = Aligned::schema().unwrap();
    assert_eq!((schema.record_size(), schema.alignment()), (16, 16));
}

/// Finds a nested struct that hides native byte order.
#[test]
fn a_struct_is_native_endian_if_one_of_its_fields_is() {
    const { assert!(Everything::NATIVE_ENDIAN) };
    const { assert!(!Packed::NATIVE_ENDIAN) };
    const { assert!(!Wrapped::NATIVE_ENDIAN) };
    const { assert!(!Aligned::NATIVE_ENDIAN) };
    const { assert!(!<Nullable<[i8; 2]> as FieldType>::NATIVE_ENDIAN) };
    const { assert!(<Nullable<[f64; 2]> as FieldType>::NATIVE_ENDIAN) };
}

/// Finds a field that reads as one value by its schema and as another by its Rust type.
#[test]
fn the_schema_reads_the_values_of_the_struct() {
    let record = Packed {
        one: 7,
        count: 1_000_000_007.into(),
        seen: Nullable::null(),
        axes: Nullable::some([1.5.into(), (-2.0).into(), 0.0.into()]),
        days: Nullable::some([1.into(), (-1).into()]),
        codes: [*b"ab", *b"c\0", [0; 2]],
    };
    let (schema, bytes) = through_a_file(record);
    let value = |name: &str| schema.field(name).unwrap().read(&bytes).unwrap();
    let elements = |name: &str| match value(name) {
        Value::Array(array) => array.iter().collect::<Result<Vec<_>>>().unwrap(),
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(value("one"), Value::UInt(7));
    assert_eq!(value("count"), Value::UInt(1_000_000_007));
    assert_eq!(value("seen"), Value::Null);
    assert_eq!(elements("axes"), [1.5, -2.0, 0.0].map(Value::Float32));
    assert_eq!(elements("days"), [1, -1].map(Value::Date));
    assert_eq!(elements("codes"), ["ab", "c", ""].map(Value::Text));
}

/// Finds a plain type that opens a store of another record size.
#[test]
fn a_pod_type_opens_stores_of_its_size_only() {
    let schema = PodRecord::<[u32; 3]>::schema().unwrap();
    assert_eq!(lines(&schema), ["data: binary(12) at 0"]);
    assert_eq!(schema.alignment(), 4);
    let named = |count: u32, alignment| {
        let fields = (0..count).map(|n| Field::new(format!("n{n}"), DataType::UInt32).at(4 * n));
        Schema::new(fields.collect(), 4 * count, alignment).unwrap()
    };
    PodRecord::<[u32; 3]>::check_schema(&named(3, 4)).unwrap();
    PodRecord::<[u32; 3]>::check_schema(&named(3, 1)).unwrap();
    let error = PodRecord::<[u32; 3]>::check_schema(&named(4, 4)).unwrap_err();
    assert_eq!(error.kind(), flatrec::ErrorKind::SchemaMismatch);
    let expected = "record size: expected 12 bytes, found 16";
    assert!(error.to_string().contains(expected), "{error}");
    assert!(PodRecord::<()>::schema().is_err());
}

#[derive(Clone, Copy, Debug, PartialEq, Record)]
#[repr(C)]
struct Natural {
    id: u64,
    #[record(date)]
    day: i32,
    small: [i16; 2],
}

/// Finds a comparison of layouts that demands more than equal offsets and types.
#[test]
#[cfg(target_endian = "little")]
fn an_aligned_type_reads_records_of_a_packed_schema() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("packed.rec");
    let schema = Schema::packed(Natural::schema().unwrap().fields().to_vec()).unwrap();
    assert_eq!(schema.alignment(), 1);
    let mut store = DynStore::create(&path, &schema).unwrap();
    let mut record = [0; 16];
    for id in 0..3 {
        schema.fields()[0].write(&mut record, &Value::UInt(id)).unwrap();
        schema.fields()[1].write(&mut record, &Value::Date(-1)).unwrap();
        store.append(&record).unwrap();
    }
    store.close().unwrap();
    let mut store = Store::<Natural>::open(&path).unwrap();
    store.append(&Natural { id: 3, day: -1, small: [0; 2] }).unwrap();
    let expected = (0..4).map(|id| Natural { id, day: -1, small: [0; 2] });
    assert!(store.iter().map(|(_, record)| *record).eq(expected));
}

/// Finds a difference between type and file that opening does not report.
#[test]
fn every_difference_between_type_and_file_is_reported() {
    let found = Schema::packed([Field::new("inner", DataType::Int16)]).unwrap();
    let error = Wrapped::check_schema(&found).unwrap_err();
    assert_eq!(
        error.to_string(),
        "check schema: schema mismatch: inner: expected int16 big-endian at 0, found int16 at 0"
    );
    Wrapped::check_schema(&Wrapped::schema().unwrap()).unwrap();
}

/// Finds a field type that shows invalid bytes as a Rust value, or accepts an invalid value.
#[test]
fn field_types_accept_every_byte_and_show_valid_values_only() {
    assert_eq!(Bool::from(true), Bool::new(true));
    assert_ne!(Bool::new(true), Bool::default());
    assert!(bool::from(Bool::new(true)));
    assert_eq!(format!("{} {:?}", Bool::new(true), Bool::new(false)), "true false");

    let present = Nullable::some(5_u32);
    assert_eq!((present.get(), Option::from(present)), (Some(5), Some(5)));
    assert_eq!(Nullable::from(Some(5_u32)), present);
    assert_ne!(Nullable::<u32>::default(), Nullable::some(0));
    assert_eq!(format!("{present:?} {:?}", Nullable::<u8>::null()), "Some(5) None");

    let text = Utf8::<5>::new("Ærø").unwrap();
    assert_eq!((text.as_str().unwrap(), text.as_unpadded_bytes().len()), ("Ærø", 5));
    assert_eq!(text, "Ærø");
    assert_eq!("Ærø".parse::<Utf8<5>>().unwrap(), text);
    assert_eq!(format!("{text} {text:?}"), "Ærø \"Ærø\"");
    for (refused, why) in [("123456", "6 bytes, the field only 5"), ("a\0", "NUL")] {
        let error = Utf8::<5>::try_from(refused).unwrap_err();
        assert!(error.to_string().contains(why), "{error}");
    }
    let damaged: Utf8<2> = flatrec::zerocopy::transmute!([0xFF_u8, 0]);
    assert_eq!(damaged.as_str().unwrap_err().kind(), flatrec::ErrorKind::Corrupt);
    assert_eq!(damaged.to_string(), "\u{FFFD}");

    let odd: Bool = flatrec::zerocopy::transmute!(7_u8);
    assert_eq!(odd, Bool::new(true));
    let odd: Nullable<u8> = flatrec::zerocopy::transmute!([7_u8, 9]);
    assert_eq!(odd, Nullable::some(9));
}

/// Finds an error that lists all moved fields, among which the changed field is lost. One wider
/// field once made fifteen lines of two differences.
#[test]
fn an_error_sums_up_moved_fields_in_one_line_after_the_others() {
    let fields = |first: DataType| {
        let rest = ["b", "c", "d", "e"].map(|name| Field::new(name, DataType::Int32));
        [Field::new("a", first)].into_iter().chain(rest).collect::<Vec<_>>()
    };
    let expected = Schema::packed(fields(DataType::Int64)).unwrap();
    let found = Schema::packed(fields(DataType::Int32)).unwrap();
    assert_eq!(
        expected.diff(&found),
        [
            "a: expected int64 at 0, found int32 at 0",
            "record size: expected 24 bytes, found 20",
            "b: expected int32 at 8, found int32 at 4 (and 3 more fields lie elsewhere)",
        ]
    );
    assert_eq!(expected.diff(&expected), [""; 0]);
}
