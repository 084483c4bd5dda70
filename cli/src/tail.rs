//! `flatrec tail`: shows the last records, and those that other programs append.
//!
//! It holds no snapshot while it writes or waits, so that a slow reader of the output does not
//! block the store's writer: it copies records, a chunk at a time.

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use flatrec::query::Filter;
use flatrec::{DynDatabase, DynReadOnlyDatabase, ErrorKind, Snapshot};

use crate::choice::Choice;
use crate::failure::{Failure, say};
use crate::matching::{self, Matching};
use crate::output::{Stdout, has_reader, stdout};
use crate::records::Records;

/// The size of a chunk.
const CHUNK_BYTES: usize = 256 << 10;
/// How many records the search for the first of the last ones looks at first.
const FIRST_STEP: u64 = 64;
/// How often to check whether the output still has a reader, and the path still leads to the store.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How often to check whether there still is a writer, if its end ends the command.
const WRITER_EVERY: Duration = Duration::from_millis(100);

/// Show the last records, and follow appended ones
///
/// Deleted records are left out, and do not count. With --follow, records are shown once they are
/// committed, in order and each once; records that are changed in place, or inserted in the place
/// of deleted ones, are not shown again. The path is followed, not the file: when another store
/// takes its place, standard error says so, and its records are shown from the first on. Ctrl-C
/// ends the command.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Conditions and the Names of fields in them are those of scan: see flatrec scan --help.

Examples:
  flatrec tail flights.rec
  flatrec tail flights.rec -n 3 --where 'dep_delay > 120' --select carrier,flight,dep_delay
  flatrec tail ticks.rec -n +1000 --format csv         from record 1000 on
  flatrec tail ticks.rec -n 0 --follow --format ndjson
  flatrec tail ticks.rec -n +0 --follow --exit-with-writer --format csv > all.csv")]
pub(crate) struct Args {
    /// The store
    store: PathBuf,

    /// How many matching records to show; +N for all from record N on, starting at 0
    #[arg(short = 'n', long, value_name = "[+]N", default_value = "10", value_parser = parse_start)]
    #[arg(allow_hyphen_values = true)]
    records: Start,

    #[command(flatten)]
    choice: Choice,

    /// Continue with appended records, as they are committed
    #[arg(short, long)]
    follow: bool,

    /// With --follow: end when all is shown and no program has the store open for writing
    #[arg(long, requires = "follow")]
    exit_with_writer: bool,
}

/// The place to begin.
#[derive(Clone, Copy, Debug)]
enum Start {
    Last(u64),
    From(u64),
}

impl Args {
    pub(crate) fn run(self) -> Result<(), Failure> {
        let reader = DynDatabase::open_read_only(&self.store)?;
        let fields = self.choice.fields(reader.schema())?;
        let snapshot = reader.begin_read()?;
        let filter = self.choice.filter(reader.schema(), snapshot.copies(..))?;
        let record_bytes = reader.schema().record_size() as usize;
        let id = self.choice.id_column(&fields)?;
        let out = Records::new(stdout(), self.choice.format, &fields, reader.schema(), id)?;
        let (path, chunk) = (&*self.store, Chunk::default());
        let mut tail = Tail { path, filter, out, next: 0, record_bytes, chunk };
        tail.next = match self.records {
            Start::Last(count) => tail.first_of_last(&snapshot, count)?,
            Start::From(id) => id,
        };
        if self.follow {
            drop(snapshot);
            let until_writer_ends = self.exit_with_writer;
            return Follow { tail, reader, count: 0, until_writer_ends }.run();
        }
        while tail.take(&snapshot)? {}
        tail.out.finish()
    }
}

/// Copies of consecutive records, to be written.
#[derive(Default)]
struct Chunk {
    ids: Vec<u64>,
    bytes: Vec<u8>,
}

/// The records of a store from a number on, to be written to standard output.
struct Tail<'p> {
    path: &'p Path,
    filter: Option<Filter>,
    out: Records<BufWriter<Stdout>>,
    /// The first record that has not been examined.
    next: u64,
    record_bytes: usize,
    chunk: Chunk,
}

impl Tail<'_> {
    /// The first record of the last `count` that match.
    fn first_of_last(&mut self, snapshot: &Snapshot<[u8]>, count: u64) -> Result<u64, Failure> {
        if self.filter.is_none() && snapshot.live_count() == snapshot.count() {
            return Ok(snapshot.count().saturating_sub(count));
        }
        let (mut end, mut left, mut step) = (snapshot.count(), count, FIRST_STEP);
        while end > 0 && left > 0 {
            let start = end.saturating_sub(step);
            let mut records = Matching::new(snapshot.copies(start..end), self.filter.as_ref());
            let (mut found, mut failed) = (Vec::new(), None);
            loop {
                match records.next_record() {
                    Ok(Some((id, _))) => found.push(id),
                    Ok(None) => break,
                    Err(error) => {
                        // It counts only if a record before it is wanted.
                        failed = Some(error);
                        found.clear();
                    }
                }
            }
            if found.len() as u64 >= left {
                return Ok(found[found.len() - left as usize]);
            }
            if let Some(error) = failed {
                return Err(error.into());
            }
            (end, left) = (start, left - found.len() as u64);
            step = (4 * step).min(self.chunk_len());
        }
        Ok(end)
    }

    /// Writes the next chunk of a snapshot's records; returns whether more follow.
    fn take(&mut self, snapshot: &Snapshot<[u8]>) -> Result<bool, Failure> {
        let copied = self.copy(snapshot);
        self.write()?;
        copied
    }

    /// Copies the next chunk of a snapshot's records; returns whether more follow.
    fn copy(&mut self, snapshot: &Snapshot<[u8]>) -> Result<bool, Failure> {
        let end = snapshot.count().min(self.next.saturating_add(self.chunk_len()));
        let Self { path, filter, chunk, .. } = self;
        let records = snapshot.copies(self.next..end);
        matching::visit(path, records, filter.as_ref(), u64::MAX, |id, record| {
            chunk.ids.push(id);
            chunk.bytes.extend_from_slice(record);
            Ok(())
        })?;
        self.next = self.next.max(end);
        Ok(end < snapshot.count())
    }

    /// How many records are copied at a time.
    fn chunk_len(&self) -> u64 {
        (CHUNK_BYTES / self.record_bytes).max(1) as u64
    }

    /// Writes the copied records.
    fn write(&mut self) -> Result<(), Failure> {
        let records = self.chunk.bytes.chunks_exact(self.record_bytes);
        for (&id, record) in self.chunk.ids.iter().zip(records) {
            let written = self.out.write(id, record);
            written.map_err(|failure| failure.in_record("read", self.path, id))?;
        }
        self.chunk.ids.clear();
        self.chunk.bytes.clear();
        Ok(())
    }
}

/// A followed store.
struct Follow<'p> {
    tail: Tail<'p>,
    reader: DynReadOnlyDatabase,
    /// The number of records at the last look.
    count: u64,
    until_writer_ends: bool,
}

impl Follow<'_> {
    fn run(mut self) -> Result<(), Failure> {
        let (mut looked, mut is_gone) = (Instant::now(), false);
        loop {
            // Asked before the last look at the store, so that no commit comes between the two.
            let is_over = self.until_writer_ends && !self.reader.has_writer()?;
            let commit = self.catch_up()?;
            if is_over || looked.elapsed() >= LOOK_EVERY {
                if !has_reader() {
                    return Ok(());
                }
                if self.reader.is_at(self.tail.path)? {
                    is_gone = false;
                } else if self.follow_path()? {
                    continue;
                } else if !std::mem::replace(&mut is_gone, true) {
                    self.say("is gone; another store in its place would be followed");
                }
                if is_over {
                    return Ok(());
                }
                looked = Instant::now();
            }
            let at_most = if self.until_writer_ends { WRITER_EVERY } else { LOOK_EVERY };
            match self.reader.wait(commit.into(), at_most) {
                // The next look finds it, too, and opens the store again.
                Err(error) if error.kind() == ErrorKind::Outdated => {}
                waited => drop(waited?),
            }
        }
    }

    /// Shows all records, and returns the commit up to which they go.
    fn catch_up(&mut self) -> Result<u64, Failure> {
        loop {
            let snapshot = self.begin_read()?;
            // The record to begin with may not exist yet.
            if snapshot.count() < self.tail.next && self.tail.next <= self.count {
                self.say("has fewer records than were shown; continuing at its end");
                self.tail.next = snapshot.count();
            }
            let copied = self.tail.copy(&snapshot);
            let commit = snapshot.commit_id().get();
            self.count = snapshot.count();
            drop(snapshot);
            self.tail.write()?;
            if !matches!(copied, Ok(true)) {
                self.tail.out.flush()?;
            }
            if !copied? {
                return Ok(commit);
            }
        }
    }

    /// A snapshot of the newest commit, by a new reader if the file system has copied the store.
    fn begin_read(&mut self) -> Result<Snapshot<[u8]>, Failure> {
        match self.reader.begin_read() {
            Err(error)
                if error.kind() == ErrorKind::Outdated && self.reader.is_at(self.tail.path)? =>
            {
                self.reader = DynDatabase::open_read_only(self.tail.path)?;
                Ok(self.reader.begin_read()?)
            }
            begun => Ok(begun?),
        }
    }

    /// Continues with the store that the path now leads to, if there is one.
    fn follow_path(&mut self) -> Result<bool, Failure> {
        let reader = match DynDatabase::open_read_only(self.tail.path) {
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Locked) => {
                return Ok(false);
            }
            opened => opened?,
        };
        // Shows the last records of the old store.
        self.catch_up()?;
        if reader.schema() != self.reader.schema() {
            return Err(Failure::Message(format!(
                "{} was replaced by a store with other fields (restart the command to see them)",
                self.tail.path.display()
            )));
        }
        self.say("was replaced by another store; continuing with that");
        self.reader = reader;
        (self.count, self.tail.next) = (0, 0);
        Ok(true)
    }

    fn say(&self, what: &str) {
        say(&format!("{} {what}", self.tail.path.display()));
    }
}

/// `N` or `+N`.
fn parse_start(text: &str) -> Result<Start, String> {
    let number = |digits: &str| match digits.bytes().all(|byte| byte.is_ascii_digit()) {
        true => digits.parse().map_err(|_| "write it as 10, or as +1000 for a record's number"),
        false => Err("write it as 10, or as +1000 for a record's number"),
    };
    Ok(match text.strip_prefix('+') {
        Some(digits) => Start::From(number(digits)?),
        None => Start::Last(number(text)?),
    })
}
