//! Opening a file that is in memory, reading one record, and closing it.

mod common;

use std::time::Duration;

use common::raw::RawMap;
use common::{Files, Item, RECORD_BYTES, calls};
use flatrec::zerocopy::{FromZeros, IntoBytes};
use flatrec::{DynStore, Store};

/// The record that is read.
const ID: u64 = 765_432;

fn main() {
    let files = Files::make();
    let expected = Item::new(ID).digest();
    let mut criterion = common::criterion();
    let name = "open, read one record of 125 bytes, close";
    let mut group = common::group(&mut criterion, name, 1);
    group.sample_size(50).measurement_time(Duration::from_secs(1));

    common::measure(&mut group, "raw map", expected, || {
        RawMap::new(&files.open_plain()).get(ID).digest()
    });
    common::measure(&mut group, "call per record", expected, || {
        let mut item = Item::new_zeroed();
        calls::read_at(&files.open_plain(), ID * RECORD_BYTES as u64, item.as_mut_bytes());
        item.digest()
    });
    common::measure(&mut group, "flatrec Store", expected, || {
        files.open_store().get(ID).expect("a record").digest()
    });
    common::measure(&mut group, "flatrec DynStore", expected, || {
        Item::of(files.open_dyn_store().get(ID).expect("a record")).digest()
    });
    common::measure(&mut group, "flatrec Store, to write", expected, || {
        let store = Store::<Item>::open(&files.store).expect("open");
        let digest = store.get(ID).expect("a record").digest();
        store.close().expect("close");
        digest
    });
    common::measure(&mut group, "flatrec DynStore, to write", expected, || {
        let store = DynStore::open(&files.store).expect("open");
        let digest = Item::of(store.get(ID).expect("a record")).digest();
        store.close().expect("close");
        digest
    });
    group.finish();
    criterion.final_summary();
}
