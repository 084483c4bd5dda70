//! `flatrec set`: changes fields of records, in one transaction.

use std::path::PathBuf;

use flatrec::{DataType, ErrorKind, Field, Schema, Value, printable, query};

use crate::change;
use crate::failure::Failure;
use crate::field_names;
use crate::get;
use crate::interrupt::Interrupt;
use crate::output::report_text;
use crate::records::cell;
use crate::waiting::WaitArgs;

const EXAMPLES: &str = "\
Examples:
  flatrec set flights.rec 5 dep_delay=12 dest=LAX
  flatrec set flights.rec 5 dep_delay= --null tailnum
  flatrec set flights.rec 5,8,13 dest=LAX";

/// Change fields of records
///
/// All of the changes are made, or none, also after a crash: they are durable in the log before
/// they go to their places. Programs that are reading the store still see the old values. Values
/// have the form that `scan --format csv` shows. An empty value is null, but in a text field the
/// empty text; --null makes a text field null.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}\n\n{EXAMPLES}", field_names::HELP))]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// The number of the record, starting at 0; or several separated by commas, for the same
    /// changes
    #[arg(value_name = "ID", value_parser = parse_ids, allow_hyphen_values = true)]
    ids: Ids,

    /// Fields and their new values
    #[arg(value_name = "FIELD=VALUE", value_parser = field_names::assignment)]
    #[arg(required_unless_present = "null")]
    values: Vec<(String, String)>,

    /// Make this field null; may be given several times
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    null: Vec<String>,

    /// Store the nearest value for a number that its field does not keep, and say so
    #[arg(long)]
    round: bool,

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
            let changes = self.apply(database.schema(), &mut after).map_err(in_record)?;
            refuse_repeated(&changes)?;
            // The old value may be damaged; setting it anew repairs it.
            for Change { field, rounded_from } in &changes {
                let old = shown(field, &before).unwrap_or_else(|_| "not readable".into());
                let new = shown(field, &after).map_err(in_record)?;
                if ids.len() > 1 {
                    lines.push_str(&format!("record {id}, "));
                }
                let rounded = match rounded_from {
                    Some(text) => format!(" (rounded from {text:?})"),
                    None => String::new(),
                };
                let line = format!("{}: {old} -> {new}{rounded}", field.name());
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

    /// Makes the changes in a copy of the record.
    fn apply(&self, schema: &Schema, record: &mut [u8]) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        for (name, text) in &self.values {
            let field = query::field(schema, name)?;
            let rounded = change(field, text, record, self.round).map_err(|failure| {
                let unfit = !self.round && failure.is_about_unfit_number();
                let advice = "--round stores the nearest value";
                if unfit { failure.advise(ErrorKind::InvalidValue, advice) } else { failure }
            })?;
            let rounded_from = rounded.then(|| text.clone());
            changes.push(Change { field: field.clone(), rounded_from });
        }
        for name in &self.null {
            let field = field_names::one(schema, name)?;
            field.write(record, &Value::Null)?;
            changes.push(Change { field: field.clone(), rounded_from: None });
        }
        Ok(changes)
    }
}

/// A field that was changed, and the text of its new value if that is not the text's own.
struct Change {
    field: Field,
    rounded_from: Option<String>,
}

/// A value as tables show it, but text in quotes.
fn shown(field: &Field, record: &[u8]) -> Result<String, Failure> {
    match field.read(record) {
        Ok(Value::Text(text)) => Ok(format!("{text:?}")),
        _ => cell(field, record),
    }
}

/// Stores the value of the text; returns whether it is not the text's own.
fn change(field: &Field, text: &str, record: &mut [u8], round: bool) -> Result<bool, Failure> {
    let is_text = matches!(field.data_type(), DataType::Utf8(_)) && field.array_len().is_none();
    if text.is_empty() && !is_text {
        field.write(record, &Value::Null)?;
        return Ok(false);
    }
    if round {
        return Ok(field.parse_text_rounded(text, record)?);
    }
    field.parse_text(text, record)?;
    Ok(false)
}

fn refuse_repeated(changes: &[Change]) -> Result<(), Failure> {
    let mut names = std::collections::HashSet::new();
    match changes.iter().map(|change| change.field.name()).find(|name| !names.insert(*name)) {
        Some(name) => Err(Failure::Message(format!("field {name:?} is set twice"))),
        None => Ok(()),
    }
}

fn parse_ids(text: &str) -> Result<Ids, String> {
    text.split(',').map(get::parse_id).collect::<Result<_, _>>().map(Ids)
}
