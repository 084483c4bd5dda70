//! Random commits, checkpoints and crashes, compared with a list of the commits.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Commits images of so many records.
    Commit(u64),
    /// Syncs, and moves so many thousandths of the commits into the array.
    Checkpoint(u64),
    /// Makes room for so many images without using it.
    Reserve(u64),
    /// Crashes, and copies the commits to a new chain, as a recovery does.
    Recover,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let images = || {
        prop_oneof![
            60 => 0u64..20,
            40 => 20u64..2000,
            20 => 2000u64..20_000,
            1 => 130_000u64..150_000,
        ]
    };
    let step = prop_oneof![
        12 => images().prop_map(Step::Commit),
        3 => (0u64..=1000).prop_map(Step::Checkpoint),
        1 => images().prop_map(Step::Reserve),
        1 => Just(Step::Recover),
    ];
    prop::collection::vec(step, 1..40)
}

/// The segment, the place in it, and the change.
fn damage() -> impl Strategy<Value = (prop::sample::Index, u64, u8)> {
    (any::<prop::sample::Index>(), any::<u64>(), any::<u8>())
}

/// A log, and its expected content.
struct Rig {
    place: Place,
    log: Log,
    /// The commits that are not in the array.
    entries: Vec<Entry>,
    /// The last commit that the array holds.
    after: u64,
    synced: u64,
}

impl Rig {
    fn new() -> Self {
        let place = Place::new();
        let log = place.log(1);
        Self { place, log, entries: Vec::new(), after: 0, synced: 0 }
    }

    fn take(&mut self, step: &Step) {
        match step {
            Step::Commit(images) => {
                let number = self.log.next();
                let ids: Vec<u64> = (0..*images).map(|at| at * 3 + number % 3).collect();
                let entry = entry(number, &ids);
                append(&mut self.log, &entry, self.synced);
                self.entries.push(entry);
            }
            Step::Checkpoint(thousandths) => {
                self.log.segment().sync_data().unwrap();
                self.synced = self.log.next() - 1;
                let moved = self.entries.len() as u64 * thousandths / 1000;
                self.entries.drain(..usize::try_from(moved).unwrap());
                self.after += moved;
                let oldest = self.log.oldest_after(self.after);
                self.log.release(self.after, None);
                assert_eq!(self.log.salt(), oldest);
            }
            Step::Reserve(images) => self.log.reserve(*images, IMAGE_LEN).unwrap(),
            Step::Recover => {
                let survivors = self.place.replay(self.log.salt(), self.after).unwrap();
                assert!(survivors == self.entries, "the recovery found other commits");
                self.log = self.place.log(self.after + 1);
                for entry in &survivors {
                    append(&mut self.log, entry, self.after);
                }
                self.synced = self.log.next() - 1;
                self.log.segment().sync_data().unwrap();
                remove_stale(&*self.place.data, FILE_ID, &self.salts()).unwrap();
            }
        }
    }

    /// The salts of the whole chain.
    fn salts(&self) -> Vec<u64> {
        let mut salts: Vec<u64> =
            (self.after..self.log.next()).map(|number| self.log.oldest_after(number)).collect();
        salts.push(self.log.salt());
        salts
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn a_log_returns_what_was_committed(steps in steps()) {
        let mut rig = Rig::new();
        for step in &steps {
            rig.take(step);
        }
        let found = rig.place.replay(rig.log.salt(), rig.after).unwrap();
        prop_assert!(found == rig.entries, "{} of {}", found.len(), rig.entries.len());
        rig.log.remove().unwrap();
        prop_assert_eq!(rig.place.segments(), [""; 0]);
    }

    /// Random bytes anywhere: the replay returns whole commits from the first on, or an error.
    #[test]
    fn damage_never_changes_an_image(
        steps in steps(),
        damage in prop::collection::vec(damage(), 1..4),
    ) {
        let mut rig = Rig::new();
        for step in &steps {
            rig.take(step);
        }
        for (segment, at, byte) in damage {
            let suffix = segment.get(&rig.place.segments()).clone();
            let mut bytes = rig.place.read(&suffix);
            // Half of the changes hit the written beginning of the file.
            let range = if at % 2 == 0 { bytes.len() as u64 } else { 4096 };
            bytes[usize::try_from(at / 2 % range).unwrap()] ^= byte;
            rig.place.write(&suffix, &bytes);
        }
        if let Ok(found) = rig.place.replay(rig.log.salt(), rig.after) {
            prop_assert!(rig.entries.starts_with(&found));
        }
    }
}
