//! `flatrec backup`: copies a store as it is at one moment, while others write to it.

use std::path::{Path, PathBuf};

use flatrec::{CopyOptions, ErrorKind};

use crate::failure::Failure;
use crate::info::bytes;
use crate::interrupt::Interrupt;
use crate::names;
use crate::output::report;
use crate::paths;
use crate::progress::Bar;
use crate::waiting::WaitArgs;

/// Copy a store as it is at this moment, while other programs may write to it
///
/// Records keep their numbers, and deleted ones stay deleted. OUT is written under another name and
/// gets its name, durably, when it is complete; it is a store of its own, with its own file id.
///
/// This is the way to copy a store that a program has open for writing: `cp` reads its files one
/// after the other, at different moments, and the copy may be refused or wrong. A closed store can
/// be copied with `cp`, together with its `-sum` file.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec backup flights.rec /mnt/backup/flights.rec
  flatrec backup flights.rec /mnt/backup/flights.rec --force")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// The store to create
    out: PathBuf,

    /// Replace an existing store; other files are not replaced
    #[arg(long, visible_alias = "replace")]
    force: bool,

    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let copying = Copying::start("backup", &self.store, &self.out, self.force)?;
        let copied = self.wait.patiently(Some(&copying.interrupt), |wait| {
            flatrec::backup(&self.store, &self.out, copying.options().wait(wait))
        });
        let copied = copying.finish(copied)?;
        let deleted = match copied.deleted {
            0 => String::new(),
            deleted => format!(" and {deleted} deleted ones"),
        };
        let done = format!("copied {} records{deleted} to {}", copied.records, self.out.display());
        report(&done, &format!("{done}: {}", bytes(copied.written_bytes)))
    }
}

/// A running copy, with a progress bar and a check for Ctrl-C.
pub(crate) struct Copying {
    bar: Bar,
    pub(crate) interrupt: Interrupt,
    out: PathBuf,
    replace: bool,
}

impl Copying {
    /// Checks that a file at `out`, if there is one, may be replaced.
    pub(crate) fn start(
        what: &'static str,
        store: &Path,
        out: &Path,
        replace: bool,
    ) -> Result<Self, Failure> {
        names::refuse_copy(store, out)?;
        if replace {
            paths::refuse_other_than_store(out)?;
        }
        // The number of bytes is known when the store is open, and shown from then on.
        let (bar, out) = (Bar::new(what, Some(0)), out.to_owned());
        Ok(Self { bar, interrupt: Interrupt::watch(), out, replace })
    }

    pub(crate) fn options(&self) -> CopyOptions<'_> {
        CopyOptions::new().replace(self.replace).on_progress(|done_bytes, total_bytes| {
            self.bar.show_of(done_bytes, total_bytes);
            self.interrupt.check_progress(done_bytes, total_bytes)
        })
    }

    /// The result of the copy, with advice for the command line.
    pub(crate) fn finish<V>(&self, copied: Result<V, Failure>) -> Result<V, Failure> {
        self.bar.clear();
        self.interrupt.outcome(copied).map_err(|failure| {
            failure.advise_on(
                &self.out,
                ErrorKind::AlreadyExists,
                "choose another path, or replace it with --force",
            )
        })
    }
}
