//! A second view for single records, of files that are larger than the memory for them.
//!
//! By default a system reads far more than one page around a page that is missing. That pays where
//! the rest is read soon, too: in a scan, and in a file that will be wholly in memory. Where
//! neither is so, it reads up to some thousand pages for one record, and drops as many that others
//! need. A view for which the system was told that reads are random costs one page a record, and a
//! scan through it would be as slow as that. So a large file has both, and each read goes through
//! the view that suits it. Both show the same pages.

use crate::io::{Access, Backing, View};
use crate::os::{self, Advice, Advised};

/// Smaller files always have one view: to ask for the memory would take as long as to open them.
const LARGE_BYTES_MIN: u64 = 64 << 20;

/// `view`, of a file of `len_bytes`, with another one for single records if the file does not fit
/// into memory.
pub(crate) fn with_points(backing: &dyn Backing, view: View, len_bytes: u64) -> View {
    if len_bytes < LARGE_BYTES_MIN {
        return view;
    }
    with_points_beyond(backing, view, len_bytes, os::memory_for_files())
}

/// As [`with_points`], where files may take so many bytes of memory.
fn with_points_beyond(
    backing: &dyn Backing,
    view: View,
    len_bytes: u64,
    memory_bytes: Option<u64>,
) -> View {
    match memory_bytes {
        Some(memory_bytes) if memory_bytes < len_bytes => add_points(backing, view),
        _ => view,
    }
}

/// `view` with another one, unless it has pages of its own or the system takes no such advice.
fn add_points(backing: &dyn Backing, view: View) -> View {
    if view.access() != Access::ReadOnly || view.len_bytes() == 0 {
        return view;
    }
    // A failure is no error: all records can be read through `view`.
    let Ok(points) = backing.view(view.offset(), view.len_bytes(), Access::ReadOnly) else {
        return view;
    };
    match points.advise(0..points.len_bytes(), Advice::Random) {
        Ok(Advised::Done) => view.with_points(points),
        Ok(Advised::FellBack(_) | Advised::Unsupported) | Err(_) => view,
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::array::RecordView;
    use crate::format::Geometry;
    use crate::io::FileBacking;

    const GEOMETRY: Geometry = Geometry { data_offset: 4096, stride: 100 };
    const COUNT: u64 = 900;

    fn backing() -> FileBacking {
        let backing = FileBacking::temporary(128 << 10).unwrap();
        for id in 0..COUNT {
            backing.write_at(GEOMETRY.offset_of(id).unwrap(), &[id as u8; 100]).unwrap();
        }
        backing
    }

    fn view(backing: &FileBacking, memory_bytes: Option<u64>, access: Access) -> View {
        let view = backing.view(0, 128 << 10, access).unwrap();
        with_points_beyond(backing, view, 128 << 10, memory_bytes)
    }

    #[test]
    fn a_file_that_fits_into_memory_has_one_view() {
        let backing = backing();
        for memory_bytes in [None, Some(128 << 10), Some(u64::MAX)] {
            assert!(view(&backing, memory_bytes, Access::ReadOnly).points().is_none());
        }
        // A view with pages of its own shows what another one does not.
        assert!(view(&backing, Some(0), Access::Private).points().is_none());
        let small = backing.view(0, 128 << 10, Access::ReadOnly).unwrap();
        assert!(with_points(&backing, small, 128 << 10).points().is_none());
    }

    /// Finds a read of one record that the system reads ahead for, a scan that it does not read
    /// ahead for, and views that show different bytes.
    #[test]
    #[cfg(target_os = "linux")]
    #[allow(unsafe_code, reason = "nothing else has this file")]
    fn single_records_are_read_through_a_view_of_their_own() {
        let backing = backing();
        let view = Arc::new(view(&backing, Some((128 << 10) - 1), Access::ReadOnly));
        let within = |view: &View, bytes: &[u8]| {
            let start = view.as_ptr() as usize;
            (start..start + view.len_bytes()).contains(&(bytes.as_ptr() as usize))
        };
        let points = view.points().expect("a second view");
        // SAFETY: any byte is a valid `u8`.
        let mut records = unsafe { RecordView::<u8>::new(Arc::clone(&view), GEOMETRY) }.unwrap();
        // SAFETY: the file has the records, and nothing changes them while they are borrowed.
        unsafe { records.publish(COUNT) }.unwrap();
        for id in [0, 1, 500, COUNT - 1] {
            let slot = records.slot(id).unwrap();
            assert_eq!(slot, [id as u8; 100]);
            assert!(within(points, slot) && !within(&view, slot));
            let one = records.strides(id..id + 1).unwrap();
            assert!(one == slot && within(&view, one));
            records.approach(id);
            let place = records.place(id).unwrap();
            assert_eq!(place.start as u64, GEOMETRY.offset_of(id).unwrap());
        }
        let all = records.strides(0..COUNT).unwrap();
        assert!(within(&view, all) && !within(points, all));
        assert!((0..).zip(all.chunks(100)).all(|(id, record)| record == [id as u8; 100]));
        let (mut one, mut many) = ([0; 100], [0; 300]);
        records.copy_strides(7..8, &mut one).unwrap();
        records.copy_strides(7..10, &mut many).unwrap();
        assert_eq!(one, many[..100]);
        backing.write_at(GEOMETRY.offset_of(500).unwrap(), &[1; 100]).unwrap();
        assert_eq!(records.slot(500).unwrap(), [1; 100]);
        assert_eq!(records.strides(500..502).unwrap()[..100], [1; 100]);
    }
}
