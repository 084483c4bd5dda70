//! Random conditions on batches of random records of random schemas, damaged ones among them,
//! against the walk through the [`tree`](super::tree) for each record: the same records, and the
//! same error for the same record.

use proptest::prelude::*;

use super::zeros;
use crate::format::{DataType, Field, Found, RecordLayout, Schema, TimeUnit};
use crate::query::Filter;
use crate::query::batch::Run;
use crate::query::node::Truth;
use crate::query::scan::Verdicts;
use crate::txn::slots;

/// A type, literals that its fields take, and a number for the types that compare with it.
type Kind = (DataType, &'static [&'static str], u8);

const SMALL: &[&str] = &["0", "1", "-1", "2.5", "-0.5", "127", "128", "-129", "255", "1e30", "3"];
const LARGE: &[&str] = &[
    "0",
    "-1",
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "-9223372036854775808",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-0.5",
    "1e30",
];
const HUGE: &[&str] = &[
    "0",
    "-1",
    "-0.5",
    "18446744073709551616",
    "170141183460469231731687303715884105727",
    "170141183460469231731687303715884105728",
    "340282366920938463463374607431768211455",
    "-170141183460469231731687303715884105728",
    "2.5",
];
const FLOATS: &[&str] = &["0", "-0.0", "1", "-1", "0.5", "2", "'inf'", "'-inf'", "16777216"];
const DOUBLES: &[&str] =
    &["0", "-0.0", "9007199254740992", "9007199254740994", "-1", "18446744073709551616", "'inf'"];
const TEXTS: &[&str] = &["''", "'a'", "'ab'", "'abc'", "'é'", "'b'", "'aaaaaaaaaaaaaaaaaaaaaa'"];
const BYTES: &[&str] = &["X''", "X'61'", "X'6100'", "X'616200'", "X'ff'", "X'00'"];
const BOOLS: &[&str] = &["TRUE", "FALSE"];
const DAYS: &[&str] = &["'1970-01-01'", "'1970-01-02'", "'1969-12-31'", "'+200000-01-01'"];
const INSTANTS: &[&str] = &[
    "'1970-01-01'",
    "'1970-01-01 00:00:01'",
    "'1969-12-31 23:59:59.999'",
    "'1970-01-02'",
    "'1970-01-01 00:00:00.000000001'",
    "'+200000-01-01 00:00'",
];
const SPANS: &[&str] = &["'PT0S'", "'PT1S'", "'-PT0.001S'", "'PT0.000000001S'"];

const KINDS: &[Kind] = &[
    (DataType::Int8, SMALL, 0),
    (DataType::Int16, SMALL, 0),
    (DataType::Int32, SMALL, 0),
    (DataType::Int64, LARGE, 0),
    (DataType::UInt8, SMALL, 0),
    (DataType::UInt16, SMALL, 0),
    (DataType::UInt32, SMALL, 0),
    (DataType::UInt64, LARGE, 0),
    (DataType::Int128, HUGE, 0),
    (DataType::UInt128, HUGE, 0),
    (DataType::Float32, FLOATS, 0),
    (DataType::Float64, DOUBLES, 0),
    (DataType::Utf8(1), TEXTS, 1),
    (DataType::Utf8(3), TEXTS, 1),
    (DataType::Utf8(8), TEXTS, 1),
    (DataType::Utf8(21), TEXTS, 1),
    (DataType::Binary(2), BYTES, 2),
    (DataType::Binary(16), BYTES, 2),
    (DataType::Bool, BOOLS, 3),
    (DataType::Date32, DAYS, 4),
    (DataType::Timestamp(TimeUnit::Second), INSTANTS, 4),
    (DataType::Timestamp(TimeUnit::Millisecond), INSTANTS, 4),
    (DataType::Timestamp(TimeUnit::Nanosecond), INSTANTS, 4),
    (DataType::Duration(TimeUnit::Second), SPANS, 5),
    (DataType::Duration(TimeUnit::Microsecond), SPANS, 5),
];

/// Choices by number: each takes its remainder by what there is to choose from.
#[derive(Clone, Debug)]
enum Cond {
    Leaf { field: u8, shape: u8, op: u8, literals: [u8; 10], other: u8 },
    Not(Box<Cond>),
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Is(Box<Cond>, u8),
}

fn pick<T: Copy>(from: &[T], choice: u8) -> T {
    from[usize::from(choice) % from.len()]
}

impl Cond {
    fn sql(&self, kinds: &[Kind]) -> String {
        let all = |parts: &[Self], link: &str| {
            let parts: Vec<String> =
                parts.iter().map(|it| format!("({})", it.sql(kinds))).collect();
            parts.join(link)
        };
        match self {
            Self::Not(inner) => format!("NOT ({})", inner.sql(kinds)),
            Self::And(parts) => all(parts, " AND "),
            Self::Or(parts) => all(parts, " OR "),
            Self::Is(inner, truth) => {
                let truth = pick(&["TRUE", "NOT TRUE", "FALSE", "UNKNOWN", "NOT UNKNOWN"], *truth);
                format!("({}) IS {truth}", inner.sql(kinds))
            }
            Self::Leaf { field, shape, op, literals, other } => {
                let field = usize::from(*field) % kinds.len();
                let (data_type, known, kind) = kinds[field];
                let op = pick(&["=", "<>", "<", "<=", ">", ">="], *op);
                let literal = |at: usize| pick(known, literals[at]);
                let few = 1 + usize::from(*other) % literals.len();
                match shape % 8 {
                    0..2 => format!("f{field} {op} {}", literal(0)),
                    2 => format!("f{field} BETWEEN {} AND {}", literal(0), literal(1)),
                    3 => {
                        let list: Vec<&str> = (0..few).map(literal).collect();
                        format!("f{field} IN ({})", list.join(", "))
                    }
                    4..6 => {
                        let alike: Vec<usize> =
                            (0..kinds.len()).filter(|&at| kinds[at].2 == kind).collect();
                        format!("f{field} {op} f{}", pick(&alike, *other))
                    }
                    6 if matches!(data_type, DataType::Utf8(_)) => {
                        let pattern = ["a%", "%a", "%b%", "a", "_", "%é_%", "a%a%a", "", "%"];
                        format!("f{field} LIKE '{}'", pick(&pattern, *other))
                    }
                    6 if data_type == DataType::Bool => format!("f{field}"),
                    _ => format!("f{field} IS NULL"),
                }
            }
        }
    }
}

fn leaf() -> impl Strategy<Value = Cond> {
    any::<(u8, u8, u8, [u8; 10], u8)>().prop_map(|(field, shape, op, literals, other)| Cond::Leaf {
        field,
        shape,
        op,
        literals,
        other,
    })
}

fn condition() -> impl Strategy<Value = Cond> {
    leaf().prop_recursive(3, 8, 3, |inner| {
        let some = || prop::collection::vec(inner.clone(), 2..4);
        prop_oneof![
            inner.clone().prop_map(|it| Cond::Not(Box::new(it))),
            some().prop_map(Cond::And),
            some().prop_map(Cond::Or),
            (inner, any::<u8>()).prop_map(|(it, truth)| Cond::Is(Box::new(it), truth)),
        ]
    })
}

/// The bytes of a value, little-endian; for some texts and bools these are not valid.
fn value(data_type: DataType, choice: u8) -> Vec<u8> {
    const INTS: [i128; 16] = [
        0,
        1,
        -1,
        2,
        3,
        127,
        -128,
        255,
        86_400,
        1 << 53,
        (1 << 53) + 1,
        i64::MAX as i128,
        i64::MIN as i128,
        u64::MAX as i128,
        i128::MAX,
        i128::MIN,
    ];
    const REALS: [f64; 12] = [
        0.0,
        -0.0,
        1.0,
        -1.0,
        0.5,
        2.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        9_007_199_254_740_992.0,
        18_446_744_073_709_551_616.0,
        1e300,
    ];
    const WORDS: [&[u8]; 10] = [
        b"",
        b"a",
        b"ab",
        b"abc",
        b"ba",
        "é".as_bytes(),
        b"aaaaaaaaaaaaaaaaaaaaa",
        b"\xA9b",
        b"a\0b",
        "aéb".as_bytes(),
    ];
    match data_type {
        DataType::Bool => vec![pick(&[0, 1, 0, 1, 0, 1, 0, 1, 2], choice)],
        DataType::Float32 => (pick(&REALS, choice) as f32).to_le_bytes().to_vec(),
        DataType::Float64 => pick(&REALS, choice).to_le_bytes().to_vec(),
        DataType::Utf8(len) | DataType::Binary(len) => {
            let mut bytes = pick(&WORDS, choice).to_vec();
            bytes.resize(usize::try_from(len).unwrap(), 0);
            bytes
        }
        int => {
            let len = usize::try_from(int.size_bytes()).unwrap();
            pick(&INTS, choice).to_le_bytes()[..len].to_vec()
        }
    }
}

/// A choice for each field's value, each field's presence byte, and the status byte.
type Choices = (Vec<(u8, u8)>, u8);

fn choices() -> impl Strategy<Value = Choices> {
    let presence = prop_oneof![40 => Just(1_u8), 20 => Just(0), 1 => any::<u8>()];
    let status = prop_oneof![40 => Just(1_u8), 10 => Just(2), 1 => any::<u8>()];
    (prop::collection::vec((any::<u8>(), presence), 5), status)
}

fn field(number: usize, data_type: DataType, nullable: bool, big_endian: bool) -> Field {
    let field = Field::new(format!("f{number}"), data_type);
    let has_order =
        data_type.size_bytes() > 1 && !matches!(data_type, DataType::Utf8(_) | DataType::Binary(_));
    let field = if nullable { field.nullable() } else { field };
    if big_endian && has_order { field.big_endian() } else { field }
}

/// The strides of the records.
fn encode(schema: &Schema, layout: &RecordLayout, records: &[Choices]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (fields, status) in records {
        let mut record = zeros(schema);
        for (field, (choice, presence)) in schema.fields().iter().zip(fields) {
            let mut at = usize::try_from(field.offset()).unwrap();
            if field.is_nullable() {
                record[at] = *presence;
                at += 1;
            }
            let mut value = value(field.data_type(), *choice);
            if field.is_big_endian() {
                value.reverse();
            }
            record[at..at + value.len()].copy_from_slice(&value);
        }
        if layout.deletes {
            record.push(*status);
        }
        record.resize(layout.stride, 0);
        bytes.extend_from_slice(&record);
    }
    bytes
}

/// What a walk through the records finds: numbers, and errors.
type Walk = Vec<Result<u64, String>>;

fn by_the_tree(filter: &Filter, layout: &RecordLayout, bytes: &[u8]) -> Walk {
    let mut walk = Vec::new();
    for (id, stride) in (0..).zip(bytes.chunks_exact(layout.stride)) {
        let record = &stride[..layout.record_size];
        match layout.found(stride) {
            Ok(Found::Live) => match filter.root.of(record) {
                Ok(Truth::True) => walk.push(Ok(id)),
                Ok(_) => {}
                Err(damaged) => walk.push(Err(damaged.0.damaged(record).record(id).to_string())),
            },
            Ok(_) => {}
            Err(status) => walk.push(Err(slots::damaged(id, status).to_string())),
        }
    }
    walk
}

/// The records in batches, each of runs of `run_len` records.
fn by_batches(filter: &Filter, layout: &RecordLayout, bytes: &[u8], run_len: usize) -> Walk {
    let mut walk = Vec::new();
    let mut verdicts = Verdicts::new(filter, layout).unwrap();
    let (mut id, end) = (0, bytes.len() / layout.stride);
    while id < end {
        let runs: Vec<Run<'_>> = bytes[id * layout.stride..]
            .chunks(run_len * layout.stride)
            .map(|run| Run::new(run, layout.stride))
            .collect();
        verdicts.judge(&runs);
        let count = verdicts.count();
        let before = walk.len();
        while let Some(skipped) = verdicts.next() {
            walk.push(Ok((id + skipped) as u64));
            id += skipped + 1;
        }
        assert_eq!(count, (walk.len() - before) as u64);
        id += verdicts.skip_rest();
        if let Some(error) = verdicts.take_trouble(id as u64) {
            walk.push(Err(error.to_string()));
            id += 1;
        }
    }
    walk
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_500))]

    #[test]
    fn batches_agree_with_the_tree(
        kinds in prop::collection::vec((any::<u8>(), any::<bool>(), any::<bool>()), 1..5),
        deletes in any::<bool>(),
        condition in condition(),
        records in prop::collection::vec(choices(), 1..150),
        run_len in 1..40_usize,
    ) {
        let chosen: Vec<Kind> = kinds.iter().map(|(kind, ..)| pick(KINDS, *kind)).collect();
        let fields = chosen.iter().zip(&kinds).enumerate();
        let fields = fields.map(|(at, (kind, (_, null, big)))| field(at, kind.0, *null, *big));
        let fields = fields.chain([Field::new("filler", DataType::Binary(8))]);
        let schema = Schema::packed(fields).unwrap();
        let size = schema.record_size();
        let layout = RecordLayout::new(65_536, size, 1, deletes).unwrap();
        let bytes = encode(&schema, &layout, &records);
        let sql = condition.sql(&chosen);
        let filter = Filter::parse(&sql, &schema)
            .map_err(|error| TestCaseError::fail(format!("{sql}: {error}")))?;
        let expected = by_the_tree(&filter, &layout, &bytes);
        prop_assert_eq!(&by_batches(&filter, &layout, &bytes, run_len), &expected, "{}", sql);
        // One by one, which is how a batch with damage is read.
        for (id, stride) in (0..).zip(bytes.chunks_exact(layout.stride)) {
            if layout.found(stride) != Ok(Found::Live) {
                continue;
            }
            let matches = filter.matches(&stride[..layout.record_size]);
            let found = matches.map_err(|error| error.record(id).to_string());
            let wanted = expected.iter().find(|it| match it {
                Ok(match_id) => *match_id == id,
                Err(text) => text.contains(&format!("record {id}:")),
            });
            match (found, wanted) {
                (Ok(true), Some(Ok(_))) | (Ok(false), None) => {}
                (Err(error), Some(Err(wanted))) => prop_assert_eq!(&error, wanted),
                other => prop_assert!(false, "{}: record {}: {:?}", sql, id, other),
            }
        }
    }
}
