//! Values that do not fit: the first ones on standard error, or all of them in a file.

use std::fs::File;
use std::io::{self, BufWriter, Seek as _, Write as _};
use std::path::{Path, PathBuf};

use flatrec::exchange::UnpublishedFile;
use flatrec::{MisfitValue, printable};

use super::say_more;
use crate::aside;
use crate::failure::{Failure, say};
use crate::names;
use crate::output::write_csv_row;

/// How many values standard error shows.
const SHOWN_MAX: u64 = 20;
/// How much of a value standard error shows.
const SHOWN_CHARS: usize = 60;

/// What becomes of such values.
pub(super) struct Misfits {
    told: u64,
    file: Option<Rejects>,
}

/// The file with all of them.
struct Rejects {
    path: PathBuf,
    out: BufWriter<File>,
    aside: UnpublishedFile,
    /// Why it could not be written.
    failed: Option<io::Error>,
}

impl Misfits {
    /// Shows the first ones.
    pub(super) fn shown() -> Self {
        Self { told: 0, file: None }
    }

    /// Writes them to the file at `path`.
    pub(super) fn create<'p>(
        path: &Path,
        stores: impl Iterator<Item = &'p Path>,
        replace: bool,
    ) -> Result<Self, Failure> {
        let shown = path.display();
        names::refuse("--rejects ", path, stores, [])?;
        if !replace && path.symlink_metadata().is_ok() {
            return Err(Failure::Message(format!(
                "--rejects {shown} exists already (name another file, or remove it; --force \
                 replaces it)"
            )));
        }
        names::refuse_replacing("--rejects ", path)?;
        let (file, aside) = aside::create(path, replace)?;
        let (path, out) = (path.to_path_buf(), BufWriter::new(file));
        Ok(Self { told: 0, file: Some(Rejects { path, out, aside, failed: None }) })
    }

    /// Forgets those of an attempt that met a lock.
    pub(super) fn restart(&mut self) -> flatrec::Result<()> {
        self.told = 0;
        let Some(file) = &mut self.file else { return Ok(()) };
        file.out.flush()?;
        file.out.get_mut().set_len(0)?;
        file.out.rewind()?;
        file.out.write_all(b"record,field,value,reason\n")?;
        Ok(())
    }

    pub(super) fn tell(&mut self, misfit: &MisfitValue<'_>) -> flatrec::Result<()> {
        self.told += 1;
        let (record, field) = (misfit.record, misfit.field);
        match &mut self.file {
            Some(file) => file.write(misfit),
            None if self.told <= SHOWN_MAX => {
                let cut: String = misfit.why.chars().take(SHOWN_CHARS).collect();
                say(&format!("record {record}, {}: {cut}", printable(field)));
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Says how many were not shown.
    pub(super) fn summary(&self) {
        if self.file.is_none() {
            say_more(self.told.saturating_sub(SHOWN_MAX));
        }
    }

    /// The result of the migration, or why the file could not be written.
    pub(super) fn outcome<V>(&mut self, migrated: Result<V, Failure>) -> Result<V, Failure> {
        let Some(file) = &mut self.file else { return migrated };
        match file.failed.take() {
            Some(error) => {
                let path = file.path.display();
                Err(Failure::Message(format!("write --rejects {path}: {error}")))
            }
            None => migrated,
        }
    }

    /// Makes the file durable and gives it its name.
    pub(super) fn publish(self, done: &str) -> Result<(), Failure> {
        let Some(Rejects { out, aside, .. }) = self.file else { return Ok(()) };
        let synced = out.into_inner().map_err(io::IntoInnerError::into_error);
        synced
            .and_then(|file| file.sync_data())
            .map_err(|error| Failure::Done(format!("{done}, but not all of --rejects: {error}")))?;
        aside::publish(
            aside,
            "the store has the records that fit; the values are in the former file",
        )
        .map_err(|failure| failure.after(done))
    }
}

impl Rejects {
    fn write(&mut self, misfit: &MisfitValue<'_>) -> flatrec::Result<()> {
        let MisfitValue { record, field, value, why, .. } = misfit;
        let record = record.to_string();
        let cells = [&*record, field, value, why];
        write_csv_row(&mut self.out, cells.into_iter()).map_err(|error| {
            let kind = error.kind();
            self.failed = Some(error);
            io::Error::from(kind).into()
        })
    }
}
