use bytemuck::{Pod, Zeroable, bytes_of, pod_read_unaligned};
use sled::transaction::TransactionError;

#[derive(Clone, Copy, Pod, Zeroable)]
#[repr(C)]
struct Reading {
    at: u64,
    sensor: u64,
    value: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("the path of the store is missing")?;
    let readings = sled::open(&path)?;
    let reading = |bytes: &[u8]| pod_read_unaligned::<Reading>(bytes);
    let seven = 7_u64.to_be_bytes(); // big-endian, so that keys sort as numbers do

    let count = readings.len() as u64;
    let inserted = readings.transaction(|insert| {
        for at in count..count + 1000 {
            let reading = Reading { at, sensor: at % 10, value: at as f64 / 2.0 };
            insert.insert(&at.to_be_bytes(), bytes_of(&reading))?;
        }
        insert.flush();
        Ok(())
    });
    inserted.map_err(|error: TransactionError| error.to_string())?;
    readings.update_and_fetch(seven, |seventh| {
        let mut seventh = reading(seventh?);
        seventh.value += 0.125;
        Some(bytes_of(&seventh).to_vec())
    })?;
    readings.flush()?;

    println!("record 7 is {}", reading(&readings.get(seven)?.unwrap()).value);
    let (mut count, mut sum) = (0, 0.0);
    for entry in readings.iter() {
        sum += reading(&entry?.1).value;
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
