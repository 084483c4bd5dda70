//! The arrays in a .npz file, which is a zip archive.
//!
//! The crate `zip` reads the archive's directory. The entries are read here, several at a time,
//! each from its own place.

use std::io::Read;

use flate2::Crc;
use flate2::read::DeflateDecoder;

use super::rows::Stream;
use crate::error::{Error, ErrorKind, Result, nearest, quoted};
use crate::exchange::input::{Places, PlacesReader};

/// More arrays are refused: each needs a buffer.
const ENTRIES_MAX: usize = 10_000;
const ENDING: &str = ".npy";

/// An array in the archive.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// The name, without its ending.
    pub(super) name: String,
    pub(super) is_stored: bool,
    /// The place of its bytes in the archive.
    pub(super) start: u64,
    end: u64,
    len_bytes: u64,
    crc: u32,
}

/// The arrays of an archive, in its order.
pub(super) fn entries(places: &Places) -> Result<Vec<Entry>> {
    let bad = |why: String| Error::new(ErrorKind::InvalidValue, "read").detail(why);
    let unreadable = |error: zip::result::ZipError| match error {
        zip::result::ZipError::Io(error) if error.kind() != std::io::ErrorKind::UnexpectedEof => {
            Error::io("read", error)
        }
        other => bad(format!("it is no zip archive, or a damaged one: {other}"))
            .advice("give a file that numpy.savez wrote, or copy it again"),
    };
    let reader = places.reader(0, places.len_bytes());
    let mut archive = zip::ZipArchive::new(reader).map_err(unreadable)?;
    if archive.len() > ENTRIES_MAX {
        let why = format!("it has {} entries, more than {ENTRIES_MAX}", archive.len());
        return Err(bad(why).advice("save the arrays to several files"));
    }
    let mut entries = Vec::new();
    for number in 0..archive.len() {
        let file = archive.by_index_raw(number).map_err(unreadable)?;
        let Some(name) = file.name().strip_suffix(ENDING) else { continue };
        let about = |why: &str| {
            bad(format!("array {}: it is {why}", quoted(name)))
                .advice("write it again with numpy.savez or numpy.savez_compressed")
        };
        if file.encrypted() {
            return Err(about("encrypted"));
        }
        let is_stored = match file.compression() {
            zip::CompressionMethod::Stored => true,
            zip::CompressionMethod::Deflated => false,
            other => return Err(about(&format!("compressed by {other}"))),
        };
        let start = file.data_start();
        let start = start.ok_or_else(|| about("at no place"))?;
        let end = start.checked_add(file.compressed_size());
        let end = end.filter(|&end| end <= places.len_bytes());
        let end = end.ok_or_else(|| about("cut short"))?;
        let (len_bytes, crc) = (file.size(), file.crc32());
        entries.push(Entry { name: name.to_owned(), is_stored, start, end, len_bytes, crc });
    }
    match entries.is_empty() {
        false => Ok(entries),
        true => Err(bad("it has no array: no entry ends in .npy".into())
            .advice("give a file that numpy.savez wrote")),
    }
}

/// The array with that name.
pub(super) fn named<'e>(entries: &'e [Entry], name: &str) -> Result<&'e Entry> {
    let name = name.strip_suffix(ENDING).unwrap_or(name);
    entries.iter().find(|entry| entry.name == name).ok_or_else(|| {
        let names = || entries.iter().map(|entry| &*entry.name);
        let advice = match nearest(name, names()) {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => {
                let names: Vec<String> = names().take(10).map(quoted).collect();
                format!("it has {}", names.join(", "))
            }
        };
        let why = format!("no array {}", quoted(name));
        Error::new(ErrorKind::InvalidArgument, "read").detail(why).advice(advice)
    })
}

/// The bytes of an entry.
pub(super) struct EntryStream {
    reader: Reader,
    name: String,
    sum: Crc,
    entry: Entry,
}

enum Reader {
    Stored(PlacesReader),
    Deflated(Box<DeflateDecoder<PlacesReader>>),
}

impl EntryStream {
    pub(super) fn new(places: &Places, entry: &Entry) -> Self {
        let reader = places.reader(entry.start, entry.end);
        let reader = match entry.is_stored {
            true => Reader::Stored(reader),
            false => Reader::Deflated(Box::new(DeflateDecoder::new(reader))),
        };
        Self { reader, name: entry.name.clone(), sum: Crc::new(), entry: entry.clone() }
    }

    fn damaged(&self, why: &str) -> Error {
        Error::new(ErrorKind::InvalidValue, "read")
            .detail(format!("array {}: {why}", quoted(&self.name)))
            .advice("copy the file again, or save it again")
    }
}

impl Stream for EntryStream {
    fn fill(&mut self, into: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while filled < into.len() {
            let read = match &mut self.reader {
                Reader::Stored(reader) => reader.read(&mut into[filled..]),
                Reader::Deflated(reader) => reader.read(&mut into[filled..]),
            };
            match read {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.raw_os_error().is_some() => {
                    return Err(Error::io("read", error));
                }
                Err(error) => return Err(self.damaged(&format!("damaged data: {error}"))),
            }
        }
        self.sum.update(&into[..filled]);
        Ok(filled)
    }

    fn read_bytes(&self) -> u64 {
        match &self.reader {
            Reader::Stored(reader) => reader.done_bytes(),
            Reader::Deflated(reader) => reader.get_ref().done_bytes(),
        }
    }

    fn check_end(&mut self) -> Result<()> {
        let (sum, len) = (self.sum.sum(), self.sum.amount());
        if sum != self.entry.crc || len != self.entry.len_bytes as u32 {
            return Err(self.damaged("its checksum does not match its bytes"));
        }
        Ok(())
    }
}
