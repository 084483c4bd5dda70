//! What `salvage` saves and what it loses.

use super::*;

/// Finds a salvage that saves damaged records silently, or changes the store that it reads.
#[test]
fn salvage_saves_matching_records_and_names_the_others() {
    let place = Place::new();
    let path = place.store(3000);
    flip(&path, D + BLOCK + 9, 1);
    flip(&path, D + 4 * BLOCK + 9, 1);
    let before = std::fs::read(&path).unwrap();
    std::fs::remove_file(place.path("x-lock")).unwrap();
    let out = place.path("out");
    let report = salvage(&path, &out, SalvageOptions::new()).unwrap();
    assert_eq!(
        place.files(),
        ["out", "out-lock", "out-sum", "x", "x-sum"],
        "salvage made a file beside x"
    );
    assert_eq!(std::fs::read(&path).unwrap(), before);
    let lost: Vec<Range<u64>> = report.lost.iter().map(|lost| lost.records.clone()).collect();
    assert_eq!(lost, [655..1311, 2621..3000]);
    assert!(report.lost[0].why.starts_with("block 1, bytes 131072..196608"), "{report:?}");
    assert_eq!((report.records, report.saved, report.lost_records()), (3000, 1965, 1035));
    clean(&out, 3);
    let saved = DynStore::open_read_only(&out).unwrap();
    let expected: Vec<_> = (0..655).chain(1311..2621).map(record).collect();
    assert!(saved.iter().eq((0..).zip(expected.iter().map(|record| &record[..]))));
    assert_eq!(saved.schema(), &schema());

    let refused = salvage(&path, &out, SalvageOptions::new()).unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::AlreadyExists);
    let itself = salvage(&path, &path, SalvageOptions::new().replace(true)).unwrap_err();
    assert_eq!(itself.kind(), ErrorKind::InvalidArgument);
    drop(saved);
    let options = SalvageOptions::new().keep_ids(true).replace(true);
    assert_eq!(salvage(&path, &out, options).unwrap().saved, 1965);
    let saved = DynStore::open_read_only(&out).unwrap();
    assert_eq!(saved.count(), 3000);
    for id in 0..3000 {
        let lost = lost.iter().any(|records| records.contains(&id));
        let expected = if lost { [0; 100] } else { record(id) };
        assert_eq!(saved.get(id).unwrap(), expected, "record {id}");
    }
    drop(saved);
    let report = salvage(&path, &out, options.keep_doubtful(true)).unwrap();
    assert_eq!((report.saved, report.lost.len(), report.doubtful.len()), (3000, 0, 2));
    assert_eq!(report.doubtful[0].records, 655..1311);
}

/// Finds a salvage that refuses a short file or a damaged header slot.
#[test]
fn salvage_reads_stores_that_handles_refuse() {
    let place = Place::new();
    let path = place.store(3000);
    let whole = std::fs::read(&path).unwrap();
    let out = place.path("out");
    let save = || salvage(&path, &out, SalvageOptions::new().replace(true)).unwrap();

    // The file ends within record 1404, and the checksum of the last block no longer covers its
    // bytes.
    std::fs::write(&path, &whole[..D + 2 * BLOCK + 9_400]).unwrap();
    assert_eq!(DynStore::open(&path).unwrap_err().kind(), ErrorKind::Truncated);
    let report = save();
    let lost: Vec<Range<u64>> = report.lost.iter().map(|lost| lost.records.clone()).collect();
    assert_eq!(lost, [1310..1404, 1404..3000], "{report:?}");
    assert_eq!((report.saved, report.problems_found), (1310, 1));
    // Without checksums, salvage saves every readable record.
    let sums = std::fs::read(place.path("x-sum")).unwrap();
    std::fs::remove_file(place.path("x-sum")).unwrap();
    let report = save();
    assert_eq!((report.saved, report.checksums.clone()), (1404, Checksums::Absent));
    assert_eq!(report.lost.len(), 1, "{report:?}");

    // One damaged header slot, and the mark of an edit.
    std::fs::write(place.path("x-sum"), &sums).unwrap();
    for slot in [0, 4096] {
        std::fs::write(&path, &whole).unwrap();
        flip(&path, slot + 80, 1);
        let report = save();
        assert_eq!((report.saved, report.lost.len(), report.problems_found), (3000, 0, 1));
    }
    // Without a header salvage cannot know where records begin.
    flip(&path, 80, 1);
    let error = salvage(&path, &out, SalvageOptions::new().replace(true)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert_eq!(
        DynStore::open_read_only(&out).unwrap().count(),
        3000,
        "the failed salvage removed the last result"
    );
}

/// Finds a salvage that drops a record with an invalid value, or does not mention it.
#[test]
fn salvage_keeps_invalid_values_and_reports_them() {
    let place = Place::new();
    let path = place.path("flags");
    let schema = Schema::packed([Field::new("flag", DataType::Bool)]).unwrap();
    let mut store = DynStore::create(&path, &schema).unwrap();
    store.append_packed(&[0, 1, 7]).unwrap();
    store.close().unwrap();
    let report = salvage(&path, place.path("out"), SalvageOptions::new()).unwrap();
    assert_eq!((report.saved, report.problems_found, report.problems[0].record), (3, 1, Some(2)));
    assert_eq!(DynStore::open_read_only(place.path("out")).unwrap().get(2).unwrap(), [7]);
}

/// Finds a loop over all records that a header claims, beyond those that the file has.
#[test]
fn a_header_that_counts_more_than_any_file_has_costs_no_time() {
    let place = Place::new();
    let path = place.store(10);
    // Forges a header with a correct checksum that counts 2^56 records.
    let mut bytes = std::fs::read(&path).unwrap();
    for slot in [0, 4096] {
        for field in [72, 80] {
            bytes[slot + field..slot + field + 8].copy_from_slice(&(1u64 << 56).to_le_bytes());
        }
        let crc = crc32c::crc32c(&bytes[slot..slot + 508]);
        bytes[slot + 508..slot + 512].copy_from_slice(&crc.to_le_bytes());
    }
    std::fs::write(&path, bytes).unwrap();
    assert!(verify(&path, flatrec::VerifyOptions::new()).unwrap().problems_found > 0);
    let options = SalvageOptions::new().keep_ids(true).keep_doubtful(true);
    let report = salvage(&path, place.path("out"), options).unwrap();
    assert_eq!((report.saved, report.lost_records()), (10, (1 << 56) - 10));
}
