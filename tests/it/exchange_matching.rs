//! Exports of the records for which a condition is true.
#![cfg(all(feature = "exchange", feature = "query"))]

use std::fs;

use flatrec::exchange::{ExportFormat, Exporter};
use flatrec::query::Filter;
use flatrec::{DataType, Durability, DynDatabase, DynStore, ErrorKind, Field, Schema};

/// Records that match, given as a walk, in parts that several threads make: the same bytes as one
/// by one, also under a log, among deleted records, and where the first line is quoted.
#[test]
fn a_walk_through_matching_records_is_exported_as_one_by_one() {
    let dir = tempfile::tempdir().unwrap();
    let fields = [Field::new("code", DataType::Utf8(8)), Field::new("n", DataType::UInt32)];
    let schema = Schema::packed(fields).unwrap();
    let record = |n: u32| {
        let mut record = *b"\0\0\0\0\0\0\0\0nnnn";
        let code = if n % 90_000 == 7 { "a;b".into() } else { format!("c{}", n % 1000) };
        record[..code.len()].copy_from_slice(code.as_bytes());
        record[8..].copy_from_slice(&n.to_le_bytes());
        record
    };
    for deletes in [false, true] {
        let path = dir.path().join(format!("{deletes}.rec"));
        let options = DynDatabase::create_options().deletes(deletes);
        let database = options.create(&path, &schema).unwrap();
        let mut transaction = database.begin_write().unwrap();
        for n in 0..100_000 {
            transaction.append(&record(n)).unwrap();
        }
        transaction.commit(Durability::Eventual).unwrap();
        database.checkpoint().unwrap();
        let mut transaction = database.begin_write().unwrap();
        for id in (0..100_000).step_by(613) {
            transaction.set(id, &record(200_000 + id as u32)).unwrap();
            if deletes {
                transaction.delete(id + 5).unwrap();
            }
        }
        transaction.commit(Durability::Eventual).unwrap();
        let snapshot = database.begin_read().unwrap();
        for condition in ["n >= 0", "n > 99990", "code = 'a;b'", "n < 0"] {
            let filter = Filter::parse(condition, &schema).unwrap();
            for (format, threads, only_code) in [
                (ExportFormat::Csv, 1, false),
                (ExportFormat::Csv, 2, true),
                (ExportFormat::Ndjson, 3, false),
                (ExportFormat::Npy, 2, false),
            ] {
                let written = |as_walk: bool| {
                    let out = dir.path().join("out");
                    let mut exporter =
                        Exporter::new(&schema, format).threads(threads).replace(true);
                    if only_code {
                        exporter = exporter.header(false).fields(&schema.fields()[..1]);
                    }
                    let mut export = exporter.begin(&out).unwrap();
                    let mut matching = snapshot.copies(3..99_999).matching(&filter);
                    if as_walk {
                        export.push_matching(matching).unwrap();
                    } else {
                        while let Some((id, record)) = matching.next_record().unwrap() {
                            export.push(id, record).unwrap();
                        }
                    }
                    let rows = export.finish().unwrap().records;
                    (rows, fs::read(out).unwrap())
                };
                let what = format!("{condition} as {format:?}, deletes: {deletes}");
                assert!(written(true) == written(false), "{what}");
            }
        }
    }
}

/// A condition for other records, and a record that is damaged in a part.
#[test]
fn a_walk_through_matching_records_reports_its_errors() {
    let schema = Schema::packed([Field::new("n", DataType::UInt32).nullable()]).unwrap();
    let mut store = DynStore::temporary(&schema).unwrap();
    let other = Schema::packed([Field::new("x", DataType::UInt8)]).unwrap();
    let filter = Filter::parse("x = 1", &other).unwrap();
    let exporter = || Exporter::new(&schema, ExportFormat::Csv).threads(2);
    let mut export = exporter().begin_to(Vec::new()).unwrap();
    let error = export.push_matching(store.copies(..).matching(&filter)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);

    let record = |n: u32| [&[if n == 150_000 { 7 } else { 1 }], &n.to_le_bytes()[..]].concat();
    store.append_all((0..200_000).map(record)).unwrap();
    let filter = Filter::parse("n < 1000000", &schema).unwrap();
    let mut out = Vec::new();
    let mut export = exporter().begin_to(&mut out).unwrap();
    let error = export.push_matching(store.copies(..).matching(&filter)).unwrap_err();
    assert_eq!((error.kind(), error.record_number()), (ErrorKind::Corrupt, Some(150_000)));
    drop(export);
    assert!(String::from_utf8(out).unwrap().ends_with("149998\n149999\n"));
}
