//! The units of a Parquet file on several threads, whose blocks keep the order of the file.
//!
//! ```text
//! unit 0 -> thread 0: decode, work ->  blocks  -> the calling thread: done, in order
//! unit 1 -> thread 1: decode, work ->  blocks  /
//! unit 2 -> thread 0 ...
//! ```
//!
//! A thread runs ahead of the calling one by a bounded number of blocks.

use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::sync::{Mutex, PoisonError};
use std::thread;

use super::arrow::{ParquetFile, Unit};
use super::facts::Facts;
use super::source::{Block, Column};
use crate::error::Result;
use crate::format::Field;

/// How many bytes of records a thread runs ahead, and the bounds of the number of blocks.
const AHEAD_BYTES: usize = 32 << 20;
const AHEAD_BLOCKS: (usize, usize) = (2, 64);
/// The most rows of a block, and the most bytes of its records, if a record is shorter.
const BLOCK: (usize, usize) = (4096, 2 << 20);

/// A block; none at the end of a unit.
type Message = Result<Option<Block>>;

/// A thread, and the ways to it and back.
struct Lane {
    units: Sender<Unit>,
    spare: Sender<Block>,
    blocks: Receiver<Message>,
}

/// Decodes units, lets `threads` threads `work` on their blocks, and gives them to `done` in order,
/// on this thread. `record_bytes` is the length of a record that `work` makes.
///
/// # Errors
/// The first error of reading or of `done`.
///
/// # Panics
/// If `work` panics, on this thread.
pub(super) fn in_order(
    file: &ParquetFile,
    units: &[Unit],
    (threads, record_bytes): (usize, usize),
    leaves: Option<&[usize]>,
    work: impl Fn(&mut Block) + Sync,
    mut done: impl FnMut(&mut Block) -> Result<()>,
) -> Result<()> {
    if threads <= 1 {
        return alone(file, units, leaves, work, done);
    }
    // The rows of a block and its records.
    let block_bytes = record_bytes.saturating_mul(BLOCK.0).clamp(1, BLOCK.1) * 2;
    let ahead = (AHEAD_BYTES / block_bytes).clamp(AHEAD_BLOCKS.0, AHEAD_BLOCKS.1);
    thread::scope(|scope| {
        let work = &work;
        let start = |_| {
            let (to, units) = mpsc::channel();
            let (spare, spares) = mpsc::channel();
            let (send, blocks) = mpsc::sync_channel(ahead);
            let lane = move || decode_all(file, leaves, (&units, &spares), &send, work);
            thread::Builder::new().spawn_scoped(scope, lane).ok()?;
            Some(Lane { units: to, spare, blocks })
        };
        let lanes: Vec<Lane> = (0..threads.min(units.len())).map_while(start).collect();
        if lanes.is_empty() {
            return alone(file, units, leaves, work, done);
        }
        for (lane, unit) in lanes.iter().cycle().zip(units) {
            lane.units.send(*unit).expect("a lane lives until dropped");
        }
        for (lane, _) in lanes.iter().cycle().zip(units) {
            loop {
                let message = lane.blocks.recv();
                let message = message.expect("a thread panicked while it worked on a block");
                let Some(mut block) = message? else { break };
                done(&mut block)?;
                // A thread that has ended needs none.
                let _ = lane.spare.send(block);
            }
        }
        Ok(())
    })
}

/// Decodes the units of a thread, until there are none or no one takes their blocks.
fn decode_all(
    file: &ParquetFile,
    leaves: Option<&[usize]>,
    (units, spares): (&Receiver<Unit>, &Receiver<Block>),
    send: &SyncSender<Message>,
    work: &impl Fn(&mut Block),
) {
    for unit in units {
        let mut source = match file.unit(unit, leaves) {
            Ok(source) => source,
            Err(error) => return drop(send.send(Err(error))),
        };
        loop {
            let mut block = spares.try_recv().unwrap_or_default();
            let message = source.next(&mut block).map(|is_there| {
                is_there.then(|| {
                    work(&mut block);
                    block
                })
            });
            let is_last = !matches!(message, Ok(Some(_)));
            let has_failed = message.is_err();
            if send.send(message).is_err() || has_failed {
                return;
            }
            if is_last {
                break;
            }
        }
    }
}

/// As [`in_order`], on this thread.
fn alone(
    file: &ParquetFile,
    units: &[Unit],
    leaves: Option<&[usize]>,
    work: impl Fn(&mut Block),
    mut done: impl FnMut(&mut Block) -> Result<()>,
) -> Result<()> {
    let mut block = Block::default();
    for &unit in units {
        let mut source = file.unit(unit, leaves)?;
        while source.next(&mut block)? {
            work(&mut block);
            done(&mut block)?;
        }
    }
    Ok(())
}

/// What only the rows tell of the columns. The columns of which the end of the file tells all are
/// not read.
///
/// # Errors
/// As [`in_order`].
pub(super) fn facts(
    file: &ParquetFile,
    threads: usize,
    mut done: impl FnMut(u64, u64) -> Result<()>,
) -> Result<Vec<Facts>> {
    let mut columns = file.columns().to_vec();
    let mut facts = vec![Facts::default(); columns.len()];
    for (number, (column, facts)) in columns.iter_mut().zip(&mut facts).enumerate() {
        if let (true, Some(has_null)) = (column.are_nulls_measured, file.nulls(number)) {
            facts.note_nulls(has_null);
            column.are_nulls_measured = false;
        }
    }
    let open: Vec<usize> = (0..columns.len()).filter(|&at| columns[at].is_open()).collect();
    if open.is_empty() {
        return Ok(facts);
    }
    let noted = Mutex::new(facts);
    let work = |block: &mut Block| {
        let of_block: Vec<Facts> = open
            .iter()
            .zip(block.fields.iter())
            .map(|(&at, field)| facts_of(&columns[at], field, block))
            .collect();
        let mut noted = noted.lock().unwrap_or_else(PoisonError::into_inner);
        open.iter().zip(&of_block).for_each(|(&at, facts)| noted[at].merge(facts));
    };
    let mut rows = 0;
    let record_bytes: u32 = columns.iter().map(|column| column.field.size_bytes()).sum();
    in_order(
        file,
        &file.units(0)?,
        (threads, record_bytes as usize),
        Some(&open),
        work,
        |block| {
            rows += block.rows() as u64;
            done(rows, block.read_bytes)
        },
    )?;
    Ok(noted.into_inner().unwrap_or_else(PoisonError::into_inner))
}

fn facts_of(column: &Column, field: &Field, block: &Block) -> Facts {
    let mut facts = Facts::default();
    facts.note(column, field, block);
    facts
}
