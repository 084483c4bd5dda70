//! The kind of an input by its first bytes.
//!
//! A kind is recognised only by bytes with which no text begins that could be CSV: they are not
//! UTF-8, or contain control characters. (HTML is an exception, because servers send it in place
//! of a file.)

use crate::format::SUM_MAGIC;
use crate::io::{STORE_MAGIC, begins_like_a_lock_file};

/// As many bytes decide; a tar archive has its magic after the first 257.
pub(super) const HEAD_BYTES: usize = 512;
/// Fewer pairs of bytes do not show that a text is in UTF-16.
const UTF16_PAIRS_MIN: usize = 2;

/// What an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// UTF-8, or anything that is not recognised.
    Text,
    /// UTF-16 after its byte order mark.
    Utf16(ByteOrder),
    Packed(Packing),
    /// What it is, and what to do with it.
    Other(&'static str, &'static str),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ByteOrder {
    Little,
    Big,
}

/// A kind of compressed data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Packing {
    Gzip,
    Zstd,
    Xz,
    Bzip2,
}

impl Packing {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Gzip => "gzip",
            Self::Zstd => "zstd",
            Self::Xz => "xz",
            Self::Bzip2 => "bzip2",
        }
    }

    /// The kind of the data that begin with `head`; `None` for other bytes. `head` is shorter than
    /// [`HEAD_BYTES`] only if it is all there is.
    pub(super) fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0x1f, 0x8b, ..] => Some(Self::Gzip),
            [0x28, 0xb5, 0x2f, 0xfd, ..] => Some(Self::Zstd),
            // A frame to skip, with which the output of pzstd begins.
            [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Some(Self::Zstd),
            [0xfd, b'7', b'z', b'X', ..] => Some(Self::Xz),
            [b'B', b'Z', b'h', b'1'..=b'9', block @ ..] if is_bzip2_block(block) => {
                Some(Self::Bzip2)
            }
            _ => None,
        }
    }
}

/// Whether bytes begin like a block of bzip2, or like its end. The magic before it is text, so cut
/// data count only if a part of the block's is there.
fn is_bzip2_block(bytes: &[u8]) -> bool {
    const BLOCK: &[u8] = b"1AY&SY";
    const END: &[u8] = b"\x17\x72\x45\x38\x50\x90";
    let len = bytes.len().min(BLOCK.len());
    len > 0 && (BLOCK[..len] == bytes[..len] || END[..len] == bytes[..len])
}

const UNPACK: &str = "decompress it first";
const EXTRACT: &str = "extract the CSV file from it first";
const EXPORT: &str = "open it in a spreadsheet program and save the sheet as CSV";
const CONVERT: &str = "write it as CSV first, with a program that reads it";
const OF_ARROW: &str = match cfg!(feature = "arrow") {
    true => "read it with a TableReader and InputFormat::Arrow",
    false => "build with the feature `arrow` to read it, or write it as CSV first",
};
const OF_PARQUET: &str = match cfg!(feature = "parquet") {
    true => "read it with a TableReader and InputFormat::Parquet",
    false => "build with the feature `parquet` to read it, or write it as CSV first",
};
const OF_STORE: &str = "give a CSV file: the records of a store can be exported as CSV";
const RECODE: &str = "convert it to UTF-8 first";

/// Files that begin with these bytes.
const OTHERS: &[(&[u8], &str, &str)] = &[
    (&STORE_MAGIC, "a flatrec store", OF_STORE),
    (b"\x89FLATWAL", "the log of a flatrec store", OF_STORE),
    (&SUM_MAGIC, "the checksums of a flatrec store", OF_STORE),
    (b"PK\x05\x06", "an empty zip archive", EXTRACT),
    (b"PK\x07\x08", "a zip archive", EXTRACT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office document, such as Excel's xls", EXPORT),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV: sqlite3 -csv -header"),
    (b"ARROW1\0\0", "an Arrow file (Feather, version 2)", OF_ARROW),
    (b"\xff\xff\xff\xff", "a stream of Arrow", OF_ARROW),
    (b"FEA1\0\0\0\0", "a Feather file, version 1", CONVERT),
    (b"\x89HDF\r\n\x1a\n", "an HDF5 file", CONVERT),
    (b"\x93NUMPY", "a numpy array", "read it with a TableReader and InputFormat::Npy"),
    (b"Obj\x01", "an Avro file", CONVERT),
    (b"%PDF-", "a PDF document", "ask for the table as CSV"),
    (b"\x7fELF", "a program", "give a CSV file"),
    (b"MZ\x90\0", "a program", "give a CSV file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", EXTRACT),
    (b"Rar!\x1a\x07", "a rar archive", EXTRACT),
    (b"\x04\x22\x4d\x18", "compressed by lz4", UNPACK),
    (b"LZIP\x01", "compressed by lzip", UNPACK),
    (b"\x1f\x9d", "compressed by compress", UNPACK),
    (b"\x5d\0\0", "compressed as lzma", UNPACK),
    (b"\xff\xfe\0\0", "in UTF-32", RECODE),
    (b"\0\0\xfe\xff", "in UTF-32", RECODE),
];

/// The kind of an input, by its first [`HEAD_BYTES`] bytes, or by all of a shorter one.
pub(super) fn kind_of(head: &[u8]) -> Kind {
    if let Some(packing) = Packing::of(head) {
        return Kind::Packed(packing);
    }
    if let Some((_, what, advice)) = OTHERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return Kind::Other(what, advice);
    }
    match head {
        [0xff, 0xfe, ..] => Kind::Utf16(ByteOrder::Little),
        [0xfe, 0xff, ..] => Kind::Utf16(ByteOrder::Big),
        _ => other(head).map_or(Kind::Text, |(what, advice)| Kind::Other(what, advice)),
    }
}

/// What is not shown by a few bytes at the start alone, and what to do with it.
fn other(head: &[u8]) -> Option<(&'static str, &'static str)> {
    if head.starts_with(b"PK\x03\x04") {
        return Some(zip(head));
    }
    // The letters alone could be a name in a header.
    if let [b'P', b'A', b'R', b'1' | b'E', 0..=8 | 0x0e..=0x1f, ..] = head {
        return Some(("a Parquet file", OF_PARQUET));
    }
    if head.get(257..).is_some_and(|at| at.starts_with(b"ustar")) {
        return Some(("a tar archive", EXTRACT));
    }
    if begins_like_a_lock_file(head) && head.len() > 64 {
        return Some(("the lock file of a flatrec store", OF_STORE));
    }
    if is_html(head) {
        return Some((
            "a page of HTML",
            "look at it: a server may have sent it in place of the file",
        ));
    }
    if is_utf16_without_mark(head) {
        return Some(("in UTF-16, without a byte order mark", RECODE));
    }
    None
}

/// What a zip archive is, by the names of its first entries.
fn zip(head: &[u8]) -> (&'static str, &'static str) {
    let has = |name: &[u8]| head.windows(name.len()).any(|window| window == name);
    if has(b"xl/") || has(b"[Content_Types].xml") {
        ("an Excel workbook (xlsx)", EXPORT)
    } else if has(b"opendocument.spreadsheet") {
        ("an OpenDocument spreadsheet (ods)", EXPORT)
    } else if has(b".npy") {
        ("numpy arrays in a zip archive", "read it with a TableReader and InputFormat::Npz")
    } else {
        ("a zip archive", EXTRACT)
    }
}

fn is_html(head: &[u8]) -> bool {
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    [&b"<!doctype html"[..], b"<html"]
        .iter()
        .any(|tag| text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag)))
}

/// Whether every second byte is mostly NUL, and no other byte: Latin text in UTF-16.
fn is_utf16_without_mark(head: &[u8]) -> bool {
    let pairs = head.len() / 2;
    let nuls = |at: usize| head.chunks_exact(2).filter(|pair| pair[at] == 0).count();
    let (first, second) = (nuls(0), nuls(1));
    pairs >= UTF16_PAIRS_MIN && first.min(second) == 0 && 2 * first.max(second) > pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_is_told_by_its_first_bytes() {
        let cases: [(&[u8], Kind); 7] = [
            (b"\x1f\x8b\x08", Kind::Packed(Packing::Gzip)),
            (b"\x28\xb5\x2f\xfd\0", Kind::Packed(Packing::Zstd)),
            (b"\x51\x2a\x4d\x18\0", Kind::Packed(Packing::Zstd)),
            (b"\xfd7zXZ\0", Kind::Packed(Packing::Xz)),
            (b"BZh91AY&SY", Kind::Packed(Packing::Bzip2)),
            (b"\xff\xfea\0", Kind::Utf16(ByteOrder::Little)),
            (b"\xfe\xff\0a", Kind::Utf16(ByteOrder::Big)),
        ];
        for (head, kind) in cases {
            assert_eq!(kind_of(head), kind, "{head:?}");
        }
    }

    /// Finds a table that is refused because a name in its header is like a magic.
    #[test]
    fn names_in_a_header_are_text() {
        for head in [
            "BZh9,a\n1,2\n",
            "BZh9",
            "BZh",
            "PAR1,a\n1,2\n",
            "PAR1\n1\n",
            "ARROW1,b\n",
            "FEA1\n",
            "Obj,a\n",
            "MZ,a\n",
            "PK,a\n",
            "7z,a\n",
            "LZIP,a\n",
            "Rar!,a\n",
            "SQLite format 3,b\n",
            "(,a\n",
            "]\n",
            "",
            "a",
            "a\0b\n",
            "\u{feff}a,b\n",
            "<a>,<b>\n",
            "ustar\n",
            "ÿþ\n",
        ] {
            assert_eq!(kind_of(head.as_bytes()), Kind::Text, "{head:?}");
        }
    }
}
