//! The events of the feature `tracing`: each one in the tables of docs/OBSERVABILITY.md happens,
//! with the fields and the level that the tables say, and no other event happens.

#![cfg(all(feature = "tracing", feature = "derive"))]
#![allow(unsafe_code, reason = "opening over the caller's backing is unsafe")]

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flatrec::map::{Backing, FileBacking};
use flatrec::{Database, Durability, Error, ErrorKind, Result, Store, Wait};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Level, Metadata, Subscriber};

use crate::support::hooked::{Call, Hooked, Then};
use crate::support::numbered::{N, add, try_add};
use crate::support::script::ends_within;

const DOCUMENT: &str = include_str!("../../docs/OBSERVABILITY.md");

/// An event or a span that began: its name, and its fields as text.
#[derive(Clone, Debug)]
struct Told {
    name: &'static str,
    level: Level,
    fields: BTreeMap<&'static str, String>,
    /// The innermost span at that moment.
    within: Option<&'static str>,
}

impl Told {
    fn field(&self, name: &str) -> &str {
        self.fields.get(name).unwrap_or_else(|| panic!("no field {name}: {self:?}"))
    }

    fn number(&self, name: &str) -> u64 {
        self.field(name).parse().unwrap_or_else(|_| panic!("{name} is no number: {self:?}"))
    }
}

impl Visit for Told {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.fields.insert(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name(), value.to_owned());
    }
}

/// Keeps what the thread tells. Asks the database for its facts in each event, as a subscriber may.
#[derive(Clone, Default)]
struct Ear(Arc<Heard>);

#[derive(Default)]
struct Heard {
    told: Mutex<Vec<Told>>,
    spans: Mutex<Vec<(u64, &'static str)>>,
    entered: Mutex<Vec<u64>>,
    next: AtomicU64,
    asks: Mutex<Option<Arc<Database<N>>>>,
}

impl Ear {
    /// Does some work, and returns what it told.
    fn hear(&self, work: impl FnOnce()) -> Vec<Told> {
        self.0.told.lock().unwrap().clear();
        tracing::subscriber::with_default(self.clone(), work);
        let told = self.0.told.lock().unwrap().clone();
        for told in &told {
            check_table(told);
        }
        told
    }

    fn note(&self, metadata: &Metadata<'static>) -> Told {
        let entered = self.0.entered.lock().unwrap().last().copied();
        let spans = self.0.spans.lock().unwrap();
        let within = entered.and_then(|id| spans.iter().find(|span| span.0 == id));
        Told {
            name: metadata.name(),
            level: *metadata.level(),
            fields: BTreeMap::new(),
            within: within.map(|span| span.1),
        }
    }
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "flatrec"
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.0.next.fetch_add(1, Relaxed) + 1;
        let mut told = self.note(span.metadata());
        span.record(&mut told);
        self.0.spans.lock().unwrap().push((id, told.name));
        self.0.told.lock().unwrap().push(told);
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut told = self.note(event.metadata());
        event.record(&mut told);
        self.0.told.lock().unwrap().push(told);
        // A deadlock here would be an event under a lock of the engine's.
        if let Some(database) = &*self.0.asks.lock().unwrap() {
            database.info().unwrap();
            database.begin_read().unwrap();
        }
    }

    fn enter(&self, span: &Id) {
        self.0.entered.lock().unwrap().push(span.into_u64());
    }

    fn exit(&self, span: &Id) {
        assert_eq!(self.0.entered.lock().unwrap().pop(), Some(span.into_u64()));
    }
}

/// What the document says of an event or a span.
#[derive(Debug)]
struct Row {
    level: &'static str,
    is_span: bool,
    /// Its fields, and whether each may be missing.
    fields: BTreeMap<&'static str, bool>,
}

/// The tables of the document: the levels of events, those of spans, and the fields of all.
fn table() -> BTreeMap<&'static str, Row> {
    let mut rows = BTreeMap::<_, Row>::new();
    let (mut head, mut last) = ("", "");
    for line in DOCUMENT.lines() {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, name, second, .., _] = cells[..] else { continue };
        let name = name.trim_matches('`');
        match (name, head) {
            ("event" | "span" | "event or span", _) => head = name,
            (_, "event" | "span") if cells.len() == 5 && !name.starts_with('-') => {
                let fields = BTreeMap::from([("path", true)]);
                rows.insert(name, Row { level: second, is_span: head == "span", fields });
            }
            (_, "event or span") if !name.starts_with('-') => {
                last = if name.is_empty() { last } else { name };
                let fields = second.split(',').map(str::trim).filter(|field| !field.is_empty());
                rows.get_mut(last).unwrap().fields.extend(fields.map(|field| {
                    (field.trim_end_matches('?').trim_matches('`'), field.ends_with('?'))
                }));
            }
            _ => {}
        }
    }
    rows
}

/// Fails if the table does not describe what was told.
fn check_table(told: &Told) {
    let table = table();
    let Some(Row { level, is_span, fields }) = table.get(told.name) else {
        panic!("the document does not have this: {told:?}");
    };
    assert_eq!(told.level.to_string().to_lowercase(), *level, "{told:?}");
    assert_eq!(told.fields.contains_key("message"), !is_span, "{told:?}");
    for name in told.fields.keys().filter(|name| **name != "message") {
        assert!(fields.contains_key(name), "the document lacks the field {name} of {told:?}");
    }
    for (name, may_lack) in fields {
        assert!(*may_lack || told.fields.contains_key(name), "no {name} in {told:?}");
    }
}

/// The only event, or span, of this name.
fn one<'t>(told: &'t [Told], name: &str) -> &'t Told {
    let mut found = told.iter().filter(|told| told.name == name);
    let first = found.next().unwrap_or_else(|| panic!("no {name} in {told:#?}"));
    assert!(found.next().is_none(), "more than one {name} in {told:#?}");
    first
}

fn names(told: &[Told]) -> Vec<&'static str> {
    told.iter().map(|told| told.name).collect()
}

fn create(directory: &Path) -> (std::path::PathBuf, Arc<Database<N>>) {
    let path = directory.join("n.rec");
    let database = Arc::new(Database::<N>::create(&path).unwrap());
    (path, database)
}

/// A database over a file that asks the hook, in a new directory.
fn over_hook<H>(path: &Path, checkpoint_at_bytes: u64, hook: H) -> Database<N>
where
    H: Fn(&str, Call<'_>) -> Result<Then> + Send + Sync + 'static,
{
    Store::<N>::create(path).unwrap().close().unwrap();
    // SAFETY: only this test has the file.
    let file = Arc::new(unsafe { FileBacking::open_unchecked(path, true) }.unwrap());
    let hook = move |_: &Arc<dyn Backing>, suffix: &str, call: Call<'_>| hook(suffix, call);
    let options = Database::<N>::options().checkpoint_at(checkpoint_at_bytes);
    // SAFETY: only this test has the file.
    unsafe { options.over(Arc::new(Hooked::over(file, hook))) }.unwrap()
}

fn eio() -> Error {
    io::Error::from_raw_os_error(5).into()
}

/// Finds an event that the document's table has and these tests do not provoke, or a table that
/// this file does not read.
#[test]
fn the_table_is_complete() {
    let table = table();
    let here = include_str!("trace_events.rs");
    for name in table.keys() {
        assert!(here.contains(&format!("\"{name}\"")), "no test provokes {name}");
    }
    assert_eq!(table.len(), 12, "{table:?}");
}

/// Finds an event in the paths that programs take a million times.
#[test]
fn reads_appends_and_commits_tell_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (_, database) = create(directory.path());
    add(&database, 0);
    let told = Ear::default().hear(|| {
        for n in 0..50 {
            add(&database, n);
        }
        let snapshot = database.begin_read().unwrap();
        assert_eq!(snapshot.get(7).unwrap().n, 6);
        assert_eq!(snapshot.iter().count(), 51);
        drop(database.begin_write().unwrap());
    });
    assert_eq!(names(&told), [""; 0]);
}

/// Finds a recovery that tells wrong numbers.
#[test]
fn a_recovery_tells_what_it_found() {
    let directory = tempfile::tempdir().unwrap();
    let (path, database) = create(directory.path());
    for n in 0..5 {
        add(&database, n);
    }
    let log_len_bytes = database.info().unwrap().log.unwrap().len_bytes;
    // As a process that is killed leaves it.
    std::fs::copy(&path, directory.path().join("dead.rec")).unwrap();
    let dead = directory.path().join("dead.rec");
    std::fs::copy(directory.path().join("n.rec-wal-1"), directory.path().join("dead.rec-wal-1"))
        .unwrap();
    let ear = Ear::default();
    let told = ear.hear(|| Database::<N>::open(&dead).unwrap().close().unwrap());
    let span = one(&told, "recovery");
    assert_eq!(span.field("path"), dead.to_str().unwrap());
    let found = one(&told, "recovered");
    assert_eq!(found.within, Some("recovery"));
    assert_eq!((found.number("commits"), found.number("commit")), (5, 5));
    assert_eq!((found.number("log_len_bytes"), found.number("records")), (log_len_bytes, 0));
    // The close then made a checkpoint of the five.
    assert_eq!(one(&told, "checkpointed").number("commits"), 5);

    std::fs::copy(&path, &dead).unwrap();
    std::fs::copy(directory.path().join("n.rec-wal-1"), directory.path().join("dead.rec-wal-1"))
        .unwrap();
    let told = ear.hear(|| drop(Store::<N>::open(&dead).unwrap()));
    assert_eq!(one(&told, "recovered").number("records"), 5, "a store ends the log");
    let told = ear.hear(|| drop(Store::<N>::open(&dead).unwrap()));
    assert_eq!(names(&told), ["recovery"], "nothing was found");
}

/// Finds a checkpoint that tells wrong numbers, and events under a lock of the engine's.
#[test]
fn a_checkpoint_tells_what_it_copied() {
    ends_within(Duration::from_secs(60), tell_of_a_checkpoint);
}

fn tell_of_a_checkpoint() {
    let directory = tempfile::tempdir().unwrap();
    let (path, database) = create(directory.path());
    for n in 0..3 {
        add(&database, n);
    }
    let ear = Ear::default();
    *ear.0.asks.lock().unwrap() = Some(Arc::clone(&database));
    let told = ear.hear(|| drop(database.checkpoint().unwrap()));
    let spans: Vec<_> = told.iter().filter(|told| told.within.is_none()).collect();
    assert_eq!((spans.len(), spans[0].name, spans[0].field("reason")), (1, "checkpoint", "due"));
    let made = one(&told, "checkpointed");
    assert_eq!((made.within, made.field("path")), (Some("checkpoint"), path.to_str().unwrap()));
    let numbers = ["commits", "records", "len_bytes", "commit", "log_len_bytes"];
    assert_eq!(numbers.map(|name| made.number(name)), [3, 3, 24, 3, 0]);
    let longest = database.info().unwrap().checkpoints.unwrap().longest;
    assert!(made.number("took_us") > 0 && longest > Duration::ZERO);
    let told = ear.hear(|| drop(database.checkpoint().unwrap()));
    assert_eq!(one(&told, "checkpoint").field("reason"), "due");
    assert_eq!(told.len(), 1, "there was nothing to copy: {told:?}");
    *ear.0.asks.lock().unwrap() = None;
}

/// Finds a held-back checkpoint that does not name the reader.
#[test]
fn a_checkpoint_held_back_names_the_reader() {
    let directory = tempfile::tempdir().unwrap();
    let (path, database) = create(directory.path());
    let own = u64::from(std::process::id());
    add(&database, 0);
    let ear = Ear::default();
    let check = |words: &str| {
        let told = ear.hear(|| drop(database.checkpoint().unwrap()));
        let held = one(&told, "checkpoint_held_back").clone();
        assert!(held.field("held_by").contains(words), "{held:?}");
        assert_eq!(held.number("newest"), database.commit_id().get());
        let len_bytes = database.info().unwrap().log.unwrap().len_bytes;
        assert!(len_bytes > 0);
        assert_eq!(held.number("log_len_bytes"), len_bytes);
        held
    };
    let snapshot = database.begin_read().unwrap();
    add(&database, 1);
    let held = check("a snapshot of commit 1 is being read");
    assert_eq!((held.number("process"), held.number("held_commit")), (own, 1));
    assert_eq!((held.number("commit"), held.within), (1, Some("checkpoint")));
    drop(snapshot);

    let reader = Database::<N>::open_read_only(&path).unwrap();
    let snapshot = reader.begin_read().unwrap();
    add(&database, 2);
    let held = check(&format!("a reader in process {own} has read commit 2"));
    assert_eq!((held.number("process"), held.number("held_commit")), (own, 2));
    assert!(held.number("held_for_s") < 1_000_000);
    drop(snapshot);
    let told = ear.hear(|| drop(database.checkpoint().unwrap()));
    assert_eq!(names(&told), ["checkpoint", "checkpointed"]);
}

/// Finds a log that grows without a word.
#[test]
fn a_growing_log_and_a_growing_file_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    let options = Database::<N>::create_options().checkpoint_at(64 << 10);
    let database = options.create(&path).unwrap();
    let ear = Ear::default();
    let fill = |records: u64| {
        let mut transaction = database.begin_write().unwrap();
        transaction.append_all((0..records).map(|n| N { n })).unwrap();
        transaction.commit(Durability::Immediate).unwrap();
    };
    let told = ear.hear(|| fill(3000)); // a frame of 48 KB, in a segment of 64 KiB
    let grown = one(&told, "file_grew");
    assert_eq!(grown.number("from_bytes"), 65_536);
    assert_eq!(grown.number("to_bytes"), std::fs::metadata(&path).unwrap().len());
    assert_eq!(told.len(), 1, "{told:?}");

    let snapshot = database.begin_read().unwrap();
    let told = ear.hear(|| fill(3000));
    let next = one(&told, "log_segment");
    assert_eq!((next.field("suffix"), next.number("first_commit")), ("-wal-2", 2));
    let segment = directory.path().join("n.rec-wal-2");
    assert_eq!(next.number("len_bytes"), std::fs::metadata(segment).unwrap().len());

    let told = ear.hear(|| (0..4).for_each(|_| fill(3000)));
    let long: Vec<_> = told.iter().filter(|told| told.name == "log_is_long").collect();
    assert!(!long.is_empty(), "{told:?}");
    for long in &long {
        let (len, at) = (long.number("len_bytes"), long.number("checkpoint_at_bytes"));
        assert_eq!((at, long.number("times")), (64 << 10, len / at));
        assert!(long.number("times") >= 2);
    }
    drop(snapshot);
    database.checkpoint().unwrap();
    let told = ear.hear(|| fill(3000));
    assert!(!names(&told).contains(&"log_is_long"), "{told:?}");
}

/// Finds a wait for a lock that does not say what has it.
#[test]
fn waits_for_locks_are_told() {
    let directory = tempfile::tempdir().unwrap();
    let (path, database) = create(directory.path());
    let ear = Ear::default();
    let limit = Duration::from_millis(30);
    let options = Database::<N>::options().wait(Wait::AtMost(limit));
    let told = ear.hear(|| {
        assert_eq!(options.open(&path).unwrap_err().kind(), ErrorKind::Locked);
    });
    let wait = one(&told, "lock_wait");
    assert_eq!(wait.field("held_by"), "another handle has the store open to write");
    assert_eq!(wait.number("process"), u64::from(std::process::id()));
    assert_eq!((wait.field("locked"), wait.field("path")), ("false", path.to_str().unwrap()));
    assert!(wait.number("waited_us") >= 30_000, "{wait:?}");
    if cfg!(unix) {
        let told = ear.hear(|| drop(Database::<N>::open(&path).unwrap_err()));
        assert_eq!(names(&told), [""; 0], "nothing was waited for");
    }

    let mut owned = database.begin_write_owned().unwrap();
    owned.append(&N { n: 1 }).unwrap();
    let long = Duration::from_millis(150);
    let told = ear.hear(|| {
        assert!(database.begin_write_timeout(Duration::from_millis(1)).is_err());
        assert!(database.begin_write_timeout(long).is_err());
    });
    let wait = one(&told, "transaction_wait");
    assert_eq!((wait.field("held_by"), wait.field("begun")), ("an owned transaction", "false"));
    assert!(wait.number("waited_us") >= 100_000, "{wait:?}");
}

/// Finds a failed checkpoint, or a poisoned handle, that is not told, or is told twice.
#[test]
fn failures_are_told() {
    type Fails = fn(&str, &Call<'_>) -> bool;
    let cases: [(&str, Fails, bool); 4] = [
        (
            "the sync of the array",
            |suffix, call| suffix.is_empty() && call.name() == "sync data",
            true,
        ),
        (
            "the sync of the log",
            |suffix, call| !suffix.is_empty() && call.name() == "sync data",
            false,
        ),
        (
            "the write of the log",
            |suffix, call| suffix == "-wal-1" && call.name() == "write",
            false,
        ),
        (
            "the write of the array",
            |suffix, call| suffix.is_empty() && ["write", "flush view"].contains(&call.name()),
            true,
        ),
    ];
    for (what, fails, in_checkpoint) in cases {
        let directory = tempfile::tempdir().unwrap();
        let broken = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&broken);
        let path = directory.path().join("n.rec");
        let database = over_hook(&path, 64 << 20, move |suffix, call| {
            if asked.load(Relaxed) && fails(suffix, &call) { Err(eio()) } else { Ok(Then::Forward) }
        });
        add(&database, 1);
        broken.store(true, Relaxed);
        let told = Ear::default().hear(|| {
            if in_checkpoint {
                assert!(database.checkpoint().is_err(), "{what}");
            } else {
                assert!(try_add(&database, 2).is_err(), "{what}");
            }
            assert_eq!(try_add(&database, 2).unwrap_err().kind(), ErrorKind::Poisoned, "{what}");
        });
        let poisoned = one(&told, "poisoned");
        assert!(poisoned.field("error").contains("Input/output error"), "{what}: {poisoned:?}");
        assert!(poisoned.field("path").starts_with(path.to_str().unwrap()), "{what}: {poisoned:?}");
        if in_checkpoint {
            let failed = one(&told, "checkpoint_failed");
            assert_eq!(failed.field("error"), database.checkpoint_failure().unwrap(), "{what}");
        } else {
            assert_eq!(told.len(), 1, "{what}: {told:?}");
        }
    }
}

/// Finds a checkpoint that fails after a commit and is not told, though the commit has succeeded.
#[test]
fn a_checkpoint_that_fails_after_a_commit_is_told() {
    let directory = tempfile::tempdir().unwrap();
    let database = over_hook(&directory.path().join("n.rec"), 1, |suffix, call| {
        let is_record = match call {
            Call::Write { offset, .. } => offset >= 65_536,
            call => call.name() == "flush view",
        };
        match suffix.is_empty() && is_record {
            true => Err(io::Error::from(io::ErrorKind::StorageFull).into()),
            false => Ok(Then::Forward),
        }
    });
    let told = Ear::default().hear(|| add(&database, 1));
    let failed = one(&told, "checkpoint_failed");
    assert_eq!(failed.within, Some("checkpoint"));
    assert!(failed.field("error").contains("no space left"), "{failed:?}");
}

/// Finds a failed flush of a store that is not told.
#[test]
fn a_store_that_cannot_flush_is_poisoned_and_says_so() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("n.rec");
    Store::<N>::create(&path).unwrap().close().unwrap();
    // SAFETY: only this test has the file.
    let file = Arc::new(unsafe { FileBacking::open_unchecked(&path, true) }.unwrap());
    let hook = |_: &Arc<dyn Backing>, _: &str, call: Call<'_>| match call.syncs() {
        true => Err(eio()),
        false => Ok(Then::Forward),
    };
    // SAFETY: only this test has the file.
    let store = unsafe { Store::<N>::options().over(Arc::new(Hooked::over(file, hook))) };
    let mut store = store.unwrap();
    store.append(&N { n: 1 }).unwrap();
    let told = Ear::default().hear(|| {
        assert!(store.flush().is_err());
        assert_eq!(store.flush().unwrap_err().kind(), ErrorKind::Poisoned);
    });
    assert_eq!(one(&told, "poisoned").field("path"), path.to_str().unwrap());
}
