use super::*;
use crate::exchange::csv::infer::Seen;
use crate::format::TimeUnit;
use proptest::prelude::*;

const TYPES: [DataType; 17] = [
    DataType::Bool,
    DataType::Int8,
    DataType::Int16,
    DataType::Int32,
    DataType::Int64,
    DataType::UInt8,
    DataType::UInt16,
    DataType::UInt32,
    DataType::UInt64,
    DataType::Float32,
    DataType::Float64,
    DataType::Date32,
    DataType::Timestamp(TimeUnit::Second),
    DataType::Timestamp(TimeUnit::Millisecond),
    DataType::Timestamp(TimeUnit::Nanosecond),
    DataType::Utf8(12),
    DataType::Binary(2),
];

fn cell(text: &str) -> Cell<'_> {
    Cell::new(text.as_bytes(), text.len())
}

/// Stores the text in one of the two ways.
fn put(column: &Column, cell: Cell<'_>, record: &mut [u8]) -> Result<bool, Refused> {
    match column.put(cell, true, record, &mut Facts::default()) {
        true => Ok(false),
        false => column.put_general(cell.text(), record),
    }
}

/// Texts that are values, or nearly.
fn texts() -> impl Strategy<Value = String> {
    prop_oneof![
        "-?[0-9]{1,20}",
        "[-+]?0{0,3}[0-9]{1,17}\\.?0{0,3}",
        "[-+]?[0-9]{0,12}\\.?[0-9]{0,10}",
        "[-+]?[0-9]{1,3}(\\.[0-9]{1,3})?[eE][-+]?[0-9]{1,3}",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]",
        "[0-9]{4}-(0[1-9]|1[0-2])-[0-2][0-9][T ][0-2][0-9]:[0-5][0-9](:[0-6][0-9])?\
         (\\.[0-9]{0,10})?(Z|z|[-+]0[0-9](:?[0-5][0-9])?)?",
        any::<i64>().prop_map(|value| value.to_string()),
        any::<f64>().prop_map(|value| format!("{value:?}")),
        any::<f32>().prop_map(|value| format!("{value}")),
        "[ -~äöü€]{0,14}",
        "\\PC{0,5}\0?",
        "[tT]rue|TRUE|[fF]alse|FALSE|[01]|[TF]",
        Just("NaN".to_owned()),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn fast_ways_agree_with_parse_text(
        text in texts(),
        follows in "[0-9.,\n]{0,20}",
        data_type in prop::sample::select(&TYPES[..]),
        utc in any::<bool>(),
        nullable in any::<bool>(),
    ) {
        let mut field = Field::new("x", data_type).at(3);
        if utc && matches!(data_type, DataType::Timestamp(_)) {
            field = field.utc();
        }
        if nullable {
            field = field.nullable();
        }
        let mut expected = [0; 24];
        let result = field.parse_text(&text, &mut expected);
        let mut record = [0; 24];
        let column = Column::new(&field, &CsvOptions::new(), &NullTexts::default());
        let put = put(&column, cell(&text), &mut record);
        // The text after the cell makes no difference.
        let longer = format!("{text}{follows}");
        let mut with_tail = [0; 24];
        let tail_put = self::put(&column, Cell::new(longer.as_bytes(), text.len()), &mut with_tail);
        prop_assert_eq!(&tail_put, &put);
        prop_assert_eq!(with_tail, record);
        prop_assert_eq!(put.is_ok(), result.is_ok(), "{:?} into {}", text, field);
        if put.is_ok() {
            prop_assert_eq!(record, expected, "{:?} into {}", text, field);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn fast_ways_note_what_inference_does(
        text in texts(),
        data_type in prop::sample::select(&TYPES[..]),
        utc in any::<bool>(),
    ) {
        let mut field = Field::new("x", data_type).at(0);
        if utc && matches!(data_type, DataType::Timestamp(_)) {
            field = field.utc();
        }
        let column = Column::new(&field, &CsvOptions::new(), &NullTexts::default());
        let (mut noted, mut inferred) = (Seen::default(), Seen::default());
        let mut facts = Facts::default();
        if column.put(cell(&text), true, &mut [0; 24], &mut facts) && !column.is_plain_text() {
            inferred.text(cell(&text), || 0);
            noted.length(text.len());
        }
        noted.facts(facts);
        prop_assert_eq!(noted, inferred, "{:?} in {}", text, field);
    }
}

/// Files take the fast paths, and not only the texts of this test's author.
#[test]
fn common_texts_take_the_fast_path() {
    for (data_type, text) in [
        (DataType::Int64, "-1234567890123456"),
        (DataType::UInt8, "255"),
        (DataType::Float64, "-1234.5678"),
        (DataType::Float64, "12"),
        (DataType::Date32, "2013-01-31"),
        (DataType::Timestamp(TimeUnit::Millisecond), "2013-01-31 05:00:00.125"),
        (DataType::Bool, "False"),
        (DataType::Utf8(12), "text"),
    ] {
        let column =
            Column::new(&Field::new("x", data_type), &CsvOptions::new(), &NullTexts::default());
        let mut record = [0; 12];
        let value = &mut record[..data_type.size_bytes() as usize];
        assert!(
            column.put_fast(cell(text), true, value, &mut Facts::default()),
            "{text} into {data_type}"
        );
    }
}

#[test]
fn columns_pair_up_with_fields() {
    let schema =
        Schema::packed([Field::new("a", DataType::Int8), Field::new("b", DataType::Int16)])
            .unwrap();
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|&n| n.to_owned()).collect() };
    let [header, no_header] = [true, false].map(|header| CsvOptions::new().header(header));
    let columns = Column::for_schema(&schema, &names(&["b", "a"]), &header).unwrap();
    assert_eq!(columns.iter().map(Column::name).collect::<Vec<_>>(), ["b", "a"]);
    let columns = Column::for_schema(&schema, &names(&["x", "y"]), &no_header).unwrap();
    assert_eq!(columns.iter().map(Column::name).collect::<Vec<_>>(), ["a", "b"]);

    let error = Column::for_schema(&schema, &names(&["a", "c"]), &header).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::SchemaMismatch);
    let text = error.to_string();
    assert!(text.contains("no field for column \"c\"; no column for field \"b\""), "{text}");
    let error = Column::for_schema(&schema, &names(&["a"]), &no_header).unwrap_err();
    assert!(error.to_string().contains("1 columns for 2 fields"), "{error}");
}
