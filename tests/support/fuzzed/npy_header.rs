//! Reads the bytes as a .npy file, as the header of one, and as a .npz file. Every row must be
//! loaded or set aside.

use flatrec::exchange::{Input, InputFormat, TableReader};

/// Runs the target on these bytes.
///
/// # Panics
/// If a file whose schema was inferred is loaded as other records than the report counts.
pub(crate) fn run(data: &[u8]) {
    let len = data.len().min(60_000);
    let header_len = [len as u8, (len >> 8) as u8];
    let header = [&b"\x93NUMPY\x01\0"[..], &header_len, &data[..len]].concat();
    read(data, InputFormat::Npy);
    read(data, InputFormat::Npz);
    read(&header, InputFormat::Npy);
    // Elements after a header that does not say how long it is.
    if let Some(end) = data.iter().position(|&byte| byte == b'\n').filter(|&end| end < len) {
        let header_len = [end as u8, (end >> 8) as u8];
        let whole = [&b"\x93NUMPY\x01\0"[..], &header_len, data].concat();
        read(&whole, InputFormat::Npy);
    }
}

fn read(bytes: &[u8], format: InputFormat) {
    let Ok(reader) = TableReader::new(Input::from_bytes(bytes), format) else { return };
    let mut reader = reader.threads(1).on_reject(|_| Ok(()));
    let Ok(inferred) = reader.infer(None) else { return };
    let mut records: Vec<u8> = Vec::new();
    if let Ok(report) = reader.load(&inferred.schema, &mut records) {
        let size = u64::from(inferred.schema.record_size());
        assert_eq!(records.len() as u64, report.loaded * size);
        assert_eq!(report.loaded + report.rejected, inferred.rows);
    }
}
