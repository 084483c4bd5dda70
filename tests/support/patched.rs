//! Files of a small store with deleted records and checksums: closed, or left by a killed process
//! with a live log of two segments. An input of bytes changes them, and may ask for correct
//! checksums, so that a reader reaches what lies behind them. Written by docs/FORMAT.md only.
//!
//! The files are the same in every process, so an input always means the same.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use flatrec::zerocopy::{Immutable, IntoBytes};
use flatrec::{Bool, Database, Durability, Nullable, Record, Store, Utf8};

/// The suffixes of the store's files.
const SUFFIXES: [&str; 4] = ["", "-wal-1", "-wal-2", "-sum"];
const DATA: usize = 0;
const SEGMENTS: [usize; 2] = [1, 2];
const SUMS: usize = 3;

const SLOTS: [usize; 2] = [0, 4096];
const SECTOR: usize = 512;
const BLOCK_HEAD: usize = 128;
const D: usize = 65_536;
const SUMMED_BLOCK: usize = 65_536;

/// The number of records: they fill more than one block.
pub(crate) const ROWS: u32 = 293;

/// The length of a record with its status byte and the zeros up to the alignment.
const STRIDE: usize = 224;

/// The bytes by which a file may grow: enough to count more records, and few enough to be quick.
const GROWTH_MAX: usize = 70_000;

/// The largest number of changes of one input.
const CHANGES_MAX: usize = 40;

#[derive(Clone, Copy, Record, IntoBytes, Immutable)]
#[zerocopy(crate = "flatrec::zerocopy")]
#[repr(C)]
pub(crate) struct Row {
    id: u32,
    flag: Bool,
    note: Nullable<Utf8<6>>,
    size: f32,
    bytes: [u8; 204],
}

pub(crate) fn row(id: u32, version: u8) -> Row {
    let note = Utf8::try_from("abc").expect("the text has three bytes");
    Row {
        id,
        flag: Bool::from(id % 2 == 0),
        note: if id % 3 == 0 { Nullable::null() } else { Nullable::some(note) },
        size: 1.5,
        bytes: [version; 204],
    }
}

/// The place of a number: its file, its offset, and its length in bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    file: usize,
    at: usize,
    len: usize,
}

#[allow(dead_code, reason = "for one of the two that use this file")]
impl Place {
    pub(crate) fn has_room_for(self, number: u64) -> bool {
        self.len == 8 || number <= u64::from(u32::MAX)
    }

    /// Whether it is the sequence, count, live count, free head or commit of a header slot.
    pub(crate) fn counts_records_or_commits(self) -> bool {
        self.file == DATA && [64, 72, 80, 88, 128].contains(&(self.at % 4096))
    }
}

/// The store's files, with `None` for a missing one.
#[derive(Clone, PartialEq)]
pub(crate) struct Files([Option<Vec<u8>>; 4]);

impl Files {
    /// Reads the files of the store at `path`, which may be open.
    fn read(path: &Path) -> Self {
        Self(SUFFIXES.map(|suffix| std::fs::read(beside(path, suffix)).ok()))
    }

    /// Writes the files into a new directory `name` in `directory`, and returns the store's path.
    pub(crate) fn put(&self, directory: &Path, name: &str) -> PathBuf {
        let directory = directory.join(name);
        std::fs::create_dir(&directory).expect("create a directory");
        let path = directory.join("x.rec");
        for (suffix, bytes) in SUFFIXES.iter().zip(&self.0) {
            if let Some(bytes) = bytes {
                std::fs::write(beside(&path, suffix), bytes).expect("write a file");
            }
        }
        path
    }

    /// The files from which changes start: those of a killed process, and those of a closed store.
    pub(crate) fn good() -> &'static [Self; 2] {
        static GOOD: OnceLock<[Files; 2]> = OnceLock::new();
        GOOD.get_or_init(|| {
            let directory = tempfile::tempdir().expect("a directory");
            let mut killed = make(directory.path());
            killed.forget_randomness();
            let path = killed.put(directory.path(), "closed");
            Database::<Row>::open(&path).expect("good files").close().expect("a whole log");
            let closed = Self::read(&path);
            assert_eq!(closed.there(), [true, false, false, true]);
            [killed, closed]
        })
    }

    /// Returns these files with another number at one place and correct checksums.
    #[allow(dead_code, reason = "for one of the two that use this file")]
    pub(crate) fn with_number(&self, place: Place, number: u64) -> Self {
        let mut files = self.clone();
        let bytes = number.to_le_bytes();
        overwrite(files.file(place.file), place.at, &bytes[..place.len]);
        files.fix(Fix::ALL);
        files
    }

    /// Every number in these files, except those of the schema and of the records.
    #[allow(dead_code, reason = "for one of the two that use this file")]
    pub(crate) fn numbers(&self) -> Vec<Place> {
        let mut numbers = Vec::new();
        let mut add = |file: usize, start: usize, len: usize, at: &[usize]| {
            let place = |at: &usize| Place { file, at: start + at, len };
            numbers.extend(at.iter().map(place));
        };
        for slot in SLOTS {
            add(DATA, slot, 8, &[16, 24, 56, 64, 72, 80, 88, 96, 128, 136]);
            add(DATA, slot, 4, &[8, 12, 48, 52, 104, 108, 112, 116]);
        }
        for segment in SEGMENTS {
            let Some(bytes) = &self.0[segment] else { continue };
            add(segment, 0, 8, &[32, 40, 48, 64, 72]);
            add(segment, 0, 4, &[8, 12, 56]);
            let frames = frames(bytes);
            for &frame in frames.first().into_iter().chain(frames.last()) {
                // The last place is the first record's number.
                add(segment, frame, 8, &[8, 32, 40, 48, 56, 64, 72, 80, 96, 128]);
                add(segment, frame, 4, &[88, 92]);
            }
        }
        add(SUMS, 0, 8, &[40]);
        add(SUMS, 0, 4, &[8, 12, 32, SECTOR]);
        numbers
    }

    fn there(&self) -> [bool; 4] {
        std::array::from_fn(|file| self.0[file].is_some())
    }

    fn file(&mut self, file: usize) -> &mut [u8] {
        self.0[file].as_deref_mut().unwrap_or_default()
    }

    /// Replaces random numbers by fixed ones.
    fn forget_randomness(&mut self) {
        for slot in SLOTS {
            self.file(DATA)[slot + 32..slot + 48].fill(7);
            self.file(DATA)[slot + 96..slot + 104].fill(0x11);
        }
        self.file(SUMS)[16..32].fill(7);
        for (segment, salt) in SEGMENTS.into_iter().zip([0x11, 0x22]) {
            let bytes = self.file(segment);
            bytes[16..32].fill(7);
            bytes[32..40].fill(salt);
            bytes[40..48].fill(if salt == 0x22 { 0x11 } else { 0 });
            bytes[64..72].fill(0x11);
            for at in frames(bytes) {
                bytes[at + 16..at + 32].fill(7);
                bytes[at + 32..at + 40].fill(salt);
                bytes[at + 96..at + 104].fill(0x11);
            }
        }
        self.fix(Fix::ALL);
    }

    /// Corrects the checksums.
    fn fix(&mut self, fix: Fix) {
        if fix.has(Fix::SLOTS) {
            fix_slots(self.file(DATA));
        }
        let mut last_crc = [0; 4];
        for segment in SEGMENTS {
            let bytes = self.file(segment);
            if fix.has(Fix::CHAIN) && bytes.len() >= SECTOR {
                bytes[56..60].copy_from_slice(&last_crc);
            }
            if fix.has(Fix::BLOCKS) {
                fix_frames(bytes, &mut last_crc, fix.has(Fix::CHAIN));
            }
            if fix.has(Fix::SEGMENTS) {
                fix_sector(bytes);
            }
        }
        if fix.has(Fix::SUMS) {
            fix_sector(self.file(SUMS));
        }
        if fix.has(Fix::ENTRIES) {
            self.fix_entries();
        }
    }

    fn fix_entries(&mut self) {
        let data = self.0[DATA].clone().unwrap_or_default();
        let array = data.get(D..).unwrap_or_default();
        let entries = self.file(SUMS).get_mut(SECTOR..).unwrap_or_default();
        for (entry, block) in entries.chunks_exact_mut(8).zip(array.chunks(SUMMED_BLOCK)) {
            let covered = u32_at(entry, 0) as usize;
            if let Some(covered) = block.get(..covered) {
                entry[4..].copy_from_slice(&crc(covered));
            }
        }
    }
}

/// The checksums to correct.
#[derive(Clone, Copy)]
struct Fix(u8);

impl Fix {
    /// Those of the header slots, and of the schema in them.
    const SLOTS: u8 = 1;
    /// Those of the segment headers.
    const SEGMENTS: u8 = 2;
    /// Those of the frames.
    const BLOCKS: u8 = 4;
    /// The checksums of earlier frames in frames and segment headers.
    const CHAIN: u8 = 8;
    /// That of the checksum file's header.
    const SUMS: u8 = 16;
    /// Those of the blocks of records.
    const ENTRIES: u8 = 32;
    const ALL: Self = Self(63);

    fn has(self, one: u8) -> bool {
        self.0 & one != 0
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Makes the files of a process that is killed during its work.
fn make(directory: &Path) -> Files {
    let path = directory.join("x.rec");
    let options =
        Store::<Row>::create_options().deletes(true).checksums(true).metadata("of the user");
    let mut store = options.create(&path).expect("create a store");
    let rows: Vec<Row> = (0..ROWS).map(|id| row(id, 0)).collect();
    store.append_slice(&rows).expect("append records");
    store.close().expect("close the store");
    let database = Database::<Row>::open(&path).expect("a database");
    let commit = |sets: &[u32], deletes: &[u64], inserts: u32, version| {
        let mut transaction = database.begin_write().expect("begin a transaction");
        for &id in sets {
            transaction.set(id.into(), &row(id, version)).expect("a record");
        }
        for &id in deletes {
            assert!(transaction.delete(id).expect("a record"));
        }
        for _ in 0..inserts {
            transaction.insert(&row(9, version)).expect("room");
        }
        transaction.commit(Durability::Immediate).expect("a commit");
    };
    commit(&[], &[3, 7, 291], 0, 1);
    database.checkpoint().expect("a checkpoint");
    commit(&[0, 1], &[100], 1, 2);
    commit(&[292], &[200, 201], 0, 3);
    // The third of these commits does not fit into the first segment.
    let many: Vec<u32> = (101..193).collect();
    for version in 4..7 {
        commit(&many, &[], 0, version);
    }
    commit(&[], &[], 7, 8); // more records than there are free places
    commit(&[ROWS], &[5], 0, 9);
    let files = Files::read(&path);
    assert_eq!(files.there(), [true; 4], "a file is missing");
    assert!(!beside(&path, "-wal-3").exists());
    files
}

fn crc(bytes: &[u8]) -> [u8; 4] {
    crc32c::crc32c(bytes).to_le_bytes()
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

fn fix_sector(bytes: &mut [u8]) {
    if let Some(sector) = bytes.get_mut(..SECTOR) {
        let crc = crc(&sector[..508]);
        sector[508..].copy_from_slice(&crc);
    }
}

fn fix_slots(bytes: &mut [u8]) {
    for slot in SLOTS {
        let Some(header) = bytes.get(slot..slot + SECTOR) else { continue };
        let len = u64::from(u32_at(header, 112)) + u64::from(u32_at(header, 116));
        let end = usize::try_from(8192 + len).unwrap_or(usize::MAX);
        if let Some(schema) = bytes.get(8192..end) {
            let crc = crc(schema);
            bytes[slot + 120..slot + 124].copy_from_slice(&crc);
        }
        fix_sector(&mut bytes[slot..]);
    }
}

/// The offsets of the frames in a segment.
fn frames(bytes: &[u8]) -> Vec<usize> {
    let sectors = (SECTOR..bytes.len()).step_by(SECTOR);
    sectors.filter(|&at| bytes[at..].starts_with(b"FWB1")).collect()
}

fn fix_frames(bytes: &mut [u8], last_crc: &mut [u8; 4], chain: bool) {
    for at in frames(bytes) {
        let Some(head) = bytes.get(at..at + BLOCK_HEAD) else { continue };
        let len = u64::from_le_bytes(head[8..16].try_into().expect("eight bytes"));
        let len = usize::try_from(len).unwrap_or(usize::MAX);
        let Some(end) = len.checked_add(at + BLOCK_HEAD).filter(|&end| end <= bytes.len()) else {
            continue;
        };
        if chain {
            bytes[at + 88..at + 92].copy_from_slice(last_crc);
        }
        *last_crc = crc(&bytes[at + 8..end]);
        bytes[at + 4..at + 8].copy_from_slice(last_crc);
    }
}

/// Numbers near a limit.
const EDGES: [u64; 27] = [
    0,
    1,
    2,
    3,
    7,
    8,
    220,
    221,
    224,
    127,
    512,
    4096,
    65_535,
    65_536,
    ROWS as u64 - 1,
    ROWS as u64,
    ROWS as u64 + 1,
    ROWS as u64 + 300,
    0x1111_1111_1111_1111,
    0x2222_2222_2222_2222,
    u32::MAX as u64,
    1 << 40,
    (1 << 63) - 2,
    (1 << 63) - 1,
    1 << 63,
    u64::MAX - 1,
    u64::MAX,
];

/// An input, which gives bytes until it is empty.
struct Input<'i>(&'i [u8]);

impl<'i> Input<'i> {
    fn byte(&mut self) -> Option<usize> {
        let (&first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(first.into())
    }

    fn two_bytes(&mut self) -> Option<usize> {
        Some(self.byte()? << 8 | self.byte()?)
    }

    fn bytes(&mut self, len: usize) -> &'i [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A place in a file, near the beginning of a structure of a good file.
    fn place(&mut self, file: usize) -> Option<usize> {
        static STARTS: OnceLock<[Vec<usize>; 4]> = OnceLock::new();
        let starts = STARTS.get_or_init(|| {
            let [good, _] = Files::good();
            let segment = |file: usize| {
                let bytes = good.0[file].as_deref().unwrap_or_default();
                std::iter::once(0).chain(frames(bytes)).collect()
            };
            let last = D + (ROWS as usize - 1) * STRIDE;
            let data = vec![0, 0, 4096, 4096, 8192, 8192 + 3 * 64, D, D + 100 * STRIDE, last];
            [data, segment(1), segment(2), vec![0, SECTOR]]
        });
        let first = self.byte()?;
        let far = self.byte()?;
        // Most places are within one structure.
        let far = if first & 0x80 != 0 { far << 8 | self.byte()? } else { far % 144 };
        let starts = &starts[file];
        Some(starts[(first & 0x7F) % starts.len()] + far)
    }

    /// Takes a change from the input, and makes it.
    fn change(&mut self, files: &mut Files) -> Option<()> {
        let what = self.byte()?;
        let (file, what) = (what & 3, what >> 2);
        let at = self.place(file)?;
        match what % 8 {
            0 | 1 => {
                let len = 1 + self.byte()? % 16;
                overwrite(files.file(file), at, self.bytes(len));
            }
            2 => {
                let mask = self.byte()?;
                let old = files.file(file).get(at).copied().unwrap_or_default();
                overwrite(files.file(file), at, &[old ^ mask as u8]);
            }
            3 | 4 => {
                let edge = self.byte()?;
                let number = EDGES[edge % EDGES.len()].to_le_bytes();
                // Every number lies at a multiple of four.
                let len = if edge & 0x80 != 0 { 4 } else { 8 };
                overwrite(files.file(file), at / 4 * 4, &number[..len]);
            }
            5 => {
                let to = self.byte()?;
                let bytes = files.0[file].get_or_insert_default();
                let most = bytes.len() + GROWTH_MAX;
                bytes.resize(if to & 1 == 0 { at } else { at + to * 256 }.min(most), 0);
            }
            6 => {
                let from = self.byte()? % 4;
                let (start, len) = (self.place(from)?, self.two_bytes()? % 2048);
                let source = files.file(from).get(start..).unwrap_or_default();
                let copy = source[..len.min(source.len())].to_vec();
                overwrite(files.file(file), at, &copy);
            }
            _ => {
                let which = self.byte()?;
                files.0[file] = match which {
                    0..32 => None,
                    32..64 => files.0[which % 4].clone(),
                    _ => {
                        let len = self.two_bytes()?;
                        Some(self.bytes(len).to_vec())
                    }
                };
            }
        }
        Some(())
    }
}

fn overwrite(bytes: &mut [u8], at: usize, with: &[u8]) {
    let target = bytes.get_mut(at..).unwrap_or_default();
    let len = with.len().min(target.len());
    target[..len].copy_from_slice(&with[..len]);
}

/// Returns the good files with the changes of an input.
pub(crate) fn changed(input: &[u8]) -> Files {
    let mut input = Input(input);
    let how = input.byte().unwrap_or_default();
    let [killed, closed] = Files::good();
    let mut files = if how & 0x40 == 0 { killed } else { closed }.clone();
    let fix = Fix(how as u8);
    for _ in 0..CHANGES_MAX {
        if input.change(&mut files).is_none() {
            break;
        }
    }
    files.fix(fix);
    files
}
