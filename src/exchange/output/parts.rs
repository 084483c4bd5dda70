//! Parts of a store's records, of which several threads make the text. Each copies its records
//! itself, so that they are in its cache.

use std::io;
use std::ops::Range;

use super::sink::Sink;
use crate::error::{Error, Result};
use crate::store::Copies;

/// How many bytes of records are copied at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Some records, and their text once it is made.
pub(super) struct Part<'c> {
    records: Copies<'c>,
    sink: Sink<io::Sink>,
    /// The numbers of records whose text is made together, and copies of those that do not follow
    /// one another.
    ids: Vec<u64>,
    live: Vec<u8>,
    /// How many records were read.
    pub(super) rows: u64,
    /// What is wrong with the first record that cannot be read; the text ends before that.
    pub(super) error: Option<Error>,
}

impl<'c> Part<'c> {
    /// A part of `records`, without records at first.
    pub(super) fn new(records: &Copies<'c>, sink: Sink<io::Sink>) -> Self {
        let records = records.part(0..0).in_chunks(CHUNK_BYTES);
        Self { records, sink, ids: Vec::new(), live: Vec::new(), rows: 0, error: None }
    }

    /// Goes on with these records.
    pub(super) fn begin(&mut self, ids: Range<u64>) {
        self.records.move_to(ids);
        self.sink.text().into_iter().for_each(|text| text.clear());
        (self.rows, self.error) = (0, None);
    }

    /// Makes the text.
    pub(super) fn make_text(&mut self) {
        let layout = *self.records.layout();
        let made = match layout.deletes {
            false => self.make_of_all(layout.record_size),
            true => self.make_of_live(layout.record_size),
        };
        self.error = made.err();
    }

    /// Where each stride is a record.
    fn make_of_all(&mut self, record_bytes: usize) -> Result<()> {
        loop {
            let first = self.records.next_id();
            let Some(run) = self.records.ahead()? else { return Ok(()) };
            let count = run.len() / record_bytes;
            self.ids.clear();
            self.ids.extend(first..first + count as u64);
            let read = self.sink.read_all(&self.ids, run, record_bytes);
            read.map_err(|(at, error)| error.record(self.ids[at]))?;
            self.records.skip_records(count);
            self.rows += count as u64;
        }
    }

    /// Where some records are deleted.
    fn make_of_live(&mut self, record_bytes: usize) -> Result<()> {
        loop {
            self.ids.clear();
            self.live.clear();
            let copied = loop {
                match self.records.next_record() {
                    Ok(Some((id, record))) => {
                        self.ids.push(id);
                        self.live.extend_from_slice(record);
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
                if self.live.len() >= CHUNK_BYTES {
                    break Ok(());
                }
            };
            let read = self.sink.read_all(&self.ids, &self.live, record_bytes);
            read.map_err(|(at, error)| error.record(self.ids[at]))?;
            self.rows += self.ids.len() as u64;
            copied?;
            if self.ids.is_empty() {
                return Ok(());
            }
        }
    }

    pub(super) fn text(&mut self) -> &[u8] {
        self.sink.text().map_or(&[], |text| text.as_bytes())
    }
}
