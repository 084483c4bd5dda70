//! The type of an array's elements: the `descr` of the header.

use super::literal::Literal;
use crate::error::quoted;
use crate::format::{DataType, MAX_RECORD_BYTES, TimeUnit};

/// A value within one element of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Leaf {
    /// The name, those of outer records before it, with dots between.
    pub(super) name: String,
    /// The place in the element.
    pub(super) at: usize,
    pub(super) kind: Kind,
    pub(super) big_endian: bool,
    /// The lengths of the dimensions, if the value is an array.
    pub(super) shape: Vec<u32>,
}

/// What the bytes of a value mean.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// A bool, an integer or a float of the same form in a store.
    Number(DataType),
    /// A float of 16 bits.
    Half,
    /// Days since 1970 in 64 bits.
    Days,
    /// A timestamp or a duration, of which one value is no time.
    Time(DataType),
    /// Bytes that are text, with NUL after their end.
    Bytes(u32),
    /// So many code points of 32 bits.
    Unicode(u32),
    /// Bytes without a meaning.
    Void(u32),
}

impl Kind {
    /// The length of one value.
    pub(super) fn size_bytes(self) -> u64 {
        match self {
            Self::Number(data_type) | Self::Time(data_type) => data_type.size_bytes().into(),
            Self::Half => 2,
            Self::Days => 8,
            Self::Bytes(len) | Self::Void(len) => len.into(),
            Self::Unicode(chars) => 4 * u64::from(chars),
        }
    }
}

impl Leaf {
    /// The number of values.
    pub(super) fn count(&self) -> u64 {
        self.shape.iter().fold(1, |count, &len| count.saturating_mul(len.into()))
    }

    pub(super) fn size_bytes(&self) -> u64 {
        self.kind.size_bytes().saturating_mul(self.count())
    }
}

/// The elements of an array.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dtype {
    pub(super) leaves: Vec<Leaf>,
    pub(super) size_bytes: usize,
    /// Whether the elements are records.
    pub(super) is_structured: bool,
}

/// Why a type is refused, and what to do.
pub(super) type Refused = (String, &'static str);

const DAMAGED: &str = "write the array again with numpy.save";
const FIELDS: &str = "keep its fields as arrays of their own";

impl Dtype {
    /// The type that `descr` describes.
    pub(super) fn new(descr: &Literal) -> Result<Self, Refused> {
        let mut leaves = Vec::new();
        let mut end = 0;
        match descr {
            Literal::List(fields) => add_fields(fields, "", &mut end, &mut leaves)?,
            other => add(other, "", Vec::new(), &mut end, &mut leaves)?,
        }
        let size_bytes = usize::try_from(end).unwrap_or(usize::MAX);
        let is_structured = matches!(descr, Literal::List(_));
        Ok(Self { leaves, size_bytes, is_structured })
    }
}

/// Adds the fields of a record, whose names begin with `outer`.
fn add_fields(
    fields: &[Literal],
    outer: &str,
    end: &mut u64,
    leaves: &mut Vec<Leaf>,
) -> Result<(), Refused> {
    for (number, field) in fields.iter().enumerate() {
        let Literal::Tuple(parts) = field else {
            let why = format!("field {} of the type is {}, no tuple", number + 1, field.kind());
            return Err((why, DAMAGED));
        };
        let (name, descr, shape) = match &parts[..] {
            [name, descr] => (name, descr, Vec::new()),
            [name, descr, shape] => (name, descr, shape_of(shape)?),
            _ => {
                let why = format!("field {} of the type has {} parts", number + 1, parts.len());
                return Err((why, DAMAGED));
            }
        };
        let name = match name {
            Literal::Text(name) => name,
            // A title, which only a program needs, and the name.
            Literal::Tuple(titled) => match &titled[..] {
                [_, Literal::Text(name)] => name,
                _ => return Err(("a field without a name".into(), DAMAGED)),
            },
            other => return Err((format!("a name of a field is {}", other.kind()), DAMAGED)),
        };
        if let ("", Literal::Text(code)) = (&**name, descr) {
            // Bytes between two fields, or after the last.
            if let Ok((Kind::Void(len), _)) = kind_of(code) {
                *end += u64::from(len);
                continue;
            }
        }
        let name = format!("{outer}{name}");
        match descr {
            Literal::List(_) if !shape.is_empty() => {
                return Err((format!("field {} is an array of records", quoted(&name)), FIELDS));
            }
            Literal::List(fields) => add_fields(fields, &format!("{name}."), end, leaves)?,
            other => add(other, &name, shape, end, leaves)?,
        }
    }
    Ok(())
}

/// Adds a value that is no record.
fn add(
    descr: &Literal,
    name: &str,
    mut shape: Vec<u32>,
    end: &mut u64,
    leaves: &mut Vec<Leaf>,
) -> Result<(), Refused> {
    if let Literal::Tuple(parts) = descr {
        if let [base, inner @ (Literal::Tuple(_) | Literal::Integer(_))] = &parts[..] {
            shape.extend(shape_of(inner)?);
            if matches!(base, Literal::List(_)) {
                return Err((format!("field {} is an array of records", quoted(name)), FIELDS));
            }
            return add(base, name, shape, end, leaves);
        }
    }
    let Literal::Text(code) = descr else {
        return Err((format!("a type is {}, no string", descr.kind()), DAMAGED));
    };
    let (kind, big_endian) = kind_of(code).map_err(|(why, advice)| {
        let place =
            if name.is_empty() { String::new() } else { format!("field {}: ", quoted(name)) };
        (format!("{place}{why}"), advice)
    })?;
    let at = usize::try_from(*end).unwrap_or(usize::MAX);
    let leaf = Leaf { name: name.to_owned(), at, kind, big_endian, shape };
    let size_bytes = leaf.size_bytes();
    if size_bytes > MAX_RECORD_BYTES.into() || *end + size_bytes > MAX_RECORD_BYTES.into() {
        let why = format!("a record of more than {} MiB", MAX_RECORD_BYTES >> 20);
        return Err((why, "divide its fields among several arrays"));
    }
    *end += size_bytes;
    if size_bytes == 0 {
        return Err((format!("the type {} has no bytes", quoted(code)), "leave it out"));
    }
    leaves.push(leaf);
    Ok(())
}

/// A shape: a tuple of lengths, or one length.
pub(super) fn shape_of(shape: &Literal) -> Result<Vec<u32>, Refused> {
    let lengths = match shape {
        Literal::Tuple(lengths) => &lengths[..],
        one => std::slice::from_ref(one),
    };
    let length = |length: &Literal| match length {
        Literal::Integer(length @ 1..) => u32::try_from(*length).ok(),
        _ => None,
    };
    let lengths: Option<Vec<u32>> = lengths.iter().map(length).collect();
    lengths.ok_or_else(|| {
        ("a shape of a field is no tuple of lengths above 0".into(), "leave that field out")
    })
}

/// The meaning of a code such as `<i4`, and whether its bytes are big-endian.
fn kind_of(code: &str) -> Result<(Kind, bool), Refused> {
    let unknown = || (format!("unknown type {}", quoted(code)), DAMAGED);
    let (big_endian, rest) = match code.split_at_checked(1) {
        Some((">", rest)) => (true, rest),
        Some(("<" | "|" | "=", rest)) => (false, rest),
        Some(_) => (false, code),
        None => return Err(unknown()),
    };
    let Some((letter, rest)) = rest.split_at_checked(1) else { return Err(unknown()) };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (digits, unit) = rest.split_at(digits);
    let len = || digits.parse::<u32>().map_err(|_| unknown());
    let number = |data_type| Ok((Kind::Number(data_type), big_endian));
    match (letter, digits, unit) {
        ("?", "", "") | ("b", "1", "") => number(DataType::Bool),
        ("i", "1", "") => number(DataType::Int8),
        ("i", "2", "") => number(DataType::Int16),
        ("i", "4", "") => number(DataType::Int32),
        ("i", "8", "") => number(DataType::Int64),
        ("u", "1", "") => number(DataType::UInt8),
        ("u", "2", "") => number(DataType::UInt16),
        ("u", "4", "") => number(DataType::UInt32),
        ("u", "8", "") => number(DataType::UInt64),
        ("f", "2", "") => Ok((Kind::Half, big_endian)),
        ("f", "4", "") => number(DataType::Float32),
        ("f", "8", "") => number(DataType::Float64),
        ("f", "12" | "16", "") => Err((
            format!("{code} has no type here: no other program keeps such floats"),
            "convert it: array.astype('f8')",
        )),
        ("c", ..) => Err((
            format!("{code} is complex"),
            "save its parts, array.real and array.imag, as two fields",
        )),
        ("O", ..) => Err((
            "it has Python objects, which are pickled and could run code".into(),
            "convert it to numbers or texts first: array.astype('f8') or array.astype('U')",
        )),
        ("S" | "a", _, "") => Ok((Kind::Bytes(len()?), false)),
        ("U", _, "") => Ok((Kind::Unicode(len()?), big_endian)),
        ("V", _, "") => Ok((Kind::Void(len()?), false)),
        ("M" | "m", "8", unit) => time_of(code, letter == "M", unit).map(|it| (it, big_endian)),
        _ => Err(unknown()),
    }
}

/// The meaning of a time with that unit, such as `[ms]`.
fn time_of(code: &str, is_point: bool, unit: &str) -> Result<Kind, Refused> {
    let unit = unit.strip_prefix('[').and_then(|unit| unit.strip_suffix(']'));
    match (unit, is_point) {
        (Some("D"), true) => return Ok(Kind::Days),
        (Some(unit), _) => {
            if let Some(unit) = TimeUnit::named(unit) {
                return Ok(Kind::Time(match is_point {
                    true => DataType::Timestamp(unit),
                    false => DataType::Duration(unit),
                }));
            }
        }
        (None, _) => {}
    }
    let why = format!("{code} has a unit that is not s, ms, us or ns");
    Err(match is_point {
        true => (why, "convert it: array.astype('M8[s]'), or array.astype('M8[D]') for dates"),
        false => (why, "convert it: array.astype('m8[s]')"),
    })
}
