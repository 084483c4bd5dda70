//! A load in one pass, with types that are guessed from a sample.
//!
//! The result is that of two passes, including all that the command prints. So the guess gives way
//! to two passes for every fault, which these tell, and where an earlier load is unfinished: its
//! remains stay until the types are known.

use super::keeper::Loading;
use super::unfinished::Unfinished;
use super::{Args, Setting};
use crate::csv_input::Job;
use crate::failure::Failure;

impl Args {
    /// Loads in one pass, and returns whether that gave the result. If it did not, nothing is left.
    pub(super) fn load_guessed(
        &self,
        job: &mut Job<'_>,
        setting: &Setting<'_>,
    ) -> Result<bool, Failure> {
        let is_unfinished = !matches!(Unfinished::read(&self.store), Ok(None));
        if self.guess_from == Some(0) || is_unfinished {
            return Ok(false);
        }
        let Some(schema) = job.guess(self.guess_from)? else { return Ok(false) };
        let (mut store, mut keeper) = self.create(&schema, None, true, setting)?;
        let interrupt = setting.interrupt;
        let mut sink = Loading { store: &mut store, interrupt, keeper: keeper.as_mut() };
        let loaded = match job.load_guessed(&schema, &mut sink) {
            Ok(Some(loaded)) => Ok(loaded),
            Err(Failure::Interrupted) => Err(Failure::Interrupted),
            Ok(None) | Err(_) => {
                if let Some(keeper) = keeper {
                    keeper.discard(&mut store);
                }
                return Ok(false);
            }
        };
        self.publish_loaded(loaded, store, setting.rejects, keeper, interrupt)?;
        Ok(true)
    }
}
