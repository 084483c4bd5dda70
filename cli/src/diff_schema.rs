//! `flatrec diff-schema`: how the schemas of two stores differ.

use std::io::Write as _;
use std::ops::Range;
use std::path::PathBuf;

use flatrec::{Field, Group, Schema, printable};
use serde_json::json;

use crate::failure::Failure;
use crate::load::read_schema;
use crate::output::stdout;
use crate::verify::counted;

/// Show how two schemas differ; the exit status is 1 if they do
///
/// A line a field: `-` for one that only A has, `+` for one that only B has, `~` for one that
/// differs. Fields that only lie at other places of the record are counted.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec diff-schema january.rec february.rec
  flatrec diff-schema trades.rec trades.json --json")]
pub(crate) struct Args {
    /// A store, or a schema as of `flatrec schema --as json`
    a: PathBuf,

    /// Another one
    b: PathBuf,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// One difference.
struct Difference {
    sign: char,
    name: String,
    a: Option<String>,
    b: Option<String>,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let (a, b) = (read_schema(&self.a)?, read_schema(&self.b)?);
        let found = differences(&a, &b);
        let moved = moved(&a, &b);
        let mut out = stdout();
        if self.json {
            let found: Vec<_> =
                found.iter().map(|it| json!({ "field": it.name, "a": it.a, "b": it.b })).collect();
            writeln!(out, "{}", json!(found))?;
        }
        for Difference { sign, name, a, b } in found.iter().filter(|_| !self.json) {
            let what = match (a, b) {
                (Some(a), Some(b)) => format!("{a} -> {b}"),
                (a, b) => a.clone().or(b.clone()).unwrap_or_default(),
            };
            writeln!(out, "{}", printable(&format!("{sign} {name}: {what}")))?;
        }
        if moved > 0 && !self.json {
            let (more, lie) = (if found.is_empty() { "" } else { " more" }, "at other places");
            match moved {
                1 => writeln!(out, "(1{more} field lies {lie})")?,
                _ => writeln!(out, "({moved}{more} fields lie {lie})")?,
            }
        }
        out.flush()?;
        match found.is_empty() && moved == 0 {
            true => Ok(()),
            false => {
                let (a, b) = (self.a.display(), self.b.display());
                let count = counted((found.len() as u64).max(1), "difference");
                Err(Failure::Message(format!("{a} and {b}: {count}")))
            }
        }
    }
}

fn differences(a: &Schema, b: &Schema) -> Vec<Difference> {
    let mut found = Vec::new();
    for field in a.fields() {
        let other = b.field(field.name());
        if other.is_some_and(|other| *field == other.clone().at(field.offset())) {
            continue;
        }
        let sign = if other.is_some() { '~' } else { '-' };
        let (a, b) = (Some(described(field)), other.map(described));
        found.push(Difference { sign, name: field.name().to_owned(), a, b });
    }
    for field in b.fields().iter().filter(|field| a.field(field.name()).is_none()) {
        let name = field.name().to_owned();
        found.push(Difference { sign: '+', name, a: None, b: Some(described(field)) });
    }
    found.extend(of_records(a, b));
    found
}

/// What differs in the record as a whole.
fn of_records(a: &Schema, b: &Schema) -> Vec<Difference> {
    let groups = |schema: &Schema| {
        let group = |group: &Group| {
            let Range { start, end } = group.fields();
            let array = group.array_len().map(|len| format!("[{len}]")).unwrap_or_default();
            format!("{}{array} of fields {start} to {end}", group.name())
        };
        schema.groups().iter().map(group).collect::<Vec<_>>().join(", ")
    };
    let words = |schema: &Schema| format!("{:?}", schema.null_words());
    let size = |schema: &Schema| format!("{} bytes", schema.record_size());
    [
        ("(record)", size(a), size(b)),
        ("(alignment)", a.alignment().to_string(), b.alignment().to_string()),
        ("(null words)", words(a), words(b)),
        ("(nested records)", groups(a), groups(b)),
    ]
    .into_iter()
    .filter(|(_, a, b)| a != b)
    .map(|(name, a, b)| Difference { sign: '~', name: name.to_owned(), a: Some(a), b: Some(b) })
    .collect()
}

/// The number of fields that differ in their places alone.
fn moved(a: &Schema, b: &Schema) -> usize {
    let is_moved = |field: &&Field| {
        b.field(field.name()).is_some_and(|other| {
            other.offset() != field.offset() && **field == other.clone().at(field.offset())
        })
    };
    a.fields().iter().filter(is_moved).count()
}

/// Everything of a field but its name and its place.
fn described(field: &Field) -> String {
    let mut text = field.data_type().to_string();
    if let Some(len) = field.array_len() {
        text.push_str(&format!("[{len}]"));
    }
    let flags = [
        (field.is_nullable(), " nullable"),
        (field.is_big_endian(), " big-endian"),
        (field.is_utc(), " utc"),
    ];
    flags.iter().filter(|(set, _)| *set).for_each(|(_, word)| text.push_str(word));
    for variant in field.variants() {
        text.push_str(&format!(", {variant}"));
    }
    if !field.shape().is_empty() {
        text.push_str(&format!(", shape {:?}", field.shape()));
    }
    if let Some(display) = field.display() {
        text.push_str(&format!(", shown as {}", display.name()));
    }
    if let Some(scale) = field.scale() {
        text.push_str(&format!(", scale {scale}"));
    }
    if let Some(unit) = field.epoch() {
        text.push_str(&format!(", epoch {}", unit.name()));
    }
    if !field.null_words().is_empty() {
        text.push_str(&format!(", null words {:?}", field.null_words()));
    }
    text
}
