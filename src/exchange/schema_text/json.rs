//! Schemas as JSON.

use serde_json::{Map, Value, json};

use crate::error::{Error, ErrorKind, Result};
use crate::format::{Field, Schema};

/// The schema as JSON, to keep, edit and read back with [`schema_from_json`].
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
    let fields: Vec<String> = schema.fields().iter().map(field_to_json).collect();
    format!(
        "{{\n  \"record_size\": {},\n  \"alignment\": {},\n  \"fields\": [\n    {}\n  ]\n}}\n",
        schema.record_size(),
        schema.alignment(),
        fields.join(",\n    ")
    )
}

/// A field on one line; serde_json can write everything on one line, or one value a line.
fn field_to_json(field: &Field) -> String {
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
    members.push(("offset", json!(field.offset())));
    let members: Vec<String> =
        members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
    format!("{{ {} }}", members.join(", "))
}

/// The schema that a JSON text describes.
///
/// A field needs only `name` and `type` (such as `utf8(10)` or `timestamp(ms)`); `array`,
/// `nullable`, `big_endian` and `utc` are as in [`Field`]. Without any `offset` the fields follow
/// one another without gaps; otherwise each needs one. `record_size` and `alignment` are optional
/// too: by default the record ends with its last field and is aligned to 1.
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
/// fields that do not make a record.
pub fn schema_from_json(text: &str) -> Result<Schema> {
    // Editors on Windows begin a text with this mark, and RFC 8259 lets a parser ignore it.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let value: Value = serde_json::from_str(text)
        .map_err(|error| Error::new(ErrorKind::InvalidSchema, "parse").source_error(error))?;
    let schema = object(&value, "the schema", &["record_size", "alignment", "fields"])?;
    let Some(Value::Array(values)) = schema.get("fields") else {
        return Err(invalid("\"fields\" is not an array"));
    };
    let mut fields = Vec::with_capacity(values.len());
    let mut placed = 0;
    for value in values {
        let (field, offset) = parse_field(value)?;
        placed += usize::from(offset.is_some());
        fields.push(field.at(offset.unwrap_or(0)));
    }
    if placed != 0 && placed != fields.len() {
        return Err(invalid("some fields have an offset and others do not"));
    }
    let record_size = number(schema, "record_size", "the schema")?;
    let alignment = number(schema, "alignment", "the schema")?.unwrap_or(1);
    if placed == 0 {
        let packed = Schema::packed(fields)?;
        let record_size = record_size.unwrap_or(packed.record_size());
        return Schema::new(packed.fields().to_vec(), record_size, alignment);
    }
    let end = fields.iter().map(|field| field.offset().saturating_add(field.size_bytes())).max();
    Schema::new(fields, record_size.or(end).unwrap_or(0), alignment)
}

/// A field, and its offset if it has one.
fn parse_field(value: &Value) -> Result<(Field, Option<u32>)> {
    const KEYS: [&str; 7] = ["name", "type", "array", "nullable", "big_endian", "utc", "offset"];
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
    Ok((field, number(map, "offset", name)?))
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
