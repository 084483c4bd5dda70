//! `flatrec`: record files at the command line, one file a command, thin over the library.
//!
//! Results go to standard output; errors and progress to standard error. A closed pipe ends a
//! command quietly, since whoever reads has seen enough. The exit status is 0 if all went well, 1
//! for an error (and for doubts of `verify` and losses of `salvage`), 2 for a wrong command line,
//! 130 if interrupted.

mod append;
mod backup;
mod change;
mod checkpoint;
mod choice;
mod compact;
mod crash_test;
mod csv_input;
mod delete;
mod export;
mod failure;
mod get;
mod info;
mod interrupt;
mod load;
mod output;
mod paths;
mod progress;
mod records;
mod rejects;
mod salvage;
mod scan;
mod schema;
mod set;
mod tail;
mod verify;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// Keep records that all have the same size in one flat, memory-mapped file.
#[derive(Debug, Parser)]
#[command(
    version,
    arg_required_else_help = true,
    after_help = "\
Examples:
  flatrec load flights.csv flights.rec
  flatrec info flights.rec
  flatrec scan flights.rec --select carrier,flight,dep_delay --where 'dep_delay > 120' --limit 10
  flatrec export flights.rec flights.npy

Exit status: 0 if all went well, 1 for an error, 2 for a wrong command line, 130 if interrupted."
)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Load(load::Args),
    Info(info::Args),
    Get(get::Args),
    Scan(scan::Args),
    Tail(tail::Args),
    Export(export::Args),
    Schema(schema::Args),
    Append(append::Args),
    Set(set::Args),
    Delete(delete::Args),
    Checkpoint(checkpoint::Args),
    Verify(verify::Args),
    Salvage(salvage::Args),
    Backup(backup::Args),
    Compact(compact::Args),
    CrashTest(crash_test::Args),
}

impl Command {
    fn run(self) -> Result<(), Failure> {
        match self {
            Self::Load(args) => args.run(),
            Self::Info(args) => args.run(),
            Self::Get(args) => args.run(),
            Self::Scan(args) => args.run(),
            Self::Tail(args) => args.run(),
            Self::Export(args) => args.run(),
            Self::Schema(args) => args.run(),
            Self::Append(args) => args.run(),
            Self::Set(args) => args.run(),
            Self::Delete(args) => args.run(),
            Self::Checkpoint(args) => args.run(),
            Self::Verify(args) => args.run(),
            Self::Salvage(args) => args.run(),
            Self::Backup(args) => args.run(),
            Self::Compact(args) => args.run(),
            Self::CrashTest(args) => args.run(),
        }
    }
}

fn main() -> ExitCode {
    let command = CommandLine::parse().command;
    // Records are read by calls that copy: a store that is cut, or whose disk fails, is an error.
    let guarded = flatrec::install_fault_guard().map_err(Failure::from);
    match guarded.and_then(|()| command.run()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit_code(),
    }
}
