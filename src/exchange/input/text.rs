//! The text of an input during a read.

use std::io::Read;
use std::path::Path;
use std::rc::Rc;

use super::kind::{HEAD_BYTES, Kind, Packing, kind_of};
use super::raw::{Counts, Raw};
use super::unpack::Unpacker;
use super::utf16::Utf16;
use crate::error::{Error, ErrorKind, Result};
use crate::number::smaller;

/// The bytes that are skipped at a time, of a text that cannot be read from its middle.
const SKIP_STEP_BYTES: usize = 64 << 10;
/// The length of a byte order mark of UTF-16.
const UTF16_MARK_BYTES: usize = 2;

/// The text of an input, in UTF-8 as far as it is known to be text.
pub(in crate::exchange) struct Text<'a> {
    bytes: Bytes<'a>,
    utf16: Option<Utf16>,
    counts: Rc<Counts>,
    name: &'a Path,
}

enum Bytes<'a> {
    Plain(Raw<'a>),
    Packed(Unpacker<'a>),
}

impl<'a> Text<'a> {
    /// The text that `raw`, the whole input, is or has in it.
    ///
    /// # Errors
    /// An error of reading or decompressing; [`ErrorKind::InvalidValue`] for an input that is
    /// recognised as something other than text.
    pub(super) fn new(raw: Box<dyn Read + 'a>, name: &'a Path) -> Result<Self> {
        let counts = Counts::from_offset(0);
        let mut raw = Raw::new(raw, Rc::clone(&counts));
        let head = raw.peek(HEAD_BYTES).map_err(|error| Error::io("read", error).path(name))?;
        let mut kind = kind_of(head);
        let mut bytes = match kind {
            Kind::Packed(packing) => Bytes::Packed(Unpacker::new(packing, raw, Rc::clone(&counts))),
            _ => Bytes::Plain(raw),
        };
        if let Bytes::Packed(unpacker) = &mut bytes {
            kind = kind_of(unpacker.peek_first(HEAD_BYTES).map_err(|error| error.path(name))?);
        }
        let utf16 = match kind {
            Kind::Text => None,
            Kind::Utf16(order) => Some(Utf16::new(order)),
            Kind::Packed(again) => {
                let what = format!("compressed twice ({} in {})", again.name(), bytes.packing());
                return Err(refused(&what, "decompress it once first").path(name));
            }
            Kind::Other(what, advice) => {
                let what = match &bytes {
                    Bytes::Plain(_) => what.to_owned(),
                    Bytes::Packed(_) => format!("{what}, compressed by {}", bytes.packing()),
                };
                return Err(refused(&what, advice).path(name));
            }
        };
        let mut text = Self { bytes, utf16: None, counts, name };
        if utf16.is_some() {
            text.fill(&mut [0; UTF16_MARK_BYTES])?;
        }
        Ok(Self { utf16, ..text })
    }

    /// The bytes that `raw`, the whole input, is or has in it, if it is compressed.
    ///
    /// # Errors
    /// An error of reading or decompressing.
    pub(super) fn of_bytes(raw: Box<dyn Read + 'a>, name: &'a Path) -> Result<Self> {
        let counts = Counts::from_offset(0);
        let mut raw = Raw::new(raw, Rc::clone(&counts));
        let head = raw.peek(HEAD_BYTES).map_err(|error| Error::io("read", error).path(name))?;
        let bytes = match Packing::of(head) {
            Some(packing) => Bytes::Packed(Unpacker::new(packing, raw, Rc::clone(&counts))),
            None => Bytes::Plain(raw),
        };
        Ok(Self { bytes, utf16: None, counts, name })
    }

    /// Whether a byte order mark came before the text, which has none then.
    pub(in crate::exchange) fn had_mark(&self) -> bool {
        self.utf16.is_some()
    }

    /// A plain text from its byte `offset` on, whatever bytes come next.
    pub(super) fn plain_from(raw: Box<dyn Read + 'a>, offset: u64, name: &'a Path) -> Self {
        let counts = Counts::from_offset(offset);
        let bytes = Bytes::Plain(Raw::new(raw, Rc::clone(&counts)));
        Self { bytes, utf16: None, counts, name }
    }

    /// Whether the text is that of the file on disk, byte by byte.
    pub(in crate::exchange) fn is_plain(&self) -> bool {
        matches!(self.bytes, Bytes::Plain(_)) && self.utf16.is_none()
    }

    /// Skips the next `len_bytes` bytes.
    pub(super) fn skip(&mut self, len_bytes: u64) -> Result<()> {
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
    pub(in crate::exchange) fn fill(&mut self, into: &mut [u8]) -> Result<usize> {
        let Self { bytes, utf16, name, .. } = self;
        let filled = match utf16 {
            None => bytes.fill(into),
            Some(utf16) => fill(into, |rest| utf16.read(rest, |encoded| bytes.fill(encoded))),
        };
        filled.map_err(|error| error.path(name))
    }

    pub(in crate::exchange) fn name(&self) -> &Path {
        self.name
    }

    /// The bytes read so far of the file on disk.
    pub(in crate::exchange) fn read_bytes(&self) -> u64 {
        self.counts.read_bytes()
    }
}

impl Bytes<'_> {
    fn packing(&self) -> &'static str {
        match self {
            Self::Plain(_) => "nothing",
            Self::Packed(unpacker) => unpacker.packing().name(),
        }
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<usize> {
        fill(into, |rest| match self {
            Self::Plain(raw) => raw.read(rest).map_err(|error| Error::io("read", error)),
            Self::Packed(unpacker) => unpacker.read(rest),
        })
    }
}

/// Calls `read` until `into` is full, or `read` gives nothing.
fn fill(into: &mut [u8], mut read: impl FnMut(&mut [u8]) -> Result<usize>) -> Result<usize> {
    let mut filled = 0;
    while filled < into.len() {
        match read(&mut into[filled..])? {
            0 => break,
            len => filled += len,
        }
    }
    Ok(filled)
}

fn refused(what: &str, advice: &'static str) -> Error {
    Error::new(ErrorKind::InvalidValue, "read")
        .detail(format!("the file is {what}, not CSV"))
        .advice(advice)
}

pub(super) fn ended_before(offset: u64, name: &Path) -> Error {
    Error::new(ErrorKind::Truncated, "resume reading")
        .path(name)
        .detail(format!("the text ends before its byte {offset}"))
        .advice("start again from the beginning")
}
