//! Valid schemas, the names of types, and the differences between two schemas.

use proptest::prelude::*;

use super::*;

fn types() -> Vec<DataType> {
    let mut types: Vec<DataType> = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 \
                                    float32 float64 date32 timestamp(s) timestamp(ms) \
                                    timestamp(us) timestamp(ns) utf8(1) binary(4294967295)"
        .split(' ')
        .map(|name| name.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
        .collect();
    types.dedup();
    types
}

#[test]
fn types_have_one_name_each() {
    assert_eq!(types().len(), 18);
    for data_type in types() {
        assert_eq!(data_type.to_string().parse::<DataType>().unwrap(), data_type);
    }
}

#[test]
fn other_names_are_refused() {
    for text in [
        "",
        "Int64",
        "int",
        "int64 ",
        "utf8",
        "utf8()",
        "utf8(+1)",
        "utf8(-1)",
        "utf8(1",
        "utf8(4294967296)",
        "timestamp",
        "timestamp(m)",
        "int64(1)",
        "binary(1)(2)",
    ] {
        let error = text.parse::<DataType>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidSchema);
        assert!(error.to_string().contains("utf8(N)"), "{error}");
    }
}

#[track_caller]
fn assert_refused(schema: Result<Schema>, expected: &str) {
    let error = schema.expect_err("no schema");
    assert_eq!(error.kind(), ErrorKind::InvalidSchema);
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn a_schema_keeps_its_invariants() {
    let int = |name: &str| Field::new(name, DataType::Int32);
    assert_refused(Schema::new(vec![], 4, 4), "at least one field");
    assert_refused(Schema::new(vec![int("a")], 0, 1), "1 to 16777216 bytes");
    assert_refused(Schema::new(vec![int("a")], MAX_RECORD_BYTES + 1, 1), "1 to 16777216 bytes");
    assert_refused(Schema::new(vec![int("a")], 6, 4), "divides");
    assert_refused(Schema::new(vec![int("a")], 6, 3), "power of two");
    assert_refused(Schema::new(vec![int("a")], 8192, 8192), "up to 4096");
    assert_refused(Schema::packed([int("a"), int("a")]), "named \"a\"");
    assert_refused(Schema::new(vec![int("a")], 2, 1), "past the record's 2");
    assert_refused(Schema::new(vec![int("a"), int("b").at(3)], 8, 1), "overlaps");
    assert_refused(Schema::new(vec![int("a").at(u32::MAX)], 8, 1), "past the record's 8");
    assert_refused(Schema::packed([int("")]), "empty");
    assert_refused(Schema::packed([int("a\u{7f}")]), "control character");
    assert_refused(Schema::packed([int(&"é".repeat(513))]), "longer than 1024");
    assert_refused(Schema::packed([int("a").array(0)]), "at least one element");
    assert_refused(Schema::packed([int("a").array(u32::MAX)]), "not 4294967295");
    assert_refused(Schema::packed([Field::new("a", DataType::Utf8(0))]), "at least one byte");
    assert_refused(Schema::packed([int("a").utc()]), "only a timestamp");
}

#[test]
fn fields_are_put_in_order_and_may_leave_gaps() {
    let fields =
        vec![Field::new("b", DataType::Int8).at(9), Field::new("a", DataType::Int64).nullable()];
    let schema = Schema::new(fields, 24, 8).unwrap();
    let names: Vec<&str> = schema.fields().iter().map(Field::name).collect();
    assert_eq!(names, ["a", "b"]);
    assert_eq!(schema.field("b").map(Field::offset), Some(9));
    assert_eq!(schema.field("c"), None);
}

#[test]
fn a_difference_is_a_line() {
    let field = |name: &str, data_type| Field::new(name, data_type);
    let expected = Schema::new(
        vec![
            field("same", DataType::Int32),
            field("typed", DataType::Int32).at(4),
            field("moved", DataType::Int8).at(8),
            field("gone", DataType::Int8).at(9),
        ],
        12,
        4,
    )
    .unwrap();
    let found = Schema::new(
        vec![
            field("same", DataType::Int32),
            field("typed", DataType::UInt32).at(4),
            field("new", DataType::Utf8(2)).nullable().at(8),
            field("moved", DataType::Int8).at(11),
        ],
        14,
        2,
    )
    .unwrap();
    assert_eq!(expected.diff(&expected), [""; 0]);
    assert_eq!(
        expected.diff(&found),
        [
            "typed: expected int32 at 4, found uint32 at 4",
            "gone: expected int8 at 9, not found",
            "new: not expected, found utf8(2) nullable at 8",
            "record size: expected 12 bytes, found 14",
            "moved: expected int8 at 8, found int8 at 11",
        ]
    );
    let error = expected.check_found(&found).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("gone: expected int8 at 9, not found; new:"), "{error}");
}

#[test]
fn another_alignment_does_not_count_as_a_difference() {
    let schema = |alignment| Schema::new(vec![Field::new("a", DataType::Int64)], 8, alignment);
    let (packed, aligned) = (schema(1).unwrap(), schema(8).unwrap());
    assert!(packed.check_found(&aligned).is_ok());
    assert!(aligned.check_found(&packed).is_ok());
}

fn data_types() -> impl Strategy<Value = DataType> {
    let plain = types().into_iter().filter(|data_type| data_type.size_bytes() <= 8);
    prop_oneof![
        3 => prop::sample::select(plain.collect::<Vec<_>>()),
        1 => (1..40_u32).prop_map(DataType::Utf8),
        1 => (1..40_u32).prop_map(DataType::Binary),
    ]
}

/// A field of any kind, at offset 0.
pub(in crate::format) fn fields() -> impl Strategy<Value = Field> {
    let name = prop_oneof![4 => "[a-z]{1,6}", 2 => "[^\\p{Cc}]{1,60}", 1 => "[aé]{500,512}"];
    (name, data_types(), prop::option::weighted(0.2, 1..5_u32), any::<[bool; 3]>()).prop_map(
        |(name, data_type, array_len, [nullable, big_endian, utc])| Field {
            name,
            data_type,
            offset: 0,
            array_len,
            nullable,
            big_endian,
            utc: utc && matches!(data_type, DataType::Timestamp(_)),
        },
    )
}

/// A schema of up to eight fields, with gaps between some.
pub(in crate::format) fn schemas() -> impl Strategy<Value = Schema> {
    let placed = prop::collection::vec((fields(), 0..4_u32), 1..8);
    (placed, 0..=12_u32).prop_map(|(placed, alignment_log2)| {
        let mut offset = 0;
        let mut names = std::collections::HashSet::new();
        let mut fields = Vec::new();
        for (mut field, gap) in placed {
            while !names.insert(field.name.clone()) {
                field.name = format!("again {}", names.len());
            }
            let field = field.at(offset + gap);
            offset = field.offset() + field.size_bytes();
            fields.push(field);
        }
        let alignment = 1 << alignment_log2;
        Schema::new(fields, offset.next_multiple_of(alignment), alignment).unwrap()
    })
}
