//! One measurement, in a process of its own: what it faults in and keeps in memory is its own.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::costs::Costs;
use super::plan::{Way, Work, name};
use super::room;
use super::shape::{self, Shape};
use super::ways::{self, DATA_OFFSET, Timed};

/// What to measure.
#[derive(Debug)]
pub(super) struct Order {
    pub(super) work: Work,
    pub(super) way: Way,
    pub(super) shape: Shape,
    /// The file to read or to change; the new file of [`Work::Append`].
    pub(super) path: PathBuf,
    /// Which measurement of the file it is, from 1 on.
    pub(super) turn: u32,
    /// The limited group of processes to enter first.
    pub(super) group: Option<PathBuf>,
}

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    pub(super) operations: u64,
    /// Until the last operation was done, and durable if it changes something.
    pub(super) time: Duration,
    /// Until the file was closed, too; for changes alone.
    pub(super) until_closed: Option<Duration>,
    pub(super) costs: Costs,
}

/// The most random records that a measurement reads, or changes.
const RANDOM_MAX: u64 = 1_000_000;
/// Reads that wait for the disk come in parts of so many, go on for so long, and are at most so
/// many.
const COLD_PART: usize = 20;
const COLD_FOR: Duration = Duration::from_millis(300);
const COLD_MAX: u64 = 2_000;
/// Commits go on for so long, and are at most so many.
const COMMITS_FOR: Duration = Duration::from_millis(250);
const COMMITS_MAX: u64 = 1_000;
const OPENS: u64 = 50;

impl Order {
    /// Does the work and checks its result.
    pub(super) fn run(&self) -> io::Result<Measured> {
        if let Some(group) = &self.group {
            room::enter(group)?;
        }
        match self.work {
            Work::Append => self.append(),
            Work::Get | Work::ColdGet | Work::LargeGet => self.get(true),
            Work::Fields => self.get(false),
            Work::Scan | Work::ColdScan | Work::LargeScan => self.scan(),
            Work::Update => self.update(),
            Work::Commit => self.commit(),
            Work::Open => self.open(),
        }
    }

    fn append(&self) -> io::Result<Measured> {
        let costs = Costs::now();
        let mut timed = Timed::begin();
        let (mut writer, first_at) = ways::maker(self.way, &self.path, self.shape)?;
        writer.append(&mut timed)?;
        writer.close()?;
        let until_closed = timed.elapsed();
        let costs = Costs::now().since(&costs);
        drop(writer);
        self.check_all(first_at)?;
        std::fs::remove_file(&self.path)?;
        Ok(Measured {
            operations: self.shape.records,
            time: timed.until_durable(),
            until_closed: Some(until_closed),
            costs,
        })
    }

    fn get(&self, whole: bool) -> io::Result<Measured> {
        if self.work.is_cold() {
            return self.get_cold();
        }
        let count = RANDOM_MAX.min(self.shape.records);
        let ids = self.shape.random_ids(u64::from(self.turn), count);
        let (of, expected): (fn(&[u8]) -> u64, u64) = match whole {
            true => (shape::digest, self.sum(&ids, |id| self.shape.digest_of(id))),
            false => (shape::two_fields, self.sum(&ids, shape::two_fields_of)),
        };
        let mut reader = ways::reader(self.way, &self.path, self.shape)?;
        // The first time, each page of a map is a fault.
        self.check(reader.get(&ids, of, whole)?, expected)?;
        self.read(count, expected, || reader.get(&ids, of, whole))
    }

    /// As many random records as there is time for.
    fn get_cold(&self) -> io::Result<Measured> {
        let ids = self.shape.random_ids(u64::from(self.turn), COLD_MAX.min(self.shape.records));
        let mut reader = ways::reader(self.way, &self.path, self.shape)?;
        let costs = Costs::now();
        let began = Instant::now();
        let (mut sum, mut done) = (0_u64, 0);
        for part in ids.chunks(COLD_PART) {
            sum = sum.wrapping_add(reader.get(part, shape::digest, true)?);
            done += part.len();
            if began.elapsed() > COLD_FOR {
                break;
            }
        }
        let time = began.elapsed();
        let costs = Costs::now().since(&costs);
        self.check(sum, self.sum(&ids[..done], |id| self.shape.digest_of(id)))?;
        Ok(Measured { operations: done as u64, time, until_closed: None, costs })
    }

    fn scan(&self) -> io::Result<Measured> {
        let records = 0..self.shape.records;
        let expected = records.fold(0_u64, |sum, id| sum.wrapping_add(self.shape.digest_of(id)));
        let mut reader = ways::reader(self.way, &self.path, self.shape)?;
        if !self.work.is_cold() {
            self.check(reader.scan(shape::digest)?, expected)?;
        }
        self.read(self.shape.records, expected, || reader.scan(shape::digest))
    }

    fn sum(&self, ids: &[u64], of: impl Fn(u64) -> u64) -> u64 {
        ids.iter().fold(0, |sum, &id| sum.wrapping_add(of(id)))
    }

    fn read(
        &self,
        operations: u64,
        expected: u64,
        read: impl FnOnce() -> io::Result<u64>,
    ) -> io::Result<Measured> {
        let costs = Costs::now();
        let began = Instant::now();
        let sum = read()?;
        let time = began.elapsed();
        let costs = Costs::now().since(&costs);
        self.check(sum, expected)?;
        Ok(Measured { operations, time, until_closed: None, costs })
    }

    fn check(&self, sum: u64, expected: u64) -> io::Result<()> {
        if sum == expected { Ok(()) } else { Err(self.wrong("a wrong sum")) }
    }

    fn wrong(&self, what: &str) -> io::Error {
        let (work, way) = (name(self.work), name(self.way));
        io::Error::other(format!("{work} by {way} gave {what}"))
    }

    fn update(&self) -> io::Result<Measured> {
        let count = (RANDOM_MAX.min(self.shape.records) / 10).max(1);
        let ids = self.shape.random_ids(u64::from(self.turn), count);
        let mut writer = ways::writer(self.way, &self.path, self.shape)?;
        let costs = Costs::now();
        let mut timed = Timed::begin();
        writer.update(&ids, self.turn, &mut timed)?;
        writer.close()?;
        let until_closed = timed.elapsed();
        let costs = Costs::now().since(&costs);
        drop(writer);
        self.check_turns(&ids)?;
        let time = timed.until_durable();
        Ok(Measured { operations: count, time, until_closed: Some(until_closed), costs })
    }

    fn commit(&self) -> io::Result<Measured> {
        let ids = self.shape.random_ids(u64::from(self.turn), COMMITS_MAX);
        let mut writer = ways::writer(self.way, &self.path, self.shape)?;
        let costs = Costs::now();
        let began = Instant::now();
        let mut done = 0;
        while done < ids.len() && (done == 0 || began.elapsed() < COMMITS_FOR) {
            writer.update(&ids[done..=done], self.turn, &mut Timed::begin())?;
            done += 1;
        }
        let time = began.elapsed();
        writer.close()?;
        let until_closed = began.elapsed();
        let costs = Costs::now().since(&costs);
        drop(writer);
        self.check_turns(&ids[..done])?;
        let operations = done as u64;
        Ok(Measured { operations, time, until_closed: Some(until_closed), costs })
    }

    fn open(&self) -> io::Result<Measured> {
        let ids = self.shape.random_ids(u64::from(self.turn), OPENS);
        let costs = Costs::now();
        let began = Instant::now();
        let mut sum = 0_u64;
        for id in &ids {
            let mut reader = ways::reader(self.way, &self.path, self.shape)?;
            sum = sum.wrapping_add(reader.get(std::slice::from_ref(id), shape::digest, true)?);
        }
        let time = began.elapsed();
        let costs = Costs::now().since(&costs);
        self.check(sum, self.sum(&ids, |id| self.shape.digest_of(id)))?;
        Ok(Measured { operations: OPENS, time, until_closed: None, costs })
    }

    /// Reads the new file again, by calls.
    fn check_all(&self, first_at: u64) -> io::Result<()> {
        let file = File::open(&self.path)?;
        let len = file.metadata()?.len();
        if len < first_at + self.shape.total_bytes() {
            return Err(self.wrong("a short file"));
        }
        let mut reader = io::BufReader::with_capacity(1 << 20, file);
        io::copy(&mut reader.by_ref().take(first_at), &mut io::sink())?;
        let (mut found, mut expected) = (vec![0; self.shape.record_len()], Vec::new());
        for id in 0..self.shape.records {
            reader.read_exact(&mut found)?;
            expected.resize(found.len(), 0);
            self.shape.fill(&mut expected, id, 0);
            if found != expected {
                return Err(self.wrong(&format!("a wrong record {id}")));
            }
        }
        Ok(())
    }

    /// Reads the changed records again, by calls: the store is closed, so its log is empty.
    fn check_turns(&self, ids: &[u64]) -> io::Result<()> {
        let bytes = File::open(&self.path)?;
        let mut reader = io::BufReader::with_capacity(1 << 20, bytes);
        io::copy(&mut reader.by_ref().take(DATA_OFFSET), &mut io::sink())?;
        let mut changed = vec![false; self.shape.records as usize];
        ids.iter().for_each(|&id| changed[id as usize] = true);
        let mut record = vec![0; self.shape.record_len()];
        for (id, changed) in (0..).zip(changed) {
            reader.read_exact(&mut record)?;
            let (turn, sum) = (shape::turn(&record), shape::digest(&record));
            if sum != self.shape.digest_of(id) || changed != (turn == self.turn) {
                return Err(self.wrong(&format!("a wrong record {id}")));
            }
        }
        Ok(())
    }
}

impl Measured {
    pub(super) fn per_operation_ns(&self) -> f64 {
        self.time.as_secs_f64() * 1e9 / self.operations as f64
    }

    /// As the parent process reads it.
    pub(super) fn to_json(self) -> Value {
        json!({
            "operations": self.operations,
            "ns": self.time.as_nanos() as u64,
            "ns_until_closed": self.until_closed.map(|time| time.as_nanos() as u64),
            "minor_faults": self.costs.minor_faults,
            "major_faults": self.costs.major_faults,
            "written_bytes": self.costs.written_bytes,
            "peak_bytes": self.costs.peak_bytes,
        })
    }

    pub(super) fn of_json(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let number = |name: &str| value.get(name)?.as_u64();
        Some(Self {
            operations: number("operations")?,
            time: Duration::from_nanos(number("ns")?),
            until_closed: number("ns_until_closed").map(Duration::from_nanos),
            costs: Costs {
                minor_faults: number("minor_faults"),
                major_faults: number("major_faults"),
                written_bytes: number("written_bytes"),
                peak_bytes: number("peak_bytes"),
            },
        })
    }
}

/// Makes the store that all ways read, or change.
pub(super) fn make_sample(path: &Path, shape: Shape) -> flatrec::Result<()> {
    let schema = shape.schema()?;
    let mut store = flatrec::DynStore::create(path, &schema)?;
    let step = shape.chunk_records();
    let mut chunk = Vec::new();
    for first in (0..shape.records).step_by(step) {
        let records = (shape.records - first).min(step as u64);
        chunk.resize(records as usize * shape.record_len(), 0);
        for (id, record) in (first..).zip(chunk.chunks_exact_mut(shape.record_len())) {
            shape.fill(record, id, 0);
        }
        store.append_packed(&chunk)?;
    }
    assert_eq!(store.info()?.data_offset, DATA_OFFSET, "where a store's records begin");
    store.close()
}
