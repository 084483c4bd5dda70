//! Valid schemas, the names of types, and the differences between two schemas.

use proptest::prelude::*;

use super::*;
use crate::format::annotations::Unknown;
use crate::format::{DisplayHint, Group, TimeUnit, Variant};

fn types() -> Vec<DataType> {
    let mut types: Vec<DataType> = "bool int8 int16 int32 int64 uint8 uint16 uint32 uint64 \
                                    int128 uint128 duration(s) duration(ms) duration(us) \
                                    duration(ns) float32 float64 date32 timestamp(s) timestamp(ms) \
                                    timestamp(us) timestamp(ns) utf8(1) binary(4294967295)"
        .split(' ')
        .map(|name| name.parse().unwrap_or_else(|error| panic!("{name}: {error}")))
        .collect();
    types.dedup();
    types
}

#[test]
fn types_have_one_name_each() {
    assert_eq!(types().len(), 24);
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
    let plain = types().into_iter().filter(|data_type| data_type.size_bytes() <= 16);
    prop_oneof![
        3 => prop::sample::select(plain.collect::<Vec<_>>()),
        1 => (1..40_u32).prop_map(DataType::Utf8),
        1 => (1..40_u32).prop_map(DataType::Binary),
    ]
}

/// A field of any kind, at offset 0.
pub(in crate::format) fn fields() -> impl Strategy<Value = Field> {
    let name = prop_oneof![4 => "[a-z]{1,6}", 2 => "[^\\p{Cc}]{1,60}", 1 => "[aé]{500,512}"];
    let array_len = prop::option::weighted(0.2, 1..5_u32);
    let plain = (name, data_types(), array_len, any::<[bool; 3]>()).prop_map(
        |(name, data_type, array_len, [nullable, big_endian, utc])| Field {
            name,
            data_type,
            offset: 0,
            array_len,
            nullable,
            big_endian,
            utc: utc && matches!(data_type, DataType::Timestamp(_)),
            annotations: None,
        },
    );
    let choices = prop::option::weighted(0.4, any::<[u8; 8]>());
    (plain, choices).prop_map(|(field, choices)| match choices {
        Some(choices) => annotated(field, choices),
        None => field,
    })
}

/// The field with some of the annotations that its type can have.
fn annotated(mut field: Field, choices: [u8; 8]) -> Field {
    let chosen = choices.map(|choice| choice % 2 == 0);
    if let Some((least, greatest)) = field.data_type.integer_range().filter(|_| chosen[0]) {
        let values = [least, i128::from(choices[0] / 3), greatest];
        let mut values: Vec<i128> = values.into_iter().filter(|it| *it <= greatest).collect();
        values.sort_unstable();
        values.dedup();
        field = field
            .with_variants(values.into_iter().map(|it| Variant::new(it, format!("name {it}"))));
        if least < 0 {
            field = field.with_scale(i32::from(choices[1] % 77) - 38);
        }
    }
    if chosen[2] {
        field = field.with_shape([u32::from(choices[2] % 3) + 1, 2]);
    }
    field = match (field.data_type, chosen[3]) {
        (DataType::UInt32, true) => field.with_display(DisplayHint::Char),
        (DataType::UInt64 | DataType::UInt128 | DataType::Binary(_), true) => {
            field.with_display(DisplayHint::Hex)
        }
        (DataType::Timestamp(_), true) => field.with_epoch(TimeUnit::Millisecond),
        _ => field,
    };
    if chosen[4] {
        field = field.with_null_words(["NA", "", "ä"]);
    }
    if chosen[5] {
        let content = choices[..usize::from(choices[5] % 8)].to_vec();
        let kind = 100 + u16::from(choices[5] / 2 * 2);
        field.annotate(|annotations| annotations.unknown.push(Unknown { kind, content }));
    }
    field
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
        let groups = if fields.len() > 3 { nested(&mut fields[..3]) } else { Vec::new() };
        let words = fields[0].null_words().to_vec();
        Schema::new(fields, offset.next_multiple_of(alignment), alignment)
            .and_then(|schema| schema.with_groups(groups))
            .and_then(|schema| schema.with_null_words(words))
            .unwrap()
    })
}

/// Makes the first three fields one nested record, the last two of which are an array of such.
fn nested(fields: &mut [Field]) -> Vec<Group> {
    for (field, name) in fields.iter_mut().zip(["g.x", "g.y[0].z", "g.y[1].z"]) {
        field.name = name.to_owned();
    }
    vec![Group::new("g", 0..3), Group::new("g.y", 1..3).array(2)]
}

#[test]
fn annotations_that_do_not_fit_are_refused() {
    let field = |data_type| Field::new("a", data_type);
    let one = |field: Field| Schema::packed([field]);
    let byte = || field(DataType::UInt8);
    let variants = |variants: &[(i128, &str)]| {
        one(byte().with_variants(variants.iter().map(|&(value, name)| Variant::new(value, name))))
    };
    assert_refused(variants(&[(256, "A")]), "A = 256 does not fit in uint8");
    assert_refused(variants(&[(-1, "A")]), "A = -1 does not fit in uint8");
    assert_refused(variants(&[(1, "A"), (1, "B")]), "the value 1");
    assert_refused(variants(&[(1, "A"), (2, "A")]), "two variants are named \"A\"");
    assert_refused(variants(&[(1, "")]), "needs a name");
    assert_refused(variants(&[(1, "2")]), "\"2\", which is a number");
    assert_refused(variants(&[(1, &"n".repeat(65_536))]), "65535 fit");
    let float = field(DataType::Float64).with_variants([Variant::new(1, "A")]);
    assert_refused(one(float), "float64 cannot have variants");
    assert_refused(one(byte().with_shape([2, 0])), "an array needs at least one element");
    assert_refused(one(byte().with_shape([2, 2]).array(5)), "[2, 2] do not make 5 elements");
    assert_refused(one(byte().with_display(DisplayHint::Uuid)), "uint8 cannot be shown as uuid");
    assert_refused(one(byte().with_scale(2)), "only a signed integer");
    assert_refused(one(field(DataType::Int64).with_scale(39)), "at most 38 digits, not 39");
    assert_refused(one(byte().with_epoch(TimeUnit::Second)), "only a timestamp");
    assert_refused(one(byte().with_null_words(["n".repeat(65_536)])), "65535 fit");
}

#[test]
fn groups_that_do_not_fit_are_refused() {
    let names = ["p.x", "p.y", "q[0].a", "q[1].a", "r"];
    let schema = || Schema::packed(names.map(|name| Field::new(name, DataType::Int8))).unwrap();
    let groups = |groups: &[Group]| schema().with_groups(groups.to_vec());
    let (p, q) = (Group::new("p", 0..2), Group::new("q", 2..4).array(2));
    assert_eq!(groups(&[p.clone(), q.clone()]).unwrap().groups().len(), 2);
    assert_refused(groups(&[q, p.clone()]), "from the first to the last");
    assert_refused(groups(&[Group::new("p", 0..0)]), "at least one field");
    assert_refused(groups(&[Group::new("r", 4..6)]), "at least one field");
    assert_refused(groups(&[Group::new("p", 0..3)]), "\"q[0].a\" does not begin with p.");
    assert_refused(groups(&[Group::new("q", 2..4).array(3)]), "2 fields are not 3 equal records");
    assert_refused(groups(&[Group::new("q", 2..4)]), "does not begin with q.");
    assert_refused(groups(&[p.clone(), Group::new("p", 1..3)]), "partly in another group");
    assert_refused(groups(&[p.clone(), p]), "a group within another has a longer name");
}

#[test]
fn contradicting_variants_are_a_difference() {
    let schema = |variants: &[(u8, &str)]| {
        let variants = variants.iter().map(|&(value, name)| Variant::new(value, name));
        Schema::packed([Field::new("side", DataType::UInt8).with_variants(variants)]).unwrap()
    };
    let expected = schema(&[(1, "Buy"), (2, "Sell")]);
    for agreeing in [&[][..], &[(1, "Buy")], &[(1, "Buy"), (2, "Sell"), (3, "Short")]] {
        assert_eq!(expected.diff(&schema(agreeing)), [""; 0]);
        assert_eq!(schema(agreeing).diff(&expected), [""; 0]);
    }
    for (other, line) in [
        (&[(1, "Sell")][..], "side: expected the variant Buy = 1, found Sell = 1"),
        (&[(3, "Sell")], "side: expected the variant Sell = 2, found Sell = 3"),
    ] {
        assert_eq!(expected.diff(&schema(other)), [line]);
    }
}
