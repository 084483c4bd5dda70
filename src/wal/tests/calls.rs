//! A backing that records the calls it gets, and can fail.

use std::sync::{Arc, Mutex};

use super::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::io::hooked::{Call, Hook, Hooked, Then};
use crate::io::{Backing, OpenSide};

#[derive(Debug, Default)]
struct Record {
    calls: Vec<String>,
    /// The number of bytes read.
    read_bytes: u64,
    /// The limit of `read_bytes`; reads beyond it fail.
    read_bytes_max: Option<u64>,
    /// The kind of the call that fails with a full disk, and how many of its kind succeed before.
    failing: Option<(&'static str, usize)>,
}

impl Record {
    fn call(&mut self, call: String) -> Result<()> {
        let fails = match &mut self.failing {
            Some((kind, left)) if call.starts_with(*kind) => {
                let fails = *left == 0;
                *left = left.saturating_sub(1);
                fails
            }
            _ => false,
        };
        self.calls.push(call);
        if fails { Err(Error::new(ErrorKind::NoSpace, "write")) } else { Ok(()) }
    }
}

/// The calls to a data file and to the files beside it.
#[derive(Default)]
pub(super) struct Calls(Mutex<Record>);

impl Calls {
    pub(super) fn over(place: &Place) -> Arc<Hooked<Self>> {
        Arc::new(Hooked::over(Arc::clone(&place.data) as _, Self::default()))
    }

    /// The calls since the last time.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    /// The number of bytes read since the last time.
    pub(super) fn take_read_bytes(&self) -> u64 {
        std::mem::take(&mut self.0.lock().unwrap().read_bytes)
    }

    /// Makes reads beyond so many bytes fail: a test that reads a hole would run for hours.
    pub(super) fn read_at_most(&self, bytes: u64) {
        self.0.lock().unwrap().read_bytes_max = Some(bytes);
    }

    /// Makes one call that begins with `kind` fail, after `after` such calls have succeeded.
    pub(super) fn fail(&self, kind: &'static str, after: usize) {
        self.0.lock().unwrap().failing = Some((kind, after));
    }

    pub(super) fn heal(&self) {
        self.0.lock().unwrap().failing = None;
    }
}

impl Hook for Calls {
    fn ask(&self, file: &Arc<dyn Backing>, suffix: &str, call: Call<'_>) -> Result<Then> {
        let called = match call {
            Call::Read { offset, len } => {
                let there = file.len_bytes()?.saturating_sub(offset);
                return self.count_read(there.min(len as u64));
            }
            Call::Write { offset, bytes } => format!("write {suffix} {offset} {}", bytes.len()),
            Call::Grow { len_bytes } => format!("grow {suffix} {len_bytes}"),
            Call::SyncData => format!("sync {suffix}"),
            Call::SyncDirectory => "sync directory".to_owned(),
            Call::OpenSide { suffix, how: OpenSide::Create } => format!("create {suffix}"),
            _ => return Ok(Then::Forward),
        };
        self.0.lock().unwrap().call(called)?;
        Ok(Then::Forward)
    }
}

impl Calls {
    fn count_read(&self, bytes: u64) -> Result<Then> {
        let mut record = self.0.lock().unwrap();
        record.read_bytes += bytes;
        match record.read_bytes_max {
            Some(max) if record.read_bytes > max => Err(Error::new(ErrorKind::Unsupported, "read")
                .detail(format!("more than {max} bytes of the log were read"))),
            _ => Ok(Then::Forward),
        }
    }
}
