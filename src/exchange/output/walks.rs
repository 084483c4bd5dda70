//! Exports of whole walks through a store, of which several threads make the text.

use super::export::Export;
use super::lanes::BATCH_BYTES;
use super::parts::{Part, Walk};
use super::sink::Sink;
#[cfg(doc)]
use crate::error::ErrorKind;
use crate::error::Result;
use crate::exchange::csv::pipeline::{PARTS_PER_THREAD, in_order};
#[cfg(feature = "query")]
use crate::query::MatchingCopies;
use crate::store::Copies;

impl Export<'_> {
    /// Writes all records of `records`, which is faster than [`Export::push`] for each.
    ///
    /// ```
    /// use flatrec::exchange::{ExportFormat, Exporter};
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[7, 8, 9])?;
    /// let mut out = Vec::new();
    /// let mut export = Exporter::new(&schema, ExportFormat::Csv).begin_to(&mut out)?;
    /// export.push_copies(store.copies(1..))?;
    /// export.finish()?;
    /// assert_eq!(out, b"n\n8\n9\n");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Export::push`], and the errors of [`Copies::next_record`], which name the store.
    pub fn push_copies(&mut self, records: Copies<'_>) -> Result<()> {
        #[cfg(feature = "parquet")]
        {
            let is_sized = records.layout().record_size == self.options.record_bytes();
            let threads = self.options.threads_or_default();
            if is_sized && threads > 1 && self.rows == 0 {
                if let Some(pushed) = self.push_groups(&records, threads) {
                    return pushed;
                }
            }
        }
        self.push_walk(records)
    }

    /// Writes the records of `records`, which is faster than [`Export::push`] for each: the threads
    /// that make the text evaluate the condition, too.
    ///
    /// ```
    /// use flatrec::exchange::{ExportFormat, Exporter};
    /// use flatrec::query::Filter;
    /// use flatrec::{DataType, DynStore, Field, Schema};
    /// let schema = Schema::packed([Field::new("n", DataType::UInt8)])?;
    /// let mut store = DynStore::temporary(&schema)?;
    /// store.append_packed(&[7, 80, 9])?;
    /// let filter = Filter::parse("n < 10", &schema)?;
    /// let mut out = Vec::new();
    /// let mut export = Exporter::new(&schema, ExportFormat::Csv).begin_to(&mut out)?;
    /// export.push_matching(store.copies(..).matching(&filter))?;
    /// export.finish()?;
    /// assert_eq!(out, b"n\n7\n9\n");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Export::push`], and the errors of [`MatchingCopies::next_record`], which name the
    /// store.
    #[cfg(feature = "query")]
    pub fn push_matching(&mut self, mut records: MatchingCopies<'_>) -> Result<()> {
        match records.take_refusal() {
            Some(error) => Err(error),
            None => self.push_walk(records),
        }
    }

    fn push_walk<W: Walk>(&mut self, mut records: W) -> Result<()> {
        let ids = records.ids();
        let part = (BATCH_BYTES / records.layout().stride).max(1) as u64;
        let is_sized = records.layout().record_size == self.options.record_bytes();
        let threads = self.options.threads_or_default();
        let mut sinks = Vec::new();
        if is_sized && ids.end - ids.start > part {
            // As many as `in_order` has parts at a time.
            let text_sink = || Sink::for_text(&self.options.form());
            sinks.extend((0..threads * PARTS_PER_THREAD).map_while(|_| text_sink()));
        }
        let all = sinks.is_empty(); // npy has no text
        // The first lines are not as all others.
        while all || self.sink.is_at_first_line() {
            let Some((id, record)) = records.next_record()? else { return Ok(()) };
            self.push(id, record)?;
        }
        let mut left = records.ids();
        self.write_rest()?;
        in_order(
            threads,
            |spare| {
                if left.is_empty() {
                    return Ok(None);
                }
                let ids = left.start..left.end.min(left.start + part);
                left.start = ids.end;
                let mut part = spare.or_else(|| Some(Part::new(&records, sinks.pop()?)));
                part.iter_mut().for_each(|part| part.begin(ids.clone()));
                Ok(part)
            },
            Part::make_text,
            |part| self.write_part(part),
        )
    }

    /// Writes the text of a part, and counts its records.
    fn write_part(&mut self, part: &mut Part<impl Walk>) -> Result<()> {
        if let Err(error) = self.sink.write_text(part.text()) {
            return Err(self.named(error));
        }
        if let Some(error) = part.error.take() {
            return Err(error);
        }
        self.count(part.rows)
    }
}
