//! `flatrec delete`: deletes records of a store, in one transaction.

use std::path::PathBuf;

use flatrec::ErrorKind;

use crate::change;
use crate::failure::Failure;
use crate::get;
use crate::interrupt::Interrupt;
use crate::output::report;
use crate::waiting::WaitArgs;

/// Delete records by number
///
/// All of them are deleted, or none. The other records keep their numbers; later inserts reuse the
/// numbers of deleted ones. The store must have been created with --deletes.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec delete flights.rec 5
  flatrec delete flights.rec 5 8 13
  flatrec delete flights.rec 5,8,13")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// Numbers of records, starting at 0, separated by spaces or commas
    #[arg(required = true, value_name = "ID", value_delimiter = ',')]
    #[arg(allow_negative_numbers = true, value_parser = get::parse_id)]
    ids: Vec<u64>,

    #[command(flatten)]
    wait: WaitArgs,
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        change::refuse_repeated(&self.ids)?;
        let shown = self.store.display();
        let database = self.wait.open(&self.store, None)?;
        let interrupt = Interrupt::watch();
        let mut transaction = database.begin_write()?;
        for &id in &self.ids {
            let deleted = transaction.delete(id).map_err(|error| match error.kind() {
                ErrorKind::Unsupported => Failure::Message(format!(
                    "{shown} was made without deletes (load --deletes makes a store with them)"
                )),
                _ => error.into(),
            })?;
            if !deleted {
                return Err(get::no_record(&self.store, id, transaction.count()));
            }
        }
        let left = transaction.live_count();
        let (count, has) = match self.ids.len() {
            1 => ("1 record".to_owned(), "was"),
            deleted => (format!("{deleted} records"), "were"),
        };
        let deciding = interrupt.decide()?;
        let done = change::commit(transaction, &format!("deleted {count} of {shown}"))?;
        change::close(database, &done)?;
        deciding.done(&done);
        report(&done, &format!("{count} of {shown} {has} deleted, {left} are left"))
    }
}
