//! A backing that writes down what is asked of it, and can fail.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use super::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::io::{Access, Backing, Grown, OpenSide, Properties, View};

#[derive(Debug, Default)]
struct Record {
    calls: Vec<String>,
    /// How many bytes were read.
    read_bytes: u64,
    /// A read is refused once there were so many, if there is a limit.
    read_bytes_max: Option<u64>,
    /// The call that fails with a full disk, and after how many of its kind.
    failing: Option<(&'static str, usize)>,
}

impl Record {
    fn call(record: &Mutex<Self>, call: String) -> Result<()> {
        let mut record = record.lock().unwrap();
        let fails = match &mut record.failing {
            Some((kind, left)) if call.starts_with(*kind) => {
                let fails = *left == 0;
                *left = left.saturating_sub(1);
                fails
            }
            _ => false,
        };
        record.calls.push(call);
        if fails { Err(Error::new(ErrorKind::NoSpace, "write")) } else { Ok(()) }
    }
}

/// A data file, or (with a suffix) a file beside it.
#[derive(Debug)]
pub(super) struct Calls {
    inner: Arc<dyn Backing>,
    suffix: String,
    record: Arc<Mutex<Record>>,
}

impl Calls {
    pub(super) fn over(place: &Place) -> Arc<Self> {
        let inner = Arc::clone(&place.data);
        Arc::new(Self { inner, suffix: String::new(), record: Arc::default() })
    }

    /// What was called since the last time.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.record.lock().unwrap().calls)
    }

    /// How many bytes were read since the last time.
    pub(super) fn take_read_bytes(&self) -> u64 {
        std::mem::take(&mut self.record.lock().unwrap().read_bytes)
    }

    /// Refuses to read more than so many bytes: what reads a hole would not end for hours.
    pub(super) fn read_at_most(&self, bytes: u64) {
        self.record.lock().unwrap().read_bytes_max = Some(bytes);
    }

    /// Lets a call that begins with `kind` fail, once `after` such have not.
    pub(super) fn fail(&self, kind: &'static str, after: usize) {
        self.record.lock().unwrap().failing = Some((kind, after));
    }

    pub(super) fn heal(&self) {
        self.record.lock().unwrap().failing = None;
    }

    fn call(&self, call: String) -> Result<()> {
        Record::call(&self.record, call)
    }
}

impl Backing for Calls {
    fn path(&self) -> Option<PathBuf> {
        self.inner.path()
    }
    fn properties(&self) -> &Properties {
        self.inner.properties()
    }
    fn len_bytes(&self) -> Result<u64> {
        self.inner.len_bytes()
    }
    fn allocated_bytes(&self) -> Result<u64> {
        self.inner.allocated_bytes()
    }
    fn read_at(&self, offset: u64, into: &mut [u8]) -> Result<usize> {
        let read = self.inner.read_at(offset, into)?;
        let mut record = self.record.lock().unwrap();
        record.read_bytes += read as u64;
        match record.read_bytes_max {
            Some(max) if record.read_bytes > max => Err(Error::new(ErrorKind::Unsupported, "read")
                .detail(format!("more than {max} bytes of the log were read"))),
            _ => Ok(read),
        }
    }
    fn next_data(&self, offset: u64) -> Result<u64> {
        self.inner.next_data(offset)
    }
    fn write_at(&self, offset: u64, from: &[u8]) -> Result<()> {
        self.call(format!("write {} {offset} {}", self.suffix, from.len()))?;
        self.inner.write_at(offset, from)
    }
    fn grow(&self, len_bytes: u64) -> Result<Grown> {
        self.call(format!("grow {} {len_bytes}", self.suffix))?;
        self.inner.grow(len_bytes)
    }
    fn trim(&self, len_bytes: u64) -> Result<()> {
        self.inner.trim(len_bytes)
    }
    fn view(&self, offset: u64, len_bytes: usize, access: Access) -> Result<View> {
        self.inner.view(offset, len_bytes, access)
    }
    fn flush_view(&self, view: &View, range: std::ops::Range<usize>) -> Result<()> {
        self.inner.flush_view(view, range)
    }
    fn sync_data(&self) -> Result<()> {
        self.call(format!("sync {}", self.suffix))?;
        self.inner.sync_data()
    }
    fn sync_full(&self) -> Result<()> {
        self.inner.sync_full()
    }
    fn rename(&self, to: &Path, replace: bool) -> Result<()> {
        self.inner.rename(to, replace)
    }
    fn sync_directory(&self) -> Result<()> {
        self.call("sync directory".to_owned())?;
        self.inner.sync_directory()
    }
    fn open_side(&self, suffix: &str, how: OpenSide) -> Result<Option<Arc<dyn Backing>>> {
        if how == OpenSide::Create {
            self.call(format!("create {suffix}"))?;
        }
        let record = Arc::clone(&self.record);
        Ok(self.inner.open_side(suffix, how)?.map(|inner| -> Arc<dyn Backing> {
            Arc::new(Self { inner, suffix: suffix.to_owned(), record })
        }))
    }
    fn list_sides(&self) -> Result<Vec<String>> {
        self.inner.list_sides()
    }
    fn remove_side(&self, suffix: &str) -> Result<()> {
        self.inner.remove_side(suffix)
    }
}
