use std::process::Command;

use redb::{Builder, ConcurrencyMode, ReadableDatabase, ReadableTable, ReadableTableMetadata};

type Reading = (u64, u64, f64); // at, sensor, value
const READINGS: redb::TableDefinition<u64, Reading> = redb::TableDefinition::new("readings");

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("the path of the store is missing")?;
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter); // lets other processes read
    if arguments.next().is_some() {
        let readings = builder.open_read_only(&path)?.begin_read()?.open_table(READINGS)?;
        println!("the second reader finds {}", readings.get(7)?.unwrap().value().2);
        return Ok(());
    }
    let database = builder.create(&path)?;
    let insert = database.begin_write()?;
    {
        let mut readings = insert.open_table(READINGS)?;
        let count = readings.len()?;
        for at in count..count + 1000 {
            readings.insert(at, (at, at % 10, at as f64 / 2.0))?;
        }
    }
    insert.commit()?;
    let update = database.begin_write()?;
    {
        let mut readings = update.open_table(READINGS)?;
        let (at, sensor, value) = readings.get(7)?.unwrap().value();
        readings.insert(7, (at, sensor, value + 0.125))?;
    }
    update.commit()?;

    let readings = database.begin_read()?.open_table(READINGS)?;
    println!("record 7 is {}", readings.get(7)?.unwrap().value().2);
    let mut sum = 0.0;
    for entry in readings.iter()? {
        sum += entry?.1.value().2;
    }
    println!("{} records, sum {sum}", readings.len()?);
    Command::new(std::env::current_exe()?).args([&path, "read"]).status()?;
    drop(readings);
    database.close()?;
    Ok(())
}
