//! Schemas as JSON.

use std::ops::Range;

use serde_json::{Map, Value, json};

use super::layout::{Layout, Place};
use super::{Piece, pieces};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{DisplayHint, Field, Group, Schema, TimeUnit, Variant};

/// The schema as JSON, to keep, edit and read back with [`schema_from_json`].
///
/// It has the layout: the size of the record, and each field's offset and unused bytes. An edit
/// that changes a type changes the layout, and [`schema_to_json_without_layout`] leaves it out.
///
/// ```
/// use flatrec::exchange::{schema_from_json, schema_to_json};
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([
///     Field::new("id", DataType::UInt32),
///     Field::new("name", DataType::Utf8(10)).nullable(),
/// ])?;
/// let json = schema_to_json(&schema);
/// let name = r#"{ "name": "name", "type": "utf8(10)", "nullable": true, "offset": 4 }"#;
/// assert!(json.contains(name));
/// assert_eq!(schema_from_json(&json)?, schema);
/// # Ok::<(), flatrec::Error>(())
/// ```
pub fn schema_to_json(schema: &Schema) -> String {
    let mut fields = Vec::new();
    let mut unused_bytes = 0;
    for piece in pieces(schema) {
        match piece {
            Piece::Gap { len_bytes, .. } => unused_bytes = len_bytes,
            Piece::Field(field) => {
                let mut members = members(field);
                if unused_bytes > 0 {
                    members.push(("padding", json!(unused_bytes)));
                }
                members.push(("offset", json!(field.offset())));
                fields.push(members);
                unused_bytes = 0;
            }
        }
    }
    let mut layout = format!(
        "  \"record_size\": {},\n  \"alignment\": {},\n",
        schema.record_size(),
        schema.alignment()
    );
    if unused_bytes > 0 {
        layout.push_str(&format!("  \"padding\": {unused_bytes},\n"));
    }
    object_to_json(schema, &layout, &fields)
}

/// The schema as JSON without sizes and offsets, to edit: its fields follow one another without
/// gaps.
///
/// ```
/// use flatrec::exchange::{schema_from_json, schema_to_json_without_layout};
/// use flatrec::{DataType, Field, Schema};
/// let fields = ["id", "delay"].map(|name| Field::new(name, DataType::Int64));
/// let json = schema_to_json_without_layout(&Schema::packed(fields)?);
/// assert!(json.contains(r#"{ "name": "delay", "type": "int64" }"#));
/// let narrower = schema_from_json(&json.replace("int64", "int16"))?;
/// assert_eq!(narrower.record_size(), 4);
/// # Ok::<(), flatrec::Error>(())
/// ```
pub fn schema_to_json_without_layout(schema: &Schema) -> String {
    let fields: Vec<Members> = schema.fields().iter().map(members).collect();
    object_to_json(schema, "", &fields)
}

/// The members of a JSON object.
type Members = Vec<(&'static str, Value)>;

fn object_to_json(schema: &Schema, layout: &str, fields: &[Members]) -> String {
    let mut rest = String::new();
    if !schema.null_words().is_empty() {
        rest.push_str(&format!(",\n  \"null_words\": {}", json!(schema.null_words())));
    }
    if !schema.groups().is_empty() {
        let groups: Vec<String> = schema.groups().iter().map(group_to_json).collect();
        rest.push_str(&format!(",\n  \"groups\": [\n    {}\n  ]", groups.join(",\n    ")));
    }
    let fields: Vec<String> = fields.iter().map(field_to_json).collect();
    format!("{{\n{layout}  \"fields\": [\n    {}\n  ]{rest}\n}}\n", fields.join(",\n    "))
}

fn group_to_json(group: &Group) -> String {
    let array = group.array_len().map(|len| format!("\"array\": {len}, ")).unwrap_or_default();
    let Range { start, end } = group.fields();
    let name = json!(group.name());
    format!("{{ \"name\": {name}, {array}\"first\": {start}, \"fields\": {} }}", end - start)
}

/// A field on one line; serde_json can write everything on one line, or one value a line.
fn field_to_json(members: &Members) -> String {
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    format!("{{ {} }}", members.join(", "))
}

/// What a schema says of a field, except its place.
fn members(field: &Field) -> Members {
    let mut members =
        vec![("name", json!(field.name())), ("type", json!(field.data_type().to_string()))];
    if let Some(len) = field.array_len() {
        members.push(("array", json!(len)));
    }
    for (key, set) in [
        ("nullable", field.is_nullable()),
        ("big_endian", field.is_big_endian()),
        ("utc", field.is_utc()),
    ] {
        if set {
            members.push((key, json!(true)));
        }
    }
    members.extend(annotations_to_json(field));
    members
}

/// The variants of a field as an object of names and values.
pub(super) fn variants_to_json(field: &Field) -> Value {
    let variants = field.variants().iter().map(|variant| {
        // A variant's value fits in its field, and so in 64 bits.
        let value = variant.value();
        let value = i64::try_from(value).map_or_else(|_| json!(value as u64), |it| json!(it));
        (variant.name().to_owned(), value)
    });
    Value::Object(variants.collect())
}

/// The variants in the text of such an object; `None` for any other text.
#[cfg(feature = "arrow")]
pub(in crate::exchange) fn variants_from_json(text: &str) -> Option<Vec<Variant>> {
    parse_variants(&serde_json::from_str(text).ok()?).ok()
}

fn annotations_to_json(field: &Field) -> Members {
    let mut members = Vec::new();
    if !field.shape().is_empty() {
        members.push(("shape", json!(field.shape())));
    }
    if !field.variants().is_empty() {
        members.push(("variants", variants_to_json(field)));
    }
    members.extend(field.display().map(|display| ("display", json!(display.name()))));
    members.extend(field.scale().map(|scale| ("scale", json!(scale))));
    members.extend(field.epoch().map(|unit| ("epoch", json!(unit.name()))));
    if !field.null_words().is_empty() {
        members.push(("null_words", json!(field.null_words())));
    }
    members
}

/// The schema that a JSON text describes.
///
/// A field needs only `name` and `type` (such as `utf8(10)` or `timestamp(ms)`); `array`,
/// `nullable`, `big_endian` and `utc` are as in [`Field`]. `record_size` and `alignment` are
/// optional too: by default the record ends with its last field and is aligned to 1.
///
/// Without any `offset` the fields follow one another; otherwise each needs one. `padding` of a
/// field is the number of unused bytes before it, and that of the schema those at the end of the
/// record. The offsets and the size must leave exactly these bytes unused, or as many as the
/// alignment needs. So the offsets of an edited schema are an error, and not a larger store.
///
/// Annotations are optional: `variants` (an object of names and values), `shape` (the dimensions of
/// an array, instead of `array`), `display` (`uuid`, `hex`, `char`, `ipv4`, `ipv6`), `scale`,
/// `epoch` (`s`, `ms`, `us`, `ns`) and `null_words`, each as in [`Field`]. The schema itself can
/// have `null_words`, and `groups` of `name`, `first`, `fields` and, for an array, `array`: see
/// [`Group`].
///
/// ```
/// use flatrec::exchange::schema_from_json;
/// let schema = schema_from_json(r#"{"fields": [
///     {"name": "at", "type": "timestamp(ms)", "utc": true},
///     {"name": "values", "type": "float32", "array": 4, "nullable": true}
/// ]}"#)?;
/// assert_eq!(schema.record_size(), 8 + 1 + 16);
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] for a text that is not such JSON, for an unknown key, and for
/// fields that do not make a record or leave bytes unused without `padding`.
pub fn schema_from_json(text: &str) -> Result<Schema> {
    // Editors on Windows begin a text with this mark, and RFC 8259 lets a parser ignore it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Error::new(ErrorKind::InvalidSchema, "parse").source_error(error))?;
    let known = ["record_size", "alignment", "padding", "fields", "null_words", "groups"];
    let schema = object(&value, "the schema", &known)?;
    let groups = match schema.get("groups") {
        None => Vec::new(),
        Some(Value::Array(groups)) => groups.iter().map(parse_group).collect::<Result<_>>()?,
        Some(_) => return Err(invalid("\"groups\" is not an array")),
    };
    let null_words = words(schema, "the schema")?;
    fields_from_json(schema)?.with_null_words(null_words)?.with_groups(groups)
}

/// The schema without the annotations of the record.
fn fields_from_json(schema: &Map<String, Value>) -> Result<Schema> {
    let Some(Value::Array(values)) = schema.get("fields") else {
        return Err(invalid("\"fields\" is not an array"));
    };
    let layout = Layout {
        record_size: number(schema, "record_size", "the schema")?,
        alignment: number(schema, "alignment", "the schema")?.unwrap_or(1),
        padding_bytes: number(schema, "padding", "the schema")?,
    };
    let fields = values.iter().map(parse_field).collect::<Result<Vec<_>>>()?;
    let placed = fields.iter().filter(|(_, place)| place.offset.is_some()).count();
    if placed != 0 && placed != fields.len() {
        return Err(invalid("some fields have an offset and others do not"));
    }
    layout.schema_of(fields)
}

/// The field that a JSON value describes, without its place.
///
/// # Errors
/// [`ErrorKind::InvalidSchema`] if it is no field.
pub(crate) fn field_from_json(value: &Value) -> Result<Field> {
    parse_field(value).map(|(field, _)| field)
}

/// The keys of a field.
const KEYS: [&str; 14] = [
    "name",
    "type",
    "array",
    "nullable",
    "big_endian",
    "utc",
    "padding",
    "offset",
    "variants",
    "shape",
    "display",
    "scale",
    "epoch",
    "null_words",
];

/// A field, and what the schema says of its place.
fn parse_field(value: &Value) -> Result<(Field, Place)> {
    let map = object(value, "a field", &KEYS)?;
    let Some(Value::String(name)) = map.get("name") else {
        return Err(invalid(format!("a field without a name: {value}")));
    };
    let Some(Value::String(data_type)) = map.get("type") else {
        return Err(invalid(format!("field {name:?} has no type")));
    };
    let mut field = Field::new(name, data_type.parse()?);
    if let Some(len) = number(map, "array", name)? {
        field = field.array(len);
    }
    if flag(map, "nullable", name)? {
        field = field.nullable();
    }
    if flag(map, "big_endian", name)? {
        field = field.big_endian();
    }
    if flag(map, "utc", name)? {
        field = field.utc();
    }
    let place = Place {
        padding_bytes: number(map, "padding", name)?,
        offset: number(map, "offset", name)?,
    };
    Ok((parse_annotations(map, name, field)?, place))
}

/// The field `name` with the annotations of `map`.
fn parse_annotations(map: &Map<String, Value>, name: &str, field: Field) -> Result<Field> {
    let bad = |key: &str, what: &str| Err(invalid(format!("{key:?} of {name} is not {what}")));
    let mut field = field;
    if let Some(shape) = map.get("shape") {
        let Ok(shape) = serde_json::from_value::<Vec<u32>>(shape.clone()) else {
            return bad("shape", "an array of lengths");
        };
        let array_len = field.array_len();
        field = field.with_shape(shape);
        if array_len.is_some() && array_len != field.array_len() {
            return bad("shape", "of as many elements as \"array\"");
        }
    }
    match map.get("variants") {
        None => {}
        Some(Value::Object(variants)) => field = field.with_variants(parse_variants(variants)?),
        Some(_) => return bad("variants", "an object of names and integers"),
    }
    if let Some(display) = text(map, "display", name)? {
        let Some(display) = DisplayHint::named(display) else {
            return bad("display", "uuid, hex, char, ipv4 or ipv6");
        };
        field = field.with_display(display);
    }
    if let Some(scale) = map.get("scale") {
        let Some(scale) = scale.as_i64().and_then(|scale| i32::try_from(scale).ok()) else {
            return bad("scale", "a number of digits");
        };
        field = field.with_scale(scale);
    }
    if let Some(unit) = text(map, "epoch", name)? {
        let Some(unit) = TimeUnit::named(unit) else { return bad("epoch", "s, ms, us or ns") };
        field = field.with_epoch(unit);
    }
    Ok(field.with_null_words(words(map, name)?))
}

fn parse_variants(map: &Map<String, Value>) -> Result<Vec<Variant>> {
    let variant = |(name, value): (&String, &Value)| {
        let value = value.as_i64().map(i128::from).or(value.as_u64().map(i128::from));
        match value {
            Some(value) => Ok(Variant::new(value, name)),
            None => Err(invalid(format!("the variant {name:?} has no integer as its value"))),
        }
    };
    map.iter().map(variant).collect()
}

fn parse_group(value: &Value) -> Result<Group> {
    let map = object(value, "a group", &["name", "first", "fields", "array"])?;
    let Some(name) = text(map, "name", "a group")? else {
        return Err(invalid(format!("a group without a name: {value}")));
    };
    let (first, fields) = (number(map, "first", name)?, number(map, "fields", name)?);
    let range = first.zip(fields).and_then(|(first, len)| Some(first..first.checked_add(len)?));
    let Some(range) = range else {
        return Err(invalid(format!("the group {name:?} needs \"first\" and \"fields\"")));
    };
    let group = Group::new(name, range);
    Ok(match number(map, "array", name)? {
        Some(len) => group.array(len),
        None => group,
    })
}

fn text<'m>(map: &'m Map<String, Value>, key: &str, of: &str) -> Result<Option<&'m str>> {
    match map.get(key) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(value) => Err(invalid(format!("{key:?} of {of} is not a text: {value}"))),
    }
}

fn words(map: &Map<String, Value>, of: &str) -> Result<Vec<String>> {
    let Some(words) = map.get("null_words") else { return Ok(Vec::new()) };
    serde_json::from_value(words.clone())
        .map_err(|_| invalid(format!("\"null_words\" of {of} is not an array of texts: {words}")))
}

/// The members of an object whose keys are all in `known`.
fn object<'v>(value: &'v Value, what: &str, known: &[&str]) -> Result<&'v Map<String, Value>> {
    let Value::Object(map) = value else {
        return Err(invalid(format!("{what} is not an object: {value}")));
    };
    match map.keys().find(|key| !known.contains(&key.as_str())) {
        None => Ok(map),
        Some(key) => Err(invalid(format!("{what} has the unknown key {key:?}"))
            .advice(format!("the keys are {}", known.join(", ")))),
    }
}

fn number(map: &Map<String, Value>, key: &str, of: &str) -> Result<Option<u32>> {
    let Some(value) = map.get(key) else { return Ok(None) };
    match value.as_u64().and_then(|number| u32::try_from(number).ok()) {
        Some(number) => Ok(Some(number)),
        None => {
            Err(invalid(format!("{key:?} of {of} is not a number of bytes or elements: {value}")))
        }
    }
}

fn flag(map: &Map<String, Value>, key: &str, of: &str) -> Result<bool> {
    match map.get(key) {
        None => Ok(false),
        Some(Value::Bool(flag)) => Ok(*flag),
        Some(value) => Err(invalid(format!("{key:?} of {of} is neither true nor false: {value}"))),
    }
}

fn invalid(detail: impl Into<String>) -> Error {
    Error::new(ErrorKind::InvalidSchema, "parse").detail(detail.into())
}
