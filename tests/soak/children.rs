//! Child processes that report their work line by line. They end with their parent.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::support::process;

/// The variable that tells a child its job.
pub(crate) const JOB: &str = "FLATREC_SOAK_CHILD";
/// A child that runs longer than this after the order to end hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running child. Dropping it kills it and waits for its end.
pub(crate) struct Process {
    child: Child,
    listener: Option<JoinHandle<()>>,
    heard: Arc<Heard>,
}

/// The lines that the child has reported.
#[derive(Default)]
struct Heard {
    lines: AtomicU64,
    last: Mutex<String>,
}

impl Process {
    /// Starts a child with a job. A thread calls `listen` with each reported line.
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

    /// Sends a line to the child.
    pub(crate) fn say(&mut self, line: &str) {
        let input = self.child.stdin.as_mut().expect("the child was told to end already");
        writeln!(input, "{line}").unwrap();
    }

    /// Waits until the child has reported this line.
    ///
    /// # Panics
    /// If the child ends first.
    pub(crate) fn wait_for(&mut self, line: &str) {
        let started = Instant::now();
        while *self.heard.last.lock().unwrap() != line {
            if self.has_ended() || started.elapsed() > PATIENCE {
                self.fail(&format!("it did not report {line:?}"));
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Whether the child ended by itself.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Whether the child has reported anything.
    pub(crate) fn has_spoken(&self) -> bool {
        self.heard.lines.load(SeqCst) > 0
    }

    /// Kills the child, and reads its remaining reports.
    ///
    /// # Panics
    /// If the child failed before. The message has its output.
    pub(crate) fn kill(mut self) {
        if let Some(status) = self.child.try_wait().unwrap() {
            self.fail(&format!("it ended by itself, {status}"));
        }
        self.child.kill().unwrap();
        let status = self.child.wait().unwrap();
        self.hear_out();
        // The child may have failed just before the kill. On Windows a killed process has an exit
        // code.
        if !matches!(status.code(), None | Some(KILLED)) {
            self.fail(&format!("it failed, {status}"));
        }
    }

    /// Tells the child to end, and waits for it.
    ///
    /// # Panics
    /// If the child fails or does not end.
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
            // The listener panics with its own message.
            listener.join().expect("the listener refused a report");
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
        panic!("child {}: {why}; its last report is {last:?}; its errors: {said}", self.child.id());
    }
}

/// The exit code of a killed process, on systems where it has one.
const KILLED: i32 = 1;
/// The exit code of a test program of which a test failed.
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

/// Reports a line to the parent in one call, so that a kill cannot split it. For children.
pub(crate) fn say(line: &str) {
    // The first line break ends a line that the test harness may have begun.
    let line = format!("\n! {line}\n");
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).expect("the parent closed the pipe");
}
