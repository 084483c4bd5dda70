//! The reader of docs/FORMAT.md, which shares no code with flatrec, reads the golden files too.

use std::path::Path;
use std::process::Command;

use flatrec::Value;

use super::cases::{self, name};
use super::{case, copy};

use crate::support::skip::skip;

const DOCUMENT: &str = include_str!("../../../docs/FORMAT.md");

/// The lines that the document's reader prints, or `None` without Python.
fn read(path: &Path) -> Option<Vec<String>> {
    let (_, rest) = DOCUMENT.split_once("```python\n").expect("the document has a Python block");
    let (program, _) = rest.split_once("```").expect("the block has an end");
    let run = Command::new("python3").args(["-X", "utf8", "-c", program]).arg(path).output();
    let output = match run {
        Ok(output) => output,
        Err(error) => {
            skip!("python3: {error}");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    Some(text.lines().map(str::to_owned).collect())
}

/// A value as Python shows it.
fn shown(value: &Value<'_>) -> String {
    match value {
        Value::Bool(true) => "True".to_owned(),
        Value::Bool(false) => "False".to_owned(),
        Value::Float32(number) => format!("{number:?}"),
        Value::Float(number) => format!("{number:?}"),
        Value::Text(text) => format!("'{text}'"),
        Value::Binary(bytes) => {
            let shown = bytes.iter().map(|&byte| match byte {
                b'a'..=b'z' => char::from(byte).to_string(),
                byte => format!("\\x{byte:02x}"),
            });
            format!("b'{}'", shown.collect::<String>())
        }
        Value::Int(number) => number.to_string(),
        Value::UInt(number) => number.to_string(),
        Value::Date(days) => days.to_string(),
        Value::Timestamp(units, _) => units.to_string(),
        other => panic!("the golden files have no value like {other:?}"),
    }
}

/// Finds a type of value that docs/FORMAT.md describes wrongly.
#[test]
fn the_documents_reader_reads_every_kind_of_value() {
    let (_directory, path) = copy("plain");
    let Some(lines) = read(&path) else { return };
    assert_eq!(lines.len() as u64, cases::PLAIN_COUNT);
    let schema = cases::every_kind();
    for (id, line) in (0..).zip(&lines) {
        let fields = (0..).zip(schema.fields()).map(|(place, field)| {
            let shown = match cases::elements(field, place, id) {
                None => "None".to_owned(),
                Some(elements) if field.array_len().is_none() => shown(&elements[0]),
                Some(elements) => {
                    let shown: Vec<String> = elements.iter().map(shown).collect();
                    format!("[{}]", shown.join(", "))
                }
            };
            format!("'{}': {shown}", field.name())
        });
        let fields: Vec<String> = fields.collect();
        assert_eq!(*line, format!("{{{}}}", fields.join(", ")), "record {id}");
    }
}

/// Finds a rule of deletes that docs/FORMAT.md does not describe.
#[test]
fn the_documents_reader_leaves_deleted_records_out() {
    let (_directory, path) = copy("deletes");
    let Some(lines) = read(&path) else { return };
    let expected = case("deletes").live().map(|(id, version)| {
        let at = id as i64 * -1000 - i64::from(version);
        let amount = id as f64 * 0.5 + f64::from(version);
        let name = name(id, version);
        format!(
            "{{'id': {id}, 'at': {at}, 'amount': {amount:?}, 'kind': {version}, 'name': '{name}'}}"
        )
    });
    assert!(lines.iter().map(String::as_str).eq(expected.collect::<Vec<_>>()), "{lines:#?}");
}
