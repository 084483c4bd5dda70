//! Opens a file that is in memory, reads one record, and closes the file.

mod common;

use std::time::Duration;

use common::{Item, Sample, calls, place};
use flatrec::zerocopy::{FromZeros, IntoBytes};
use flatrec::{DynStore, Store};

/// The record that is read.
const ID: u64 = 765_432;

fn main() {
    let sample = Sample::make();
    let expected = Item::new(ID).digest();
    let mut criterion = common::criterion();
    let name = "open, read one record of 125 bytes, close";
    let mut group = common::group(&mut criterion, name, 1);
    group.sample_size(50).measurement_time(Duration::from_secs(1));

    common::measure(&mut group, "raw map", expected, || sample.map_file().get(ID).digest());
    common::measure(&mut group, "call per record", expected, || {
        let mut item = Item::new_zeroed();
        calls::read_at(&sample.open_file(), place(ID), item.as_mut_bytes());
        item.digest()
    });
    common::measure(&mut group, "flatrec Store", expected, || {
        sample.open_store().get(ID).expect("a record").digest()
    });
    common::measure(&mut group, "flatrec DynStore", expected, || {
        Item::of(sample.open_dyn_store().get(ID).expect("a record")).digest()
    });
    common::measure(&mut group, "flatrec Store, to write", expected, || {
        let store = Store::<Item>::open(&sample.path).expect("open");
        let digest = store.get(ID).expect("a record").digest();
        store.close().expect("close");
        digest
    });
    common::measure(&mut group, "flatrec DynStore, to write", expected, || {
        let store = DynStore::open(&sample.path).expect("open");
        let digest = Item::of(store.get(ID).expect("a record")).digest();
        store.close().expect("close");
        digest
    });
    group.finish();
    criterion.final_summary();
}
