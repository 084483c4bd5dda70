//! The stores: header, log and array, small enough to check every byte after each step; and facts
//! about readers that they do not know of one another.
//!
//! A commit changes one record. Each block in a log is a segment of its own, so that a log is
//! reused as soon as possible. All actors see at once, and in the same order, what an actor does
//! here, even before its earlier stores to shared words: system calls on real machines order more
//! than that.

use std::collections::BTreeMap;

pub(super) const RECORDS: usize = 2;
pub(super) type Array = [u64; RECORDS];

/// A commit in the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) commit: u64,
    pub(super) record: usize,
    pub(super) image: u64,
    /// All records after it.
    pub(super) after: Array,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    /// The array holds all commits up to this one.
    pub(super) commit: u64,
    /// The log that continues from there.
    pub(super) log: usize,
    /// The position from which the log is read: the first commit that the array does not hold, or,
    /// before there is one, the last commit in the array, which the next one follows.
    pub(super) begins: u64,
    /// All records after the commit.
    pub(super) after: Array,
}

/// One store, in its file and its log.
#[derive(Debug)]
pub(super) struct Store {
    pub(super) header: Header,
    pub(super) array: Array,
    logs: Vec<BTreeMap<u64, Block>>,
    /// The part of the newest log that has been reused.
    recycled: u64,
    /// The newest commit that the present writer has published; `None` before it has begun.
    shown: Option<u64>,
    /// The newest commit that is durable.
    synced: u64,
    writer: Option<usize>,
    /// The name under which that writer, or the last one, has opened the store.
    writer_file: usize,
    /// The byte that each reader has locked.
    names: Vec<(usize, u64)>,
    /// Held shared by readers without an entry, and exclusively by a checkpoint.
    keeping_away: Vec<usize>,
    checkpointing: Option<usize>,
}

/// What a reader reads: its own images, and the array for the other records.
#[derive(Clone, Debug)]
pub(super) struct Live {
    pub(super) reader: usize,
    pub(super) store: usize,
    /// The name under which it has opened the store.
    pub(super) file: usize,
    pub(super) commit: u64,
    pub(super) overlay: BTreeMap<usize, (u64, u64)>,
    pub(super) after: Array,
}

/// A log that a reader may read and reads.
#[derive(Debug)]
struct Reading {
    reader: usize,
    store: usize,
    log: usize,
    from: u64,
}

#[derive(Debug, Default)]
pub(super) struct Disk {
    pub(super) stores: Vec<Store>,
    /// The store that has the name.
    pub(super) named: usize,
    /// Whether a writer waits under each name that is not the present writer's.
    pub(super) others_wait: bool,
    /// Whether bytes of the data file can be locked.
    pub(super) locks_bytes: bool,
    names: u64,
    images: u64,
    live: Vec<(u64, Live)>,
    lives: u64,
    reading: Vec<Reading>,
    fault: Option<String>,
}

impl Store {
    /// The newest commit in its log.
    pub(super) fn end(&self) -> u64 {
        let log = &self.logs[self.header.log];
        log.keys().next_back().map_or(self.header.commit, |&last| last.max(self.header.commit))
    }

    fn newest(&self) -> Array {
        let end = self.end();
        self.logs[self.header.log].get(&end).map_or(self.header.after, |block| block.after)
    }

    pub(super) fn block(&self, log: usize, commit: u64) -> Option<Block> {
        self.logs[log].get(&commit).copied()
    }

    pub(super) fn sync(&mut self) {
        self.synced = self.end();
    }

    /// An error of the device: unsynced commits are lost.
    fn lose_unsynced(&mut self) {
        let kept = self.synced.max(self.header.commit);
        self.logs[self.header.log].retain(|&commit, _| commit <= kept);
    }

    /// Writes the log again, elsewhere, as each opener of the store does first.
    fn copy_log(&mut self) {
        let copy: BTreeMap<u64, Block> = self.logs[self.header.log]
            .iter()
            .filter(|&(&commit, _)| commit > self.header.commit)
            .map(|(&commit, &block)| (commit, block))
            .collect();
        self.logs.push(copy);
        self.header.log = self.logs.len() - 1;
        self.header.begins = self.header.commit + 1;
        self.recycled = self.header.commit;
        self.sync();
    }
}

impl Disk {
    pub(super) fn new(stores: usize) -> Self {
        let store = || Store {
            header: Header { commit: 0, log: 0, begins: 1, after: [0; RECORDS] },
            array: [0; RECORDS],
            logs: vec![BTreeMap::new()],
            recycled: 0,
            shown: None,
            synced: 0,
            writer: None,
            writer_file: 0,
            names: Vec::new(),
            keeping_away: Vec::new(),
            checkpointing: None,
        };
        Self { stores: (0..stores).map(|_| store()).collect(), ..Self::default() }
    }

    /// The fault, if one was found.
    pub(super) fn fault(&mut self) -> Option<String> {
        self.fault.take()
    }

    fn blame(&mut self, what: String) {
        self.fault.get_or_insert(what);
    }

    /// Releases the locks of a dead actor, and ends its reads.
    pub(super) fn forget(&mut self, actor: usize) {
        for store in &mut self.stores {
            if store.writer == Some(actor) {
                (store.writer, store.shown) = (None, None);
            }
            store.checkpointing = store.checkpointing.filter(|&writer| writer != actor);
            store.keeping_away.retain(|&reader| reader != actor);
            store.names.retain(|&(reader, _)| reader != actor);
        }
        self.live.retain(|(_, live)| live.reader != actor);
        self.reading.retain(|reading| reading.reader != actor);
    }

    /// Whether the writer's place is taken under this name, also by a writer that waits for the
    /// other name.
    pub(super) fn has_writer(&self, store: usize, file: usize) -> bool {
        let Store { writer, writer_file, .. } = self.stores[store];
        writer.is_some() && (writer_file == file || self.others_wait)
    }

    /// Takes the writer's place.
    pub(super) fn lock_writer(&mut self, store: usize, actor: usize, file: usize) {
        (self.stores[store].writer, self.stores[store].writer_file) = (Some(actor), file);
    }

    /// Locks a byte of a reader's own, if bytes can be locked.
    pub(super) fn lock_name(&mut self, store: usize, reader: usize) -> Option<u64> {
        self.names += 1;
        let name = self.locks_bytes.then_some(self.names)?;
        self.stores[store].names.push((reader, name));
        Some(name)
    }

    pub(super) fn has_other_names(&self, store: usize, names: &[u64]) -> bool {
        self.stores[store].names.iter().any(|(_, name)| !names.contains(name))
    }

    /// Whether a writer under another name is writing to the array.
    pub(super) fn is_checkpoint_elsewhere(&self, store: usize, file: usize) -> bool {
        let Store { checkpointing, writer_file, .. } = self.stores[store];
        checkpointing.is_some() && writer_file != file
    }

    /// Finds what the previous writer has left, and writes its log again.
    pub(super) fn recover(&mut self, store: usize, loses: bool) {
        if loses {
            self.stores[store].lose_unsynced();
        }
        self.stores[store].copy_log();
    }

    /// Removes the logs that the header does not name.
    pub(super) fn remove_old_logs(&mut self, store: usize) {
        let store = &mut self.stores[store];
        store.logs[..store.header.log].iter_mut().for_each(BTreeMap::clear);
    }

    /// Writes a commit to the log.
    pub(super) fn append(&mut self, store: usize) -> u64 {
        self.images += 1;
        let image = self.images;
        let store = &mut self.stores[store];
        let commit = store.end() + 1;
        // By the image and not by the commit: a commit with the number of a lost one changes
        // another record.
        let record = if image % 2 == 0 { 1 } else { 0 };
        let mut after = store.newest();
        after[record] = image;
        store.logs[store.header.log].insert(commit, Block { commit, record, image, after });
        commit
    }

    /// Reuses the log, up to this commit.
    pub(super) fn recycle(&mut self, store: usize, through: u64) {
        let log = self.stores[store].header.log;
        let read = |reading: &&Reading| {
            (reading.store, reading.log) == (store, log) && reading.from <= through
        };
        if let Some(reading) = self.reading.iter().find(read) {
            let &Reading { reader, from, .. } = reading;
            self.blame(format!(
                "the log up to commit {through} is reused, and reader {reader} reads it from \
                 commit {from} on"
            ));
        }
        let in_array = self.stores[store].header.commit;
        if through > in_array {
            self.blame(format!(
                "the log up to commit {through} is reused, and the array holds {in_array}"
            ));
        }
        let store = &mut self.stores[store];
        store.recycled = store.recycled.max(through);
        store.logs[log].retain(|&commit, _| commit > through);
    }

    /// Writes an image to its place in the array.
    pub(super) fn write(&mut self, store: usize, record: usize, image: u64) {
        self.stores[store].array[record] = image;
        self.check_live();
    }

    pub(super) fn try_checkpoint(&mut self, store: usize, actor: usize) -> bool {
        let store = &mut self.stores[store];
        let is_free = store.keeping_away.is_empty();
        if is_free {
            store.checkpointing = Some(actor);
        }
        is_free
    }

    pub(super) fn end_checkpoint(&mut self, store: usize) {
        self.stores[store].checkpointing = None;
    }

    pub(super) fn try_keep_away(&mut self, store: usize, actor: usize) -> bool {
        let store = &mut self.stores[store];
        let is_free = store.checkpointing.is_none();
        if is_free {
            store.keeping_away.push(actor);
        }
        is_free
    }

    pub(super) fn let_go_on(&mut self, store: usize, actor: usize) {
        self.stores[store].keeping_away.retain(|&reader| reader != actor);
    }

    /// A reader may read the log now.
    pub(super) fn read_log(&mut self, reader: usize, store: usize, log: usize, from: u64) {
        let Store { header, recycled, .. } = &self.stores[store];
        if header.log == log && from <= *recycled {
            let what = format!(
                "reader {reader} may read the log from commit {from} on, and it was reused up \
                 to {recycled}"
            );
            self.blame(what);
        }
        self.reading.push(Reading { reader, store, log, from });
    }

    /// The writer publishes a commit.
    pub(super) fn show(&mut self, store: usize, commit: u64) {
        self.stores[store].shown = Some(commit);
    }

    pub(super) fn end_log(&mut self, reader: usize) {
        self.reading.retain(|reading| reading.reader != reader);
    }

    /// A reader may read a state now, and does.
    pub(super) fn begin(&mut self, live: Live) -> u64 {
        // Under another name the log is read to its end, whatever is published.
        let Store { shown, writer_file, .. } = self.stores[live.store];
        if writer_file == live.file && shown.is_some_and(|shown| live.commit > shown) {
            let Live { reader, commit, .. } = live;
            self.blame(format!("reader {reader} sees commit {commit}, but it was not published"));
        }
        self.lives += 1;
        self.live.push((self.lives, live));
        self.check_live();
        self.lives
    }

    /// A reader drops images, because the array holds them.
    pub(super) fn thin(&mut self, number: u64, held: u64) {
        for (_, live) in self.live.iter_mut().filter(|(other, _)| *other == number) {
            live.overlay.retain(|_, (commit, _)| *commit > held);
        }
        self.check_live();
    }

    pub(super) fn end(&mut self, number: u64) {
        self.live.retain(|&(other, _)| other != number);
    }

    /// Checks that every byte in use by readers is as it was in their commits.
    fn check_live(&mut self) {
        let seen = |live: &Live, record: usize| {
            live.overlay.get(&record).map_or(self.stores[live.store].array[record], |&(_, it)| it)
        };
        let differs = |live: &&(u64, Live)| {
            (0..RECORDS).any(|record| seen(&live.1, record) != live.1.after[record])
        };
        let Some((_, live)) = self.live.iter().find(differs) else { return };
        let found: Vec<u64> = (0..RECORDS).map(|record| seen(live, record)).collect();
        let Live { reader, commit, after, .. } = live;
        let what = format!("reader {reader} of commit {commit} finds {found:?} for {after:?}");
        self.blame(what);
    }

    pub(super) fn check_published(&self, commit: u64) -> Result<(), String> {
        let end = self.stores[self.named].end();
        if commit <= end {
            return Ok(());
        }
        Err(format!("commit {commit} is published, but the log ends with {end}"))
    }
}
