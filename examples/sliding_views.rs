//! A file far larger than its mapped part.
//!
//! First by hand: a sparse file of 16 GiB, walked through views of 1 MiB, one at a time. Then with
//! a store: records read through windows that slide within a budget, and the counters that show the
//! cost. Both work in a 32-bit process, whose address space is smaller than the file.
//!
//!     cargo run --release --example sliding_views [DIRECTORY]

use std::error::Error;
use std::fs::File;
use std::path::Path;

use flatrec::map::{Access, Mapping};
use flatrec::{Record, Store, WindowedStore, le};

const VIEW_BYTES: u64 = 1 << 20;
const BUDGET_BYTES: u64 = 1 << 20;
const WINDOW_BYTES: u64 = 256 << 10;
const RECORDS: u64 = 100_000;

#[derive(Clone, Copy, Record)]
#[repr(C, packed)]
struct Sample {
    number: le::U64,
    payload: [u8; 117],
}

fn main() -> Result<(), Box<dyn Error>> {
    let scratch = match std::env::args_os().nth(1) {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    walk_a_sparse_file(&scratch.path().join("sparse"))?;
    read_within_a_budget(&scratch.path().join("samples.rec"))
}

/// Leaves a mark in every 64th mebibyte of the file, then finds them all again.
fn walk_a_sparse_file(path: &Path) -> Result<(), Box<dyn Error>> {
    let len_bytes = make_sparse_file(path)?;
    let mapping = Mapping::open(path, Access::ReadWrite)?;
    let steps = (0..len_bytes - VIEW_BYTES).step_by(64 << 20);

    let mut marks = 0_u64;
    for offset in steps.clone() {
        // Odd on purpose: views start and end anywhere, and widen to pages by themselves.
        let view = mapping.view(offset + 1..offset + VIEW_BYTES)?;
        view.write(0, &offset.to_le_bytes())?;
        marks += 1;
    } // each view is unmapped before the next is mapped
    mapping.sync()?;

    for offset in steps {
        let mut mark = [0; 8];
        mapping.view(offset + 1..offset + VIEW_BYTES)?.read(0, &mut mark)?;
        assert_eq!(u64::from_le_bytes(mark), offset, "the mark at {offset}");
    }
    println!(
        "a file of {} MiB: {marks} marks written and found again through views of {} MiB",
        len_bytes >> 20,
        VIEW_BYTES >> 20,
    );
    Ok(())
}

/// The largest of these lengths that the file system accepts.
fn make_sparse_file(path: &Path) -> Result<u64, Box<dyn Error>> {
    let file = File::create(path)?;
    // Windows makes files sparse only on request; otherwise it fills the space before a write with
    // zeros.
    let lengths: &[u64] =
        if cfg!(windows) { &[256 << 20] } else { &[16 << 30, 1 << 30, 256 << 20] };
    let taken = lengths.iter().find(|&&len_bytes| file.set_len(len_bytes).is_ok());
    Ok(*taken.ok_or("no length is accepted")?)
}

/// Reads a store in order and at random, with at most the budget mapped.
fn read_within_a_budget(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut store = Store::<Sample>::create(path)?;
    for number in 0..RECORDS {
        store.append(&Sample { number: number.into(), payload: [7; 117] })?;
    }
    store.close()?;
    let file_len_bytes = std::fs::metadata(path)?.len();

    let store = WindowedStore::<Sample>::options()
        .max_mapped_bytes(BUDGET_BYTES)
        .window_bytes(WINDOW_BYTES)
        .open(path)?;
    for number in 0..RECORDS {
        // The guard keeps its window mapped; after it is dropped, the store may unmap the window.
        let record = store.get(number)?.ok_or("a record is missing")?;
        assert_eq!(record.number.get(), number);
    }
    let in_order = store.view_counters();
    println!(
        "{RECORDS} records in order from a store of {} KiB: {} hits, {} windows mapped, {} let go",
        file_len_bytes >> 10,
        in_order.hits,
        in_order.remaps,
        in_order.evictions,
    );

    let mut number = 0;
    for _ in 0..10_000 {
        number = (number * 6_364_136 + 1_442_695) % RECORDS;
        let record = store.get(number)?.ok_or("a record is missing")?;
        assert_eq!(record.number.get(), number);
    }
    let counters = store.view_counters();
    println!(
        "10000 at random: {} hits, {} windows mapped; {} of {} KiB are mapped now",
        counters.hits - in_order.hits,
        counters.remaps - in_order.remaps,
        counters.mapped_bytes >> 10,
        counters.budget_bytes >> 10,
    );

    let windows = file_len_bytes.div_ceil(in_order.window_bytes);
    assert!(file_len_bytes > 10 * BUDGET_BYTES, "the store must be far larger than the budget");
    assert!(in_order.remaps <= windows + 1, "in order, each window is mapped once");
    assert!(counters.mapped_bytes <= BUDGET_BYTES, "the budget holds");
    assert!(counters.remaps > in_order.remaps, "at random, windows are mapped repeatedly");
    Ok(())
}
