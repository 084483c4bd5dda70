//! `flatrec`: record files at the command line, one file a command, thin over the library.
//!
//! Results go to standard output; errors and progress to standard error. If a command's only result
//! is its output, a closed pipe ends it quietly. The exit status tells whether the work was done:
//! see [`HELP`].

mod append;
mod aside;
mod backup;
mod bench;
mod change;
mod checkpoint;
mod choice;
mod compact;
mod condition;
mod crash_test;
mod csv_input;
mod delete;
mod diff_schema;
mod export;
mod failure;
mod field_names;
mod foreign_info;
mod get;
mod id_file;
mod info;
mod input_format;
mod interrupt;
mod left_out;
mod load;
mod matching;
mod metadata;
mod migrate;
mod names;
mod output;
mod own;
mod paths;
mod progress;
mod records;
mod rejects;
mod salvage;
mod scan;
mod schema;
mod selection;
mod set;
mod shell;
mod source;
mod strays;
mod tail;
mod verify;
mod waiting;
mod widen;

use std::io::{self, Write as _};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::Failure;

/// The end of the help, after the commands.
const HELP: &str = "\
Examples:
  flatrec load flights.csv flights.rec
  flatrec info flights.rec
  flatrec scan flights.rec --select carrier,flight,dep_delay --where 'dep_delay > 120' --limit 10
  flatrec export flights.rec flights.npy

Exit status:
  0    done
  1    failed: nothing was changed, or standard error says what was; verify has doubts, or
       salvage lost records
  2    a wrong command line
  3    the work was done, but its report could not be written, or what follows it failed:
       standard error says what was done; the same command again would do it twice
  129, 130, 143
       ended by the signal HUP, INT (Ctrl-C) or TERM, and nothing was changed, but that what
       a load has kept can be resumed

Commands whose output is their work, such as scan, end with 0 when the reader of a pipe leaves.";

/// Keep records that all have the same size in one flat, memory-mapped file.
#[derive(Debug, Parser)]
#[command(name = "flatrec", version, arg_required_else_help = true, after_help = HELP)]
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
    DiffSchema(diff_schema::Args),
    Migrate(migrate::Args),
    Append(append::Args),
    Set(set::Args),
    Delete(delete::Args),
    Checkpoint(checkpoint::Args),
    Verify(verify::Args),
    Salvage(salvage::Args),
    Backup(backup::Args),
    Compact(compact::Args),
    Bench(bench::Args),
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
            Self::DiffSchema(args) => args.run(),
            Self::Migrate(args) => args.run(),
            Self::Append(args) => args.run(),
            Self::Set(args) => args.run(),
            Self::Delete(args) => args.run(),
            Self::Checkpoint(args) => args.run(),
            Self::Verify(args) => args.run(),
            Self::Salvage(args) => args.run(),
            Self::Backup(args) => args.run(),
            Self::Compact(args) => args.run(),
            Self::Bench(args) => args.run(),
            Self::CrashTest(args) => args.run(),
        }
    }
}

fn main() -> ExitCode {
    let command = match CommandLine::try_parse() {
        Ok(line) => line.command,
        Err(answer) => return tell(&answer),
    };
    #[cfg(unix)]
    interrupt::report_large_files();
    // Records are read by calls that copy: a truncated store or a failing disk is an error.
    let guarded = flatrec::install_fault_guard().map_err(Failure::from);
    match guarded.and_then(|()| command.run().map_err(source::explained)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => failure.exit_code(),
    }
}

/// Shows what is wrong with the command line, or the help.
fn tell(answer: &clap::Error) -> ExitCode {
    if answer.use_stderr() {
        // An argument may contain characters that command the terminal, for example from a file's
        // name, so the message is made from arguments without such characters.
        let shown = std::env::args_os()
            .map(|argument| flatrec::printable(&argument.to_string_lossy()).into_owned());
        // A failure to write standard error cannot be reported.
        let _ = match CommandLine::try_parse_from(shown) {
            Err(answer) if answer.use_stderr() => answer.print(),
            _ => writeln!(io::stderr(), "error: a wrong command line (see flatrec --help)"),
        };
        return ExitCode::from(2);
    }
    match answer.print().and_then(|()| io::stdout().flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => Failure::Output(error).exit_code(),
    }
}
