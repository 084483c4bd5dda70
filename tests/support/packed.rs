//! Compressed data, as the usual programs write them.

use std::io::Write as _;

/// A way to compress.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packer {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Packer {
    pub(crate) const ALL: [Self; 4] = [Self::Gzip, Self::Zstd, Self::Xz, Self::Bzip2];

    /// Compresses `bytes` as one member, frame or stream.
    pub(crate) fn pack(self, bytes: &[u8]) -> Vec<u8> {
        match self {
            Self::Gzip => {
                let mut into = flate2::write::GzEncoder::new(Vec::new(), Default::default());
                into.write_all(bytes).unwrap();
                into.finish().unwrap()
            }
            Self::Zstd => {
                let mut into = zstd::Encoder::new(Vec::new(), 3).unwrap();
                into.include_checksum(true).unwrap();
                into.write_all(bytes).unwrap();
                into.finish().unwrap()
            }
            Self::Xz => {
                let options = lzma_rust2::XzOptions::with_preset(0);
                let mut into = lzma_rust2::XzWriter::new(Vec::new(), options).unwrap();
                into.write_all(bytes).unwrap();
                into.finish().unwrap()
            }
            Self::Bzip2 => {
                let mut into = bzip2::write::BzEncoder::new(Vec::new(), Default::default());
                into.write_all(bytes).unwrap();
                into.finish().unwrap()
            }
        }
    }
}

/// A text in UTF-16 after its byte order mark.
pub(crate) fn utf16(text: &str, big_endian: bool) -> Vec<u8> {
    let units = "\u{feff}".encode_utf16().chain(text.encode_utf16());
    units
        .flat_map(|unit| if big_endian { unit.to_be_bytes() } else { unit.to_le_bytes() })
        .collect()
}
