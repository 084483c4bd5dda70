//! Rounds of measurements: within a round the ways take turns, so that what else the machine does
//! meets all of them.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::child::{Measured, make_sample};
use super::place::Place;
use super::plan::{Way, Work, name};
use super::results::Results;
use super::room::{self, Group, LIMIT_BYTES_MIN};
use super::shape::Shape;
use crate::failure::Failure;
use crate::interrupt::Interrupt;

/// What all measurements have in common.
pub(super) struct Rounds<'a> {
    pub(super) shape: Shape,
    pub(super) place: &'a Place,
    pub(super) interrupt: &'a Interrupt,
}

/// When a run ends.
#[derive(Clone, Copy, Debug)]
pub(super) enum Until {
    /// No round begins that would probably end later. The first one does in any case.
    Time(Duration),
    /// After so many rounds.
    Rounds(u32),
}

/// The stores of a run.
struct Files {
    read: PathBuf,
    changed: PathBuf,
    new: PathBuf,
}

impl Rounds<'_> {
    /// Measures rounds.
    pub(super) fn run(&self, works: &[Work], until: Until) -> Result<Results, Failure> {
        let began = Instant::now();
        let bar = bar();
        let files = self.files(works, &bar)?;
        let mut results = Results::new(self.shape);
        let (works, group) = self.possible(works, &files, &mut results)?;
        let mut turn = 0;
        let mut longest = Duration::ZERO;
        let goes_on = |turn, longest| match until {
            Until::Time(time) => turn == 0 || began.elapsed() + longest <= time,
            Until::Rounds(rounds) => turn < rounds,
        };
        while goes_on(turn, longest) {
            turn += 1;
            let round = Instant::now();
            for &work in &works {
                for &way in work.ways() {
                    self.check()?;
                    bar.set_message(format!("round {turn}: {}, {}", work.title(), way.title()));
                    bar.tick();
                    let group = group.as_ref().filter(|_| work.is_large()).map(Group::path);
                    // Each change of the file has a number of its own.
                    let turn = results.count() as u32 + 1;
                    results.add(work, way, self.measure(work, way, &files, turn, group)?);
                }
            }
            longest = longest.max(round.elapsed());
        }
        bar.finish_and_clear();
        results.took(turn, began.elapsed());
        Ok(results)
    }

    fn check(&self) -> Result<(), Failure> {
        match self.interrupt.is_asked() {
            true => Err(Failure::Interrupted),
            false => Ok(()),
        }
    }

    fn files(&self, works: &[Work], bar: &ProgressBar) -> Result<Files, Failure> {
        let files = Files {
            read: self.place.file("read.rec"),
            changed: self.place.file("changed.rec"),
            new: self.place.file("new.rec"),
        };
        bar.set_message("making the files");
        bar.tick();
        if works.iter().any(|work| *work != Work::Append && !work.changes()) {
            make_sample(&files.read, self.shape)?;
        }
        self.check()?;
        if works.iter().any(|work| work.changes()) {
            make_sample(&files.changed, self.shape)?;
        }
        self.check()?;
        Ok(files)
    }

    /// The works that this machine can measure; notes why it cannot do the others.
    fn possible(
        &self,
        works: &[Work],
        files: &Files,
        results: &mut Results,
    ) -> Result<(Vec<Work>, Option<Group>), Failure> {
        let (mut group, mut possible) = (None, Vec::new());
        for &work in works {
            match self.prepare(work, &files.read, &mut group) {
                Ok(()) => possible.push(work),
                Err(why) => results.leave_out(work, why),
            }
        }
        if possible.is_empty() {
            let why = results.left_out().map(|(_, why)| why.to_owned()).next().unwrap_or_default();
            return Err(Failure::Message(format!("nothing can be measured here: {why}")));
        }
        Ok((possible, group))
    }

    /// Makes what a work needs beside its file; the error is why this machine cannot measure it.
    fn prepare(&self, work: Work, file: &Path, group: &mut Option<Group>) -> Result<(), String> {
        if work.is_cold() {
            room::drop_pages(file).map_err(|error| error.to_string())?;
        }
        if !work.is_large() || group.is_some() {
            return Ok(());
        }
        let limit = self.shape.total_bytes() / 4;
        if limit < LIMIT_BYTES_MIN {
            let least = 4 * LIMIT_BYTES_MIN;
            return Err(format!("the records take too little: give at least {least} bytes in all"));
        }
        *group = Some(Group::limited(limit)?);
        Ok(())
    }

    fn measure(
        &self,
        work: Work,
        way: Way,
        files: &Files,
        turn: u32,
        group: Option<&Path>,
    ) -> Result<Measured, Failure> {
        let file = match work {
            Work::Append => &files.new,
            work if work.changes() => &files.changed,
            _ => &files.read,
        };
        let failed = |what: String| {
            Failure::Message(format!("measure {}, {}: {what}", work.title(), way.title()))
        };
        if work.is_cold() {
            room::drop_pages(file).map_err(|error| failed(error.to_string()))?;
        }
        let own = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(own);
        command.args(["bench", "--measure", &name(way), "--only", &name(work)]);
        command.args(["--records", &self.shape.records.to_string()]);
        command.args(["--bytes", &self.shape.bytes.to_string()]);
        command.args(["--turn", &turn.to_string()]);
        command.arg("--file").arg(file);
        if let Some(group) = group {
            command.arg("--group").arg(group);
        }
        let output = command.stdin(Stdio::null()).output();
        self.check()?;
        let output = output.map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            let said = said.trim().trim_start_matches("flatrec: ");
            return Err(failed(match said.is_empty() {
                true => format!("the process ended with {}", output.status),
                false => said.to_owned(),
            }));
        }
        let text = String::from_utf8_lossy(&output.stdout);
        Measured::of_json(&text).ok_or_else(|| failed(format!("the process said {text:?}")))
    }
}

fn bar() -> ProgressBar {
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed}, {msg}") {
        bar.set_style(style);
    }
    bar
}
