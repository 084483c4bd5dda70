//! `flatrec delete`: deletes records of a store, in one transaction.

use std::path::PathBuf;

use flatrec::DynStore;

use crate::change;
use crate::failure::Failure;
use crate::get;
use crate::interrupt::Interrupt;
use crate::output::{report, stdout};
use crate::selection::{Choice, SelectionArgs};
use crate::waiting::WaitArgs;

/// Delete records by number or by a condition
///
/// All of them are deleted, or none. The other records keep their numbers; later inserts reuse the
/// numbers of deleted ones. The store must have been created with --deletes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec delete flights.rec 5
  flatrec delete flights.rec 5 8 13
  flatrec delete flights.rec 5,8,13
  flatrec delete flights.rec --where 'dep_time IS NULL' --dry-run
  flatrec delete flights.rec --ids cancelled.txt")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// Numbers of records, starting at 0, separated by spaces or commas
    #[arg(value_name = "ID", value_delimiter = ',')]
    #[arg(required_unless_present_any = ["condition", "id_file"])]
    #[arg(conflicts_with_all = ["condition", "id_file"])]
    #[arg(allow_negative_numbers = true, value_parser = get::parse_id)]
    ids: Vec<u64>,

    #[command(flatten)]
    selection: SelectionArgs,

    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let choice = self.selection.choice(self.ids.clone())?;
        if self.selection.dry_run {
            return self.dry_run(&choice);
        }
        let shown = self.store.display();
        let database = self.wait.open(&self.store, None)?;
        if !database.info()?.deletes {
            return Err(self.without_deletes());
        }
        let interrupt = Interrupt::watch();
        let mut transaction = database.begin_write()?;
        let ids = {
            let snapshot = database.begin_read()?;
            let (records, sample) = (snapshot.copies(..), snapshot.copies(..));
            choice.ids(&self.store, database.schema(), records, sample)?
        };
        for (index, &id) in ids.iter().enumerate() {
            change::check(&interrupt, index)?;
            let deleted =
                transaction.delete(id).map_err(|error| choice.on_line(index, error.into()))?;
            if !deleted {
                let failure = get::no_record(&self.store, id, transaction.count());
                return Err(choice.on_line(index, failure));
            }
        }
        let (left, count) = (transaction.live_count(), change::records(ids.len()));
        let has = if ids.len() == 1 { "was" } else { "were" };
        let line = format!("{count} of {shown} {has} deleted, {left} are left");
        let deciding = interrupt.decide()?;
        if ids.is_empty() {
            transaction.rollback();
            let done = format!("deleted {count} of {shown}");
            change::close(database, &done)?;
            deciding.done(&done);
            return report(&done, &line);
        }
        let done = change::commit(transaction, &format!("deleted {count} of {shown}"))?;
        change::close(database, &done)?;
        deciding.done(&done);
        report(&done, &line)
    }

    /// Tells what a run would do.
    fn dry_run(&self, choice: &Choice) -> Result<(), Failure> {
        let store = DynStore::open_read_only(&self.store)?;
        if !store.info()?.deletes {
            return Err(self.without_deletes());
        }
        let ids = choice.ids(&self.store, store.schema(), store.copies(..), store.copies(..))?;
        for (index, &id) in ids.iter().enumerate() {
            if store.copy(id)?.is_none() {
                let failure = get::no_record(&self.store, id, store.count());
                return Err(choice.on_line(index, failure));
            }
        }
        let (count, left) = (change::records(ids.len()), store.live_count() - ids.len() as u64);
        let shown = self.store.display();
        change::tell(stdout(), &format!("{count} of {shown} would be deleted, {left} left"))
    }

    fn without_deletes(&self) -> Failure {
        Failure::Message(format!(
            "{} was made without deletes (load --deletes makes a store with them)",
            self.store.display()
        ))
    }
}
