//! The records of the soak test, and what must hold of every commit.
//!
//! Every record ends with a checksum over its number and its content. Most of the content is one
//! random word repeated, which is quick to check. Record 0, the head, holds the number of the last
//! transaction, the sum of all other checksums, and the number of records. So a record of another
//! commit than the snapshot's is found, wherever it lies.
//!
//! A `Store` appends and does not change the head. Its records lie in whole batches past those that
//! the head counts, until the next transaction counts them.

use std::time::Duration;

use flatrec::{PodRecord, Snapshot, WriteTransaction};

use crate::support::random::Random;
use crate::support::settings;

const WORDS: usize = 16;
/// The words of the head.
const NUMBER: usize = 0;
const SUM: usize = 1;
const KNOWN: usize = 2;
const LIVE: usize = 3;
/// The filler of a record lies between this word and the checksum.
const FILLER: usize = 4;
const CHECK: usize = WORDS - 1;

pub(crate) type Row = PodRecord<[u64; WORDS]>;

/// The number of records that a `Store` appends in one commit.
pub(crate) const BATCH: u64 = 13;
/// The records of a long append, which the writer puts into the array before the commit.
const BULK: u64 = (1 << 20) / size_of::<Row>() as u64 + 50;
/// The greatest number of records. Reading all of them must be quick, or a short run would do
/// little else.
fn records_max() -> u64 {
    let long = settings::seconds(0) >= Duration::from_secs(30);
    if cfg!(debug_assertions) && !long { 20_000 } else { 120_000 }
}

fn stir(sum: u64, word: u64) -> u64 {
    (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// The checksum of record `id`, or `None` if its filler has different words.
fn check_of(id: u64, row: &Row) -> Option<u64> {
    let start = id ^ 0x0123_4567_89ab_cdef;
    let check = row.0[..=FILLER].iter().fold(start, |sum, &word| stir(sum, word));
    (row.0[FILLER..CHECK] == [row.0[FILLER]; CHECK - FILLER]).then_some(check)
}

fn sealed(id: u64, mut row: Row) -> Row {
    row.0[CHECK] = check_of(id, &row).expect("the filler is one word");
    row
}

/// Record `id`, made by transaction `number`.
fn made(id: u64, number: u64, random: &mut Random) -> Row {
    let mut row = PodRecord([random.next(); WORDS]);
    row.0[NUMBER] = number;
    sealed(id, row)
}

/// What a snapshot has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) commit: u64,
    /// The number of the last transaction.
    pub(crate) number: u64,
    pub(crate) count: u64,
    /// A sum over every byte of every record.
    fingerprint: u64,
}

/// Checks that every record of a snapshot is whole, and that all are of one commit.
///
/// # Panics
/// If they are not.
pub(crate) fn look(snapshot: &Snapshot<Row>) -> Look {
    let commit = snapshot.commit_id().get();
    let head = *snapshot.get(0).expect("a store has a head");
    let known = head.0[KNOWN];
    let (mut live, mut sum, mut fingerprint, mut strays) = (0_u64, 0_u64, 0_u64, 0_u64);
    for (id, row) in snapshot.iter() {
        let check = check_of(id, row);
        assert_eq!(check, Some(row.0[CHECK]), "record {id} of commit {commit} is torn: {row:?}");
        let check = row.0[CHECK];
        fingerprint = stir(fingerprint, id ^ check);
        live += 1;
        if id >= known {
            strays += 1;
        } else if id > 0 {
            sum = sum.wrapping_add(check);
        }
    }
    let count = snapshot.count();
    let said = (head.0[SUM], head.0[LIVE]);
    let found = (sum, live - strays);
    assert_eq!(said, found, "commit {commit} is mixed with another one: {count} records, {head:?}");
    assert_eq!(snapshot.live_count(), live, "commit {commit}");
    assert_eq!(count, known + strays, "commit {commit}");
    assert_eq!(strays % BATCH, 0, "commit {commit} has a part of a store's batch");
    assert!(snapshot.get(count).is_none());
    Look { commit, number: head.0[NUMBER], count, fingerprint }
}

/// An open transaction, and the head that it will write.
pub(crate) struct Change<'t, 'd> {
    transaction: &'t mut WriteTransaction<'d, Row>,
    random: &'t mut Random,
    head: Row,
}

impl<'t, 'd> Change<'t, 'd> {
    pub(crate) fn new(
        transaction: &'t mut WriteTransaction<'d, Row>,
        random: &'t mut Random,
    ) -> Self {
        let head = transaction.get(0).copied().unwrap_or(PodRecord([0; WORDS]));
        let mut change = Self { transaction, random, head };
        change.head.0[NUMBER] += 1;
        let filler = change.random.next();
        change.head.0[FILLER..CHECK].fill(filler);
        if change.transaction.count() == 0 {
            let head = sealed(0, change.head);
            change.transaction.append(&head).unwrap();
            (change.head.0[KNOWN], change.head.0[LIVE]) = (1, 1);
        }
        for id in change.head.0[KNOWN]..change.transaction.count() {
            let row = *change.transaction.get(id).expect("a store's records are live");
            change.count_in(&row);
        }
        change
    }

    fn count_in(&mut self, row: &Row) {
        self.head.0[SUM] = self.head.0[SUM].wrapping_add(row.0[CHECK]);
        self.head.0[LIVE] += 1;
    }

    fn count_out(&mut self, row: &Row) {
        self.head.0[SUM] = self.head.0[SUM].wrapping_sub(row.0[CHECK]);
        self.head.0[LIVE] -= 1;
    }

    fn row(&mut self, id: u64) -> Row {
        made(id, self.head.0[NUMBER], self.random)
    }

    /// Makes random changes, and writes the head.
    pub(crate) fn make(mut self, deletes: bool) {
        let has_room = self.transaction.count() < records_max();
        match self.random.below(50) {
            0 if has_room => self.append(BULK),
            1..12 if has_room => {
                let many = self.random.below(60);
                self.append(many);
            }
            _ => {}
        }
        for _ in 0..self.random.below(40) {
            let id = 1 + self.random.below(self.transaction.count());
            if deletes && self.random.below(3) == 0 {
                self.move_elsewhere(id);
            } else {
                self.update(id);
            }
        }
        self.head.0[KNOWN] = self.transaction.count();
        let head = sealed(0, self.head);
        self.transaction.set(0, &head).unwrap();
    }

    fn append(&mut self, many: u64) {
        let first = self.transaction.count();
        let rows: Vec<Row> = (first..first + many).map(|id| self.row(id)).collect();
        rows.iter().for_each(|row| self.count_in(row));
        if let [row] = &rows[..] {
            self.transaction.append(row).unwrap();
        } else {
            self.transaction.append_slice(&rows).unwrap();
        }
    }

    fn update(&mut self, id: u64) {
        let Some(before) = self.transaction.get(id).copied() else { return };
        self.count_out(&before);
        let row = self.row(id);
        self.count_in(&row);
        // Uses both calls that change a record.
        match self.random.below(2) {
            0 => self.transaction.set(id, &row).unwrap(),
            _ => *self.transaction.get_mut(id).unwrap().unwrap() = row,
        }
    }

    /// Deletes a record. Most times it inserts another, which reuses this place or another free
    /// one.
    fn move_elsewhere(&mut self, id: u64) {
        if let Some(before) = self.transaction.get(id).copied() {
            self.count_out(&before);
            assert!(self.transaction.delete(id).unwrap());
        }
        if self.random.below(5) > 0 {
            let id = self.transaction.insert(&PodRecord([0; WORDS])).unwrap();
            let row = self.row(id);
            self.count_in(&row);
            self.transaction.set(id, &row).unwrap();
        }
    }
}

/// The batch that a `Store` of `count` records appends.
pub(crate) fn batch(count: u64, random: &mut Random) -> Vec<Row> {
    (count..count + BATCH).map(|id| made(id, 0, random)).collect()
}
