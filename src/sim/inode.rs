//! One file of the simulated disk: the bytes that programs see, and the durable ones.
//!
//! The live bytes are a file in memory, so that views of them are real. Beside them are the durable
//! image, and for each sector of 512 bytes its state:
//!
//! - *clean*: not written or flushed since the last sync. Bytes stored through a view and never
//!   flushed may still differ, and may or may not survive.
//! - *dirty*: written or flushed; the next sync makes it durable.
//! - *lost*: a sync failed. Linux marks such pages clean, so programs still see bytes that never
//!   reached the disk, and later syncs succeed without writing them.

use std::ops::Range;
use std::sync::Arc;

use super::random::Random;
use crate::error::{Error, Result};
use crate::io::{Backing, FileBacking};
use crate::number::in_memory;
use crate::os;

/// The unit that a disk writes completely or not at all.
pub(super) const SECTOR_BYTES: usize = 512;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sector {
    Clean,
    Dirty,
    Lost,
}

/// The probability, in eighths, that an unsynced sector has reached the disk.
#[derive(Clone, Copy, Debug)]
pub(super) struct Odds(u64);

impl Odds {
    /// None, all, or something between, for slow and fast disks.
    pub(super) fn draw(random: &mut Random) -> Self {
        Self(random.pick(&[0, 0, 1, 2, 4, 4, 6, 7, 8, 8]))
    }

    pub(super) fn toss(self, random: &mut Random) -> bool {
        random.below(8) < self.0
    }
}

/// A file: its live bytes and its durable image.
#[derive(Debug)]
pub(super) struct Inode {
    memory: Arc<FileBacking>,
    durable: Vec<u8>,
    /// One for each sector of the live bytes.
    sectors: Vec<Sector>,
}

impl Inode {
    /// A file with these bytes, all durable.
    pub(super) fn new(bytes: Vec<u8>) -> Result<Self> {
        let file =
            os::open_anonymous().map_err(|source| Error::io("make a simulated file", source))?;
        let memory = Arc::new(FileBacking::adopt(file, None)?);
        memory.write_at(0, &bytes)?;
        let sectors = vec![Sector::Clean; bytes.len().div_ceil(SECTOR_BYTES)];
        Ok(Self { memory, durable: bytes, sectors })
    }

    /// The file in memory, for reads and views.
    pub(super) fn memory(&self) -> &Arc<FileBacking> {
        &self.memory
    }

    pub(super) fn len(&self) -> Result<usize> {
        self.memory.len_bytes().map(in_memory)
    }

    fn live(&self) -> Result<Vec<u8>> {
        let mut live = vec![0; self.len()?];
        let got = self.memory.read_at(0, &mut live)?;
        live.truncate(got);
        Ok(live)
    }

    pub(super) fn write(&mut self, offset: u64, from: &[u8]) -> Result<()> {
        self.memory.write_at(offset, from)?;
        self.fit_sectors()?;
        let start = in_memory(offset);
        self.mark(start..start + from.len(), Sector::Dirty);
        Ok(())
    }

    /// Changes bits of a byte, on the disk and in the cache.
    pub(super) fn damage(&mut self, offset: u64, mask: u8) -> Result<()> {
        let mut byte = [0];
        self.memory.read_at(offset, &mut byte)?;
        self.memory.write_at(offset, &[byte[0] ^ mask])?;
        if let Some(durable) = self.durable.get_mut(in_memory(offset)) {
            *durable ^= mask;
        }
        Ok(())
    }

    pub(super) fn grow(&mut self, len_bytes: u64) -> Result<()> {
        self.memory.grow(len_bytes)?;
        self.fit_sectors()
    }

    pub(super) fn trim(&mut self, len_bytes: u64) -> Result<()> {
        self.memory.trim(len_bytes)?;
        self.fit_sectors()
    }

    /// Marks bytes stored through a view as dirty, for the next sync.
    pub(super) fn hand_over(&mut self, range: Range<usize>) {
        self.mark(range, Sector::Dirty);
    }

    /// New sectors are dirty: the disk may still hold bytes that were cut off.
    fn fit_sectors(&mut self) -> Result<()> {
        let (old, new) = (self.sectors.len(), self.len()?.div_ceil(SECTOR_BYTES));
        // The former last sector may contain new zeros, or may not be the last any more.
        if old != new {
            if let Some(last) = self.sectors.get_mut(old.min(new).saturating_sub(1)) {
                *last = Sector::Dirty;
            }
        }
        self.sectors.resize(new, Sector::Dirty);
        Ok(())
    }

    fn mark(&mut self, range: Range<usize>, state: Sector) {
        let end = range.end.div_ceil(SECTOR_BYTES).min(self.sectors.len());
        let start = (range.start / SECTOR_BYTES).min(end);
        self.sectors[start..end].fill(state);
    }

    /// Makes the written bytes and the length durable, except lost sectors.
    pub(super) fn sync(&mut self) -> Result<()> {
        self.persist(|_| true)?;
        let len = self.len()?;
        self.durable.resize(len, 0);
        Ok(())
    }

    /// The system writes some of the dirty sectors by itself, as it may at any time.
    pub(super) fn write_back(&mut self, random: &mut Random) -> Result<()> {
        let odds = Odds::draw(random);
        self.persist(|_| odds.toss(random))?;
        if random.coin() {
            let len = self.len()?;
            self.durable.resize(len, 0);
        }
        Ok(())
    }

    /// A failed sync: some sectors have reached the disk; the others are lost, although they can be
    /// read while they are cached.
    pub(super) fn fail_sync(&mut self, random: &mut Random) -> Result<()> {
        let odds = Odds::draw(random);
        self.persist(|_| odds.toss(random))?;
        for sector in &mut self.sectors {
            if *sector == Sector::Dirty {
                *sector = Sector::Lost;
            }
        }
        Ok(())
    }

    /// A failed flush of a view: like a failed sync of that range.
    pub(super) fn fail_flush(&mut self, range: Range<usize>) {
        self.mark(range, Sector::Lost);
    }

    /// The cache drops some of the lost sectors: reads then see the disk's content.
    pub(super) fn evict(&mut self, random: &mut Random) -> Result<()> {
        let len = self.len()?;
        for index in 0..self.sectors.len() {
            if self.sectors[index] != Sector::Lost || random.coin() {
                continue;
            }
            let start = index * SECTOR_BYTES;
            let mut sector = vec![0; SECTOR_BYTES.min(len - start)];
            let kept = &self.durable[start.min(self.durable.len())..];
            let kept = &kept[..kept.len().min(sector.len())];
            sector[..kept.len()].copy_from_slice(kept);
            self.memory.write_at(start as u64, &sector)?;
            self.sectors[index] = Sector::Clean;
        }
        Ok(())
    }

    /// Makes the dirty sectors durable for whose number `chosen` is true.
    fn persist(&mut self, mut chosen: impl FnMut(usize) -> bool) -> Result<()> {
        let len = self.len()?;
        let mut index = 0;
        while index < self.sectors.len() {
            let first = index;
            while index < self.sectors.len()
                && self.sectors[index] == Sector::Dirty
                && chosen(index)
            {
                self.sectors[index] = Sector::Clean;
                index += 1;
            }
            if first == index {
                index += 1;
                continue;
            }
            let run = first * SECTOR_BYTES..(index * SECTOR_BYTES).min(len);
            if self.durable.len() < run.end {
                self.durable.resize(run.end, 0);
            }
            self.memory.read_at(run.start as u64, &mut self.durable[run])?;
        }
        Ok(())
    }

    /// The content of the disk after a power cut; `random` decides about unsynced bytes.
    pub(super) fn cut(&self, random: &mut Random) -> Result<Vec<u8>> {
        let live = self.live()?;
        let odds = Odds::draw(random);
        let len = if random.coin() { live.len() } else { self.durable.len() };
        let mut disk = self.durable.clone();
        disk.resize(len, 0);
        for (index, sector) in disk.chunks_mut(SECTOR_BYTES).enumerate() {
            let start = index * SECTOR_BYTES;
            let seen = &live[start.min(live.len())..];
            let seen = &seen[..seen.len().min(sector.len())];
            let lost = self.sectors.get(index) == Some(&Sector::Lost);
            if !lost && *seen != sector[..seen.len()] && odds.toss(random) {
                sector[..seen.len()].copy_from_slice(seen);
            }
        }
        Ok(disk)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(inode: &Inode) -> Vec<u8> {
        inode.live().unwrap()
    }

    /// Everything that a power cut may leave of `inode`, as far as `tries` cuts show it.
    fn cuts(inode: &Inode, tries: u64) -> std::collections::BTreeSet<Vec<u8>> {
        (0..tries).map(|seed| inode.cut(&mut Random::new(seed)).unwrap()).collect()
    }

    #[test]
    fn unsynced_sectors_and_lengths_survive_or_not() {
        let mut inode = Inode::new(vec![1; 1024]).unwrap();
        inode.write(0, &[2; 1536]).unwrap();
        let left = cuts(&inode, 1000);
        for first in [1, 2] {
            for second in [1, 2] {
                let two: Vec<u8> = [[first; 512], [second; 512]].concat();
                assert!(left.contains(&two), "{first} {second}");
                for third in [0, 2] {
                    assert!(left.contains(&[&*two, &[third; 512]].concat()), "{first} {second}");
                }
            }
        }
        assert_eq!(left.len(), 12, "and nothing else");
    }

    #[test]
    fn synced_bytes_stay() {
        let mut inode = Inode::new(Vec::new()).unwrap();
        inode.grow(2000).unwrap();
        inode.write(700, &[3; 900]).unwrap();
        inode.sync().unwrap();
        assert_eq!(cuts(&inode, 100).into_iter().collect::<Vec<_>>(), [bytes(&inode)]);
    }

    #[test]
    fn bytes_cut_off_and_grown_again_are_not_durable_zeros() {
        let mut inode = Inode::new(vec![1; 1024]).unwrap();
        inode.trim(512).unwrap();
        inode.grow(1024).unwrap();
        let left = cuts(&inode, 100);
        assert!(left.contains(&vec![1; 1024]) && left.contains(&bytes(&inode)));
        inode.sync().unwrap();
        assert_eq!(cuts(&inode, 100).into_iter().collect::<Vec<_>>(), [bytes(&inode)]);
    }

    #[test]
    fn bytes_lost_by_a_failed_sync_stay_lost_until_written_again() {
        let mut inode = Inode::new(vec![1; 512 * 16]).unwrap();
        inode.write(0, &[2; 512 * 16]).unwrap();
        inode.fail_sync(&mut Random::new(3)).unwrap();
        inode.sync().unwrap();
        let lost = inode.sectors.iter().filter(|&&sector| sector == Sector::Lost).count();
        assert!(lost > 0, "this seed loses some");
        assert_eq!(bytes(&inode), [2; 512 * 16], "as long as it is cached");
        let left = cuts(&inode, 100);
        assert_eq!(left.len(), 1);
        let ones = left.first().unwrap().iter().filter(|&&byte| byte == 1).count();
        assert_eq!(ones, lost * 512);
        inode.evict(&mut Random::new(1)).unwrap();
        assert!(bytes(&inode).contains(&1), "some is read from the disk again");
        inode.write(0, &[3; 512 * 16]).unwrap();
        inode.sync().unwrap();
        assert_eq!(cuts(&inode, 100).into_iter().collect::<Vec<_>>(), [vec![3; 512 * 16]]);
    }

    #[test]
    fn views_need_a_flush_before_the_sync() {
        let mut inode = Inode::new(vec![1; 1024]).unwrap();
        let view = inode.memory().view(0, 1024, crate::io::Access::ReadWrite).unwrap();
        view.write(0, &[2; 1024]).unwrap();
        inode.hand_over(0..512);
        inode.sync().unwrap();
        let left: Vec<Vec<u8>> = cuts(&inode, 100).into_iter().collect();
        assert_eq!(left, [[[2; 512], [1; 512]].concat(), vec![2; 1024]]);
    }
}
