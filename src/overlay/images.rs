//! Images of records in memory: the changes of a transaction, and the content of a commit for
//! readers.
//!
//! An image is a record's whole stride, including its status byte, at an address aligned for its
//! type. Images lie in chunks that double in size: a few small images take little memory, and many
//! large ones take few allocations. Each record has one image here, found by its number through a
//! hash table.
//!
//! Invariants: image `n` belongs to record `ids[n]`; the table holds each of those numbers once.

use super::id_table::IdTable;
use crate::error::{Error, ErrorKind, Result};
use crate::os;

/// Chunks double up to this many bytes.
const CHUNK_BYTES_MAX: usize = 1 << 20;
/// The first chunk holds at least this many bytes.
const CHUNK_BYTES_MIN: usize = 256;

/// The unit of the search for zeros: the size of a page on most systems.
const PAGE_BYTES: usize = 4096;

/// Bytes with an aligned start.
///
/// A box with room for moving the start up to the alignment: its address never changes, so the
/// distance stays the same.
struct AlignedBytes {
    bytes: Box<[u8]>,
    lead: usize,
    len: usize,
}

impl AlignedBytes {
    /// # Errors
    /// [`ErrorKind::Unsupported`] if they do not fit in memory.
    fn try_zeroed(len: usize, alignment: usize) -> Result<Self> {
        let bytes = os::zeroed(len + alignment - 1).map_err(|_| {
            Error::new(ErrorKind::Unsupported, "keep changed records")
                .detail(format!("{len} more bytes do not fit in the memory of this process"))
                .advice("open the store where there is more memory")
        })?;
        Ok(Self::over(bytes, len, alignment))
    }

    fn zeroed(len: usize, alignment: usize) -> Self {
        Self::over(vec![0; len + alignment - 1].into_boxed_slice(), len, alignment)
    }

    fn over(bytes: Box<[u8]>, len: usize, alignment: usize) -> Self {
        let lead = bytes.as_ptr().align_offset(alignment);
        // `align_offset` may fail in theory; reads refuse unaligned bytes.
        let lead = if lead < alignment { lead } else { 0 };
        Self { bytes, lead, len }
    }

    fn get(&self) -> &[u8] {
        &self.bytes[self.lead..self.lead + self.len]
    }

    fn get_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[self.lead..self.lead + self.len]
    }
}

/// The places of images: chunk `k` holds `2^(least + k)` of them, up to `2^most`, so shifts suffice
/// to find one.
#[derive(Clone, Copy)]
struct Shape {
    least_log2: u32,
    most_log2: u32,
}

impl Shape {
    fn new(stride: usize) -> Self {
        let log2 = |bytes: usize| (bytes / stride).max(1).ilog2();
        Self { least_log2: log2(CHUNK_BYTES_MIN), most_log2: log2(CHUNK_BYTES_MAX) }
    }

    /// How many images chunk `chunk` holds.
    fn capacity(self, chunk: usize) -> usize {
        let doublings = (self.most_log2 - self.least_log2) as usize;
        1 << (self.least_log2 as usize + chunk.min(doublings))
    }

    /// The chunk of image `number`, and its place among the images there.
    #[inline]
    fn place(self, number: usize) -> (usize, usize) {
        let doublings = (self.most_log2 - self.least_log2) as usize;
        let chunk = ((number >> self.least_log2) + 1).ilog2() as usize;
        if chunk <= doublings {
            return (chunk, number - (((1 << chunk) - 1) << self.least_log2));
        }
        let rest = number - (((1 << doublings) - 1) << self.least_log2);
        (doublings + (rest >> self.most_log2), rest & ((1 << self.most_log2) - 1))
    }
}

/// Images of records, one for each record that has one.
pub(crate) struct Images {
    stride: usize,
    alignment: usize,
    shape: Shape,
    chunks: Vec<AlignedBytes>,
    ids: Vec<u64>,
    table: IdTable,
}

impl Images {
    /// No images yet, of records of `stride` bytes aligned to `alignment`.
    pub(crate) fn new(stride: usize, alignment: usize) -> Self {
        Self {
            stride,
            alignment,
            shape: Shape::new(stride),
            chunks: Vec::new(),
            ids: Vec::new(),
            table: IdTable::new(),
        }
    }

    /// The number of images.
    pub(crate) fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there are no images.
    pub(crate) fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// The records of the images, in the order in which the images were made.
    pub(crate) fn ids(&self) -> &[u64] {
        &self.ids
    }

    /// Each record's number with that of its image, in the order of the records' numbers.
    pub(crate) fn sorted(&self) -> impl Iterator<Item = (u64, u32)> + '_ {
        self.table.sorted()
    }

    /// Maps records' numbers to those of their images.
    pub(super) fn table(&self) -> &IdTable {
        &self.table
    }

    /// All images in the order in which they were made, in pieces.
    pub(crate) fn pieces(&self) -> Vec<&[u8]> {
        let mut pieces = Vec::with_capacity(self.chunks.len());
        let mut left = self.ids.len();
        for (at, chunk) in self.chunks.iter().enumerate() {
            let images = left.min(self.shape.capacity(at));
            left -= images;
            pieces.push(&chunk.get()[..images * self.stride]);
        }
        pieces
    }

    /// The image of record `id`.
    #[inline]
    pub(crate) fn find(&self, id: u64) -> Option<&[u8]> {
        Some(self.image(self.table.find(id)?))
    }

    /// The number of record `id`'s image.
    #[inline]
    pub(crate) fn number_of(&self, id: u64) -> Option<u32> {
        self.table.find(id)
    }

    /// Image `number`, in the order in which they were made.
    #[inline]
    pub(crate) fn image(&self, number: u32) -> &[u8] {
        let (chunk, at) = self.shape.place(number as usize);
        &self.chunks[chunk].get()[at * self.stride..(at + 1) * self.stride]
    }

    /// Image `number`, for changing.
    #[inline]
    pub(crate) fn image_mut(&mut self, number: u32) -> &mut [u8] {
        let (chunk, at) = self.shape.place(number as usize);
        &mut self.chunks[chunk].get_mut()[at * self.stride..(at + 1) * self.stride]
    }

    /// Makes an image of zeros for record `id`, which has no image yet.
    ///
    /// # Errors
    /// [`ErrorKind::OutOfRange`] for more than 2^32 - 1 images; [`ErrorKind::Unsupported`] if they
    /// do not fit in memory.
    pub(crate) fn add(&mut self, id: u64) -> Result<&mut [u8]> {
        let number = u32::try_from(self.ids.len()).ok().filter(|&number| number < u32::MAX);
        let number = number.ok_or_else(|| {
            Error::new(ErrorKind::OutOfRange, "change")
                .record(id)
                .detail("a transaction can change at most 2^32 - 1 records")
        })?;
        let (chunk, _) = self.shape.place(number as usize);
        if chunk == self.chunks.len() {
            let len = self.shape.capacity(chunk) * self.stride;
            self.chunks.push(AlignedBytes::try_zeroed(len, self.alignment)?);
        }
        self.table.insert(id, number);
        self.ids.push(id);
        Ok(self.image_mut(number))
    }

    /// Makes `image` the image of record `id`.
    ///
    /// A new image takes no memory for pages of zeros: those of a log may lie in a hole, which
    /// takes no room on the disk.
    ///
    /// # Errors
    /// As [`Images::add`].
    pub(crate) fn put(&mut self, id: u64, image: &[u8]) -> Result<()> {
        if let Some(number) = self.table.find(id) {
            self.image_mut(number).copy_from_slice(image);
            return Ok(());
        }
        let pages = self.add(id)?.chunks_mut(PAGE_BYTES).zip(image.chunks(PAGE_BYTES));
        for (page, bytes) in pages.filter(|(_, bytes)| bytes.iter().any(|&byte| byte != 0)) {
            page.copy_from_slice(bytes);
        }
        Ok(())
    }

    /// The newest image, for changing.
    pub(crate) fn last_mut(&mut self) -> Option<&mut [u8]> {
        let number = u32::try_from(self.ids.len()).ok()?.checked_sub(1)?;
        Some(self.image_mut(number))
    }

    /// Removes the newest image.
    pub(crate) fn forget_last(&mut self) {
        if let Some(last) = self.last_mut() {
            last.fill(0);
        }
        if let Some(id) = self.ids.pop() {
            self.table.remove(id);
        }
    }
}

impl std::fmt::Debug for Images {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Images").field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Consecutive whole records, aligned, which grow at the end: what a transaction appends.
pub(crate) struct Tail {
    stride: usize,
    alignment: usize,
    bytes: AlignedBytes,
    used: usize,
}

impl Tail {
    /// No records yet.
    pub(crate) fn new(stride: usize, alignment: usize) -> Self {
        Self { stride, alignment, bytes: AlignedBytes::zeroed(0, alignment), used: 0 }
    }

    /// The bytes of all records.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes.get()[..self.used]
    }

    /// The number of records.
    pub(crate) fn records(&self) -> u64 {
        (self.used / self.stride) as u64
    }

    /// All of them, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes().chunks_exact(self.stride)
    }

    /// Record `at` of the tail.
    pub(crate) fn get(&self, at: u64) -> Option<&[u8]> {
        let start = usize::try_from(at).ok()?.checked_mul(self.stride)?;
        self.bytes().get(start..start.checked_add(self.stride)?)
    }

    /// Record `at` of the tail, for changing.
    pub(crate) fn get_mut(&mut self, at: u64) -> Option<&mut [u8]> {
        let start = usize::try_from(at).ok()?.checked_mul(self.stride)?;
        let end = start.checked_add(self.stride).filter(|&end| end <= self.used)?;
        self.bytes.get_mut().get_mut(start..end)
    }

    /// Adds `records` records of zeros, and lends their bytes.
    pub(crate) fn add(&mut self, records: usize) -> &mut [u8] {
        let start = self.used;
        let end = start + records * self.stride;
        if end > self.bytes.len {
            let room = end.max(self.bytes.len * 2).max(CHUNK_BYTES_MIN);
            let mut grown = AlignedBytes::zeroed(room, self.alignment);
            grown.get_mut()[..start].copy_from_slice(&self.bytes.get()[..start]);
            self.bytes = grown;
        }
        self.used = end;
        let added = &mut self.bytes.get_mut()[start..end];
        added.fill(0);
        added
    }

    /// Drops all records, and keeps the room for new ones.
    pub(crate) fn clear(&mut self) {
        self.used = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_image_is_found_and_aligned() {
        let mut images = Images::new(48, 16);
        for n in 0..5000_u64 {
            let image = images.add(n * 7919 % 5003).unwrap();
            assert!(image.as_ptr().align_offset(16) == 0 && image.iter().all(|&byte| byte == 0));
            image[..8].copy_from_slice(&n.to_le_bytes());
        }
        for n in 0..5000_u64 {
            let id = n * 7919 % 5003;
            assert_eq!(images.find(id).unwrap()[..8], n.to_le_bytes());
            assert_eq!(images.ids()[n as usize], id);
            let number = images.number_of(id).unwrap();
            images.image_mut(number)[8] = 1;
        }
        assert_eq!(images.find(5003), None);
        let all = images.pieces().concat();
        assert_eq!(all.len(), 5000 * 48);
        assert!(
            all.chunks(48)
                .zip(0_u64..)
                .all(|(image, n)| { image[..8] == n.to_le_bytes() && image[8] == 1 })
        );
    }

    #[test]
    fn every_number_has_a_place_of_its_own() {
        for stride in [1, 8, 125, 300, 5000, 3 << 20] {
            let shape = Shape::new(stride);
            let places = (0..shape.capacity(0)).map(|at| (0, at));
            let more =
                (1..20).flat_map(|chunk| (0..shape.capacity(chunk)).map(move |at| (chunk, at)));
            for (number, place) in places.chain(more).take(3_000_000).enumerate() {
                assert_eq!(shape.place(number), place, "image {number} of {stride} bytes");
            }
        }
    }

    #[test]
    fn a_tail_grows_and_starts_anew() {
        let mut tail = Tail::new(24, 8);
        for n in 0..1000_u64 {
            tail.add(1)[..8].copy_from_slice(&n.to_le_bytes());
        }
        assert_eq!((tail.records(), tail.bytes().len()), (1000, 24_000));
        assert_eq!(tail.get(999).unwrap()[..8], 999_u64.to_le_bytes());
        assert!(tail.bytes().as_ptr().align_offset(8) == 0);
        assert!(tail.get(1000).is_none() && tail.get_mut(1000).is_none());
        tail.clear();
        assert!(tail.add(2).iter().all(|&byte| byte == 0));
        assert_eq!(tail.records(), 2);
    }
}
