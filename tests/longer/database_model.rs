//! Compares random transactions, snapshots, checkpoints, kills and handles of every kind with a
//! vector of records.
//!
//! A copy of all files stands for a killed process, because the page cache outlives a process.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flatrec::{
    DataType, Durability, DynDatabase, DynStore, ErrorKind, Field, Schema, Snapshot, VerifyOptions,
    WriteTransaction, verify,
};
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Debug)]
enum Change {
    Set(Index, u16),
    GetMut(Index, u16),
    Append(u16),
    AppendMany(u16, u16),
    /// A long append.
    AppendBulk(u16),
    Insert(u16),
    Delete(Index),
    Get(Index),
    Range(Index, Index),
    AppendAll(u16, u16),
    /// Changes the records whose number leaves this remainder when divided by 7.
    UpdateWhere(u16, u16),
    /// Deletes those.
    Retain(u16),
}

#[derive(Clone, Debug)]
enum Operation {
    /// Changes, whether the transaction commits, and how durably.
    Transaction(Vec<Change>, Option<bool>),
    Hold,
    /// Checks a held snapshot, and releases it.
    Drop(Index),
    Checkpoint,
    Kill,
    /// Closes or drops the handle, looks with another kind of handle, and opens a database again.
    Reopen(bool, Handle),
    /// Drops the handle before its snapshots, and checks those.
    Outlive,
}

#[derive(Clone, Copy, Debug)]
enum Handle {
    Database,
    Reader,
    Private,
    /// Appends one record.
    Writer(u16),
}

fn change() -> impl Strategy<Value = Change> {
    let (index, n) = (any::<Index>, any::<u16>);
    prop_oneof![
        20 => (index(), n()).prop_map(|(at, n)| Change::Set(at, n)),
        10 => (index(), n()).prop_map(|(at, n)| Change::GetMut(at, n)),
        15 => n().prop_map(Change::Append),
        5 => (n(), 1u16..200).prop_map(|(n, len)| Change::AppendMany(n, len)),
        1 => n().prop_map(Change::AppendBulk),
        15 => n().prop_map(Change::Insert),
        15 => index().prop_map(Change::Delete),
        10 => index().prop_map(Change::Get),
        10 => (index(), index()).prop_map(|(start, end)| Change::Range(start, end)),
        5 => (n(), 0u16..50).prop_map(|(n, len)| Change::AppendAll(n, len)),
        1 => (0u16..7, n()).prop_map(|(rest, n)| Change::UpdateWhere(rest, n)),
        1 => (0u16..7).prop_map(Change::Retain),
    ]
}

fn operation() -> impl Strategy<Value = Operation> {
    let changes = prop::collection::vec(change(), 0..25);
    let end = prop_oneof![1 => Just(None), 5 => any::<bool>().prop_map(Some)];
    let handle = prop_oneof![
        Just(Handle::Database),
        Just(Handle::Reader),
        Just(Handle::Private),
        any::<u16>().prop_map(Handle::Writer),
    ];
    prop_oneof![
        12 => (changes, end).prop_map(|(changes, end)| Operation::Transaction(changes, end)),
        4 => Just(Operation::Hold),
        3 => any::<Index>().prop_map(Operation::Drop),
        3 => Just(Operation::Checkpoint),
        2 => Just(Operation::Kill),
        2 => (any::<bool>(), handle).prop_map(|(close, handle)| Operation::Reopen(close, handle)),
        1 => Just(Operation::Outlive),
    ]
}

/// What the records should be: the number `n` of each, or `None` for a deleted one.
type Model = Vec<Option<u16>>;

#[derive(Clone, Copy, Debug)]
struct Shape {
    record_len: usize,
    deletes: bool,
    checkpoint_at_bytes: u64,
}

impl Shape {
    fn record(self, n: u16) -> Vec<u8> {
        (0..self.record_len).map(|at| (at as u16 ^ n) as u8 ^ ((n >> 8) as u8)).collect()
    }

    fn open(self, path: &Path) -> DynDatabase {
        DynDatabase::options().checkpoint_at(self.checkpoint_at_bytes).open(path).unwrap()
    }

    fn check<'a>(self, model: &Model, count: u64, get: impl Fn(u64) -> Option<&'a [u8]>) {
        assert_eq!(count, model.len() as u64);
        for (id, n) in (0..).zip(model) {
            assert_eq!(get(id).is_some(), n.is_some(), "record {id}");
            if let (Some(bytes), Some(n)) = (get(id), n) {
                assert!(bytes == self.record(*n), "record {id} is not that of {n}");
            }
        }
        assert!(get(count).is_none());
    }

    fn check_snapshot(self, model: &Model, snapshot: &Snapshot<[u8]>) {
        self.check(model, snapshot.count(), |id| snapshot.get(id));
        assert_eq!(snapshot.live_count(), model.iter().flatten().count() as u64);
        let live = (0..).zip(model).filter_map(|(id, n)| Some((id, (*n)?)));
        assert!(snapshot.iter().map(|(id, _)| id).eq(live.map(|(id, _)| id)));
    }

    fn check_store(self, model: &Model, store: &DynStore) {
        self.check(model, store.count(), |id| store.get(id));
    }

    fn apply(
        self,
        transaction: &mut WriteTransaction<'_, [u8]>,
        model: &mut Model,
        change: &Change,
    ) {
        let place = |index: &Index| if model.is_empty() { 0 } else { index.index(model.len() + 1) };
        let live = |id: usize| model.get(id).copied().flatten();
        match change {
            Change::Set(index, n) => {
                let id = place(index);
                let set = transaction.set(id as u64, &self.record(*n));
                assert_eq!(set.is_ok(), live(id).is_some(), "{set:?}");
                if set.is_ok() {
                    model[id] = Some(*n);
                }
            }
            Change::GetMut(index, n) => {
                let id = place(index);
                let found = transaction.get_mut(id as u64).unwrap();
                assert_eq!(found.is_some(), live(id).is_some());
                if let Some(bytes) = found {
                    assert!(bytes == self.record(model[id].unwrap()));
                    bytes.copy_from_slice(&self.record(*n));
                    model[id] = Some(*n);
                }
            }
            Change::Append(n) => {
                let id = transaction.append(&self.record(*n)).unwrap();
                assert_eq!(id, model.len() as u64);
                model.push(Some(*n));
            }
            Change::AppendMany(n, len) => self.append(transaction, model, *n, (*len).into()),
            Change::AppendBulk(n) => {
                self.append(transaction, model, *n, (1 << 20) / self.record_len + 1);
            }
            Change::Insert(n) => {
                let id = transaction.insert(&self.record(*n)).unwrap() as usize;
                assert_eq!(
                    id == model.len(),
                    model.iter().all(Option::is_some),
                    "an insert did not reuse a free place"
                );
                if id == model.len() {
                    model.push(None);
                }
                assert_eq!(model[id].replace(*n), None);
            }
            Change::Delete(index) => {
                let id = place(index);
                let deleted = transaction.delete(id as u64);
                assert_eq!(deleted.is_ok(), self.deletes);
                assert_eq!(deleted.is_ok_and(|done| done), self.deletes && live(id).is_some());
                if self.deletes && id < model.len() {
                    model[id] = None;
                }
            }
            Change::Get(index) => self.check_get(transaction, model, place(index)),
            Change::Range(start, end) => {
                self.check_range(transaction, model, place(start)..place(end));
            }
            Change::AppendAll(n, len) => self.append_all(transaction, model, *n, *len),
            Change::UpdateWhere(rest, n) => self.update_where(transaction, model, *rest, *n),
            Change::Retain(rest) => self.retain(transaction, model, *rest),
        }
        assert_eq!(transaction.count(), model.len() as u64);
    }

    fn check_get(self, transaction: &WriteTransaction<'_, [u8]>, model: &Model, id: usize) {
        let expected = model.get(id).copied().flatten().map(|n| self.record(n));
        let expected = expected.as_deref();
        assert!(transaction.get(id as u64) == expected);
        assert_eq!(transaction.contains(id as u64), expected.is_some());
        let why = if id < model.len() { ErrorKind::Deleted } else { ErrorKind::OutOfRange };
        let found = transaction.try_get(id as u64).map_err(|error| error.kind());
        assert!(found == expected.ok_or(why));
    }

    fn append_all(
        self,
        transaction: &mut WriteTransaction<'_, [u8]>,
        model: &mut Model,
        n: u16,
        len: u16,
    ) {
        let numbers = (0..len).map(|at| n.wrapping_add(at));
        let ids = transaction.append_all(numbers.clone().map(|n| self.record(n))).unwrap();
        assert_eq!(ids.start, model.len() as u64);
        model.extend(numbers.map(Some));
        assert_eq!(ids.end, model.len() as u64);
    }

    /// Walks the range from both ends in turns.
    fn check_range(
        self,
        transaction: &WriteTransaction<'_, [u8]>,
        model: &Model,
        ids: std::ops::Range<usize>,
    ) {
        let live = |id: usize| model.get(id).copied().flatten();
        let mut expected: VecDeque<(u64, Vec<u8>)> =
            ids.clone().filter_map(|id| Some((id as u64, self.record(live(id)?)))).collect();
        let mut records = transaction.range(ids.start as u64..ids.end as u64);
        for turn in 0.. {
            let (found, wanted) = match turn % 3 {
                0 => (records.next_back(), expected.pop_back()),
                _ => (records.next(), expected.pop_front()),
            };
            assert_eq!(found.map(|(id, _)| id), wanted.as_ref().map(|(id, _)| *id));
            let Some((id, bytes)) = wanted else { break };
            assert!(found.is_some_and(|(_, found)| found == bytes), "record {id}");
        }
    }

    fn update_where(
        self,
        transaction: &mut WriteTransaction<'_, [u8]>,
        model: &mut Model,
        rest: u16,
        n: u16,
    ) {
        let record = self.record(n);
        let is_wanted = |id: u64, _: &[u8]| id % 7 == u64::from(rest);
        let updated = transaction
            .update_where(is_wanted, |_, bytes: &mut [u8]| bytes.copy_from_slice(&record))
            .unwrap();
        let wanted = model.iter_mut().skip(rest.into()).step_by(7).flatten();
        assert_eq!(updated, wanted.map(|found| *found = n).count() as u64);
    }

    fn retain(self, transaction: &mut WriteTransaction<'_, [u8]>, model: &mut Model, rest: u16) {
        let unwanted = model.iter_mut().skip(rest.into()).step_by(7);
        let is_any = unwanted.len() > 0;
        let deleted = transaction.retain(|id, _| id % 7 != u64::from(rest));
        if !self.deletes {
            assert_eq!(deleted.is_err(), is_any, "{deleted:?}");
            return;
        }
        assert_eq!(deleted.unwrap(), unwanted.filter_map(Option::take).count() as u64);
    }

    fn append(
        self,
        transaction: &mut WriteTransaction<'_, [u8]>,
        model: &mut Model,
        n: u16,
        len: usize,
    ) {
        let numbers: Vec<u16> = (0..len).map(|at| n.wrapping_add(at as u16)).collect();
        let records: Vec<u8> = numbers.iter().flat_map(|&n| self.record(n)).collect();
        let ids = transaction.append_packed(&records).unwrap();
        assert_eq!(ids, model.len() as u64..(model.len() + len) as u64);
        model.extend(numbers.into_iter().map(Some));
    }
}

/// A store under test, and what it should hold.
struct Rig<'a> {
    path: &'a Path,
    shape: Shape,
    database: DynDatabase,
    model: Rc<Model>,
    held: Vec<(Rc<Model>, Snapshot<[u8]>)>,
}

impl<'a> Rig<'a> {
    fn new(path: &'a Path, shape: Shape) -> Self {
        let field = Field::new("bytes", DataType::Binary(shape.record_len as u32));
        let options = DynDatabase::create_options().deletes(shape.deletes);
        options.create(path, &Schema::packed([field]).unwrap()).unwrap().close().unwrap();
        let database = shape.open(path);
        Self { path, shape, database, model: Rc::new(Vec::new()), held: Vec::new() }
    }

    fn apply(mut self, operation: &Operation) -> Self {
        match operation {
            Operation::Transaction(changes, end) => {
                let mut transaction = self.database.begin_write().unwrap();
                let mut model = Vec::clone(&self.model);
                for change in changes {
                    self.shape.apply(&mut transaction, &mut model, change);
                }
                match end {
                    None => transaction.rollback(),
                    Some(durable) => {
                        let how = [Durability::Eventual, Durability::Immediate];
                        transaction.commit(how[usize::from(*durable)]).unwrap();
                        self.model = Rc::new(model);
                    }
                }
                self.shape.check_snapshot(&self.model, &self.database.begin_read().unwrap());
            }
            Operation::Hold => {
                self.held.push((Rc::clone(&self.model), self.database.begin_read().unwrap()));
            }
            Operation::Drop(index) => {
                if !self.held.is_empty() {
                    let (model, snapshot) = self.held.remove(index.index(self.held.len()));
                    self.shape.check_snapshot(&model, &snapshot);
                }
            }
            Operation::Checkpoint => {
                let checkpoint = self.database.checkpoint().unwrap();
                let oldest = self.held.iter().map(|(_, snapshot)| snapshot.commit_id().get()).min();
                let newest = self.database.begin_read().unwrap().commit_id().get();
                assert_eq!(
                    checkpoint.commit_id().get(),
                    oldest.map_or(newest, |oldest| oldest.min(newest))
                );
            }
            Operation::Kill => self.kill(),
            Operation::Reopen(close, handle) => return self.reopen(*close, *handle),
            Operation::Outlive => return self.outlive(),
        }
        self
    }

    /// Opens a copy of the files, as the next process after a kill would.
    fn kill(&self) {
        let copy = tempfile::tempdir().unwrap();
        for entry in std::fs::read_dir(self.path.parent().unwrap()).unwrap() {
            let entry = entry.unwrap();
            std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
        }
        let path = copy.path().join(self.path.file_name().unwrap());
        let reader = DynStore::open_read_only(&path).unwrap();
        self.shape.check_store(&self.model, &reader);
        drop(reader);
        let database = self.shape.open(&path);
        self.shape.check_snapshot(&self.model, &database.begin_read().unwrap());
        database.close().unwrap();
        check_at_rest(&path);
    }

    fn check_held(&mut self) {
        for (model, snapshot) in self.held.drain(..) {
            self.shape.check_snapshot(&model, &snapshot);
        }
    }

    fn reopen(mut self, close: bool, handle: Handle) -> Self {
        self.check_held();
        let Self { path, shape, database, mut model, held } = self;
        if close {
            database.close().unwrap();
        } else {
            drop(database);
        }
        check_at_rest(path);
        match handle {
            Handle::Database => shape.open(path).close().unwrap(),
            Handle::Reader => {
                shape.check_store(&model, &DynStore::open_read_only(path).unwrap());
            }
            Handle::Private => shape.check_store(&model, &DynStore::open_private(path).unwrap()),
            Handle::Writer(n) => {
                let mut store = DynStore::open(path).unwrap();
                shape.check_store(&model, &store);
                store.append(&shape.record(n)).unwrap();
                Rc::make_mut(&mut model).push(Some(n));
                store.close().unwrap();
            }
        }
        let database = shape.open(path);
        shape.check_snapshot(&model, &database.begin_read().unwrap());
        Self { path, shape, database, model, held }
    }

    /// Drops the handle. Its snapshots must not change.
    fn outlive(mut self) -> Self {
        let Self { path, shape, .. } = self;
        self.database.close().unwrap();
        for (model, snapshot) in self.held.drain(..) {
            shape.check_snapshot(&model, &snapshot);
        }
        let reader = DynStore::open_read_only(path).unwrap();
        shape.check_store(&self.model, &reader);
        drop(reader);
        Self { path, shape, database: shape.open(path), model: self.model, held: Vec::new() }
    }
}

/// Checks that the closed store has no log.
fn check_at_rest(path: &Path) {
    let report = verify(path, VerifyOptions::new()).unwrap();
    assert_eq!(report.problems, []);
    let logs = std::fs::read_dir(path.parent().unwrap()).unwrap();
    let logs = logs.map(|entry| entry.unwrap().path());
    let logs: Vec<PathBuf> = logs.filter(|path| path.to_string_lossy().contains("-wal-")).collect();
    assert!(logs.is_empty(), "{logs:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    /// Finds a sequence of calls after which a database differs from a vector.
    #[test]
    fn a_database_agrees_with_a_vector(
        record_len in prop_oneof![Just(8usize), 8usize..200, Just(125), 4090usize..5000],
        deletes in any::<bool>(),
        checkpoint_at_bytes in prop_oneof![Just(1u64), 1u64..100_000, Just(16 << 20)],
        operations in prop::collection::vec(operation(), 1..40),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let mut rig = Rig::new(&path, Shape { record_len, deletes, checkpoint_at_bytes });
        for operation in &operations {
            rig = rig.apply(operation);
        }
        rig.reopen(true, Handle::Reader);
    }
}
