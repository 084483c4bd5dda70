use std::process::Command;

use bytemuck::{Pod, Zeroable, bytes_of, pod_read_unaligned};
use heed::types::{Bytes, U64};
use heed::{CommitOrAbort, Database, EnvOpenOptions, byteorder::BigEndian};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Reading {
    at: u64,
    sensor: u64,
    value: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("the path of the store is missing")?;
    std::fs::create_dir_all(&path)?;
    // SAFETY: no program changes the file but through LMDB, and its file system is local.
    let env = unsafe { EnvOpenOptions::new().map_size(1 << 30).open(&path)? };
    let readings: Database<U64<BigEndian>, Bytes> = env
        .create_databases_and_commit(env.write_txn()?, |databases, transaction| {
            databases.create_database(transaction, None).map(CommitOrAbort::<_, ()>::Commit)
        })?
        .unwrap_commit();
    let reading = |bytes: &[u8]| pod_read_unaligned::<Reading>(bytes);
    if arguments.next().is_some() {
        let snapshot = env.read_txn()?;
        let value = reading(readings.get(&snapshot, &7)?.unwrap()).value;
        println!("the second reader finds {value}");
        return Ok(());
    }
    let mut insert = env.write_txn()?;
    let count = readings.len(&insert)?;
    for at in count..count + 1000 {
        let reading = Reading { at, sensor: at % 10, value: at as f64 / 2.0 };
        readings.put(&mut insert, &at, bytes_of(&reading))?;
    }
    insert.commit()?;
    let mut update = env.write_txn()?;
    let mut seventh = reading(readings.get(&update, &7)?.unwrap());
    seventh.value += 0.125;
    readings.put(&mut update, &7, bytes_of(&seventh))?;
    update.commit()?;

    let snapshot = env.read_txn()?;
    println!("record 7 is {}", reading(readings.get(&snapshot, &7)?.unwrap()).value);
    let mut sum = 0.0;
    for entry in readings.iter(&snapshot)? {
        sum += reading(entry?.1).value;
    }
    println!("{} records, sum {sum}", readings.len(&snapshot)?);
    Command::new(std::env::current_exe()?).args([&path, "read"]).status()?;
    Ok(())
}
