use super::*;
use proptest::prelude::*;

/// Notes a text; `<null>` stands for a null, and `""` for a null in quotes.
fn note(seen: &mut Seen, text: &str) {
    match text {
        "<null>" => seen.null_text(Cell::new(b"", 0), false, &CsvOptions::new()),
        "\"\"" => seen.null_text(Cell::new(b"", 0), true, &CsvOptions::new()),
        _ => seen.text(Cell::new(text.as_bytes(), text.len()), || 0),
    }
}

fn field_of(texts: &[&str]) -> Field {
    let mut seen = Seen::default();
    texts.iter().for_each(|text| note(&mut seen, text));
    seen.field("x", &Wanted::default()).unwrap()
}

#[track_caller]
fn infers(texts: &[&str], expected: &str) {
    assert_eq!(field_of(texts).to_string(), format!("x: {expected} at 0"), "{texts:?}");
    // The order in which threads look at parts makes no difference.
    let mut merged = Seen::default();
    for text in texts.iter().rev() {
        let mut seen = Seen::default();
        note(&mut seen, text);
        merged.merge(&seen, 0);
    }
    assert_eq!(merged.field("x", &Wanted::default()).unwrap(), field_of(texts), "{texts:?} merged");
}

#[test]
fn bools_are_words() {
    infers(&["true", "false", "True", "False", "TRUE", "FALSE"], "bool");
    infers(&["tRUE", "true"], "utf8(4)");
    infers(&["T", "F"], "utf8(1)");
    infers(&["Y", "N"], "utf8(1)");
    infers(&["true", "1"], "utf8(4)");
    infers(&["t"], "utf8(1)");
}

#[test]
fn integers_come_back_digit_by_digit() {
    infers(&["0", "-12", "9223372036854775807", "-9223372036854775808"], "int64");
    infers(&["9223372036854775808"], "utf8(19)");
    infers(&["-9223372036854775809"], "utf8(20)");
    infers(&["007"], "utf8(3)");
    infers(&["00"], "utf8(2)");
    infers(&["-01"], "utf8(3)");
    infers(&["+5"], "utf8(2)");
    infers(&["5 "], "utf8(2)");
    infers(&["1_000"], "utf8(5)");
    infers(&["0x10"], "utf8(4)");
    infers(&["-"], "utf8(1)");
    infers(&["--1"], "utf8(3)");
}

#[test]
fn floats_keep_their_value() {
    infers(&["0.1", "-2.5", "1e300", "1E-5", "2e+3"], "float64");
    infers(&[".5", "-.5", "5."], "float64");
    infers(&["-0"], "float64");
    infers(&["-0", "5"], "float64");
    infers(&["1", "2.5"], "float64");
    infers(&["NaN", "inf", "-inf", "1"], "float64");
    infers(&["nan"], "float64");
    infers(&["Infinity", "-INF", "-nan"], "float64");
    infers(&["+inf"], "utf8(4)");
    infers(&["nana", "inf"], "utf8(4)");
    infers(&["."], "utf8(1)");
    infers(&["-."], "utf8(2)");
    infers(&["1e"], "utf8(2)");
    infers(&["1e+"], "utf8(3)");
    infers(&["e5"], "utf8(2)");
    infers(&["1.2.3"], "utf8(5)");
    infers(&["01.5"], "utf8(4)");
    infers(&["1,5"], "utf8(3)");
    infers(&["1.5f"], "utf8(4)");
}

#[test]
fn floats_lose_no_digits() {
    // Any number of 15 digits, without zeros before and after.
    infers(&["123456789012345.0", "0.123456789012345", "-1234567890.12345"], "float64");
    infers(&["0.00000000000000000000123456789012345"], "float64");
    infers(&["0.50000000000000000000000000", "1.23456789012345000e-5"], "float64");
    infers(&["123456789012345e3", "-1.23456789012345E+200"], "float64");
    infers(&["0.00000000000000000000000000", "-0.0000000000000000000e5"], "float64");
    // More digits only if the float has them: tests/it/number_texts.rs has an oracle.
    infers(&["100000000000000000000.0", "100000000000000000000.", "1.00e20"], "float64");
    infers(&["0.10000000000000001", "40300.619960000004"], "float64");
    infers(&["5.118216247002567165e-01", "2.500000000000000000e-01"], "float64");
    infers(&["1180591620717411303424", "0.5"], "float64");
    infers(&["0.1000000000000000055511151231257827021181583404541015625"], "float64");
    infers(&["12345678901234567.0"], "utf8(19)");
    infers(&["90071992547409.93"], "utf8(17)");
    infers(&["1700000004.3891005"], "utf8(18)");
    infers(&["123456789012345680000.0"], "utf8(23)");
    infers(&["12345678901234567890.5"], "utf8(22)");
    infers(&["0.1234567890123456789"], "utf8(21)");
    infers(&["-0.1234567890123456789"], "utf8(22)");
    infers(&["1.234567890123456789e5"], "utf8(22)");
    infers(&["1234567890123456789e-400"], "utf8(24)");
    infers(&["123456789012345678E+3"], "utf8(21)");
    infers(&["0.1234567890123456789", "0.5"], "utf8(21)");
}

proptest! {
    #[test]
    fn the_text_of_every_float_is_a_float(value in any::<f64>()) {
        prop_assume!(value.is_finite());
        // Of two shortest texts at the same distance, std may write the one that does not fit.
        let shortest = zmij::Buffer::new().format(value).to_owned();
        for text in [shortest, format!("{value:.16e}"), format!("{value:.18e}")] {
            let field = field_of(&[&text]);
            let integer = !text.contains(['.', 'e']);
            prop_assert!(integer || field.data_type() == DataType::Float64, "{} {}", text, field);
        }
    }
}

#[test]
fn floats_neither_overflow_nor_vanish() {
    infers(&["1e308"], "float64");
    infers(&["1e309"], "utf8(5)");
    infers(&["-1e309"], "utf8(6)");
    infers(&["5e-324"], "float64");
    infers(&["1.23456e-321"], "utf8(12)");
    infers(&["1e-400"], "utf8(6)");
    infers(&["0e-400", "0.0e999"], "float64");
    let long = format!("1{}.0", "0".repeat(400));
    infers(&[&long], "utf8(403)");
    let small = format!("0.{}1", "0".repeat(400));
    infers(&[&small], "utf8(403)");
}

#[test]
fn integers_past_2_to_the_53_do_not_mix_with_floats() {
    infers(&["9007199254740992", "0.5"], "float64");
    infers(&["-9007199254740992", "0.5"], "float64");
    infers(&["9007199254740993", "0.5"], "utf8(16)");
    infers(&["9007199254740993"], "int64");
    infers(&["9007199254740993", "-0"], "utf8(16)");
    infers(&["9007199254740994", "0.5"], "float64");
    // Integers past 64 bits are text: others beside them will not be powers of two.
    infers(&["1180591620717411303424"], "utf8(22)");
    infers(&["9223372036854775808", "5"], "utf8(19)");
}

#[test]
fn dates_are_existing_days() {
    infers(&["2013-01-31", "2012-02-29", "0000-01-01", "9999-12-31"], "date32");
    infers(&["2013-02-29"], "utf8(10)");
    infers(&["1900-02-29"], "utf8(10)");
    infers(&["2013-04-31"], "utf8(10)");
    infers(&["2013-13-01"], "utf8(10)");
    infers(&["2013-00-10"], "utf8(10)");
    infers(&["2013-1-31"], "utf8(9)");
    infers(&["20130131", "2013-01-31"], "utf8(10)");
    infers(&["31.01.2013"], "utf8(10)");
}

#[test]
fn timestamps_take_the_coarsest_unit_that_holds_them() {
    infers(&["2013-01-31T05:00:00"], "timestamp(s)");
    infers(&["2013-01-31 05:00:00", "2013-01-31T05:00:00.5"], "timestamp(ms)");
    infers(&["2013-01-31T05:00:00.1234"], "timestamp(us)");
    infers(&["2013-01-31T05:00:00.1234567", "2014-01-31T05:00:00"], "timestamp(ns)");
    infers(&["2013-01-31T05:00:00.1234567890"], "timestamp(ns)");
    infers(&["2013-01-31T05:00:00.1234567891"], "utf8(30)");
    infers(&["2013-01-31T05:00:00."], "utf8(20)");
    infers(&["2013-01-31T05:00", "2013-01-31 05:00:00"], "timestamp(s)");
    infers(&["2013-01-31T05:00.5"], "utf8(18)");
    infers(&["2013-01-31T24:00:00"], "utf8(19)");
    infers(&["2013-01-31T05:00:60"], "utf8(19)");
    infers(&["2013-02-30T05:00:00"], "utf8(19)");
    infers(&["2013-01-31t05:00:00"], "utf8(19)");
}

#[test]
fn a_column_of_timestamps_is_in_utc_throughout_or_not_at_all() {
    infers(&["2013-01-31T05:00:00Z", "2013-01-31T05:00:00.125Z"], "timestamp(ms) utc");
    infers(&["2013-01-31T05:00:00Z", "2013-01-31T05:00:00"], "utf8(20)");
    infers(&["2013-01-31T05:00:00+01:00", "2013-01-31 05:00:00+00"], "timestamp(s) utc");
    infers(&["2013-01-31T05:00:00z", "2013-01-31T05:00:00.25+0530"], "timestamp(ms) utc");
    infers(&["2013-01-31T05:00:00+01:00", "2013-01-31T05:00:00"], "utf8(25)");
    infers(&["2013-01-31", "2013-01-31T05:00:00"], "timestamp(s)");
    infers(&["2013-01-31", "2013-01-31T05:00:00.5Z"], "timestamp(ms) utc");
}

#[test]
fn nanoseconds_have_a_narrow_range() {
    let fine = "2013-01-31T05:00:00.123456789";
    infers(&[fine, "1677-09-21T00:12:44"], "timestamp(ns)");
    infers(&[fine, "1677-09-21T00:12:43"], "utf8(29)");
    infers(&[fine, "2262-04-11T23:47:15.999999999"], "timestamp(ns)");
    infers(&[fine, "2262-04-11T23:47:17"], "utf8(29)");
    infers(&[fine, "1677-09-21"], "utf8(29)");
    infers(&[fine, "1677-09-22"], "timestamp(ns)");
    infers(&["2013-01-31T05:00:00.123456789+01", "1677-09-22"], "timestamp(ns) utc");
    infers(&["2262-04-11T23:47:17+00:01", fine], "utf8(29)");
    infers(&["1700-01-01T00:00:00.0", "1700-01-01T00:00:00.000000000"], "timestamp(s)");
    infers(&["1700-01-01T00:00:00.500000"], "timestamp(ms)");
    infers(&["0000-01-01T00:00:00.000001", "9999-12-31T23:59:59"], "timestamp(us)");
}

#[test]
fn nulls_and_empty_texts() {
    infers(&["<null>", "1"], "int64 nullable");
    infers(&["<null>"], "utf8(1) nullable");
    infers(&[], "utf8(1) nullable");
    infers(&["\"\"", "1"], "int64 nullable");
    infers(&["\"\"", "true"], "bool nullable");
    infers(&["\"\"", "x"], "utf8(1)");
    infers(&["\"\"", "1", "x", "<null>"], "utf8(1) nullable");
    infers(&["\"\""], "utf8(1)");
    infers(&["\"\"", "<null>"], "utf8(1) nullable");
    infers(&["long text", "1", "<null>"], "utf8(9) nullable");
    infers(&["ä"], "utf8(2)");
}

#[test]
fn mixtures_are_text_as_long_as_the_longest() {
    infers(&["1", "2013-01-31"], "utf8(10)");
    infers(&["2013-01-31T05:00:00.123456", "x"], "utf8(26)");
    infers(&["true", "NaN"], "utf8(4)");
}
