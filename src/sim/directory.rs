//! The simulated directory: the file of each name, now and after a power cut.

use std::collections::{BTreeMap, BTreeSet};

use super::inode::Odds;
use super::random::Random;

/// A file's number.
pub(super) type Number = u64;

/// A change that is not durable yet.
#[derive(Clone, Debug)]
enum Change {
    Add { name: String, file: Number },
    Remove { name: String },
    Rename { from: String, to: String, file: Number },
}

impl Change {
    fn apply(&self, names: &mut BTreeMap<String, Number>) {
        match self {
            Self::Add { name, file } => {
                names.insert(name.clone(), *file);
            }
            Self::Remove { name } => {
                names.remove(name);
            }
            // A rename changes both names at once: it is seen before or after. The file's creation
            // under its first name need not be durable for that.
            Self::Rename { from, to, file } => {
                if names.get(from) == Some(file) {
                    names.remove(from);
                }
                names.insert(to.clone(), *file);
            }
        }
    }
}

/// Names, as programs see them and as they are on the disk.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    live: BTreeMap<String, Number>,
    durable: BTreeMap<String, Number>,
    pending: Vec<Change>,
}

impl Directory {
    pub(super) fn get(&self, name: &str) -> Option<Number> {
        self.live.get(name).copied()
    }

    pub(super) fn names(&self) -> impl Iterator<Item = &String> {
        self.live.keys()
    }

    pub(super) fn add(&mut self, name: &str, file: Number) {
        self.change(Change::Add { name: name.to_owned(), file });
    }

    pub(super) fn remove(&mut self, name: &str) {
        self.change(Change::Remove { name: name.to_owned() });
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, file: Number) {
        self.change(Change::Rename { from: from.to_owned(), to: to.to_owned(), file });
    }

    fn change(&mut self, change: Change) {
        change.apply(&mut self.live);
        self.pending.push(change);
    }

    pub(super) fn sync(&mut self) {
        for change in self.pending.drain(..) {
            change.apply(&mut self.durable);
        }
    }

    /// The system makes the oldest changes durable by itself.
    pub(super) fn write_back(&mut self, random: &mut Random) {
        let some = random.index(self.pending.len() + 1);
        for change in self.pending.drain(..some) {
            change.apply(&mut self.durable);
        }
    }

    /// The power goes: each unsynced change survives or does not, independently of the others.
    pub(super) fn cut(&mut self, random: &mut Random) {
        let odds = Odds::draw(random);
        for change in self.pending.drain(..) {
            if odds.toss(random) {
                change.apply(&mut self.durable);
            }
        }
        self.live = self.durable.clone();
    }

    /// The files of all names, now and after a possible power cut.
    pub(super) fn files(&self) -> BTreeSet<Number> {
        let pending = self.pending.iter().filter_map(|change| match change {
            Change::Add { file, .. } | Change::Rename { file, .. } => Some(*file),
            Change::Remove { .. } => None,
        });
        self.live.values().chain(self.durable.values()).copied().chain(pending).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(directory: &Directory) -> BTreeSet<Vec<(String, Number)>> {
        (0..1000)
            .map(|seed| {
                let mut left = directory.clone();
                left.cut(&mut Random::new(seed));
                left.live.into_iter().collect()
            })
            .collect()
    }

    fn names(names: &[(&str, Number)]) -> Vec<(String, Number)> {
        names.iter().map(|&(name, file)| (name.to_owned(), file)).collect()
    }

    #[test]
    fn each_unsynced_entry_survives_or_not_by_itself() {
        let mut directory = Directory::default();
        directory.add("a", 1);
        directory.sync();
        directory.remove("a");
        directory.add("b", 2);
        let left = cuts(&directory);
        let expected =
            [names(&[]), names(&[("a", 1)]), names(&[("a", 1), ("b", 2)]), names(&[("b", 2)])];
        assert_eq!(left, expected.into());
        directory.sync();
        assert_eq!(cuts(&directory), [names(&[("b", 2)])].into());
    }

    #[test]
    fn a_rename_is_seen_before_or_after() {
        let mut directory = Directory::default();
        directory.add("x", 1);
        directory.add("x-new", 2);
        directory.sync();
        directory.rename("x-new", "x", 2);
        assert_eq!(directory.get("x"), Some(2));
        assert_eq!(directory.get("x-new"), None);
        let left = cuts(&directory);
        let expected = [names(&[("x", 1), ("x-new", 2)]), names(&[("x", 2)])];
        assert_eq!(left, expected.into());
    }
}
