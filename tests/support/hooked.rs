//! A backing that asks a test before each call. Tests use it to record the calls of a file and to
//! make calls fail.

use std::fmt;
use std::ops::{Deref, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flatrec::Result;
use flatrec::map::{Access, Backing, Grown, OpenSide, Properties, View, sealed};

/// A call before it is made.
#[derive(Clone, Copy)]
pub(crate) enum Call<'c> {
    Len,
    Allocated,
    Read { offset: u64, len: usize },
    NextData,
    Write { offset: u64, bytes: &'c [u8] },
    Grow { len_bytes: u64 },
    Trim { len_bytes: u64 },
    View,
    Flush { view: &'c View, range: &'c Range<usize> },
    SyncData,
    SyncFull,
    Rename,
    SyncDirectory,
    OpenSide { suffix: &'c str, how: OpenSide },
    ListSides,
    RenameSide,
    RemoveSide,
}

impl Call<'_> {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Len => "len",
            Self::Allocated => "allocated",
            Self::Read { .. } => "read",
            Self::NextData => "next data",
            Self::Write { .. } => "write",
            Self::Grow { .. } => "grow",
            Self::Trim { .. } => "trim",
            Self::View => "view",
            Self::Flush { .. } => "flush view",
            Self::SyncData => "sync data",
            Self::SyncFull => "sync full",
            Self::Rename => "rename",
            Self::SyncDirectory => "sync directory",
            Self::OpenSide { .. } => "open side",
            Self::ListSides => "list sides",
            Self::RenameSide => "rename side",
            Self::RemoveSide => "remove side",
        }
    }

    /// Whether the call changes the file or what of it is durable.
    pub(crate) fn changes(&self) -> bool {
        match self {
            Self::Len | Self::Allocated | Self::Read { .. } | Self::NextData | Self::View => false,
            Self::OpenSide { how, .. } => *how != OpenSide::Read,
            Self::ListSides => false,
            _ => true,
        }
    }

    pub(crate) fn syncs(&self) -> bool {
        matches!(self, Self::SyncData | Self::SyncFull | Self::SyncDirectory)
    }
}

/// What happens to a call that the test lets succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// The file answers.
    Forward,
    /// The test made the call itself, or skips it. Skipped growth reserves nothing. A call with a
    /// result cannot be skipped.
    Done,
}

/// The object that is asked before each call: a closure, or the state of a test.
pub(crate) trait Hook: Send + Sync + 'static {
    /// Decides on a call of `file`, whose name ends with `suffix`. The suffix of the data file is
    /// empty.
    fn ask(&self, file: &Arc<dyn Backing>, suffix: &str, call: Call<'_>) -> Result<Then>;
}

impl<F> Hook for F
where
    F: Fn(&Arc<dyn Backing>, &str, Call<'_>) -> Result<Then> + Send + Sync + 'static,
{
    fn ask(&self, file: &Arc<dyn Backing>, suffix: &str, call: Call<'_>) -> Result<Then> {
        self(file, suffix, call)
    }
}

/// A file that asks its hook before each call, as do the files beside it. It derefs to its hook.
pub(crate) struct Hooked<H> {
    file: Arc<dyn Backing>,
    suffix: String,
    properties: Properties,
    hook: Arc<H>,
}

impl<H: Hook> Hooked<H> {
    pub(crate) fn over(file: Arc<dyn Backing>, hook: H) -> Self {
        Self::sharing(file, Arc::new(hook))
    }

    /// Wraps a file for a test that opens several files, one after the other.
    pub(crate) fn sharing(file: Arc<dyn Backing>, hook: Arc<H>) -> Self {
        let properties = file.properties().clone();
        Self { file, suffix: String::new(), properties, hook }
    }

    /// Changes the properties that the wrapper shows.
    pub(crate) fn with_properties(self, change: impl FnOnce(&mut Properties)) -> Self {
        let mut hooked = self;
        change(&mut hooked.properties);
        hooked
    }

    /// Asks the hook, and returns `true` if the file must make the call.
    fn forwards(&self, call: Call<'_>) -> Result<bool> {
        Ok(self.hook.ask(&self.file, &self.suffix, call)? == Then::Forward)
    }

    /// Asks the hook before a call with a result, which only the file can give.
    fn asked(&self, call: Call<'_>) -> Result<&dyn Backing> {
        assert!(self.forwards(call)?, "the hook cannot skip {}: it has a result", call.name());
        Ok(&*self.file)
    }
}

impl<H> Deref for Hooked<H> {
    type Target = H;

    fn deref(&self) -> &H {
        &self.hook
    }
}

impl<H> fmt::Debug for Hooked<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}{}, hooked", self.file, self.suffix)
    }
}

impl<H: Hook> sealed::Sealed for Hooked<H> {}

impl<H: Hook> Backing for Hooked<H> {
    fn path(&self) -> Option<PathBuf> {
        self.file.path()
    }

    fn properties(&self) -> &Properties {
        &self.properties
    }

    fn len_bytes(&self) -> Result<u64> {
        self.asked(Call::Len)?.len_bytes()
    }

    fn allocated_bytes(&self) -> Result<u64> {
        self.asked(Call::Allocated)?.allocated_bytes()
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        self.asked(Call::Read { offset, len: into.len() })?.read_at(offset, into)
    }

    fn next_data(&self, offset: u64) -> Result<u64> {
        self.asked(Call::NextData)?.next_data(offset)
    }

    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        match self.forwards(Call::Write { offset, bytes: from })? {
            true => self.file.write_at(offset, from),
            false => Ok(()),
        }
    }

    fn grow(&self, len_bytes: u64) -> Result<Grown> {
        match self.forwards(Call::Grow { len_bytes })? {
            true => self.file.grow(len_bytes),
            false => Ok(Grown::LengthOnly),
        }
    }

    fn trim(&self, len_bytes: u64) -> Result<()> {
        match self.forwards(Call::Trim { len_bytes })? {
            true => self.file.trim(len_bytes),
            false => Ok(()),
        }
    }

    fn view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View> {
        self.asked(Call::View)?.view(offset, len_bytes, access)
    }

    fn flush_view(&self, view: &View, range: Range<usize>) -> Result<()> {
        match self.forwards(Call::Flush { view, range: &range })? {
            true => self.file.flush_view(view, range),
            false => Ok(()),
        }
    }

    fn sync_data(&self) -> Result<()> {
        match self.forwards(Call::SyncData)? {
            true => self.file.sync_data(),
            false => Ok(()),
        }
    }

    fn sync_full(&self) -> Result<()> {
        match self.forwards(Call::SyncFull)? {
            true => self.file.sync_full(),
            false => Ok(()),
        }
    }

    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        match self.forwards(Call::Rename)? {
            true => self.file.rename(to, replace),
            false => Ok(()),
        }
    }

    fn sync_directory(&self) -> Result<()> {
        match self.forwards(Call::SyncDirectory)? {
            true => self.file.sync_directory(),
            false => Ok(()),
        }
    }

    fn open_side(&self, suffix: &str, how: OpenSide) -> Result<Option<Arc<dyn Backing>>> {
        let opened = self.asked(Call::OpenSide { suffix, how })?.open_side(suffix, how)?;
        Ok(opened.map(|file| -> Arc<dyn Backing> {
            let hooked = Self::sharing(file, Arc::clone(&self.hook));
            Arc::new(Self { suffix: suffix.to_owned(), ..hooked })
        }))
    }

    fn list_sides(&self) -> Result<Vec<String>> {
        self.asked(Call::ListSides)?.list_sides()
    }

    fn rename_side(&self, from: &str, to: &str) -> Result<()> {
        match self.forwards(Call::RenameSide)? {
            true => self.file.rename_side(from, to),
            false => Ok(()),
        }
    }

    fn remove_side(&self, suffix: &str) -> Result<()> {
        match self.forwards(Call::RemoveSide)? {
            true => self.file.remove_side(suffix),
            false => Ok(()),
        }
    }
}
