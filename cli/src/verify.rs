//! `flatrec verify`: checks a store and lists its faults, without changing it.

use std::io::{self, Write as _};
use std::path::PathBuf;

use flatrec::{Checksums, VerifyOptions, VerifyReport};
use serde_json::Value;

use crate::failure::{Failure, tell};
use crate::interrupt::Interrupt;
use crate::output::{Column, Format, Sheet, report, shown, stdout};
use crate::shell;
use crate::source::refuse_foreign;
use crate::waiting::WaitArgs;

/// Check a store's header, schema, length, checksums and values, and list what is doubtful
///
/// Nothing is changed. The exit status is 1 if there are doubts. Checksums show which blocks of 64
/// KiB have damaged records; without them, damage within records is not found. They are in a file
/// beside the store, STORE-sum. A copy of the store without that file has none, and nothing in the
/// store tells that there were any. A killed program can leave files of the log that hold nothing:
/// standard error names them, and the next command that writes removes them.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec verify flights.rec
  flatrec verify flights.rec --format ndjson --limit 1000000 > doubts.ndjson
  flatrec verify flights.rec --rebuild")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// List at most so many doubts; all are counted
    #[arg(long, value_name = "N", default_value_t = 100)]
    limit: usize,

    /// Make new checksums of the records as they are, and replace the old ones
    ///
    /// Existing damage counts as correct from then on: verify first without this. This also gives a
    /// store its first checksums.
    #[arg(long, conflicts_with_all = ["limit", "format"])]
    rebuild: bool,

    #[command(flatten)]
    wait: WaitArgs,

    /// Output format
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        if self.rebuild {
            return self.rebuild();
        }
        refuse_foreign(&self.store)?;
        let report = flatrec::verify(&self.store, VerifyOptions::new().max_problems(self.limit))?;
        // Not a doubt: the store is whole without these files.
        for left in &report.leftovers {
            tell("note: ", &left.to_string());
        }
        if report.problems_found == 0 {
            return self.acquit(&report).map_err(|error| match Failure::from(error) {
                // The verdict is known, and status 1 would mean another one.
                Failure::Output(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    Failure::Done(format!(
                        "{} has no doubts; only this could not be written to standard output: \
                         {error}",
                        self.store.display()
                    ))
                }
                other => other,
            });
        }
        // The verdict does not depend on a reader of the list.
        let listed = doubts(&report.problems).write(self.format, stdout());
        let shown = report.problems.len() as u64;
        let more = match report.problems_found - shown {
            0 => String::new(),
            more => format!(", {more} of them not listed (--limit)"),
        };
        let doubts = counted(report.problems_found, "doubt");
        // A store that could not be opened has no checked records.
        let records = match report.records {
            0 => String::new(),
            records => format!(" in {}", counted(records, "record")),
        };
        let path = self.store.display();
        let verdict =
            Failure::Message(format!("{path}: {doubts}{records}{more}{}", unlisted(listed)));
        Err(match report.checksums {
            Checksums::Absent | Checksums::Present { .. } => verdict,
            _ => Failure::Advised(Box::new(verdict), self.advice_on_checksums()),
        })
    }

    /// What to do about a checksum file that is not of this state of the store.
    fn advice_on_checksums(&self) -> String {
        let quoted = shell::store(&self.store);
        format!(
            "to have checksums again: put back the -sum file that lay beside this store (copy \
             both, or use flatrec backup), or make new ones of the records as they are: flatrec \
             verify {quoted} --rebuild"
        )
    }

    /// Reports that there are no doubts.
    fn acquit(&self, report: &VerifyReport) -> io::Result<()> {
        let (path, mut out) = (shown(&self.store), stdout());
        if self.format != Format::Table {
            return doubts(&[]).write(self.format, &mut out);
        }
        let records = counted(report.records, "record");
        let deleted = match report.deleted {
            0 => String::new(),
            deleted => format!(", {deleted} deleted"),
        };
        let checksums = match report.checksums {
            Checksums::Present { blocks } => sums(blocks, report.summed_in_log, report.unsummed),
            _ => "no checksum file".to_owned(),
        };
        writeln!(out, "{path}: {records}{deleted}, {checksums}, no doubts")?;
        out.flush()
    }

    fn rebuild(&self) -> Result<(), Failure> {
        let interrupt = Interrupt::watch();
        let rebuilt = self.wait.patiently(Some(&interrupt), |wait| {
            flatrec::rebuild_checksums_with_progress(&self.store, wait, &mut |done, all| {
                interrupt.check_progress(done, all)
            })
        });
        let rebuilt = interrupt.outcome(rebuilt)?;
        let blocks = counted(rebuilt.blocks, "block");
        let before = match rebuilt.before {
            Checksums::Present { .. } => match rebuilt.mismatched {
                0 => "all of them matched the old ones".to_owned(),
                1 => "1 of them did not match the old ones".to_owned(),
                more => format!("{more} of them did not match the old ones"),
            },
            Checksums::Absent => "there were no old ones".to_owned(),
            Checksums::Foreign => "the old ones belonged to another store".to_owned(),
            Checksums::Stale => "the old ones were out of date".to_owned(),
            _ => "the old ones could not be used".to_owned(),
        };
        let path = self.store.display();
        report(
            &format!("made new checksums of {path}"),
            &format!("{path}: new checksums of {blocks}; {before}"),
        )
    }
}

/// The remark about a list that could not be written.
pub(crate) fn unlisted(listed: io::Result<()>) -> String {
    match listed.map_err(Failure::from) {
        Err(Failure::Output(error)) if error.kind() != io::ErrorKind::BrokenPipe => {
            format!("; the list could not be written to standard output: {error}")
        }
        _ => String::new(),
    }
}

/// What the checksums cover, and what they leave out.
fn sums(blocks: u64, in_log: u64, unsummed: u64) -> String {
    let blocks = counted(blocks, "block");
    let in_log = match in_log {
        0 => String::new(),
        in_log => format!(" and of {} in the log", counted(in_log, "record")),
    };
    let unsummed = match unsummed {
        0 => String::new(),
        unsummed => format!(", {} without a checksum", counted(unsummed, "record")),
    };
    format!("checksums of {blocks}{in_log}{unsummed}")
}

/// `1 doubt`, `2 doubts`.
pub(crate) fn counted(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

pub(crate) fn doubts(doubts: &[flatrec::Problem]) -> Sheet {
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
