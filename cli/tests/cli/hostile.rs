//! Numbers and lengths in files that cost their writer nothing: no command may spend memory or time
//! because of them. Sparse files have cheap bytes, so the file's length confirms nothing.

use std::fs::File;
use std::process::Stdio;

use flatrec::{DataType, Durability, DynDatabase, DynStore, Field, Schema};

use super::guard::output_in_time;
use super::skip::skip;
use super::{Place, Ran};

/// 4 GiB, except for the bytes before the records.
const METADATA_BYTES: u32 = u32::MAX - (64 << 10);

/// Runs the command with little memory of its own; files may be mapped. Under an emulator, which
/// reserves far more for itself, there is no limit. A command that does not end is killed, and has
/// no status.
fn with_little_memory(place: &Place, args: &[&str]) -> Ran {
    const KIB: u32 = 128 << 10;
    let limit = match cfg!(any(target_arch = "x86_64", target_arch = "x86")) {
        true => format!("ulimit -c 0; ulimit -d {KIB} && "),
        false => String::new(),
    };
    let mut command = std::process::Command::new("sh");
    command.args(["-c", &format!("{limit}exec \"$@\""), "sh"]);
    command.arg(env!("CARGO_BIN_EXE_flatrec")).args(args).current_dir(place.0.path());
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let output = output_in_time(command.spawn().unwrap());
    Ran {
        status: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap())
}

/// Changes both header slots of the store in `place`, by docs/FORMAT.md only, corrects their
/// checksums, and makes the file as long as asked, with a hole.
fn forge(place: &Place, name: &str, len_bytes: u64, change: impl Fn(&mut [u8], &[u8])) {
    use std::os::unix::fs::FileExt as _;

    let file = File::options().read(true).write(true).open(place.path(name)).unwrap();
    let mut front = vec![0; 8192];
    file.read_exact_at(&mut front, 0).unwrap();
    let mut schema = vec![0; u32_at(&front, 112) as usize];
    file.read_exact_at(&mut schema, 8192).unwrap();
    for slot in [0, 4096] {
        let slot = &mut front[slot..slot + 512];
        change(slot, &schema);
        let crc = crc32c::crc32c(&slot[..508]);
        slot[508..].copy_from_slice(&crc.to_le_bytes());
    }
    file.write_all_at(&front, 0).unwrap();
    file.set_len(len_bytes).unwrap();
}

/// A store `x.rec` of so many bytes, whose records of 4 KiB lie in a hole.
#[cfg(target_pointer_width = "64")]
fn store_of_a_hole(len_bytes: u64) -> Place {
    let place = Place::new();
    let schema = Schema::packed([Field::new("data", DataType::Binary(4096))]).unwrap();
    DynStore::create(place.path("x.rec"), &schema).unwrap().close().unwrap();
    let count = (len_bytes - 65_536) / 4096;
    forge(&place, "x.rec", len_bytes, |slot, _| {
        slot[72..80].copy_from_slice(&count.to_le_bytes());
        slot[80..88].copy_from_slice(&count.to_le_bytes());
    });
    place
}

/// A store `x.rec` without records, whose metadata is a hole of so many bytes; with `sound` its
/// checksum is right.
fn with_metadata(place: &Place, metadata_bytes: u32, sound: bool) {
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    DynStore::create(place.path("x.rec"), &schema).unwrap().close().unwrap();
    let data_offset = (8192 + 64 + u64::from(metadata_bytes)).next_multiple_of(65_536);
    forge(place, "x.rec", data_offset, |slot, schema| {
        slot[116..120].copy_from_slice(&metadata_bytes.to_le_bytes());
        slot[56..64].copy_from_slice(&data_offset.to_le_bytes());
        let mut crc = !crc32c::crc32c(schema);
        for _ in 0..2 {
            // In halves, because lengths on a 32-bit system are limited.
            crc = crc32c::crc32c_combine(crc, 0, metadata_bytes as usize / 2);
        }
        crc = crc32c::crc32c_combine(crc, 0, metadata_bytes as usize % 2);
        slot[120..124].copy_from_slice(&(!crc ^ u32::from(!sound)).to_le_bytes());
    });
}

/// Every command took 4.2 GB and half a minute, and died on machines with less memory. The test
/// does not run on 32 bits, where a view cannot show the bytes after the metadata.
#[test]
#[cfg(target_pointer_width = "64")]
fn metadata_of_4_gib_cost_no_memory() {
    let place = Place::new();
    with_metadata(&place, METADATA_BYTES, true);
    place.write("rows.csv", "n\n7\n");
    let commands: [(&[&str], &str); 7] = [
        (&["info", "x.rec"], "4294901759 bytes"),
        (&["info", "x.rec", "--json"], "\"metadata_len_bytes\": 4294901759"),
        (&["schema", "x.rec"], "uint64"),
        (&["append", "x.rec", "rows.csv"], "1"),
        (&["scan", "x.rec", "--format", "csv"], "7"),
        (&["get", "x.rec", "0", "--format", "csv"], "7"),
        (&["verify", "x.rec"], ""),
    ];
    for (args, expected) in commands {
        let ran = with_little_memory(&place, args);
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        assert!(
            ran.stdout.contains(expected) || ran.stderr.contains(expected),
            "{args:?}: {ran:?}"
        );
    }
    let store = DynStore::open_read_only(place.path("x.rec")).unwrap();
    assert_eq!(store.info().unwrap().metadata_len_bytes, METADATA_BYTES);
}

/// Finds a command that ignores the checksum of the metadata.
#[test]
fn every_command_reports_damaged_metadata() {
    let place = Place::new();
    with_metadata(&place, METADATA_BYTES, false);
    for args in [&["info", "x.rec"][..], &["scan", "x.rec"], &["verify", "x.rec"]] {
        let ran = with_little_memory(&place, args);
        assert_eq!(ran.status, Some(1), "{args:?}: {ran:?}");
        let said = ran.stdout + &ran.stderr;
        assert!(said.contains("its checksum does not hold"), "{args:?}: {said}");
    }
}

/// Copies have the metadata too, and copy a piece of them at a time.
#[test]
fn metadata_are_copied_in_pieces() {
    use std::os::unix::fs::FileExt as _;

    // More than the memory limit, but no more disk space than a test may use.
    const BYTES: u32 = 200 << 20;
    let place = Place::new();
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    DynStore::create(place.path("x.rec"), &schema).unwrap().close().unwrap();
    let note = b"a note behind a hole";
    let at = 8192 + 64 + u64::from(BYTES) - note.len() as u64;
    let data_offset = (8192 + 64 + u64::from(BYTES)).next_multiple_of(65_536);
    forge(&place, "x.rec", data_offset, |slot, schema| {
        slot[116..120].copy_from_slice(&BYTES.to_le_bytes());
        slot[56..64].copy_from_slice(&data_offset.to_le_bytes());
        let zeros = BYTES as usize - note.len();
        let crc = !crc32c::crc32c_combine(!crc32c::crc32c(schema), 0, zeros);
        slot[120..124].copy_from_slice(&crc32c::crc32c_append(crc, note).to_le_bytes());
    });
    let file = File::options().write(true).open(place.path("x.rec")).unwrap();
    file.write_all_at(note, at).unwrap();
    for (command, out) in [("backup", "b.rec"), ("compact", "c.rec"), ("salvage", "s.rec")] {
        let ran = with_little_memory(&place, &[command, "x.rec", out]);
        assert_eq!(ran.status, Some(0), "{command}: {ran:?}");
        let mut found = vec![0; note.len()];
        File::open(place.path(out)).unwrap().read_exact_at(&mut found, at).unwrap();
        assert_eq!(found, note, "{command}");
        assert_eq!(with_little_memory(&place, &["verify", out]).status, Some(0), "{command}");
        std::fs::remove_file(place.path(out)).unwrap();
    }
    let store = DynStore::open_read_only(place.path("x.rec")).unwrap();
    assert!(store.metadata().unwrap().ends_with(note));
}

/// Descriptors are read only as long as they are valid, whatever their number.
#[test]
fn schemas_of_4_gib_cost_no_memory() {
    let place = Place::new();
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    DynStore::create(place.path("x.rec"), &schema).unwrap().close().unwrap();
    let schema_bytes = 1_u32 << 31;
    let data_offset = (8192 + u64::from(schema_bytes)).next_multiple_of(65_536);
    forge(&place, "x.rec", data_offset, |slot, schema| {
        slot[56..64].copy_from_slice(&data_offset.to_le_bytes());
        slot[108..112].copy_from_slice(&(schema_bytes / 64).to_le_bytes());
        slot[112..116].copy_from_slice(&schema_bytes.to_le_bytes());
        let zeros = schema_bytes as usize - schema.len();
        let crc = !crc32c::crc32c_combine(!crc32c::crc32c(schema), 0, zeros);
        slot[120..124].copy_from_slice(&crc.to_le_bytes());
    });
    let ran = with_little_memory(&place, &["info", "x.rec"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("unknown type code 0"), "{ran:?}");
}

/// Commands read a hole after the log at one GiB a second.
#[test]
fn a_hole_behind_the_log_is_passed() {
    let place = Place::new();
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let database = DynDatabase::create(place.path("x.rec"), &schema).unwrap();
    let mut transaction = database.begin_write().unwrap();
    transaction.append(&7_u64.to_le_bytes()).unwrap();
    transaction.commit(Durability::Immediate).unwrap();
    // A copy of an open store is like the store of a killed writer.
    for name in place.files() {
        let suffix = name.strip_prefix("x.rec").unwrap();
        if !suffix.ends_with("lock") {
            std::fs::copy(place.path(&name), place.path(&format!("y.rec{suffix}"))).unwrap();
        }
    }
    database.close().unwrap();
    let logs: Vec<String> =
        place.files().into_iter().filter(|name| name.starts_with("y.rec-wal-")).collect();
    assert!(!logs.is_empty());
    for log in logs {
        let file = File::options().write(true).open(place.path(&log)).unwrap();
        file.set_len(8 << 40).unwrap();
    }
    for (args, expected) in [(["scan", "y.rec", "--count"], "1"), (["get", "y.rec", "0"], "7")] {
        let ran = with_little_memory(&place, &args);
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        assert!(ran.stdout.contains(expected), "{args:?}: {ran:?}");
    }
}

/// `info` asked the system about every page, which took 3.7 s for a hole of a TiB.
#[test]
#[cfg(target_pointer_width = "64")]
fn residency_of_a_large_file_is_a_sample() {
    // Sixteen times the sample; qemu cannot map terabytes for another architecture.
    const LEN_BYTES: u64 = 16 << 30;
    let place = store_of_a_hole(LEN_BYTES);
    let info = DynStore::open_read_only(place.path("x.rec")).unwrap().info().unwrap();
    let residency = info.residency.unwrap();
    assert_eq!(info.residency_asked_pages, 1 << 18);
    assert_eq!(residency.pages * residency.page_size_bytes, LEN_BYTES);
    assert!(residency.resident_pages < residency.pages / 2, "{residency:?}");
    let said = place.ok(["info", "x.rec"]);
    assert!(said.contains("by a sample of 262144"), "{said}");
}

/// Each run of lost records took ninety times its bytes in memory, and these bytes make every
/// record a run.
#[test]
fn a_run_of_every_record_is_counted_and_not_kept() {
    use std::os::unix::fs::FileExt as _;

    const RECORDS: usize = 400_000;
    let place = Place::new();
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let mut store =
        DynStore::create_options().deletes(true).create(place.path("x.rec"), &schema).unwrap();
    store.append_packed(&vec![0; 8 * RECORDS]).unwrap();
    store.close().unwrap();
    // A status is 1 or 2. Records 0 and 1 are one run, and each other record is one.
    let status = |id: usize| if id == 0 { 4 } else { 3 + (id % 2) as u8 };
    let records: Vec<u8> =
        (0..RECORDS).flat_map(|id| [0, 0, 0, 0, 0, 0, 0, 0, status(id)]).collect();
    let file = File::options().write(true).open(place.path("x.rec")).unwrap();
    file.write_all_at(&records, 65_536).unwrap();
    let ran = with_little_memory(&place, &["salvage", "x.rec", "o.rec", "--list", "list.csv"]);
    assert_eq!(ran.status, Some(1), "{}", ran.stderr);
    let said = "0 of 400000 records saved, 400000 lost, 334463 runs of records not listed";
    assert!(ran.stderr.contains(said), "{}", ran.stderr);
    let list = place.read("list.csv");
    assert_eq!(list.lines().count(), 1 + 65_536);
    assert!(list.contains("\n0,1,2,lost,\"its status byte is 4"), "{}", &list[..200]);
    assert!(list.contains("\n65536,65536,1,lost,\"its status byte is 3"));
}

/// The greatest memory of the command, in KiB, and its result.
#[cfg(target_os = "linux")]
pub(crate) fn with_peak_memory(place: &Place, args: &[&str]) -> Option<(u64, Ran)> {
    const RUN: &str = "import resource, subprocess, sys\n\
        status = subprocess.run(sys.argv[1:]).returncode\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss, file=sys.stderr)\n\
        sys.exit(status)";
    let mut command = std::process::Command::new("python3");
    command.args(["-c", RUN, env!("CARGO_BIN_EXE_flatrec")]).args(args);
    let output = match command.current_dir(place.0.path()).output() {
        Ok(output) => output,
        Err(error) => {
            skip!("python3: {error}");
            return None;
        }
    };
    let stderr = String::from_utf8(output.stderr).unwrap();
    let peak = stderr.lines().last().and_then(|line| line.parse().ok());
    let stdout = String::from_utf8(output.stdout).unwrap();
    let ran = Ran { status: output.status.code(), stdout, stderr };
    Some((peak.unwrap_or_else(|| panic!("no peak memory in: {ran:?}")), ran))
}

/// Copies a file without its pages of zeros, which become holes.
#[cfg(target_os = "linux")]
fn copy_sparse(from: &std::path::Path, to: &std::path::Path) {
    use std::os::unix::fs::FileExt as _;

    const PAGE_BYTES: usize = 4096;
    let bytes = std::fs::read(from).unwrap();
    let file = File::create(to).unwrap();
    file.set_len(bytes.len() as u64).unwrap();
    for (page, number) in bytes.chunks(PAGE_BYTES).zip(0_u64..) {
        if page.iter().any(|&byte| byte != 0) {
            file.write_all_at(page, number * PAGE_BYTES as u64).unwrap();
        }
    }
}

/// A log of 8 KiB on the disk, with records in a hole, took twice its length in memory.
#[test]
#[cfg(target_os = "linux")]
fn records_in_a_hole_of_the_log_take_no_memory() {
    use std::os::unix::fs::MetadataExt as _;

    const RECORD_BYTES: u32 = 4 << 20;
    const RECORDS: u64 = 32;
    let place = Place::new();
    let schema = Schema::packed([Field::new("data", DataType::Binary(RECORD_BYTES))]).unwrap();
    let database = DynDatabase::create(place.path("x.rec"), &schema).unwrap();
    let zeros = vec![0; RECORD_BYTES as usize];
    let mut transaction = database.begin_write().unwrap();
    for _ in 0..RECORDS {
        transaction.append(&zeros).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap();
    database.checkpoint().unwrap();
    let mut transaction = database.begin_write().unwrap();
    for id in 0..RECORDS {
        transaction.set(id, &zeros).unwrap();
    }
    transaction.commit(Durability::Immediate).unwrap();
    for name in place.files().iter().filter(|name| !name.ends_with("lock")) {
        let suffix = name.strip_prefix("x.rec").unwrap();
        copy_sparse(&place.path(name), &place.path(&format!("y.rec{suffix}")));
    }
    database.close().unwrap();
    let logs = place.files().into_iter().filter(|name| name.starts_with("y.rec-wal-"));
    let logs: Vec<_> = logs.map(|name| place.path(&name).metadata().unwrap()).collect();
    let len_bytes: u64 = logs.iter().map(std::fs::Metadata::len).sum();
    let on_disk_bytes: u64 = logs.iter().map(|log| 512 * log.blocks()).sum();
    if on_disk_bytes > len_bytes / 8 {
        return skip!("no holes: the log takes {on_disk_bytes} of {len_bytes} bytes");
    }
    assert!(len_bytes > RECORDS * u64::from(RECORD_BYTES), "{len_bytes}");
    for args in [&["info", "y.rec"][..], &["verify", "y.rec"], &["schema", "y.rec"]] {
        let Some((peak_kib, ran)) = with_peak_memory(&place, args) else { return };
        assert_eq!(ran.status, Some(0), "{args:?}: {ran:?}");
        assert!(peak_kib < 48 << 10, "{args:?} took {peak_kib} KiB");
    }
    let ran = with_little_memory(&place, &["info", "y.rec"]);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("does not fit in the memory of this process"), "{ran:?}");
}

/// Finds a command that dies, or changes a store, when the process has no address space for the
/// store.
#[test]
#[cfg(target_arch = "x86_64")]
fn a_store_without_room_in_the_address_space_is_an_error_that_says_so() {
    const LEN_BYTES: u64 = 1 << 30;
    let place = store_of_a_hole(LEN_BYTES);
    place.write("one.csv", "data\n00\n");
    place.ok(["info", "x.rec"]);
    let before = place.files();
    let program_kib = std::fs::metadata(env!("CARGO_BIN_EXE_flatrec")).unwrap().len() >> 10;
    for args in [
        &["info", "x.rec"][..],
        &["schema", "x.rec"],
        &["get", "x.rec", "5"],
        &["scan", "x.rec", "--count"],
        &["tail", "x.rec", "-n", "1"],
        &["export", "x.rec", "o.csv"],
        &["backup", "x.rec", "o.rec"],
        &["compact", "x.rec", "o.rec"],
        &["salvage", "x.rec", "o.rec"],
        &["append", "x.rec", "one.csv"],
        &["load", "one.csv", "x.rec", "--append"],
        &["set", "x.rec", "0", "data=00"],
        &["checkpoint", "x.rec"],
    ] {
        let limit = format!("ulimit -v {}; exec \"$@\"", program_kib + (256 << 10));
        let mut command = std::process::Command::new("sh");
        command.args(["-c", &limit, "sh", env!("CARGO_BIN_EXE_flatrec")]).args(args);
        command.current_dir(place.0.path()).stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = output_in_time(command.spawn().unwrap());
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{args:?}: {said}");
        assert!(said.contains("Cannot allocate memory"), "{args:?}: {said}");
        assert_eq!(place.files(), before, "{args:?}");
    }
    // It reads what it verifies in pieces.
    assert_eq!(with_little_memory(&place, &["verify", "x.rec", "--limit", "1"]).status, Some(0));
}

/// Finds a command that reads an endless schema past 64 MiB.
#[test]
fn a_schema_without_end_is_refused() {
    let place = Place::new();
    place.write("in.csv", "n\n7\n");
    let load = ["load", "in.csv", "x.rec", "--schema", "/dev/zero"];
    let ran = place.run(load);
    assert_eq!(ran.status, Some(1), "{ran:?}");
    assert!(ran.stderr.contains("it is longer than 64 MiB"), "{ran:?}");
    assert_eq!(place.files(), ["in.csv"]);
}
