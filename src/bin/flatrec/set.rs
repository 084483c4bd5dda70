//! `flatrec set`: fields of one record changed in place.

use std::io::Write as _;
use std::path::PathBuf;

use flatrec::{DataType, DynStore, Field, Value, query};

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
        let before = get::record(&store, self.id)?.to_vec();
        let mut after = before.clone();
        let mut changed: Vec<Field> = Vec::new();
        for (name, text) in &self.values {
            let field = query::field(store.schema(), name)?;
            change(field, text, &mut after)?;
            changed.push(field.clone());
        }
        for name in &self.null {
            let field = query::field(store.schema(), name)?;
            field.write(&mut after, &Value::Null)?;
            changed.push(field.clone());
        }
        refuse_repeated(&changed)?;
        let mut edit = store.edit()?;
        edit.set(self.id, &after)?;
        edit.finish()?;
        store.close()?;
        let mut out = stdout();
        for field in &changed {
            let (old, new) = (shown(field, self.id, &before)?, shown(field, self.id, &after)?);
            writeln!(out, "{}: {old} -> {new}", field.name())?;
        }
        Ok(out.flush()?)
    }
}

/// A value as tables show it, but for text, which is quoted.
fn shown(field: &Field, id: u64, record: &[u8]) -> Result<String, Failure> {
    match field.read(record) {
        Ok(Value::Text(text)) => Ok(format!("{text:?}")),
        _ => cell(field, id, record),
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
