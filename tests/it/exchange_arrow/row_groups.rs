//! Row groups of Parquet on several threads.

use flatrec::{Durability, DynDatabase};

use super::*;

/// Finds a row group that another thread encodes or decodes and that is lost, out of order, or has
/// deleted records in it; and a load that resumes at another row of a later group.
#[test]
fn row_groups_keep_their_order_on_several_threads() {
    const ROWS: u64 = 400_000;
    let schema = Schema::packed([
        Field::new("n", DataType::UInt64),
        Field::new("text", DataType::Utf8(3)).nullable(),
        Field::new("pair", DataType::Int16).array(2),
    ])
    .unwrap();
    let record = |n: u64| {
        let text = [&[(n % 7 != 0) as u8][..], if n % 7 == 0 { &[0; 3] } else { b"ab\0" }].concat();
        [&n.to_le_bytes()[..], &text, &[n as u8, 0, 7, 0]].concat()
    };
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("many.rec");
    let mut store = DynStore::create_options().deletes(true).create(&path, &schema).unwrap();
    for n in 0..ROWS {
        store.append(&record(n)).unwrap();
    }
    store.close().unwrap();
    // All records of the second row group, and some of its neighbours.
    let database = DynDatabase::open(&path).unwrap();
    let mut transaction = database.begin_write().unwrap();
    for n in (131_000..262_200).chain([0, ROWS - 1]) {
        transaction.delete(n).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap();
    database.close().unwrap();
    let store = DynStore::open(&path).unwrap();
    let live: Vec<u8> = (1..131_000).chain(262_200..ROWS - 1).flat_map(record).collect();
    let mut files = Vec::new();
    for threads in [1, 2, 3] {
        let out = dir.path().join(format!("{threads}.parquet"));
        let mut progress = Vec::new();
        let exporter =
            Exporter::new(&schema, ExportFormat::Parquet).threads(threads).on_progress(|it| {
                progress.push(it.rows);
                Ok(())
            });
        let report = exporter.export_copies(store.copies(..), &out).unwrap();
        assert_eq!(report.records, live.len() as u64 / 16);
        assert!(progress.is_sorted() && progress.last() == Some(&report.records), "{progress:?}");
        let mut back: Vec<u8> = Vec::new();
        reader(&out).threads(threads).load(&schema, &mut back).unwrap();
        assert!(back == live, "{threads} threads");
        assert_eq!(
            reader(&out).threads(threads).infer(None).unwrap().schema.fields()[1].to_string(),
            "text: utf8(3) nullable at 8"
        );
        files.push(std::fs::read(&out).unwrap());
    }
    assert!(files[1] == files[2]);

    let out = dir.path().join("1.parquet");
    for rows in [1, 131_071, 131_072, 131_073, 268_797] {
        let from = LoadPoint { lines: rows, ..LoadPoint::default() };
        let mut rest: Vec<u8> = Vec::new();
        reader(&out).threads(2).load_from(&schema, &mut rest, &from).unwrap();
        assert!(rest == live[rows as usize * 16..], "from row {rows}");
    }
    let from = LoadPoint { lines: ROWS, ..LoadPoint::default() };
    let error = reader(&out).load_from(&schema, &mut Vec::new(), &from).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Truncated);
}
