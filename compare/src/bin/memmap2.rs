use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom, Write};
use std::process::Command;

use bytemuck::{Pod, Zeroable, bytes_of, cast_slice, cast_slice_mut};
use memmap2::{Mmap, MmapMut};

/// Record 0 is the header, whose `at` counts the records behind it.
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
    if arguments.next().is_some() {
        // SAFETY: the writer truncates nothing, and changes no record during this read.
        let map = unsafe { Mmap::map(&File::open(&path)?)? };
        println!("the second reader finds {}", cast_slice::<u8, Reading>(&map)[8].value);
        return Ok(());
    }
    let new = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = new?;
    if file.metadata()?.len() == 0 {
        file.write_all(bytes_of(&Reading { at: 0, sensor: 0, value: 0.0 }))?;
    }
    // SAFETY: no other program writes to the file.
    let count = cast_slice::<u8, Reading>(&unsafe { Mmap::map(&file)? })[0].at;
    file.seek(SeekFrom::Start((count + 1) * size_of::<Reading>() as u64))?;
    let new: Vec<Reading> = (count..count + 1000)
        .map(|at| Reading { at, sensor: at % 10, value: at as f64 / 2.0 })
        .collect();
    file.write_all(cast_slice(&new))?;
    file.sync_data()?; // the records first, and then the count that makes them valid
    // SAFETY: as above.
    let mut map = unsafe { MmapMut::map_mut(&file)? };
    cast_slice_mut::<u8, Reading>(&mut map)[0].at += 1000;
    map.flush()?;
    cast_slice_mut::<u8, Reading>(&mut map)[8].value += 0.125; // a crash here may tear it
    map.flush()?;

    let readings = &cast_slice::<u8, Reading>(&map)[1..];
    println!("record 7 is {}", readings[7].value);
    let sum: f64 = readings.iter().map(|reading| reading.value).sum();
    println!("{} records, sum {sum}", readings.len());
    Command::new(std::env::current_exe()?).args([&path, "read"]).status()?;
    Ok(())
}
