//! Text of records made by several threads, in the order of the records.

use std::mem;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;
use std::{io, panic};

use super::sink::{Form, Sink};
use crate::error::Error;
use crate::format::TextBuffer;

/// The bytes of records that a thread takes at a time: they stay in its cache with their text.
pub(super) const BATCH_BYTES: usize = 256 << 10;
/// How many batches each thread holds, being worked on or waiting, so that it never runs out.
const BATCHES_PER_THREAD: usize = 3;

/// Some records, and their text once it is made.
#[derive(Default)]
pub(super) struct Batch {
    ids: Vec<u64>,
    records: Vec<u8>,
    pub(super) text: TextBuffer,
    /// What is wrong with the first record that cannot be read; the text ends before that.
    pub(super) error: Option<Error>,
}

impl Batch {
    fn make_text(&mut self, sink: &mut Sink<io::Sink>, record_bytes: usize) {
        self.text.clear();
        let Some(text) = sink.text() else { return };
        mem::swap(text, &mut self.text);
        if let Err((at, error)) = sink.read_all(&self.ids, &self.records, record_bytes) {
            self.error = Some(error.record(self.ids[at]));
        }
        sink.text().into_iter().for_each(|text| mem::swap(text, &mut self.text));
        self.ids.clear();
        self.records.clear();
    }
}

/// A thread, and the ways to it and back.
struct Lane {
    to: Sender<Batch>,
    back: Receiver<Batch>,
    thread: thread::JoinHandle<()>,
}

/// Threads that make text. They end when this is dropped.
pub(super) struct Lanes {
    lanes: Vec<Lane>,
    filling: Batch,
    sent: usize,
    received: usize,
    spare: Vec<Batch>,
}

impl Lanes {
    /// Starts up to `threads` threads; `None` if the system starts none.
    pub(super) fn start(threads: usize, form: &Form<'_>) -> Option<Self> {
        let record_bytes = form.schema.record_size() as usize;
        let lanes: Vec<Lane> = (0..threads)
            .map_while(|_| {
                let (to, batches) = mpsc::channel::<Batch>();
                let (done, back) = mpsc::channel::<Batch>();
                let mut sink = Sink::for_text(form)?;
                let work = move || {
                    for mut batch in batches {
                        batch.make_text(&mut sink, record_bytes);
                        if done.send(batch).is_err() {
                            break; // The export was given up.
                        }
                    }
                };
                let thread = thread::Builder::new().spawn(work).ok()?;
                Some(Lane { to, back, thread })
            })
            .collect();
        let (sent, received, spare) = (0, 0, Vec::new());
        (!lanes.is_empty()).then(|| Self {
            lanes,
            filling: Batch::default(),
            sent,
            received,
            spare,
        })
    }

    /// Takes a record. Returns the oldest batch, for its text to be written, if all threads have
    /// enough to do.
    pub(super) fn push(&mut self, id: u64, record: &[u8]) -> Option<Batch> {
        self.filling.ids.push(id);
        self.filling.records.extend_from_slice(record);
        if self.filling.records.len() < BATCH_BYTES {
            return None;
        }
        self.send();
        let is_enough = self.sent - self.received >= self.lanes.len() * BATCHES_PER_THREAD;
        if is_enough { self.receive() } else { None }
    }

    /// Gives the records that are left to a thread; [`Lanes::receive`] then gives the rest.
    pub(super) fn end(&mut self) {
        if !self.filling.ids.is_empty() {
            self.send();
        }
    }

    /// Batch n goes to thread n % threads and comes back from there, which keeps the order.
    fn send(&mut self) {
        let batch = mem::replace(&mut self.filling, self.spare.pop().unwrap_or_default());
        let at = self.sent % self.lanes.len();
        if self.lanes[at].to.send(batch).is_err() {
            self.pass_on_panic(at);
        }
        self.sent += 1;
    }

    /// The oldest batch of those sent, with its text.
    ///
    /// # Panics
    /// If the thread panicked, with its message.
    pub(super) fn receive(&mut self) -> Option<Batch> {
        if self.received == self.sent {
            return None;
        }
        let at = self.received % self.lanes.len();
        self.received += 1;
        match self.lanes[at].back.recv() {
            Ok(batch) => Some(batch),
            Err(_) => self.pass_on_panic(at),
        }
    }

    /// Takes back a batch whose text is written, for its buffers.
    pub(super) fn reuse(&mut self, batch: Batch) {
        self.spare.push(batch);
    }

    /// A thread ends before its sender is dropped only if it panics.
    fn pass_on_panic(&mut self, at: usize) -> ! {
        match self.lanes.swap_remove(at).thread.join() {
            Err(message) => panic::resume_unwind(message),
            Ok(()) => unreachable!("a thread that makes text ended early"),
        }
    }
}
