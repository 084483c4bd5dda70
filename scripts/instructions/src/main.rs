//! Work whose instructions are counted: `scripts/instructions.py` runs each piece under valgrind.
//!
//! ```text
//! instructions WORK TIMES FOLDER    does a piece of work TIMES times, on a store made in FOLDER
//! ```
//!
//! Time on a shared machine says little about a change of a few instructions; their number is
//! exact. The script runs each piece of work with two counts and divides the difference, which
//! excludes the start of the program and the creation of the store.

use std::hint::black_box;
use std::path::Path;

use flatrec::{Database, Durability, Record, Snapshot, Store};

/// The number of records in the stores that are read.
const RECORDS: u64 = 10_000;

/// The classic record of 125 bytes.
#[derive(Clone, Copy, Record)]
#[repr(C, packed)]
struct Item {
    id: u64,
    value: u64,
    words: [u64; 13],
    tail: [u8; 5],
}

const _: () = assert!(size_of::<Item>() == 125);

impl Item {
    fn new(id: u64) -> Self {
        let value = id.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        Self { id, value, words: [value; 13], tail: [7; 5] }
    }
}

/// A piece of work: its name, and the function that does it so many times in a folder.
type Work = (&'static str, fn(u64, &Path) -> flatrec::Result<()>);

const WORKS: [Work; 13] = [
    ("get", get),
    ("get_store", get_store),
    ("get_logged", get_logged),
    ("get_many", get_many),
    ("binary_search", binary_search),
    ("copies", copies),
    ("scan", scan),
    ("append", append),
    ("append_transaction", append_transaction),
    ("commit", commit),
    ("commit_100", commit_100),
    ("begin_read", begin_read),
    ("begin_read_beside", begin_read_beside),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [work, times, folder] = arguments.as_slice() else {
        println!("instructions: run scripts/instructions.py, which counts them");
        return;
    };
    if let Err(error) = work_named(work, times, Path::new(folder)) {
        eprintln!("instructions: {error}");
        std::process::exit(1);
    }
}

fn work_named(name: &str, times: &str, folder: &Path) -> Result<(), Box<dyn std::error::Error>> {
    let (_, work) = WORKS.iter().find(|(known, _)| *known == name).ok_or("no such work")?;
    Ok(work(times.parse()?, folder)?)
}

/// A database of `RECORDS` records with an empty log.
fn database(folder: &Path) -> flatrec::Result<Database<Item>> {
    let path = folder.join("store.rec");
    let mut store = Store::<Item>::create(&path)?;
    store.append_all((0..RECORDS).map(Item::new))?;
    store.close()?;
    Database::open(path)
}

/// Record numbers without an order, the same each time.
fn numbers() -> impl Iterator<Item = u64> {
    (1_u64..).map(|turn| turn.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 32).map(|id| id % RECORDS)
}

fn two_fields(item: &Item) -> u64 {
    { item.id }.wrapping_add(item.value)
}

/// A read and nothing else, whose machine code `scripts/instructions.py` compares.
#[inline(never)]
fn read_one_record(snapshot: &Snapshot<Item>, id: u64) -> Option<&Item> {
    snapshot.get(id)
}

/// Two fields of a record by its number, in a snapshot.
fn get(times: u64, folder: &Path) -> flatrec::Result<()> {
    let database = database(folder)?;
    let snapshot = database.begin_read().expect("begin");
    black_box(read_one_record(black_box(&snapshot), black_box(0)));
    let mut sum = 0_u64;
    for (id, _) in numbers().zip(0..times) {
        sum = sum.wrapping_add(two_fields(snapshot.get(id).expect("a record")));
    }
    black_box(sum);
    Ok(())
}

/// The same, in a store.
fn get_store(times: u64, folder: &Path) -> flatrec::Result<()> {
    database(folder)?.close()?;
    let store = Store::<Item>::open_read_only(folder.join("store.rec"))?;
    let mut sum = 0_u64;
    for (id, _) in numbers().zip(0..times) {
        sum = sum.wrapping_add(two_fields(store.get(id).expect("a record")));
    }
    black_box(sum);
    Ok(())
}

/// The same as `get`, where the log has one record of a hundred.
fn get_logged(times: u64, folder: &Path) -> flatrec::Result<()> {
    let database = database(folder)?;
    let mut transaction = database.begin_write()?;
    for id in (0..RECORDS).step_by(100) {
        transaction.set(id, &Item::new(id))?;
    }
    transaction.commit(Durability::Immediate)?;
    let snapshot = database.begin_read()?;
    let mut sum = 0_u64;
    for (id, _) in numbers().zip(0..times) {
        sum = sum.wrapping_add(two_fields(snapshot.get(id).expect("a record")));
    }
    black_box(sum);
    Ok(())
}

/// Two fields of records in memory, in batches of 1,000.
fn get_many(times: u64, folder: &Path) -> flatrec::Result<()> {
    let database = database(folder)?;
    let snapshot = database.begin_read()?;
    let ids: Vec<u64> = numbers().take(1_000).collect();
    for _ in 0..times {
        let found = snapshot.get_many(&ids);
        let fields = found.iter().flatten().map(|item| two_fields(item));
        black_box(fields.fold(0_u64, u64::wrapping_add));
    }
    Ok(())
}

/// A record found by the value of a sorted field.
fn binary_search(times: u64, folder: &Path) -> flatrec::Result<()> {
    let database = database(folder)?;
    let snapshot = database.begin_read()?;
    for (wanted, _) in numbers().zip(0..times) {
        let found = snapshot.binary_search_by_key(&wanted, |item| item.id);
        assert_eq!(black_box(found), Ok(wanted));
    }
    Ok(())
}

/// Copies of all records in order.
fn copies(times: u64, folder: &Path) -> flatrec::Result<()> {
    let database = database(folder)?;
    let snapshot = database.begin_read()?;
    for _ in 0..times {
        let (mut copies, mut sum) = (snapshot.copies(..), 0_u64);
        while let Some((_, item)) = copies.next_record()? {
            sum = sum.wrapping_add(two_fields(item));
        }
        black_box(sum);
    }
    Ok(())
}

/// Two fields of all records in order, in a snapshot.
fn scan(times: u64, folder: &Path) -> flatrec::Result<()> {
    let database = database(folder)?;
    let snapshot = database.begin_read().expect("begin");
    for _ in 0..times {
        let sum = snapshot.iter().fold(0_u64, |sum, (_, item)| sum.wrapping_add(two_fields(item)));
        black_box(sum);
    }
    Ok(())
}

/// Appends a record to a store.
fn append(times: u64, folder: &Path) -> flatrec::Result<()> {
    let mut store = Store::<Item>::create(folder.join("store.rec"))?;
    for id in 0..times {
        store.append(&Item::new(id))?;
    }
    store.close()
}

/// Appends records to a database, all in one transaction.
fn append_transaction(times: u64, folder: &Path) -> flatrec::Result<()> {
    let database = Database::<Item>::create(folder.join("store.rec"))?;
    let mut transaction = database.begin_write()?;
    for id in 0..times {
        transaction.append(&Item::new(id))?;
    }
    transaction.commit(Durability::Immediate)?;
    database.close()
}

/// A durable commit that changes `changes` records.
fn commits(times: u64, folder: &Path, changes: usize) -> flatrec::Result<()> {
    let database = database(folder)?;
    let mut numbers = numbers();
    for turn in 0..times {
        let mut transaction = database.begin_write()?;
        for id in numbers.by_ref().take(changes) {
            transaction.set(id, &Item::new(turn))?;
        }
        transaction.commit(Durability::Immediate)?;
    }
    Ok(())
}

fn commit(times: u64, folder: &Path) -> flatrec::Result<()> {
    commits(times, folder, 1)
}

fn commit_100(times: u64, folder: &Path) -> flatrec::Result<()> {
    commits(times, folder, 100)
}

/// A snapshot, begun and ended, in the writer's process.
fn begin_read(times: u64, folder: &Path) -> flatrec::Result<()> {
    let database = database(folder)?;
    for _ in 0..times {
        drop(black_box(database.begin_read()?));
    }
    Ok(())
}

/// The same in a reader that follows the writer by the words in the lock file.
fn begin_read_beside(times: u64, folder: &Path) -> flatrec::Result<()> {
    let writer = database(folder)?;
    let reader = Database::<Item>::open_read_only(folder.join("store.rec"))?;
    for _ in 0..times {
        drop(black_box(reader.begin_read()?));
    }
    drop(reader);
    writer.close()
}
