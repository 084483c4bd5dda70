use std::process::Command;

use flatrec::{Database, Durability, Record};

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Reading {
    at: u64,
    sensor: u64,
    value: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("the path of the store is missing")?;
    if arguments.next().is_some() {
        let readings = Database::<Reading>::open_read_only(&path)?;
        println!("the second reader finds {}", readings.begin_read()?.get(7).unwrap().value);
        return Ok(());
    }
    let readings = Database::<Reading>::open_or_create(&path)?;
    let mut insert = readings.begin_write()?;
    for at in insert.count()..insert.count() + 1000 {
        insert.append(&Reading { at, sensor: at % 10, value: at as f64 / 2.0 })?;
    }
    insert.commit(Durability::Immediate)?;
    let mut update = readings.begin_write()?;
    update.get_mut(7)?.unwrap().value += 0.125;
    update.commit(Durability::Immediate)?;

    let snapshot = readings.begin_read()?;
    println!("record 7 is {}", snapshot.get(7).unwrap().value);
    let sum: f64 = snapshot.iter().map(|(_, reading)| reading.value).sum();
    println!("{} records, sum {sum}", snapshot.count());
    Command::new(std::env::current_exe()?).args([&path, "read"]).status()?;
    drop(snapshot);
    readings.close()?;
    Ok(())
}
