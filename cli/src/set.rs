//! `flatrec set`: changes fields of records, in one transaction.

mod foreign;

use std::io::Write as _;
use std::path::PathBuf;

use flatrec::{DataType, ErrorKind, Field, Schema, Value, printable};

use crate::change;
use crate::failure::Failure;
use crate::field_names;
use crate::get;
use crate::interrupt::Interrupt;
use crate::output::{report_text, stdout};
use crate::records::cell;
use crate::selection::{Choice, SelectionArgs};
use crate::source::{self, LayoutArgs};
use crate::waiting::WaitArgs;

const EXAMPLES: &str = "\
Examples:
  flatrec set flights.rec 5 dep_delay=12 dest=LAX
  flatrec set flights.rec 5 dep_delay= --null tailnum
  flatrec set flights.rec 5,8,13 dest=LAX
  flatrec set flights.rec --where 'dep_delay < -30' dep_delay= --dry-run
  flatrec set flights.rec --ids wrong.txt carrier=UA";

const USAGE: &str = "\
flatrec set [OPTIONS] <STORE> <ID> <FIELD=VALUE>...
       flatrec set [OPTIONS] <STORE> --where <CONDITION> <FIELD=VALUE>...
       flatrec set [OPTIONS] <STORE> --ids <FILE> <FIELD=VALUE>...";

/// Change fields of records
///
/// All of the changes are made, or none, also after a crash: they are durable in the log before
/// they go to their places. Programs that are reading the store still see the old values. Values
/// have the form that `scan --format csv` shows. An empty value is null, but in a text field the
/// empty text; --null makes a text field null.
///
/// A flat file of another program has no log: after a check of all changes, each record is changed
/// at its place. A crash then leaves some changed and others not. See docs/FOREIGN.md.
#[derive(Debug, clap::Args)]
#[command(override_usage = USAGE)]
#[command(after_help = format!("{}\n\n{EXAMPLES}", field_names::HELP))]
pub(crate) struct Args {
    /// The store, or a flat file of another program
    store: PathBuf,

    /// The number of the record, starting at 0, or several separated by commas (not with --where or
    /// --ids); then fields and their new values
    #[arg(value_name = "ID, FIELD=VALUE", allow_negative_numbers = true)]
    words: Vec<String>,

    /// Make this field null; may be given several times
    #[arg(long, value_name = "FIELD", allow_hyphen_values = true)]
    null: Vec<String>,

    /// Store the nearest value for a number that its field does not keep, and say so
    #[arg(long)]
    round: bool,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    wait: WaitArgs,

    #[command(flatten)]
    layout: LayoutArgs,
}

/// Names of fields, and the texts of their new values.
type Assignments = Vec<(String, String)>;

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (listed, values) = self.words().map_err(Failure::Usage)?;
        let choice = self.selection.choice(listed)?;
        let foreign = self.layout.foreign(&self.store)?;
        let work = Work { args: &self, values, choice };
        match (foreign, self.selection.dry_run) {
            (None, false) => work.run(),
            (None, true) => work.rehearse(),
            (Some(file), false) => work.run_foreign(&file),
            (Some(file), true) => {
                let (ids, lines) = work.checked_foreign(&file, None)?;
                work.tell_rehearsal(&lines, ids.len())
            }
        }
    }

    /// The words after the store: record numbers, if no option has them, and assignments.
    fn words(&self) -> Result<(Vec<u64>, Assignments), String> {
        let mut words = self.words.iter();
        let mut listed = Vec::new();
        if !self.selection.chooses() {
            let choices = "give their numbers, --where CONDITION or --ids FILE";
            let first = words.next().ok_or(format!("which records? {choices}"))?;
            listed =
                first.split(',').map(get::parse_id).collect::<Result<_, _>>().map_err(|why| {
                    match field_names::assignment(first) {
                        Ok(_) => format!("which records? {choices} before '{first}'"),
                        Err(_) => format!("invalid value '{first}' for '<ID>': {why}"),
                    }
                })?;
        }
        let assignment = |word: &String| {
            field_names::assignment(word).map_err(|why| {
                match word.split(',').all(|number| get::parse_id(number).is_ok()) {
                    true if self.selection.chooses() => format!(
                        "'{word}' cannot be used with --where or --ids, which choose the records"
                    ),
                    true => format!(
                        "'{word}' is not FIELD=VALUE: to change several records, separate their \
                         numbers by commas, such as {},{word}",
                        self.words.first().map_or("0", String::as_str)
                    ),
                    false => format!("invalid value '{word}' for '<FIELD=VALUE>': {why}"),
                }
            })
        };
        let values = words.map(assignment).collect::<Result<Vec<_>, _>>()?;
        if values.is_empty() && self.null.is_empty() {
            return Err("the following required arguments were not provided: <FIELD=VALUE> or \
                        --null <FIELD>"
                .into());
        }
        Ok((listed, values))
    }
}

/// What is to be done.
struct Work<'a> {
    args: &'a Args,
    values: Assignments,
    choice: Choice,
}

impl Work<'_> {
    fn run(&self) -> Result<(), Failure> {
        let path = &self.args.store;
        let database = self.args.wait.open(path, None);
        let database =
            database.map_err(|failure| failure.advise(ErrorKind::NotAStore, source::ADVICE))?;
        let interrupt = Interrupt::watch();
        let mut lines = self.checked(database.schema())?;
        let mut transaction = database.begin_write()?;
        let ids = {
            let snapshot = database.begin_read()?;
            let (records, sample) = (snapshot.copies(..), snapshot.copies(..));
            self.choice.ids(path, database.schema(), records, sample)?
        };
        for (index, &id) in ids.iter().enumerate() {
            change::check(&interrupt, index)?;
            // Copied into the transaction, so that a fault is an error.
            let before = transaction.get_mut(id)?.map(|record| record.to_vec());
            let before = before.ok_or_else(|| self.missing(index, id, transaction.count()))?;
            let after = self.changed(database.schema(), id, &before, &mut lines);
            let after = after.map_err(|failure| self.choice.on_line(index, failure))?;
            transaction.set(id, &after)?;
        }
        let what = match (&self.choice, &*ids) {
            (Choice::Listed(_), [id]) => format!("changed record {id} of {}", path.display()),
            _ => format!("changed {} of {}", change::records(ids.len()), path.display()),
        };
        let deciding = interrupt.decide()?;
        let done = if ids.is_empty() {
            transaction.rollback();
            what
        } else {
            change::commit(transaction, &what)?
        };
        change::close(database, &done)?;
        deciding.done(&done);
        if !self.choice.is_listed() {
            lines.push_str(&self.count_line(ids.len()));
        }
        report_text(&done, lines.as_bytes())
    }

    /// Tells what a run would do.
    fn rehearse(&self) -> Result<(), Failure> {
        let path = &self.args.store;
        let store = self.args.layout.store(path, false)?;
        let mut lines = self.checked(store.schema())?;
        let (records, sample) = (store.copies(..), store.copies(..));
        let ids = self.choice.ids(path, store.schema(), records, sample)?;
        for (index, &id) in ids.iter().enumerate() {
            let before = store.copy(id)?.ok_or_else(|| self.missing(index, id, store.count()))?;
            self.changed(store.schema(), id, &before, &mut lines)
                .map_err(|failure| self.choice.on_line(index, failure))?;
        }
        self.tell_rehearsal(&lines, ids.len())
    }

    fn tell_rehearsal(&self, lines: &str, count: usize) -> Result<(), Failure> {
        let mut out = stdout();
        out.write_all(lines.as_bytes())?;
        let (count, path) = (change::records(count), self.args.store.display());
        change::tell(out, &format!("{count} of {path} would be changed"))
    }

    fn count_line(&self, count: usize) -> String {
        let was = if count == 1 { "was" } else { "were" };
        let (count, path) = (change::records(count), self.args.store.display());
        format!("{}\n", printable(&format!("{count} of {path} {was} changed")))
    }

    fn missing(&self, index: usize, id: u64, count: u64) -> Failure {
        self.choice.on_line(index, get::no_record(&self.args.store, id, count))
    }

    /// Checks names and values before any record is chosen: they are right or wrong whatever
    /// records match. Returns a line for each value that will be rounded, unless the user has
    /// named the records, whose lines say that.
    fn checked(&self, schema: &Schema) -> Result<String, Failure> {
        let path = &self.args.store;
        let named = |failure: Failure| match &self.choice {
            Choice::Listed(ids) => failure.in_record("set", path, *ids.first().unwrap_or(&0)),
            _ => failure.in_store("set", path),
        };
        let mut record = vec![0; schema.record_size() as usize];
        let changes = self.apply(schema, &mut record).map_err(named)?;
        refuse_repeated(&changes)?;
        let mut lines = String::new();
        for Change { field, rounded_from } in &changes {
            let Some(text) = rounded_from.as_ref().filter(|_| !self.choice.is_listed()) else {
                continue;
            };
            let new = shown(field, &record).map_err(named)?;
            let line = format!("{}: {new} (rounded from {text:?})", field.name());
            lines.extend([&*printable(&line), "\n"]);
        }
        Ok(lines)
    }

    /// The changed record. Adds a line for each change to `lines` if the user has named the record.
    fn changed(
        &self,
        schema: &Schema,
        id: u64,
        before: &[u8],
        lines: &mut String,
    ) -> Result<Vec<u8>, Failure> {
        let in_record = |failure: Failure| failure.in_record("set", &self.args.store, id);
        let mut after = before.to_vec();
        let changes = self.apply(schema, &mut after).map_err(in_record)?;
        let Choice::Listed(ids) = &self.choice else { return Ok(after) };
        for Change { field, rounded_from } in &changes {
            let rounded = match rounded_from {
                Some(text) => format!(" (rounded from {text:?})"),
                None => String::new(),
            };
            // The old value may be damaged; setting it anew repairs it.
            let old = shown(field, before).unwrap_or_else(|_| "not readable".into());
            let new = shown(field, &after).map_err(in_record)?;
            let record = if ids.len() > 1 { format!("record {id}, ") } else { String::new() };
            let line = format!("{record}{}: {old} -> {new}{rounded}", field.name());
            lines.extend([&*printable(&line), "\n"]);
        }
        Ok(after)
    }

    /// Makes the changes in a copy of the record.
    fn apply(&self, schema: &Schema, record: &mut [u8]) -> Result<Vec<Change>, Failure> {
        let mut changes = Vec::new();
        for (name, text) in &self.values {
            let field = field_names::assigned(schema, name)?;
            let rounded = change(field, text, record, self.args.round).map_err(|failure| {
                let unfit = !self.args.round && failure.is_about_unfit_number();
                let advice = "--round stores the nearest value";
                if unfit { failure.advise(ErrorKind::InvalidValue, advice) } else { failure }
            })?;
            let rounded_from = rounded.then(|| text.clone());
            changes.push(Change { field: field.clone(), rounded_from });
        }
        for name in &self.args.null {
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
