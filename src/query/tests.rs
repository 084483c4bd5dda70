//! Cases for each sentence of the language and each error; [`random`] and [`batches`] have random
//! ones.

mod batches;
mod random;
mod tree;

use super::Filter;
use crate::error::ErrorKind;
use crate::format::{DataType, Field, Schema, TimeUnit};

/// A record of `schema` in which every nullable field is null and every byte is 0.
fn zeros(schema: &Schema) -> Vec<u8> {
    vec![0; usize::try_from(schema.record_size()).unwrap()]
}

/// Stores the little-endian bytes of a value in `record`, and marks it present.
fn put(schema: &Schema, record: &mut [u8], name: &str, little_endian: &[u8]) {
    let field = schema.field(name).unwrap();
    let mut at = usize::try_from(field.offset()).unwrap();
    if field.is_nullable() {
        record[at] = 1;
        at += 1;
    }
    let value = &mut record[at..at + little_endian.len()];
    value.copy_from_slice(little_endian);
    if field.is_big_endian() {
        value.reverse();
    }
}

fn flights() -> Schema {
    Schema::packed([
        Field::new("year", DataType::Int16),
        Field::new("delay", DataType::Int64).nullable(),
        Field::new("distance", DataType::UInt64),
        Field::new("carrier", DataType::Utf8(2)),
        Field::new("tailnum", DataType::Utf8(6)).nullable(),
        Field::new("speed", DataType::Float64).nullable(),
        Field::new("ratio", DataType::Float32),
        Field::new("day", DataType::Date32),
        Field::new("time_hour", DataType::Timestamp(TimeUnit::Second)).utc(),
        Field::new("local", DataType::Timestamp(TimeUnit::Millisecond)).nullable(),
        Field::new("late", DataType::Bool).nullable(),
        Field::new("key", DataType::Binary(2)),
        Field::new("corners", DataType::Float32).array(4),
        Field::new("dep time", DataType::UInt16).big_endian(),
        Field::new("order", DataType::UInt8),
    ])
    .unwrap()
}

/// The record of 2013-01-31, 05:00 UTC; local and late are null.
fn flight() -> Vec<u8> {
    let schema = flights();
    let mut record = zeros(&schema);
    let mut set = |name, bytes: &[u8]| put(&schema, &mut record, name, bytes);
    set("year", &2013i16.to_le_bytes());
    set("delay", &(-7i64).to_le_bytes());
    set("distance", &u64::MAX.to_le_bytes());
    set("carrier", b"UA");
    set("tailnum", "N1é".as_bytes());
    set("speed", &0.1f64.to_le_bytes());
    set("ratio", &0.1f32.to_le_bytes());
    set("day", &15_736i32.to_le_bytes());
    set("time_hour", &(15_736i64 * 86_400 + 5 * 3_600).to_le_bytes());
    set("key", &[0x00, 0xff]);
    set("dep time", &517u16.to_le_bytes());
    set("order", &200u8.to_le_bytes());
    record
}

fn matches(condition: &str) -> bool {
    let filter = Filter::parse(condition, &flights()).unwrap();
    filter.matches(&flight()).unwrap()
}

#[track_caller]
fn assert_true(conditions: &[&str]) {
    for condition in conditions {
        assert!(matches(condition), "{condition}");
        assert!(!matches(&format!("NOT ({condition})")), "NOT ({condition})");
    }
}

#[test]
fn numbers_of_all_types_compare_exactly() {
    assert_true(&[
        "year = 2013",
        "2013 = year AND year == 2013",
        "delay = -7 and delay < -6.5 and delay > -7.5 and delay <> 7",
        "delay >= - 7",
        "delay != -7.0000000000000000000000000001",
        "distance = 18446744073709551615",
        "distance < 18446744073709551616 AND distance > 18446744073709551614",
        "distance > -1 AND distance > 1.8446744073709551614e19",
        "distance < 1e400 AND delay > -1e400",
        "speed = 0.1 AND ratio = 0.1 AND ratio = 0.10",
        "speed < ratio", // 0.1 as f32 lies above 0.1 as f64
        "distance > speed AND delay < ratio AND year <> speed",
        "speed < 'inf' AND ratio > '-Infinity' AND speed <> 'INF' AND speed > -0",
        "speed < 9007199254740994 AND ratio < 1180591620717411303424 AND year > -0",
        "\"dep time\" = 517 AND \"dep time\" < distance",
        "order = 200 AND \"order\" = +200",
    ]);
}

#[test]
fn text_bools_and_bytes_compare() {
    assert_true(&[
        "carrier = 'UA' AND carrier <> 'U' AND carrier < 'UAA' AND carrier > 'U'",
        "tailnum = 'N1é' AND tailnum > 'N1z' AND carrier > tailnum",
        "carrier <> 'UA longer than the field'",
        "tailnum LIKE 'N1_' AND tailnum NOT LIKE 'N1__' AND tailnum LIKE '%é'",
        "carrier LIKE 'U%' ESCAPE '!' AND carrier NOT LIKE 'U!%' ESCAPE '!'",
        "key = X'00ff' AND key > X'00fe' AND key <> X'00'",
        "carrier IN ('AA', 'UA') AND carrier NOT IN ('AA', 'B6')",
        "year IN (1, 2013.0, 2.5) AND year NOT IN (2013.5) AND delay IN (-7)",
        "speed IN (1, 0.1) AND ratio IN (0.1)",
        "year BETWEEN 2013 AND 2013 AND year NOT BETWEEN 2014 AND 2020",
        "year BETWEEN delay AND distance",
        "NOT year = 2012 AND NOT (year = 2012 OR FALSE)",
    ]);
}

#[test]
fn dates_and_timestamps_compare_as_instants() {
    assert_true(&[
        "day = '2013-01-31' AND day = DATE '2013-01-31' AND day < '2013-02-01'",
        "time_hour = '2013-01-31T05:00:00Z' AND time_hour = '2013-01-31 05:00'",
        "time_hour = TIMESTAMP '2013-01-31 05:00:00' AND time_hour >= '2013-01-31'",
        "time_hour > TIMESTAMP '2013-01-31 04:59:59.999999999'",
        "time_hour BETWEEN DATE '2013-01-31' AND '2013-02-01'",
        "day < time_hour AND time_hour > day",
        "time_hour = '2013-01-31T06:30:00+01:30' AND time_hour = '2013-01-31 05:00Z'",
        "time_hour < '2013-01-31T04:00:00.5-01:00' AND time_hour > '2013-01-31T04:59:59.5Z'",
        "day > '-009999-01-01' AND day < '+010000-01-01'",
        "time_hour > '-200000-01-01 00:00' AND time_hour < '+200000-01-01T00:00:00.000000001Z'",
    ]);
}

#[test]
fn logic_has_three_values() {
    assert_true(&[
        "local IS NULL AND late IS NULL AND delay IS NOT NULL AND year IS NOT NULL",
        "corners IS NOT NULL",
        "(local > '2013-01-01') IS UNKNOWN AND late IS NOT TRUE AND late IS NOT FALSE",
        "(year = 2013) IS TRUE AND (year = 2012) IS FALSE AND (year = 2012) IS NOT UNKNOWN",
        "late OR year = 2013",
        "(late AND year = 2012) IS FALSE",
    ]);
    for unknown in [
        "late",
        "late = TRUE",
        "late <> TRUE",
        "local > time_hour",
        "local = local",
        "local IN ('2013-01-01')",
        "local BETWEEN '2013-01-01' AND '2014-01-01'",
        "late AND year = 2013",
        "late OR year = 2012",
    ] {
        assert!(!matches(unknown), "{unknown}");
        assert!(!matches(&format!("NOT ({unknown})")), "NOT ({unknown})");
    }
}

#[test]
fn nan_is_unequal_to_everything_and_zero_has_no_sign() {
    let schema = Schema::packed([Field::new("x", DataType::Float64)]).unwrap();
    let test = |condition: &str, value: f64| {
        Filter::parse(condition, &schema).unwrap().matches(&value.to_le_bytes()).unwrap()
    };
    for condition in ["x <> x", "x <> 1", "NOT x < 1", "x NOT IN (1)"] {
        assert!(test(condition, f64::NAN), "{condition}");
    }
    for condition in ["x = x", "x < 1", "x >= 1", "x IN (1)"] {
        assert!(!test(condition, f64::NAN), "{condition}");
    }
    assert!(test("x IN (0) AND x = 0", -0.0) && test("x IN (-0.0) AND x = -0", 0.0));
    assert!(test("x > 1e308", f64::INFINITY));
}

/// The error of reading `condition`.
fn error(condition: &str) -> (ErrorKind, String) {
    let error = Filter::parse(condition, &flights()).unwrap_err();
    let text = error.to_string();
    let text = text.strip_prefix("read the condition: ").expect("the operation comes first");
    (error.kind(), text.to_owned())
}

#[track_caller]
fn assert_invalid(cases: &[(&str, &str)]) {
    for (condition, expected) in cases {
        let (kind, text) = error(condition);
        assert_eq!(kind, ErrorKind::InvalidArgument, "{condition}: {text}");
        assert_eq!(text.strip_prefix("invalid argument: ").unwrap(), *expected, "{condition}");
    }
}

#[test]
fn unknown_fields_are_named_and_the_nearest_suggested() {
    assert_invalid(&[
        ("dealy > 5", "no field \"dealy\" (did you mean \"delay\"?)"),
        ("year > 5 AND Year < 7", "no field \"Year\" (did you mean \"year\"?)"),
        (
            "something = 5",
            "no field \"something\" (the fields are year, delay, distance, carrier, tailnum, \
             speed, ratio, day, time_hour, local, late, key and 3 more)",
        ),
        (
            "carrier = \"UA\"",
            "no field \"UA\" (double quotes are for field names; put text in single \
             quotes)",
        ),
        (
            "flights.year = 5",
            "flights.year contains a dot (a field has one name; if the dot is part of it, put the \
             name in double quotes)",
        ),
    ]);
}

#[test]
fn clashes_of_type_are_refused() {
    assert_invalid(&[
        ("delay = 'late'", "the int64 field \"delay\" cannot be compared with the text 'late'"),
        (
            "delay = '5'",
            "the int64 field \"delay\" cannot be compared with the text '5' (to compare numbers, \
             write 5)",
        ),
        (
            "5 < carrier",
            "the utf8(2) field \"carrier\" cannot be compared with the number 5 (the field is \
             text: load it as numbers, with its words for null; text in single quotes compares \
             letter by letter, so that '1000' is less than '400')",
        ),
        (
            "day > 20130131",
            "the date32 field \"day\" cannot be compared with the number 20130131 (write a \
             date as '2013-01-31', a timestamp as '2013-01-31 05:00:00')",
        ),
        (
            "late = 1",
            "the bool field \"late\" cannot be compared with the number 1 (compare a bool with \
             TRUE or FALSE)",
        ),
        (
            "key = 'a'",
            "the binary(2) field \"key\" cannot be compared with the text 'a' \
             (write bytes as X'00ff')",
        ),
        (
            "carrier = DATE '2013-01-31'",
            "the utf8(2) field \"carrier\" cannot be compared with the date '2013-01-31'",
        ),
        (
            "year = carrier",
            "the int16 field \"year\" cannot be compared with the utf8(2) field \"carrier\"",
        ),
        (
            "corners = 1",
            "the array \"corners\" of 4 float32 has no single value (an array allows only \
             IS NULL)",
        ),
        ("year", "the int16 field \"year\" is not a condition by itself (compare it with a value)"),
        ("year LIKE '2%'", "the int16 field \"year\" is not text, and LIKE needs text"),
        (
            "5 = 5",
            "the number 5 is compared with the number 5 (one side of a comparison must be a field)",
        ),
        ("delay = NULL", "a comparison with NULL is never true (write IS NULL or IS NOT NULL)"),
        ("5", "the number 5 is not a condition"),
        (
            "year < delay < 5",
            "a comparison cannot be compared (write a < b AND b < c, or (a = b) IS TRUE)",
        ),
        (
            "carrier IN (UA)",
            "no field \"UA\" (the fields are year, delay, distance, carrier, tailnum, speed, \
             ratio, day, time_hour, local, late, key and 3 more)",
        ),
        (
            "carrier IN (tailnum)",
            "the utf8(6) field \"tailnum\" is in the list of an IN (IN takes values; put text in \
             single quotes)",
        ),
    ]);
}

#[test]
fn impossible_literals_are_invalid_values() {
    for (condition, expected) in [
        ("day = '2013-02-30'", "the text '2013-02-30' compared with the date32 field \"day\": "),
        (
            "day = '2013-01-31 05:00'",
            "the text '2013-01-31 05:00' compared with the date32 field \"day\": a date has no \
             time of day (write only the date, as in '2013-01-31')",
        ),
        (
            "time_hour = 'noon'",
            "the text 'noon' compared with the timestamp(s) field \"time_hour\": ",
        ),
        (
            "local = '2013-01-31T05:00:00Z'",
            "the text '2013-01-31T05:00:00Z' compared with the timestamp(ms) field \"local\": the \
             field has no zone, so the value cannot have one",
        ),
        (
            "ratio < 1e39",
            "the number 1e39 compared with the float32 field \"ratio\": it is too large for \
             float32",
        ),
        (
            "ratio < 16777217",
            "the number 16777217 compared with the float32 field \"ratio\": it would be stored as \
             16777216.0, the nearest float32 (write the number that it is to be compared with)",
        ),
        (
            "speed = 9007199254740993",
            "the number 9007199254740993 compared with the float64 field \"speed\": it would be \
             stored as 9007199254740992.0, the nearest float64",
        ),
        (
            "year = 02013",
            "the number 02013 compared with the int16 field \"year\": it would be stored as 2013, \
             without its leading zeros",
        ),
        (
            "key = X'0'",
            "the bytes X'0' compared with the binary(2) field \"key\": bytes need pairs of the \
             digits 0 to 9, a to f",
        ),
    ] {
        let (kind, text) = error(condition);
        assert_eq!(kind, ErrorKind::InvalidValue, "{condition}: {text}");
        let text = text.strip_prefix("invalid value: ").unwrap();
        assert!(text.starts_with(expected), "{condition}: {text}");
    }
}

#[test]
fn sql_outside_the_language_is_refused_by_name() {
    for (condition, named) in [
        ("year + 1 = 2014", "the operator + is not part"),
        ("year & 1 = 1", "the operator & is not part"),
        ("year || carrier = 'x'", "the operator || is not part"),
        ("lower(carrier) = 'ua'", "the function lower is not part"),
        ("CASE WHEN late THEN 1 END = 1", "CASE"),
        ("CAST(year AS text) = 'x'", "casts"),
        ("year::text = 'x'", "casts"),
        ("year IN (SELECT 1)", "subqueries"),
        ("EXISTS (SELECT 1)", "subqueries"),
        ("carrier ILIKE 'u%'", "pattern matching other than LIKE"),
        ("corners[1] = 5", "elements of arrays"),
        ("year = $1", "parameters such as $1"),
        ("year = - (5 + 5)", "a sign needs a number"),
        ("year IS DISTINCT FROM 5", "IS DISTINCT FROM is not"),
        ("(year = 5) > 5", "a comparison cannot be compared"),
        ("(NOT late) > 5", "a condition is used as"),
        ("carrier LIKE tailnum", "a pattern in single quotes"),
        ("carrier LIKE 'a!' ESCAPE '!'", "the escape '!'"),
        ("carrier LIKE 'a' ESCAPE '!!'", "one character, not '!!'"),
        ("carrier = N'UA'", "N'UA' is not a literal"),
        ("day = INTERVAL '1' DAY", "INTERVAL"),
    ] {
        let (kind, text) = error(condition);
        assert_eq!(kind, ErrorKind::InvalidArgument, "{condition}: {text}");
        assert!(text.contains(named), "{condition}: {text}");
    }
}

#[test]
fn bad_syntax_says_where() {
    assert_invalid(&[
        ("", "the condition is empty (for example: delay > 60)"),
        (" -- nothing", "the condition is empty (for example: delay > 60)"),
        ("year = 5 5", "unexpected `5` at column 10"),
        ("year = 5;\n DROP", "unexpected `;` at column 9"),
        ("carrier = 'UA", "the text in single quotes at column 11 does not end"),
    ]);
    for condition in
        ["year =", "(year = 5", "year = 5 AND", "NOT (", "year IN ()", "year BETWEEN 1"]
    {
        let (kind, text) = error(condition);
        assert_eq!(kind, ErrorKind::InvalidArgument, "{condition}: {text}");
        assert!(text.contains("expected"), "{condition}: {text}");
    }
}

/// Text that could overflow a stack or take exponential time, read on a stack of 256 KiB.
#[test]
fn hostile_text_is_refused_within_bounds() {
    let hostile = [
        ("year + ", "year", ""),
        ("- ", "1 = year", ""),
        ("(", "year", ")"),
        ("(", "late", " = 1)"),
        ("NOT ", "late", "x"),
        ("NOT (", "late", ")x"),
        ("", "late", " IS TRUE = 1"),
        ("", "late", " IS NULL IS TRUE"),
        ("f(", "late", ")"),
        ("CASE WHEN late THEN ", "1", " END"),
        ("CAST(", "late", " AS text)"),
        ("EXISTS (SELECT ", "late", ")"),
        ("year IN ((", "1", "))"),
        ("year BETWEEN (", "1", ") AND 1"),
        ("late[", "1", "]"),
        ("late.", "late", ""),
        ("{", "", ""),
        ("[", "", ""),
        ("array<", "", ""),
        ("-(", "1", ")"),
        ("year = -(1 + ", "1", ")"),
        ("year = 'x", "", ""),
        ("year = 1 OR (", "late", " = 1)"),
        ("IF(", "late", ""),
        ("case(", "late", ""),
    ];
    let read = move || {
        let schema = flights();
        for (open, middle, close) in hostile {
            for count in [30, 100, 3_000, 20_000] {
                let text = [&open.repeat(count), middle, &close.repeat(count)].concat();
                let text = text.as_str();
                let error = Filter::parse(text, &schema).expect_err(&text[..text.len().min(60)]);
                assert!(error.to_string().len() < 400, "{error}");
            }
        }
    };
    let small_stack = std::thread::Builder::new().stack_size(256 << 10);
    small_stack.spawn(read).unwrap().join().unwrap();
}

#[test]
fn long_conditions_within_the_bounds_are_read() {
    let read = || {
        let schema = flights();
        for (part, last) in [("year = 1 OR ", "year = 2013"), ("late IS NULL AND ", "TRUE")] {
            let filter = Filter::parse(&(part.repeat(2_400) + last), &schema).unwrap();
            assert!(filter.matches(&flight()).unwrap(), "{part}");
            assert!(filter.clone().matches(&flight()).unwrap(), "{part}");
        }
        let nested = "(NOT ".repeat(15) + "late" + &")".repeat(15);
        assert!(!Filter::parse(&nested, &schema).unwrap().matches(&flight()).unwrap());
    };
    let small_stack = std::thread::Builder::new().stack_size(256 << 10);
    small_stack.spawn(read).unwrap().join().unwrap();
    let (_, text) = error(&"year = 1 OR ".repeat(4_000));
    assert!(
        text.contains("the condition has 12000 words and operators; the limit is 10000"),
        "{text}"
    );
    let (_, text) = error(&("(".repeat(50) + "late" + &")".repeat(50)));
    assert!(text.contains("the condition is nested more than 40 levels deep"), "{text}");
}

#[test]
fn a_long_list_is_accepted() {
    let list: Vec<String> = (0..50_000).map(|i| format!("{}", i * 2)).collect();
    let condition = format!("delay IN ({})", list.join(", "));
    let schema = Schema::packed([Field::new("delay", DataType::Int32)]).unwrap();
    let filter = Filter::parse(&condition, &schema).unwrap();
    let found = (0..100_000i32).filter(|i| filter.matches(&i.to_le_bytes()).unwrap()).count();
    assert_eq!(found, 50_000);
}

#[test]
fn a_record_of_another_length_is_an_error() {
    let filter = Filter::parse("year = 2013", &flights()).unwrap();
    let error = filter.matches(&flight()[1..]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("not 84"), "{error}");
}

#[test]
fn damage_is_an_error_and_no_mismatch() {
    let schema = Schema::packed([
        Field::new("id", DataType::UInt8),
        Field::new("flag", DataType::Bool),
        Field::new("delay", DataType::Int8).nullable(),
        Field::new("late", DataType::Bool).nullable(),
        Field::new("corners", DataType::UInt8).array(2).nullable(),
    ])
    .unwrap();
    let matches =
        |condition: &str, record: &[u8]| Filter::parse(condition, &schema).unwrap().matches(record);
    let sound = [7, 1, 1, 5, 1, 0, 0, 0, 0];
    for (at, field, why, conditions) in [
        (
            1,
            "flag (bool)",
            "its bool byte is [2]",
            &["flag", "NOT flag", "flag = TRUE", "flag <> late"][..],
        ),
        (
            2,
            "delay (int8)",
            "its presence byte is 2",
            &["delay = 5", "delay IS NULL", "delay < id"],
        ),
        (2, "delay (int8)", "its presence byte is 2", &["delay IN (5)", "(id = delay) IS UNKNOWN"]),
        (
            4,
            "late (bool)",
            "its presence byte is 2",
            &["late IS NOT NULL", "NOT (late AND id = 7)"],
        ),
        (5, "late (bool)", "its bool byte is [2]", &["late", "late = flag", "id = 0 OR late"]),
        (6, "corners (uint8)", "its presence byte is 2", &["corners IS NULL"]),
    ] {
        let mut damaged = sound;
        damaged[at] = 2;
        for condition in conditions {
            matches(condition, &sound).unwrap();
            let error = matches(condition, &damaged).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{condition}");
            assert!(error.to_string().contains(&format!("field {field}: {why}")), "{error}");
        }
        // Conditions on other fields still work.
        assert!(matches("id = 7", &damaged).unwrap());
    }
}

/// Finds an error in the words of the parser's own grammar, or one that names a `NOT` instead of
/// the depth.
#[test]
fn faults_of_syntax_are_said_in_plain_words() {
    let schema = Schema::packed([Field::new("a", DataType::Int64)]).unwrap();
    for (text, why) in [
        ("a = 1 AND", "the condition ends where an expression is expected"),
        ("a BETWEEN 1", "the condition ends where AND is expected"),
        ("(a = 1", "the condition ends where ) is expected"),
        ("= 5", "unexpected `=` at column 1: an expression is expected"),
        ("a = 1 AND\n= 5", "unexpected `=` at line 2, column 1: an expression is expected"),
        ("a IS", "the condition ends where NULL, TRUE, FALSE or UNKNOWN after IS is expected"),
        ("a = 'x", "the text in single quotes at column 5 does not end"),
        ("a = \"x", "the name in double quotes at column 5 does not end"),
        ("a = /* x", "a comment does not end"),
        ("a = 1 NOT a", "unexpected `NOT` at column 7"),
    ] {
        let error = Filter::parse(text, &schema).unwrap_err().to_string();
        assert!(error.contains(why), "{text}: {error}");
    }
    let nots = |count: usize| format!("{}a = 1", "NOT ".repeat(count));
    assert!(Filter::parse(&nots(30), &schema).is_ok());
    for count in 31..100 {
        if let Err(error) = Filter::parse(&nots(count), &schema) {
            assert!(error.to_string().contains("nested more than 40 levels"), "{count}: {error}");
            assert!(count > 36, "{count} are not too many");
        }
    }
}
