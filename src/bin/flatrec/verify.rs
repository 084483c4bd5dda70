//! `flatrec verify`: what cannot be right in a store, listed and left as it is.

use std::io::Write as _;
use std::path::PathBuf;

use serde_json::Value;

use crate::failure::Failure;
use crate::output::{Column, Format, Sheet, stdout};

/// Check a store's header, schema, length and values, and list what is doubtful
///
/// Nothing is changed. The exit status is 1 if there are doubts.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec verify flights.rec
  flatrec verify flights.rec --format ndjson --limit 1000000 > doubts.ndjson")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// List so many doubts at most; all are counted
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,

    /// How to write
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let report = flatrec::verify(&self.store, self.limit)?;
        let path = self.store.display();
        if report.doubts_found == 0 {
            let mut out = stdout();
            match self.format {
                Format::Table => {
                    let records = counted(report.records, "record");
                    let deleted = match report.deleted {
                        0 => String::new(),
                        deleted => format!(", {deleted} deleted"),
                    };
                    writeln!(out, "{path}: {records}{deleted}, no doubts")?;
                }
                Format::Csv | Format::Ndjson => doubts(&[]).write(self.format, &mut out)?,
            }
            return Ok(out.flush()?);
        }
        doubts(&report.doubts).write(self.format, stdout())?;
        let shown = u64::try_from(report.doubts.len()).unwrap_or(u64::MAX);
        let more = match report.doubts_found - shown {
            0 => String::new(),
            more => format!(", {more} of them not listed (--limit)"),
        };
        let doubts = counted(report.doubts_found, "doubt");
        // A store that could not be opened has none that were looked at.
        let records = match report.records {
            0 => String::new(),
            records => format!(" in {}", counted(records, "record")),
        };
        Err(Failure::Message(format!("{path}: {doubts}{records}{more}")))
    }
}

/// `1 doubt`, `2 doubts`.
fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn doubts(doubts: &[flatrec::Doubt]) -> Sheet {
    let mut sheet = Sheet::new(vec![
        Column::number("record"),
        Column::text("field"),
        Column::number("byte"),
        Column::text("doubt"),
    ]);
    for doubt in doubts {
        sheet.row([
            doubt.record.map_or(Value::Null, Value::from),
            doubt.field.clone().map_or(Value::Null, Value::from),
            doubt.offset.map_or(Value::Null, Value::from),
            doubt.what.clone().into(),
        ]);
    }
    sheet
}
