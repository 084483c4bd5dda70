//! Signals on Unix: a descriptor that can be read while the signal is set.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;

#[cfg(test)]
mod tests;

#[cfg(target_os = "linux")]
pub(super) type Signal = SignalOf<Counter>;
#[cfg(not(target_os = "linux"))]
pub(super) type Signal = SignalOf<Sockets>;

/// What a signal is made of. Its calls do not wait.
pub(super) trait Ends: AsFd + Sized {
    fn new() -> io::Result<Self>;
    /// Makes the descriptor readable.
    fn write(&self, bytes: [u8; 8]) -> io::Result<usize>;
    /// Takes what was written; less than the room if that was all.
    fn read(&self, room: &mut [u8]) -> io::Result<usize>;
}

#[derive(Debug)]
pub(super) struct SignalOf<E>(E);

impl<E: Ends> SignalOf<E> {
    pub(super) fn new() -> io::Result<Self> {
        E::new().map(Self)
    }

    pub(super) fn set(&self) -> io::Result<()> {
        loop {
            match self.0.write(1_u64.to_ne_bytes()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // A signal that is full is set.
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                written => return written.map(|_| ()),
            }
        }
    }

    pub(super) fn clear(&self) -> io::Result<()> {
        let mut room = [0; 64];
        loop {
            match self.0.read(&mut room) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error),
                Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(read) if read < room.len() => return Ok(()),
                Ok(_) => {}
            }
        }
    }

    pub(super) fn wait(&self, at_most: Duration) -> io::Result<bool> {
        let started = Instant::now();
        loop {
            let left = at_most.saturating_sub(started.elapsed());
            // A time that the system cannot count has no limit.
            let timeout = i64::try_from(left.as_secs())
                .ok()
                .map(|tv_sec| Timespec { tv_sec, tv_nsec: left.subsec_nanos().into() });
            let mut watched = [PollFd::from_borrowed_fd(self.as_fd(), PollFlags::IN)];
            match poll(&mut watched, timeout.as_ref()) {
                Ok(0) if left.is_zero() => return Ok(false),
                Ok(0) | Err(Errno::INTR) => {}
                Ok(_) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        }
    }
}

impl<E: Ends> AsFd for SignalOf<E> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A counter of the kernel (eventfd). It can be read while it is not 0, and a read makes it 0.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(super) struct Counter(std::fs::File);

#[cfg(target_os = "linux")]
impl Ends for Counter {
    fn new() -> io::Result<Self> {
        use rustix::event::{EventfdFlags, eventfd};
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?.into()))
    }

    fn write(&self, bytes: [u8; 8]) -> io::Result<usize> {
        (&self.0).write(&bytes)
    }

    fn read(&self, room: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(room)
    }
}

#[cfg(target_os = "linux")]
impl AsFd for Counter {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// A pair of sockets: the first can read what was written to the second.
#[derive(Debug)]
#[cfg_attr(target_os = "linux", allow(dead_code, reason = "for systems without eventfd"))]
pub(super) struct Sockets(UnixStream, UnixStream);

impl Ends for Sockets {
    fn new() -> io::Result<Self> {
        let (reader, writer) = UnixStream::pair()?;
        reader.set_nonblocking(true)?;
        writer.set_nonblocking(true)?;
        Ok(Self(reader, writer))
    }

    fn write(&self, bytes: [u8; 8]) -> io::Result<usize> {
        (&self.1).write(&bytes)
    }

    fn read(&self, room: &mut [u8]) -> io::Result<usize> {
        (&self.0).read(room)
    }
}

impl AsFd for Sockets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
