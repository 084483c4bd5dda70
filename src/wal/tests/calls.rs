//! A backing that writes down what is asked of it, and can fail.

use std::sync::{Arc, Mutex};

use super::Place;
use crate::error::{Error, ErrorKind, Result};
use crate::io::hooked::{Call, Hook, Hooked, Then};
use crate::io::{Backing, OpenSide};

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

/// What was asked of a data file and of those beside it.
#[derive(Default)]
pub(super) struct Calls(Mutex<Record>);

impl Calls {
    pub(super) fn over(place: &Place) -> Arc<Hooked<Self>> {
        Arc::new(Hooked::over(Arc::clone(&place.data) as _, Self::default()))
    }

    /// What was called since the last time.
    pub(super) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap().calls)
    }

    /// How many bytes were read since the last time.
    pub(super) fn take_read_bytes(&self) -> u64 {
        std::mem::take(&mut self.0.lock().unwrap().read_bytes)
    }

    /// Refuses to read more than so many bytes: what reads a hole would not end for hours.
    pub(super) fn read_at_most(&self, bytes: u64) {
        self.0.lock().unwrap().read_bytes_max = Some(bytes);
    }

    /// Lets a call that begins with `kind` fail, once `after` such have not.
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
