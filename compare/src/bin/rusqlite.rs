use std::process::Command;

use rusqlite::Connection;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("the path of the store is missing")?;
    let mut database = Connection::open(&path)?;
    database.pragma_update(None, "journal_mode", "wal")?; // lets others read beside the writer
    let seventh = "SELECT value FROM reading WHERE number = 7";
    if arguments.next().is_some() {
        let value: f64 = database.query_row(seventh, [], |row| row.get(0))?;
        println!("the second reader finds {value}");
        return Ok(());
    }
    database.execute(
        "CREATE TABLE IF NOT EXISTS reading
         (number INTEGER PRIMARY KEY, at INTEGER, sensor INTEGER, value REAL) STRICT",
        [],
    )?;
    let insert = database.transaction()?;
    let count: i64 = insert.query_row("SELECT count(*) FROM reading", [], |row| row.get(0))?;
    {
        let mut statement = insert.prepare("INSERT INTO reading VALUES (?1, ?1, ?2, ?3)")?;
        for at in count..count + 1000 {
            statement.execute((at, at % 10, at as f64 / 2.0))?;
        }
    }
    insert.commit()?;
    database.execute("UPDATE reading SET value = value + 0.125 WHERE number = 7", [])?;

    let snapshot = database.transaction()?;
    let value: f64 = snapshot.query_row(seventh, [], |row| row.get(0))?;
    println!("record 7 is {value}");
    let (mut count, mut sum) = (0, 0.0);
    let mut statement = snapshot.prepare("SELECT value FROM reading")?;
    for value in statement.query_map([], |row| row.get::<_, f64>(0))? {
        sum += value?;
        count += 1;
    }
    println!("{count} records, sum {sum}");
    Command::new(std::env::current_exe()?).args([&path, "read"]).status()?;
    Ok(())
}
