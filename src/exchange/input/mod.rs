//! The source of a text: a file, bytes in memory, or a stream; compressed or not.
//!
//! ```text
//! Raw (bytes on disk) -> Unpacker (if compressed) -> Utf16 (if UTF-16) -> Text -> blocks of rows
//! ```
//!
//! The first bytes alone decide, at each of the first two arrows ([`kind`]). No name of a file
//! does. Memory does not grow with the text.
//!
//! Inference reads its text before the load does, or with it. Files and bytes can be read any
//! number of times; a stream is first copied to a temporary file ([`Input::spool`]), or inference
//! looks only at its first rows, which stay in memory for the load.

mod kind;
mod places;
mod raw;
mod text;
mod unpack;
mod utf16;

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
use crate::number::smaller;
use crate::os;
pub(super) use places::{Places, PlacesReader};
use raw::read_full;
pub(super) use text::Text;

/// The bytes of a stream that are spooled between two progress reports.
const SPOOL_STEP_BYTES: usize = 1 << 20;

/// A text to read: UTF-8, or UTF-16 with a byte order mark; plain, or compressed by gzip, zstd, xz
/// or bzip2. The first bytes tell which, whatever the name.
///
/// Compressed data may consist of several parts (members, frames, streams), whose texts follow one
/// another, and zeros after them are ignored. Damaged or truncated data, or other bytes after their
/// end, are an error at the place where a read meets them. So are data that need a window of more
/// than 128 MiB (`zstd --long=31`).
///
/// A read refuses what is recognised as another kind of file, such as an Excel workbook or a
/// flatrec store, and says what to do with it.
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

    /// The length in bytes of the input on disk, compressed if the text is; `None` for a stream.
    pub fn total_bytes(&self) -> Option<u64> {
        self.total_bytes
    }
}

impl Input {
    /// The text from its start, decompressed and in UTF-8; it counts the bytes read of the file on
    /// disk.
    ///
    /// With `keep`, a stream can be read from its start once more: the bytes read now stay in
    /// memory.
    pub(super) fn read(&mut self, keep: bool) -> Result<Text<'_>> {
        self.read_by(keep, Text::new)
    }

    /// As [`Input::read`], the bytes of a file that is not text.
    pub(super) fn read_bytes(&mut self, keep: bool) -> Result<Text<'_>> {
        self.read_by(keep, Text::of_bytes)
    }

    /// The bytes of the input at any place, as they are on disk.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] for a stream.
    pub(super) fn places(&self) -> Result<Places> {
        let fail = |error| Error::io("open", error).path(&self.name);
        match &self.source {
            Source::File(file) => Places::of_file(file.try_clone().map_err(fail)?).map_err(fail),
            Source::Bytes(bytes) => Ok(Places::of_bytes(Arc::clone(bytes))),
            Source::Stream { .. } => Err(Error::new(ErrorKind::InvalidArgument, "read")
                .path(&self.name)
                .detail("this format is read from several places, which a stream does not allow")
                .advice("spool it to a file first")),
        }
    }

    fn read_by<'a>(
        &'a mut self,
        keep: bool,
        read: fn(Box<dyn Read + 'a>, &'a Path) -> Result<Text<'a>>,
    ) -> Result<Text<'a>> {
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
                    return read(Box::new(KeptStream { head, position: 0, rest }), name);
                };
                Box::new(Cursor::new(std::mem::take(head)).chain(taken))
            }
        };
        read(raw, name)
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
        if !self.read(true)?.is_plain() {
            let mut text = self.read(true)?;
            text.skip(offset)?;
            return Ok(text);
        }
        let Self { name, source, total_bytes } = self;
        if total_bytes.is_some_and(|total| total < offset) {
            return Err(text::ended_before(offset, name));
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
        Ok(Text::plain_from(raw, offset, name))
    }
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
