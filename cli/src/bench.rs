//! `flatrec bench`: flatrec beside a raw map and system calls, on this machine and its disk.

mod child;
mod costs;
mod machine;
mod page;
mod place;
mod plan;
mod report;
mod results;
mod room;
mod rounds;
mod shape;
mod ways;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::aside;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::{self, stdout};
use child::Order;
use clap::ValueEnum as _;
use machine::Machine;
use place::Place;
use plan::{Way, Work};
use results::Results;
use rounds::{Rounds, Until};
use shape::{BYTES_MIN, Shape};

/// Measure flatrec on this machine, beside a raw map and system calls
///
/// All ways work on the same records in the same file, in turns: a map of the whole file with
/// pointers into it, which is the limit; flatrec as `Store`, which has the file to itself, and as
/// `Database`, with transactions and snapshots; a call for each record (pread and pwrite, ReadFile
/// and WriteFile); calls with a buffer of 8 KiB; and calls for 1 MiB. Each measurement is a process
/// of its own, and checks what it has read or written. Figures are medians of the rounds; the first
/// ones are how many times as long as the raw map the others take.
///
/// The raw map and the calls change records in place, and a crash may leave any part of a change;
/// flatrec's commits are whole or not there.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec bench
  flatrec bench --records 10000000 --bytes 64 --dir /data --seconds 60
  flatrec bench --only get,scan --json figures.json --html figures.html")]
pub(crate) struct Args {
    /// The number of records
    #[arg(long, value_name = "N", default_value_t = 1_000_000,
        value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    records: u64,

    /// The bytes of a record
    #[arg(long, value_name = "B", default_value_t = 125,
        value_parser = clap::value_parser!(u32).range(i64::from(BYTES_MIN)..=1_048_576))]
    bytes: u32,

    /// Where to make the files, about three times as long as all records; the command removes them
    /// [default: the working directory]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,

    /// End after about so many seconds; the first round takes as long as it takes
    #[arg(long, value_name = "S", default_value_t = 10)]
    seconds: u64,

    /// Measure so many rounds, however long they take
    #[arg(long, value_name = "N", conflicts_with = "seconds",
        value_parser = clap::value_parser!(u32).range(1..))]
    rounds: Option<u32>,

    /// Measure these kinds of work alone
    #[arg(long, value_name = "WORK", value_enum, value_delimiter = ',')]
    only: Vec<Work>,

    /// Write all figures as JSON; `-` is standard output, in place of the table
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// Write a page with plots, which needs nothing else
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Replace these files
    #[arg(long)]
    force: bool,

    /// One measurement, in the process that the command starts for it
    #[arg(long, value_name = "WAY", value_enum, hide = true)]
    measure: Option<Way>,

    /// The file of that measurement
    #[arg(long, value_name = "FILE", hide = true, requires = "measure")]
    file: Option<PathBuf>,

    /// Which measurement of the file it is
    #[arg(long, value_name = "N", default_value_t = 1, hide = true)]
    turn: u32,

    /// The group of processes to enter
    #[arg(long, value_name = "DIR", hide = true)]
    group: Option<PathBuf>,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let shape = Shape { records: self.records, bytes: self.bytes };
        if let Some(way) = self.measure {
            return self.measure(way, shape);
        }
        let dir = self.dir.as_deref().unwrap_or(Path::new("."));
        let interrupt = Interrupt::watch();
        let pages = self.pages()?;
        let place = Place::make(dir)?;
        let machine = Machine::here(place.path());
        let all = self.only.is_empty();
        let works = if all { Work::value_variants() } else { &self.only };
        let until = match self.rounds {
            Some(rounds) => Until::Rounds(rounds),
            None => Until::Time(Duration::from_secs(self.seconds)),
        };
        let rounds = Rounds { shape, place: &place, interrupt: &interrupt };
        let results = rounds.run(works, until)?;
        drop(place);
        self.tell(&results, &machine, pages)
    }

    /// The files of the report, made before anything is measured.
    fn pages(&self) -> Result<Pages, Failure> {
        let open = |path: &Option<PathBuf>| match path {
            Some(path) if path.as_os_str() != "-" => Page::open(path, self.force).map(Some),
            _ => Ok(None),
        };
        if self.html.as_deref().is_some_and(|path| path.as_os_str() == "-") {
            let text = "the page of --html goes to a file: give its name";
            return Err(Failure::Usage(text.into()));
        }
        Ok(Pages { json: open(&self.json)?, html: open(&self.html)? })
    }

    fn tell(&self, results: &Results, machine: &Machine, pages: Pages) -> Result<(), Failure> {
        let json = || format!("{:#}\n", results.to_json(machine));
        if let Some(page) = pages.json {
            page.write(&json())?;
        }
        if let Some(page) = pages.html {
            page.write(&page::html(results, machine))?;
        }
        let mut out = stdout();
        let written = match self.json.as_deref().is_some_and(|path| path.as_os_str() == "-") {
            true => out.write_all(json().as_bytes()),
            false => report::write(&mut out, results, machine),
        };
        Ok(written.and_then(|()| out.flush())?)
    }

    fn measure(self, way: Way, shape: Shape) -> Result<(), Failure> {
        let (Some(path), &[work]) = (self.file, &*self.only) else {
            return Err(Failure::Usage("--measure needs --file and one --only".into()));
        };
        let order = Order { work, way, shape, path, turn: self.turn, group: self.group };
        let measured = order.run().map_err(|error| Failure::Message(error.to_string()))?;
        let mut out = stdout();
        writeln!(out, "{}", measured.to_json())?;
        Ok(out.flush()?)
    }
}

/// The files of a report.
struct Pages {
    json: Option<Page>,
    html: Option<Page>,
}

/// A file that appears when it is complete, or a device.
enum Page {
    Stream(std::fs::File, PathBuf),
    File(std::fs::File, flatrec::exchange::UnpublishedFile),
}

impl Page {
    fn open(path: &Path, replace: bool) -> Result<Self, Failure> {
        let named = |error| Failure::Message(format!("open {}: {error}", output::shown(path)));
        if let Some(file) = aside::stream(path).map_err(named)? {
            return Ok(Self::Stream(file, path.to_owned()));
        }
        if path.exists() && !replace {
            return Err(Failure::Message(format!(
                "create {}: it exists already (choose another path, or replace it with --force)",
                output::shown(path)
            )));
        }
        let (file, aside) = aside::create(path, replace)?;
        Ok(Self::File(file, aside))
    }

    fn write(self, text: &str) -> Result<(), Failure> {
        let write = |mut file: std::fs::File, path: &Path| {
            file.write_all(text.as_bytes()).map_err(|error| {
                Failure::Message(format!("write {}: {error}", output::shown(path)))
            })
        };
        match self {
            Self::Stream(file, path) => write(file, &path),
            Self::File(file, aside) => {
                write(file, aside.path())?;
                aside::publish(aside, "all was measured; the report is in the former file")
            }
        }
    }
}
