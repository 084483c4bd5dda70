//! `flatrec crash-test`: power cuts, killed processes and failing calls, simulated on this machine.

use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flatrec::sim::{CrashReport, CrashTest, Violation};
use indicatif::{HumanCount, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::failure::Failure;
use crate::interrupt::{self, Interrupt};
use crate::output::stdout;

/// Simulate power cuts, killed processes and failing calls, and check that commits survive
///
/// Stores live on a simulated disk in memory, and nothing else is touched. Each history opens a
/// store several times, commits, checkpoints and is interrupted; afterwards the store must be
/// intact and have every acknowledged commit. The exit status is 1 if it is not.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  flatrec crash-test
  flatrec crash-test --seconds 3600
  flatrec crash-test --seed 42 --histories 1")]
pub(crate) struct Args {
    /// Stop after so many seconds [default: 10, or when --histories are done]
    #[arg(long, value_name = "N")]
    seconds: Option<u64>,

    /// The first history's seed, to repeat a finding [default: taken from the clock]
    #[arg(long, value_name = "S")]
    seed: Option<u64>,

    /// Stop after so many histories
    #[arg(long, value_name = "N")]
    histories: Option<u64>,

    /// Run so many histories at a time [default: one for each processor]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    threads: Option<u16>,
}

/// The default duration of the test.
const SECONDS: u64 = 10;

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let seed = self.seed.unwrap_or_else(seed_of_the_clock);
        let threads = self.threads.map_or_else(processors, usize::from);
        let mut test = CrashTest::new(seed).threads(threads);
        if let Some(histories) = self.histories {
            test = test.histories(histories);
        }
        let seconds = match (self.seconds, self.histories) {
            (None, None) => Some(SECONDS),
            (seconds, _) => seconds,
        };
        if let Some(seconds) = seconds {
            test = test.time_limit(Duration::from_secs(seconds));
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed}, {msg}") {
            bar.set_style(style);
        }
        let interrupt = Interrupt::watch();
        let report = test.run(|report| {
            if interrupt.is_asked() {
                bar.finish_and_clear();
                // The command ends here, even if this fails.
                let _ = tell(seed, report);
                std::process::exit(interrupt::exit_status().into());
            }
            bar.set_message(format!("{} histories", HumanCount(report.histories)));
            bar.tick();
        });
        bar.finish_and_clear();
        tell(seed, &report)
    }
}

fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// All numbers are equally good; a short one is easier to pass on.
fn seed_of_the_clock() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    now.as_micros() as u64 % 1_000_000_000
}

fn tell(seed: u64, report: &CrashReport) -> Result<(), Failure> {
    let written = write(seed, report);
    match report.violations.first() {
        None => Ok(written?),
        // The finding is reported even if standard output has no reader.
        Some(violation) => Err(Failure::Message(format!(
            "a promise was broken: {} (repeat it with `flatrec crash-test --seed {} --histories \
             1`, and please report it)",
            violation.what, violation.seed
        ))),
    }
}

fn write(seed: u64, report: &CrashReport) -> std::io::Result<()> {
    let mut out = stdout();
    for violation in &report.violations {
        describe(&mut out, violation)?;
    }
    writeln!(out, "seed               {seed:>12}")?;
    for (what, count) in [
        ("histories", report.histories),
        ("commits", report.commits),
        ("power cuts", report.power_cuts),
        ("killed processes", report.kills),
        ("failed calls", report.failed_calls),
        ("states checked", report.recoveries),
        ("violations", report.violations.len() as u64),
    ] {
        writeln!(out, "{what:<18} {count:>12}")?;
    }
    out.flush()
}

/// Writes the events before a broken promise.
fn describe(out: &mut impl std::io::Write, violation: &Violation) -> std::io::Result<()> {
    writeln!(out, "the history of seed {}:", violation.seed)?;
    for step in &violation.steps {
        writeln!(out, "{step}")?;
    }
    writeln!(out, "{}\n", violation.what)
}
