//! A load in one pass, with types that are guessed from a sample.
//!
//! The result is that of two passes, including all that the command prints. So the guess gives way
//! to two passes for every fault, which these tell, and where an earlier load is unfinished: its
//! remains stay until the types are known.

use flatrec::Schema;

use super::keeper::Loading;
use super::unfinished::Unfinished;
use super::{Args, Setting};
use crate::csv_input::{Guessed, Job};
use crate::failure::Failure;

/// What a load with guessed types has reached.
pub(super) enum Reached {
    /// The store is at its place.
    End,
    /// The types are those of all rows, whose number is known. No store is left.
    Types(Schema, u64),
    Nothing,
}

impl Args {
    /// Loads in one pass, if the types of a sample are those of all rows.
    pub(super) fn load_guessed(
        &self,
        job: &mut Job<'_>,
        setting: &Setting<'_>,
    ) -> Result<Reached, Failure> {
        let is_unfinished = !matches!(Unfinished::read(&self.store), Ok(None));
        if self.guess_from == Some(0) || is_unfinished {
            return Ok(Reached::Nothing);
        }
        let Some(schema) = job.guess(self.guess_from)? else { return Ok(Reached::Nothing) };
        let (mut store, mut keeper) = self.create(&schema, None, true, setting)?;
        let interrupt = setting.interrupt;
        let mut sink = Loading { store: &mut store, interrupt, keeper: keeper.as_mut() };
        let loaded = match job.load_guessed(&schema, &mut sink) {
            Ok(Guessed::Right(loaded)) => Ok(loaded),
            Err(Failure::Interrupted) => Err(Failure::Interrupted),
            wrong => {
                if let Some(keeper) = keeper {
                    keeper.discard(&mut store);
                }
                return Ok(match wrong {
                    Ok(Guessed::Wrong(schema, rows)) => Reached::Types(schema, rows),
                    _ => Reached::Nothing,
                });
            }
        };
        self.publish_loaded(loaded, store, setting.rejects, keeper, interrupt)?;
        Ok(Reached::End)
    }
}
