//! Compares random strides, offsets, windows, budgets and operations with a `Vec<u8>`.

use std::sync::Arc;

use proptest::prelude::*;

use super::sliding::Slider;
use super::write_back::{Mapped, Mixed, Positioned, Writer};
use crate::error::ErrorKind;
use crate::format::{Geometry, Windows};
use crate::io::{Backing, FileBacking};

#[derive(Clone, Debug)]
enum Operation {
    /// Appends records, each filled with the byte.
    Append(usize, u8),
    /// Changes an existing record from a byte on.
    Edit(prop::sample::Index, prop::sample::Index, u8),
    /// Reads a record through the sliding windows.
    Read(prop::sample::Index),
    /// Pins several records at once, then reads them all.
    PinMany(Vec<prop::sample::Index>),
    /// Writes back the dirty bytes in a range of records.
    Flush(prop::sample::Index, prop::sample::Index),
    /// Drops all views.
    Release,
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let index = any::<prop::sample::Index>;
    let operation = prop_oneof![
        4 => (1usize..40, any::<u8>()).prop_map(|(n, byte)| Operation::Append(n, byte)),
        4 => (index(), index(), any::<u8>()).prop_map(|(i, at, b)| Operation::Edit(i, at, b)),
        6 => index().prop_map(Operation::Read),
        1 => prop::collection::vec(index(), 1..6).prop_map(Operation::PinMany),
        2 => (index(), index()).prop_map(|(a, b)| Operation::Flush(a, b)),
        1 => Just(Operation::Release),
    ];
    prop::collection::vec(operation, 1..60)
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Mapped,
    Positioned,
    Mixed,
}

/// A writer, sliding windows and the bytes that they should show.
struct Rig {
    backing: Arc<dyn Backing>,
    geometry: Geometry,
    writer: Box<dyn Writer>,
    slider: Slider,
    model: Vec<u8>,
    count: u64,
}

impl Rig {
    fn new(stride: u64, data_offset: u64, window_bytes: u64, budget: u64, way: Way) -> Self {
        let backing: Arc<dyn Backing> = Arc::new(FileBacking::temporary(data_offset).unwrap());
        let geometry = Geometry::new(data_offset, stride).unwrap();
        let windows = Windows::new(geometry, window_bytes);
        let widest = (stride << windows.records_log2) + 2 * (64 << 10);
        let budget = widest + budget;
        let slider = Slider::new(Arc::clone(&backing), windows, budget).unwrap();
        let target = Some(window_bytes);
        let shared = Arc::clone(&backing);
        let writer: Box<dyn Writer> = match way {
            // SAFETY: only this test uses the file, and it reads bytes through other views only
            // while they are not lent to change.
            Way::Mapped => Box::new(unsafe { Mapped::new(shared, target) }),
            // SAFETY: as above.
            Way::Positioned => Box::new(unsafe { Positioned::new(shared, target) }.unwrap()),
            // SAFETY: as above.
            Way::Mixed => Box::new(unsafe { Mixed::new(shared, target) }.unwrap()),
        };
        Self { backing, geometry, writer, slider, model: Vec::new(), count: 0 }
    }

    fn bytes(&self, id: u64) -> std::ops::Range<u64> {
        self.geometry.offset_of(id).unwrap()..self.geometry.offset_of(id + 1).unwrap()
    }

    fn expected(&self, id: u64) -> &[u8] {
        let stride = usize::try_from(self.geometry.stride).unwrap();
        let start = usize::try_from(id).unwrap() * stride;
        &self.model[start..start + stride]
    }

    fn pick(&self, index: &prop::sample::Index) -> u64 {
        index.index(usize::try_from(self.count).unwrap()) as u64
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Append(records, byte) => {
                let stride = usize::try_from(self.geometry.stride).unwrap();
                let bytes = vec![*byte; records * stride];
                let start = self.geometry.offset_of(self.count).unwrap();
                self.count += *records as u64;
                let end = self.geometry.offset_of(self.count).unwrap();
                self.writer.reserve(end).unwrap();
                self.writer.append(start, &bytes).unwrap();
                self.model.extend(bytes);
            }
            _ if self.count == 0 => {}
            Operation::Edit(id, at, byte) => {
                let id = self.pick(id);
                let bytes = self.bytes(id);
                // As an array does: the record is in the file before it is edited.
                self.writer.flush(bytes.clone()).unwrap();
                let record = self.writer.edit(bytes.clone()).unwrap();
                let at = at.index(record.len());
                record[at..].fill(*byte);
                assert_eq!(
                    self.writer.read(bytes.clone()).unwrap()[at],
                    *byte,
                    "a read misses the edit"
                );
                let start = usize::try_from(bytes.start - self.geometry.data_offset).unwrap();
                let len = usize::try_from(self.geometry.stride).unwrap();
                self.model[start + at..start + len].fill(*byte);
            }
            Operation::Read(id) => self.read(self.pick(id)),
            Operation::PinMany(ids) => {
                let ids: Vec<u64> = ids.iter().map(|id| self.pick(id)).collect();
                self.pin_many(&ids);
            }
            Operation::Flush(one, other) => {
                let (one, other) = (self.pick(one), self.pick(other));
                let range = self.bytes(one.min(other)).start..self.bytes(one.max(other)).end;
                self.writer.flush(range.clone()).unwrap();
                let mut got = vec![0; usize::try_from(range.end - range.start).unwrap()];
                self.backing.read_at(range.start, &mut got).unwrap();
                let start = usize::try_from(range.start - self.geometry.data_offset).unwrap();
                assert!(got == self.model[start..start + got.len()], "the file misses changes");
            }
            Operation::Release => {
                self.writer.release().unwrap();
                self.slider.release();
                assert_eq!(self.slider.counters().mapped_bytes, 0);
            }
        }
    }

    fn read(&mut self, id: u64) {
        self.writer.flush(self.bytes(id)).unwrap();
        let (view, lead) = self.slider.pin(id, self.count).unwrap();
        let mut got = vec![0; usize::try_from(self.geometry.stride).unwrap()];
        view.read(lead, &mut got).unwrap();
        assert!(got == self.expected(id), "record {id}");
        drop(view);
        let counters = self.slider.counters();
        assert!(counters.mapped_bytes <= counters.budget_bytes, "{counters:?}");
    }

    fn pin_many(&mut self, ids: &[u64]) {
        self.writer.flush(0..u64::MAX).unwrap();
        let mut pinned = Vec::new();
        for &id in ids {
            match self.slider.pin(id, self.count) {
                Ok(pin) => pinned.push((id, pin)),
                Err(error) => {
                    assert_eq!(error.kind(), ErrorKind::BudgetExhausted, "{error}");
                    assert!(!pinned.is_empty(), "the budget refused a single window");
                }
            }
        }
        for (id, (view, lead)) in &pinned {
            let mut got = vec![0; usize::try_from(self.geometry.stride).unwrap()];
            view.read(*lead, &mut got).unwrap();
            assert!(got == self.expected(*id), "record {id}, pinned");
        }
        let counters = self.slider.counters();
        assert!(counters.mapped_bytes <= counters.budget_bytes, "{counters:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn windows_and_writers_agree_with_a_vector(
        stride in prop_oneof![1u64..300, Just(125), 4000u64..4200, 65_000u64..66_000],
        data_offset in prop_oneof![Just(0u64), 1u64..9000, Just(65_536), Just(65_537)],
        window_bytes in prop_oneof![1u64..5000, Just(65_536), 100_000u64..300_000],
        budget in prop_oneof![Just(0u64), 0u64..400_000],
        way in prop_oneof![Just(Way::Mapped), Just(Way::Positioned), Just(Way::Mixed)],
        operations in operations(),
    ) {
        let mut rig = Rig::new(stride, data_offset, window_bytes, budget, way);
        for operation in &operations {
            rig.apply(operation);
        }
        rig.writer.release().unwrap();
        for id in 0..rig.count {
            rig.read(id);
        }
    }
}

#[test]
fn the_largest_stride_slides_like_any_other() {
    for way in [Way::Mapped, Way::Positioned, Way::Mixed] {
        let mut rig = Rig::new(16 << 20, 65_537, 1, 0, way);
        rig.apply(&Operation::Append(2, 7));
        rig.read(0);
        rig.read(1);
        assert!(rig.slider.counters().evictions >= 1, "two windows were mapped at a time");
    }
}

#[test]
fn a_window_that_does_not_fit_its_budget_is_refused() {
    let backing: Arc<dyn Backing> = Arc::new(FileBacking::temporary(0).unwrap());
    let windows = Windows::new(Geometry::new(0, 64).unwrap(), 1 << 20);
    let error = Slider::new(backing, windows, 1 << 20).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument);
    assert!(error.to_string().contains("budget"), "{error}");
}

/// A private page does not see later appends to the file, so the writer must drop it before them.
#[test]
fn appends_between_edits_of_the_same_page_stay() {
    for way in [Way::Mapped, Way::Positioned, Way::Mixed] {
        let mut rig = Rig::new(100, 0, 65_536, 0, way);
        rig.writer.reserve(65_536).unwrap(); // so that a window covers records to come
        for byte in 1..5 {
            rig.apply(&Operation::Append(3, byte));
            rig.writer.flush(0..u64::MAX).unwrap();
            rig.writer.edit(rig.bytes(0)).unwrap().fill(byte);
            rig.model[..100].fill(byte);
        }
        rig.writer.release().unwrap();
        for id in 0..rig.count {
            rig.read(id);
        }
    }
}
