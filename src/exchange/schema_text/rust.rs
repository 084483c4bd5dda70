//! Schemas as Rust structs.

mod tree;

use std::collections::HashMap;

use self::tree::{Member, Record};
use super::{Names, Piece, check_record_name, identifier};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DataType, DisplayHint, Field, Schema, Variant};

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
/// original is kept in an attribute. Structs of nested records and enums of named values follow.
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
    let mut text = Text { items: Vec::new(), types: rust_names(), enums: HashMap::new() };
    text.types.unique(name.to_owned());
    text.record(name, &tree::fold(schema))?;
    Ok(text.items.join("\n"))
}

fn rust_names() -> Names {
    Names::new(KEYWORDS.iter().map(|&word| word.to_owned()))
}

/// The structs and enums so far.
struct Text<'s> {
    items: Vec<String>,
    /// The names of types.
    types: Names,
    /// The names of the enums, by what they are: fields often share one.
    enums: HashMap<(DataType, &'s [Variant]), String>,
}

impl<'s> Text<'s> {
    /// Puts a struct, then the types of its fields.
    fn record(&mut self, name: &str, record: &Record<'s>) -> Result<()> {
        let place = self.items.len();
        self.items.push(String::new());
        let (mut names, mut members, mut capitals) = (rust_names(), String::new(), false);
        for member in &record.members {
            let (name, attribute, value) = match member {
                Member::Piece { piece: Piece::Gap { offset, len_bytes }, .. } => {
                    let name = names.unique(format!("_gap_{offset}"));
                    (name, "skip".to_owned(), format!("[u8; {len_bytes}]"))
                }
                Member::Piece { name, piece: Piece::Field(field) } => {
                    let identifier = names.unique(identifier(name));
                    let attribute = attribute(field, name, &identifier);
                    (identifier, attribute, self.type_of(field, name)?)
                }
                Member::Nested { name, len, record } => {
                    let identifier = names.unique(identifier(name));
                    let nested = self.types.unique(camel_case(name));
                    self.record(&nested, record)?;
                    let mut parts = renamed(name, &identifier);
                    parts.push("nested".into());
                    let value = len.map_or(nested.clone(), |len| format!("[{nested}; {len}]"));
                    (identifier, parts.join(", "), value)
                }
            };
            capitals |= name.contains(|letter: char| letter.is_ascii_uppercase());
            if !attribute.is_empty() {
                members += &format!("    #[record({attribute})]\n");
            }
            members += &format!("    pub {name}: {value},\n");
        }
        let allow = if capitals { "#[allow(non_snake_case)]\n" } else { "" };
        self.items[place] = format!(
            "#[derive(Clone, Copy, Debug, flatrec::Record)]\n#[repr(C)]\n{allow}pub struct {name} \
             {{\n{members}}}\n"
        );
        Ok(())
    }

    /// The name of the enum of a field with variants, which it puts if it is new. `None` for other
    /// fields, and for big-endian ones, which no enum can be.
    fn enumeration(&mut self, field: &'s Field, name: &str) -> Option<String> {
        let (variants, data_type) = (field.variants(), field.data_type());
        let integer = match data_type {
            DataType::Int8 => "i8",
            DataType::UInt8 => "u8",
            DataType::Int16 => "i16",
            DataType::UInt16 => "u16",
            DataType::Int32 => "i32",
            DataType::UInt32 => "u32",
            DataType::Int64 => "i64",
            DataType::UInt64 => "u64",
            _ => return None,
        };
        if variants.is_empty() || field.is_big_endian() && data_type.size_bytes() > 1 {
            return None;
        }
        if let Some(known) = self.enums.get(&(data_type, variants)) {
            return Some(known.clone());
        }
        let enum_name = self.types.unique(camel_case(name));
        let (mut names, mut members, mut underscores) = (rust_names(), String::new(), false);
        for variant in variants {
            let identifier = names.unique(camel_case(variant.name()));
            underscores |= identifier.trim_matches('_').contains('_');
            if let Some(rename) = renamed(variant.name(), &identifier).pop() {
                members += &format!("    #[record({rename})]\n");
            }
            members += &format!("    {identifier} = {},\n", variant.value());
        }
        let allow = if underscores { "#[allow(non_camel_case_types)]\n" } else { "" };
        self.items.push(format!(
            "#[derive(Clone, Copy, Debug, PartialEq, Eq, flatrec::RecordEnum)]\n\
             #[repr({integer})]\n{allow}pub enum {enum_name} {{\n{members}}}\n"
        ));
        self.enums.insert((data_type, variants), enum_name.clone());
        Some(enum_name)
    }

    fn type_of(&mut self, field: &'s Field, name: &str) -> Result<String> {
        let enumeration = self.enumeration(field, name);
        let is_bytes = enumeration.is_none() && !is_uuid(field);
        let element =
            enumeration.map_or_else(|| plain_type(field), |name| format!("flatrec::Enum<{name}>"));
        let value = match (field.array_len(), field.data_type()) {
            (None, _) => element,
            (Some(_), DataType::UInt8 | DataType::Binary(_)) if is_bytes => {
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
}

/// The words of `name`, each with a capital letter first.
fn camel_case(name: &str) -> String {
    let name = identifier(name);
    let mut words = String::new();
    for word in name.split('_').filter(|word| !word.is_empty()) {
        let (first, rest) = word.split_at(1);
        words += &first.to_ascii_uppercase();
        words += rest;
    }
    match words.as_bytes().first() {
        None => "Unnamed".to_owned(),
        Some(first) if first.is_ascii_digit() => format!("_{words}"),
        Some(_) => words,
    }
}

fn is_uuid(field: &Field) -> bool {
    field.display() == Some(DisplayHint::Uuid)
}

/// What `#[record(…)]` says of a name that Rust writes as `identifier`.
fn renamed(name: &str, identifier: &str) -> Vec<String> {
    if name == identifier { Vec::new() } else { vec![format!("rename = {name:?}")] }
}

/// The content of `#[record(…)]`, empty if it is not needed.
fn attribute(field: &Field, name: &str, identifier: &str) -> String {
    let mut parts = renamed(name, identifier);
    match field.data_type() {
        DataType::Timestamp(unit) => parts.push(format!("timestamp = {:?}", unit.name())),
        DataType::Duration(unit) => parts.push(format!("duration = {:?}", unit.name())),
        DataType::Date32 => parts.push("date".into()),
        _ => {}
    }
    if let Some(display) = field.display().filter(|_| !is_uuid(field)) {
        parts.push(format!("display = {:?}", display.name()));
    }
    if field.is_utc() {
        parts.push("utc".into());
    }
    parts.join(", ")
}

/// The type of an element, without regard to the names of its values.
fn plain_type(field: &Field) -> String {
    let order = if field.is_big_endian() { "be" } else { "le" };
    let number = |name: &str| format!("flatrec::{order}::{name}");
    match field.data_type() {
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
        DataType::Binary(_) if is_uuid(field) => "flatrec::Uuid".into(),
        DataType::Binary(len) => format!("[u8; {len}]"),
    }
}
