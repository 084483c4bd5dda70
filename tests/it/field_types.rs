//! The types of fields beyond numbers: what their schemas say, and that a file's bytes mean the
//! same to the struct and to the schema.
#![cfg(feature = "derive")]

use flatrec::{
    Bool, Char, DataType, DisplayHint, DynStore, Enum, ErrorKind, Field, FieldType, Group,
    Nullable, PodRecord, Record, RecordEnum, Result, Schema, Store, Utf8, Uuid, Value, be, le,
};

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

#[derive(Clone, Copy, Debug, PartialEq, Eq, RecordEnum)]
#[repr(u8)]
enum Side {
    Sell = 2,
    #[record(rename = "BUY")]
    Buy = 1,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, RecordEnum)]
#[repr(i16)]
enum Level {
    Low = -300,
    High = 300,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, RecordEnum)]
#[repr(u64)]
enum Wide {
    None,
    All = u64::MAX,
}

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Order {
    side: Enum<Side>,
    levels: [Enum<Level>; 2],
    before: Nullable<Enum<Side>>,
    wide: Enum<Wide>,
}

const ORDER: fn() -> Order = || Order {
    side: Side::Buy.into(),
    levels: [Level::Low.into(), Enum::from_number(7)],
    before: Nullable::some(Enum::from(Side::Sell)),
    wide: Wide::All.into(),
};

/// Finds a name or a number of a variant that the schema in the file does not have.
#[test]
fn the_schema_of_a_file_names_the_variants() {
    let (schema, bytes) = through_a_file(ORDER());
    let names = |name: &str| -> Vec<String> {
        schema.field(name).unwrap().variants().iter().map(ToString::to_string).collect()
    };
    assert_eq!(names("side"), ["BUY = 1", "Sell = 2"]);
    assert_eq!(names("levels"), ["Low = -300", "High = 300"]);
    assert_eq!(names("before"), names("side"));
    assert_eq!(names("wide"), ["None = 0", "All = 18446744073709551615"]);
    let layouts: Vec<String> = schema.fields().iter().map(ToString::to_string).collect();
    assert_eq!(
        layouts,
        [
            "side: uint8 at 0",
            "levels: int16[2] at 1",
            "before: uint8 nullable at 5",
            "wide: uint64 at 7",
        ]
    );
    assert_eq!(bytes[..7], [1, 0xD4, 0xFE, 7, 0, 1, 2]);
    assert_eq!(schema.field("wide").unwrap().read(&bytes).unwrap(), Value::UInt(u64::MAX));
    assert_eq!(Field::of::<Enum<Side>>("side").variants().len(), 2);
}

/// Finds a number without a variant that becomes one, and one that is lost.
#[test]
fn a_number_without_a_variant_is_an_error_that_has_it() {
    let order = ORDER();
    assert_eq!(order.levels[0].get(), Ok(Level::Low));
    let unknown = order.levels[1].get().unwrap_err();
    assert_eq!((unknown.number(), unknown.enum_name()), (7, "Level"));
    assert_eq!(unknown.to_string(), "`Level` has no variant of the number 7");
    let asked = || -> Result<Level> { Ok(order.levels[1].get()?) };
    let error = asked().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidValue);
    assert!(error.to_string().contains("no variant of the number 7"), "{error}");
    assert_eq!((order.levels[0].name(), order.levels[1].name()), (Some("Low"), None));
    assert_eq!(format!("{:?} {}", order.levels, order.side), "[Low, 7] BUY");
    assert!(order.side == Side::Buy && order.side != Side::Sell);
    assert_ne!(order.levels[0], order.levels[1]);
    assert_eq!(order.levels[1].number(), 7);
}

/// Finds a file that is opened although it names a value otherwise.
#[test]
fn a_file_that_names_a_value_otherwise_is_refused() {
    #[derive(Clone, Copy, RecordEnum)]
    #[repr(u8)]
    enum Other {
        Bid = 1,
    }
    #[derive(Clone, Copy, Record)]
    #[repr(C)]
    struct One {
        side: Enum<Side>,
    }
    #[derive(Clone, Copy, Record)]
    #[repr(C)]
    struct Two {
        side: Enum<Other>,
    }
    let error = Two::check_schema(&One::schema().unwrap()).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    assert!(error.to_string().contains("expected the variant Bid = 1, found BUY = 1"), "{error}");
}

/// Finds a newtype with names of its own that the schema does not have.
#[test]
fn a_field_type_of_a_program_can_name_its_values() {
    use flatrec::zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};
    #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout)]
    #[zerocopy(crate = "flatrec::zerocopy")]
    #[repr(transparent)]
    struct Flag(u8);
    impl FieldType for Flag {
        const DATA_TYPE: DataType = DataType::UInt8;
        const VARIANTS: &'static [(&'static str, i128)] = &[("off", 0), ("on", 1)];
    }
    let field = Field::of::<[Flag; 2]>("flags");
    assert_eq!(field.variant_of(1).unwrap().name(), "on");
}

/// Finds a condition or a text that does not know the names.
#[cfg(all(feature = "query", feature = "text"))]
#[test]
fn conditions_and_exports_use_the_names() {
    use flatrec::query::Filter;
    let schema = Order::schema().unwrap();
    let condition = Filter::parse("side = 'BUY' AND before = 'Sell'", &schema).unwrap();
    let bytes = through_a_file(ORDER()).1;
    assert!(condition.matches(&bytes).unwrap());
    let mut text = String::new();
    schema.field("side").unwrap().format_text(&bytes, &mut text).unwrap();
    assert_eq!(text, "BUY");
}

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Leg {
    side: Enum<Side>,
    #[record(skip)]
    _padding: [u8; 3],
    count: le::U32,
}

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Pair {
    #[record(nested)]
    legs: [Leg; 2],
    #[record(nested, rename = "the rest")]
    rest: Leg,
}

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Trade {
    id: le::U32,
    #[record(nested)]
    pair: Pair,
    #[record(nested)]
    first: [Pair; 1],
    matrix: Nullable<[[be::F32; 2]; 3]>,
    #[record(skip)]
    _padding: [u8; 3],
}

const LEG: fn(u32) -> Leg =
    |count| Leg { side: Side::Buy.into(), _padding: [0; 3], count: count.into() };
const TRADE: fn() -> Trade = || {
    let pair = |at: u32| Pair { legs: [LEG(at), LEG(at + 1)], rest: LEG(at + 2) };
    Trade {
        id: 1.into(),
        pair: pair(10),
        first: [pair(20)],
        matrix: Nullable::some([[1.0.into(), 2.0.into()]; 3]),
        _padding: [0; 3],
    }
};

/// Finds a field of a nested record under another name or at another place, and a group that the
/// file does not have.
#[test]
fn nested_records_are_flat_in_the_file_with_dotted_names_and_groups() {
    let (schema, bytes) = through_a_file(TRADE());
    let layouts: Vec<String> = schema.fields().iter().map(ToString::to_string).collect();
    assert_eq!(
        layouts,
        [
            "id: uint32 at 0",
            "pair.legs[0].side: uint8 at 4",
            "pair.legs[0].count: uint32 at 8",
            "pair.legs[1].side: uint8 at 12",
            "pair.legs[1].count: uint32 at 16",
            "pair.the rest.side: uint8 at 20",
            "pair.the rest.count: uint32 at 24",
            "first[0].legs[0].side: uint8 at 28",
            "first[0].legs[0].count: uint32 at 32",
            "first[0].legs[1].side: uint8 at 36",
            "first[0].legs[1].count: uint32 at 40",
            "first[0].the rest.side: uint8 at 44",
            "first[0].the rest.count: uint32 at 48",
            "matrix: float32[6] nullable big-endian at 52",
        ]
    );
    let group = |name: &str, fields| Group::new(name, fields);
    assert_eq!(
        schema.groups(),
        [
            group("pair", 1..7),
            group("pair.legs", 1..5).array(2),
            group("pair.the rest", 5..7),
            group("first", 7..13).array(1),
            group("first[0].legs", 7..11).array(2),
            group("first[0].the rest", 11..13),
        ]
    );
    assert_eq!(schema, Trade::schema().unwrap());
    let number = |name: &str| schema.field(name).unwrap().read(&bytes).unwrap();
    assert_eq!(number("pair.legs[1].count"), Value::UInt(11));
    assert_eq!(number("first[0].the rest.count"), Value::UInt(22));
    assert_eq!(schema.field("pair.legs[1].side").unwrap().variants().len(), 2);
}

/// Finds a shape whose dimensions are in another order, or that bytes, aliases or newtypes have.
#[test]
fn an_array_of_arrays_is_one_field_with_a_shape() {
    let shape = |field: Field| (field.array_len(), field.shape().to_vec());
    assert_eq!(shape(Field::of::<[[f64; 2]; 4]>("a")), (Some(8), vec![4, 2]));
    assert_eq!(shape(Field::of::<Nullable<[[[u16; 5]; 3]; 2]>>("a")), (Some(30), vec![2, 3, 5]));
    assert_eq!(shape(Field::of::<[f64; 4]>("a")), (Some(4), vec![]));
    assert_eq!(shape(Field::of::<[[u8; 2]; 4]>("a")), (Some(4), vec![]));
    let rows = Field::of::<[[[u8; 2]; 4]; 3]>("a");
    assert_eq!(rows.data_type(), DataType::Binary(2));
    assert_eq!(shape(rows), (Some(12), vec![3, 4]));
    let deep = Field::of::<[[[[[[[[i8; 1]; 2]; 1]; 2]; 1]; 2]; 1]; 2]>("a");
    assert_eq!(shape(deep), (Some(16), vec![2, 1, 2, 1, 2, 1, 2, 1]));
    let matrix = Trade::schema().unwrap().field("matrix").unwrap().clone();
    assert_eq!(matrix.shape(), [3, 2]);
}

/// Finds a nested record whose words for null, or whose byte order, are lost.
#[test]
fn nested_records_keep_what_their_schemas_say() {
    #[derive(Clone, Copy)]
    #[repr(transparent)]
    struct Wrapped(PodRecord<[u8; 2]>);
    // SAFETY: as of the record that it wraps.
    #[allow(unsafe_code)]
    unsafe impl Record for Wrapped {
        const NATIVE_ENDIAN: bool = false;

        fn schema() -> Result<Schema> {
            PodRecord::<[u8; 2]>::schema()?.with_null_words(["NA"])
        }
    }
    #[derive(Clone, Copy, Record)]
    #[repr(C)]
    struct Outer {
        #[record(nested)]
        inner: Wrapped,
        #[record(nested)]
        pods: [PodRecord<u8>; 2],
    }
    let schema = Outer::schema().unwrap();
    assert_eq!(schema.field("inner.data").unwrap().null_words(), ["NA"]);
    assert_eq!(schema.field("pods[1].data").unwrap().offset(), 3);
    // A pod may hold numbers in the host's order.
    const { assert!(Outer::NATIVE_ENDIAN && !Pair::NATIVE_ENDIAN) };
}

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Shown {
    #[record(display = "uuid")]
    id: [u8; 16],
    #[record(display = "ipv4")]
    from: Nullable<[u8; 4]>,
    #[record(display = "hex")]
    flags: [le::U16; 2],
    letter: Char,
    letters: Nullable<[Char; 2]>,
    small: i8,
    wide: le::U128,
    narrow: le::I128,
}

/// Finds a form of display that the schema does not have, or a character of other bytes.
#[test]
fn fields_are_shown_in_the_form_that_the_struct_gives() {
    let (schema, bytes) = through_a_file(Shown {
        id: *b"0123456789abcdef",
        from: Nullable::some([192, 0, 2, 1]),
        flags: [0xBEEF.into(), 1.into()],
        letter: 'Ä'.into(),
        letters: Nullable::some([Char::new('\u{10FFFF}'), Char::from_number(0xD800)]),
        small: -1,
        wide: u128::MAX.into(),
        narrow: i128::MIN.into(),
    });
    let forms: Vec<_> = schema.fields().iter().map(Field::display).collect();
    let char = Some(DisplayHint::Char);
    let (uuid, ipv4, hex) = (DisplayHint::Uuid, DisplayHint::Ipv4, DisplayHint::Hex);
    assert_eq!(forms, [Some(uuid), Some(ipv4), Some(hex), char, char, None, None, None]);
    assert_eq!(bytes[25..29], [0xC4, 0, 0, 0]);
    let read = |name: &str| schema.field(name).unwrap().read(&bytes).unwrap();
    assert_eq!(read("wide"), Value::UInt128(u128::MAX));
    assert_eq!(read("narrow"), Value::Int128(i128::MIN));
}

/// Finds a number that becomes a character and is not a scalar value.
#[test]
fn a_character_is_a_scalar_value_or_none() {
    const LETTER: Char = Char::new('x');
    assert_eq!(LETTER.get(), Some('x'));
    assert!(LETTER == 'x' && LETTER != 'y');
    for number in [0xD800, 0xDFFF, 0x11_0000, u32::MAX] {
        let none = Char::from_number(number);
        assert_eq!((none.get(), none.number()), (None, number));
        assert_eq!(format!("{none:?} {none}"), format!("{number} \u{FFFD}"));
    }
    assert_eq!(format!("{LETTER:?} {LETTER}"), "'x' x");
}

/// Finds a null that has a value, and a comparison that reads the bytes of one.
#[test]
fn a_nullable_value_is_used_like_an_option() {
    const FIVE: Nullable<u16> = Nullable::some(5);
    const { assert!(FIVE.is_some() && !FIVE.is_none()) };
    let null = Nullable::<u16>::null();
    assert!(null.is_none() && !null.is_some());
    assert_eq!((FIVE.unwrap_or(7), null.unwrap_or(7)), (5, 7));
    assert!(FIVE == Some(5) && FIVE != Some(6) && FIVE != None);
    assert!(null == None && null != Some(0));
    assert_eq!(FIVE.map(|it| f64::from(it) / 2.0), Some(2.5));
    assert_eq!(null.map(f64::from), None);
}

/// Finds a flag of another byte than 1 that is not true.
#[test]
fn a_flag_is_compared_with_a_bool() {
    use flatrec::zerocopy::FromBytes;
    let seven = Bool::read_from_bytes(&[7]).unwrap();
    assert!(seven == true && Bool::new(false) != true);
}

/// Finds a constant text that differs from the one of `new`.
#[test]
fn a_text_can_be_a_constant() {
    const TEXT: Utf8<4> = Utf8::literal("Ær");
    assert_eq!(TEXT, Utf8::new("Ær").unwrap());
    assert_eq!(Utf8::<2>::literal(""), Utf8::default());
    assert!(std::panic::catch_unwind(|| Utf8::<2>::literal("abc")).is_err());
    assert!(std::panic::catch_unwind(|| Utf8::<2>::literal("a\0")).is_err());
}

/// Finds a UUID whose bytes, text or number differ, a text that is not one, and one in a file that
/// text does not show.
#[test]
fn a_uuid_is_its_text() {
    #[derive(Clone, Copy, Record)]
    #[repr(C)]
    struct Row {
        id: Uuid,
    }
    const TEXT: &str = "67e55044-10b1-426f-9247-bb680e5fe0c8";
    const ID: Uuid = Uuid::from_u128(0x67e55044_10b1_426f_9247_bb680e5fe0c8);
    assert_eq!((ID.to_string(), format!("{ID:?}")), (TEXT.to_owned(), TEXT.to_owned()));
    assert_eq!(format!("{ID:>38}"), format!("  {TEXT}"));
    for text in [TEXT.to_owned(), TEXT.to_uppercase(), TEXT.replace('-', "")] {
        assert_eq!(text.parse::<Uuid>().unwrap(), ID, "{text}");
    }
    let moved = TEXT.replacen("4-1", "-41", 1);
    let last = TEXT[..35].to_owned() + "g";
    for text in ["", &TEXT[..35], &moved, &last, &format!("{TEXT}0"), &"é".repeat(16)] {
        assert_eq!(text.parse::<Uuid>().unwrap_err().kind(), ErrorKind::InvalidArgument, "{text}");
    }
    assert!(Uuid::default() < ID);

    let (schema, bytes) = through_a_file(Row { id: ID });
    let field = schema.field("id").unwrap();
    assert_eq!(
        (field.data_type(), field.display()),
        (DataType::Binary(16), Some(DisplayHint::Uuid))
    );
    assert_eq!(bytes, ID.bytes());
}

/// Finds a UUID of the crate `uuid` that comes back as another one.
#[cfg(feature = "uuid")]
#[test]
fn a_uuid_of_the_crate_uuid_comes_back() {
    let id = uuid::Uuid::from_u128(0x67e55044_10b1_426f_9247_bb680e5fe0c8);
    assert_eq!(Uuid::from(id).to_string(), id.to_string());
    assert_eq!(uuid::Uuid::from(Uuid::from(id)), id);
    assert!(Uuid::from(id) == id && Uuid::default() != id);
}

/// Finds a time of jiff that comes back as another one.
#[cfg(feature = "jiff")]
#[test]
fn times_of_jiff_come_back() {
    use flatrec::{CalendarDate, TimeUnit};
    use jiff::civil::{Date, date};
    use jiff::{SignedDuration, Timestamp};
    for text in ["1969-12-31T23:59:59.999999Z", "1970-01-01T00:00:00Z", "2026-11-29T20:00:00.5Z"] {
        let time: Timestamp = text.parse().unwrap();
        let microseconds = TimeUnit::Microsecond.timestamp_of(time).unwrap();
        assert_eq!(microseconds, time.as_microsecond());
        assert_eq!(TimeUnit::Microsecond.time::<Timestamp>(microseconds).unwrap(), time);
    }
    assert!(TimeUnit::Second.time::<Timestamp>(i64::MAX).is_err());
    for millis in [0, -1, 90_061_001, -90_061_001] {
        let span: SignedDuration = TimeUnit::Millisecond.span(millis).unwrap();
        assert_eq!(span, SignedDuration::from_millis(millis));
        assert_eq!(TimeUnit::Millisecond.count_of(span).unwrap(), millis);
    }
    for (days, day) in
        [(0, date(1970, 1, 1)), (-1, date(1969, 12, 31)), (20_786, date(2026, 11, 29))]
    {
        assert_eq!((day.to_days().unwrap(), Date::from_days(days).unwrap()), (days, day));
    }
    assert_eq!(Date::from_days(Date::MIN.to_days().unwrap()).unwrap(), Date::MIN);
    assert!(Date::from_days(i32::MAX).is_err());
}

/// Finds a time of chrono that comes back as another one.
#[cfg(feature = "chrono")]
#[test]
fn times_of_chrono_come_back() {
    use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
    use flatrec::{CalendarDate, TimeUnit};
    for microseconds in [0, -1, 1_796_000_000_500_000] {
        let time: DateTime<Utc> = TimeUnit::Microsecond.time(microseconds).unwrap();
        assert_eq!(time.timestamp_micros(), microseconds);
        assert_eq!(TimeUnit::Microsecond.timestamp_of(time).unwrap(), microseconds);
    }
    assert!(TimeUnit::Second.time::<DateTime<Utc>>(i64::MAX).is_err());
    for millis in [0, -1, 90_061_001, -90_061_001] {
        let span: TimeDelta = TimeUnit::Millisecond.span(millis).unwrap();
        assert_eq!(span.num_milliseconds(), millis);
        assert_eq!(TimeUnit::Millisecond.count_of(span).unwrap(), millis);
    }
    for days in [0, -1, 20_786] {
        let day = NaiveDate::from_days(days).unwrap();
        assert_eq!(day.to_days().unwrap(), days);
    }
    assert_eq!(NaiveDate::from_days(20_786).unwrap().to_string(), "2026-11-29");
    assert!(NaiveDate::from_days(i32::MAX).is_err());
}

/// Finds a value that serde reads as another one.
#[cfg(all(feature = "serde", feature = "exchange"))]
#[test]
fn values_of_serde_come_back() {
    fn json<T: serde_core::Serialize + serde_core::de::DeserializeOwned>(value: T) -> String {
        let text = serde_json::to_string(&value).unwrap();
        let again = serde_json::to_string(&serde_json::from_str::<T>(&text).unwrap()).unwrap();
        assert_eq!(again, text);
        text
    }
    assert_eq!(json(Enum::from(Side::Buy)), "\"BUY\"");
    assert_eq!(json(Enum::<Side>::from_number(7)), "7");
    assert_eq!(json(Enum::from(Level::Low)), "\"Low\"");
    assert_eq!(json(Enum::<Level>::from_number(-7)), "-7");
    assert_eq!(json(Enum::<Wide>::from_number(u64::MAX - 1)), "18446744073709551614");
    assert_eq!(json([Nullable::some(5_u8), Nullable::null()]), "[5,null]");
    assert_eq!(json((Bool::new(true), Char::new('Ä'))), "[true,\"Ä\"]");
    assert_eq!(json(Utf8::<4>::literal("Ær")), "\"Ær\"");
    assert_eq!(json(Uuid::from_u128(7)), "\"00000000-0000-0000-0000-000000000007\"");
    for (text, said) in [
        ("\"Hold\"", "the name or the number of a variant of Side"),
        ("256", "the name or the number of a variant of Side"),
        ("-1", "the name or the number of a variant of Side"),
    ] {
        let error = serde_json::from_str::<Enum<Side>>(text).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    assert!(serde_json::from_str::<Utf8<2>>("\"abc\"").is_err());
}
