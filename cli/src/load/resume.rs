//! `flatrec load --resume`: examines an interrupted load, compares it with the command line, and
//! continues it.

use std::cell::RefCell;
use std::path::Path;

use flatrec::exchange::schema_to_json;
use flatrec::{DynStore, ErrorKind, Schema};
use serde_json::{Map, Value, json};

use super::unfinished::{InputIdentity, Unfinished};
use super::{Args, read_schema};
use crate::aside::publish_rejects;
use crate::csv_input::{self, Job};
use crate::failure::{Failure, say};
use crate::interrupt::Interrupt;
use crate::metadata;
use crate::output::report;
use crate::paths::with_ending;
use crate::rejects::Rejects;

impl Args {
    /// The interrupted load to continue, if --resume was given.
    pub(super) fn left(&self) -> Result<Option<Unfinished>, Failure> {
        if !self.resume {
            return Ok(None);
        }
        let shown = self.input.display();
        if self.input.as_os_str() == "-" || self.input.metadata().is_ok_and(|it| !it.is_file()) {
            return Err(Failure::Message(format!(
                "--resume reads a part of the input again, and {shown} is not a plain file (load \
                 it from a file, or without --resume)"
            )));
        }
        let left = Unfinished::read(&self.store)?;
        if left.is_none() {
            self.refuse_taken()?;
            self.say_nothing_is_left();
        }
        Ok(left)
    }

    fn say_nothing_is_left(&self) {
        let store = self.store.display();
        say(&format!("there is no unfinished load of {store} to resume: this one starts"));
    }

    /// Continues an interrupted load.
    pub(super) fn go_on(&self, left: Unfinished) -> Result<(), Failure> {
        let given = self.schema.as_deref().map(read_schema).transpose()?;
        if file_id(&self.store) == Some(left.file_id) {
            self.compare_choices(&left, given.as_ref())?;
            return self.publish(&left);
        }
        self.refuse_taken()?;
        let resumed = self.wait.patiently(None, |wait| {
            DynStore::options().wait(wait).resume_aside(&self.store, self.force)
        });
        let mut store = match resumed {
            Err(Failure::Library(error)) if error.kind() == ErrorKind::NotFound => {
                self.say_nothing_is_left();
                return self.start();
            }
            opened => opened?,
        };
        if store.info()?.file_id != left.file_id {
            // The store was begun later, and interrupted before anything was kept.
            drop(store);
            self.say_nothing_is_left();
            return self.start();
        }
        self.compare_input(&left)?;
        self.compare_choices(&left, given.as_ref())?;
        let loaded = left.point.report.loaded;
        if store.count() < loaded {
            return Err(self.refusal("its store has lost records that were flushed"));
        }
        let rejects = match (&self.csv.rejects, &left.rejects) {
            (Some(path), Some(so_far)) => Some(Rejects::resume(path, so_far, self.force)?),
            _ => None,
        };
        let rejects = rejects.map(RefCell::new);
        let input = csv_input::open(&self.input)?;
        let interrupt = Interrupt::watch();
        let mut job =
            Job::new(input, &self.csv, &self.fields, "load", rejects.as_ref(), &interrupt)?;
        let mut left = left;
        if left.is_guess {
            let (schema, rows) = match job.infer(None) {
                Ok(inferred) => inferred,
                Err(failure) => {
                    let keeper = self.keeper(rejects.as_ref(), left, true);
                    let failure = keeper.give_up(&mut store, failure);
                    return Err(failure.advise_on_row(self.advice_on_row()));
                }
            };
            if schema != *store.schema() {
                drop(job);
                drop((store, rejects));
                return self.start();
            }
            (left.is_guess, left.rows) = (false, rows);
        }
        // Records may have been flushed before the progress was written.
        store.truncate(loaded)?;
        let (rows, point) = (left.rows, left.point);
        let keeper = self.keeper(rejects.as_ref(), left, true);
        if let Some(rows) = rows {
            if let Err(error) = store.reserve(rows.saturating_sub(loaded)) {
                return Err(keeper.cut(error.into()));
            }
        }
        self.finish(job, store, rejects.as_ref(), Some(keeper), &point, &interrupt)
    }

    /// Finishes a load that was interrupted after its store got its name.
    fn publish(&self, left: &Unfinished) -> Result<(), Failure> {
        if let (Some(path), Some(so_far)) = (&self.csv.rejects, &left.rejects) {
            Rejects::kept(path, so_far, self.force)?.map_or(Ok(()), publish_rejects)?;
        }
        if with_ending(&self.store, "-unfinished-sum").symlink_metadata().is_ok() {
            // The checksums had no name yet: a writer gives it to them.
            DynStore::open(&self.store)?.close()?;
        }
        Unfinished::remove(&self.store);
        let done = format!("{} was complete already", self.store.display());
        report(&done, &done)
    }

    fn compare_input(&self, left: &Unfinished) -> Result<(), Failure> {
        let shown = self.input.display();
        let now = InputIdentity::of(&self.input)
            .map_err(|error| Failure::Message(format!("open {shown}: {error}")))?;
        let why = match now {
            Some(now) => left.input.difference(&now),
            None => Some("it is not a plain file".into()),
        };
        match why {
            Some(why) => {
                Err(self.refusal(&format!("{shown} is not the input of that load: {why}")))
            }
            None => Ok(()),
        }
    }

    fn compare_choices(&self, left: &Unfinished, given: Option<&Schema>) -> Result<(), Failure> {
        let Some(now) = self.choices(given) else {
            return Err(self.refusal("the path of --rejects is not Unicode"));
        };
        let differs = now.iter().find(|(name, value)| left.choices.get(*name) != Some(*value));
        let Some((name, value)) = differs else { return Ok(()) };
        let before = left.choices.get(name).unwrap_or(&Value::Null);
        Err(self.refusal(&match &**name {
            "flatrec" => format!("it was begun by flatrec {}", shown(before)),
            "--schema" => "--schema has other types than at its start".into(),
            _ => format!("{name} was {} and is {}", shown(before), shown(value)),
        }))
    }

    fn refusal(&self, why: &str) -> Failure {
        Failure::Message(format!(
            "the load of {} cannot be resumed: {why} (use the same input and options, or start \
             over without --resume)",
            self.store.display()
        ))
    }

    /// The identity of the input; `None` if it cannot be read again.
    pub(super) fn identity(&self) -> Option<InputIdentity> {
        // An input that cannot be read fails when it is opened, with an error then.
        InputIdentity::of(&self.input).ok().flatten()
    }

    /// The options that decide the result, by their names.
    pub(super) fn choices(&self, given: Option<&Schema>) -> Option<Map<String, Value>> {
        let schema = given.map(schema_to_json);
        let schema: Option<Value> = schema.and_then(|text| serde_json::from_str(&text).ok());
        let metadata = self.metadata.as_deref().and_then(|path| metadata::read(path).ok());
        let metadata = metadata.map(|bytes| format!("{:08x}", crc32c::crc32c(&bytes)));
        let mut choices = Map::from_iter([
            ("flatrec".into(), env!("CARGO_PKG_VERSION").into()),
            ("--schema".into(), json!(schema)),
            ("--sample".into(), json!(self.sample)),
            ("--deletes".into(), self.deletes.into()),
            ("--no-checksums".into(), self.no_checksums.into()),
            ("--metadata".into(), json!(metadata)),
        ]);
        choices.extend(self.fields.choices());
        choices.extend(self.csv.choices(&self.input)?);
        Some(choices)
    }
}

/// An option's value as people write it.
fn shown(value: &Value) -> String {
    match value {
        Value::Null => "not given".into(),
        Value::Bool(false) => "not given".into(),
        Value::Bool(true) => "given".into(),
        Value::Array(texts) if texts.is_empty() => "not given".into(),
        Value::Array(texts) => texts.iter().map(shown).collect::<Vec<_>>().join(" and "),
        other => other.to_string(),
    }
}

/// The file id of the store at `path`, if it exists and can be read.
fn file_id(path: &Path) -> Option<[u8; 16]> {
    if !path.is_file() {
        return None;
    }
    Some(DynStore::open_read_only(path).ok()?.info().ok()?.file_id)
}
