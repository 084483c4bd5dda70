//! `--wait`: how long a command waits for a lock that another program holds.

use std::path::Path;
use std::time::{Duration, Instant};

use flatrec::{DynDatabase, ErrorKind, Wait};

use crate::failure::{Failure, without_advice};
use crate::interrupt::Interrupt;

/// The length of one attempt, before the next check for a signal.
const SLICE: Duration = Duration::from_millis(100);

/// The option of the commands that write.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct WaitArgs {
    /// Wait so long for a program that has the store open for writing; fractions are allowed
    #[arg(long, value_name = "SECONDS", default_value = "0", value_parser = parse_seconds)]
    #[arg(allow_hyphen_values = true)]
    wait: Duration,
}

impl WaitArgs {
    /// Opens the store at `path` for writing. Without an `interrupt` the system ends a waiting
    /// command.
    pub(crate) fn open(
        &self,
        path: &Path,
        interrupt: Option<&Interrupt>,
    ) -> Result<DynDatabase, Failure> {
        self.patiently(interrupt, |wait| DynDatabase::options().wait(wait).open(path))
    }

    /// Makes `attempt`, which is told how long to wait itself, until it meets no lock or the time
    /// is over; or, with an `interrupt`, until a signal asks for the end.
    pub(crate) fn patiently<T>(
        &self,
        interrupt: Option<&Interrupt>,
        mut attempt: impl FnMut(Wait) -> flatrec::Result<T>,
    ) -> Result<T, Failure> {
        let started = Instant::now();
        loop {
            let left = self.wait.saturating_sub(started.elapsed());
            let wait = if left.is_zero() { Wait::No } else { Wait::AtMost(left.min(SLICE)) };
            match attempt(wait) {
                Err(error) if error.kind() == ErrorKind::Locked => {
                    if interrupt.is_some_and(Interrupt::is_asked) {
                        return Err(Failure::Interrupted);
                    }
                    if started.elapsed() >= self.wait {
                        return Err(self.locked(&error));
                    }
                }
                other => return Ok(other?),
            }
        }
    }

    fn locked(&self, error: &flatrec::Error) -> Failure {
        let text = without_advice(error);
        Failure::Message(match self.wait.is_zero() {
            true => format!(
                "{text} (close the other program that has it open, or wait for it with --wait \
                 SECONDS)"
            ),
            false => format!(
                "{text}, still after {} s (close the other program that has it open, or \
                 wait longer with --wait SECONDS)",
                self.wait.as_secs_f64()
            ),
        })
    }
}

fn parse_seconds(text: &str) -> Result<Duration, String> {
    let why = "it must be a number of seconds, 0 or more, such as 2.5";
    let seconds: f64 = text.parse().map_err(|_| why)?;
    match Duration::try_from_secs_f64(seconds) {
        Ok(wait) => Ok(wait),
        Err(_) if seconds > 0.0 => Err("no command waits that long: give fewer seconds".into()),
        Err(_) => Err(why.into()),
    }
}
