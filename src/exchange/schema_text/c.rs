//! Schemas as C structs.

use std::fmt::Write as _;

use super::{Names, Piece, STATUS, check_record_name, identifier, pieces, stride_with_deletes};
use crate::error::Result;
use crate::format::{DataType, Field, Schema};

/// Words that cannot be names in C or C++, or that the output uses; a field with such a name gets
/// an underscore.
const KEYWORDS: &[&str] = &[
    "NULL",
    "offsetof",
    "int8_t",
    "int16_t",
    "int32_t",
    "int64_t",
    "uint8_t",
    "uint16_t",
    "uint32_t",
    "uint64_t",
    "alignas",
    "alignof",
    "and",
    "and_eq",
    "asm",
    "auto",
    "bitand",
    "bitor",
    "bool",
    "break",
    "case",
    "catch",
    "char",
    "char8_t",
    "char16_t",
    "char32_t",
    "class",
    "co_await",
    "co_return",
    "co_yield",
    "compl",
    "concept",
    "const",
    "const_cast",
    "consteval",
    "constexpr",
    "constinit",
    "continue",
    "decltype",
    "default",
    "delete",
    "do",
    "double",
    "dynamic_cast",
    "else",
    "enum",
    "explicit",
    "export",
    "extern",
    "false",
    "float",
    "for",
    "friend",
    "goto",
    "if",
    "inline",
    "int",
    "long",
    "mutable",
    "namespace",
    "new",
    "noexcept",
    "not",
    "not_eq",
    "nullptr",
    "operator",
    "or",
    "or_eq",
    "private",
    "protected",
    "public",
    "register",
    "reinterpret_cast",
    "requires",
    "restrict",
    "return",
    "short",
    "signed",
    "sizeof",
    "static",
    "static_assert",
    "static_cast",
    "struct",
    "switch",
    "template",
    "this",
    "thread_local",
    "throw",
    "true",
    "try",
    "typedef",
    "typeid",
    "typename",
    "typeof",
    "typeof_unqual",
    "union",
    "unsigned",
    "using",
    "virtual",
    "void",
    "volatile",
    "wchar_t",
    "while",
    "xor",
    "xor_eq",
];

/// A packed C struct `name` of the record, for C11 and C++11, with assertions on its size and on
/// the offset of each member. A program can include it as a header.
///
/// A nullable field `x` becomes two members: `x__valid`, 1 for a value and 0 for null, and `x`.
/// Text is padded with NUL; text that fills its member has no NUL.
///
/// ```
/// use flatrec::exchange::schema_to_c;
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([Field::new("delay", DataType::Int16).nullable()])?;
/// let text = schema_to_c(&schema, "flight")?;
/// assert!(text.contains("    uint8_t delay__valid; /* 1 present, 0 null */\n"));
/// assert!(text.contains("    int16_t delay; /* int16 */\n"));
/// assert!(text.contains("static_assert(sizeof(struct flight) == 3,"));
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidArgument`](crate::ErrorKind::InvalidArgument) if `name` is not an
/// identifier.
pub fn schema_to_c(schema: &Schema, name: &str) -> Result<String> {
    definition(schema, name, None)
}

/// As [`schema_to_c`], for reading a store with deletes in place: the member after the fields,
/// `status`, is 1 for a live record and 2 for a deleted one, whose other members have no meaning.
///
/// ```
/// use flatrec::exchange::slots_to_c;
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([Field::new("n", DataType::UInt64)])?;
/// let text = slots_to_c(&schema, "number")?;
/// assert!(text.contains("    uint8_t status; /* 1 lives, 2 deleted */\n"));
/// assert!(text.contains("static_assert(sizeof(struct number) == 9,"));
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Errors
/// As [`schema_to_c`]; [`ErrorKind::InvalidSchema`](crate::ErrorKind::InvalidSchema) for records
/// that a store with deletes cannot have.
pub fn slots_to_c(schema: &Schema, name: &str) -> Result<String> {
    definition(schema, name, Some(stride_with_deletes(schema)?))
}

/// With a stride, that of a store with deletes, the status byte is a member.
fn definition(schema: &Schema, name: &str, stride: Option<u32>) -> Result<String> {
    check_record_name(name)?;
    let mut names = Names::new(KEYWORDS.iter().map(|&word| word.to_owned()));
    let name = names.unique(name.to_owned());
    let (mut members, mut asserts) = (String::new(), String::new());
    // Writing to a string cannot fail.
    let mut member = |declaration: String, comment: &str| {
        let _ = writeln!(members, "    {declaration}; /* {comment} */");
    };
    let mut at = |member: &str, offset: u32| {
        let _ = writeln!(
            asserts,
            "static_assert(offsetof(struct {name}, {member}) == {offset}, \"{member}\");"
        );
    };
    for piece in pieces(schema) {
        match piece {
            Piece::Gap { offset, len_bytes } => {
                let gap = names.unique(format!("gap_{offset}"));
                member(format!("uint8_t {gap}[{len_bytes}]"), "no field");
            }
            Piece::Field(field) => {
                let own = names.unique(identifier(field.name()));
                if field.is_nullable() {
                    let valid = names.unique(format!("{own}__valid"));
                    member(format!("uint8_t {valid}"), "1 present, 0 null");
                    at(&valid, field.offset());
                }
                member(declaration(field, &own), &comment(field, &own));
                at(&own, field.offset() + u32::from(field.is_nullable()));
            }
        }
    }
    if let Some(stride) = stride {
        let offset = schema.record_size();
        let status = names.unique(STATUS.to_owned());
        member(format!("uint8_t {status}"), "1 lives, 2 deleted");
        at(&status, offset);
        if stride > offset + 1 {
            let gap = names.unique(format!("gap_{}", offset + 1));
            member(format!("uint8_t {gap}[{}]", stride - offset - 1), "up to the alignment");
        }
    }
    let size = stride.unwrap_or_else(|| schema.record_size());
    let guard = format!("FLATREC_{}_H", name.to_uppercase());
    Ok(format!(
        "#ifndef {guard}\n#define {guard}\n\n\
         #include <assert.h>\n#include <stddef.h>\n#include <stdint.h>\n\n\
         /* One record of {size} bytes. Numbers are little-endian unless it says big-endian. */\n\
         #pragma pack(push, 1)\nstruct {name} {{\n{members}}};\n#pragma pack(pop)\n\n\
         static_assert(sizeof(struct {name}) == {size}, \"size of the record\");\n{asserts}\n\
         #endif\n"
    ))
}

fn declaration(field: &Field, name: &str) -> String {
    let (element, width) = match field.data_type() {
        DataType::Bool | DataType::UInt8 => ("uint8_t", None),
        DataType::Int8 => ("int8_t", None),
        DataType::Int16 => ("int16_t", None),
        DataType::Int32 | DataType::Date32 => ("int32_t", None),
        DataType::Int64 | DataType::Timestamp(_) | DataType::Duration(_) => ("int64_t", None),
        // Standard C has no such integers.
        DataType::Int128 | DataType::UInt128 => ("uint8_t", Some(16)),
        DataType::UInt16 => ("uint16_t", None),
        DataType::UInt32 => ("uint32_t", None),
        DataType::UInt64 => ("uint64_t", None),
        DataType::Float32 => ("float", None),
        DataType::Float64 => ("double", None),
        DataType::Utf8(len) => ("char", Some(len)),
        DataType::Binary(len) => ("uint8_t", Some(len)),
    };
    let dimension = |len: Option<u32>| len.map(|len| format!("[{len}]")).unwrap_or_default();
    format!("{element} {name}{}{}", dimension(field.array_len()), dimension(width))
}

/// The facts that the C type does not show: the field's own name and type.
fn comment(field: &Field, name: &str) -> String {
    let mut comment = String::new();
    if field.name() != name {
        // A name must not end the comment.
        comment = format!("{}: ", field.name().replace("*/", "* /"));
    }
    comment.push_str(&match field.data_type() {
        DataType::Date32 => "date32: days since 1970-01-01".into(),
        DataType::Timestamp(unit) => format!("{}: {} since 1970", field.data_type(), unit.name()),
        other => other.to_string(),
    });
    for (set, word) in [(field.is_big_endian(), ", big-endian"), (field.is_utc(), ", utc")] {
        if set {
            comment.push_str(word);
        }
    }
    comment
}
