//! The file that a command reads: a store, or a foreign file, whose records it reads as they are.

use std::fs::File;
use std::io::Read as _;
use std::ops::RangeBounds;
use std::path::{Path, PathBuf};

use flatrec::foreign::{ForeignFile, ForeignKind, ForeignLayout};
use flatrec::{Copies, DynStore, ErrorKind, Schema};

use crate::failure::Failure;
use crate::paths::starts_as_store;
use crate::shell;

/// The longest layout file.
const LAYOUT_BYTES_MAX: u64 = 16 << 20;

/// Added to the error of a file that is not a store, in a command that also takes other files.
pub(crate) const ADVICE: &str = "give the layout of another flat file with --layout KIND or \
                                 --layout FILE.json: see flatrec get --help";

/// As [`ADVICE`], in a command that takes stores only.
const OTHER_FILES: &str = "this command works on stores only; `flatrec load FILE STORE` makes one \
                           of a flat file of another program, some with --layout KIND";

/// The option for foreign files.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct LayoutArgs {
    /// Read a flat file of another program in place: its kind, or a JSON file that describes it
    ///
    /// A dump of `struct { uint8_t tag; double value; char name[5]; }` by a C program, after a
    /// header of 16 bytes, has this layout:
    ///
    ///   { "offset": 16, "c_struct": true, "fields": [
    ///       { "name": "tag", "type": "uint8" },
    ///       { "name": "value", "type": "float64" },
    ///       { "name": "name", "type": "utf8(5)" } ] }
    ///
    /// docs/FOREIGN.md has all keys, and all kinds. A file with a magic needs no --layout.
    #[arg(long, value_name = "KIND|FILE.json", verbatim_doc_comment)]
    layout: Option<PathBuf>,
}

/// A file with records.
pub(crate) enum Source {
    Store(Box<DynStore>),
    Foreign(Box<ForeignFile>),
}

impl LayoutArgs {
    /// Opens the store at `path`, or the foreign file.
    pub(crate) fn open(&self, path: &Path) -> Result<Source, Failure> {
        match self.foreign(path)? {
            Some(file) => Ok(Source::Foreign(Box::new(file))),
            None => Ok(Source::Store(Box::new(self.store(path, false)?))),
        }
    }

    /// Opens the store at `path`, which is no foreign file; `always` after an interrupted edit,
    /// too.
    pub(crate) fn store(&self, path: &Path, always: bool) -> Result<DynStore, Failure> {
        let options = DynStore::read_options().accept_interrupted_edit(always);
        let opened = options.open_read_only(path);
        opened.map_err(|error| Failure::from(error).advise(ErrorKind::NotAStore, ADVICE))
    }

    /// Opens the foreign file at `path`: as --layout describes it, or as its first bytes do.
    /// `None` for a store, and for a file of no known kind.
    pub(crate) fn foreign(&self, path: &Path) -> Result<Option<ForeignFile>, Failure> {
        let layout = match &self.layout {
            Some(layout) => Some(described(layout, path)?),
            // Opening a pipe would wait, and the library says what else is wrong with a path.
            None if !path.is_file() || starts_as_store(path).unwrap_or(true) => None,
            None => ForeignLayout::detect(path)?,
        };
        match layout {
            Some(layout) => Ok(Some(ForeignFile::open(path, &layout)?)),
            None => Ok(None),
        }
    }

    /// Whether the option is given.
    pub(crate) fn is_given(&self) -> bool {
        self.layout.is_some()
    }
}

/// Refuses a foreign file at `path`, in a command that takes stores only.
pub(crate) fn refuse_foreign(path: &Path) -> Result<(), Failure> {
    // Opening a pipe would wait. A file that is damaged has an error of its own.
    let found = path.is_file().then(|| ForeignLayout::detect(path).ok().flatten()).flatten();
    let Some(layout) = found else { return Ok(()) };
    let (what, shown) = (layout.kind().description(), path.display());
    Err(Failure::Message(format!(
        "{shown} is {what}, and this command works on stores only (make a store of it with \
         `flatrec load {} STORE`)",
        shell::path(path).unwrap_or_else(|| "FILE".to_owned())
    )))
}

/// Says of an error about a file that is not a store what the file is, and what to do.
pub(crate) fn explained(failure: Failure) -> Failure {
    let Failure::Library(error) = &failure else { return failure };
    let path = error.file_path().filter(|_| error.kind() == ErrorKind::NotAStore);
    let Some(path) = path else { return failure };
    match refuse_foreign(path) {
        Err(refused) => refused,
        Ok(()) => failure.advise(ErrorKind::NotAStore, OTHER_FILES),
    }
}

/// The layout of the file at `path`, by a kind or a layout file.
fn described(layout: &Path, path: &Path) -> Result<ForeignLayout, Failure> {
    let named = |why: &dyn std::fmt::Display| {
        Failure::Message(format!("--layout {}: {why}", layout.display()))
    };
    let is_kind = layout.to_str().filter(|text| {
        let name = text.split(':').next().unwrap_or_default();
        ForeignKind::SELF_DESCRIBED.iter().any(|kind| kind.name() == name)
    });
    if let Some(kind) = is_kind {
        return Ok(ForeignLayout::of_kind(path, kind)?);
    }
    let file = File::open(layout).map_err(|error| {
        let kinds: Vec<&str> = ForeignKind::SELF_DESCRIBED.iter().map(|kind| kind.name()).collect();
        named(&format!("{error} (name a layout file, or one of the kinds {})", kinds.join(", ")))
    })?;
    let mut json = String::new();
    // A device with that name may have no end.
    let taken = file.take(LAYOUT_BYTES_MAX + 1).read_to_string(&mut json);
    if taken.map_err(|error| named(&error))? as u64 > LAYOUT_BYTES_MAX {
        return Err(named(&format!("it is longer than {} MiB", LAYOUT_BYTES_MAX >> 20)));
    }
    ForeignLayout::from_json(&json, path).map_err(|error| match error.file_path() {
        Some(_) => error.into(), // the file does not fit the layout
        None => named(&error),
    })
}

impl Source {
    pub(crate) fn schema(&self) -> &Schema {
        match self {
            Self::Store(store) => store.schema(),
            Self::Foreign(file) => file.schema(),
        }
    }

    /// The number of records, deleted ones included.
    pub(crate) fn count(&self) -> u64 {
        match self {
            Self::Store(store) => store.count(),
            Self::Foreign(file) => file.count(),
        }
    }

    /// The number of records that are not deleted, if it is known before they are read.
    pub(crate) fn live_count(&self) -> Option<u64> {
        match self {
            Self::Store(store) => Some(store.live_count()),
            Self::Foreign(file) if file.layout().has_deletes() => None,
            Self::Foreign(file) => Some(file.count()),
        }
    }

    pub(crate) fn copies(&self, ids: impl RangeBounds<u64>) -> Copies<'_> {
        match self {
            Self::Store(store) => store.copies(ids),
            Self::Foreign(file) => file.copies(ids),
        }
    }

    pub(crate) fn copy(&self, id: u64) -> flatrec::Result<Option<Vec<u8>>> {
        match self {
            Self::Store(store) => store.copy(id),
            Self::Foreign(file) => file.copy(id),
        }
    }
}
