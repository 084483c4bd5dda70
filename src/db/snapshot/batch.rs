//! Many records at once, by their numbers: read from the disk together where they are not in
//! memory.
//!
//! A loop of `get` over records that are not in memory waits for one page after the other, and by
//! default has the system read far more around each than is asked for. A batch tells the system
//! which pages it wants, in order and some way ahead, and then waits for them.

use std::ops::Range;

use super::Snapshot;
use crate::os::{self, Advice};
use crate::txn::Row;

/// A batch of fewer is a loop: to ask whether it is in memory would take longer than to read it.
const BATCH_LEN_MIN: usize = 64;
/// One record of so many is asked for, whether it is in memory, of up to `SAMPLES_MAX`.
const SAMPLED_PART: usize = 64;
const SAMPLES_MAX: usize = 32;
/// Bytes between two records that are rather read as well than asked for separately.
const GAP_BYTES_MAX: usize = 32 << 10;
/// A call asks for no more: Linux reads no more of what one call asks for than the device reads
/// ahead, and forgets the rest.
const CALL_BYTES_MAX: usize = 128 << 10;
/// How far ahead of what was waited for the system is asked to read.
const AHEAD_BYTES_MAX: usize = 32 << 20;

impl<R: Row + ?Sized> Snapshot<R> {
    /// Records by their numbers, in the order asked for, in place: of each what [`Snapshot::get`]
    /// gives.
    ///
    /// If the records seem not to be in memory (a sample is asked for), their pages are read
    /// together, in the order of the file, and are in memory when this returns, as far as memory
    /// goes: a batch wants to be smaller than that. Otherwise, and for fewer than 64 records, it is
    /// a loop of `get`.
    ///
    /// Where residency cannot be asked for (a file that another user owns and this one may not
    /// write, on Linux), records seem to be in memory.
    ///
    /// ```
    /// # #[cfg(feature = "derive")] {
    /// use flatrec::{Database, Durability, Record};
    /// #[derive(Clone, Copy, Record)]
    /// #[repr(C)]
    /// struct Counter { n: u64 }
    /// let directory = tempfile::tempdir().unwrap();
    /// let database = Database::<Counter>::create(directory.path().join("counters.rec")).unwrap();
    /// let mut transaction = database.begin_write().unwrap();
    /// transaction.append_slice(&[Counter { n: 1 }, Counter { n: 2 }]).unwrap();
    /// transaction.commit(Durability::Immediate).unwrap();
    ///
    /// let snapshot = database.begin_read();
    /// let found = snapshot.get_many(&[1, 7, 0, 1]);
    /// let numbers: Vec<_> = found.iter().map(|found| found.map(|counter| counter.n)).collect();
    /// assert_eq!(numbers, [Some(2), None, Some(1), Some(2)]);
    /// # }
    /// ```
    pub fn get_many(&self, ids: &[u64]) -> Vec<Option<&R>> {
        if ids.len() >= BATCH_LEN_MIN && !self.seem_in_memory(ids) {
            self.read_in(ids);
        }
        ids.iter().map(|&id| self.get(id)).collect()
    }

    /// Whether all records of a sample lie in pages that are in memory.
    fn seem_in_memory(&self, ids: &[u64]) -> bool {
        let samples = (ids.len() / SAMPLED_PART).clamp(1, SAMPLES_MAX);
        ids.iter().step_by(ids.len() / samples).all(|&id| {
            let place = self.place_in_array(id);
            place.is_none_or(|place| match self.array.view().residency(place) {
                Ok(residency) => residency.resident_pages == residency.pages,
                Err(_) => true, // what cannot be asked is not asked for each record
            })
        })
    }

    /// Has the system read the pages of these records, and waits for them. What fails here fails
    /// again, and is told, where the records are read.
    fn read_in(&self, ids: &[u64]) {
        let mut ids: Vec<u64> = ids.to_vec();
        ids.sort_unstable();
        let mut parts = parts(ids.iter().filter_map(|&id| self.place_in_array(id)));
        let view = self.array.view();
        if let Some(last) = parts.last_mut() {
            last.end = last.end.min(view.len_bytes());
        }
        let (mut asked, mut ahead_bytes) = (parts.iter(), 0);
        for part in &parts {
            while ahead_bytes < AHEAD_BYTES_MAX {
                let Some(next) = asked.next() else { break };
                let _ = view.advise(next.clone(), Advice::WillNeed);
                ahead_bytes += next.len();
            }
            let _ = view.advise(part.clone(), Advice::PopulateRead);
            ahead_bytes -= part.len();
        }
    }

    /// Where in the view the record lies, if it is read there.
    fn place_in_array(&self, id: u64) -> Option<Range<usize>> {
        let overlay = &self.state.overlay;
        if overlay.may_hold(id) && overlay.find(id).is_some() {
            return None;
        }
        self.array.place(id)
    }
}

/// What to ask for: whole pages, those that are near one another at once, and none twice. `places`
/// are in order.
fn parts(places: impl Iterator<Item = Range<usize>>) -> Vec<Range<usize>> {
    let page = os::page_size_bytes();
    let mut parts: Vec<Range<usize>> = Vec::new();
    for place in places {
        let mut start = place.start / page * page;
        let end = place.end.next_multiple_of(page);
        if let Some(last) = parts.last_mut() {
            if end <= last.end {
                continue;
            }
            if start <= last.end.saturating_add(GAP_BYTES_MAX) {
                start = last.end;
                if end - last.start <= CALL_BYTES_MAX {
                    last.end = end;
                    continue;
                }
            }
        }
        while end - start > CALL_BYTES_MAX {
            parts.push(start..start + CALL_BYTES_MAX);
            start += CALL_BYTES_MAX;
        }
        parts.push(start..end);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What was paged out is in memory again, but for what has an image.
    #[test]
    #[cfg(target_os = "linux")]
    #[cfg_attr(target_arch = "s390x", ignore = "qemu-user takes advice and passes none on")]
    fn a_batch_is_in_memory_when_it_was_read_in() {
        use crate::db::Database;
        use crate::format::PodRecord;
        use crate::txn::Durability;
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("numbers.rec");
        let database = Database::<PodRecord<[u64; 64]>>::create(&path).unwrap();
        let mut transaction = database.begin_write().unwrap();
        for n in 0..20_000 {
            transaction.append(&PodRecord([n; 64])).unwrap();
        }
        transaction.commit(Durability::Immediate).unwrap();
        database.checkpoint().unwrap();
        let mut transaction = database.begin_write().unwrap();
        transaction.set(7777, &PodRecord([1; 64])).unwrap();
        transaction.commit(Durability::Immediate).unwrap();

        let snapshot = database.begin_read();
        let view = snapshot.array.view();
        let whole = 0..snapshot.place_in_array(19_999).unwrap().end;
        let file = std::fs::File::open(path).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let left = view.residency(whole).unwrap();
        println!("{left:?} after paging out");
        let ids: Vec<u64> = (0..200).map(|n| n * 6971 % 20_000).chain([7777, 20_000]).collect();
        // A file system in memory pages nothing out.
        assert!(left.fraction() > 0.5 || !snapshot.seem_in_memory(&ids));
        snapshot.read_in(&ids);
        assert!(ids.iter().filter_map(|&id| snapshot.place_in_array(id)).all(|place| {
            let residency = view.residency(place).unwrap();
            residency.resident_pages == residency.pages
        }));
        assert!(snapshot.place_in_array(7777).is_none() && snapshot.place_in_array(0).is_some());
    }

    #[test]
    fn parts_cover_every_record_once_in_bounded_calls() {
        let page = os::page_size_bytes();
        for (stride, step) in [(1, 3), (125, 1), (125, 50), (125, 5000), (5000, 7), (1 << 20, 2)] {
            let places: Vec<Range<usize>> =
                (0..300).map(|n| 77 + n * step * stride..77 + (n * step + 1) * stride).collect();
            // Each twice, as in a batch with duplicates.
            let parts = parts(places.iter().flat_map(|place| [place.clone(), place.clone()]));
            assert!(parts.iter().all(|part| !part.is_empty() && part.len() <= CALL_BYTES_MAX));
            assert!(parts.windows(2).all(|two| two[0].end <= two[1].start));
            let covered = |at: usize| {
                let part = parts.partition_point(|part| part.end <= at);
                parts.get(part).is_some_and(|part| part.start <= at)
            };
            assert!(places.iter().all(|place| {
                let mut bytes = place.clone().step_by(page.min(512));
                bytes.all(covered) && covered(place.end - 1)
            }));
            let near = (step - 1) * stride <= GAP_BYTES_MAX;
            let bytes: usize = parts.iter().map(Range::len).sum();
            let most = if near { 300 * step * stride } else { 300 * (stride + 2 * page) };
            assert!(bytes <= most + 2 * page, "{bytes} bytes for strides of {stride} by {step}");
        }
    }
}
