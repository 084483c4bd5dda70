//! Which records `set` and `delete` change: those with given numbers, those with the numbers in a
//! file, or those that match a condition.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use flatrec::{Copies, Schema};

use crate::condition;
use crate::failure::Failure;
use crate::id_file::IdFile;
use crate::matching;

/// The options of that choice.
#[derive(Debug, clap::Args)]
pub(crate) struct SelectionArgs {
    /// Take the records for which this condition is true: see flatrec scan --help
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    #[arg(conflicts_with = "id_file")]
    pub(crate) condition: Option<String>,

    /// Take the records whose numbers are in this file, one a line; `-` for standard input
    #[arg(long = "ids", value_name = "FILE")]
    pub(crate) id_file: Option<PathBuf>,

    /// Check everything and tell how many records would be changed, but change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
}

impl SelectionArgs {
    /// Whether one of the options chooses the records.
    pub(crate) fn chooses(&self) -> bool {
        self.condition.is_some() || self.id_file.is_some()
    }

    /// The choice, by `listed` numbers without an option. Reads the file of numbers, for which a
    /// pipe may let the command wait, before the store is locked.
    pub(crate) fn choice(&self, listed: Vec<u64>) -> Result<Choice, Failure> {
        match (&self.condition, &self.id_file) {
            (Some(condition), _) => Ok(Choice::Matching(condition.clone())),
            (None, Some(path)) => read(path),
            (None, None) => {
                let mut seen = HashSet::new();
                listed.iter().try_for_each(|&id| once(&mut seen, id))?;
                Ok(Choice::Listed(listed))
            }
        }
    }
}

/// Record numbers, or the condition for them.
pub(crate) enum Choice {
    Listed(Vec<u64>),
    File { name: PathBuf, ids: Vec<u64>, lines: Vec<u64> },
    Matching(String),
}

impl Choice {
    /// Whether the user has named each record on the command line.
    pub(crate) fn is_listed(&self) -> bool {
        matches!(self, Self::Listed(_))
    }

    /// The numbers, those of `records` of the store at `path` that match.
    pub(crate) fn ids(
        &self,
        path: &Path,
        schema: &Schema,
        records: Copies<'_>,
        explained_by: Copies<'_>,
    ) -> Result<Vec<u64>, Failure> {
        match self {
            Self::Listed(ids) | Self::File { ids, .. } => Ok(ids.clone()),
            Self::Matching(condition) => {
                let filter = condition::parse(condition, schema, explained_by)?;
                let mut ids = Vec::new();
                matching::visit(path, records, Some(&filter), u64::MAX, |id, _| {
                    ids.push(id);
                    Ok(())
                })?;
                Ok(ids)
            }
        }
    }

    /// Adds to a failure with the number at `index` on which line it is.
    pub(crate) fn on_line(&self, index: usize, failure: Failure) -> Failure {
        match self {
            Self::File { name, lines, .. } => match lines.get(index) {
                Some(line) => failure.on_line(name, *line),
                None => failure,
            },
            _ => failure,
        }
    }
}

fn read(path: &Path) -> Result<Choice, Failure> {
    let mut file = IdFile::open(path)?;
    let (mut ids, mut lines, mut seen) = (Vec::new(), Vec::new(), HashSet::new());
    while let Some((id, line)) = file.next_id()? {
        once(&mut seen, id).map_err(|failure| failure.on_line(file.name(), line))?;
        ids.push(id);
        lines.push(line);
    }
    Ok(Choice::File { name: file.name().to_owned(), ids, lines })
}

/// Refuses a record that is named twice, which may be a typing error.
fn once(seen: &mut HashSet<u64>, id: u64) -> Result<(), Failure> {
    match seen.insert(id) {
        true => Ok(()),
        false => Err(Failure::Message(format!("record {id} is named twice"))),
    }
}
