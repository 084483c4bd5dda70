//! Tests that their program runs in a process of their own.

use std::process::Command;

/// A command that runs one test of this program, ignored or not, by its full name.
pub(crate) fn running(test: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--include-ignored", "--nocapture", "--test-threads=1"]);
    command
}
