//! Memory that processes share by name, and memory without a name.
//!
//! ```text
//!   section   0        8         16            64         4096
//!             | magic  | state   | len_bytes   | zeros    | the bytes that users see ...
//! ```
//!
//! Invariant: `state` becomes [`READY`] only after an initialiser has returned, under the section's
//! lock, which ends with its process. An opener that finds another state under the lock runs its
//! own initialiser on zeroed bytes.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use super::initialising::{Key, Turn};
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Access, Backing, FileBacking, Grown, Properties, View, sealed};
use crate::number::smaller;
use crate::os::{self, FileSystemKind, NamedSection};

const HEADER_BYTES: u64 = 4096;
const MAGIC: u64 = u64::from_le_bytes(*b"flatmem0");
const READY: u64 = 1;

/// Zeroed memory without a name, shared by all its views.
pub(super) fn anonymous(len_bytes: u64) -> Result<Arc<dyn Backing>> {
    let file =
        os::open_anonymous().map_err(|source| Error::io("allocate anonymous memory", source))?;
    let memory = FileBacking::from_file(file, None)?;
    memory.grow(len_bytes)?;
    Ok(Arc::new(memory))
}

/// Named shared memory as a backing of fixed length.
#[derive(Debug)]
pub(super) struct NamedMemory {
    section: NamedSection,
    name: String,
    len_bytes: u64,
    properties: Properties,
    /// Whether this handle made the name, and removes it when dropped. Set once, when it has.
    created: OnceLock<()>,
}

impl NamedMemory {
    /// Opens or makes `name`; exactly one opener at a time runs `initialise`, until one succeeds.
    pub(super) fn open_or_create(
        name: &str,
        len_bytes: u64,
        initialise: impl FnOnce(Arc<dyn Backing>) -> Result<()>,
    ) -> Result<Arc<dyn Backing>> {
        let whole =
            len_bytes.checked_add(HEADER_BYTES).filter(|_| len_bytes > 0).ok_or_else(|| {
                named(Error::new(ErrorKind::InvalidArgument, "share memory"), name)
                    .detail("the length must be 1 to 2^63 bytes")
            })?;
        let (section, made) = NamedSection::open_or_create(name, whole)
            .map_err(|source| error("share memory", source, name))?;
        let memory = Self::over(section, name)?;
        let turn = Turn::take(Key::name(name)).map_err(|error| named(error, name))?;
        let guard = memory.lock()?;
        let header = memory.header(Access::ReadWrite)?;
        let found = memory.read_header(&header)?;
        if found[0] != 0 && found[0] != MAGIC {
            return Err(memory.foreign());
        }
        if found[1] != READY {
            let room = memory.section.len_bytes() - HEADER_BYTES;
            let len_bytes = if made {
                memory.created.get_or_init(|| ());
                len_bytes
            } else {
                memory.zero()?;
                // It keeps the length of its first initialiser if that one stored it.
                if (1..=room).contains(&found[2]) { found[2] } else { len_bytes.min(room) }
            };
            header.write(16, &len_bytes.to_le_bytes())?;
            header.write(0, &MAGIC.to_le_bytes())?;
            // The initialiser's handle gets its length from the words just written.
            let section =
                NamedSection::open(name).map_err(|source| error("share memory", source, name))?;
            turn.run();
            initialise(Arc::new(Self::sized(section, name, len_bytes)))?;
            header.write(8, &READY.to_le_bytes())?;
            // The opener that finishes an abandoned initialisation owns the name as the first would
            // have.
            memory.created.get_or_init(|| ());
        }
        let len_bytes = memory.read_header(&header)?[2];
        drop(guard);
        memory.finish(len_bytes)
    }

    /// Opens initialised memory; waits for a running initialiser.
    pub(super) fn open(name: &str) -> Result<Arc<dyn Backing>> {
        let section =
            NamedSection::open(name).map_err(|source| error("open shared memory", source, name))?;
        let memory = Self::over(section, name)?;
        let _turn = Turn::take(Key::name(name)).map_err(|error| named(error, name))?;
        let guard = memory.lock()?;
        let found = memory.read_header(&memory.header(Access::ReadOnly)?)?;
        drop(guard);
        if found[0] != MAGIC {
            return Err(memory.foreign());
        }
        if found[1] != READY {
            return Err(named(Error::new(ErrorKind::Corrupt, "open shared memory"), name)
                .detail("its initialiser has not finished")
                .advice("open it with an initialiser of your own (Mapping::named)"));
        }
        memory.finish(found[2])
    }

    /// Removes the name.
    pub(super) fn remove(name: &str) -> Result<()> {
        if cfg!(unix) {
            NamedSection::open(name)
                .map_err(|source| error("remove shared memory", source, name))?;
        }
        NamedSection::remove(name).map_err(|source| error("remove shared memory", source, name))
    }

    fn over(section: NamedSection, name: &str) -> Result<Self> {
        if section.len_bytes() <= HEADER_BYTES {
            return Err(named(Error::new(ErrorKind::Corrupt, "open shared memory"), name)
                .detail("the memory is too short for flatrec's header"));
        }
        Ok(Self::sized(section, name, 0))
    }

    fn sized(section: NamedSection, name: &str, len_bytes: u64) -> Self {
        Self {
            section,
            name: name.to_owned(),
            len_bytes,
            properties: Properties {
                calls_see_views: true,
                views_pass_end: false,
                resizable: false,
                file_system: FileSystemKind::Memory("shared memory".into()),
            },
            created: OnceLock::new(),
        }
    }

    /// The handle for users, after a check that the length in the header fits the section.
    fn finish(mut self, len_bytes: u64) -> Result<Arc<dyn Backing>> {
        if len_bytes == 0 || len_bytes > self.section.len_bytes() - HEADER_BYTES {
            return Err(self.foreign());
        }
        self.len_bytes = len_bytes;
        Ok(Arc::new(self))
    }

    fn lock(&self) -> Result<os::InitGuard<'_>> {
        self.section
            .lock_initialisation()
            .map_err(|source| error("lock shared memory", source, &self.name))
    }

    fn header(&self, access: Access) -> Result<View> {
        self.map(0, 64, access)
    }

    fn read_header(&self, header: &View) -> Result<[u64; 3]> {
        let mut words = [[0; 8]; 3];
        for (at, word) in words.iter_mut().enumerate() {
            header.read(at * 8, word)?;
        }
        Ok(words.map(u64::from_le_bytes))
    }

    /// Zeroes what a dead initialiser left.
    fn zero(&self) -> Result<()> {
        let zeros = vec![0; 64 << 10];
        let end = self.section.len_bytes();
        let mut at = HEADER_BYTES;
        while at < end {
            let len = smaller(end - at, zeros.len());
            self.map(at, len, Access::ReadWrite)?.write(0, &zeros[..len])?;
            at += len as u64;
        }
        Ok(())
    }

    fn map(&self, at: u64, len_bytes: usize, access: Access) -> Result<View> {
        let mapped = match access {
            Access::ReadOnly => self.section.view(at, len_bytes, false),
            Access::ReadWrite => self.section.view(at, len_bytes, true),
            Access::Private => self.section.view_private(at, len_bytes),
        };
        let view = mapped.map_err(|source| error("map shared memory", source, &self.name))?;
        Ok(View::of_section(view, at.saturating_sub(HEADER_BYTES), access, &self.name))
    }

    /// Maps the users' bytes `offset..offset + len_bytes`, after a check that they exist.
    fn user_view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View> {
        let end = offset.checked_add(len_bytes as u64).filter(|&end| end <= self.len_bytes);
        if end.is_none() {
            return Err(named(Error::new(ErrorKind::OutOfRange, "map shared memory"), &self.name)
                .offset(offset)
                .detail(format!(
                    "{len_bytes} bytes from there reach past its end at byte {}",
                    self.len_bytes
                )));
        }
        if len_bytes == 0 {
            return Ok(View::empty(offset, access));
        }
        self.map(HEADER_BYTES + offset, len_bytes, access)
    }

    fn foreign(&self) -> Error {
        named(Error::new(ErrorKind::Corrupt, "open shared memory"), &self.name)
            .detail("another program's memory has this name")
            .advice("choose another name")
    }
}

impl Drop for NamedMemory {
    fn drop(&mut self) {
        if self.created.get().is_some() {
            // A missing name is no failure here.
            let _ = NamedSection::remove(&self.name);
        }
    }
}

impl sealed::Sealed for NamedMemory {}

impl Backing for NamedMemory {
    fn path(&self) -> Option<PathBuf> {
        None
    }

    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn len_bytes(&self) -> Result<u64> {
        Ok(self.len_bytes)
    }

    fn allocated_bytes(&self) -> Result<u64> {
        Ok(self.section.len_bytes())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let left = self.len_bytes.saturating_sub(offset);
        let len = smaller(left, into.len());
        self.user_view(offset.min(self.len_bytes), len, Access::ReadOnly)?
            .read(0, &mut into[..len])?;
        Ok(len)
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        self.user_view(offset, from.len(), Access::ReadWrite)?.write(0, from)
    }

    fn grow(&self, len_bytes: u64) -> Result<Grown> {
        if len_bytes <= self.len_bytes {
            return Ok(Grown::Reserved);
        }
        Err(named(Error::new(ErrorKind::Unsupported, "grow"), &self.name)
            .detail("named shared memory has a fixed length")
            .advice("create it with the greatest length that it will need"))
    }

    fn trim(&self, len_bytes: u64) -> Result<()> {
        if len_bytes == self.len_bytes {
            return Ok(());
        }
        Err(named(Error::new(ErrorKind::Unsupported, "trim"), &self.name)
            .detail("named shared memory has a fixed length"))
    }

    fn view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View> {
        self.user_view(offset, len_bytes, access)
    }

    fn flush_view(&self, _view: &View, _range: std::ops::Range<usize>) -> Result<()> {
        Ok(())
    }

    fn sync_data(&self) -> Result<()> {
        Ok(())
    }

    fn sync_full(&self) -> Result<()> {
        Ok(())
    }

    fn rename(&self, to: &Path, _replace: bool) -> Result<()> {
        Err(Error::new(ErrorKind::Unsupported, "rename")
            .path(to)
            .detail("shared memory has no path"))
    }

    fn sync_directory(&self) -> Result<()> {
        Ok(())
    }
}

fn error(operation: &'static str, source: std::io::Error, name: &str) -> Error {
    let invalid = source.kind() == std::io::ErrorKind::InvalidInput;
    let error = match invalid {
        true => Error::new(ErrorKind::InvalidArgument, operation).source_error(source),
        false => Error::io(operation, source),
    };
    named(error, name)
}

/// Adds the name of shared memory to an error, as its path.
fn named(error: Error, name: &str) -> Error {
    error.path(name)
}
