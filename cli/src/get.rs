//! `flatrec get`: shows records by their numbers.

use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::output::{Column, Format, Table, stdout};
use crate::records::{Records, cell};
use crate::source::LayoutArgs;

/// Show records by number
///
/// In a table each record is a column, so that records with many fields are readable.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec get flights.rec 0
  flatrec get flights.rec 0 1 26999 --format ndjson
  flatrec get flights.rec 5,8,13")]
pub(crate) struct Args {
    /// The store, or a flat file of another program
    store: PathBuf,

    /// Numbers of records, starting at 0, separated by spaces or commas
    #[arg(required = true, value_name = "ID", value_delimiter = ',')]
    #[arg(allow_negative_numbers = true, value_parser = parse_id)]
    ids: Vec<u64>,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    #[command(flatten)]
    layout: LayoutArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let store = self.layout.open(&self.store)?;
        let mut records = Vec::with_capacity(self.ids.len());
        for id in self.ids {
            let record = store.copy(id)?;
            let record = record.ok_or_else(|| no_record(&self.store, id, store.count()))?;
            records.push((id, record));
        }
        let fields = store.schema().fields();
        if self.format != Format::Table {
            let mut out = Records::new(stdout(), self.format, fields, store.schema(), None)?;
            for (id, record) in records {
                out.write(id, &record)
                    .map_err(|failure| failure.in_record("read", &self.store, id))?;
            }
            return out.finish();
        }
        let mut columns = vec![Column::text("field")];
        columns.extend(records.iter().map(|(id, _)| Column::number(id.to_string())));
        let mut table = Table::new(stdout(), columns);
        for field in fields {
            let mut row = vec![field.name().to_owned()];
            for (id, record) in &records {
                let shown = cell(field, record)
                    .map_err(|failure| failure.in_record("read", &self.store, *id))?;
                row.push(shown);
            }
            table.row(&row)?;
        }
        Ok(table.finish()?)
    }
}

/// The number of a record.
pub(crate) fn parse_id(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "the numbers of records start at 0, and have digits only".into())
}

/// The error for a missing or deleted record `id`; the store at `path` has `count` records,
/// including deleted ones.
pub(crate) fn no_record(path: &Path, id: u64, count: u64) -> Failure {
    let path = path.display();
    Failure::Message(match count {
        count if id < count => format!("{path}: record {id} was deleted"),
        0 => format!("{path} has no record {id}: it is empty"),
        count => format!("{path} has no record {id}: its last is {}", count - 1),
    })
}
