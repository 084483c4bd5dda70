//! Records as a file or a stream of Arrow, or as Parquet.

use std::io::{BufWriter, Write};

use arrow_ipc::writer::{FileWriter, StreamWriter};

use super::arrow::{BatchMaker, failed};
use super::{BUFFER_BYTES, ExportFormat};
use crate::error::{Error, Result};
use crate::exchange::table::check_byte_order;
use crate::format::Field;

/// Writes records in batches.
pub(super) struct BatchWriter<W: Write> {
    maker: BatchMaker,
    to: To<W>,
}

enum To<W: Write> {
    File(Box<FileWriter<BufWriter<W>>>),
    Stream(Box<StreamWriter<BufWriter<W>>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<super::parquet::ParquetWriter<W>>),
}

impl<W: Write> BatchWriter<W> {
    /// Writes the beginning: the types of these fields, after a column with that name for the
    /// records' numbers.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub(super) fn new(
        out: W,
        format: ExportFormat,
        fields: &[Field],
        id: Option<&str>,
        record_bytes: usize,
    ) -> Result<Self> {
        check_byte_order("export")?;
        #[cfg(not(feature = "parquet"))]
        let _ = record_bytes;
        let maker = BatchMaker::new(fields, id);
        let schema = &maker.schema;
        let buffered = |out| BufWriter::with_capacity(BUFFER_BYTES, out);
        let to = match format {
            #[cfg(feature = "parquet")]
            ExportFormat::Parquet => {
                To::Parquet(Box::new(super::parquet::ParquetWriter::new(out, schema, record_bytes)))
            }
            ExportFormat::ArrowStream => {
                let writer = StreamWriter::try_new(buffered(out), schema);
                To::Stream(Box::new(writer.map_err(failed)?))
            }
            _ => To::File(Box::new(FileWriter::try_new(buffered(out), schema).map_err(failed)?)),
        };
        Ok(Self { maker, to })
    }

    /// The writer of Parquet, if this is one and no record was added yet.
    #[cfg(feature = "parquet")]
    pub(super) fn parquet(&mut self) -> Option<&mut super::parquet::ParquetWriter<W>> {
        match &mut self.to {
            To::Parquet(writer) if self.maker.is_empty() => Some(writer),
            _ => None,
        }
    }

    /// Adds record `id`; errors belong to the record.
    pub(super) fn push(&mut self, id: u64, record: &[u8]) -> Result<()> {
        self.maker.push(id, record)
    }

    /// Writes the records so far, if they are many; errors belong to the file.
    pub(super) fn flush_if_full(&mut self) -> Result<()> {
        match self.maker.is_full() {
            true => self.flush(),
            false => Ok(()),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let Some(batch) = self.maker.take()? else { return Ok(()) };
        match &mut self.to {
            To::File(writer) => writer.write(&batch).map_err(failed),
            To::Stream(writer) => writer.write(&batch).map_err(failed),
            #[cfg(feature = "parquet")]
            To::Parquet(writer) => writer.write(&batch),
        }
    }

    /// Writes the end, and returns the writer underneath.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub(super) fn finish(mut self) -> Result<W> {
        self.flush()?;
        let buffered = match self.to {
            To::File(writer) => writer.into_inner().map_err(failed)?,
            To::Stream(writer) => writer.into_inner().map_err(failed)?,
            #[cfg(feature = "parquet")]
            To::Parquet(writer) => return writer.finish(),
        };
        buffered.into_inner().map_err(|error| Error::io("write", error.into_error()))
    }
}
