//! Compares random operations, reopenings and kills with a vector of records.
//!
//! A copy of the unflushed file, opened as a store, stands for a killed process, because the page
//! cache outlives a process.

use std::path::Path;

use flatrec::{
    Checksums, DataType, DynStore, ErrorKind, Field, Schema, VerifyOptions, WriteBack, verify,
};
use proptest::prelude::*;
use proptest::sample::Index;

#[derive(Clone, Debug)]
enum Operation {
    Append(u16),
    AppendMany(u16, u16),
    Reserve(u16),
    Get(Index),
    Truncate(Index),
    /// Sets the n-th record, for several n, in one exclusive edit.
    Edit(Vec<(Index, u16)>),
    Flush,
    Reopen(bool),
    Private(Index, u16),
    Kill,
}

fn operation() -> impl Strategy<Value = Operation> {
    let index = any::<Index>;
    prop_oneof![
        6 => any::<u16>().prop_map(Operation::Append),
        3 => (any::<u16>(), 1u16..900).prop_map(|(n, len)| Operation::AppendMany(n, len)),
        1 => (0u16..5000).prop_map(Operation::Reserve),
        5 => index().prop_map(Operation::Get),
        1 => index().prop_map(Operation::Truncate),
        3 => prop::collection::vec((index(), any::<u16>()), 0..20).prop_map(Operation::Edit),
        3 => Just(Operation::Flush),
        2 => any::<bool>().prop_map(Operation::Reopen),
        1 => (index(), any::<u16>()).prop_map(|(at, n)| Operation::Private(at, n)),
        2 => Just(Operation::Kill),
    ]
}

/// A store under test, and what it should hold.
struct Rig<'a> {
    path: &'a Path,
    way: WriteBack,
    store: DynStore,
    record_len: usize,
    checksums: bool,
    model: Vec<Vec<u8>>,
    flushed: Vec<Vec<u8>>,
}

impl<'a> Rig<'a> {
    fn new(path: &'a Path, record_len: u32, way: WriteBack, checksums: bool) -> Self {
        let schema = Schema::packed([Field::new("bytes", DataType::Binary(record_len))]).unwrap();
        let options = DynStore::create_options().write_back(way).checksums(checksums);
        let store = options.create(path, &schema).unwrap();
        let record_len = record_len as usize;
        Self { path, way, store, record_len, checksums, model: Vec::new(), flushed: Vec::new() }
    }

    fn record(&self, n: u16) -> Vec<u8> {
        (0..self.record_len).map(|at| (at as u16 ^ n) as u8).collect()
    }

    fn place(&self, index: &Index) -> Option<usize> {
        (!self.model.is_empty()).then(|| index.index(self.model.len()))
    }

    fn apply(mut self, operation: &Operation) -> Self {
        match operation {
            Operation::Append(n) => {
                let record = self.record(*n);
                let id = self.store.append(&record).unwrap();
                assert_eq!(id, self.model.len() as u64);
                self.model.push(record);
            }
            Operation::AppendMany(n, len) => {
                let records: Vec<Vec<u8>> =
                    (0..*len).map(|at| self.record(n.wrapping_add(at))).collect();
                let ids = self.store.append_packed(&records.concat()).unwrap();
                assert_eq!(ids.end - ids.start, u64::from(*len));
                self.model.extend(records);
            }
            Operation::Reserve(records) => self.store.reserve(u64::from(*records)).unwrap(),
            Operation::Get(index) => {
                if let Some(at) = self.place(index) {
                    assert!(self.store.get(at as u64).unwrap() == self.model[at], "record {at}");
                }
                assert!(self.store.get(self.model.len() as u64).is_none());
            }
            Operation::Truncate(index) => {
                let count = index.index(self.model.len() + 2);
                self.store.truncate(count as u64).unwrap();
                if count < self.flushed.len() {
                    self.flushed = self.model[..count].to_vec();
                }
                self.model.truncate(count);
            }
            Operation::Edit(changes) => self.edit(changes),
            Operation::Flush => {
                self.store.flush().unwrap();
                self.flushed.clone_from(&self.model);
                self.verify(self.path);
            }
            Operation::Reopen(close) => return self.reopen(*close),
            Operation::Private(index, n) => self.private(index, *n),
            Operation::Kill => self.kill(),
        }
        self
    }

    fn edit(&mut self, changes: &[(Index, u16)]) {
        let places: Vec<(usize, Vec<u8>)> = changes
            .iter()
            .filter_map(|(index, n)| Some((self.place(index)?, self.record(*n))))
            .collect();
        let mut edit = self.store.edit().unwrap();
        for (at, record) in &places {
            assert!(edit.try_get(*at as u64).unwrap() == self.model[*at]);
            edit.set(*at as u64, record).unwrap();
            self.model[*at].clone_from(record);
        }
        edit.finish().unwrap();
        self.flushed.clone_from(&self.model);
        self.verify(self.path);
    }

    /// Checks that every flushed block matches its checksum.
    fn verify(&self, path: &Path) {
        let report = verify(path, VerifyOptions::new()).unwrap();
        assert_eq!((report.problems, report.records), (vec![], self.flushed.len() as u64));
        let bytes = self.flushed.len() * self.record_len;
        let blocks = bytes.div_ceil(65_536) as u64;
        let expected =
            if self.checksums { Checksums::Present { blocks } } else { Checksums::Absent };
        assert_eq!(report.checksums, expected);
    }

    fn reopen(self, close: bool) -> Self {
        let Self { path, way, store, record_len, checksums, model, .. } = self;
        if close {
            store.close().unwrap();
        } else {
            drop(store);
        }
        let len = std::fs::metadata(path).unwrap().len();
        assert_eq!(
            len,
            65_536 + (model.len() * record_len) as u64,
            "the closed file has another length"
        );
        assert_eq!(verify(path, VerifyOptions::new()).unwrap().problems, []);
        let store = DynStore::options().write_back(way).open(path).unwrap();
        let flushed = model.clone();
        let rig = Self { path, way, store, record_len, checksums, model, flushed };
        rig.verify(path);
        rig
    }

    /// Changes records through a private handle, which other handles must not see.
    fn private(&mut self, index: &Index, n: u16) {
        let mut private = DynStore::open_private(self.path).unwrap();
        assert_eq!(private.count(), self.flushed.len() as u64);
        if self.flushed.is_empty() {
            return;
        }
        let at = index.index(self.flushed.len());
        let mut edit = private.edit().unwrap();
        edit.set(at as u64, &self.record(n)).unwrap();
        edit.finish().unwrap();
        assert!(private.get(at as u64).unwrap() == self.record(n));
        assert!(self.store.get(at as u64).unwrap() == self.model[at]);
        let error = private.append(&self.record(0)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ReadOnly);
    }

    fn kill(&self) {
        let copy = self.path.with_extension("killed");
        std::fs::copy(self.path, &copy).unwrap();
        let sums = |path: &Path| path.with_file_name(format!("{}-sum", name(path)));
        if self.checksums {
            std::fs::copy(sums(self.path), sums(&copy)).unwrap();
        }
        self.verify(&copy);
        let store = DynStore::open(&copy).unwrap();
        assert_eq!(
            store.count(),
            self.flushed.len() as u64,
            "the copy is not the state of the last flush"
        );
        assert!(store.iter().map(|(_, record)| record).eq(self.flushed.iter().map(Vec::as_slice)));
        store.close().unwrap();
        self.verify(&copy);
        std::fs::remove_file(&copy).unwrap();
    }
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    /// Finds a sequence of calls after which a store differs from a vector.
    #[test]
    fn a_store_agrees_with_a_vector(
        record_len in prop_oneof![Just(1u32), 1u32..200, Just(125), 4090u32..4100],
        way in prop_oneof![
            Just(WriteBack::Auto),
            Just(WriteBack::Mapped),
            Just(if cfg!(unix) { WriteBack::Positioned } else { WriteBack::Auto }),
        ],
        checksums in any::<bool>(),
        operations in prop::collection::vec(operation(), 1..60),
    ) {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("store");
        let mut rig = Rig::new(&path, record_len, way, checksums);
        for operation in &operations {
            rig = rig.apply(operation);
        }
        assert!(rig.store.iter().map(|(_, record)| record).eq(rig.model.iter().map(Vec::as_slice)));
    }
}
