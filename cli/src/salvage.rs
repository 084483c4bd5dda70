//! `flatrec salvage`: copies the trustworthy records of a damaged store to a new one.

use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use flatrec::{Checksums, ErrorKind, Lost, SalvageOptions, SalvageReport, printable};
use serde_json::Value;

use crate::aside;
use crate::failure::{DONE_STATUS, Failure};
use crate::interrupt::{self, Interrupt};
use crate::names;
use crate::output::{Column, Format, Sheet, report_text, shown, stdout};
use crate::paths;
use crate::verify::{counted, doubts, unlisted};
use crate::waiting::WaitArgs;

/// Copy what can be trusted of a damaged store into a new one, and list what cannot
///
/// A record can be trusted if its blocks match their checksums; in a store without checksums, if it
/// can be read. Values that are invalid for their fields are copied unchanged, and listed. The
/// damaged store is only read. The new one has no gaps, so records after lost ones get other
/// numbers, unless --keep-ids puts empty records there. The exit status is 1 if records were lost,
/// or a log with commits that cannot be read.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec salvage broken.rec saved.rec
  flatrec salvage broken.rec saved.rec --keep-ids --list lost.csv")]
pub(crate) struct Args {
    /// The damaged store
    store: PathBuf,

    /// The store to create with the saved records
    out: PathBuf,

    /// Write the list of lost records into this file, too, as CSV (the first 65,536 runs)
    #[arg(long, value_name = "FILE")]
    list: Option<PathBuf>,

    /// Put a record of zero bytes in the place of each lost one, so that later records keep their
    /// numbers
    #[arg(long)]
    keep_ids: bool,

    /// Also copy records that can be read but do not match their checksums
    #[arg(long)]
    keep_doubtful: bool,

    /// Replace an existing store, and the file of --list; other files are not replaced
    #[arg(long)]
    force: bool,

    /// Output format of the list
    #[arg(long, value_enum, default_value_t)]
    format: Format,

    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        names::refuse_copy(&self.store, &self.out)?;
        if self.force {
            paths::refuse_other_than_store(&self.out)?;
        }
        self.check_list()?;
        let interrupt = Interrupt::watch();
        let salvaged = self.wait.patiently(Some(&interrupt), |wait| {
            flatrec::salvage_with_progress(
                &self.store,
                &self.out,
                self.options().wait(wait),
                &mut |done, all| interrupt.check_progress(done, all),
            )
        });
        let salvaged = interrupt
            .outcome(salvaged)
            .map_err(|failure| failure.advise_on(&self.out, ErrorKind::AlreadyExists, ADVICE))?;
        let summary = self.summary(&salvaged);
        let all_saved = salvaged.lost.is_empty() && !salvaged.log_lost;
        if let Some(path) = &self.list {
            if aside::is_stream(path) {
                // The output may wait for its reader: a signal ends that.
                interrupt::done_but(&summary, if all_saved { DONE_STATUS } else { 1 });
            }
            self.write_list(path, &salvaged).map_err(|failure| {
                let failure = failure.after(&summary);
                if all_saved { failure } else { failure.undone() }
            })?;
        }
        let told = self.tell(&salvaged, all_saved.then_some(&*summary))?;
        if all_saved {
            return report_text(&summary, &told);
        }
        // The losses are reported even if standard output has no reader.
        interrupt::done_but(&summary, 1);
        let mut out = stdout();
        let listed = out.write_all(&told).and_then(|()| out.flush());
        Err(Failure::Message(format!("{summary}{}", unlisted(listed))))
    }

    /// Writes the list of a salvage, with `summary` at its end if given.
    fn tell(&self, report: &SalvageReport, summary: Option<&str>) -> io::Result<Vec<u8>> {
        let mut out = Vec::new();
        let nothing_to_list = report.lost.is_empty() && report.doubtful.is_empty();
        if !nothing_to_list || self.format != Format::Table {
            list(report).write(self.format, &mut out)?;
        }
        if self.format != Format::Table {
            return Ok(out);
        }
        if !report.problems.is_empty() {
            doubts(&report.problems).write(Format::Table, &mut out)?;
        }
        if !matches!(report.checksums, Checksums::Present { .. }) {
            let store = shown(&self.store);
            writeln!(out, "{store} has no checksums: damage within records goes unseen")?;
        }
        if let Some(summary) = summary {
            writeln!(out, "{}", printable(summary))?;
        }
        Ok(out)
    }

    fn options(&self) -> SalvageOptions {
        SalvageOptions::new()
            .keep_ids(self.keep_ids)
            .keep_doubtful(self.keep_doubtful)
            .replace(self.force)
    }

    /// Refuses a list that would overwrite a file it must not, before any work.
    fn check_list(&self) -> Result<(), Failure> {
        let Some(path) = &self.list else { return Ok(()) };
        let shown = path.display();
        names::refuse("--list ", path, [&*self.store, &self.out], [])?;
        // A device or a pipe is written directly.
        if aside::is_stream(path) && !path.is_dir() {
            return Ok(());
        }
        if !self.force && path.symlink_metadata().is_ok() {
            return Err(Failure::Message(format!(
                "--list {shown} exists already (name another file, or remove it; --force replaces \
                 it)"
            )));
        }
        names::refuse_replacing("--list ", path)
    }

    fn write_list(&self, path: &Path, report: &SalvageReport) -> Result<(), Failure> {
        let named = |error| Failure::Message(format!("write {}: {error}", path.display()));
        if let Some(mut stream) = aside::stream(path).map_err(named)? {
            return list(report).write(Format::Csv, &mut stream).map_err(named);
        }
        let (mut file, aside) = aside::create(path, self.force)?;
        list(report)
            .write(Format::Csv, &mut file)
            .and_then(|()| file.sync_data())
            .map_err(named)?;
        aside::publish(aside, "the list is in the former file")
    }

    fn summary(&self, report: &SalvageReport) -> String {
        let (out, records) = (self.out.display(), counted(report.records, "record"));
        let doubtful = match report.doubtful_records() {
            0 => String::new(),
            some => format!(", {some} of them doubtful"),
        };
        let doubts = match report.problems_found {
            0 => String::new(),
            some => format!(", {}", counted(some, "doubt")),
        };
        let deleted = match report.deleted {
            0 => String::new(),
            some => format!(", {some} deleted"),
        };
        let unlisted = match report.runs_not_listed() {
            0 => String::new(),
            some => format!(", {} of records not listed", counted(some, "run")),
        };
        let log = if report.log_lost { ", and the commits in the log" } else { "" };
        format!(
            "{out}: {} of {records} saved{doubtful}{deleted}, {} lost{log}{doubts}{unlisted}",
            report.saved,
            report.lost_records()
        )
    }
}

/// Advice for a taken path.
const ADVICE: &str = "choose another path, or --force to replace a store";

fn len(lost: &Lost) -> u64 {
    lost.records.end - lost.records.start
}

fn list(report: &SalvageReport) -> Sheet {
    let mut sheet = Sheet::new(vec![
        Column::number("first"),
        Column::number("last"),
        Column::number("records"),
        Column::text("state"),
        Column::text("why"),
    ]);
    let lost = report.lost.iter().map(|lost| ("lost", lost));
    let doubtful = report.doubtful.iter().map(|doubtful| ("doubtful", doubtful));
    let mut all: Vec<(&str, &Lost)> = lost.chain(doubtful).collect();
    all.sort_by_key(|(_, lost)| lost.records.start);
    for (state, lost) in all {
        sheet.row([
            lost.records.start.into(),
            lost.records.end.saturating_sub(1).into(),
            len(lost).into(),
            Value::from(state),
            lost.why.clone().into(),
        ]);
    }
    sheet
}
