//! Which texts are numbers of which types: `Field::parse_text` against an oracle of its own, which
//! computes with decimal digits.
#![cfg(feature = "text")]

use std::cmp::Ordering;

use flatrec::{DataType, ErrorKind, Field, Value};

use crate::support::random::Random;

/// A decimal number above zero: `0.` and its digits, times ten to the power of `point`. Neither the
/// first nor the last digit is zero.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Exact {
    digits: Vec<u8>,
    point: i64,
}

impl Exact {
    fn new(mut digits: Vec<u8>, mut point: i64) -> Option<Self> {
        while digits.first() == Some(&0) {
            digits.remove(0);
            point -= 1;
        }
        while digits.last() == Some(&0) {
            digits.pop();
        }
        (!digits.is_empty()).then_some(Self { digits, point })
    }

    /// Every digit of a finite float: its significand times two, or by two, again and again.
    fn of_float(value: f64) -> Option<Self> {
        let bits = value.to_bits();
        let (exponent, fraction) = ((bits >> 52 & 0x7ff) as i64, bits & ((1 << 52) - 1));
        let (significand, power) = match exponent {
            0 => (fraction, -1074),
            _ => (fraction | 1 << 52, exponent - 1075),
        };
        let mut reversed: Vec<u8> =
            significand.to_string().bytes().rev().map(|digit| digit - b'0').collect();
        // Half of a number is five times the number, with the point one place to the left.
        let (factor, places) = if power < 0 { (5, power) } else { (2, 0) };
        let mut left = power.unsigned_abs();
        while left > 0 {
            let step = left.min(8);
            multiply(&mut reversed, u64::pow(factor, step as u32));
            left -= step;
        }
        let digits: Vec<u8> = reversed.into_iter().rev().collect();
        let point = digits.len() as i64 + places;
        Self::new(digits, point)
    }

    /// Rounded to so many digits; of two the even one.
    fn rounded(&self, count: usize) -> Self {
        if self.digits.len() <= count {
            return self.clone();
        }
        let mut digits = self.digits[..count].to_vec();
        let up = match self.digits[count].cmp(&5) {
            Ordering::Equal if self.digits.len() == count + 1 => digits[count - 1] % 2 == 1,
            order => order != Ordering::Less,
        };
        let mut point = self.point;
        if up {
            let nines = digits.iter().rev().take_while(|digit| **digit == 9).count();
            digits.truncate(count - nines);
            match digits.last_mut() {
                Some(last) => *last += 1,
                None => {
                    digits.push(1);
                    point += 1;
                }
            }
        }
        Self::new(digits, point).unwrap()
    }
}

fn multiply(reversed: &mut Vec<u8>, factor: u64) {
    let mut carry = 0;
    for digit in reversed.iter_mut() {
        carry += u64::from(*digit) * factor;
        *digit = (carry % 10) as u8;
        carry /= 10;
    }
    while carry > 0 {
        reversed.push((carry % 10) as u8);
        carry /= 10;
    }
}

/// What the oracle reads in a text.
struct Read {
    /// `None` for zero.
    number: Option<Exact>,
    significant: usize,
    well_spelled: bool,
}

fn read(text: &str) -> Option<Read> {
    let unsigned = text.trim_start_matches(['+', '-']);
    if text.len() - unsigned.len() > 1 {
        return None;
    }
    let lower = unsigned.to_ascii_lowercase();
    let (mantissa, exponent) = match lower.split_once('e') {
        None => (&*lower, 0),
        Some((mantissa, exponent)) => (mantissa, exponent.parse::<i64>().ok()?),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let fraction_kept = fraction.trim_end_matches('0');
    let all = format!("{whole}{fraction}");
    if all.is_empty() || !all.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let digits = all.bytes().map(|digit| digit - b'0').collect();
    Some(Read {
        number: Exact::new(digits, whole.len() as i64 + exponent),
        significant: format!("{whole}{fraction_kept}").trim_start_matches('0').len(),
        well_spelled: !(text.starts_with('+') || whole.len() > 1 && whole.starts_with('0')),
    })
}

/// Whether a float of the value `stored`, which is written as `written`, keeps `text`.
fn float_keeps(text: &str, stored: f64, written: &str) -> bool {
    let Some(read) = read(text) else { return false };
    let Some(number) = read.number else { return read.well_spelled };
    let Some(exact) = Exact::of_float(stored).filter(|_| stored.is_finite()) else { return false };
    let is_written = read.significant <= 17
        && self::read(written).and_then(|read| read.number).as_ref() == Some(&number);
    let keeps = read.well_spelled && (exact.rounded(read.significant) == number || is_written);
    if keeps {
        check_way_back(&number, read.significant, &exact, written);
    }
    keeps
}

/// Checks that a float, whose text is `written`, gives back a number of `significant` digits that
/// it keeps: unless the text has fewer digits, it is the number.
fn check_way_back(number: &Exact, significant: usize, exact: &Exact, written: &str) {
    let back = read(written).and_then(|read| read.number).unwrap();
    let digits = back.digits.len();
    if significant <= digits {
        assert_eq!(*number, back, "it comes back as {written}");
    }
    // At a power of two the shortest text can be the second nearest of its length.
    let is_nearest = exact.rounded(digits) == back;
    assert!(is_nearest || digits >= 8, "{written} is not nearest to {exact:?}");
}

/// The text of a field of that type with these bytes.
fn written(data_type: DataType, bytes: &[u8]) -> String {
    let mut text = String::new();
    Field::new("x", data_type).format_text(bytes, &mut text).unwrap();
    text
}

/// Whether an integer of that range keeps `text`, by its digits alone.
fn integer_keeps(text: &str, least: &str, greatest: &str) -> bool {
    let (digits, bound) = match text.strip_prefix('-') {
        Some(digits) => (digits, least.strip_prefix('-').unwrap_or("")),
        None => (text, greatest),
    };
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let well_spelled = (digits == "0" && text == "0") || !digits.starts_with('0');
    is_number && well_spelled && (digits.len(), digits) <= (bound.len(), bound)
}

/// A number, or nearly, of the kinds that files have and that are hard to round.
fn text(random: &mut Random) -> String {
    let digits = |random: &mut Random, most: u64| -> String {
        (0..=random.below(most)).map(|_| char::from(b'0' + random.below(10) as u8)).collect()
    };
    let float = |random: &mut Random| {
        let value = match random.below(4) {
            0 => f64::from_bits(random.next() >> (random.below(60) + 4)),
            1 => f64::from(f32::from_bits((random.next() >> 33 >> random.below(31)) as u32)),
            2 => 2f64.powi(random.below(2098) as i32 - 1074),
            _ => f64::from_bits(random.next() & !(1 << 63)),
        };
        if value.is_finite() { value } else { 0.1 }
    };
    let mut text = match random.below(9) {
        0 => digits(random, 25),
        1 => format!("{}.{}", digits(random, 12), digits(random, 12)),
        2 => format!("{}.{}", digits(random, 3), digits(random, 20)),
        3 => format!("{}e{}", digits(random, 20), random.below(675) as i64 - 345),
        4 => {
            let places = random.below(25) as usize;
            format!("{:.places$e}", float(random))
        }
        5 => match random.one_in(2) {
            true => format!("{:?}", float(random)),
            false => format!("{:?}", f32::from_bits(random.next() as u32 & 0x7f7f_ffff)),
        },
        6 => {
            let power = 1u128 << random.below(127);
            format!("{}", power + u128::from(random.below(3)) - 1)
        }
        7 => format!("{:.300}", float(random)).trim_end_matches('0').to_owned(),
        _ => format!("{}{}", digits(random, 18), "0".repeat(random.below(9) as usize)),
    };
    if random.one_in(4) {
        // Another last digit.
        let end = text.find('e').unwrap_or(text.len());
        if text[..end].ends_with(|last: char| last.is_ascii_digit()) {
            text.replace_range(end - 1..end, &random.below(10).to_string());
        }
    }
    let prefix = match random.below(12) {
        0 => "-",
        1 => "+",
        2 => "0",
        3 => "-0",
        _ => "",
    };
    let zeros =
        if text.contains('.') && !text.contains('e') && random.one_in(4) { "00" } else { "" };
    format!("{prefix}{text}{zeros}")
}

/// What `field` makes of a text: its value, or nothing; and the value with rounding, and whether it
/// is another.
type Parsed = (Option<Vec<u8>>, Option<(Vec<u8>, bool)>);

fn parsed(field: &Field, text: &str) -> Parsed {
    let mut record = vec![0; field.size_bytes() as usize];
    let strict = match field.parse_text(text, &mut record) {
        Ok(()) => Some(record.clone()),
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
            assert!(record.iter().all(|byte| *byte == 0), "{text}: a refused text was stored");
            None
        }
    };
    let rounded = field.parse_text_rounded(text, &mut record);
    (strict, rounded.ok().map(|rounded| (record, rounded)))
}

/// Finds a float that keeps a text which it changes, or refuses one which it keeps.
#[test]
fn floats_keep_the_texts_that_the_oracle_says() {
    let mut kept = [0, 0];
    for seed in 0..12 {
        let mut random = Random::new(seed);
        for _ in 0..500 {
            let text = text(&mut random);
            let wide: f64 = text.parse().expect(&text);
            let narrow: f32 = text.parse().expect(&text);
            for (index, keeps, finite, bytes, data_type) in [
                (
                    0,
                    float_keeps(&text, wide, &written(DataType::Float64, &wide.to_le_bytes())),
                    wide.is_finite(),
                    wide.to_le_bytes().to_vec(),
                    DataType::Float64,
                ),
                (
                    1,
                    float_keeps(
                        &text,
                        narrow.into(),
                        &written(DataType::Float32, &narrow.to_le_bytes()),
                    ),
                    narrow.is_finite(),
                    narrow.to_le_bytes().to_vec(),
                    DataType::Float32,
                ),
            ] {
                kept[index] += usize::from(keeps);
                let expected = (keeps.then(|| bytes.clone()), finite.then_some((bytes, !keeps)));
                let found = parsed(&Field::new("x", data_type), &text);
                assert_eq!(found, expected, "seed {seed}: {text} as {data_type}");
            }
        }
    }
    let [wide, narrow] = kept;
    assert!((1000..5000).contains(&wide) && (300..wide).contains(&narrow), "{kept:?}");
}

/// A value halfway between two texts fitted with either of them, and came back as one.
#[test]
fn a_text_halfway_fits_if_rounding_gives_it() {
    let field = Field::new("x", DataType::Float64);
    for (text, expected) in [
        ("900000000000001.2", Some("900000000000001.2")),
        ("900000000000001.3", None),
        ("900000000000001.25", Some("900000000000001.2")),
        ("813953887245581.38", Some("813953887245581.4")), // 17 digits of ….375
        ("813953887245581.37", None),
        ("1.0000076293945312", Some("1.0000076293945312")),
        ("1.0000076293945313", None),
        ("5.9604644775390625e-8", Some("5.960464477539063e-8")),
        ("1.000001907348632812e+00", Some("1.0000019073486328")), // numpy.savetxt
        ("1.000001907348632813e+00", None),
        ("0.10000000000000001", Some("0.1")),
        ("40300.619960000004", Some("40300.61996")),
        ("90071992547409.93", None),
        ("1700000004.3891005", None),
    ] {
        let mut record = [0; 8];
        let back = field.parse_text(text, &mut record).ok();
        let back = back.map(|()| written(DataType::Float64, &record));
        assert_eq!(back.as_deref(), expected, "{text}");
    }
    // Three values of four between 2^49 and 2^50 lie halfway between two texts of 16 or 17 digits.
    let mut random = Random::new(3);
    for _ in 0..2000 {
        let value =
            (1_u64 << 49) as f64 + random.below(1 << 49) as f64 + random.below(8) as f64 / 8.0;
        let exact = Exact::of_float(value).unwrap();
        let text = written(DataType::Float64, &value.to_le_bytes());
        for places in 0..4 {
            for text in [format!("{value:.places$}"), text.clone()] {
                let mut record = [0; 8];
                let keeps = float_keeps(
                    &text,
                    text.parse().unwrap(),
                    &written(DataType::Float64, &text.parse::<f64>().unwrap().to_le_bytes()),
                );
                assert_eq!(field.parse_text(&text, &mut record).is_ok(), keeps, "{text}");
            }
        }
        let read = read(&text).and_then(|read| read.number).unwrap();
        assert_eq!(read, exact.rounded(read.digits.len()), "{text}");
    }
}

/// Finds an integer type that keeps a text which it changes, or refuses one which it keeps.
#[test]
fn integers_keep_their_own_digits_alone() {
    macro_rules! ranges {
        ($($type:ty: $data_type:ident),*) => {
            [$((DataType::$data_type, <$type>::MIN.to_string(), <$type>::MAX.to_string())),*]
        };
    }
    let types = ranges!(
        i8: Int8, i16: Int16, i32: Int32, i64: Int64, i128: Int128, u8: UInt8, u16: UInt16,
        u32: UInt32, u64: UInt64, u128: UInt128
    );
    let mut random = Random::new(7);
    let mut texts: Vec<String> = (0..3000).map(|_| text(&mut random)).collect();
    texts.extend(["0", "-0", "+0", "00", "-00", "", "-", "+", "--1"].map(String::from));
    texts.extend(["170141183460469231731687303715884105728", "1e2", "5.", ".5"].map(String::from));
    for (data_type, least, greatest) in &types {
        texts.extend([
            least.clone(),
            greatest.clone(),
            format!("{least}0"),
            format!("{greatest}0"),
        ]);
        texts.extend(["+", "0"].map(|prefix| format!("{prefix}{greatest}")));
        let field = Field::new("x", *data_type);
        let mut kept = 0;
        for text in &texts {
            let keeps = integer_keeps(text, least, greatest);
            let (strict, rounded) = parsed(&field, text);
            assert_eq!(strict.is_some(), keeps, "{text} as {data_type}");
            if let Some(strict) = strict {
                let mut again = String::new();
                field.format_text(&strict, &mut again).unwrap();
                assert_eq!(again, *text);
                assert_eq!(rounded, Some((strict, false)), "{text} as {data_type}");
                kept += 1;
            } else if let Some((_, rounded)) = rounded {
                assert!(rounded, "{text} as {data_type} is changed without a word");
            }
        }
        assert!(kept > 10, "{data_type} keeps only {kept} texts");
    }
}

/// Finds a rounding to another integer than the nearest, or to the odd one of two.
#[test]
fn rounding_takes_the_nearest_integer() {
    let field = Field::new("x", DataType::Int32);
    let rounded = |text: &str| {
        let mut record = [0; 4];
        field.parse_text_rounded(text, &mut record).ok().map(|_| i32::from_le_bytes(record))
    };
    let mut random = Random::new(11);
    for _ in 0..5000 {
        let places = random.below(6) as usize;
        let one = 10i64.pow(places as u32);
        let tie = random.one_in(3) && places > 0;
        let whole = random.below(2_000_000) as i64;
        let scaled = whole * one + if tie { one / 2 } else { random.below(one as u64) as i64 };
        let (up, rest) = (scaled / one + 1, scaled % one);
        let nearest = match (2 * rest).cmp(&one) {
            Ordering::Less => up - 1,
            Ordering::Equal => up - up % 2,
            Ordering::Greater => up,
        };
        let digits = scaled.to_string();
        for text in [
            format!("{digits}e-{places}"),
            format!("{}.{:0places$}", scaled / one, rest),
            format!("0.000{digits}e{}", 3 + digits.len() - places.min(digits.len())),
        ] {
            if text.starts_with("0.000") && digits.len() < places {
                continue;
            }
            assert_eq!(rounded(&text), i32::try_from(nearest).ok(), "{text}");
            assert_eq!(rounded(&format!("-{text}")), i32::try_from(-nearest).ok(), "-{text}");
        }
    }
    for (text, expected) in [
        ("0.5", Some(0)),
        ("1.5", Some(2)),
        ("-0.4", Some(0)),
        ("1e-999999999999999999999", Some(0)),
        ("0e999999999999999999999", Some(0)),
        ("2147483647.5", None),
        ("2147483647.4999", Some(i32::MAX)),
        ("-2147483648.5", Some(i32::MIN)),
        ("1e10", None),
        ("1e99999999999999999999", None),
        ("-1e99", None),
        ("x", None),
    ] {
        assert_eq!(rounded(text), expected, "{text}");
    }
}

/// Finds a text of the reports of users that a type changes in silence, or refuses without need.
#[test]
fn texts_of_files_are_kept_or_refused() {
    let keeps = |data_type, text: &str| parsed(&Field::new("x", data_type), text).0.is_some();
    for text in [
        "0.10000000000000001",
        "40300.619960000004",
        "5.118216247002567165e-01",
        "1.000000000000000056e-01",
        "1180591620717411303424",
        "5.684341886080802e-14",
        "5e-324",
        "4.9406564584124654e-324",
        "2.2250738585072014e-308",
        "1.7976931348623157e308",
        "0.500000000000000000000000000000",
        "123456789012345.000000000",
        "-0",
        "-0.0",
        "1e23",
        "0e999",
        "nan",
        "-NaN",
        "INF",
        "-Infinity",
    ] {
        assert!(keeps(DataType::Float64, text), "{text}");
    }
    for text in [
        "90071992547409.93",
        "1700000004.3891005",
        "1.23456e-321",
        "9007199254740993",
        "18446744073709551617",
        "0.1234567890123456789",
        "1e-400",
        "1e400",
        "00.5",
        "00501",
        "-01",
        "+5",
        "+inf",
        "100000000000000000000000",
        "infinit",
        ".",
        "1_000",
        "1e",
        "0x1p3",
    ] {
        assert!(!keeps(DataType::Float64, text), "{text}");
    }
    for (text, kept) in [
        ("16777217", false),
        ("16777216", true),
        ("0.1", true),
        ("0.1000000015", true),
        ("0.10000000149", true),
        ("0.100000001490116119384765625", true),
        ("0.1000000016", false),
        ("1e-46", false),
        ("1e39", false),
        ("33554433", false),
        ("1000000060", true),
        ("1000000064", true),
        ("1000000061", false),
    ] {
        assert_eq!(keeps(DataType::Float32, text), kept, "{text}");
    }
}

/// Finds an error that does not say what would be stored, and a value that it does not name.
#[test]
fn errors_name_the_value_that_would_be_stored() {
    for (data_type, text, said) in [
        (
            DataType::Int64,
            "00501",
            "\"00501\": it would be stored as 501, without its leading zeros",
        ),
        (DataType::Int8, "+5", "it would be stored as 5, without its sign"),
        (DataType::UInt8, "-0", "it would be stored as 0, without its sign"),
        (DataType::Int16, "2.5", "it would be stored as 2, the nearest int16"),
        (
            DataType::Float64,
            "9007199254740993",
            "it would be stored as 9007199254740992.0, the nearest float64",
        ),
        (DataType::Float64, "1e-400", "it would be stored as 0.0, the nearest float64"),
        (DataType::Float32, "16777217", "it would be stored as 16777216.0, the nearest float32"),
        // The shortest text is the same number: more digits tell the difference.
        (
            DataType::Float64,
            "100000000000000000000000",
            "it would be stored as 9.99999999999999916113920e22, the nearest float64",
        ),
        (DataType::Float64, "1e309", "\"1e309\": the number is too large for the field"),
        (DataType::Int8, "128", "\"128\": number too large"),
    ] {
        let field = Field::new("x", data_type);
        let mut record = vec![0; field.size_bytes() as usize];
        let error = field.parse_text(text, &mut record).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let field = Field::new("x", DataType::Float64).array(2);
    let mut record = [0; 16];
    let error = field.parse_text("[0.5,007]", &mut record).unwrap_err().to_string();
    assert!(error.contains("element 1: \"007\": it would be stored as 7.0"), "{error}");
    assert!(field.parse_text_rounded("[0.5,007]", &mut record).unwrap());
    let Value::Array(array) = field.read(&record).unwrap() else { panic!("not an array") };
    assert_eq!(
        array.iter().collect::<Result<Vec<_>, _>>().unwrap(),
        [Value::Float(0.5), Value::Float(7.0)]
    );
}
