//! `flatrec set`: fields of one record changed in place.

use std::io::Write as _;
use std::path::PathBuf;

use flatrec::{DataType, DynStore, Field, Schema, Value, query};

use crate::failure::Failure;
use crate::get;
use crate::output::stdout;
use crate::records::cell;

/// Change fields of one record in place
///
/// All of the changes are made, or none, while no other handle has the store open. Values are
/// written as `scan --format csv` shows them. An empty value is null, in a text field the empty
/// text; --null makes a text field null.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec set flights.rec 5 dep_delay=12 'dest=LAX'
  flatrec set flights.rec 5 dep_delay= --null tailnum")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// The number of the record, the first being 0
    id: u64,

    /// Fields and their new values
    #[arg(value_name = "FIELD=VALUE", value_parser = parse_assignment)]
    #[arg(required_unless_present = "null")]
    values: Vec<(String, String)>,

    /// Make this field null; may be given more than once
    #[arg(long, value_name = "FIELD")]
    null: Vec<String>,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let mut store = DynStore::open(&self.store)?;
        let in_record = |failure: Failure| failure.in_record("set", &self.store, self.id);
        let before = get::record(&store, self.id)?.to_vec();
        let mut after = before.clone();
        let changed = self.apply(store.schema(), &mut after).map_err(in_record)?;
        refuse_repeated(&changed)?;
        // What was there may be damaged, which is a reason to set it.
        let mut lines = String::new();
        for field in &changed {
            let old = shown(field, &before).unwrap_or_else(|_| "not readable".into());
            let new = shown(field, &after).map_err(in_record)?;
            lines.extend([field.name(), ": ", &old, " -> ", &new, "\n"]);
        }
        let mut edit = store.edit()?;
        edit.set(self.id, &after)?;
        edit.finish()?;
        store.close()?;
        let mut out = stdout();
        out.write_all(lines.as_bytes()).and_then(|()| out.flush()).map_err(|error| {
            let path = self.store.display();
            Failure::OutputAfter(format!("record {} of {path} was changed", self.id), error)
        })
    }

    /// Makes the changes in a copy of the record; the fields changed.
    fn apply(&self, schema: &Schema, record: &mut [u8]) -> Result<Vec<Field>, Failure> {
        let mut changed = Vec::new();
        for (name, text) in &self.values {
            let field = query::field(schema, name)?;
            change(field, text, record)?;
            changed.push(field.clone());
        }
        for name in &self.null {
            let field = query::field(schema, name)?;
            field.write(record, &Value::Null)?;
            changed.push(field.clone());
        }
        Ok(changed)
    }
}

/// A value as tables show it, but for text, which is quoted.
fn shown(field: &Field, record: &[u8]) -> Result<String, Failure> {
    match field.read(record) {
        Ok(Value::Text(text)) => Ok(format!("{text:?}")),
        _ => cell(field, record),
    }
}

fn change(field: &Field, text: &str, record: &mut [u8]) -> Result<(), Failure> {
    let is_text = matches!(field.data_type(), DataType::Utf8(_)) && field.array_len().is_none();
    if text.is_empty() && !is_text {
        return Ok(field.write(record, &Value::Null)?);
    }
    Ok(field.parse_text(text, record)?)
}

fn refuse_repeated(fields: &[Field]) -> Result<(), Failure> {
    let mut names = std::collections::HashSet::new();
    match fields.iter().find(|field| !names.insert(field.name())) {
        Some(field) => Err(Failure::Message(format!("field {:?} is set twice", field.name()))),
        None => Ok(()),
    }
}

fn parse_assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as field=value".into()),
    }
}
