//! The forms of text. Round trips of random values are in tests/longer/format_properties.rs.

use super::*;
use crate::error::ErrorKind;
use crate::format::{DisplayHint, Variant};

fn parse(field: &Field, text: &str) -> Result<Vec<u8>> {
    let mut record = vec![0xEE; usize::try_from(field.offset() + field.size_bytes()).unwrap()];
    field.parse_text(text, &mut record).map(|()| record)
}

fn format(field: &Field, record: &[u8]) -> String {
    let mut text = String::new();
    field.format_text(record, &mut text).unwrap();
    text
}

/// Parses each text and formats the result.
#[track_caller]
fn assert_texts(field: &Field, pairs: &[(&str, &str)]) {
    for (text, expected) in pairs {
        let record = parse(field, text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(format(field, &record), *expected, "{text}");
    }
}

#[track_caller]
fn assert_refused(field: &Field, text: &str, expected: &str) {
    let error = parse(field, text).expect_err(text);
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert!(error.to_string().contains(expected), "{error}");
}

#[test]
fn bools() {
    let field = Field::new("b", DataType::Bool);
    assert_texts(&field, &[("true", "true"), ("True", "true"), ("TRUE", "true")]);
    assert_texts(&field, &[("false", "false"), ("False", "false"), ("FALSE", "false")]);
    assert_texts(&field, &[("T", "true"), ("t", "true"), ("Y", "true"), ("1", "true")]);
    assert_texts(&field, &[("F", "false"), ("f", "false"), ("n", "false"), ("0", "false")]);
    for text in ["", "2", "01", "yes", "tRUE", " true"] {
        assert_refused(&field, text, "not a bool (true or false)");
    }
}

#[test]
fn integers() {
    let field = Field::new("n", DataType::Int8);
    assert_texts(&field, &[("-128", "-128"), ("7", "7"), ("0", "0")]);
    assert_refused(&field, "+7", "it would be stored as 7, without its sign");
    assert_refused(&field, "007", "it would be stored as 7, without its leading zeros");
    assert_refused(
        &field,
        "128",
        "parse: invalid value: field n (int8): \"128\": number too large",
    );
    assert_refused(&field, "-129", "too small");
    for text in ["", "1.0", "1e3", "0x1", " 1", "1_000", "-"] {
        assert!(parse(&field, text).is_err(), "{text}");
    }
    let widest = Field::new("n", DataType::UInt64).big_endian();
    assert_eq!(parse(&widest, "258").unwrap(), [0, 0, 0, 0, 0, 0, 1, 2]);
    assert_texts(&widest, &[("18446744073709551615", "18446744073709551615")]);
    assert_refused(&widest, "-1", "invalid digit");
}

#[test]
fn floats_are_the_shortest_text() {
    let wide = Field::new("f", DataType::Float64);
    assert_texts(
        &wide,
        &[
            ("0.1", "0.1"),
            ("0.10000000000000001", "0.1"),
            ("1", "1.0"),
            ("-0", "-0.0"),
            ("1e300", "1e300"),
            ("100000000000000000", "1e17"),
            ("1e-5", "1e-5"),
            ("NaN", "NaN"),
            ("inf", "inf"),
            ("-Infinity", "-inf"),
            ("5e-324", "5e-324"),
        ],
    );
    assert_refused(&wide, "1e309", "too large");
    assert_refused(&wide, "", "not a number");
    assert_refused(&wide, "1,5", "not a number");
    let narrow = Field::new("f", DataType::Float32);
    assert_texts(&narrow, &[("0.1", "0.1"), ("16777216", "16777216.0"), ("nan", "NaN")]);
    assert_refused(&narrow, "1e39", "too large");
}

#[test]
fn dates_and_times() {
    let date = Field::new("d", DataType::Date32);
    assert_texts(&date, &[("2013-01-31", "2013-01-31"), ("0000-02-29", "0000-02-29")]);
    assert_refused(&date, "2013-02-29", "not a date like 2013-01-31");
    assert_refused(&date, "2013-01-31T00:00:00", "not a date");
    let time = Field::new("t", DataType::Timestamp(TimeUnit::Second));
    assert_texts(&time, &[("2013-01-31 05:00:00", "2013-01-31T05:00:00")]);
    assert_texts(&time, &[("2013-01-31", "2013-01-31T00:00:00")]);
    assert_refused(&time, "2013-01-32", "not a time like 2013-01-31T05:00:00");
    assert_refused(&time, "2013-01-31T05:00:00Z", "without a zone");
    assert_refused(&time.clone().utc(), "2013-01-31T05:00:00", "neither Z nor an offset");
    assert_texts(&time.utc(), &[("2013-01-31T05:00:00+05:00", "2013-01-31T00:00:00Z")]);
}

#[test]
fn text_is_taken_unchanged() {
    let field = Field::new("s", DataType::Utf8(5)).nullable();
    assert_texts(&field, &[("", ""), ("a,\"b", "a,\"b"), ("Ærø", "Ærø"), (" x ", " x ")]);
    assert_eq!(parse(&field, "").unwrap(), [1, 0, 0, 0, 0, 0]);
    assert_eq!(format(&field, &[0; 6]), "");
    assert_refused(&field, "123456", "\"123456\": the text has 6 bytes, the field only 5");
    assert_refused(&field, "a\0", "ends in NUL");
    let long = "é".repeat(50);
    let error = parse(&field, &long).unwrap_err().to_string();
    assert!(error.contains(&format!("\"{}…\"", "é".repeat(40))), "{error}");
}

#[test]
fn bytes_are_hexadecimal() {
    let field = Field::new("b", DataType::Binary(3));
    assert_texts(&field, &[("00fFa9", "00ffa9")]);
    assert_eq!(parse(&field, "00fFa9").unwrap(), [0, 0xFF, 0xA9]);
    assert_refused(&field, "00ff", "expected 6 hexadecimal digits");
    assert_refused(&field, "00ffg0", "not a row of hexadecimal digits");
    assert_refused(&field, "+0ffé", "not a row of hexadecimal digits");
}

#[test]
fn arrays_are_like_json() {
    let numbers = Field::new("a", DataType::Int16).array(3);
    assert_texts(&numbers, &[("[1,-2,3]", "[1,-2,3]"), (" [ 1 ,\t2 , \"3\" ] ", "[1,2,3]")]);
    for (text, expected) in [
        ("1,2,3", "expected an array like [1,2,3]"),
        ("[1,2,3", "expected an array"),
        ("[1,2]", "expected 3 elements"),
        ("[1,2,3,4]", "expected 3 elements"),
        ("[1,2,3,]", "expected 3 elements"),
        ("[]", "element 0: \"\": cannot parse"),
        ("[1,2,x]", "element 2: \"x\": invalid digit"),
        ("[1,2,\"3]", "elements of the field's type"),
        ("[1,2,\"3\"4]", "expected 3 elements"),
    ] {
        assert_refused(&numbers, text, expected);
    }
    let floats = Field::new("a", DataType::Float32).array(2).nullable();
    assert_texts(&floats, &[("[NaN,1]", "[NaN,1.0]")]);
    assert_eq!(format(&floats, &[0; 9]), "");
    let single = Field::new("a", DataType::Bool).array(1);
    assert_texts(&single, &[("[true]", "[true]")]);
    let times = Field::new("a", DataType::Date32).array(2);
    assert_texts(&times, &[(r#"["2013-01-31","1969-12-31"]"#, r#"["2013-01-31","1969-12-31"]"#)]);
    assert_refused(&times, "[2013-01-31,1969-12-31]", "elements of the field's type");
}

#[test]
fn strings_in_arrays_are_json_strings() {
    let field = Field::new("a", DataType::Utf8(8)).array(2);
    assert_texts(
        &field,
        &[
            (r#"["a","b"]"#, r#"["a","b"]"#),
            (r#"["a,b]","\"\\\/"]"#, r#"["a,b]","\"\\/"]"#),
            (r#"["\b\f\n\r\t","\u0041\u00e9"]"#, r#"["\u0008\u000c\n\r\t","Aé"]"#),
            (r#"["\ud83d\ude00","😀"]"#, r#"["😀","😀"]"#),
        ],
    );
    for text in [
        r#"["a",b]"#,
        r#"["a"]"#,
        r#"["a","b\"]"#,
        r#"["a","\x"]"#,
        r#"["a","\u12"]"#,
        r#"["a","\ud83d"]"#,
        r#"["a","\ud83d\u0041"]"#,
        r#"["a","\ude00"]"#,
        r#"["a" "b"]"#,
    ] {
        assert!(parse(&field, text).is_err(), "{text}");
    }
}

#[test]
fn damage_and_short_records_are_errors() {
    let mut text = String::from("kept");
    let bools = Field::new("b", DataType::Bool).array(2);
    assert_eq!(bools.format_text(&[1, 9], &mut text).unwrap_err().kind(), ErrorKind::Corrupt);
    let field = Field::new("n", DataType::Int32);
    assert_eq!(field.format_text(&[1], &mut text).unwrap_err().kind(), ErrorKind::OutOfRange);
    assert_eq!(field.parse_text("1", &mut [0]).unwrap_err().kind(), ErrorKind::OutOfRange);
    assert_eq!(text, "kept");
}

#[test]
fn variants_are_written_as_names_and_other_values_as_numbers() {
    let side = Field::new("side", DataType::Int16)
        .with_variants([Variant::new(-1, "Sell"), Variant::new(300, "Buy")]);
    for field in [side.clone(), side.clone().big_endian()] {
        assert_texts(&field, &[("Sell", "Sell"), ("-1", "Sell"), ("300", "Buy"), ("7", "7")]);
        assert_eq!(field.read(&parse(&field, "Buy").unwrap()).unwrap(), Value::Int(300));
        assert_refused(&field, "buy", "neither a variant (Sell, Buy) nor a number");
    }
    let sides = side.array(2).nullable();
    assert_texts(&sides, &[(r#"["Sell",5]"#, r#"["Sell",5]"#)]);
}

#[test]
fn forms_of_display_go_both_ways() {
    let field = |data_type, display| Field::new("a", data_type).with_display(display);
    let uuid = field(DataType::Binary(16), DisplayHint::Uuid);
    let text = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    let plain = text.replace('-', "");
    assert_texts(&uuid, &[(text, text), (&plain, text), (&text.to_uppercase(), text)]);
    for bad in ["67e55044-10b1-426f-9247-bb680e5fe0c", "67e5504-410b1-426f-9247-bb680e5fe0c8", ""] {
        assert_refused(&uuid, bad, "is not a UUID");
    }
    assert_refused(&uuid, &format!("{text}-"), "is not a UUID");
    let address = field(DataType::Binary(4), DisplayHint::Ipv4);
    assert_texts(&address, &[("192.0.2.1", "192.0.2.1")]);
    assert_refused(&address, "192.0.2", "is not a IPv4 address");
    let address = field(DataType::Binary(16), DisplayHint::Ipv6);
    assert_texts(&address, &[("2001:DB8::1", "2001:db8::1")]);
    let letter = field(DataType::UInt32, DisplayHint::Char);
    for letter in [letter.clone(), letter.big_endian()] {
        assert_texts(&letter, &[("ä", "ä"), ("5", "5"), ("U+D800", "U+D800"), ("U+41", "A")]);
        assert_refused(&letter, "ab", "single character");
    }
    let hex = field(DataType::UInt16, DisplayHint::Hex);
    assert_texts(&hex, &[("0x1F", "0x1f"), ("31", "0x1f")]);
    assert_refused(&hex, "0x10000", "out of range");
    assert_refused(&hex, "0x", "number like 0x1f");
    assert_texts(&field(DataType::Binary(2), DisplayHint::Hex), &[("00FF", "00ff")]);
}

#[test]
fn arrays_of_several_dimensions_are_nested() {
    let matrix = Field::new("a", DataType::Int8).with_shape([2, 3]);
    assert_texts(&matrix, &[(" [ [1,2,3] , [4,5, 6]] ", "[[1,2,3],[4,5,6]]")]);
    for bad in ["[1,2,3,4,5,6]", "[[1,2],[3,4],[5,6]]", "[[1,2,3],[4,5,6]", "[[1,2,3][4,5,6]]"] {
        assert!(parse(&matrix, bad).is_err(), "{bad}");
    }
    let cube = Field::new("a", DataType::Bool).with_shape([1, 2, 1]);
    assert_texts(&cube, &[("[[[true],[false]]]", "[[[true],[false]]]")]);
}

#[test]
fn integers_of_128_bits_are_exact() {
    let (signed, unsigned) = ("-170141183460469231731687303715884105728", u128::MAX.to_string());
    assert_texts(&Field::new("a", DataType::Int128), &[(signed, signed), ("7", "7")]);
    assert_texts(&Field::new("a", DataType::UInt128).big_endian(), &[(&unsigned, &unsigned)]);
    assert_refused(&Field::new("a", DataType::UInt128), "-1", "invalid digit");
}
