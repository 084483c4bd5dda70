//! A simulated disk: some files in a directory, behind [`Backing`].
//!
//! Calls that change something are counted. One of them may be chosen to be struck: by a power cut
//! or a kill, after which every call of the existing handles fails, or by an error of its own,
//! after which the others succeed. A struck write has written a part; a struck sync has made a part
//! durable. At any time the system may write some dirty sectors by itself.

mod room;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::directory::{Directory, Number};
use super::inode::{Inode, SECTOR_BYTES};
use super::random::Random;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Access, Backing, Grown, OpenSide, Properties, View, sealed};
use crate::number::in_memory;
use crate::os::FileSystemKind;

/// The directory of simulated files in error messages; it does not exist.
const PLACE: &str = "simulated-disk";

/// The end of the two header slots in a data file.
const HEADER_END: u64 = 8192;

/// The system writes something by itself once in so many calls.
const WRITE_BACK_ODDS: u64 = 12;

/// The fate of a chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The power goes. Each unsynced change has reached the disk or has not.
    PowerCut,
    /// The process is killed. Its writes stay in the system's cache.
    Kill,
    /// Only the call fails.
    Error,
}

/// The disk. Clones are the same one.
#[derive(Clone)]
pub(super) struct Disk(Arc<Shared>);

struct Shared {
    properties: Properties,
    state: Mutex<State>,
}

struct State {
    files: BTreeMap<Number, Inode>,
    directory: Directory,
    next_number: Number,
    random: Random,
    calls: u64,
    /// The fault that strikes, and the number of calls before it.
    chosen: Option<(u64, Fault)>,
    /// Whether writes count among those calls. Without them each sync, new name and removal is
    /// equally likely to be struck, whatever the number of writes between.
    writes_count: bool,
    struck: Option<Fault>,
    strikes: u64,
    is_full: bool,
    refusals: u64,
    /// Whether a sync has failed, so that bytes that are read may be only in the cache.
    cache_in_doubt: bool,
    /// The generation of live handles: those opened since the last cut or kill.
    life: u64,
    down: bool,
    trace: Option<Vec<String>>,
}

impl Disk {
    /// An empty disk; all its random choices follow from `random`.
    pub(super) fn new(random: &mut Random, traced: bool) -> Self {
        // Stores edit through views on some file systems, and by calls on others.
        let name = if random.coin() { "ext2/3/4" } else { "simulated" };
        // On some systems calls see the contents of views; on others (Windows) records are written
        // through views only.
        let calls_see_views = !random.one_in(4) && crate::os::FILE_CALLS_SEE_VIEWS;
        let properties = Properties {
            calls_see_views,
            file_system: FileSystemKind::Local(name.into()),
            ..scratch_properties()
        };
        let state = State {
            files: BTreeMap::new(),
            directory: Directory::default(),
            next_number: 0,
            random: random.fork(),
            calls: 0,
            chosen: None,
            writes_count: true,
            struck: None,
            strikes: 0,
            is_full: false,
            refusals: 0,
            cache_in_doubt: false,
            life: 0,
            down: false,
            trace: traced.then(Vec::new),
        };
        Self(Arc::new(Shared { properties, state: Mutex::new(state) }))
    }

    /// Makes an empty file with a durable name, on a disk without other files.
    pub(super) fn create(&self, name: &str) -> Result<()> {
        let mut state = self.state();
        state.directory = Directory::default();
        let number = state.add(Inode::new(Vec::new())?);
        state.directory.add(name, number);
        state.directory.sync();
        Ok(())
    }

    /// Whether calls see the contents of views.
    pub(super) fn calls_see_views(&self) -> bool {
        self.0.properties.calls_see_views
    }

    /// Opens a file.
    pub(super) fn open(&self, name: &str) -> Option<Arc<dyn Backing>> {
        let state = self.state();
        let number = state.directory.get(name)?;
        Some(self.handle(&state, number, name))
    }

    /// The names of all files.
    pub(super) fn names(&self) -> Vec<String> {
        self.state().directory.names().cloned().collect()
    }

    /// Lets `fault` strike the call after so many others; writes count among them or not.
    pub(super) fn strike_after(&self, calls: u64, writes_count: bool, fault: Fault) {
        let mut state = self.state();
        state.chosen = Some((calls, fault));
        state.writes_count = writes_count;
    }

    /// The fault that has struck since the disk came up.
    pub(super) fn struck(&self) -> Option<Fault> {
        self.state().struck
    }

    /// The number of struck calls so far.
    pub(super) fn strikes(&self) -> u64 {
        self.state().strikes
    }

    /// Whether a sync has failed since the last call of this: then the content of the cache may be
    /// lost, as after a power cut.
    pub(super) fn take_cache_in_doubt(&self) -> bool {
        std::mem::take(&mut self.state().cache_in_doubt)
    }

    /// The number of calls that change something.
    pub(super) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Ends all handles: their calls fail from now on.
    pub(super) fn bring_down(&self) {
        self.state().down = true;
    }

    /// The power is back: the disk has what survived.
    pub(super) fn reboot(&self) -> Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.note(|| "-- the power is back --".into());
        state.directory.cut(&mut state.random);
        let reachable = state.directory.files();
        state.files.retain(|number, _| reachable.contains(number));
        for inode in state.files.values_mut() {
            *inode = Inode::new(inode.cut(&mut state.random)?)?;
        }
        state.come_up();
        Ok(())
    }

    /// Another process starts after the kill: the same disk with the same cache, except what the
    /// cache has lost.
    pub(super) fn restart(&self) -> Result<()> {
        let mut guard = self.state();
        let state = &mut *guard;
        state.note(|| "-- another process --".into());
        let reachable = state.directory.files();
        state.files.retain(|number, _| reachable.contains(number));
        for inode in state.files.values_mut() {
            inode.evict(&mut state.random)?;
        }
        state.come_up();
        Ok(())
    }

    /// Adds a line to the trace, if one is kept.
    pub(super) fn note(&self, line: impl FnOnce() -> String) {
        self.state().note(line);
    }

    /// The trace, if one was kept.
    pub(super) fn take_trace(&self) -> Vec<String> {
        self.state().trace.take().unwrap_or_default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn handle(&self, state: &State, number: Number, name: &str) -> Arc<dyn Backing> {
        let memory = Arc::clone(state.files[&number].memory());
        let name = Mutex::new(name.to_owned());
        Arc::new(SimFile { disk: self.clone(), number, name, memory, life: state.life })
    }
}

impl State {
    fn add(&mut self, inode: Inode) -> Number {
        self.next_number += 1;
        self.files.insert(self.next_number, inode);
        self.next_number
    }

    fn come_up(&mut self) {
        self.life += 1;
        self.down = false;
        self.chosen = None;
        self.struck = None;
    }

    fn note(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    /// Counts a call, and returns the fault that strikes it.
    fn count(&mut self, is_write: bool) -> Option<Fault> {
        self.calls += 1;
        if is_write && !self.writes_count {
            return None;
        }
        match &mut self.chosen {
            Some((before @ 1.., _)) => {
                *before -= 1;
                None
            }
            chosen => chosen.take().map(|(_, fault)| fault),
        }
    }

    /// The system writes something by itself.
    fn write_back(&mut self) -> Result<()> {
        let Self { files, directory, random, .. } = self;
        if random.one_in(4) {
            directory.write_back(random);
            return Ok(());
        }
        let chosen = random.index(files.len());
        match files.values_mut().nth(chosen) {
            Some(inode) => inode.write_back(random),
            None => Ok(()),
        }
    }
}

fn scratch_properties() -> Properties {
    Properties {
        calls_see_views: crate::os::FILE_CALLS_SEE_VIEWS,
        views_pass_end: crate::os::VIEWS_MAY_PASS_END,
        resizable: true,
        file_system: FileSystemKind::Memory("simulated".into()),
    }
}

/// An open file of the simulated disk.
struct SimFile {
    disk: Disk,
    number: Number,
    name: Mutex<String>,
    memory: Arc<crate::io::FileBacking>,
    life: u64,
}

/// A running call: the fault that strikes it, and its disk.
struct Call<'a> {
    state: MutexGuard<'a, State>,
    number: Number,
    fault: Option<Fault>,
}

impl Call<'_> {
    fn inode(&mut self) -> Result<(&mut Inode, &mut Random)> {
        let State { files, random, .. } = &mut *self.state;
        // A file stays as long as the handles that can reach it live.
        let inode = files.get_mut(&self.number).ok_or_else(gone)?;
        Ok((inode, random))
    }

    /// How much of a write of `len` bytes at `offset` is done before it is struck: a system that
    /// stops during a call stops between two sectors.
    fn part(&mut self, offset: u64, len: usize) -> usize {
        if self.fault == Some(Fault::PowerCut) && offset < HEADER_END && self.state.random.coin() {
            // No disk promises that a sector is whole after a power cut during its write. The
            // header has two slots for that reason.
            return self.state.random.index(len + 1);
        }
        if matches!(self.fault, None | Some(Fault::PowerCut)) {
            // All of it, not yet durable: the power cut decides what survives.
            return len;
        }
        let into_sector = in_memory(offset % SECTOR_BYTES as u64);
        let sectors = (into_sector + len).div_ceil(SECTOR_BYTES);
        let whole = self.state.random.index(sectors + 1) * SECTOR_BYTES;
        whole.saturating_sub(into_sector).min(len)
    }

    /// Whether a call that is done either completely or not at all is done.
    fn done(&mut self) -> bool {
        match self.fault {
            None => true,
            Some(Fault::Error) => false,
            Some(Fault::PowerCut | Fault::Kill) => self.state.random.coin(),
        }
    }

    fn end(&mut self, operation: &'static str, full: bool) -> Result<()> {
        match self.fault {
            None => Ok(()),
            Some(Fault::PowerCut | Fault::Kill) => Err(gone()),
            Some(Fault::Error) => {
                let kind = if full && self.state.random.coin() {
                    io::Error::from(io::ErrorKind::StorageFull)
                } else {
                    io::Error::other("a simulated input/output error")
                };
                Err(Error::io(operation, kind))
            }
        }
    }
}

impl SimFile {
    fn name(&self) -> String {
        self.name.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn named(&self, error: Error) -> Error {
        error.path(Path::new(PLACE).join(self.name()))
    }

    /// The disk, if this handle belongs to the present generation.
    fn alive(&self) -> Result<MutexGuard<'_, State>> {
        let state = self.disk.state();
        if state.down || state.life != self.life {
            return Err(self.named(gone()));
        }
        Ok(state)
    }

    /// Begins a call that changes something.
    fn begin(&self, what: impl FnOnce() -> String) -> Result<Call<'_>> {
        self.begin_counted(false, what)
    }

    fn begin_counted(&self, is_write: bool, what: impl FnOnce() -> String) -> Result<Call<'_>> {
        let mut state = self.alive()?;
        if state.random.one_in(WRITE_BACK_ODDS) {
            state.write_back()?;
        }
        let fault = state.count(is_write);
        let calls = state.calls;
        if let Some(fault) = fault {
            state.struck = Some(fault);
            state.strikes += 1;
            state.down = fault != Fault::Error;
        }
        state.note(|| {
            let struck = fault.map_or(String::new(), |fault| format!("  <-- {fault:?}"));
            format!("    {calls}: {} {}{struck}", self.name(), what())
        });
        Ok(Call { state, number: self.number, fault })
    }

    fn sync(&self, what: &'static str) -> Result<()> {
        let mut call = self.begin(|| what.into())?;
        let fault = call.fault;
        let done = call.done();
        call.state.cache_in_doubt |= fault == Some(Fault::Error);
        let (inode, random) = call.inode()?;
        match fault {
            None => inode.sync()?,
            Some(Fault::Error) => inode.fail_sync(random)?,
            Some(Fault::PowerCut | Fault::Kill) if done => inode.sync()?,
            Some(Fault::PowerCut | Fault::Kill) => {}
        }
        call.end("sync", false)
    }

    /// Whether this is a file beside the data file, by its name.
    fn is_side(&self) -> bool {
        self.name().contains('-')
    }

    fn side_name(&self, suffix: &str) -> String {
        format!("{}{suffix}", self.name())
    }

    fn create_side(&self, suffix: &str) -> Result<Arc<dyn Backing>> {
        let name = self.side_name(suffix);
        let mut call = self.begin(|| format!("create {name}"))?;
        if call.state.directory.get(&name).is_some() {
            return Err(Error::new(ErrorKind::AlreadyExists, "create"));
        }
        if call.done() {
            let number = call.state.add(Inode::new(Vec::new())?);
            call.state.directory.add(&name, number);
        }
        call.end("create", true)?;
        let number = call.state.directory.get(&name).ok_or_else(gone)?;
        Ok(self.disk.handle(&call.state, number, &name))
    }

    fn rename_to(&self, from: &str, to: &str) -> Result<()> {
        let mut call = self.begin(|| format!("rename {from} to {to}"))?;
        let file = call
            .state
            .directory
            .get(from)
            .ok_or_else(|| Error::new(ErrorKind::NotFound, "rename"))?;
        if call.done() {
            call.state.directory.rename(from, to, file);
        }
        call.end("rename", false)
    }
}

/// The error of a call after its handle has ended.
fn gone() -> Error {
    Error::io("use the simulated disk", io::Error::other("the power is off"))
}

impl fmt::Debug for SimFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimFile").field("name", &self.name()).finish_non_exhaustive()
    }
}

impl sealed::Sealed for SimFile {}
impl Backing for SimFile {
    fn path(&self) -> Option<PathBuf> {
        Some(Path::new(PLACE).join(self.name()))
    }

    fn properties(&self) -> &Properties {
        &self.disk.0.properties
    }

    fn len_bytes(&self) -> Result<u64> {
        self.memory.len_bytes()
    }

    fn allocated_bytes(&self) -> Result<u64> {
        self.memory.len_bytes()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let _alive = self.alive()?;
        self.memory.read_at(offset, into)
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        let end = offset + from.len() as u64;
        if end > self.len_bytes()? {
            self.alive()?.refuse("write").map_err(|error| self.named(error))?;
        }
        let mut call = self.begin_counted(true, || format!("write {offset}..{end}"))?;
        let part = match self.is_side() {
            true => call.part(offset + HEADER_END, from.len()),
            false => call.part(offset, from.len()),
        };
        call.inode()?.0.write(offset, &from[..part])?;
        call.end("write", true).map_err(|error| self.named(error).offset(offset))
    }

    fn grow(&self, len_bytes: u64) -> Result<Grown> {
        if len_bytes <= self.len_bytes()? {
            drop(self.alive()?);
            return Ok(Grown::Reserved);
        }
        self.alive()?.refuse("grow").map_err(|error| self.named(error))?;
        let mut call = self.begin(|| format!("grow to {len_bytes}"))?;
        if call.done() {
            call.inode()?.0.grow(len_bytes)?;
        }
        call.end("grow", true).map_err(|error| self.named(error))?;
        Ok(Grown::Reserved)
    }

    fn trim(&self, len_bytes: u64) -> Result<()> {
        let mut call = self.begin(|| format!("trim to {len_bytes}"))?;
        if call.done() {
            call.inode()?.0.trim(len_bytes)?;
        }
        call.end("trim", false).map_err(|error| self.named(error))
    }

    fn view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View> {
        drop(self.alive()?);
        self.memory.view(offset, len_bytes, access)
    }

    fn flush_view(&self, view: &View, range: Range<usize>) -> Result<()> {
        // Reads of durable bytes use calls, which may not see the contents of views.
        self.memory.flush_view(view, range.clone())?;
        let start = in_memory(view.offset());
        let range = start + range.start..start + range.end;
        let mut call = self.begin(|| format!("flush {range:?} of a view"))?;
        let fault = call.fault;
        call.state.cache_in_doubt |= fault == Some(Fault::Error);
        let inode = call.inode()?.0;
        match fault {
            Some(Fault::Error) => inode.fail_flush(range),
            _ => inode.hand_over(range),
        }
        call.end("flush", false).map_err(|error| self.named(error))
    }

    fn sync_data(&self) -> Result<()> {
        self.sync("sync").map_err(|error| self.named(error))
    }

    fn sync_full(&self) -> Result<()> {
        self.sync("sync in full").map_err(|error| self.named(error))
    }

    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        let name = to.file_name().map(|name| name.to_string_lossy().into_owned());
        let to = name.ok_or_else(|| Error::new(ErrorKind::InvalidArgument, "rename"))?;
        if !replace && self.alive()?.directory.get(&to).is_some() {
            return Err(self.named(Error::new(ErrorKind::AlreadyExists, "rename")));
        }
        self.rename_to(&self.name(), &to).map_err(|error| self.named(error))?;
        *self.name.lock().unwrap_or_else(PoisonError::into_inner) = to;
        Ok(())
    }

    fn sync_directory(&self) -> Result<()> {
        let mut call = self.begin(|| "sync the directory".into())?;
        // A failed call leaves the changes pending: file systems stop at a failure of their own
        // tables, unlike at a failure of data.
        if call.done() {
            call.state.directory.sync();
        }
        call.end("sync the directory of", false).map_err(|error| self.named(error))
    }

    fn open_side(&self, suffix: &str, how: OpenSide) -> Result<Option<Arc<dyn Backing>>> {
        if how == OpenSide::Create {
            return self.create_side(suffix).map(Some).map_err(|error| self.named(error));
        }
        let name = self.side_name(suffix);
        let state = self.alive()?;
        let number = state.directory.get(&name);
        Ok(number.map(|number| self.disk.handle(&state, number, &name)))
    }

    fn list_sides(&self) -> Result<Vec<String>> {
        let own = self.name();
        let state = self.alive()?;
        let suffixes = state.directory.names().filter_map(|name| name.strip_prefix(&own));
        Ok(suffixes.filter(|suffix| !suffix.is_empty()).map(str::to_owned).collect())
    }

    fn rename_side(&self, from: &str, to: &str) -> Result<()> {
        self.rename_to(&self.side_name(from), &self.side_name(to))
            .map_err(|error| self.named(error))
    }

    fn remove_side(&self, suffix: &str) -> Result<()> {
        let name = self.side_name(suffix);
        if self.alive()?.directory.get(&name).is_none() {
            return Ok(());
        }
        let mut call = self.begin(|| format!("remove {name}"))?;
        if call.done() {
            call.state.directory.remove(&name);
        }
        call.end("remove", false).map_err(|error| self.named(error))
    }
}

#[cfg(test)]
mod tests;
