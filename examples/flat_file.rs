//! The classic record file: 1,000,000 records of 125 bytes, found by number.
//!
//! Creates it, reads one record in place, changes some of them, flushes, and shows the time of each
//! step and how many pages of the file the system mapped for it.
//!
//!     cargo run --release --example flat_file [PATH]

use std::error::Error;
use std::path::PathBuf;
use std::time::Instant;

use flatrec::{FaultCounts, Record, Store, Utf8, le, process_faults, thread_faults};

const RECORDS: u64 = 1_000_000;

/// 8 + 8 + 4 + 25 + 80 bytes. `packed` leaves no gaps, and the types of `le` are little-endian on
/// every system, like the file.
#[derive(Clone, Copy, Record)]
#[repr(C, packed)]
struct Customer {
    id: le::U64,
    balance_cents: le::I64,
    orders: le::U32,
    name: Utf8<25>,
    address: [u8; 80],
}

const _: () = assert!(size_of::<Customer>() == 125);

fn main() -> Result<(), Box<dyn Error>> {
    // The file is kept if you give a path; otherwise its folder is removed at the end.
    let scratch = tempfile::tempdir()?;
    let path = match std::env::args_os().nth(1) {
        Some(path) => PathBuf::from(path),
        None => scratch.path().join("customers.rec"),
    };

    // 1. Create: appended records become durable, and counted, together.
    let step = Step::begin()?;
    let mut store = Store::<Customer>::create(&path)?;
    for id in 0..RECORDS {
        store.append(&customer(id)?)?;
    }
    store.close()?;
    step.end(&format!("create and append {RECORDS} records, durable"))?;
    let file_len_bytes = std::fs::metadata(&path)?.len();
    println!("    {} is {file_len_bytes} bytes long", path.display());
    assert_eq!(file_len_bytes, 65_536 + RECORDS * 125, "a 64 KiB header and the records");

    // 2. Open: maps the file and reads nothing.
    let step = Step::begin()?;
    let mut store = Store::<Customer>::open(&path)?;
    step.end("open")?;

    // 3. Read: `get` is arithmetic, and lends the record in place.
    let step = Step::begin()?;
    let found = store.get(765_432).ok_or("record 765,432 is missing")?;
    let (id, name) = (found.id.get(), found.name);
    let faults = step.end("read record 765,432")?;
    println!("    {}: {:?}", id, name.as_str()?);
    assert_eq!(id, 765_432);
    assert!(store.get(RECORDS).is_none(), "there is no record past the last");
    // The whole file has 30,534 pages; the record lies on one page, or on two neighbours.
    assert!(
        faults.minor + faults.major < 100,
        "one read must not touch the whole file: {faults:?}"
    );

    // 4. Update in place: an exclusive edit excludes all other readers and writers until it ends.
    let step = Step::begin()?;
    let mut edit = store.edit()?;
    for id in (0..RECORDS).step_by(1000) {
        let customer = edit.get_mut(id)?.expect("a customer");
        customer.balance_cents += 500;
        customer.orders += 1;
    }
    step.end("change every 1000th record")?;

    // 5. Flush: writes only the changes, then syncs.
    let step = Step::begin()?;
    edit.flush()?;
    step.end("flush the changes")?;
    edit.finish()?; // removes the mark of the edit and admits others
    store.close()?;

    // 6. Scan: a reader opens the file again and reads it from front to back.
    let step = Step::begin()?;
    let store = Store::<Customer>::open_read_only(&path)?;
    let balance_cents: i64 = store.iter().map(|(_, customer)| customer.balance_cents.get()).sum();
    step.end(&format!("open again and scan {} records", store.count()))?;
    let expected = (0..RECORDS as i64).sum::<i64>() + 500 * (RECORDS / 1000) as i64;
    assert_eq!(balance_cents, expected, "every change is there, and nothing else changed");
    println!("    the balances add up to {balance_cents} cents, as expected");
    Ok(())
}

fn customer(id: u64) -> flatrec::Result<Customer> {
    Ok(Customer {
        id: id.into(),
        balance_cents: (id as i64).into(),
        orders: 0.into(),
        name: Utf8::new(&format!("customer {id}"))?,
        address: [b' '; 80],
    })
}

/// Time and page faults from one point of the program to another.
struct Step {
    begun: Instant,
    faults: FaultCounts,
}

impl Step {
    fn begin() -> Result<Self, Box<dyn Error>> {
        Ok(Self { faults: faults()?, begun: Instant::now() })
    }

    fn end(self, what: &str) -> Result<FaultCounts, Box<dyn Error>> {
        let took = self.begun.elapsed();
        let faults = faults()?.since(self.faults);
        let (minor, major) = (faults.minor, faults.major);
        // Windows has one counter for all faults.
        let minor = if cfg!(windows) { format!("{minor}") } else { format!("{minor} minor") };
        let major = if cfg!(windows) { String::new() } else { format!(", {major} major") };
        println!("{what}: {took:.1?}, page faults: {minor}{major}");
        Ok(faults)
    }
}

/// This thread's faults if the system counts them; otherwise the whole process's.
fn faults() -> std::io::Result<FaultCounts> {
    thread_faults().map_or_else(process_faults, Ok)
}
