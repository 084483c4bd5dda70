//! What the command line says of the new schema.

use std::path::{Path, PathBuf};

use flatrec::{DataType, DynStore, ErrorKind, Field, Schema, SchemaChange, query};

use crate::failure::Failure;
use crate::field_names;
use crate::shell;

/// The changes of fields. They apply in the order in which help lists them, each kind at once: so
/// fields can swap their names.
#[derive(Debug, clap::Args)]
pub(super) struct EditArgs {
    /// Take the new schema from this file: JSON as of `flatrec schema --as json`, or a store. A
    /// field that it does not have needs --rename or --drop
    #[arg(long, value_name = "FILE", conflicts_with_all = ["types", "nullable", "add"])]
    pub(super) schema: Option<PathBuf>,

    /// Leave out a field with its values. May be given several times
    #[arg(long, value_name = "FIELD")]
    drop: Vec<String>,

    /// Give a field another type. May be given several times
    #[arg(long = "type", visible_alias = "widen", value_name = "FIELD=TYPE")]
    #[arg(value_parser = parse_type)]
    types: Vec<(String, DataType)>,

    /// Let a field be null. May be given several times
    #[arg(long, value_name = "FIELD")]
    nullable: Vec<String>,

    /// Give a field another name. May be given several times
    #[arg(long, value_name = "OLD=NEW", value_parser = parse_rename)]
    rename: Vec<(String, String)>,

    /// Add a field behind the others, such as 'venue utf8(4) nullable' or 'at timestamp(ms) utc'.
    /// May be given several times
    #[arg(long, value_name = "FIELD TYPE", value_parser = parse_field)]
    add: Vec<Field>,

    /// The value of an added field, or of nulls where a field can no longer be null
    #[arg(long, value_name = "FIELD=VALUE", value_parser = field_names::assignment)]
    fill: Vec<(String, String)>,
}

impl EditArgs {
    /// Whether the new schema is the old one.
    pub(super) fn is_empty(&self) -> bool {
        self.schema.is_none()
            && self.drop.is_empty()
            && self.types.is_empty()
            && self.nullable.is_empty()
            && self.rename.is_empty()
            && self.add.is_empty()
    }

    pub(super) fn change(&self, target: Option<Schema>) -> Result<SchemaChange, Failure> {
        let mut change = target.map_or_else(SchemaChange::new, SchemaChange::to);
        for name in &self.drop {
            change = change.drop_field(read(name)?);
        }
        for (name, data_type) in &self.types {
            change = change.retype(name, *data_type);
        }
        for name in &self.nullable {
            change = change.make_nullable(read(name)?);
        }
        // By names that no field has, so that two fields can swap theirs.
        for (at, (old, _)) in self.rename.iter().enumerate() {
            change = change.rename(old, between(at));
        }
        for (at, (_, new)) in self.rename.iter().enumerate() {
            change = change.rename(between(at), new);
        }
        for field in &self.add {
            change = change.add_field(field.clone());
        }
        for (name, value) in &self.fill {
            change = change.fill_text(name.trim(), value);
        }
        Ok(change)
    }

    /// A failure of the change with the options that help.
    pub(super) fn advise(&self, failure: Failure, store: &Path) -> Failure {
        let failure = match self.without_word(store) {
            Some(fields) if self.schema.is_some() && is_of_change(&failure) => {
                let options: Vec<String> = fields
                    .iter()
                    .filter_map(|name| {
                        shell::word(&format!("--drop={}", query::written_name(name)))
                    })
                    .collect();
                let text = format!(
                    "say what becomes of each: --rename OLD=NEW, or to lose the values {}",
                    options.join(" ")
                );
                return Failure::Advised(Box::new(failure), text);
            }
            _ => failure,
        };
        failure.advise(
            ErrorKind::InvalidArgument,
            "see the options --rename, --drop, --fill and --nullable of flatrec migrate --help",
        )
    }

    /// The fields that are not in the schema of --schema, and whose end is not said either.
    fn without_word(&self, store: &Path) -> Option<Vec<String>> {
        let target = crate::load::read_schema(self.schema.as_deref()?).ok()?;
        let old =
            DynStore::read_options().accept_interrupted_edit(true).open_read_only(store).ok()?;
        let is_said = |name: &str| {
            target.field(name).is_some()
                || self.drop.iter().any(|dropped| read(dropped).is_ok_and(|it| it == name))
                || self.rename.iter().any(|(old, _)| old == name)
        };
        let names = old.schema().fields().iter().map(Field::name);
        let left: Vec<String> = names.filter(|name| !is_said(name)).map(str::to_owned).collect();
        (!left.is_empty()).then_some(left)
    }
}

fn is_of_change(failure: &Failure) -> bool {
    matches!(failure, Failure::Library(error) if error.kind() == ErrorKind::InvalidArgument)
}

/// A name that no field of a store can have.
fn between(at: usize) -> String {
    format!("\0{at}")
}

fn read(name: &str) -> Result<String, Failure> {
    Ok(query::read_name(name, None)?.0.into_owned())
}

fn parse_type(text: &str) -> Result<(String, DataType), String> {
    let (name, data_type) = field_names::column_and(text)?;
    let data_type = data_type.parse().map_err(|error: flatrec::Error| error.to_string())?;
    Ok((name, data_type))
}

fn parse_rename(text: &str) -> Result<(String, String), String> {
    let (old, new) = field_names::assignment(text).map_err(|_| "write it as OLD=NEW")?;
    let new = query::read_name(&new, None).map_err(|error| error.to_string())?.0.into_owned();
    Ok((old.trim().to_owned(), new))
}

/// The length of the name at the start, in quotes if it begins with one.
fn name_len(text: &str) -> usize {
    let ends = |quotes: &mut usize, (at, letter): (usize, char)| {
        *quotes += usize::from(letter == '"');
        // Two quotes are one of the name's own, which the next letter continues.
        Some((letter == ' ' && *quotes % 2 == 0).then_some(at))
    };
    text.char_indices().scan(0, ends).flatten().next().unwrap_or(text.len())
}

/// `NAME TYPE[LEN] nullable utc`.
fn parse_field(text: &str) -> Result<Field, String> {
    let text = text.trim();
    let wrong = "write it as 'NAME TYPE', with nullable or utc behind it";
    let (name, rest) = text.split_at(name_len(text));
    let name = query::read_name(name, None).map_err(|error| error.to_string())?.0;
    let mut words = rest.split_whitespace();
    let word = words.next().ok_or(wrong)?;
    let (data_type, len) = match word.split_once('[') {
        Some((data_type, len)) => {
            let len = len.strip_suffix(']').and_then(|len| len.parse().ok());
            (data_type, Some(len.ok_or("write an array as TYPE[LENGTH]")?))
        }
        None => (word, None),
    };
    let data_type = data_type.parse().map_err(|error: flatrec::Error| error.to_string())?;
    let mut field = Field::new(name, data_type);
    if let Some(len) = len {
        field = field.array(len);
    }
    for word in words {
        field = match word {
            "nullable" => field.nullable(),
            "utc" => field.utc(),
            "big_endian" => field.big_endian(),
            _ => return Err(format!("{word:?} is not nullable, utc or big_endian; {wrong}")),
        };
    }
    Ok(field)
}
