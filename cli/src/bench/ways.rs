//! The ways of doing the work, each behind the same two traits.

mod calls;
mod map;
mod own;

use std::fs::OpenOptions;
use std::io;
use std::path::Path;
use std::time::{Duration, Instant};

use flatrec::{DynDatabase, DynStore};

use super::plan::Way;
use super::shape::Shape;
use calls::{Buffered, Calls, Chunks};
use map::RawMap;
use own::{OwnDatabase, OwnReader, OwnStore, other};

/// When the work began, and when its result was durable.
pub(super) struct Timed {
    began: Instant,
    durable: Option<Duration>,
}

impl Timed {
    pub(super) fn begin() -> Self {
        Self { began: Instant::now(), durable: None }
    }

    /// The result is durable now.
    fn durable(&mut self) {
        self.durable = Some(self.began.elapsed());
    }

    /// The time until the result was durable.
    pub(super) fn until_durable(&self) -> Duration {
        self.durable.unwrap_or_else(|| self.began.elapsed())
    }

    pub(super) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }
}

/// Reading of a file of records.
pub(super) trait Reads {
    /// The sum of what `of` makes of these records. Unless `whole`, `of` needs two fields alone.
    fn get(&mut self, ids: &[u64], of: fn(&[u8]) -> u64, whole: bool) -> io::Result<u64>;

    /// The sum of what `of` makes of all records.
    fn scan(&mut self, of: fn(&[u8]) -> u64) -> io::Result<u64>;
}

/// Changing of a file of records.
pub(super) trait Writes {
    /// Appends all records to a new file, and makes them durable.
    fn append(&mut self, timed: &mut Timed) -> io::Result<()>;

    /// Changes these records, and makes all changes durable together.
    fn update(&mut self, ids: &[u64], turn: u32, timed: &mut Timed) -> io::Result<()>;

    /// Ends the work on the file.
    fn close(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The records of the store at `path`, to be read in this way.
pub(super) fn reader(way: Way, path: &Path, shape: Shape) -> io::Result<Box<dyn Reads>> {
    match way {
        Way::Store => {
            let store = DynStore::open_read_only(path).map_err(other)?;
            return Ok(Box::new(OwnStore { store: Some(store), shape }));
        }
        Way::Database => {
            let database = DynDatabase::open_read_only(path).map_err(other)?;
            return Ok(Box::new(OwnReader(database)));
        }
        Way::Map | Way::Calls | Way::Buffered | Way::Chunks => {}
    }
    let first_at = DATA_OFFSET;
    let file = OpenOptions::new().read(true).write(way == Way::Map).open(path)?;
    Ok(match way {
        Way::Map => Box::new(RawMap::new(&file, first_at, shape)?),
        Way::Buffered => Box::new(Buffered::new(file, first_at, shape, Buffered::SMALL_BYTES)),
        Way::Chunks => Box::new(Chunks::new(file, first_at, shape)),
        _ => Box::new(Calls::new(file, first_at, shape)),
    })
}

/// The records of the store at `path`, to be changed in this way.
pub(super) fn writer(way: Way, path: &Path, shape: Shape) -> io::Result<Box<dyn Writes>> {
    let first_at = DATA_OFFSET;
    Ok(match way {
        Way::Store => {
            let store = Some(DynStore::open(path).map_err(other)?);
            Box::new(OwnStore { store, shape })
        }
        Way::Database => {
            let database = Some(DynDatabase::open(path).map_err(other)?);
            Box::new(OwnDatabase { database, shape })
        }
        _ => {
            let file = OpenOptions::new().read(true).write(true).open(path)?;
            match way {
                Way::Map => Box::new(RawMap::new(&file, first_at, shape)?),
                _ => Box::new(Calls::new(file, first_at, shape)),
            }
        }
    })
}

/// A new file at `path`, to be filled in this way; and where its records begin.
pub(super) fn maker(way: Way, path: &Path, shape: Shape) -> io::Result<(Box<dyn Writes>, u64)> {
    Ok(match way {
        Way::Store => {
            let schema = shape.schema().map_err(other)?;
            let store = Some(DynStore::create(path, &schema).map_err(other)?);
            (Box::new(OwnStore { store, shape }), DATA_OFFSET)
        }
        Way::Database => {
            let schema = shape.schema().map_err(other)?;
            let database = Some(DynDatabase::create(path, &schema).map_err(other)?);
            (Box::new(OwnDatabase { database, shape }), DATA_OFFSET)
        }
        Way::Map => {
            let file = calls::create(path)?;
            file.set_len(shape.total_bytes())?;
            (Box::new(RawMap::new(&file, 0, shape)?), 0)
        }
        Way::Calls => (Box::new(Calls::new(calls::create(path)?, 0, shape)), 0),
        Way::Buffered => {
            let file = calls::create(path)?;
            (Box::new(Buffered::new(file, 0, shape, Buffered::SMALL_BYTES)), 0)
        }
        Way::Chunks => (Box::new(Chunks::new(calls::create(path)?, 0, shape)), 0),
    })
}

/// Where the records of a store begin, if its schema is short and it has no metadata.
pub(super) const DATA_OFFSET: u64 = 65_536;
