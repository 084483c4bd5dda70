//! `flatrec scan`: lists records in order, all of them or those that match.

use std::io::Write as _;
use std::num::NonZero;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::thread;

use flatrec::Copies;
use flatrec::exchange::Exporter;
use flatrec::query::Filter;

use crate::choice::Choice;
use crate::condition;
use crate::failure::Failure;
use crate::field_names;
use crate::matching::visit;
use crate::output::stdout;
use crate::records::Records;
use crate::source::{LayoutArgs, Source};

const EXAMPLES: &str = "\
Examples:
  flatrec scan flights.rec --limit 10
  flatrec scan flights.rec --select carrier,flight,dep_delay --where 'dep_delay > 120'
  flatrec scan flights.rec --where \"tailnum IS NULL AND origin IN ('JFK', 'LGA')\" --count
  flatrec scan flights.rec --where \"time_hour >= '2013-01-15' AND distance > 2000\"
  flatrec scan flights.rec --range 1000..2000 --format csv > part.csv";

/// List records in order, all of them or those that match a condition
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{}\n\n{}\n\n{EXAMPLES}", condition::HELP, field_names::HELP))]
pub(crate) struct Args {
    /// The store, or a flat file of another program
    store: PathBuf,

    #[command(flatten)]
    choice: Choice,

    /// Only records A to B - 1; A or B can be left out
    #[arg(long, value_name = "A..B", value_parser = parse_range)]
    range: Option<Range<u64>>,

    /// Stop after so many records
    #[arg(long, value_name = "N")]
    limit: Option<u64>,

    /// Write only the number of records
    #[arg(long, conflicts_with_all = ["select", "format", "with_id"])]
    count: bool,

    #[command(flatten)]
    layout: LayoutArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let store = self.layout.open(&self.store)?;
        let fields = self.choice.fields(store.schema())?;
        let id = self.choice.id_column(&fields)?;
        let filter = self.choice.filter(store.schema(), store.copies(..))?;
        let range = self.range.unwrap_or(0..u64::MAX);
        let limit = self.limit.unwrap_or(u64::MAX);
        if self.count {
            let count = count(&self.store, &store, range, filter.as_ref(), limit)?;
            let mut out = stdout();
            writeln!(out, "{count}")?;
            return Ok(out.flush()?);
        }
        if let (Some(format), u64::MAX) = (self.choice.format.of_export(), limit) {
            let mut exporter = Exporter::new(store.schema(), format).fields(fields);
            if let Some(id) = id {
                exporter = exporter.id_column(id);
            }
            let written = write_all(exporter, store.copies(range), filter.as_ref());
            return written.map_err(|error| match error.record_number() {
                // The library names the store in errors of reading it, not in those of values.
                Some(id) if error.file_path().is_none() => {
                    Failure::from(error).in_record("read", &self.store, id)
                }
                _ => Failure::from(error),
            });
        }
        let mut out = Records::new(stdout(), self.choice.format, &fields, store.schema(), id)?;
        visit(&self.store, store.copies(range), filter.as_ref(), limit, |id, record| {
            out.write(id, record)
        })?;
        out.finish()
    }
}

/// Writes the records that match, by several threads.
fn write_all(
    exporter: Exporter<'_>,
    records: Copies<'_>,
    filter: Option<&Filter>,
) -> flatrec::Result<()> {
    let mut export = exporter.begin_to(stdout())?;
    match filter {
        Some(filter) => export.push_matching(records.matching(filter))?,
        None => export.push_copies(records)?,
    }
    export.finish().map(drop)
}

/// Counts the records of `range` that match `filter`, up to `limit`.
fn count(
    path: &Path,
    store: &Source,
    range: Range<u64>,
    filter: Option<&Filter>,
    limit: u64,
) -> Result<u64, Failure> {
    match (filter, store.copies(range.clone()).size_hint()) {
        // Every number in the range has a record: no need to read them.
        (None, (least, Some(most))) if least == most => Ok(limit.min(least as u64)),
        // Records past the limit are not read, as they may be damaged.
        (Some(filter), _) if limit == u64::MAX => {
            let processors = thread::available_parallelism().map_or(1, NonZero::get);
            Ok(store.copies(range).matching(filter).par_count_records(processors)?)
        }
        (filter, _) => {
            let mut count = 0;
            visit(path, store.copies(range), filter, limit, |_, _| {
                count += 1;
                Ok(())
            })?;
            Ok(count)
        }
    }
}

/// `A..B`, `A..`, `..B` or `..`.
pub(crate) fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let (start, end) = text.split_once("..").ok_or("write it as 100..200, 100.. or ..200")?;
    let number = |text: &str, unless_said: u64| match text.trim() {
        "" => Ok(unless_said),
        digits => digits.parse().map_err(|_| format!("{digits:?} is not a record number")),
    };
    let range = number(start, 0)?..number(end, u64::MAX)?;
    if range.start > range.end {
        return Err("it ends before it starts".into());
    }
    Ok(range)
}
