//! Parts of a store's records, of which several threads make the text. Each copies its records
//! itself, so that they are in its cache.

use std::io;
use std::ops::Range;

use super::sink::Sink;
use crate::error::{Error, Result};
use crate::format::RecordLayout;
#[cfg(feature = "query")]
use crate::query::MatchingCopies;
use crate::store::Copies;

/// A walk through records, of which other threads can walk through parts.
pub(super) trait Walk: Send + Sized {
    /// The numbers of the records that are still to come.
    fn ids(&self) -> Range<u64>;

    fn layout(&self) -> &RecordLayout;

    /// A walk through none of these records, for [`Walk::move_to`].
    fn part(&self) -> Self;

    /// Goes on with these of the records.
    fn move_to(&mut self, ids: Range<u64>);

    fn next_record(&mut self) -> Result<Option<(u64, &[u8])>>;

    /// As [`Copies::ahead`], if every stride that is copied is a record to take.
    fn ahead(&mut self) -> Option<Result<Option<&[u8]>>>;

    /// Passes so many of the records that [`Walk::ahead`] gave.
    fn skip_records(&mut self, records: usize);
}

impl Walk for Copies<'_> {
    fn ids(&self) -> Range<u64> {
        Copies::ids(self)
    }

    fn layout(&self) -> &RecordLayout {
        Copies::layout(self)
    }

    fn part(&self) -> Self {
        Copies::part(self, 0..0).in_chunks(CHUNK_BYTES)
    }

    fn move_to(&mut self, ids: Range<u64>) {
        Copies::move_to(self, ids);
    }

    fn next_record(&mut self) -> Result<Option<(u64, &[u8])>> {
        Copies::next_record(self)
    }

    fn ahead(&mut self) -> Option<Result<Option<&[u8]>>> {
        (!Copies::layout(self).deletes).then(|| Copies::ahead(self))
    }

    fn skip_records(&mut self, records: usize) {
        Copies::skip_records(self, records);
    }
}

#[cfg(feature = "query")]
impl Walk for MatchingCopies<'_> {
    fn ids(&self) -> Range<u64> {
        MatchingCopies::ids(self)
    }

    fn layout(&self) -> &RecordLayout {
        MatchingCopies::layout(self)
    }

    fn part(&self) -> Self {
        MatchingCopies::part(self, 0..0)
    }

    fn move_to(&mut self, ids: Range<u64>) {
        MatchingCopies::move_to(self, ids);
    }

    fn next_record(&mut self) -> Result<Option<(u64, &[u8])>> {
        MatchingCopies::next_record(self)
    }

    fn ahead(&mut self) -> Option<Result<Option<&[u8]>>> {
        None
    }

    fn skip_records(&mut self, _records: usize) {}
}

/// How many bytes of records are copied at a time.
const CHUNK_BYTES: usize = 64 << 10;

/// Some records, and their text once it is made.
pub(super) struct Part<W> {
    records: W,
    sink: Sink<io::Sink>,
    /// The numbers of records whose text is made together, and copies of those that do not follow
    /// one another.
    ids: Vec<u64>,
    chosen: Vec<u8>,
    /// How many records were read.
    pub(super) rows: u64,
    /// What is wrong with the first record that cannot be read; the text ends before that.
    pub(super) error: Option<Error>,
}

impl<W: Walk> Part<W> {
    /// A part of `records`, without records at first.
    pub(super) fn new(records: &W, sink: Sink<io::Sink>) -> Self {
        let (ids, chosen) = (Vec::new(), Vec::new());
        Self { records: records.part(), sink, ids, chosen, rows: 0, error: None }
    }

    /// Goes on with these records.
    pub(super) fn begin(&mut self, ids: Range<u64>) {
        self.records.move_to(ids);
        self.sink.text().into_iter().for_each(|text| text.clear());
        (self.rows, self.error) = (0, None);
    }

    /// Makes the text.
    pub(super) fn make_text(&mut self) {
        let record_bytes = self.records.layout().record_size;
        let made = match self.make_of_all(record_bytes) {
            Some(made) => made,
            None => self.make_of_chosen(record_bytes),
        };
        self.error = made.err();
    }

    /// Where each stride is a record to take; `None` elsewhere.
    fn make_of_all(&mut self, record_bytes: usize) -> Option<Result<()>> {
        loop {
            let first = self.records.ids().start;
            let run = match self.records.ahead()? {
                Ok(Some(run)) => run,
                Ok(None) => return Some(Ok(())),
                Err(error) => return Some(Err(error)),
            };
            let count = run.len() / record_bytes;
            self.ids.clear();
            self.ids.extend(first..first + count as u64);
            if let Err((at, error)) = self.sink.read_all(&self.ids, run, record_bytes) {
                return Some(Err(error.record(self.ids[at])));
            }
            self.records.skip_records(count);
            self.rows += count as u64;
        }
    }

    /// Where some records are deleted, or do not match.
    fn make_of_chosen(&mut self, record_bytes: usize) -> Result<()> {
        loop {
            self.ids.clear();
            self.chosen.clear();
            let copied = loop {
                match self.records.next_record() {
                    Ok(Some((id, record))) => {
                        self.ids.push(id);
                        self.chosen.extend_from_slice(record);
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                }
                if self.chosen.len() >= CHUNK_BYTES {
                    break Ok(());
                }
            };
            let read = self.sink.read_all(&self.ids, &self.chosen, record_bytes);
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
