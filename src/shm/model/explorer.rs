//! Scenarios and their executions: all with few unusual events, and many random ones.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use super::actors::{Act, Deed, Flaw, Reader, Writer};
use super::disk::Disk;
use super::plan::Plan;
use super::scheduler::{Execution, Killed, Outcome, Port, Stopped};
use crate::step::{self, Step};

/// One writer and several readers. Each runs a list of actions per process; the next process begins
/// when the one before has ended or was killed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scenario {
    pub(super) stores: usize,
    pub(super) writer: &'static [&'static [Deed]],
    /// How often the scheduler may kill the writer.
    pub(super) kills: usize,
    /// Whether a kill loses unsynced commits.
    pub(super) loses: bool,
    /// Whether this system can lock bytes of the data file.
    pub(super) locks_bytes: bool,
    /// Whether a writer waits under each name that is not the present writer's.
    pub(super) others_wait: bool,
    pub(super) readers: &'static [Reading],
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Reading {
    pub(super) store: usize,
    /// The name under which it opens the store.
    pub(super) file: usize,
    pub(super) has_entry: bool,
    pub(super) kills: usize,
    /// Whether its last process ends, too.
    pub(super) leaves: bool,
    pub(super) acts: &'static [&'static [Act]],
}

/// The intended mistakes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Wrong {
    pub(super) without: &'static [Step],
    pub(super) flaw: Option<Flaw>,
}

/// An execution with a fault, and how to repeat it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) what: String,
    /// The seed of a random execution, or the number of an ordered one.
    pub(super) which: String,
    pub(super) trace: Vec<String>,
}

impl Scenario {
    fn run(&self, plan: Plan, wrong: Wrong, traced: bool) -> Outcome {
        let kills = self.readers.iter().map(|reader| reader.kills);
        let lives: Vec<usize> = [self.kills].into_iter().chain(kills).collect();
        let mut disk = Disk::new(self.stores);
        (disk.locks_bytes, disk.others_wait) = (self.locks_bytes, self.others_wait);
        let execution = Execution::new(plan, &lives, disk, traced);
        step::without(wrong.without, || {
            execution.run(|me| {
                let port = Port::new(&execution, me);
                match me {
                    0 => self.write(&port, wrong.flaw),
                    _ => self.readers[me - 1].read(&port, me, wrong.flaw),
                }
            });
        });
        Arc::clone(&execution).outcome()
    }

    fn write(&self, port: &Port, flaw: Option<Flaw>) {
        let mut killed = false;
        for deeds in self.writer {
            let loses = killed && self.loses;
            let lived = live(port, || {
                let mut writer = Writer::open(port, 0, flaw, loses);
                deeds.iter().for_each(|&deed| writer.act(deed));
                port.exit();
            });
            let Some(is_killed) = lived else { return };
            killed = is_killed;
        }
        let _ = live(port, || {
            port.outlive_others();
            Writer::open(port, 0, flaw, killed && self.loses).check_progress();
            port.end();
        });
    }

    /// Tries executions: `count` of them at random, from this seed on; then as many in order, first
    /// those without unusual events, then with one and so on.
    pub(super) fn explore(
        &self,
        wrong: Wrong,
        from_seed: u64,
        count: usize,
    ) -> Result<Explored, Found> {
        let mut explored = Explored::default();
        for seed in from_seed..from_seed + count as u64 {
            let outcome = self.run(Plan::random(seed), wrong, false);
            self.judge(outcome, wrong, || format!("seed {seed}"))?;
        }
        for bound in 0..=BOUND_MAX {
            let mut next = Some(Plan::follow(Vec::new(), bound));
            while let Some(plan) = next {
                if explored.in_order == count {
                    break;
                }
                explored.in_order += 1;
                let outcome = self.run(plan, wrong, false);
                let which = || format!("number {} in order", explored.in_order);
                next = self.judge(outcome, wrong, which)?.next();
                if next.is_none() {
                    explored.complete = Some(bound);
                }
            }
        }
        Ok(explored)
    }

    /// Runs a faulty execution again, to record its steps.
    fn judge(
        &self,
        outcome: Outcome,
        wrong: Wrong,
        which: impl FnOnce() -> String,
    ) -> Result<Plan, Found> {
        let Some(what) = outcome.failure else { return Ok(outcome.plan) };
        let again = self.run(outcome.plan.replay(), wrong, true);
        assert_eq!(again.failure.as_ref(), Some(&what), "an execution is the same every time");
        Err(Found { what, which: which(), trace: again.trace })
    }
}

/// With more unusual events there are too many executions to try them all.
const BOUND_MAX: usize = 4;

/// The executions that were tried.
#[derive(Debug, Default)]
pub(super) struct Explored {
    pub(super) in_order: usize,
    /// All executions with this many unusual events were tried.
    pub(super) complete: Option<usize>,
}

impl Reading {
    fn read(&self, port: &Port, me: usize, flaw: Option<Flaw>) {
        for (index, acts) in self.acts.iter().enumerate() {
            let lived = live(port, || {
                let mut reader = Reader::open(port, me, self, flaw);
                acts.iter().for_each(|&act| reader.act(act));
                reader.drop_all();
                // The last one stays and must not block the writer.
                if index + 1 < self.acts.len() || self.leaves {
                    reader.leave();
                    port.exit();
                }
            });
            if lived.is_none() {
                return;
            }
        }
        let _ = live(port, || port.end());
    }
}

/// Runs a process and returns whether it was killed, or `None` if the execution was stopped.
fn live(port: &Port, process: impl FnOnce()) -> Option<bool> {
    let ended = catch_unwind(AssertUnwindSafe(|| {
        port.begin();
        process();
    }));
    match ended {
        Ok(()) => Some(false),
        Err(thrown) if thrown.is::<Killed>() => Some(true),
        Err(thrown) if thrown.is::<Stopped>() => None,
        Err(thrown) => {
            port.abandon();
            resume_unwind(thrown)
        }
    }
}
