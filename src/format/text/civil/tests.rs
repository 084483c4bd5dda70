//! The calendar against jiff's, for all years that jiff supports; the forms of text.

use jiff::civil::{Date, date};
use proptest::prelude::*;

use super::*;

fn epoch() -> Date {
    date(1970, 1, 1)
}

fn day_number(date: Date) -> i64 {
    date.duration_since(epoch()).as_hours() / 24
}

fn assert_day(date: Date) {
    let days = day_number(date);
    let (year, month, day) = (date.year(), date.month(), date.day());
    assert_eq!(date_of(days), (year.into(), month.into(), day.into()), "{date}");
    let (month, day) = (u8::try_from(month).unwrap(), u8::try_from(day).unwrap());
    assert_eq!(days_of(year.into(), month, day), days, "{date}");
    let mut text = String::new();
    push_date(days, &mut text);
    assert_eq!(text, date.to_string());
}

#[test]
fn days_are_jiffs_days() {
    // Every day of 400 years, after which the calendar repeats; then some days of every year.
    let era =
        date(1800, 1, 1).series(jiff::Span::new().days(1)).take_while(|day| day.year() < 2200);
    let all = Date::MIN.series(jiff::Span::new().days(97));
    era.chain(all).chain([Date::MAX]).for_each(assert_day);
}

#[test]
fn no_other_day_exists() {
    for year in [-400, 0, 1900, 2000, 2001, 2004, 9999] {
        for month in 0..=13_u8 {
            for day in 0..=32_u8 {
                let exists = Date::new(year, month as i8, day as i8).is_ok();
                let sign = if year < 0 { "-00" } else { "" };
                let text = format!("{sign}{:04}-{month:02}-{day:02}", year.abs());
                assert_eq!(parse_date(text.as_bytes()).is_ok(), exists, "{text}");
            }
        }
    }
}

#[test]
fn years_beyond_four_digits_have_a_sign() {
    for (text, expected) in [
        ("+010000-01-01", Some(2_932_897)),
        ("-000001-12-31", Some(-719_529)),
        ("+5881580-07-11", Some(i32::MAX)),
        ("-5877641-06-23", Some(i32::MIN)),
        ("+5881580-07-12", None),
        ("-5877641-06-22", None),
        ("10000-01-01", None),
        ("+002013-01-31", None),
        ("-000000-01-01", None),
        ("+0010000-01-01", None),
        ("+12345-01-01", None),
        ("-0001-01-01", None),
        ("+9999999999999-01-01", None),
    ] {
        assert_eq!(parse_date(text.as_bytes()).ok(), expected, "{text}");
        if let Some(days) = expected {
            let mut again = String::new();
            push_date(days.into(), &mut again);
            assert_eq!(again, text);
        }
    }
}

#[test]
fn a_timestamp_has_the_zone_that_its_field_has() {
    let millisecond = |text: &str, utc| {
        parse_timestamp(text.as_bytes(), TimeUnit::Millisecond, utc).map_err(|why| match why {
            Refusal::Not(what) => what.to_owned(),
            Refusal::Because(why) => why,
        })
    };
    for text in [
        "1970-01-01T01:00:00",
        "1970-01-01 01:00:00",
        "1970-01-01T01:00:00.000000",
        "1970-01-01 01:00",
    ] {
        assert_eq!(millisecond(text, false), Ok(3_600_000), "{text}");
        assert!(millisecond(text, true).unwrap_err().contains("neither Z nor"), "{text}");
    }
    for text in [
        "1970-01-01T01:00:00Z",
        "1970-01-01T01:00:00.0Z",
        "1970-01-01T01:00:00+00:00",
        "1970-01-01T01:00:00z",
        "1970-01-01T01:00Z",
        "1970-01-01T02:00:00+01",
        "1970-01-01T02:30:00+0130",
        "1969-12-31 19:30:00-05:30",
        "1970-01-02T00:59:00.000+23:59",
    ] {
        assert_eq!(millisecond(text, true), Ok(3_600_000), "{text}");
        assert!(millisecond(text, false).unwrap_err().contains("without a zone"), "{text}");
    }
    for text in [
        "",
        "1970-01-01T",
        "1970-01-01Z",
        "1970-01-01T01",
        "1970-01-01T01:00.5",
        "1970-01-01t01:00:00",
        "1970-01-01T1:00:00",
        "1970-01-01T24:00:00",
        "1970-01-01T01:60:00",
        "1970-01-01T01:00:60",
        "1970-01-01T01:00:00.",
        "1970-01-01T01:00:00.Z",
        "1970-01-01T01:00:00ZZ",
        "1970-01-01T01:00:00+1",
        "1970-01-01T01:00:00+01:",
        "1970-01-01T01:00:00+010",
        "1970-01-01T01:00:00+24:00",
        "1970-01-01T01:00:00+01:60",
        " 1970-01-01T01:00:00",
    ] {
        assert!(millisecond(text, false).is_err(), "{text}");
        assert!(millisecond(text, true).is_err(), "{text}");
    }
    // A date is its midnight.
    assert_eq!(
        [true, false].map(|utc| millisecond("1970-01-02", utc)),
        [Ok(86_400_000), Ok(86_400_000)]
    );
}

#[test]
fn a_fraction_fits_its_unit() {
    let parse = |text: &str, unit| parse_timestamp(text.as_bytes(), unit, false).ok();
    let text = "1970-01-01T00:00:01.250";
    assert_eq!(parse(text, TimeUnit::Second), None);
    assert_eq!(parse(text, TimeUnit::Millisecond), Some(1_250));
    assert_eq!(parse(text, TimeUnit::Nanosecond), Some(1_250_000_000));
    assert_eq!(parse("1970-01-01T00:00:01.0000000000", TimeUnit::Second), Some(1));
    assert_eq!(parse("1970-01-01T00:00:00.0000000001", TimeUnit::Nanosecond), None);
    assert_eq!(parse("1969-12-31T23:59:59.999", TimeUnit::Millisecond), Some(-1));
}

#[test]
fn the_first_and_last_times_of_each_unit_have_a_text() {
    for (unit, first, last) in [
        (TimeUnit::Second, "-292277022657-01-27T08:29:52", "+292277026596-12-04T15:30:07"),
        (TimeUnit::Millisecond, "-292275055-05-16T16:47:04.192", "+292278994-08-17T07:12:55.807"),
        (TimeUnit::Nanosecond, "1677-09-21T00:12:43.145224192", "2262-04-11T23:47:16.854775807"),
    ] {
        for (time, expected) in [(i64::MIN, first), (i64::MAX, last)] {
            let mut text = String::new();
            push_timestamp(time, unit, false, &mut text);
            assert_eq!(text, expected);
            assert_eq!(parse_timestamp(text.as_bytes(), unit, false).ok(), Some(time));
        }
        for (beyond, utc) in [(format!("{last}9"), false), (format!("{last}-00:01"), true)] {
            assert!(parse_timestamp(beyond.as_bytes(), unit, utc).is_err(), "{beyond}");
        }
    }
}

fn units() -> impl Strategy<Value = TimeUnit> {
    prop_oneof![
        Just(TimeUnit::Second),
        Just(TimeUnit::Millisecond),
        Just(TimeUnit::Microsecond),
        Just(TimeUnit::Nanosecond),
    ]
}

proptest! {
    #[test]
    fn every_time_comes_back(
        time: i64,
        near in -400_000_000_000_i64..400_000_000_000,
        unit in units(),
        utc: bool,
    ) {
        for time in [time, near] {
            let mut text = String::new();
            push_timestamp(time, unit, utc, &mut text);
            let parsed = parse_timestamp(text.as_bytes(), unit, utc);
            prop_assert_eq!(parsed.ok(), Some(time), "{}", text);
        }
    }

    #[test]
    fn jiff_reads_the_same_time(time in -377_705_000_000_000_000..253_402_200_000_000_000_i64) {
        let mut text = String::new();
        push_timestamp(time, TimeUnit::Microsecond, true, &mut text);
        let theirs: jiff::Timestamp = text.parse().expect("an RFC 3339 time");
        prop_assert_eq!(theirs.as_microsecond(), time, "{}", text);
    }

    #[test]
    fn any_bytes_are_a_time_or_an_error(
        text in proptest::collection::vec(any::<u8>(), 0..40),
        near in "[-+]?[0-9]{4,13}-[01][0-9]-[0-3][0-9][T ]?[0-9:.]{0,20}[-+Z0-9:]{0,6}",
        unit in units(),
        utc: bool,
    ) {
        for text in [&text[..], near.as_bytes()] {
            let _ = parse_date(text);
            if let Ok(time) = parse_timestamp(text, unit, utc) {
                let mut again = String::new();
                push_timestamp(time, unit, utc, &mut again);
                prop_assert_eq!(parse_timestamp(again.as_bytes(), unit, utc).ok(), Some(time));
            }
        }
    }
}
