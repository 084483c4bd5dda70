//! Random conditions on random records, against a plain evaluator: values in a vector, logic as
//! tables, numbers compared by their definitions.

use std::cmp::Ordering;

use jiff::civil;
use proptest::prelude::*;

use super::super::Filter;
use super::{put, zeros};
use crate::format::{DataType, Field, Schema, TimeUnit};

/// A value of one of [`schema`]'s fields, in the order of its fields.
#[derive(Clone, Debug)]
enum Val {
    Null,
    Int(i128),
    Float(f64),
    Text(String),
    Bool(bool),
    /// Nanoseconds since 1970.
    Instant(i128),
}

/// A literal; the field that it is compared with gives it its type.
#[derive(Clone, Debug)]
enum Lit {
    /// A mantissa and how many of its digits follow the point.
    Number(i64, u32),
    Text(String),
    Bool(bool),
    Instant(i128),
}

#[derive(Clone, Debug)]
enum Cond {
    Literal(usize, &'static str, Lit),
    Fields(usize, &'static str, usize),
    Between(usize, Lit, Lit),
    In(usize, Vec<Lit>),
    IsNull(usize),
    Flag,
    Not(Box<Cond>),
    And(Box<Cond>, Box<Cond>),
    Or(Box<Cond>, Box<Cond>),
    Is(Box<Cond>, &'static str),
}

const NUMBERS: [usize; 5] = [0, 1, 2, 3, 4];
const TEXTS: [usize; 2] = [5, 6];
const INSTANTS: [usize; 3] = [7, 8, 9];
const FLAG: usize = 10;
const MILLISECOND: i128 = 1_000_000;
const DAY: i128 = 86_400_000 * MILLISECOND;

fn schema() -> Schema {
    Schema::packed([
        Field::new("i", DataType::Int32).nullable(),
        Field::new("j", DataType::Int64),
        Field::new("u", DataType::UInt64).nullable().big_endian(),
        Field::new("f", DataType::Float64).nullable(),
        Field::new("g", DataType::Float32).big_endian(),
        Field::new("t", DataType::Utf8(2)).nullable(),
        Field::new("s", DataType::Utf8(5)),
        Field::new("d", DataType::Date32).nullable(),
        Field::new("m", DataType::Timestamp(TimeUnit::Millisecond)).nullable(),
        Field::new("n", DataType::Timestamp(TimeUnit::Nanosecond)).utc(),
        Field::new("b", DataType::Bool).nullable(),
    ])
    .unwrap()
}

fn encode(schema: &Schema, values: &[Val]) -> Vec<u8> {
    let mut record = zeros(schema);
    for (field, value) in schema.fields().iter().zip(values) {
        let bytes = match (value, field.data_type()) {
            (Val::Null, _) => continue,
            (Val::Int(v), DataType::Int32) => i32::try_from(*v).unwrap().to_le_bytes().to_vec(),
            (Val::Int(v), DataType::Int64) => i64::try_from(*v).unwrap().to_le_bytes().to_vec(),
            (Val::Int(v), DataType::UInt64) => u64::try_from(*v).unwrap().to_le_bytes().to_vec(),
            (Val::Float(v), DataType::Float64) => v.to_le_bytes().to_vec(),
            (Val::Float(v), DataType::Float32) => (*v as f32).to_le_bytes().to_vec(),
            (Val::Text(v), DataType::Utf8(_)) => v.as_bytes().to_vec(),
            (Val::Bool(v), DataType::Bool) => vec![u8::from(*v)],
            (Val::Instant(v), DataType::Date32) => {
                i32::try_from(v / DAY).unwrap().to_le_bytes().to_vec()
            }
            (Val::Instant(v), DataType::Timestamp(unit)) => {
                let tick = 1_000_000_000 / i128::from(unit.per_second());
                i64::try_from(v / tick).unwrap().to_le_bytes().to_vec()
            }
            (value, data_type) => unreachable!("{value:?} for {data_type}"),
        };
        put(schema, &mut record, field.name(), &bytes);
    }
    record
}

fn name(field: usize) -> &'static str {
    ["i", "j", "u", "f", "g", "t", "s", "d", "m", "n", "b"][field]
}

impl Lit {
    fn sql(&self) -> String {
        match self {
            Self::Number(mantissa, 0) => mantissa.to_string(),
            Self::Number(mantissa, places) => format!("{mantissa}e-{places}"),
            Self::Text(text) => format!("'{}'", text.replace('\'', "''")),
            Self::Bool(value) => value.to_string(),
            Self::Instant(nanoseconds) => {
                let epoch = civil::date(1970, 1, 1).at(0, 0, 0, 0);
                let nanoseconds = i64::try_from(*nanoseconds).unwrap();
                format!("'{}'", epoch + jiff::SignedDuration::from_nanos(nanoseconds))
            }
        }
    }
}

impl Cond {
    fn sql(&self) -> String {
        match self {
            Self::Literal(field, op, literal) => {
                format!("{} {op} {}", name(*field), literal.sql())
            }
            Self::Fields(left, op, right) => format!("{} {op} {}", name(*left), name(*right)),
            Self::Between(field, low, high) => {
                format!("{} BETWEEN {} AND {}", name(*field), low.sql(), high.sql())
            }
            Self::In(field, list) => {
                let list: Vec<String> = list.iter().map(Lit::sql).collect();
                format!("{} IN ({})", name(*field), list.join(", "))
            }
            Self::IsNull(field) => format!("{} IS NULL", name(*field)),
            Self::Flag => name(FLAG).into(),
            Self::Not(inner) => format!("NOT ({})", inner.sql()),
            Self::And(left, right) => format!("({}) AND ({})", left.sql(), right.sql()),
            Self::Or(left, right) => format!("({}) OR ({})", left.sql(), right.sql()),
            Self::Is(inner, what) => format!("({}) IS {what}", inner.sql()),
        }
    }

    /// `None` is unknown.
    fn of(&self, values: &[Val]) -> Option<bool> {
        match self {
            Self::Literal(field, op, literal) => {
                if let Val::Null = values[*field] {
                    return None;
                }
                Some(holds(op, order_literal(*field, &values[*field], literal)))
            }
            Self::Fields(left, op, right) => match (&values[*left], &values[*right]) {
                (Val::Null, _) | (_, Val::Null) => None,
                (left, right) => Some(holds(op, order(left, right))),
            },
            Self::Between(field, low, high) => {
                let at_least = Self::Literal(*field, ">=", low.clone()).of(values);
                let at_most = Self::Literal(*field, "<=", high.clone()).of(values);
                and(at_least, at_most)
            }
            Self::In(field, list) => {
                let mut found = Some(false);
                for literal in list {
                    let here = Self::Literal(*field, "=", literal.clone()).of(values);
                    found = or(found, here);
                }
                found
            }
            Self::IsNull(field) => Some(matches!(values[*field], Val::Null)),
            Self::Flag => match values[FLAG] {
                Val::Bool(value) => Some(value),
                _ => None,
            },
            Self::Not(inner) => inner.of(values).map(|value| !value),
            Self::And(left, right) => and(left.of(values), right.of(values)),
            Self::Or(left, right) => or(left.of(values), right.of(values)),
            Self::Is(inner, what) => {
                let (not, truth) = match what.strip_prefix("NOT ") {
                    Some(truth) => (true, truth),
                    None => (false, *what),
                };
                let wanted = match truth {
                    "TRUE" => Some(true),
                    "FALSE" => Some(false),
                    _ => None,
                };
                Some((inner.of(values) == wanted) != not)
            }
        }
    }
}

fn and(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(true), Some(true)) => Some(true),
        (Some(false), _) | (_, Some(false)) => Some(false),
        _ => None,
    }
}

fn or(left: Option<bool>, right: Option<bool>) -> Option<bool> {
    match (left, right) {
        (Some(false), Some(false)) => Some(false),
        (Some(true), _) | (_, Some(true)) => Some(true),
        _ => None,
    }
}

fn holds(op: &str, order: Option<Ordering>) -> bool {
    match (op, order) {
        ("=", Some(Ordering::Equal)) => true,
        ("<>", order) => order != Some(Ordering::Equal),
        ("<", Some(Ordering::Less)) => true,
        ("<=", Some(Ordering::Less | Ordering::Equal)) => true,
        (">", Some(Ordering::Greater)) => true,
        (">=", Some(Ordering::Greater | Ordering::Equal)) => true,
        _ => false,
    }
}

fn order(left: &Val, right: &Val) -> Option<Ordering> {
    match (left, right) {
        (Val::Int(left), Val::Int(right)) => Some(left.cmp(right)),
        (Val::Float(left), Val::Float(right)) => left.partial_cmp(right),
        (Val::Text(left), Val::Text(right)) => Some(left.cmp(right)),
        (Val::Bool(left), Val::Bool(right)) => Some(left.cmp(right)),
        (Val::Instant(left), Val::Instant(right)) => Some(left.cmp(right)),
        (Val::Int(_), Val::Float(_)) => order(right, left).map(Ordering::reverse),
        (Val::Float(left), Val::Int(_)) if left.is_infinite() => left.partial_cmp(&0.0),
        (Val::Float(left), Val::Int(_)) if left.is_nan() => None,
        // The floats of `float` are halves of integers if finite.
        (Val::Float(left), Val::Int(right)) => Some(((left * 2.0) as i128).cmp(&(right * 2))),
        (left, right) => unreachable!("{left:?} beside {right:?}"),
    }
}

fn order_literal(field: usize, value: &Val, literal: &Lit) -> Option<Ordering> {
    match (value, literal) {
        (Val::Int(value), Lit::Number(mantissa, places)) => {
            Some((value * 10i128.pow(*places)).cmp(&i128::from(*mantissa)))
        }
        (Val::Float(value), Lit::Number(..)) if name(field) == "g" => {
            let nearest: f32 = literal.sql().parse().unwrap();
            value.partial_cmp(&f64::from(nearest))
        }
        (Val::Float(value), Lit::Number(..)) => {
            value.partial_cmp(&literal.sql().parse::<f64>().unwrap())
        }
        (Val::Text(value), Lit::Text(text)) => Some(value.cmp(text)),
        (Val::Bool(value), Lit::Bool(other)) => Some(value.cmp(other)),
        (Val::Instant(value), Lit::Instant(other)) => Some(value.cmp(other)),
        (value, literal) => unreachable!("{value:?} beside {literal:?}"),
    }
}

// Small domains, so that equal values are frequent, with the limits of each type.

fn int(min: i128, max: i128) -> impl Strategy<Value = Val> {
    let corners = [min, max, 1 << 53, (1 << 53) + 1].map(|corner: i128| corner.clamp(min, max));
    prop_oneof![(-3i128..4).prop_map(move |v| v.max(min)), prop::sample::select(corners.to_vec())]
        .prop_map(Val::Int)
}

fn float() -> impl Strategy<Value = Val> {
    prop_oneof![
        (-6i32..7).prop_map(|halves| f64::from(halves) / 2.0),
        prop::sample::select(vec![
            -0.0,
            f64::NAN,
            f64::INFINITY,
            f64::NEG_INFINITY,
            9_007_199_254_740_992.0,
            18_446_744_073_709_551_616.0,
        ]),
    ]
    .prop_map(Val::Float)
}

fn text(len_max: usize) -> impl Strategy<Value = String> {
    let any = prop::collection::vec(prop::sample::select(vec!["a", "b", "'", "é"]), 0..4);
    any.prop_map(move |parts| {
        let mut text = String::new();
        for part in parts {
            if text.len() + part.len() <= len_max {
                text.push_str(part);
            }
        }
        text
    })
}

fn or_null(values: impl Strategy<Value = Val> + 'static) -> BoxedStrategy<Val> {
    prop_oneof![1 => Just(Val::Null), 3 => values].boxed()
}

fn instant(tick: i128) -> impl Strategy<Value = Val> {
    prop_oneof![-2i128..3, Just(DAY / tick), Just(-DAY / tick), Just(DAY / tick + 1)]
        .prop_map(move |ticks| Val::Instant(ticks * tick))
}

fn record() -> impl Strategy<Value = Vec<Val>> {
    vec![
        or_null(int(i32::MIN.into(), i32::MAX.into())),
        int(i64::MIN.into(), i64::MAX.into()).boxed(),
        or_null(int(0, u64::MAX.into())),
        or_null(float()),
        float().boxed(),
        or_null(text(2).prop_map(Val::Text)),
        text(5).prop_map(Val::Text).boxed(),
        or_null(instant(DAY)),
        or_null(instant(MILLISECOND)),
        instant(1).boxed(),
        or_null(any::<bool>().prop_map(Val::Bool)),
    ]
}

fn number() -> impl Strategy<Value = Lit> {
    prop_oneof![
        (-30i64..40, 0u32..3).prop_map(|(mantissa, places)| Lit::Number(mantissa, places)),
        prop::sample::select(vec![i64::MIN, i64::MAX, 1 << 53, (1 << 53) + 1])
            .prop_map(|mantissa| Lit::Number(mantissa, 0)),
    ]
}

fn literal_instant() -> impl Strategy<Value = Lit> {
    prop_oneof![-2i128..3, Just(MILLISECOND), Just(DAY), Just(-DAY), Just(DAY + MILLISECOND)]
        .prop_map(Lit::Instant)
}

/// Fields of one kind, and the literals that can be compared with them.
fn kinds() -> impl Strategy<Value = (usize, usize, Vec<Lit>)> {
    let pair = |fields: &[usize]| {
        let one = prop::sample::select(fields.to_vec());
        (one.clone(), one)
    };
    let three = |literals: BoxedStrategy<Lit>| prop::collection::vec(literals, 3);
    // A date is compared with whole days only.
    let days = (-1i128..3).prop_map(|days| Lit::Instant(days * DAY));
    prop_oneof![
        3 => (pair(&NUMBERS), three(number().boxed())),
        1 => (pair(&TEXTS), three(text(5).prop_map(Lit::Text).boxed())),
        1 => (pair(&INSTANTS[1..]), three(literal_instant().boxed())),
        1 => (pair(&INSTANTS), three(days.boxed())),
        1 => (pair(&[FLAG]), three(any::<bool>().prop_map(Lit::Bool).boxed())),
    ]
    .prop_map(|((left, right), mut literals)| {
        // A float field does not keep these numbers, and refuses them.
        if [left, right].iter().any(|field| matches!(name(*field), "f" | "g")) {
            for literal in &mut literals {
                if let Lit::Number(mantissa @ (i64::MAX | 0x20_0000_0000_0001), _) = literal {
                    *mantissa = 1 << 53;
                }
            }
        }
        (left, right, literals)
    })
}

fn leaf() -> impl Strategy<Value = Cond> {
    let op = prop::sample::select(vec!["=", "<>", "<", "<=", ">", ">="]);
    (kinds(), op, 0..8).prop_map(|((left, right, mut literals), op, shape)| match shape {
        0..=2 => Cond::Literal(left, op, literals.remove(0)),
        3..=4 => Cond::Fields(left, op, right),
        5 => Cond::Between(left, literals.remove(0), literals.remove(0)),
        6 => Cond::In(left, literals),
        _ if left == FLAG => Cond::Flag,
        _ => Cond::IsNull(left),
    })
}

fn condition() -> impl Strategy<Value = Cond> {
    let truths = ["TRUE", "NOT TRUE", "FALSE", "NOT FALSE", "UNKNOWN", "NOT UNKNOWN"];
    leaf().prop_recursive(3, 6, 2, move |inner| {
        let truth = prop::sample::select(truths.to_vec());
        prop_oneof![
            inner.clone().prop_map(|c| Cond::Not(Box::new(c))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Cond::And(Box::new(a), Box::new(b))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Cond::Or(Box::new(a), Box::new(b))),
            (inner, truth).prop_map(|(c, truth)| Cond::Is(Box::new(c), truth)),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3_000))]

    #[test]
    fn filters_agree_with_the_plain_evaluator(condition in condition(), values in record()) {
        let schema = schema();
        let record = encode(&schema, &values);
        let sql = condition.sql();
        let filter = Filter::parse(&sql, &schema).map_err(|e| TestCaseError::fail(e.to_string()))?;
        prop_assert_eq!(
            filter.matches(&record).unwrap(), condition.of(&values) == Some(true), "{}", sql
        );
        // A condition that is not true is false or unknown: its opposite tells which.
        let contrary = Filter::parse(&format!("NOT ({sql})"), &schema).unwrap();
        prop_assert_eq!(
            contrary.matches(&record).unwrap(), condition.of(&values) == Some(false), "{}", sql
        );
    }
}
