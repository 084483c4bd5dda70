//! Several overlapping views of one file are one memory: a write through one is visible in all the
//! others at once, without a flush and through every handle.
//!
//!     cargo run --example overlapping_views [DIRECTORY]

use std::error::Error;

use flatrec::map::{Access, Mapping, View};

fn main() -> Result<(), Box<dyn Error>> {
    let scratch = match std::env::args_os().nth(1) {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    let path = scratch.path().join("bytes");
    let mapping = Mapping::create_new(&path, 1 << 20)?;

    // Three views that neither start nor end at a page boundary, and that share bytes
    // 150,000..160,000.
    let early = mapping.view(12_345..160_000)?;
    let late = mapping.view(150_000..777_777)?;
    let whole = mapping.view_all()?;

    // Positions within a view are counted from its start.
    early.write(151_000 - 12_345, b"written through the early view")?;
    show("the late view", &late, 151_000, b"written through the early view")?;
    show("the whole view", &whole, 151_000, b"written through the early view")?;

    late.write(155_000 - 150_000, b"and back through the late one")?;
    show("the early view", &early, 155_000, b"and back through the late one")?;

    // A second handle, as another process would open it, maps the same pages.
    let second = Mapping::open(&path, Access::ReadOnly)?;
    let theirs = second.view(149_999..160_001)?;
    show("a second handle", &theirs, 155_000, b"and back through the late one")?;
    whole.write(159_990, b"new")?;
    show("a second handle", &theirs, 159_990, b"new")?;
    assert!(theirs.write(0, b"x").is_err(), "a read-only view refuses writes");

    // Growing the file leaves existing views unchanged; new ones reach further.
    mapping.grow(2 << 20)?;
    let grown = mapping.view(700_000..2 << 20)?;
    late.write(750_000 - 150_000, b"still valid")?;
    show("a view past the old end", &grown, 750_000, b"still valid")?;
    assert_eq!((whole.len_bytes(), mapping.len_bytes()?), (1 << 20, 2 << 20));

    // Visible is not durable: durability needs a flush of each view that was written, and a sync.
    for view in [&early, &late, &whole] {
        view.flush(0..view.len_bytes())?;
    }
    mapping.sync()?;
    println!("flushed and synced");
    Ok(())
}

/// Checks that `view` shows `expected` at byte `offset` of the file.
fn show(name: &str, view: &View, offset: u64, expected: &[u8]) -> Result<(), Box<dyn Error>> {
    let mut seen = vec![0; expected.len()];
    view.read(usize::try_from(offset - view.offset())?, &mut seen)?;
    println!("{name} shows {:?} at {offset}", String::from_utf8_lossy(&seen));
    assert_eq!(seen, expected);
    Ok(())
}
