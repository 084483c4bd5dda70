//! Reads many records by their numbers, and has the system read missing pages together.
//!
//! A loop of `get` over records that are not in memory waits for one page after the other, and by
//! default the system reads far more around each page than needed. A batch tells the system which
//! pages it needs, in order and ahead of use, and then waits for them.

use std::ops::Range;

use super::Snapshot;
use crate::os::{self, Advice};
use crate::txn::Row;

/// A smaller batch is a loop of `get`: asking for its residency would take longer than reading it.
const BATCH_LEN_MIN: usize = 64;
/// The sample has one of this number of records, and at most `SAMPLES_MAX`.
const SAMPLED_PART: usize = 64;
const SAMPLES_MAX: usize = 32;
/// A gap of up to this many bytes between two records is read too, instead of calling twice.
const GAP_BYTES_MAX: usize = 32 << 10;
/// The most bytes that one call asks for. Linux reads at most the device's read-ahead for one call,
/// and ignores the rest.
const CALL_BYTES_MAX: usize = 128 << 10;
/// How many bytes the calls ask for ahead of the pages that the batch waits for.
const AHEAD_BYTES_MAX: usize = 32 << 20;

impl<R: Row + ?Sized> Snapshot<R> {
    /// Records by their numbers, in place: for each number, in order, the result of
    /// [`Snapshot::get`].
    ///
    /// If a sample suggests that the records are not in memory, the system reads their pages
    /// together, in the order of the file, and they are in memory when this returns. A batch should
    /// fit into memory. Otherwise, and for fewer than 64 records, this is a loop of `get`.
    ///
    /// If the system does not tell the residency of the file's pages, this assumes that they are in
    /// memory. Linux does not tell it to a user that neither owns the file nor may write it.
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
    /// let snapshot = database.begin_read().unwrap();
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

    /// Whether all records of a sample are in memory.
    fn seem_in_memory(&self, ids: &[u64]) -> bool {
        let samples = (ids.len() / SAMPLED_PART).clamp(1, SAMPLES_MAX);
        ids.iter().step_by(ids.len() / samples).all(|&id| {
            let place = self.place_in_array(id);
            place.is_none_or(|place| match self.array.view().residency(place) {
                Ok(residency) => residency.resident_pages == residency.pages,
                Err(_) => true, // unknown: do not ask again for each record
            })
        })
    }

    /// Has the system read the pages of these records, and waits for them. Ignores errors, because
    /// a later read of the records reports them.
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

    /// The record's place in the view, unless a read takes its image.
    fn place_in_array(&self, id: u64) -> Option<Range<usize>> {
        let overlay = &self.state.overlay;
        if overlay.may_hold(id) && overlay.find(id).is_some() {
            return None;
        }
        self.array.place(id)
    }
}

/// The parts to ask for: whole pages, each once, with near places in one part. `places` must be
/// sorted.
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

    /// The pages of a batch are in memory after it, except those of records with images.
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

        let snapshot = database.begin_read().unwrap();
        let view = snapshot.array.view();
        let whole = 0..snapshot.place_in_array(19_999).unwrap().end;
        let file = std::fs::File::open(path).unwrap();
        file.sync_all().unwrap();
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).unwrap();
        let left = view.residency(whole).unwrap();
        println!("{left:?} after paging out");
        let ids: Vec<u64> = (0..200).map(|n| n * 6971 % 20_000).chain([7777, 20_000]).collect();
        // A file system in memory keeps its pages.
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
