//! A private (copy-on-write) view never writes to the file: its changes are visible to this program
//! only.
//!
//! First a store opened private: what-if calculations on real records. Then a plain file through a
//! private view, beside a view that shows the file's content.
//!
//!     cargo run --example copy_on_write [DIRECTORY]

use std::error::Error;
use std::path::Path;

use flatrec::map::{Access, Mapping};
use flatrec::{ErrorKind, Record, Store, le};

#[derive(Clone, Copy, Record)]
#[repr(C)]
struct Account {
    id: le::U32,
    cents: le::U32,
}

const ACCOUNTS: u32 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let scratch = match std::env::args_os().nth(1) {
        Some(directory) => tempfile::tempdir_in(directory)?,
        None => tempfile::tempdir()?,
    };
    private_store(&scratch.path().join("accounts.rec"))?;
    private_view(&scratch.path().join("greeting.txt"))
}

fn private_store(path: &Path) -> Result<(), Box<dyn Error>> {
    let mut store = Store::<Account>::create(path)?;
    let accounts = (0..ACCOUNTS).map(|id| Account { id: id.into(), cents: 1000.into() });
    store.append_all(accounts)?;
    store.close()?;
    let before = std::fs::read(path)?;

    // What if every account paid a fee? A page is copied when it is first changed.
    let mut what_if = Store::<Account>::open_private(path)?;
    let mut edit = what_if.edit()?;
    for id in (0..u64::from(ACCOUNTS)).step_by(100) {
        edit.get_mut(id)?.expect("an account").cents -= 5;
    }
    edit.finish()?;
    println!("in the private store: {} cents in all", total(&what_if));
    assert_eq!(total(&what_if), 10_000 * 1000 - 100 * 5);

    // Others still read the unchanged file at the same time.
    let store = Store::<Account>::open_read_only(path)?;
    println!("in the file:          {} cents in all", total(&store));
    assert_eq!(total(&store), 10_000 * 1000);

    // A private store cannot grow: new records have no place in the file.
    let refused = what_if.append(&Account { id: 0.into(), cents: 0.into() });
    assert_eq!(refused.map_err(|error| error.kind()), Err(ErrorKind::ReadOnly));

    what_if.close()?;
    assert_eq!(std::fs::read(path)?, before, "not one byte of the file has changed");
    println!("closed: the file is unchanged, byte for byte");
    Ok(())
}

fn total(store: &Store<Account>) -> u64 {
    store.iter().map(|(_, account)| u64::from(account.cents.get())).sum()
}

fn private_view(path: &Path) -> Result<(), Box<dyn Error>> {
    std::fs::write(path, "hello, file")?;
    let mapping = Mapping::open(path, Access::Private)?;
    let mine = mapping.view_all()?;
    mine.write(7, b"mine")?;

    let mut seen = [0; 11];
    mine.read(0, &mut seen)?;
    println!("through the private view: {:?}", std::str::from_utf8(&seen)?);
    assert_eq!(&seen, b"hello, mine");

    // Another view of the same mapping has its own private pages: it shows the file.
    let other = mapping.read_vec(0..11)?;
    println!("through another view:     {:?}", std::str::from_utf8(&other)?);
    assert_eq!(other, b"hello, file");

    drop(mine);
    assert_eq!(std::fs::read(path)?, b"hello, file");
    Ok(())
}
