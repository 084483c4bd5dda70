use bytemuck::{Pod, Zeroable, bytes_of, pod_read_unaligned};
use fjall::{Database, KeyspaceCreateOptions, PersistMode, Readable};

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Reading {
    at: u64,
    sensor: u64,
    value: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("the path of the store is missing")?;
    let database = Database::builder(&path).open()?;
    let readings = database.keyspace("readings", KeyspaceCreateOptions::default)?;
    let reading = |bytes: &[u8]| pod_read_unaligned::<Reading>(bytes);
    let seven = 7_u64.to_be_bytes(); // big-endian, so that keys sort as numbers do

    let mut insert = database.batch().durability(Some(PersistMode::SyncAll));
    let count = readings.len()? as u64;
    for at in count..count + 1000 {
        let reading = Reading { at, sensor: at % 10, value: at as f64 / 2.0 };
        insert.insert(&readings, at.to_be_bytes(), bytes_of(&reading));
    }
    insert.commit()?;
    let mut seventh = reading(&readings.get(seven)?.unwrap());
    seventh.value += 0.125;
    readings.insert(seven, bytes_of(&seventh))?;
    database.persist(PersistMode::SyncAll)?;

    let snapshot = database.snapshot();
    println!("record 7 is {}", reading(&snapshot.get(&readings, seven)?.unwrap()).value);
    let (mut count, mut sum) = (0, 0.0);
    for entry in snapshot.iter(&readings) {
        sum += reading(&entry.value()?).value;
        count += 1;
    }
    println!("{count} records, sum {sum}");
    std::thread::scope(|scope| {
        // One process has a database open, so the second reader is a thread.
        let second = scope.spawn(|| readings.get(seven));
        let value = reading(&second.join().unwrap()?.unwrap()).value;
        println!("the second reader finds {value}");
        Ok(())
    })
}
