//! `flatrec compact`: copies a store without its deleted records.

use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};

use flatrec::exchange::UnpublishedFile;

use crate::aside;
use crate::backup::Copying;
use crate::failure::{Failure, tell};
use crate::info::bytes;
use crate::names;
use crate::output::report;
use crate::waiting::WaitArgs;

/// Copy a store without its deleted records; the others get new numbers
///
/// The records stay in their order. OUT is written under another name and gets its name, durably,
/// when it is complete. The original store stays as it is.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec compact flights.rec compact.rec
  flatrec compact flights.rec compact.rec --map numbers.csv")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// The store to create
    out: PathBuf,

    /// Write the old and the new number of each record to this file, as CSV
    #[arg(long, value_name = "FILE")]
    map: Option<PathBuf>,

    /// Replace an existing store; other files are not replaced. With --map, replace that file too
    #[arg(long, visible_alias = "replace")]
    force: bool,

    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let copying = Copying::start("compact", &self.store, &self.out, self.force)?;
        let mut map = self.map.as_ref().map(|path| self.create_map(path)).transpose()?;
        let copied = self.wait.patiently(Some(&copying.interrupt), |wait| {
            let options = copying.options().wait(wait);
            flatrec::compact(
                &self.store,
                &self.out,
                flatrec::CompactOptions::from(options).on_renumber(|old, new| match &mut map {
                    Some(map) => map.write(old, new),
                    None => Ok(()),
                }),
            )
        });
        if let Some(error) = map.as_mut().and_then(|map| map.failed.take()) {
            return Err(self.map_failed(&error));
        }
        let copied = copying.finish(copied)?;
        let shown = self.out.display();
        let done = format!("copied {} records to {shown}", copied.records);
        map.map_or(Ok(()), |map| map.publish(&done))?;
        let (written, dropped) = (bytes(copied.written_bytes), copied.dropped);
        let told = report(&done, &format!("{done}: {written}, {dropped} deleted ones left out"));
        if copied.renumbered > 0 {
            let (from, where_to) = (
                self.store.display(),
                match &self.map {
                    Some(map) => format!(": see {}", map.display()),
                    None => " (--map FILE writes which)".to_owned(),
                },
            );
            let renumbered = copied.renumbered;
            tell(
                "note: ",
                &format!(
                    "{renumbered} of the records have other numbers in {shown} than in \
                     {from}{where_to}"
                ),
            );
        }
        told
    }

    fn map_failed(&self, error: &io::Error) -> Failure {
        let path = self.map.as_deref().unwrap_or(&self.out);
        Failure::Message(format!("write --map {}: {error}", path.display()))
    }

    fn create_map(&self, path: &Path) -> Result<Map, Failure> {
        let shown = path.display();
        names::refuse("--map ", path, [&*self.store, &self.out], [])?;
        if !self.force && path.symlink_metadata().is_ok() {
            return Err(Failure::Message(format!(
                "--map {shown} exists already (name another file, or remove it; --force replaces \
                 it)"
            )));
        }
        names::refuse_replacing("--map ", path)?;
        let named = |error| Failure::Message(format!("create {shown}: {error}"));
        let (file, aside) = aside::create(path, self.force)?;
        let mut map = Map { out: BufWriter::new(file), aside, failed: None };
        map.out.write_all(b"old,new\n").map_err(named)?;
        Ok(map)
    }
}

/// The file of --map during the copy.
struct Map {
    out: BufWriter<std::fs::File>,
    aside: UnpublishedFile,
    /// Why it could not be written.
    failed: Option<io::Error>,
}

impl Map {
    fn write(&mut self, old: u64, new: u64) -> flatrec::Result<()> {
        writeln!(self.out, "{old},{new}").map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            io::Error::from(kind).into()
        })
    }

    /// Makes the file durable and gives it its name.
    fn publish(self, done: &str) -> Result<(), Failure> {
        let Self { out, aside, .. } = self;
        let synced = out.into_inner().map_err(|error| error.into_error());
        synced
            .and_then(|file| file.sync_data())
            .map_err(|error| Failure::Done(format!("{done}, but not all of --map: {error}")))?;
        aside::publish(aside, "the new store is complete; the numbers are in the former file")
            .map_err(|failure| failure.after(done))
    }
}
