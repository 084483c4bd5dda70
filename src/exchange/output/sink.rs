//! The formats of an export behind one interface.

use std::io::{self, Write};

use super::{BUFFER_BYTES, CsvWriter, ExportFormat, NdjsonWriter, NpyWriter};
use crate::error::{Error, Result};
use crate::exchange::UnpublishedFile;
use crate::format::{Field, Schema, TextBuffer};

/// What the writers need to know.
#[derive(Clone, Copy)]
pub(super) struct Form<'f> {
    pub(super) schema: &'f Schema,
    pub(super) format: ExportFormat,
    pub(super) fields: &'f [Field],
    pub(super) delimiter: u8,
    pub(super) header: bool,
    pub(super) null: &'f str,
    pub(super) id: Option<&'f str>,
}

/// The writers.
pub(super) enum Sink<W: Write> {
    Csv(CsvWriter<W>),
    Ndjson(NdjsonWriter<W>),
    Npy(NpyWriter<io::BufWriter<W>>),
    #[cfg(feature = "arrow")]
    Batches(Box<super::batches::BatchWriter<W>>),
}

impl<W: Write> Sink<W> {
    pub(super) fn new(out: W, form: &Form<'_>, count: u64) -> Result<Self> {
        Ok(match form.format {
            ExportFormat::Csv | ExportFormat::Tsv => {
                let mut writer = CsvWriter::new(out, form.fields, form.delimiter);
                writer = writer.null_text(form.null).null_words(form.schema.null_words());
                if let Some(name) = form.id {
                    writer = writer.id_column(name);
                }
                if form.header {
                    writer.header()?;
                }
                Self::Csv(writer)
            }
            ExportFormat::Ndjson => {
                let writer = NdjsonWriter::new(out, form.fields);
                Self::Ndjson(match form.id {
                    Some(name) => writer.id_column(name),
                    None => writer,
                })
            }
            ExportFormat::Npy => {
                let out = io::BufWriter::with_capacity(BUFFER_BYTES, out);
                Self::Npy(NpyWriter::new(out, form.schema, count)?)
            }
            #[cfg(feature = "arrow")]
            batches => Self::Batches(Box::new(super::batches::BatchWriter::new(
                out,
                batches,
                form.fields,
                form.id,
                form.schema.record_size() as usize,
            )?)),
        })
    }

    /// The writer of Parquet, before the first record.
    #[cfg(feature = "parquet")]
    pub(super) fn parquet(&mut self) -> Option<&mut super::parquet::ParquetWriter<W>> {
        match self {
            Self::Batches(writer) => writer.parquet(),
            _ => None,
        }
    }

    /// Writes the text of many records that other threads have made.
    pub(super) fn write_text(&mut self, text: &[u8]) -> Result<()> {
        match self {
            Self::Csv(writer) => writer.buffer().write_through(text),
            Self::Ndjson(writer) => writer.buffer().write_through(text),
            Self::Npy(_) => unreachable!("an npy array has no text"),
            #[cfg(feature = "arrow")]
            Self::Batches(_) => unreachable!("a batch has no text"),
        }
    }

    /// The text of the records that [`Sink::read_all`] has read, if the format has text.
    pub(super) fn text(&mut self) -> Option<&mut TextBuffer> {
        match self {
            Self::Csv(writer) => Some(&mut writer.buffer().text),
            Self::Ndjson(writer) => Some(&mut writer.buffer().text),
            Self::Npy(_) => None,
            #[cfg(feature = "arrow")]
            Self::Batches(_) => None,
        }
    }

    /// Whether the next row may be a line from which a reader guesses, and so is written
    /// differently.
    pub(super) fn is_at_first_line(&self) -> bool {
        match self {
            Self::Csv(writer) => writer.is_at_first_line(),
            _ => false,
        }
    }

    /// Reads the values of records of `record_bytes` bytes with these numbers, if the format needs
    /// them.
    ///
    /// # Errors
    /// The index of a record that cannot be read, and its error.
    pub(super) fn read_all(
        &mut self,
        ids: &[u64],
        records: &[u8],
        record_bytes: usize,
    ) -> Result<(), (usize, Error)> {
        match self {
            Self::Csv(writer) => writer.push(ids, records, record_bytes),
            Self::Ndjson(writer) => {
                let mut rows = ids.iter().zip(records.chunks_exact(record_bytes)).enumerate();
                rows.try_for_each(|(at, (&id, record))| {
                    writer.push(Some(id), record).map_err(|error| (at, error))
                })
            }
            Self::Npy(_) => Ok(()),
            #[cfg(feature = "arrow")]
            Self::Batches(writer) => {
                let mut rows = ids.iter().zip(records.chunks_exact(record_bytes)).enumerate();
                rows.try_for_each(|(at, (&id, record))| {
                    writer.push(id, record).map_err(|error| (at, error))
                })
            }
        }
    }

    /// Writes the records that were read last; errors belong to the file.
    pub(super) fn write(&mut self, records: &[u8]) -> Result<()> {
        match self {
            Self::Csv(writer) => writer.flush_if_full(),
            Self::Ndjson(writer) => writer.flush_if_full(),
            Self::Npy(writer) => writer.write(records),
            #[cfg(feature = "arrow")]
            Self::Batches(writer) => writer.flush_if_full(),
        }
    }

    pub(super) fn finish(self) -> Result<W> {
        match self {
            Self::Csv(writer) => writer.finish(),
            Self::Ndjson(writer) => writer.finish(),
            Self::Npy(writer) => {
                let buffered = writer.finish()?;
                buffered.into_inner().map_err(|error| Error::io("write", error.into_error()))
            }
            #[cfg(feature = "arrow")]
            Self::Batches(writer) => writer.finish(),
        }
    }
}

impl Sink<io::Sink> {
    /// One that only makes the text of rows; `None` if the format has no text.
    pub(super) fn for_text(form: &Form<'_>) -> Option<Self> {
        use ExportFormat::{Csv, Ndjson, Tsv};
        if !matches!(form.format, Csv | Tsv | Ndjson) {
            return None;
        }
        let sink = Self::new(io::sink(), &Form { header: false, ..*form }, 0).ok()?;
        Some(match sink {
            Self::Csv(writer) => Self::Csv(writer.continues()),
            other => other,
        })
    }
}

/// Counts the bytes that are written.
pub(super) struct Counted<W> {
    pub(super) out: W,
    pub(super) written_bytes: u64,
}

impl<W: Write> Write for Counted<W> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        let written = self.out.write(from)?;
        self.written_bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// The place of the bytes.
pub(super) enum Out<'a> {
    File(UnpublishedFile),
    Writer(Box<dyn Write + 'a>),
}

impl Write for Out<'_> {
    fn write(&mut self, from: &[u8]) -> io::Result<usize> {
        match self {
            Self::File(file) => file.write(from),
            Self::Writer(writer) => writer.write(from),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::File(file) => file.flush(),
            Self::Writer(writer) => writer.flush(),
        }
    }
}
