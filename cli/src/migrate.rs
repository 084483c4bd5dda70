//! `flatrec migrate`: changes a store's schema, and each record with it.

mod edits;
mod misfits;

use std::path::PathBuf;

use flatrec::{DynStore, ErrorKind, MigrateOptions, MigrateReport};

use self::edits::EditArgs;
use self::misfits::Misfits;
use crate::failure::{Failure, say, tell};
use crate::field_names;
use crate::info::bytes;
use crate::interrupt::Interrupt;
use crate::load::read_schema;
use crate::metadata;
use crate::names;
use crate::output::report;
use crate::paths::{self, with_ending};
use crate::progress::Bar;
use crate::verify::counted;
use crate::waiting::WaitArgs;

/// Change a store's schema: add, drop, rename and retype fields
///
/// Every field keeps its values. A value that its new type does not hold exactly is listed, and
/// then nothing is changed, unless --rejects sets such records aside. The new store is written
/// beside the old one, read back and compared, and then takes its name, durably. Programs that read
/// the store go on, and keep the old one until they open it again; a program that writes to it must
/// close it first.
///
/// An interrupted migration leaves the store as it was, and --resume continues it.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("\
Examples:
  flatrec migrate trades.rec --add 'venue utf8(4) nullable' --drop note --rename px=price
  flatrec migrate trades.rec --type n=int64 --nullable delay --dry-run
  flatrec migrate trades.rec --add 'lot uint16' --fill lot=100 --out new.rec
  flatrec schema trades.rec --as json --no-layout > trades.json   # then edit it
  flatrec migrate trades.rec --schema trades.json --rename px=price --drop note

Values become another type where that has the same value: an integer another integer or a float,
a float an integer, a timestamp another unit or a date, an integer a timestamp in the field's unit,
a text a number, a date or a time as in CSV, and everything a text.

{}", field_names::HELP))]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    #[command(flatten)]
    edits: EditArgs,

    /// Keep these bytes in the store as its metadata, in place of those that it has
    #[arg(long, value_name = "FILE")]
    metadata: Option<PathBuf>,

    /// Write the new store here, and leave the old one as it is
    #[arg(long, value_name = "OUT")]
    out: Option<PathBuf>,

    /// Replace an existing store at --out, or the file of --rejects; other files are not replaced
    #[arg(long, visible_alias = "replace")]
    force: bool,

    /// Leave out records with a value that does not fit, and write these values to this file, as
    /// CSV. Records behind them get new numbers, unless the store has deletes
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    rejects: Option<PathBuf>,

    /// Continue an interrupted migration. Its records are compared, not trusted
    #[arg(long, conflicts_with = "dry_run")]
    resume: bool,

    /// Look at every value and say what would be changed, but change nothing
    #[arg(long)]
    dry_run: bool,

    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let target = self.edits.schema.as_deref().map(read_schema).transpose()?;
        let change = self.edits.change(target)?;
        if self.edits.is_empty() && self.metadata.is_none() {
            return Err(Failure::Usage(
                "there is no change to make: see the options of flatrec migrate --help".into(),
            ));
        }
        if let Some(out) = &self.out {
            names::refuse_copy(&self.store, out)?;
            if self.force {
                paths::refuse_other_than_store(out)?;
            }
        }
        let metadata = self.metadata.as_deref().map(metadata::read).transpose()?;
        let (bar, interrupt) = (Bar::new("migrate", Some(0)), Interrupt::watch());
        let mut misfits = self.misfits()?;
        let migrated = self.wait.patiently(Some(&interrupt), |wait| {
            misfits.restart()?;
            let options = self.options(metadata.as_deref()).wait(wait);
            let options = options.on_misfit(|misfit| misfits.tell(misfit)).on_progress(
                |done_bytes, total_bytes| {
                    bar.show_of(done_bytes, total_bytes);
                    interrupt.check_progress(done_bytes, total_bytes)
                },
            );
            flatrec::migrate(&self.store, &change, options)
        });
        bar.clear();
        let migrated = interrupt.outcome(misfits.outcome(migrated));
        let migrated = migrated.map_err(|failure| {
            misfits.summary();
            self.advise(failure)
        })?;
        misfits.summary();
        self.report(&migrated, misfits)
    }

    fn misfits(&self) -> Result<Misfits, Failure> {
        match &self.rejects {
            None => Ok(Misfits::shown()),
            Some(path) => {
                let stores = [&*self.store].into_iter().chain(self.out.as_deref());
                Misfits::create(path, stores, self.force)
            }
        }
    }

    fn options<'o>(&self, metadata: Option<&[u8]>) -> MigrateOptions<'o> {
        let mut options = MigrateOptions::new()
            .replace(self.force)
            .leave_out_misfits(self.rejects.is_some())
            .dry_run(self.dry_run)
            .resume(self.resume);
        if let Some(out) = &self.out {
            options = options.out(out);
        }
        match metadata {
            Some(bytes) => options.metadata(bytes),
            None => options,
        }
    }

    /// The failure with what to do at the command line.
    fn advise(&self, failure: Failure) -> Failure {
        let out = self.out.as_deref().unwrap_or(&self.store);
        let failure = failure
            .advise_on(
                out,
                ErrorKind::AlreadyExists,
                "choose another path, or replace it with --force",
            )
            .advise(
                ErrorKind::InvalidValue,
                "choose a wider type, or set such records aside with --rejects FILE",
            );
        let failure = self.edits.advise(failure, &self.store);
        let left = with_ending(out, "-unfinished");
        if !self.dry_run && failure.is_passing() && left.symlink_metadata().is_ok() {
            let text = format!(
                "what was written is kept in {}: the same command with --resume continues it, and \
                 without --resume starts over",
                left.display()
            );
            return Failure::Cut(Box::new(failure), text);
        }
        failure
    }

    fn report(&self, done: &MigrateReport, misfits: Misfits) -> Result<(), Failure> {
        let store = self.store.display();
        let out = self.out.as_deref().unwrap_or(&self.store).display();
        let records = counted(done.records, "record");
        if self.dry_run {
            let text = format!("{records} of {store} would fit; nothing was changed");
            return report(&text, &text);
        }
        if !done.changed && self.out.is_none() {
            if with_ending(&self.store, "-unfinished-sum").symlink_metadata().is_ok() {
                // A migration was killed when only the checksums lacked their name: a writer gives
                // it to them.
                DynStore::open(&self.store)?.close()?;
            }
            let text = format!("{store} has this schema already: nothing was changed");
            return report(&text, &text);
        }
        let text = format!("migrated {records} of {store}");
        misfits.publish(&text)?;
        let mut parts = vec![format!("{text}: {out} has {}", bytes(done.written_bytes))];
        for (what, names) in [("added", &done.added), ("dropped", &done.dropped)] {
            if !names.is_empty() {
                parts.push(format!("{what} {}", names.join(", ")));
            }
        }
        if done.resumed > 0 {
            parts.push(format!("{} were there already", counted(done.resumed, "record")));
        }
        let told = report(&text, &parts.join("; "));
        if done.left_out > 0 {
            let left_out = counted(done.left_out, "record");
            let numbers = match done.renumbered {
                0 => String::new(),
                renumbered => format!("; {renumbered} of the others have new numbers"),
            };
            tell("note: ", &format!("{left_out} had values that do not fit{numbers}"));
        }
        told
    }
}

/// Says that lines follow which are not shown.
fn say_more(more: u64) {
    if more > 0 {
        say(&format!("… and {more} more"));
    }
}
