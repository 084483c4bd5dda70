//! Child processes that report what they do, line by line, and that are killed with their parent.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::process;

/// What a child is to do, in its environment.
pub(crate) const JOB: &str = "FLATREC_SOAK_CHILD";
/// A child that runs longer than this after its order to end hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running child. Dropping it kills it and waits for its end.
pub(crate) struct Process {
    child: Child,
    listener: Option<JoinHandle<()>>,
    heard: Arc<Heard>,
}

/// What a child has said so far.
#[derive(Default)]
struct Heard {
    lines: AtomicU64,
    last: Mutex<String>,
}

impl Process {
    /// Starts a child with a job. Another thread calls `listen` with each line that it reports.
    pub(crate) fn start(job: &str, mut listen: impl FnMut(&str) + Send + 'static) -> Self {
        let mut child = process::running("child")
            .env(JOB, job)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let heard = Arc::new(Heard::default());
        let listener = std::thread::spawn({
            let heard = Arc::clone(&heard);
            move || {
                for line in output.lines().map_while(Result::ok) {
                    if let Some(line) = line.strip_prefix("! ") {
                        line.clone_into(&mut heard.last.lock().unwrap());
                        listen(line);
                        heard.lines.fetch_add(1, SeqCst);
                    }
                }
            }
        });
        Self { child, listener: Some(listener), heard }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Says a line to the child.
    pub(crate) fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("it was not told to end");
        writeln!(input, "{line}").unwrap();
    }

    /// Waits until the child has said this.
    ///
    /// # Panics
    /// If it ends before.
    pub(crate) fn wait_for(&mut self, line: &str) {
        let started = Instant::now();
        while *self.heard.last.lock().unwrap() != line {
            if self.has_ended() || started.elapsed() > PATIENCE {
                self.fail(&format!("it did not say {line:?}"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether it has ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether it has said anything yet.
    pub(crate) fn has_spoken(&self) -> bool {
        self.heard.lines.load(SeqCst) > 0
    }

    /// Kills the child, and hears what it has said till then.
    ///
    /// # Panics
    /// If it has failed before; with what it has said of that.
    pub(crate) fn kill(mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            self.fail(&format!("it ended by itself, {status}"));
        }
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        self.hear_out();
        // It may have failed just before. Windows gives those that are killed a code.
        if !matches!(status.code(), None | Some(KILLED)) {
            self.fail(&format!("it failed, {status}"));
        }
    }

    /// Tells the child to end, and waits until it has.
    ///
    /// # Panics
    /// If the child fails, or does not end.
    pub(crate) fn end(mut self) {
        drop(self.child.stdin.take());
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if started.elapsed() > PATIENCE {
                self.fail("it hangs");
            }
            std::thread::sleep(Duration::from_millis(1));
        };
        self.hear_out();
        if !ExitStatus::success(&status) {
            self.fail(&format!("it failed, {status}"));
        }
    }

    fn hear_out(&mut self) {
        if let Some(listener) = self.listener.take() {
            // What the listener finds wrong is said by itself.
            listener.join().expect("what a child said was wrong");
        }
    }

    fn fail(&mut self, why: &str) -> ! {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let mut said = String::new();
        if let Some(mut stderr) = self.child.stderr.take() {
            let _ = stderr.read_to_string(&mut said);
        }
        let last = self.heard.last.lock().unwrap().clone();
        panic!("child {}: {why}; it said {last:?} last, and: {said}", self.child.id());
    }
}

/// The code of a process that was killed, where it has one.
const KILLED: i32 = 1;
/// How a test executable ends when a test has failed.
pub(crate) const TEST_FAILED: i32 = 101;

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if let Some(listener) = self.listener.take() {
            let _ = listener.join();
        }
    }
}

/// In a child: a line to the parent, in one write, so that what was said before a kill is said
/// whole.
pub(crate) fn say(line: &str) {
    // In front, what the test harness may have begun to say.
    let line = format!("\n! {line}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("the parent listens");
}
