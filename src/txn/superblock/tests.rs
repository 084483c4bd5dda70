//! The header of files that a test changes, or lets fail.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::*;
use crate::format::{DataType, Field};
use crate::io::hooked::{Call, Hooked, Then};
use crate::os::FileSystemKind;

fn store_of(backing: Arc<dyn Backing>, field: &str) -> Superblock {
    let schema = Schema::packed([Field::new(field, DataType::UInt64)]).unwrap();
    Superblock::create(backing, &schema, &NewMetadata::Bytes(Vec::new()), false).unwrap()
}

fn store() -> Superblock {
    store_of(Arc::new(FileBacking::temporary(0).unwrap()), "n")
}

fn append(superblock: &mut Superblock, records: u64) {
    superblock
        .commit(|header| {
            header.counts.commit += 1;
            (header.counts.records, header.counts.live) = (records, records);
        })
        .unwrap();
}

/// Finds a reader that reads the records of one store by the schema of another.
#[test]
fn a_handle_whose_file_became_another_store_goes_by_its_schema() {
    let mut superblock = store();
    let file_id = superblock.header().file_id;
    superblock.look_again().unwrap();
    assert_eq!(superblock.header().file_id, file_id);
    // As a copy of another store, written over the file, leaves it.
    let other = store_of(Arc::new(FileBacking::temporary(0).unwrap()), "m");
    let mut bytes = vec![0; FRONT_BYTES];
    other.backing().read_at(0, &mut bytes).unwrap();
    superblock.backing().write_at(0, &bytes).unwrap();
    superblock.look_again().unwrap();
    assert_eq!(superblock.header(), other.header());
    assert_eq!(superblock.schema(), other.schema());
}

/// Finds a handle that shows a store as it was when the handle opened it.
#[test]
fn a_handle_that_looks_again_sees_what_a_writer_has_begun() {
    let mut writer = store();
    writer.commit(|_| {}).unwrap();
    let mut looking = Superblock::open(Arc::clone(writer.backing())).unwrap();
    assert!(looking.at_rest() && !looking.watch().seen().found_editing);
    writer.commit(|header| header.editing = true).unwrap();
    looking.look_again().unwrap();
    assert!(!looking.at_rest() && looking.watch().seen().found_editing);
    let found = Superblock::open(Arc::clone(writer.backing())).unwrap();
    assert_eq!((looking.slot, looking.report()), (found.slot, found.report()));
}

/// Finds an opening that calls a store whose headers are damaged no store, or reports the damage
/// before it has the locks that keep the writer from repairing it.
#[test]
fn a_store_with_damaged_headers_is_a_store() {
    let superblock = store();
    let backing = superblock.backing();
    for slot in [Slot::A, Slot::B] {
        backing.write_at(slot.offset() + 100, &[0xA5; 8]).unwrap();
    }
    assert_eq!(Superblock::header_in(&**backing).unwrap_err().kind(), ErrorKind::Corrupt);
    Superblock::check_is_store(&**backing).unwrap();
    backing.write_at(0, &[0; 1]).unwrap();
    backing.write_at(Slot::B.offset(), &[0; 1]).unwrap();
    let error = Superblock::check_is_store(&**backing).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotAStore);
}

/// Finds a store without records that is said to be unfinished: it has none to lose.
#[test]
fn a_store_that_is_made_is_said_to_be_unfinished_once_it_counts_records() {
    let mut superblock = store();
    superblock.begin_unfinished();
    append(&mut superblock, 0);
    assert!(!superblock.header().unfinished);
    append(&mut superblock, 1);
    assert!(superblock.header().unfinished);
    superblock.finish().unwrap();
    let found = Superblock::header_in(&**superblock.backing()).unwrap();
    assert_eq!((found.unfinished, found.counts.records), (false, 1));
    assert_eq!(found, *superblock.header(), "the next header follows this one");
}

/// A store over a file that notes where it is written, and when it is synced; `fails_once` lets the
/// next write fail.
struct Noted {
    file: Arc<FileBacking>,
    calls: Arc<Mutex<Vec<String>>>,
    fails_once: Arc<AtomicBool>,
}

impl Noted {
    /// A store after headers of commit 1, with or without the mark of an edit. A killed process may
    /// not have synced the last of them.
    fn after(editing: &[bool]) -> Self {
        let file = Arc::new(FileBacking::temporary(0).unwrap());
        let mut made = store_of(Arc::clone(&file) as _, "n");
        for &is in editing {
            made.commit(|header| (header.counts.commit, header.editing) = (1, is)).unwrap();
        }
        Self { file, calls: Arc::default(), fails_once: Arc::default() }
    }

    fn open(&self) -> Superblock {
        let (calls, fails_once) = (Arc::clone(&self.calls), Arc::clone(&self.fails_once));
        let hook = move |_: &Arc<dyn Backing>, _: &str, call: Call<'_>| {
            let call = match call {
                Call::Write { .. } if fails_once.swap(false, Ordering::Relaxed) => {
                    return Err(Error::new(ErrorKind::Io, "write"));
                }
                Call::Write { offset, .. } => format!("write {offset}"),
                Call::SyncData => "sync".to_owned(),
                _ => return Ok(Then::Forward),
            };
            calls.lock().unwrap().push(call);
            Ok(Then::Forward)
        };
        Superblock::open(Arc::new(Hooked::over(Arc::clone(&self.file) as _, hook))).unwrap()
    }

    /// Asserts that since the last question these headers were written, each synced.
    #[track_caller]
    fn assert_wrote(&self, slots: &[Slot]) {
        let calls = std::mem::take(&mut *self.calls.lock().unwrap());
        let each = |slot: &Slot| [format!("write {}", slot.offset()), "sync".to_owned()];
        assert_eq!(calls, slots.iter().flat_map(each).collect::<Vec<_>>());
    }
}

/// Finds a writer that goes on from a header which only the cache has: a power cut takes that
/// header back after the writer has overwritten the one before it.
#[test]
fn the_header_that_was_found_is_durable_before_another_is_written() {
    let killed = Noted::after(&[false]);
    let mut superblock = killed.open();
    assert!(!superblock.at_rest());
    let (found, other) = (superblock.slot, superblock.slot.other());
    superblock.settle_slot_in_force().unwrap();
    killed.assert_wrote(&[found]);
    superblock.settle_slot_in_force().unwrap();
    killed.assert_wrote(&[]);
    superblock.commit(|_| {}).unwrap();
    killed.assert_wrote(&[other]);
    let mut superblock = killed.open();
    let slots = [superblock.slot, superblock.slot.other()];
    superblock.commit(|header| header.counts.commit += 1).unwrap();
    killed.assert_wrote(&slots);

    // Both headers agree on it only if the store was closed, or a writer has settled it.
    for (editing, is_at_rest) in [
        (&[false, false][..], true),
        (&[true, true], true),
        (&[false, true], false),
        (&[true, false], false),
    ] {
        let store = Noted::after(editing);
        let mut superblock = store.open();
        assert_eq!(superblock.at_rest(), is_at_rest, "{editing:?}");
        let slots = [superblock.slot, superblock.slot.other()];
        superblock.settle_slot_in_force().unwrap();
        store.assert_wrote(if is_at_rest { &[] } else { &slots[..1] });
        superblock.settle().unwrap();
        let is_edited = editing == [true, true];
        store.assert_wrote(match is_at_rest {
            true if is_edited => &slots,
            true => &[],
            false => &slots[1..],
        });
        assert!(superblock.at_rest() && !superblock.header().editing, "{editing:?}");
        superblock.settle().unwrap();
        store.assert_wrote(&[]);
    }
}

/// Finds a handle that goes on after a header could not be written.
#[test]
fn a_header_that_cannot_be_written_ends_the_handle() {
    for is_settled in [false, true] {
        let store = Noted::after(&[false]);
        let mut superblock = store.open();
        if is_settled {
            superblock.settle_slot_in_force().unwrap();
        }
        let before = superblock.header().clone();
        store.fails_once.store(true, Ordering::Relaxed);
        assert_eq!(superblock.commit(|_| {}).unwrap_err().kind(), ErrorKind::Io);
        assert_eq!(*superblock.header(), before);
        assert_eq!(superblock.commit(|_| {}).unwrap_err().kind(), ErrorKind::Poisoned);
    }
}

/// Finds a header that no reader would take.
#[test]
fn a_header_past_the_end_of_its_numbers_is_not_written() {
    let mut superblock = store();
    append(&mut superblock, 0);
    let before = superblock.header().clone();
    let error = superblock.commit(|header| header.counts.commit = 1 << 63).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::OutOfRange, "{error}");
    assert_eq!(*superblock.header(), before);
    assert_eq!(Superblock::header_in(&**superblock.backing()).unwrap(), before);
    append(&mut superblock, 0);
}

/// Finds a store whose maker goes on although its file says that it is unfinished.
#[test]
fn a_store_that_could_not_be_finished_is_not_gone_on_with() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let fails = Arc::clone(&is_broken);
    let hook = move |_: &Arc<dyn Backing>, _: &str, call: Call<'_>| match call {
        Call::Write { .. } if fails.load(Ordering::Relaxed) => {
            Err(Error::new(ErrorKind::Io, "write"))
        }
        _ => Ok(Then::Forward),
    };
    let file = Arc::new(FileBacking::temporary(0).unwrap());
    let mut superblock = store_of(Arc::new(Hooked::over(file, hook)), "n");
    superblock.begin_unfinished();
    append(&mut superblock, 1);
    is_broken.store(true, Ordering::Relaxed);
    assert_eq!(superblock.finish().unwrap_err().kind(), ErrorKind::Io);
    is_broken.store(false, Ordering::Relaxed);
    assert!(Superblock::header_in(&**superblock.backing()).unwrap().unfinished);
    assert_eq!(superblock.commit(|_| {}).unwrap_err().kind(), ErrorKind::Poisoned);
}

/// Finds a reader that compares views with calls where both always show the same: it does so each
/// time that it reads the header.
#[test]
fn views_are_compared_with_calls_only_where_they_may_come_to_differ() {
    for (name, calls_see_views, compared) in
        [("overlay", true, 1), ("overlay", false, 0), ("ext4", true, 0), ("ext4", false, 0)]
    {
        let views = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&views);
        let hook = move |_: &Arc<dyn Backing>, _: &str, call: Call<'_>| {
            if let Call::View = call {
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Ok(Then::Forward)
        };
        let file = Arc::clone(store().backing());
        let hooked = Hooked::over(file, hook).with_properties(|properties| {
            properties.file_system = FileSystemKind::Local(name.into());
            properties.calls_see_views = calls_see_views;
        });
        let superblock = Superblock::open(Arc::new(hooked)).unwrap();
        views.store(0, Ordering::Relaxed);
        superblock.check_views().unwrap();
        assert_eq!(views.load(Ordering::Relaxed), compared, "{name}, {calls_see_views}");
    }
}

/// Finds a reader that goes on in a file that was cut between two of its calls. Windows cuts no
/// file with views.
#[test]
#[cfg(unix)]
fn a_view_of_a_cut_file_is_not_what_calls_read() {
    let file = Arc::clone(store().backing());
    let viewed = AtomicBool::new(false);
    let hook = move |file: &Arc<dyn Backing>, _: &str, call: Call<'_>| {
        match call {
            Call::View => viewed.store(true, Ordering::Relaxed),
            Call::Read { .. } if viewed.swap(false, Ordering::Relaxed) => {
                file.trim(DESCRIPTORS_OFFSET - 100)?
            }
            _ => {}
        }
        Ok(Then::Forward)
    };
    let hooked = Hooked::over(file, hook).with_properties(|properties| {
        properties.file_system = FileSystemKind::Local("overlay".into());
        properties.calls_see_views = true;
    });
    let superblock = Superblock::open(Arc::new(hooked)).unwrap();
    assert_eq!(superblock.check_views().unwrap_err().kind(), ErrorKind::Outdated);
}

/// Finds a store that is taken for one that was closed, although one of its headers is damaged.
#[test]
fn a_store_with_one_damaged_header_is_not_at_rest() {
    for slot in [Slot::A, Slot::B] {
        let store = Noted::after(&[false, false]);
        store.file.write_at(slot.offset() + 100, &[0xA5; 8]).unwrap();
        let mut superblock = store.open();
        assert!(!superblock.at_rest(), "{slot:?}");
        assert_eq!(superblock.slot, slot.other());
        superblock.settle().unwrap();
        store.assert_wrote(&[slot.other(), slot]);
        assert!(store.open().at_rest(), "{slot:?}");
    }
}

/// Finds a file whose records are lost that is said to have lost its schema too.
#[test]
fn a_file_that_ends_right_behind_its_schema_has_it() {
    let superblock = store();
    let backing = superblock.backing();
    let end = superblock.header().end_of_description();
    for (len_bytes, is_whole) in [(end, true), (end - 1, false)] {
        backing.trim(len_bytes).unwrap();
        let found = Superblock::open_even_short(Arc::clone(backing));
        match is_whole {
            true => assert_eq!(found.unwrap().schema(), superblock.schema()),
            false => assert_eq!(found.unwrap_err().kind(), ErrorKind::Truncated),
        }
    }
}

/// Finds metadata that lose their place behind a hole, which a copy does not read.
#[test]
fn metadata_with_holes_are_copied_to_their_places() {
    const PIECE: usize = 64 << 10;
    let mut metadata = vec![0; 40 * PIECE];
    for (piece, byte) in [(0, 1), (20, 2), (39, 3)] {
        metadata[piece * PIECE..(piece + 1) * PIECE].fill(byte);
    }
    let schema = Schema::packed([Field::new("n", DataType::UInt64)]).unwrap();
    let create = |metadata: &NewMetadata| {
        let file = Arc::new(FileBacking::temporary(0).unwrap());
        Superblock::create(file, &schema, metadata, false).unwrap()
    };
    let bytes_of = |superblock: &Superblock| {
        let mut bytes = vec![0; usize::try_from(superblock.header().data_offset).unwrap()];
        assert_eq!(superblock.backing().read_at(0, &mut bytes).unwrap(), bytes.len());
        bytes
    };
    let whole = bytes_of(&create(&NewMetadata::Bytes(metadata)));
    // The same file, with holes in place of its zeros.
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("holes.rec");
    let sparse = FileBacking::create_new(&path).unwrap();
    std::fs::File::options().write(true).open(&path).unwrap().set_len(whole.len() as u64).unwrap();
    for (at, page) in whole.chunks(4096).enumerate() {
        if page.iter().any(|&byte| byte != 0) {
            sparse.write_at(at as u64 * 4096, page).unwrap();
        }
    }
    let sparse = Superblock::open(Arc::new(sparse)).unwrap();
    let copy = bytes_of(&create(&NewMetadata::Of(Arc::clone(sparse.metadata()))));
    let start = usize::try_from(DESCRIPTORS_OFFSET).unwrap();
    assert!(copy[start..] == whole[start..], "they differ");
}
