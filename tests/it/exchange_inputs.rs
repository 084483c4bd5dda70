//! Files as people have them: compressed, in UTF-16, or not CSV at all.
#![cfg(feature = "exchange")]

use std::io::{self, Read};

use flatrec::exchange::{CsvOptions, CsvReader, CsvWriter, Input};
use flatrec::{Error, ErrorKind, Result};
use proptest::prelude::*;

use super::support::packed::{Packer, utf16};

const CSV: &str = "id,name,at\n1,Ada,2013-01-01\n2,Łukasz 𝄞,\n3,\"two\nlines\",2012-02-29\n";

/// Infers a schema from all rows, loads them, and writes them as CSV again.
fn through(input: Input) -> Result<String> {
    let mut reader = CsvReader::new(input, CsvOptions::new());
    let schema = reader.infer(None)?.schema;
    loaded(&mut reader, &schema)
}

fn loaded(reader: &mut CsvReader<'_>, schema: &flatrec::Schema) -> Result<String> {
    let mut records: Vec<u8> = Vec::new();
    reader.load(schema, &mut records)?;
    let mut csv = CsvWriter::new(Vec::new(), schema.fields(), b',');
    csv.header()?;
    for record in records.chunks_exact(schema.record_size() as usize) {
        csv.write(record)?;
    }
    Ok(String::from_utf8(csv.finish()?).unwrap())
}

fn of(bytes: impl AsRef<[u8]>) -> Result<String> {
    through(Input::from_bytes(bytes))
}

#[track_caller]
fn error_of(bytes: impl AsRef<[u8]>) -> Error {
    of(bytes).expect_err("the input was accepted")
}

/// Gives so many bytes a read.
struct Pieces(io::Cursor<Vec<u8>>, usize);

impl Read for Pieces {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let len = into.len().min(self.1);
        self.0.read(&mut into[..len])
    }
}

fn stream(bytes: Vec<u8>, piece_bytes: usize) -> Input {
    Input::from_reader("stream", Pieces(io::Cursor::new(bytes), piece_bytes))
}

/// Finds a packing that is told by the name of its file, or whose parts after the first are lost.
#[test]
fn compressed_inputs_are_read_whatever_their_name_and_in_parts() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("table.csv");
    let (first, second) = CSV.split_at(20);
    let whole = of(CSV).unwrap();
    for packer in Packer::ALL {
        let parts = [first, "", second].map(|part| packer.pack(part.as_bytes())).concat();
        for bytes in [packer.pack(CSV.as_bytes()), parts] {
            for zeros in [0, 4, 512, 200_000] {
                let padded = [&bytes[..], &vec![0; zeros]].concat();
                std::fs::write(&path, &padded).unwrap();
                let mut reader = CsvReader::new(Input::open(&path).unwrap(), CsvOptions::new());
                let schema = reader.infer(None).unwrap().schema;
                assert_eq!(loaded(&mut reader, &schema).unwrap(), whole, "{packer:?}, {zeros}");
                let report = reader.load(&schema, &mut Vec::new()).unwrap();
                assert_eq!(report.read_bytes, padded.len() as u64, "{packer:?}, {zeros}");
            }
        }
        let apart = [&packer.pack(first.as_bytes())[..], &[0; 8], &packer.pack(second.as_bytes())];
        assert_eq!(of(apart.concat()).unwrap(), whole, "{packer:?}");
    }
    // Frames that a program may skip, as pzstd writes them, before and after the others.
    let skipped = b"\x50\x2a\x4d\x18\x04\0\0\0size";
    let zstd = Packer::Zstd.pack(CSV.as_bytes());
    assert_eq!(of([skipped, &zstd[..], skipped].concat()).unwrap(), whole);
    assert_eq!(of(Packer::Bzip2.pack(b"")).unwrap_err().kind(), ErrorKind::InvalidValue);
}

/// Finds a part of a file that is taken for the whole.
#[test]
fn a_truncated_input_is_an_error_wherever_it_ends() {
    let csv = CSV.repeat(3).replacen("id,name,at\n", "", 2) + "x";
    for packer in Packer::ALL {
        let bytes = [packer.pack(csv.as_bytes()), packer.pack(b"1\n")].concat();
        let first = packer.pack(csv.as_bytes()).len();
        for end in (5..bytes.len()).filter(|end| *end != first) {
            let error = error_of(&bytes[..end]);
            let text = error.to_string();
            // A magic that is cut off is other bytes.
            let is_cut_magic = end > first && error.kind() == ErrorKind::Corrupt;
            assert!(
                is_cut_magic || error.kind() == ErrorKind::Truncated,
                "{packer:?} {end}: {text}"
            );
            assert!(text.contains(&format!("at byte {}", error.file_offset().unwrap())), "{text}");
            assert!(error.file_offset().unwrap() <= end as u64, "{packer:?} {end}: {text}");
        }
    }
    let error = error_of(&Packer::Xz.pack(CSV.as_bytes())[..90]);
    let expected = "decompress memory at byte 90: truncated: the xz data end too early (the file \
                    is not whole: get it again)";
    assert_eq!(error.to_string(), expected);
}

/// Finds damage that becomes a value.
#[test]
fn damage_is_an_error_or_changes_nothing() {
    let whole = of(CSV).unwrap();
    for packer in Packer::ALL {
        let good = packer.pack(CSV.as_bytes());
        let mut refused = 0;
        for (at, bit) in (0..good.len()).flat_map(|at| [(at, 1), (at, 0x80)]) {
            let mut bytes = good.clone();
            bytes[at] ^= bit;
            match of(&bytes) {
                Ok(text) => assert_eq!(text, whole, "{packer:?} at {at}"),
                Err(_) => refused += 1,
            }
        }
        assert!(refused > good.len(), "{packer:?}: {refused} of {}", 2 * good.len());
        let mut bytes = good.clone();
        let last = bytes.len() / 2;
        bytes[last] ^= 0x10;
        let error = error_of(&bytes);
        assert_eq!(error.kind(), ErrorKind::Corrupt, "{packer:?}: {error}");
        assert!(error.file_offset().unwrap() <= good.len() as u64, "{error}");
    }
}

/// Finds bytes after the end that are dropped without a word.
#[test]
fn other_bytes_after_the_end_are_an_error_that_names_the_place() {
    for packer in Packer::ALL {
        let good = packer.pack(CSV.as_bytes());
        for (between, garbage) in [(0, "4,x,\n"), (0, "\x1f"), (300, "4,x,\n")] {
            let zeros = vec![0; between];
            let error = error_of([&good[..], &zeros, garbage.as_bytes()].concat());
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{packer:?}: {error}");
            assert_eq!(error.file_offset(), Some((good.len() + between) as u64), "{error}");
            assert!(error.to_string().contains("other bytes follow the end of the "), "{error}");
        }
    }
}

/// Finds data of which the decoder takes as much memory as they ask for.
#[test]
fn a_window_of_more_than_128_mib_is_refused() {
    // A frame without content, with a window of 2^27 and of 2^28 bytes.
    let frame = |log: u8| [0x28, 0xb5, 0x2f, 0xfd, 0, (log - 10) << 3, 1, 0, 0];
    assert!(error_of(frame(27)).to_string().contains("no rows"));
    let text = error_of(frame(28)).to_string();
    assert!(text.contains("the zstd data need a window of more than 128 MiB"), "{text}");
    let xz = |size: u8| {
        let mut bytes = Packer::Xz.pack(CSV.as_bytes());
        // The header of the first block: sizes, flags, filter 0x21, 1 byte of properties, CRC.
        assert_eq!(bytes[12..16], [2, 0, 0x21, 1]);
        bytes[16] = size;
        let mut crc = flate2::Crc::new();
        crc.update(&bytes[12..20]);
        bytes[20..24].copy_from_slice(&crc.sum().to_le_bytes());
        of(bytes)
    };
    assert_eq!(xz(30).unwrap(), of(CSV).unwrap()); // 128 MiB
    let text = xz(31).unwrap_err().to_string();
    assert!(text.contains("the xz data need a window of more than 128 MiB"), "{text}");
    assert!(text.ends_with("(decompress the file first)"), "{text}");
}

/// An error of reading that a decoder passes on is not damage.
#[test]
fn an_error_of_reading_stays_what_it_is() {
    struct Failing(io::Cursor<Vec<u8>>);
    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.read(into)? {
                0 => Err(io::ErrorKind::PermissionDenied.into()),
                read => Ok(read),
            }
        }
    }
    // Longer than what is looked at to tell the kind, also when compressed.
    let rows = (1..3000u64).map(|n| format!("{}\n", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 1));
    let csv = format!("n\n{}", rows.collect::<String>());
    for packer in Packer::ALL {
        let mut bytes = packer.pack(csv.as_bytes());
        assert!(bytes.len() > 10_000);
        bytes.truncate(bytes.len() - 1);
        let input = Input::from_reader("pipe", Failing(io::Cursor::new(bytes)));
        let mut reader = CsvReader::new(input, CsvOptions::new());
        let error = reader.columns().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::PermissionDenied, "{packer:?}: {error}");
        assert!(error.to_string().starts_with("read pipe: "), "{error}");
    }
}

/// Finds a text in UTF-16 that is refused, or a character that changes.
#[test]
fn utf_16_with_a_mark_is_read() {
    let long = format!("{CSV}{}", "7,𝄞é\n,2001-01-01\n".repeat(30_000).replace("é\n", "é"));
    for csv in [CSV, &long] {
        let whole = of(csv).unwrap();
        for big_endian in [false, true] {
            let bytes = utf16(csv, big_endian);
            assert!(of(&bytes).unwrap() == whole, "{big_endian}");
            for packer in Packer::ALL {
                assert!(of(packer.pack(&bytes)).unwrap() == whole, "{packer:?}");
            }
        }
    }
    assert!(error_of(utf16("", true)).to_string().contains("no rows"));
}

/// Finds half a character that becomes another, or an error without the place.
#[test]
fn half_a_character_of_utf_16_is_an_error() {
    for (units, place) in [
        (&[0x61, 10, 0xd83d, 0x62][..], "line 2: byte 4 "),
        (&[0x61, 10, 10, 0xdc00, 0x62], "line 3: byte 6 "),
        (&[0x61, 10, 0xd83d], "line 2: byte 4 "),
        (&[0x61, 10, 0xd83d, 0xd83d, 0xde00], "line 2: byte 4 "),
    ] {
        let mut bytes = b"\xff\xfe".to_vec();
        bytes.extend(units.iter().flat_map(|unit: &u16| unit.to_le_bytes()));
        let error = error_of(&bytes);
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{error}");
        assert!(error.to_string().contains(place), "{error}");
        assert!(error.to_string().contains("half of a surrogate pair (0xd"), "{error}");
    }
    let mut odd = utf16("a\n1\n", false);
    odd.pop();
    let error = error_of(&odd);
    assert_eq!(error.kind(), ErrorKind::Truncated, "{error}");
    assert!(error.to_string().contains("has 7 bytes after its mark"), "{error}");
}

/// Finds another kind of file that is loaded as nonsense, or refused without a word of advice.
#[test]
fn other_kinds_of_files_are_named_with_advice() {
    let mut tar = vec![b'a'; 512];
    tar[257..262].copy_from_slice(b"ustar");
    let arrow = if cfg!(feature = "arrow") { "InputFormat::Arrow" } else { "write it as CSV" };
    let parquet =
        if cfg!(feature = "parquet") { "InputFormat::Parquet" } else { "write it as CSV" };
    let cases: [(&[u8], &str, &str); 22] = [
        (b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0[Content_Types].xml", "Excel workbook (xlsx)", "CSV"),
        (b"PK\x03\x04\x14\0\0\0xl/workbook.xml", "Excel workbook (xlsx)", "save the sheet as CSV"),
        (b"PK\x03\x04mimetypeapplication/vnd.oasis.opendocument.spreadsheet", "(ods)", "CSV"),
        (b"PK\x03\x04\x14\0n.npy\x93NUMPY", "numpy arrays in a zip", "InputFormat::Npz"),
        (b"PK\x03\x04\x14\0data.csv", "a zip archive", "extract the CSV file"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "Excel's xls", "save the sheet as CSV"),
        (b"PAR1\x15\x04\x15\x10", "a Parquet file", parquet),
        (b"SQLite format 3\0\x10\0", "an SQLite database", "sqlite3 -csv"),
        (b"ARROW1\0\0\xff\xff", "an Arrow file", arrow),
        (b"FEA1\0\0\0\0", "a Feather file", "write it as CSV"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file", "write it as CSV"),
        (b"\x93NUMPY\x01\0", "a numpy array", "InputFormat::Npy"),
        (b"%PDF-1.7\n", "a PDF document", "ask for the table as CSV"),
        (b"\x7fELF\x02", "a program", "give a CSV file"),
        (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "extract the CSV file"),
        (b"\x04\x22\x4d\x18", "compressed by lz4", "decompress it first"),
        (b"\n <!DOCTYPE html>\n<html>", "a page of HTML", "a server may have sent it"),
        (b"a\0,\0b\0\n\x001\0", "in UTF-16, without a byte order mark", "UTF-8"),
        (b"\0a\0,\0b\0\n", "in UTF-16, without a byte order mark", "UTF-8"),
        (b"\xff\xfe\0\0a\0\0\0", "in UTF-32", "UTF-8"),
        (b"\x89FLATSUM", "the checksums of a flatrec store", "exported as CSV"),
        (&tar, "a tar archive", "extract the CSV file"),
    ];
    for (bytes, what, advice) in cases {
        let error = error_of(bytes);
        let text = error.to_string();
        assert_eq!(error.kind(), ErrorKind::InvalidValue, "{text}");
        assert!(text.contains(what) && text.contains(", not CSV ("), "{what}: {text}");
        assert!(text.contains(advice), "{advice}: {text}");
        for packer in Packer::ALL {
            let text = error_of(packer.pack(bytes)).to_string();
            assert!(text.contains(what) && text.contains(", compressed by "), "{text}");
        }
    }
    let twice = Packer::Gzip.pack(&Packer::Xz.pack(CSV.as_bytes()));
    let text = error_of(&twice).to_string();
    assert!(text.contains("compressed twice (xz in gzip)"), "{text}");
}

/// Finds a store, or a file beside it, that is loaded as CSV.
#[test]
fn the_files_of_a_store_are_named() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("x.rec");
    let schema = CsvReader::new(Input::from_bytes(CSV), CsvOptions::new()).infer(None).unwrap();
    let options = flatrec::DynDatabase::create_options().checksums(true);
    let database = options.create(&path, &schema.schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&vec![0; schema.schema.record_size() as usize]).unwrap();
    transaction.commit(flatrec::Durability::Immediate).unwrap();
    let mut names = Vec::new();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        // On Windows no other handle reads bytes that are locked.
        if cfg!(windows) && entry.file_name().to_str().unwrap().ends_with("-lock") {
            continue;
        }
        let error = through(Input::open(entry.path()).unwrap()).unwrap_err();
        assert!(error.to_string().contains(" flatrec store, not CSV (give a CSV file"), "{error}");
        names.push(entry.file_name());
    }
    assert!(names.len() >= 3, "{names:?}");
    database.close().unwrap();
}

/// How an input is made of a text.
#[derive(Clone, Debug)]
struct Making {
    packer: usize,
    big_endian: Option<bool>,
    /// The parts end at these places, in thousandths of the length.
    cuts: Vec<usize>,
    zeros: usize,
    piece_bytes: usize,
}

impl Making {
    fn of(&self, text: &str) -> Vec<u8> {
        let bytes = match self.big_endian {
            Some(big_endian) => utf16(text, big_endian),
            None => text.as_bytes().to_vec(),
        };
        let mut cuts: Vec<usize> = self.cuts.iter().map(|cut| cut * bytes.len() / 1000).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let parts = cuts.windows(2).map(|ends| &bytes[ends[0]..ends[1]]);
        let Some(packer) = Packer::ALL.get(self.packer) else { return bytes };
        let mut packed: Vec<u8> = parts.flat_map(|part| packer.pack(part)).collect();
        packed.resize(packed.len() + self.zeros, 0);
        packed
    }
}

fn makings() -> impl Strategy<Value = Making> {
    let cuts = prop::collection::vec(0..1000usize, 0..4);
    let order = prop::option::of(any::<bool>());
    (0..5usize, order, cuts, 0..9usize, 1..200usize).prop_map(
        |(packer, big_endian, cuts, zeros, piece_bytes)| Making {
            packer,
            big_endian,
            cuts,
            zeros,
            piece_bytes,
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Finds a text that changes with its packing, its encoding, or the reads of its stream.
    #[test]
    fn a_text_is_the_same_however_it_is_packed(
        text in "([a-z,\"é𝄞\u{0}\r\n]|[a-z]{2}\n){0,60}",
        repeat in prop_oneof![4 => Just(1usize), 1 => Just(4000usize)],
        making in makings(),
    ) {
        // Such text is refused as UTF-16 without a mark.
        prop_assume!(!text.contains('\0') || making.big_endian.is_none());
        let text = format!("a\n{}", text.repeat(repeat));
        let bytes = making.of(&text);
        let said = |result: Result<String>| result.map_err(|error| {
            error.to_string().replace("stream", "memory")
        });
        let plain = said(of(&text));
        // This error names the packing, too.
        prop_assume!(!plain.as_ref().is_err_and(|error| error.contains("UTF-16")));
        prop_assert_eq!(&said(of(&bytes)), &plain);
        let spooled = stream(bytes, making.piece_bytes);
        let dir = tempfile::tempdir().unwrap();
        prop_assert_eq!(&said(spooled.spool(dir.path(), |_| {}).and_then(through)), &plain);
    }
}

/// Finds a sample of a compressed stream that the load misses or takes twice.
#[test]
fn a_compressed_stream_is_read_on_after_its_sample() {
    let csv = format!("a,b\n{}", "1,x\n22,y\n".repeat(60_000));
    for packer in Packer::ALL {
        for bytes in [packer.pack(csv.as_bytes()), packer.pack(&utf16(&csv, true))] {
            let mut reader = CsvReader::new(stream(bytes, 100), CsvOptions::new());
            assert_eq!(reader.columns().unwrap(), ["a", "b"]);
            let schema = reader.infer(Some(2)).unwrap().schema;
            assert!(loaded(&mut reader, &schema).unwrap() == csv, "{packer:?}");
        }
    }
}
