//! `flatrec set`: changes fields of records, in one transaction.

use std::path::PathBuf;

use flatrec::{DataType, Field, Schema, Value, printable, query};

use crate::change;
use crate::failure::Failure;
use crate::get;
use crate::interrupt::Interrupt;
use crate::output::report_text;
use crate::records::cell;
use crate::waiting::WaitArgs;

/// Change fields of records
///
/// All of the changes are made, or none, also after a crash: they are durable in the log before
/// they go to their places. Programs that are reading the store still see the old values. Values
/// have the form that `scan --format csv` shows. An empty value is null, but in a text field the
/// empty text; --null makes a text field null.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec set flights.rec 5 dep_delay=12 'dest=LAX'
  flatrec set flights.rec 5 dep_delay= --null tailnum
  flatrec set flights.rec 5,8,13 'dest=LAX'")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// The number of the record, starting at 0; or several separated by commas, for the same
    /// changes
    #[arg(value_name = "ID", value_parser = parse_ids)]
    ids: Ids,

    /// Fields and their new values
    #[arg(value_name = "FIELD=VALUE", value_parser = parse_assignment)]
    #[arg(required_unless_present = "null")]
    values: Vec<(String, String)>,

    /// Make this field null; may be given several times
    #[arg(long, value_name = "FIELD")]
    null: Vec<String>,

    #[command(flatten)]
    wait: WaitArgs,
}

/// `5` or `5,8,13`.
#[derive(Clone, Debug)]
struct Ids(Vec<u64>);

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let ids = &self.ids.0;
        change::refuse_repeated(ids)?;
        let database = self.wait.open(&self.store, None)?;
        let interrupt = Interrupt::watch();
        let mut transaction = database.begin_write()?;
        let mut lines = String::new();
        for &id in ids {
            // Copied into the transaction, so that a fault is an error.
            let Some(before) = transaction.get_mut(id)?.map(|record| record.to_vec()) else {
                return Err(get::no_record(&self.store, id, transaction.count()));
            };
            let in_record = |failure: Failure| failure.in_record("set", &self.store, id);
            let mut after = before.clone();
            let changed = self.apply(database.schema(), &mut after).map_err(in_record)?;
            refuse_repeated(&changed)?;
            // The old value may be damaged; setting it anew repairs it.
            for field in &changed {
                let old = shown(field, &before).unwrap_or_else(|_| "not readable".into());
                let new = shown(field, &after).map_err(in_record)?;
                if ids.len() > 1 {
                    lines.push_str(&format!("record {id}, "));
                }
                let line = format!("{}: {old} -> {new}", field.name());
                lines.extend([&*printable(&line), "\n"]);
            }
            transaction.set(id, &after)?;
        }
        let what = match **ids {
            [id] => format!("changed record {id} of {}", self.store.display()),
            _ => format!("changed {} records of {}", ids.len(), self.store.display()),
        };
        let deciding = interrupt.decide()?;
        let done = change::commit(transaction, &what)?;
        change::close(database, &done)?;
        deciding.done(&done);
        report_text(&done, lines.as_bytes())
    }

    /// Makes the changes in a copy of the record; returns the changed fields.
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

/// A value as tables show it, but text in quotes.
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

fn parse_ids(text: &str) -> Result<Ids, String> {
    let ids: Result<_, _> = text.split(',').map(str::parse).collect();
    ids.map(Ids).map_err(|error: std::num::ParseIntError| error.to_string())
}

fn parse_assignment(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write it as field=value".into()),
    }
}
