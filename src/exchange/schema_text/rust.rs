//! Schemas as Rust structs.

use std::fmt::Write as _;

use super::{Names, Piece, check_record_name, identifier, pieces};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, Field, Schema};

/// Words that cannot be names in Rust; a field with such a name gets an underscore.
const KEYWORDS: &[&str] = &[
    "as", "async", "await", "break", "const", "continue", "crate", "dyn", "else", "enum", "extern",
    "false", "fn", "for", "gen", "if", "impl", "in", "let", "loop", "match", "mod", "move", "mut",
    "pub", "ref", "return", "self", "Self", "static", "struct", "super", "trait", "true", "type",
    "unsafe", "use", "where", "while", "abstract", "become", "box", "do", "final", "macro",
    "override", "priv", "try", "typeof", "unsized", "virtual", "yield", "_",
];

/// A Rust struct `name` with this schema, ready to open the store.
///
/// Its types have no alignment, so that it reads every store of this schema in place, and their
/// byte order is the file's on every host. A name that is not valid in Rust is changed, and the
/// original is kept in an attribute.
///
/// ```
/// use flatrec::exchange::schema_to_rust;
/// use flatrec::{DataType, Field, Schema, TimeUnit};
/// let schema = Schema::packed([
///     Field::new("at", DataType::Timestamp(TimeUnit::Second)).utc(),
///     Field::new("type", DataType::Utf8(4)).nullable(),
/// ])?;
/// let text = schema_to_rust(&schema, "Event")?;
/// assert_eq!(text, r#"#[derive(Clone, Copy, Debug, flatrec::Record)]
/// #[repr(C)]
/// pub struct Event {
///     #[record(timestamp = "s", utc)]
///     pub at: flatrec::le::I64,
///     #[record(rename = "type")]
///     pub type_: flatrec::Nullable<flatrec::Utf8<4>>,
/// }
/// "#);
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if `name` is not an identifier; [`ErrorKind::Unsupported`] for a
/// field without a Rust type: a fixed array of `uint8` (which is `binary` in Rust) or of `binary`.
pub fn schema_to_rust(schema: &Schema, name: &str) -> Result<String> {
    check_record_name(name)?;
    if KEYWORDS.contains(&name) {
        return Err(Error::new(ErrorKind::InvalidArgument, "name the record")
            .detail(format!("{name:?} is a keyword of Rust"))
            .advice("use another name"));
    }
    let mut names = Names::new(KEYWORDS.iter().map(|&word| word.to_owned()));
    let mut members = String::new();
    let mut put = |line: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = members.write_fmt(line);
    };
    let mut capitals = false;
    for piece in pieces(schema) {
        match piece {
            Piece::Gap { offset, len_bytes } => {
                let name = names.unique(format!("_gap_{offset}"));
                put(format_args!("    #[record(skip)]\n    pub {name}: [u8; {len_bytes}],\n"));
            }
            Piece::Field(field) => {
                let name = names.unique(identifier(field.name()));
                capitals |= name.contains(|letter: char| letter.is_ascii_uppercase());
                let attribute = attribute(field, &name);
                if !attribute.is_empty() {
                    put(format_args!("    #[record({attribute})]\n"));
                }
                put(format_args!("    pub {name}: {},\n", type_of(field)?));
            }
        }
    }
    let allow = if capitals { "#[allow(non_snake_case)]\n" } else { "" };
    Ok(format!(
        "#[derive(Clone, Copy, Debug, flatrec::Record)]\n#[repr(C)]\n{allow}pub struct {name} {{\n\
         {members}}}\n"
    ))
}

/// The content of `#[record(…)]`, empty if it is not needed.
fn attribute(field: &Field, name: &str) -> String {
    let mut parts = Vec::new();
    if field.name() != name {
        parts.push(format!("rename = {:?}", field.name()));
    }
    match field.data_type() {
        DataType::Timestamp(unit) => parts.push(format!("timestamp = {:?}", unit.name())),
        DataType::Duration(unit) => parts.push(format!("duration = {:?}", unit.name())),
        DataType::Date32 => parts.push("date".into()),
        _ => {}
    }
    if let Some(display) = field.display() {
        parts.push(format!("display = {:?}", display.name()));
    }
    if field.is_utc() {
        parts.push("utc".into());
    }
    parts.join(", ")
}

fn type_of(field: &Field) -> Result<String> {
    let order = if field.is_big_endian() { "be" } else { "le" };
    let number = |name: &str| format!("flatrec::{order}::{name}");
    let element = match field.data_type() {
        DataType::Bool => "flatrec::Bool".into(),
        DataType::Int8 => "i8".into(),
        DataType::UInt8 => "u8".into(),
        DataType::Int16 => number("I16"),
        DataType::Int32 | DataType::Date32 => number("I32"),
        DataType::Int64 | DataType::Timestamp(_) | DataType::Duration(_) => number("I64"),
        DataType::Int128 => number("I128"),
        DataType::UInt128 => number("U128"),
        DataType::UInt16 => number("U16"),
        DataType::UInt32 => number("U32"),
        DataType::UInt64 => number("U64"),
        DataType::Float32 => number("F32"),
        DataType::Float64 => number("F64"),
        DataType::Utf8(len) => format!("flatrec::Utf8<{len}>"),
        DataType::Binary(len) => format!("[u8; {len}]"),
    };
    let value = match (field.array_len(), field.data_type()) {
        (None, _) => element,
        (Some(_), DataType::UInt8 | DataType::Binary(_)) => {
            return Err(Error::new(ErrorKind::Unsupported, "describe in Rust")
                .detail(format!("field {field}: Rust describes an array of bytes as binary"))
                .advice("open the store as a DynStore"));
        }
        (Some(len), _) if field.shape().is_empty() => format!("[{element}; {len}]"),
        (Some(_), _) => {
            let inner_first = field.shape().iter().rev();
            inner_first.fold(element, |of, len| format!("[{of}; {len}]"))
        }
    };
    Ok(if field.is_nullable() { format!("flatrec::Nullable<{value}>") } else { value })
}
