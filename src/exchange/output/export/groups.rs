//! Row groups of Parquet that several threads encode, each from its own copy of the records.

use std::io::Write;

use super::Export;
use crate::error::{Error, Result};
use crate::exchange::Progress;
use crate::exchange::csv::pipeline::in_order_with;
use crate::exchange::output::arrow::BatchMaker;
use crate::exchange::output::parquet::{Chunks, GroupMaker, ParquetWriter, group_rows};
use crate::exchange::output::sink::Form;
use crate::store::Copies;

/// How many row groups each thread has, being encoded or waiting.
const GROUPS_PER_THREAD: usize = 2;
/// How many bytes of records are copied at a time.
const CHUNK_BYTES: usize = 64 << 10;

impl Export<'_> {
    /// Writes the records as row groups of Parquet; `None` if this is no file of Parquet, or the
    /// records are few.
    pub(in crate::exchange::output) fn push_groups(
        &mut self,
        records: &Copies<'_>,
        threads: usize,
    ) -> Option<Result<()>> {
        let ids = records.ids();
        if ids.end - ids.start <= group_rows(records.layout().record_size) as u64 {
            return None;
        }
        let Self { sink, options, path, .. } = self;
        let (writer, path) = (sink.parquet()?, &*path);
        let named = |error: Error| match path {
            Some(path) => error.path(path),
            None => error,
        };
        let (mut rows, mut done_bytes) = (0, 0);
        let record_bytes = u64::from(options.schema.record_size());
        let total_bytes = self.total_bytes;
        let mut on_progress = options.on_progress.take();
        let done = |more: u64| {
            rows += more;
            done_bytes += more * record_bytes;
            match &mut on_progress {
                Some(on_progress) => on_progress(Progress { done_bytes, total_bytes, rows }),
                None => Ok(()),
            }
        };
        let part = records.part(ids);
        let pushed = write(writer, part, &options.form(), threads, done, named);
        options.on_progress = on_progress;
        (self.rows, self.done_bytes) = (rows, done_bytes);
        Some(pushed)
    }
}

/// A row group, and what became of it.
struct Part<'c> {
    records: Copies<'c>,
    batches: BatchMaker,
    made: Option<Result<Chunks>>,
    rows: u64,
}

impl Part<'_> {
    /// Encodes the records.
    fn make(&mut self, maker: &GroupMaker) {
        self.rows = 0;
        self.made = self.encode(maker).transpose();
    }

    /// The encoded row group; `None` if all its records are deleted.
    fn encode(&mut self, maker: &GroupMaker) -> Result<Option<Chunks>> {
        let mut group = maker.begin()?;
        loop {
            let has_ended = fill(&mut self.batches, &mut self.records)?;
            if let Some(batch) = self.batches.take()? {
                self.rows += batch.num_rows() as u64;
                maker.add(&mut group, &batch)?;
            }
            if has_ended {
                break;
            }
        }
        if self.rows == 0 { Ok(None) } else { group.finish().map(Some) }
    }
}

/// Adds records until there are enough for a batch; returns whether these were all.
fn fill(batches: &mut BatchMaker, records: &mut Copies<'_>) -> Result<bool> {
    while !batches.is_full() {
        let Some((id, record)) = records.next_record()? else { return Ok(true) };
        batches.push(id, record).map_err(|error| error.record(id))?;
    }
    Ok(false)
}

/// Writes all records to an empty file, and calls `done` after each row group, with its rows.
/// `named` names the file in an error that belongs to it.
pub(super) fn write<W: Write>(
    writer: &mut ParquetWriter<W>,
    mut records: Copies<'_>,
    form: &Form<'_>,
    threads: usize,
    mut done: impl FnMut(u64) -> Result<()>,
    named: impl Fn(Error) -> Error,
) -> Result<()> {
    let ids = records.ids();
    let group = group_rows(records.layout().record_size) as u64;
    let mut first = BatchMaker::new(form.fields, form.id);
    fill(&mut first, &mut records)?;
    let maker = writer.maker(first.take()?.as_ref()).map_err(&named)?;
    let mut left = ids;
    in_order_with(
        threads,
        GROUPS_PER_THREAD,
        |spare| {
            if left.is_empty() {
                return Ok(None);
            }
            let ids = left.start..left.end.min(left.start + group);
            left.start = ids.end;
            let mut part = spare.unwrap_or_else(|| Part {
                records: records.part(0..0).in_chunks(CHUNK_BYTES),
                batches: BatchMaker::new(form.fields, form.id),
                made: None,
                rows: 0,
            });
            part.records.move_to(ids);
            Ok(Some(part))
        },
        |part: &mut Part<'_>| part.make(&maker),
        |part| {
            if let Some(chunks) = part.made.take().transpose()? {
                writer.write_group(chunks).map_err(&named)?;
            }
            done(part.rows)
        },
    )
}
