//! Text that grows row by row.

/// Text in rows, of which the last one grows: it has room for all that is written into it, so that
/// each value is a copy without a check.
///
/// A writer of a row asks for the room ([`TextBuffer::begin_row`]), writes into the bytes, and says
/// at the end how far ([`TextBuffer::end_row`]). A row that is given up leaves nothing.
#[derive(Debug, Default)]
pub(crate) struct TextBuffer {
    /// The text, and bytes without meaning after it.
    bytes: Vec<u8>,
    len: usize,
}

impl TextBuffer {
    pub(crate) fn with_capacity(capacity: usize) -> Self {
        Self { bytes: vec![0; capacity], len: 0 }
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    /// Makes room for `room_bytes` bytes, and returns the place of a new row.
    #[inline]
    pub(crate) fn begin_row(&mut self, room_bytes: usize) -> usize {
        self.make_room(self.len, room_bytes);
        self.len
    }

    /// Makes room for `room_bytes` bytes at `at`.
    #[inline]
    pub(crate) fn make_room(&mut self, at: usize, room_bytes: usize) {
        if self.bytes.len() - at < room_bytes {
            self.grow(at + room_bytes);
        }
    }

    #[cold]
    fn grow(&mut self, least_bytes: usize) {
        self.bytes.resize(least_bytes.max(2 * self.bytes.len()), 0);
    }

    /// The text and the bytes after it.
    #[inline]
    pub(crate) fn bytes_mut(&mut self) -> &mut [u8] {
        &mut self.bytes
    }

    /// The row ends at `end`.
    #[inline]
    pub(crate) fn end_row(&mut self, end: usize) {
        self.len = end;
    }

    /// Appends `text` at `at`, of any length, and makes room for `room_bytes` bytes after it.
    /// Returns its end.
    pub(crate) fn append(&mut self, at: usize, text: &[u8], room_bytes: usize) -> usize {
        let end = at + text.len();
        self.make_room(at, text.len() + room_bytes);
        self.bytes[at..end].copy_from_slice(text);
        end
    }
}

/// The bytes of a text that are the same in each row, such as the key of a JSON object.
#[derive(Clone, Debug)]
pub(crate) struct FixedText {
    /// The text, in pieces that a copy of a known size takes; the last one is filled up.
    pieces: Vec<[u8; 16]>,
    len: usize,
}

impl FixedText {
    pub(crate) fn new(text: &[u8]) -> Self {
        let piece = |bytes: &[u8]| {
            let mut piece = [0; 16];
            piece[..bytes.len()].copy_from_slice(bytes);
            piece
        };
        Self { pieces: text.chunks(16).map(piece).collect(), len: text.len() }
    }

    /// The room that [`FixedText::put`] needs.
    pub(crate) fn room_bytes(&self) -> usize {
        self.pieces.len() * 16
    }

    /// Writes the text at `at`, and returns its end; `None` if `bytes` has no room.
    #[inline]
    pub(crate) fn put(&self, bytes: &mut [u8], at: usize) -> Option<usize> {
        let mut place = at;
        for piece in &self.pieces {
            *room_at(bytes, place)? = *piece;
            place += piece.len();
        }
        Some(at + self.len)
    }
}

/// The `N` bytes at `at`, if there are as many.
#[inline(always)]
pub(crate) fn room_at<const N: usize>(bytes: &mut [u8], at: usize) -> Option<&mut [u8; N]> {
    bytes.get_mut(at..)?.first_chunk_mut()
}
