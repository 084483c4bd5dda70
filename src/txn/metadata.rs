//! The user's metadata: up to 4 GiB. Opening a store checks their checksum and does not keep them.

use std::sync::{Arc, OnceLock};

use crate::error::{Error, ErrorKind, Result};
use crate::format::{DESCRIPTORS_OFFSET, Header, Source, crc32c_append, crc32c_of};
use crate::io::Backing;
use crate::number::smaller;

/// The schema, the metadata and the annotations in a file whose first bytes were read already.
pub(crate) struct SchemaBytes<'b> {
    pub(crate) backing: &'b dyn Backing,
    /// The file's first bytes.
    pub(crate) front: &'b [u8],
    pub(crate) len_bytes: u64,
}

impl SchemaBytes<'_> {
    pub(crate) fn of<'b>(
        backing: &'b dyn Backing,
        front: &'b [u8],
        header: &Header,
    ) -> SchemaBytes<'b> {
        let len_bytes = header.end_of_description() - DESCRIPTORS_OFFSET;
        SchemaBytes { backing, front, len_bytes }
    }
}

impl Source for SchemaBytes<'_> {
    fn len_bytes(&self) -> u64 {
        self.len_bytes
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize> {
        // `at` is below 8 GiB, the most that schema, metadata and annotations take together.
        let offset = DESCRIPTORS_OFFSET + at;
        let known = usize::try_from(offset)
            .ok()
            .and_then(|start| self.front.get(start..start.checked_add(into.len())?));
        match known {
            Some(known) => into.copy_from_slice(known),
            None => return self.backing.read_at(offset, into),
        }
        Ok(into.len())
    }

    fn next_data(&self, at: u64) -> Result<u64> {
        let data = self.backing.next_data(DESCRIPTORS_OFFSET + at)?;
        Ok(data.saturating_sub(DESCRIPTORS_OFFSET).max(at))
    }
}

/// The metadata of an open store, read at the first call that asks for them.
#[derive(Debug)]
pub(crate) struct Metadata {
    backing: Arc<dyn Backing>,
    header: Header,
    bytes: OnceLock<Box<[u8]>>,
}

impl Metadata {
    /// The metadata in `backing`. `front` holds the file's first bytes, read already.
    pub(crate) fn new(backing: Arc<dyn Backing>, header: Header, front: &[u8]) -> Self {
        let found = Self { backing, header, bytes: OnceLock::new() };
        let end = usize::try_from(found.header.end_of_schema()).ok();
        let start = end.and_then(|end| end.checked_sub(found.len()?));
        if let Some(bytes) = start.zip(end).and_then(|(start, end)| front.get(start..end)) {
            found.bytes.get_or_init(|| bytes.into());
        }
        found
    }

    /// Their length, if an address space can hold so many bytes.
    fn len(&self) -> Option<usize> {
        usize::try_from(self.header.metadata_len_bytes).ok()
    }

    /// The bytes.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] if they do not fit in this process's memory;
    /// [`ErrorKind::Corrupt`] if they have changed since the store was opened; [`ErrorKind::Io`] if
    /// the operating system reports an error.
    pub(crate) fn get(&self) -> Result<&[u8]> {
        if let Some(bytes) = self.bytes.get() {
            return Ok(bytes);
        }
        let read = self.read().map_err(|error| crate::io::named(error, &*self.backing))?;
        Ok(self.bytes.get_or_init(|| read))
    }

    fn read(&self) -> Result<Box<[u8]>> {
        let header = &self.header;
        let mut bytes = Vec::new();
        let len = self.len().filter(|&len| bytes.try_reserve_exact(len).is_ok());
        let Some(len) = len else {
            return Err(Error::new(ErrorKind::Unsupported, "read the metadata of")
                .detail(format!(
                    "{} bytes do not fit in the memory of this process",
                    header.metadata_len_bytes
                ))
                .advice("read them on a machine with more memory"));
        };
        bytes.resize(len, 0);
        let source = SchemaBytes::of(&*self.backing, &[], header);
        let start = u64::from(header.schema_len_bytes);
        let got = source.read_at(start, &mut bytes)?;
        let before = crc32c_of(0, &source, 0..start)?;
        if got < len || before.map(|crc| crc32c_append(crc, &bytes)) != Some(header.schema_crc) {
            return Err(Error::new(ErrorKind::Corrupt, "read the metadata of")
                .offset(DESCRIPTORS_OFFSET + start)
                .detail("the file's metadata have changed since the store was opened")
                .advice("restore the file from a copy"));
        }
        Ok(bytes.into())
    }
}

/// The metadata for a new store.
#[derive(Clone, Debug)]
pub(crate) enum NewMetadata {
    /// These bytes.
    Bytes(Vec<u8>),
    /// The metadata of an open store, copied piece by piece.
    Of(Arc<Metadata>),
}

impl Source for NewMetadata {
    fn len_bytes(&self) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.len() as u64,
            Self::Of(metadata) => metadata.header.metadata_len_bytes.into(),
        }
    }

    fn read_at(&self, at: u64, into: &mut [u8]) -> Result<usize> {
        match self {
            Self::Bytes(bytes) => bytes.read_at(at, into),
            Self::Of(of) => {
                let left = self.len_bytes().saturating_sub(at);
                let len = smaller(left, into.len());
                let start = u64::from(of.header.schema_len_bytes);
                let source = SchemaBytes::of(&*of.backing, &[], &of.header);
                source.read_at(start + at, &mut into[..len])
            }
        }
    }

    fn next_data(&self, at: u64) -> Result<u64> {
        match self {
            Self::Bytes(_) => Ok(at),
            Self::Of(of) => {
                let start = u64::from(of.header.schema_len_bytes);
                let source = SchemaBytes::of(&*of.backing, &[], &of.header);
                Ok(source.next_data(start + at)?.saturating_sub(start).max(at))
            }
        }
    }
}
