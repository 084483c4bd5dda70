//! The source of a text: a file, plain or gzipped, bytes in memory, or a stream.
//!
//! Inference reads its text before the load does. Files and bytes are read twice; a stream is first
//! copied to a temporary file ([`Input::spool`]), or inference looks only at its first rows, which
//! stay in memory for the load.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::read::MultiGzDecoder;

use crate::error::{Error, ErrorKind, Result};
use crate::number::smaller;
use crate::os;

/// The first two bytes of every gzip member (RFC 1952).
const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];
/// The bytes of a stream that are spooled between two progress reports.
const SPOOL_STEP_BYTES: usize = 1 << 20;
/// The bytes of a gzipped text that are skipped at a time.
const SKIP_STEP_BYTES: usize = 64 << 10;

/// A text to read, gzipped or not, as its first two bytes show.
///
/// ```
/// use flatrec::exchange::Input;
/// let input = Input::from_bytes("a,b\n1,2\n");
/// assert_eq!(input.total_bytes(), Some(8));
/// assert!(Input::open("no-such-file.csv").is_err());
/// ```
pub struct Input {
    name: PathBuf,
    source: Source,
    total_bytes: Option<u64>,
}

enum Source {
    /// Read from its start any number of times.
    File(File),
    Bytes(Arc<[u8]>),
    /// Read once; bytes that inference looked at come first again.
    Stream {
        head: Vec<u8>,
        rest: Option<Box<dyn Read>>,
    },
}

impl Input {
    /// The file at `path`.
    ///
    /// # Errors
    /// An error of opening the file; [`ErrorKind::InvalidArgument`] for a directory.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        let path = path.as_ref();
        let fail = |error| Error::io("open", error).path(path);
        let file = File::open(path).map_err(fail)?;
        let metadata = file.metadata().map_err(fail)?;
        if metadata.is_dir() {
            return Err(Error::new(ErrorKind::InvalidArgument, "open")
                .path(path)
                .detail("the path is a directory")
                .advice("give the path of a file"));
        }
        if !metadata.is_file() {
            // A pipe or a device has no length and cannot be read twice.
            return Ok(Self::from_reader(path, file));
        }
        Ok(Self {
            name: path.to_path_buf(),
            source: Source::File(file),
            total_bytes: Some(metadata.len()),
        })
    }

    /// Bytes in memory.
    pub fn from_bytes(bytes: impl AsRef<[u8]>) -> Self {
        let bytes: Arc<[u8]> = Arc::from(bytes.as_ref());
        let total_bytes = u64::try_from(bytes.len()).ok();
        Self { name: PathBuf::from("memory"), source: Source::Bytes(bytes), total_bytes }
    }

    /// A stream that can be read only once, called `name` in errors. Inference can look at its
    /// first rows; for all rows, [`Input::spool`] it.
    pub fn from_reader(name: impl AsRef<Path>, reader: impl Read + 'static) -> Self {
        Self {
            name: name.as_ref().to_path_buf(),
            source: Source::Stream { head: Vec::new(), rest: Some(Box::new(reader)) },
            total_bytes: None,
        }
    }

    /// Whether the text can be read only once.
    pub fn is_stream(&self) -> bool {
        matches!(self.source, Source::Stream { .. })
    }

    /// Copies a stream to a temporary file without a name in the directory `beside`, so that it can
    /// be read several times; calls `progress` with the bytes copied so far. The file is gone with
    /// the last handle, also after a crash. Files and bytes stay as they are.
    ///
    /// # Errors
    /// An error of reading the stream or of writing the file, such as [`ErrorKind::NoSpace`] on a
    /// full disk.
    pub fn spool(self, beside: &Path, mut progress: impl FnMut(u64)) -> Result<Self> {
        let Source::Stream { head, rest } = self.source else {
            return Ok(self);
        };
        let mut from = Cursor::new(head).chain(rest.unwrap_or_else(|| Box::new(io::empty())));
        let file = os::open_temporary(beside)
            .map_err(|error| Error::io("spool to", error).path(beside))?;
        let mut buffer = vec![0; SPOOL_STEP_BYTES];
        let mut copied_bytes = 0u64;
        loop {
            let read = read_full(&mut from, &mut buffer)
                .map_err(|error| Error::io("read", error).path(&self.name))?;
            if read == 0 {
                break;
            }
            os::write_all_at(&file, copied_bytes, &buffer[..read])
                .map_err(|error| Error::io("spool to", error).path(beside))?;
            copied_bytes += read as u64;
            progress(copied_bytes);
        }
        Ok(Self { name: self.name, source: Source::File(file), total_bytes: Some(copied_bytes) })
    }

    /// The path of the input, or the name it was given.
    pub fn name(&self) -> &Path {
        &self.name
    }

    /// The length in bytes of the input on disk (compressed, if it is gzipped); `None` for a
    /// stream.
    pub fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }
}

impl Input {
    /// The text from its start, unzipped; it counts the bytes read of the file on disk.
    ///
    /// With `keep`, a stream can be read from its start once more: the bytes read now stay in
    /// memory.
    pub(super) fn read(&mut self, keep: bool) -> Result<Text<'_>> {
        let name = &self.name;
        let raw: Box<dyn Read + '_> = match &mut self.source {
            Source::File(file) => {
                let mut file = &*file;
                file.seek(SeekFrom::Start(0))
                    .map_err(|error| Error::io("rewind", error).path(name))?;
                Box::new(file)
            }
            Source::Bytes(bytes) => Box::new(&**bytes),
            Source::Stream { head, rest } => {
                let Some(taken) = rest.take_if(|_| !keep) else {
                    let Some(rest) = rest else {
                        return Err(Error::new(ErrorKind::InvalidArgument, "read")
                            .path(name)
                            .detail("the stream has already been read")
                            .advice("spool it to a file first"));
                    };
                    return Text::new(Box::new(KeptStream { head, position: 0, rest }), name);
                };
                Box::new(Cursor::new(std::mem::take(head)).chain(taken))
            }
        };
        Text::new(raw, name)
    }

    /// The text from its byte `offset` on; its counter includes the bytes before.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a stream; [`ErrorKind::Truncated`] if the text ends
    /// before `offset`; an error of reading.
    pub(super) fn read_from(&mut self, offset: u64) -> Result<Text<'_>> {
        if self.is_stream() {
            return Err(Error::new(ErrorKind::InvalidArgument, "resume reading")
                .path(&self.name)
                .detail("a stream can be read only once")
                .advice("save it to a file"));
        }
        if !self.read(true)?.is_plain {
            let mut text = self.read(true)?;
            text.skip(offset)?;
            return Ok(text);
        }
        let Self { name, source, total_bytes } = self;
        if total_bytes.is_some_and(|total| total < offset) {
            return Err(ended_before(offset, name));
        }
        let raw: Box<dyn Read + '_> = match source {
            Source::File(file) => {
                let mut file = &*file;
                file.seek(SeekFrom::Start(offset))
                    .map_err(|error| Error::io("seek in", error).path(&name))?;
                Box::new(file)
            }
            Source::Bytes(bytes) => {
                let start = smaller(offset, bytes.len());
                Box::new(&bytes[start..])
            }
            // Refused above.
            Source::Stream { .. } => Box::new(io::empty()),
        };
        Ok(Text::plain(raw, offset, name))
    }
}

fn ended_before(offset: u64, name: &Path) -> Error {
    Error::new(ErrorKind::Truncated, "resume reading")
        .path(name)
        .detail(format!("the text ends before its byte {offset}"))
        .advice("start again from the beginning")
}

/// A stream whose bytes, once read, stay in `head`.
struct KeptStream<'a> {
    head: &'a mut Vec<u8>,
    position: usize,
    rest: &'a mut dyn Read,
}

impl Read for KeptStream<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.position == self.head.len() {
            let read = self.rest.read(into)?;
            self.head.extend_from_slice(&into[..read]);
            self.position += read;
            return Ok(read);
        }
        let read = (&self.head[self.position..]).read(into)?;
        self.position += read;
        Ok(read)
    }
}

/// The text of an input during a read.
pub(super) struct Text<'a> {
    reader: Box<dyn Read + 'a>,
    read_bytes: Arc<AtomicU64>,
    name: &'a Path,
    /// Whether the file on disk is not gzipped.
    is_plain: bool,
}

impl<'a> Text<'a> {
    fn new(raw: Box<dyn Read + 'a>, name: &'a Path) -> Result<Self> {
        let read_bytes = Arc::new(AtomicU64::new(0));
        let mut raw = Counted { inner: raw, read_bytes: Arc::clone(&read_bytes) };
        let mut magic = [0; GZIP_MAGIC.len()];
        let len =
            read_full(&mut raw, &mut magic).map_err(|error| Error::io("read", error).path(name))?;
        let whole = Cursor::new(magic).take(len as u64).chain(raw);
        let is_plain = magic[..len] != GZIP_MAGIC;
        let reader: Box<dyn Read + 'a> =
            if is_plain { Box::new(whole) } else { Box::new(MultiGzDecoder::new(whole)) };
        Ok(Self { reader, read_bytes, name, is_plain })
    }

    /// A text that is not gzipped, whatever its first bytes, from its byte `offset` on.
    fn plain(raw: Box<dyn Read + 'a>, offset: u64, name: &'a Path) -> Self {
        let read_bytes = Arc::new(AtomicU64::new(offset));
        let reader = Box::new(Counted { inner: raw, read_bytes: Arc::clone(&read_bytes) });
        Self { reader, read_bytes, name, is_plain: true }
    }

    /// Skips the next `len_bytes` bytes.
    fn skip(&mut self, len_bytes: u64) -> Result<()> {
        let mut buffer = vec![0; SKIP_STEP_BYTES];
        let mut left = len_bytes;
        while left > 0 {
            let step = smaller(left, buffer.len());
            if self.fill(&mut buffer[..step])? < step {
                return Err(ended_before(len_bytes, self.name));
            }
            left -= step as u64;
        }
        Ok(())
    }

    /// Fills `into` as far as the text reaches; fewer bytes mean the end.
    pub(super) fn fill(&mut self, into: &mut [u8]) -> Result<usize> {
        read_full(&mut self.reader, into).map_err(|error| Error::io("read", error).path(self.name))
    }

    pub(super) fn name(&self) -> &Path {
        self.name
    }

    /// The bytes read so far of the file on disk.
    pub(super) fn read_bytes(&self) -> u64 {
        self.read_bytes.load(Ordering::Relaxed)
    }
}

struct Counted<R> {
    inner: R,
    read_bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.inner.read(into)?;
        self.read_bytes.fetch_add(read as u64, Ordering::Relaxed);
        Ok(read)
    }
}

/// Reads until `into` is full or the reader ends.
fn read_full(reader: &mut impl Read, into: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match reader.read(&mut into[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}
