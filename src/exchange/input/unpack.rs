//! Compressed data as the bytes in them.
//!
//! Each part (a member of gzip, a frame of zstd, a stream of xz or bzip2) has a decoder of its own,
//! so that this file decides what may stand between two of them and after the last: zeros, and
//! nothing else.

use std::io::{self, BufRead, Read};
use std::rc::Rc;

use super::kind::{HEAD_BYTES, Packing};
use super::raw::{Counts, Raw};
use crate::error::{Error, ErrorKind, Result};

/// The largest window of xz. zstd has the same by default.
const WINDOW_BYTES_MAX: u32 = 128 << 20;
/// The memory of a decoder of xz beside its window, at most, in KiB.
const XZ_EXTRA_KIB: u32 = 1 << 10;

/// Reads the bytes in compressed data.
pub(super) struct Unpacker<'a> {
    packing: Packing,
    state: State<'a>,
    /// Bytes that were looked at before they are read.
    head: Vec<u8>,
    counts: Rc<Counts>,
}

enum State<'a> {
    /// Before the first part, between two, or after the last.
    Between(Raw<'a>),
    Within(Box<Decoder<'a>>),
    Ended,
    Failed,
}

enum Decoder<'a> {
    Gzip(flate2::bufread::GzDecoder<Raw<'a>>),
    Zstd(zstd::stream::read::Decoder<'static, Raw<'a>>),
    Xz(Box<lzma_rust2::XzReader<Raw<'a>>>),
    Bzip2(bzip2::bufread::BzDecoder<Raw<'a>>),
}

impl<'a> Decoder<'a> {
    /// A decoder for the part that begins with the next byte of `raw`.
    fn new(packing: Packing, raw: Raw<'a>) -> io::Result<Self> {
        Ok(match packing {
            Packing::Gzip => Self::Gzip(flate2::bufread::GzDecoder::new(raw)),
            Packing::Zstd => {
                Self::Zstd(zstd::stream::read::Decoder::with_buffer(raw)?.single_frame())
            }
            Packing::Xz => {
                let kib_max = (WINDOW_BYTES_MAX >> 10) + XZ_EXTRA_KIB;
                Self::Xz(Box::new(lzma_rust2::XzReader::new_mem_limit(raw, false, kib_max)))
            }
            Packing::Bzip2 => Self::Bzip2(bzip2::bufread::BzDecoder::new(raw)),
        })
    }

    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Gzip(decoder) => decoder.read(into),
            Self::Zstd(decoder) => decoder.read(into),
            Self::Xz(decoder) => decoder.read(into),
            Self::Bzip2(decoder) => decoder.read(into),
        }
    }

    /// The rest of the input after this part.
    fn into_raw(self) -> Raw<'a> {
        match self {
            Self::Gzip(decoder) => decoder.into_inner(),
            Self::Zstd(decoder) => decoder.finish(),
            Self::Xz(decoder) => decoder.into_inner(),
            Self::Bzip2(decoder) => decoder.into_inner(),
        }
    }
}

impl<'a> Unpacker<'a> {
    pub(super) fn new(packing: Packing, raw: Raw<'a>, counts: Rc<Counts>) -> Self {
        Self { packing, state: State::Between(raw), head: Vec::new(), counts }
    }

    pub(super) fn packing(&self) -> Packing {
        self.packing
    }

    /// The first `len` bytes, which the first read gives again; fewer if these are all.
    pub(super) fn peek_first(&mut self, len: usize) -> Result<&[u8]> {
        let mut head = vec![0; len];
        let mut filled = 0;
        while filled < len {
            match self.read(&mut head[filled..])? {
                0 => break,
                read => filled += read,
            }
        }
        head.truncate(filled);
        self.head = head;
        Ok(&self.head)
    }

    /// Reads at least one byte, or none at the end.
    ///
    /// # Errors
    /// An error of reading the input; [`ErrorKind::Truncated`] and [`ErrorKind::Corrupt`], with the
    /// place in the input, if the data are so; [`ErrorKind::InvalidValue`] if they need too large a
    /// window.
    pub(super) fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        if !self.head.is_empty() {
            let len = self.head.len().min(into.len());
            into[..len].copy_from_slice(&self.head[..len]);
            self.head.drain(..len);
            return Ok(len);
        }
        loop {
            match std::mem::replace(&mut self.state, State::Failed) {
                State::Between(raw) => {
                    self.state = match self.next_part(raw)? {
                        Some(decoder) => State::Within(Box::new(decoder)),
                        None => State::Ended,
                    };
                }
                State::Within(mut decoder) => match decoder.read(into) {
                    Ok(0) => self.state = State::Between(decoder.into_raw()),
                    Ok(read) => {
                        self.state = State::Within(decoder);
                        return Ok(read);
                    }
                    Err(error) => return Err(self.fault(error)),
                },
                State::Ended => {
                    self.state = State::Ended;
                    return Ok(0);
                }
                State::Failed => return Err(self.corrupt("an earlier read failed".into())),
            }
        }
    }

    /// The decoder of the next part; `None` after the last.
    fn next_part(&self, mut raw: Raw<'a>) -> Result<Option<Decoder<'a>>> {
        loop {
            let ahead = raw.fill_buf().map_err(|error| self.fault(error))?;
            let zeros = ahead.iter().take_while(|&&byte| byte == 0).count();
            let is_all = zeros == ahead.len();
            if ahead.is_empty() {
                return Ok(None);
            }
            raw.consume(zeros);
            if !is_all {
                break;
            }
        }
        let head = raw.peek(HEAD_BYTES).map_err(|error| self.fault(error))?;
        if Packing::of(head) != Some(self.packing) {
            let name = self.packing.name();
            return Err(self
                .corrupt(format!("other bytes follow the end of the {name} data"))
                .advice("decompress the file first, if these bytes do not matter"));
        }
        Decoder::new(self.packing, raw).map(Some).map_err(|error| self.fault(error))
    }

    /// The error of a decoder, or one of the input that came through it.
    fn fault(&self, error: io::Error) -> Error {
        let name = self.packing.name();
        if self.counts.has_failed() {
            return Error::io("read", error);
        }
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Error::new(ErrorKind::Truncated, "decompress")
                .offset(self.counts.position())
                .detail(format!("the {name} data end too early"))
                .advice("the file is not whole: get it again"),
            _ if needs_memory(&error) => Error::new(ErrorKind::InvalidValue, "decompress")
                .offset(self.counts.position())
                .detail(format!(
                    "the {name} data need a window of more than {} MiB",
                    WINDOW_BYTES_MAX >> 20
                ))
                .advice("decompress the file first"),
            _ => self.corrupt(format!("the {name} data are damaged: {error}")),
        }
    }

    fn corrupt(&self, detail: String) -> Error {
        Error::new(ErrorKind::Corrupt, "decompress")
            .offset(self.counts.position())
            .detail(detail)
            .advice("get the file again, or from its maker")
    }
}

/// Whether a decoder refuses data for the memory they need. That of zstd says so only in words.
fn needs_memory(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::OutOfMemory
        || error.to_string().contains("requires too much memory")
}
