//! Loads the records of a foreign file into a new store.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;
use std::time::Instant;

use flatrec::exchange::UnpublishedFile;
use flatrec::foreign::ForeignFile;
use flatrec::{DynStore, Error, ErrorKind};

use super::{Args, FieldArgs};
use crate::aside::{self, publish_rejects};
use crate::csv_input::CsvArgs;
use crate::failure::Failure;
use crate::info::{bytes, fields};
use crate::interrupt::Interrupt;
use crate::metadata;
use crate::names;
use crate::output::{Column, Format, Sheet, report_text, write_csv_row};
use crate::progress::Bar;
use crate::rejects::Rejects;
use crate::verify::counted;

use super::unfinished::Unfinished;

/// The bytes of records that are appended at once.
const BATCH_BYTES: usize = 256 << 10;

/// The records of a load.
#[derive(Default)]
struct Loaded {
    records: u64,
    rejected: u64,
}

impl Args {
    /// Refuses options that only a CSV file has.
    fn check_foreign(&self) -> Result<(), Failure> {
        let csv = self.csv.without_rejects();
        let refused = [
            ("--append", self.append),
            ("--schema", self.schema.is_some()),
            ("--sample", self.sample.is_some()),
            ("--resume", self.resume),
            ("an option of another format", csv != CsvArgs::default()),
            ("an option for the types of fields", self.fields != FieldArgs::default()),
        ];
        match refused.iter().find(|(_, is_given)| *is_given) {
            None => Ok(()),
            Some((option, _)) => Err(Failure::Usage(format!(
                "{option} cannot be used with {}: its layout says what its records are",
                self.input.display()
            ))),
        }
    }

    /// Makes a store of the records of `file`.
    pub(super) fn load_foreign(&self, file: &ForeignFile) -> Result<(), Failure> {
        self.check_foreign()?;
        names::refuse_reading_of(&self.input, &self.store)?;
        names::refuse_beside_store("", &self.store)?;
        if let Some(path) = &self.csv.rejects {
            Rejects::check(path, &self.store, [&*self.input])?;
        }
        let started = Instant::now();
        self.refuse_taken()?;
        Unfinished::refuse_foreign(&self.store)?;
        let layout = file.layout().clone().into_native()?;
        let file = ForeignFile::open(&self.input, &layout)?;
        let metadata = self.metadata.as_deref().map(metadata::read).transpose()?;
        let stream = self.csv.stream_of_rejects()?;
        let interrupt = Interrupt::watch();
        let rejects = |path| RejectedValues::create(path, self.force, stream);
        let mut rejects = self.csv.rejects.as_deref().map(rejects).transpose()?;
        let options = DynStore::create_options()
            .deletes(self.deletes)
            .checksums(!self.no_checksums)
            .metadata(metadata.unwrap_or_default());
        let mut store = self.wait.patiently(Some(&interrupt), |wait| {
            options.clone().wait(wait).create_aside(&self.store, file.schema(), self.force)
        })?;
        Unfinished::discard(&self.store, self.csv.rejects.as_deref());
        let bar = Bar::new("load", None);
        let copied = copy(&file, &mut store, rejects.as_mut(), &interrupt, &bar);
        bar.clear();
        let loaded = copied.map_err(|failure| match interrupt.is_asked() {
            true => Failure::Interrupted,
            false => failure.advise(ErrorKind::InvalidValue, ADVICE),
        })?;
        let aside = rejects.map_or(Ok(None), RejectedValues::finish)?;
        let deciding = interrupt.decide()?;
        store.close()?;
        let done = loaded.what(&self.store);
        aside.map_or(Ok(()), publish_rejects).map_err(|failure| failure.after(&done))?;
        deciding.done(&done);
        report_text(&done, &self.summary_of(&file, &loaded, started)?)
    }

    fn summary_of(
        &self,
        file: &ForeignFile,
        loaded: &Loaded,
        started: Instant,
    ) -> Result<Vec<u8>, Failure> {
        let mut text = Vec::new();
        let mut sheet = Sheet::new(vec![
            Column::text("loaded"),
            Column::text(format!("{} records into {}", loaded.records, self.store.display())),
        ]);
        let layout = file.layout();
        let read_bytes = file.count().saturating_mul(layout.stride().into());
        sheet.row(["kind".into(), layout.kind().name().into()]);
        sheet.row(["rejected".into(), counted(loaded.rejected, "record").into()]);
        if layout.has_deletes() {
            let deleted = file.count() - loaded.records - loaded.rejected;
            sheet.row(["deleted".into(), counted(deleted, "record").into()]);
        }
        sheet.row(["read".into(), bytes(read_bytes).into()]);
        let size = file.schema().record_size();
        sheet.row(["records".into(), format!("{} of {size} bytes", loaded.records).into()]);
        sheet.row(["time".into(), format!("{:.2} s", started.elapsed().as_secs_f64()).into()]);
        sheet.write(Format::Table, &mut text)?;
        text.push(b'\n');
        fields(file.schema()).write(Format::Table, &mut text)?;
        Ok(text)
    }
}

/// Advice for a value that does not decode.
const ADVICE: &str = "set bad records aside with --rejects FILE";

impl Loaded {
    fn what(&self, store: &Path) -> String {
        let aside = match self.rejected {
            0 => String::new(),
            rejected => format!(", {} set aside,", counted(rejected, "record")),
        };
        format!("loaded {}{aside} into {}", counted(self.records, "record"), store.display())
    }
}

/// Appends the records of `file` to `store`, and sets those aside that do not decode.
fn copy(
    file: &ForeignFile,
    store: &mut DynStore,
    mut rejects: Option<&mut RejectedValues>,
    interrupt: &Interrupt,
    bar: &Bar,
) -> Result<Loaded, Failure> {
    let mut loaded = Loaded::default();
    let mut batch = Vec::with_capacity(BATCH_BYTES);
    let mut copies = file.copies(..);
    let total_bytes = file.count().saturating_mul(file.layout().stride().into());
    loop {
        match copies.next_record() {
            Ok(Some((_, record))) => {
                batch.extend_from_slice(record);
                loaded.records += 1;
            }
            Ok(None) => break,
            Err(error) => match &mut rejects {
                Some(rejects) if is_of_record(&error) => {
                    rejects.write(&error)?;
                    loaded.rejected += 1;
                }
                _ => return Err(error.into()),
            },
        }
        if batch.len() >= BATCH_BYTES || loaded.rejected % 1024 == 1023 {
            store.append_packed(&batch)?;
            batch.clear();
            interrupt.check()?;
            let done = (loaded.records + loaded.rejected) * u64::from(file.layout().stride());
            bar.show_of(done.min(total_bytes), total_bytes);
        }
    }
    store.append_packed(&batch)?;
    interrupt.check()?;
    Ok(loaded)
}

/// Whether the record's bytes are at fault, and not the file as a whole.
fn is_of_record(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::InvalidValue | ErrorKind::Corrupt)
        && error.record_number().is_some()
}

/// Records that do not decode, in a CSV file.
struct RejectedValues {
    out: BufWriter<File>,
    /// None for a device or pipe, which is written directly.
    aside: Option<UnpublishedFile>,
}

impl RejectedValues {
    fn create(path: &Path, replace: bool, stream: Option<File>) -> Result<Self, Failure> {
        let (file, aside) = match stream {
            Some(stream) => (stream, None),
            None if !replace && path.symlink_metadata().is_ok() => {
                return Err(crate::rejects::taken(path));
            }
            None => {
                names::refuse_replacing("--rejects ", path)?;
                let (file, aside) = aside::create(path, replace)?;
                (file, Some(aside))
            }
        };
        let mut rejects = Self { out: BufWriter::new(file), aside };
        rejects.row(["record", "field", "value", "reason"])?;
        Ok(rejects)
    }

    fn write(&mut self, error: &Error) -> Result<(), Failure> {
        let record = error.record_number().map(|id| id.to_string()).unwrap_or_default();
        let field = error.field_name().unwrap_or_default();
        let reason = crate::failure::why(error);
        self.row([&record, field, error.value_text().unwrap_or_default(), &reason])
    }

    fn row(&mut self, cells: [&str; 4]) -> Result<(), Failure> {
        write_csv_row(&mut self.out, cells.into_iter()).map_err(Self::failed)
    }

    fn finish(mut self) -> Result<Option<UnpublishedFile>, Failure> {
        self.out.flush().map_err(Self::failed)?;
        if self.aside.is_some() {
            self.out.get_ref().sync_data().map_err(Self::failed)?;
        }
        Ok(self.aside)
    }

    fn failed(error: std::io::Error) -> Failure {
        Failure::Message(format!("write the records set aside: {error}"))
    }
}
