//! Layout files: binary records, structs of C, and lines of the same length.

use super::*;

const C_STRUCT: &str = r#"{ "offset": 4, "c_struct": true, "fields": [
    { "name": "tag", "type": "uint8" },
    { "name": "value", "type": "float64" },
    { "name": "name", "type": "utf8(5)" },
    { "name": "axes", "type": "int16", "array": 2 }
] }"#;

/// What a C program writes for a
/// `struct { uint8_t tag; double value; char name[5]; int16_t axes[2]; }`.
fn c_struct(tag: u8, value: f64, name: &[u8; 5], axes: [i16; 2]) -> Vec<u8> {
    let mut bytes = vec![tag];
    bytes.extend([0xEE; 7]);
    bytes.extend(value.to_le_bytes());
    bytes.extend(name);
    bytes.push(0xEE);
    bytes.extend(axes.iter().flat_map(|axis| axis.to_le_bytes()));
    bytes.extend([0xEE; 6]);
    bytes
}

#[test]
fn a_dump_of_c_structs_is_read_with_the_alignment_of_c() {
    let mut bytes = b"HEAD".to_vec();
    bytes.extend(c_struct(1, 2.5, b"ab\0xy", [-1, 2]));
    bytes.extend(c_struct(255, -0.0, b"abcde", [i16::MAX, i16::MIN]));
    let file = made(bytes);
    let opened = file.described(C_STRUCT);
    assert_eq!((opened.count(), opened.layout().stride()), (2, 32));
    assert!(opened.layout().has_decoder(), "text ends at its first NUL");
    assert_eq!(rows(&opened), ["1,2.5,ab,[-1,2]", "255,-0.0,abcde,[32767,-32768]"]);
    assert_eq!(opened.copy(2).unwrap(), None);
    let in_place = opened.layout().schema_in_place().unwrap();
    let offsets: Vec<u32> = in_place.fields().iter().map(|field| field.offset()).collect();
    assert_eq!((offsets, in_place.record_size()), (vec![0, 8, 16, 22], 32));
}

#[test]
fn records_of_either_byte_order_are_used_as_they_lie_in_the_file() {
    let file = made([0, 1, 2, 0, 0xFF, 0xFF, 0xFE, 1]);
    let opened = file.described(
        r#"{ "endian": "big", "stride": 4, "fields": [
            { "name": "a", "type": "int16" },
            { "name": "b", "type": "uint16", "offset": 2, "endian": "little" }
        ] }"#,
    );
    assert!(!opened.layout().has_decoder());
    assert_eq!(rows(&opened), ["1,2", "-1,510"]);
    assert_eq!(opened.copy(1).unwrap().unwrap(), [0xFF, 0xFF, 0xFE, 1]);
    let native = opened.layout().clone().into_native().unwrap();
    let native = ForeignFile::open(&file.path, &native).unwrap();
    assert_eq!(rows(&native), ["1,2", "-1,510"]);
    assert_eq!(native.copy(0).unwrap().unwrap(), [1, 0, 2, 0]);
}

#[test]
fn texts_end_where_their_padding_begins() {
    let file = made(b"ab\0d  e ab  ");
    let pads = |pad: &str| {
        let json =
            format!(r#"{{ "fields": [{{ "name": "t", "type": "utf8(4)", "pad": "{pad}" }}] }}"#);
        rows(&file.described(&json))
    };
    assert_eq!(pads("nul"), ["ab", "  e ", "ab  "]);
    assert_eq!(pads("space"), ["ab\0d", "  e", "ab"]);
    assert_eq!(pads("zeros"), ["ab\0d", "  e ", "ab  "]);
}

#[test]
fn a_value_that_does_not_decode_is_an_error_of_its_record_alone() {
    let file = made(b"ab\xFF\xFFcd");
    let opened = file.described(r#"{ "fields": [{ "name": "t", "type": "utf8(2)" }] }"#);
    let mut copies = opened.copies(..);
    assert_eq!(copies.next_record().unwrap(), Some((0, &b"ab"[..])));
    let error = copies.next_record().unwrap_err();
    assert_says(&error, ErrorKind::InvalidValue, "at byte 2, record 1: invalid value: field \"t\"");
    assert_eq!(error.field_name(), Some("t"));
    assert_eq!(copies.next_record().unwrap(), Some((2, &b"cd"[..])));
    assert_eq!(copies.next_record().unwrap(), None);
    let mut back = opened.copies(..);
    assert_eq!(back.next_record_back().unwrap(), Some((2, &b"cd"[..])));
    assert!(back.next_record_back().is_err());
    assert_eq!(back.next_record_back().unwrap(), Some((0, &b"ab"[..])));
    assert_says(&opened.copy(1).unwrap_err(), ErrorKind::InvalidValue, "not UTF-8");
}

#[test]
fn lines_of_the_same_length_are_records() {
    let json = r#"{ "kind": "text", "header_lines": 1, "fields": [
        { "name": "id", "type": "int32", "width": 4, "nullable": true },
        { "name": "name", "type": "utf8(4)", "offset": 5 },
        { "name": "day", "type": "date32", "offset": 9, "width": 8, "nullable": true }
    ] }"#;
    for (end, last) in [("\n", true), ("\n", false), ("\r\n", true), ("\r\n", false)] {
        let mut text = ["id   name day", "0012 Ada 20240229", "     Bob         "].join(end);
        text.push_str(if last { end } else { "" });
        let file = made(&text);
        let opened = file.described(json);
        assert_eq!(rows(&opened), ["12,Ada,2024-02-29", ",Bob,"], "{end:?} {last}");
    }
    let file = made("head\n0012 Ada 20240229\n   x Bob        \n");
    let opened = file.described(&json.replace("\"fields\"", "\"count\": 2, \"fields\""));
    let error = opened.copy(1).unwrap_err();
    assert_says(&error, ErrorKind::Corrupt, "the line does not end where the first one does");
    let file = made("head\n0012 Ada 20240231\n   x Bob         \n");
    let opened = file.described(json);
    assert_says(&opened.copy(0).unwrap_err(), ErrorKind::InvalidValue, "field day (date32)");
    assert_says(&opened.copy(1).unwrap_err(), ErrorKind::InvalidValue, "field id (int32)");
}

#[test]
fn an_empty_file_has_no_records() {
    let binary = r#"{ "fields": [{ "name": "n", "type": "uint8" }] }"#;
    assert_eq!(rows(&made("").described(binary)), [""; 0]);
    let text = r#"{ "kind": "text", "fields": [{ "name": "n", "type": "uint8", "width": 3 }] }"#;
    assert_eq!(rows(&made("").described(text)), [""; 0]);
    assert_eq!(rows(&made("  7").described(text)), ["7"]);
    let error = made("").refused(r#"{ "offset": 1, "fields": [{ "name": "n", "type": "int8" }] }"#);
    assert_says(&error, ErrorKind::Corrupt, "the file ends at byte 0, before its records");
}

#[test]
fn impossible_layouts_say_what_is_wrong() {
    let file = made([0; 10]);
    for (json, what) in [
        ("", "not JSON"),
        ("[]", "the layout is not an object"),
        ("{}", "\"fields\" is missing"),
        (r#"{ "fields": [] }"#, "a record has 0 bytes"),
        (r#"{ "fields": [7] }"#, "a field is not an object"),
        (r#"{ "kind": "odd", "fields": [] }"#, "not \"binary\" or \"text\""),
        (r#"{ "skip": 3, "fields": [] }"#, "the unknown key \"skip\" (the keys are kind,"),
        (r#"{ "header_lines": 1, "fields": [] }"#, "no meaning in a layout of kind binary"),
        (r#"{ "offset": -1, "fields": [] }"#, "\"offset\" is not a number"),
        (r#"{ "endian": "middle", "fields": [] }"#, "not \"little\" or \"big\""),
        (r#"{ "fields": [{ "name": "n", "type": "int9" }] }"#, "int9"),
        (r#"{ "fields": [{ "name": "n", "type": "int8", "pad": "nul" }] }"#, "only text"),
        (r#"{ "fields": [{ "name": "n", "type": "utf8(2)", "pad": "x" }] }"#, "\"space\""),
        (r#"{ "fields": [{ "name": "n", "type": "int8", "width": 1 }] }"#, "how wide"),
        (r#"{ "stride": 1, "fields": [{ "name": "n", "type": "int16" }] }"#, "past the record's 1"),
        (r#"{ "stride": 99999999, "fields": [{ "name": "n", "type": "int8" }] }"#, "99999999"),
        (
            r#"{ "fields": [{ "name": "a", "type": "int16" },
                            { "name": "b", "type": "int8", "offset": 1 }] }"#,
            "the field before it ends at 2",
        ),
        (
            r#"{ "fields": [{ "name": "a", "type": "int8" }, { "name": "a", "type": "int8" }] }"#,
            "two fields are named",
        ),
        (
            r#"{ "fields": [{ "name": "a", "type": "int8", "offset": 4294967295 }] }"#,
            "a record of more than",
        ),
        (r#"{ "fields": [{ "name": "a", "type": "int64", "array": 4294967295 }] }"#, "16777216"),
    ] {
        let json = match json.contains("\"count\"") {
            true => json.to_owned(),
            false => json.replacen('{', "{ \"count\": 1, ", 1).replace(", }", " }"),
        };
        assert_says(&file.refused(&json), ErrorKind::InvalidSchema, what);
    }
    let json = r#"{ "fields": [{ "name": "n", "type": "binary(4)" }] }"#;
    let error = file.refused(json);
    assert_says(&error, ErrorKind::Corrupt, "2 records of 4 bytes end 2 bytes before the end");
}

#[test]
fn a_file_that_is_shorter_than_its_layout_is_an_error() {
    let file = made([0; 8]);
    let json = r#"{ "count": 9, "fields": [{ "name": "n", "type": "uint8" }] }"#;
    let layout = ForeignLayout::from_json(json, &file.path).unwrap();
    let error = ForeignFile::open(&file.path, &layout).unwrap_err();
    assert_says(&error, ErrorKind::Truncated, "its 9 records would end at byte 9");

    let opened = file.described(&json.replace('9', "8"));
    std::fs::write(&file.path, [1; 5]).unwrap();
    assert_eq!(opened.copy(4).unwrap(), Some(vec![1]));
    let error = opened.copies(..).collect::<crate::error::Result<Vec<_>>>().unwrap_err();
    assert_says(&error, ErrorKind::Truncated, "record 5");
    assert_eq!(opened.copies(..5).count(), 5);
    let huge = json.replace('9', "9223372036854775807");
    let error = ForeignLayout::from_json(&huge, &file.path).unwrap();
    assert!(ForeignFile::open(&file.path, &error).is_err());
    let error = file.refused(&json.replace('9', "18446744073709551615"));
    assert_eq!(error.kind(), ErrorKind::OutOfRange, "{error}");
}
