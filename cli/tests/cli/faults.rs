//! Stores that another program truncates while a command reads them.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use flatrec::{DataType, DynStore, Field, Schema};

use super::Place;

const RECORDS: u32 = 200_000;
const RECORDS_LEFT: u64 = 150_000;

/// A full pipe stops the command before the truncation, so it cannot have read everything.
#[test]
fn a_scan_of_a_truncated_store_lists_its_records_and_names_the_first_lost_one() {
    for format in ["csv", "ndjson"] {
        let place = Place::new();
        let path = place.path("numbers.rec");
        let schema = Schema::packed([
            Field::new("n", DataType::UInt32),
            Field::new("bytes", DataType::Binary(16)),
        ])
        .unwrap();
        let mut store = DynStore::create(&path, &schema).unwrap();
        for n in 0..RECORDS {
            let mut record = [0; 20];
            record[..4].copy_from_slice(&n.to_le_bytes());
            store.append(&record).unwrap();
        }
        store.close().unwrap();

        let mut command = place.command(["scan", "numbers.rec", "--format", format]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut scan = command.spawn().unwrap();
        let mut lines = BufReader::new(scan.stdout.take().unwrap()).lines();
        lines.next().unwrap().unwrap();
        let file = std::fs::File::options().write(true).open(&path).unwrap();
        file.set_len(65_536 + RECORDS_LEFT * 20).unwrap();
        let listed = lines.count() as u64;
        let mut stderr = String::new();
        scan.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert_eq!(scan.wait().unwrap().code(), Some(1), "{stderr}");
        assert_eq!(
            stderr,
            format!(
                "flatrec: read numbers.rec at byte {}, record {RECORDS_LEFT}: truncated: the file \
                 now has {0} bytes (another program truncated it while it was open: restore it \
                 from a copy)\n",
                65_536 + RECORDS_LEFT * 20
            )
        );
        assert!(listed > RECORDS_LEFT - 20_000 && listed <= RECORDS_LEFT, "{listed}");
    }
}
