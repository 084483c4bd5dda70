//! Commands that open stores with a log for writing on a full disk.

use std::fs::File;
use std::io::Write as _;

use flatrec::{DataType, Durability, DynDatabase, DynStore, Field, Schema};

use super::mounts::Mounts;
use super::*;

const RECORDS: u64 = 600;

fn record(n: u64) -> [u8; 1000] {
    std::array::from_fn(|at| (n as u8).wrapping_add(at as u8))
}

/// A store `path` as a killed process leaves it, with a log that holds four images of each record,
/// the last one `record(n)`.
fn killed(path: &Path) {
    let elsewhere = Place::new();
    let schema = Schema::packed([Field::new("bytes", DataType::Binary(1000))]).unwrap();
    let options =
        DynDatabase::create_options().deletes(true).checksums(true).checkpoint_at(1 << 40);
    let database = options.create(elsewhere.path("x"), &schema).unwrap();
    for before in (0..4).rev() {
        let mut transaction = database.begin_write().unwrap();
        for n in 0..RECORDS {
            match before {
                3 => drop(transaction.append(&record(n + before)).unwrap()),
                _ => transaction.set(n, &record(n + before)).unwrap(),
            }
        }
        transaction.commit(Durability::Immediate).unwrap();
    }
    for file in elsewhere.files() {
        let ending = file.strip_prefix('x').unwrap();
        let to = format!("{}{ending}", path.display());
        std::fs::copy(elsewhere.path(&file), to).unwrap();
    }
}

fn fill(path: &Path) {
    let mut filler = File::create(path).unwrap();
    for piece in [1 << 20, 64 << 10, 4 << 10, 1] {
        while filler.write_all(&vec![1; piece]).is_ok() {}
    }
}

/// Recovery needed space for a copy of the log: no command could open such a store for writing.
#[test]
fn every_command_that_writes_recovers_without_room() {
    let Some(disk) = Mounts::make("mount -t tmpfs -o size=8m tmpfs disk", &["disk"]) else {
        return;
    };
    let place = Place::new();
    let zeros = "0".repeat(2000);
    place.write("in.csv", format!("bytes\n{zeros}\n"));
    let value = format!("bytes={zeros}");
    let path = disk.path("disk").join("store");
    let store = path.to_str().unwrap();
    let csv = place.path("in.csv");
    let commands: [&[&str]; 4] = [
        &["checkpoint", store],
        &["append", store, csv.to_str().unwrap()],
        &["set", store, "0", &value],
        &["delete", store, "0"],
    ];
    for command in commands {
        for entry in std::fs::read_dir(disk.path("disk")).unwrap() {
            std::fs::remove_file(entry.unwrap().path()).unwrap();
        }
        killed(&path);
        fill(&disk.path("disk").join("filler"));
        place.ok(command);
        let store = DynStore::open_read_only(&path).unwrap();
        assert!((1..RECORDS).all(|n| store.get(n) == Some(&record(n)[..])), "{command:?}");
        assert!(store.info().unwrap().log.is_none(), "{command:?}");
    }
}
