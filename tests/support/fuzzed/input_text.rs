//! Reads the bytes as a CSV file, and the same text compressed, whole and damaged. Damage must be
//! an error, or change nothing.

use flatrec::exchange::{CsvOptions, CsvReader, Input};
use flatrec::{Result, Schema};

use super::packed::Packer;

/// Runs the target on these bytes.
///
/// # Panics
/// If a compressed text is not read as the plain one, or damage is read as another text.
pub(crate) fn run(data: &[u8]) {
    let _ = read(data);
    let [packer, place, bits, text @ ..] = data else { return };
    let packer = Packer::ALL[usize::from(*packer) % Packer::ALL.len()];
    let mut packed = packer.pack(text);
    let plain = read(text);
    match (read(&packed), &plain) {
        (Ok(whole), Ok(plain)) => assert!(whole == *plain, "{packer:?} changed the text"),
        (Err(error), Ok(_)) => {
            // Text that is compressed itself.
            assert!(error.to_string().contains("compressed twice"), "{packer:?}: {error}");
        }
        (Ok(_), Err(error)) => panic!("accepted only if compressed by {packer:?}: {error}"),
        (Err(_), Err(_)) => return,
    }
    let at = usize::from(*place) * packed.len() / 256;
    packed[at] ^= bits;
    if let (Ok(damaged), Ok(plain)) = (read(&packed), &plain) {
        assert!(damaged == *plain, "damage of {packer:?} at byte {at} changed the text");
    }
}

/// The schema and the records of a file.
fn read(bytes: &[u8]) -> Result<(Schema, Vec<u8>)> {
    let options = CsvOptions::new().header(false).threads(1).detect_delimiter(true);
    let mut reader = CsvReader::new(Input::from_bytes(bytes), options);
    let schema = reader.infer(None)?.schema;
    let mut records = Vec::new();
    reader.load(&schema, &mut records)?;
    Ok((schema, records))
}
