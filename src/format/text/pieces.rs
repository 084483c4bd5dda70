//! The texts of a field in many records: a loop over the records for each type, without a choice in
//! it. Each text goes into one, two or three pieces of fixed size, and [`join`] then copies the
//! pieces of a row one behind the other.
//!
//! A loop leaves what is rare to its caller: damage, texts with marks, and numbers with more digits
//! than a piece has. Their pieces are empty.

use super::TimeUnit;
use super::padded::{HIGH_BITS, Marks, care, first_bytes, len_of, repeated};
use super::prepared::{Place, PreparedField, Way};
use super::room::{self, Days, FOUR_DIGITS, ROOM_BYTES};

const PIECE_BYTES: usize = 16;
/// The place of the length.
const LEN_AT: usize = PIECE_BYTES - 1;
/// A text of at most 15 bytes, bytes without meaning after it, and the length in the last byte.
pub(crate) type Piece = [u8; PIECE_BYTES];

/// The most records that a loop takes: it returns a bit for each.
pub(crate) const ROWS_MAX: usize = 64;
/// The longest text of a field of texts in a piece, which has the lead, too.
pub(super) const TEXT_BYTES_MAX: usize = LEN_AT - 1;
/// The end of the integers that a piece holds with the lead and a sign.
const LONG_END: u64 = 10_000_000_000_000;

/// Records, and the pieces for their texts.
pub(crate) struct Cells<'c> {
    pub(crate) records: &'c [u8],
    pub(crate) record_bytes: usize,
    /// All pieces of a row follow one another.
    pub(crate) pieces: &'c mut [Piece],
    pub(crate) pieces_per_row: usize,
    /// The field's first piece in a row.
    pub(crate) first: usize,
}

/// What stands around the texts of a field.
#[derive(Debug)]
pub(crate) struct CellForm<M> {
    /// The byte before each text.
    pub(crate) lead: Option<u8>,
    /// The piece for null.
    pub(crate) null: Piece,
    /// The bytes with which a text is left to the caller.
    pub(crate) marks: M,
    /// Whole texts that are left to the caller, as [`PreparedField::word`] gives them.
    pub(crate) words: Vec<[u64; 2]>,
}

/// A piece with these texts, if they fit.
pub(crate) fn piece_of(lead: Option<u8>, text: &[u8]) -> Option<Piece> {
    let mut piece = [0; PIECE_BYTES];
    let start = usize::from(lead.is_some());
    piece[0] = lead.unwrap_or(0);
    let end = start + text.len();
    piece[..LEN_AT].get_mut(start..end)?.copy_from_slice(text);
    piece[LEN_AT] = end as u8; // at most 15
    Some(piece)
}

/// Whether a loop has left the text of these pieces to its caller.
#[inline]
pub(crate) fn is_left(first: &Piece) -> bool {
    first[LEN_AT] == 0
}

/// Copies the texts of `pieces` to `at`, one behind the other, and returns their end.
///
/// # Panics
/// If `bytes` has no room for whole pieces.
#[inline(always)] // One loop with that over the rows.
pub(crate) fn join(pieces: &[Piece], bytes: &mut [u8], at: usize) -> usize {
    const ROOM: &str = "rows have room for their pieces";
    let mut rest = &mut bytes[at..];
    let room_bytes = rest.len();
    let len = |piece: &Piece| usize::from(piece[LEN_AT] & 15);
    // Four at a time have one check: the lengths are below 16.
    let mut fours = pieces.chunks_exact(4);
    for four in &mut fours {
        let place = rest.first_chunk_mut::<{ 4 * PIECE_BYTES }>().expect(ROOM);
        let mut end = 0;
        for piece in four {
            place[end..end + PIECE_BYTES].copy_from_slice(piece);
            end += len(piece);
        }
        rest = &mut rest[end..];
    }
    for piece in fours.remainder() {
        *rest.first_chunk_mut().expect(ROOM) = *piece;
        rest = &mut rest[len(piece)..];
    }
    at + room_bytes - rest.len()
}

/// Puts the text of a number into pieces.
pub(crate) fn put_number(number: u64, lead: Option<u8>, pieces: &mut [Piece; 2]) {
    let mut room = [0; ROOM_BYTES];
    let len = room::put_unsigned(number, &mut room);
    put_room(&room, len, lead, pieces);
}

impl PreparedField {
    /// How many pieces each text takes; `None` if the field has no loop. `least_bytes` is the least
    /// length of the records.
    pub(crate) fn pieces(&self, least_bytes: usize) -> Option<usize> {
        Some(match self.way {
            Way::General => return None,
            // The loops read words.
            Way::Text if self.place.width() > TEXT_BYTES_MAX || least_bytes < 8 => return None,
            Way::Float32 | Way::Float64 | Way::Time(_, TimeUnit::Second, _) => 2,
            Way::Time(..) => 3,
            _ => 1,
        })
    }

    /// A text in the form of [`CellForm::words`]; `None` if no value of the field has it.
    pub(crate) fn word(&self, text: &str) -> Option<[u64; 2]> {
        let width = self.place.width();
        if text.len() > width || !self.is_text() {
            return None;
        }
        let mut padded = text.as_bytes().to_vec();
        padded.resize(width, 0);
        let second = width.saturating_sub(8);
        padded.resize(second + 8, 0);
        let words = [padded.first_chunk()?, padded[second..].first_chunk()?];
        Some(words.map(|bytes| u64::from_le_bytes(*bytes)))
    }

    /// Writes the texts of all records into their pieces. Returns a bit for each record whose text
    /// is left to the caller.
    ///
    /// # Panics
    /// If the records are too short for the field, or the field has no loop.
    pub(crate) fn fill<M: Marks>(&mut self, cells: Cells<'_>, form: &CellForm<M>) -> u64 {
        let place = self.place;
        macro_rules! integers {
            ($type:ty, $is_negative:expr, $magnitude:expr) => {
                values(place, cells, form, |bytes, [piece]| {
                    let value = <$type>::from_le_bytes(bytes);
                    put_integer($is_negative(value), $magnitude(value), form.lead, piece)
                })
            };
            (signed: $type:ty) => {
                integers!($type, <$type>::is_negative, |it: $type| it.unsigned_abs().into())
            };
            (unsigned: $type:ty) => {
                integers!($type, |_| false, |it: $type| it.into())
            };
        }
        macro_rules! floats {
            ($type:ty, $hundredths:path, $put:path) => {
                values(place, cells, form, |bytes, pieces| {
                    let value = <$type>::from_le_bytes(bytes);
                    match $hundredths(value).filter(|&it| it < HUNDREDTHS_END) {
                        Some(it) => put_hundredths(value < 0.0, it, form.lead, pieces),
                        None => put_float(value, $put, form.lead, pieces),
                    }
                })
            };
        }
        match &mut self.way {
            Way::Bool => values(place, cells, form, |[byte], [piece]| match byte {
                0 => put_bool("false", form.lead, piece),
                1 => put_bool("true", form.lead, piece),
                _ => false,
            }),
            Way::Int8 => integers!(signed: i8),
            Way::Int16 => integers!(signed: i16),
            Way::Int32 => integers!(signed: i32),
            Way::Int64 => integers!(signed: i64),
            Way::UInt8 => integers!(unsigned: u8),
            Way::UInt16 => integers!(unsigned: u16),
            Way::UInt32 => integers!(unsigned: u32),
            Way::UInt64 => integers!(unsigned: u64),
            Way::Float32 => floats!(f32, room::hundredths32, room::put_float32),
            Way::Float64 => floats!(f64, room::hundredths64, room::put_float64),
            Way::Date(days) => values(place, cells, form, |bytes, [piece]| {
                put_date(i32::from_le_bytes(bytes).into(), days, form.lead, piece)
            }),
            Way::Time(days, TimeUnit::Second, utc) => {
                let utc = *utc;
                values(place, cells, form, |bytes, [date, time]| {
                    let seconds = i64::from_le_bytes(bytes);
                    put_time(seconds, utc, time) && put_date_of(seconds, days, form.lead, date)
                })
            }
            Way::Time(days, unit, utc) => {
                let (unit, utc) = (*unit, *utc);
                values(place, cells, form, |bytes, [date, time, fraction]| {
                    let (seconds, rest) = room::seconds_of(i64::from_le_bytes(bytes), unit);
                    put_fraction(rest, unit, utc, fraction);
                    put_time(seconds, false, time) && put_date_of(seconds, days, form.lead, date)
                })
            }
            Way::Text => match place.width() {
                0..=8 => short_texts(place, cells, form),
                _ => long_texts(place, cells, form),
            },
            Way::General => unreachable!("the field has no loop"),
        }
    }
}

/// Calls `put` with the bytes of each value and its pieces. It returns whether it has put the text.
#[inline(always)] // The loops differ in what they call.
fn values<const N: usize, const PIECES: usize, M>(
    place: Place,
    cells: Cells<'_>,
    form: &CellForm<M>,
    mut put: impl FnMut([u8; N], &mut [Piece; PIECES]) -> bool,
) -> u64 {
    let at = place.value();
    // Once for the loop, so that it has no checks.
    assert!(at < cells.record_bytes && N <= cells.record_bytes - at, "records hold the field");
    let bytes = move |record: &[u8]| {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&record[at..at + N]);
        bytes
    };
    match place.nullable {
        false => each(cells, |record, pieces| put(bytes(record), pieces)),
        true => each(cells, |record, pieces| match record[place.start] {
            1 => put(bytes(record), pieces),
            presence => put_null(presence, &form.null, pieces),
        }),
    }
}

/// Calls `put` with each record and the field's pieces.
#[inline(always)]
fn each<const PIECES: usize>(
    cells: Cells<'_>,
    mut put: impl FnMut(&[u8], &mut [Piece; PIECES]) -> bool,
) -> u64 {
    let Cells { records, record_bytes, pieces, pieces_per_row, first } = cells;
    assert!(first < pieces_per_row && PIECES <= pieces_per_row - first, "rows have their pieces");
    let rows = pieces.chunks_exact_mut(pieces_per_row);
    let mut left = 0;
    for (at, (record, row)) in records.chunks_exact(record_bytes).zip(rows).enumerate() {
        let Some(pieces) = row[first..].first_chunk_mut() else { break };
        if !put(record, pieces) {
            pieces[0][LEN_AT] = 0;
            left |= 1 << (at % ROWS_MAX);
        }
    }
    left
}

#[inline]
fn put_null<const PIECES: usize>(presence: u8, null: &Piece, pieces: &mut [Piece; PIECES]) -> bool {
    *pieces = [[0; PIECE_BYTES]; PIECES];
    pieces[0] = *null;
    presence == 0
}

/// Puts the lead, and returns its end.
#[inline(always)] // Constant within each loop.
fn begin(lead: Option<u8>, piece: &mut Piece) -> usize {
    piece[0] = lead.unwrap_or(0);
    usize::from(lead.is_some())
}

#[inline(always)] // A few instructions.
fn put_integer(is_negative: bool, magnitude: u64, lead: Option<u8>, piece: &mut Piece) -> bool {
    let start = begin(lead, piece);
    piece[start] = b'-';
    let at = start + usize::from(is_negative);
    if magnitude < FOUR_DIGITS.len() as u64 {
        let digits = FOUR_DIGITS[magnitude as usize];
        piece[at..at + 8].copy_from_slice(&digits);
        piece[LEN_AT] = at as u8 + digits[7]; // at most 6
        return true;
    }
    put_long_integer(magnitude, at, piece)
}

fn put_long_integer(magnitude: u64, at: usize, piece: &mut Piece) -> bool {
    if magnitude >= LONG_END {
        return false;
    }
    piece[LEN_AT] = room::put_digits(magnitude, piece, at) as u8; // at most 15
    true
}

fn put_bool(text: &str, lead: Option<u8>, piece: &mut Piece) -> bool {
    piece_of(lead, text.as_bytes()).is_some_and(|text| {
        *piece = text;
        true
    })
}

/// The end of the hundredths that a piece holds with the lead, a sign and the point.
const HUNDREDTHS_END: u64 = 100_000_000_000;

#[inline]
fn put_hundredths(
    is_negative: bool,
    hundredths: u64,
    lead: Option<u8>,
    [piece, empty]: &mut [Piece; 2],
) -> bool {
    let start = begin(lead, piece);
    piece[LEN_AT] = room::put_hundredths(hundredths, is_negative, piece, start) as u8; // at most 14
    empty[LEN_AT] = 0;
    true
}

fn put_float<F>(
    value: F,
    put: impl Fn(F, &mut room::Room) -> Option<usize>,
    lead: Option<u8>,
    pieces: &mut [Piece; 2],
) -> bool {
    let mut room = [0; ROOM_BYTES];
    put(value, &mut room).is_some_and(|len| put_room(&room, len, lead, pieces))
}

/// Puts the first `len` bytes of `room` into two pieces, if they fit.
fn put_room(room: &room::Room, len: usize, lead: Option<u8>, pieces: &mut [Piece; 2]) -> bool {
    let first = len.min(LEN_AT - usize::from(lead.is_some()));
    let both = [piece_of(lead, &room[..first]), piece_of(None, &room[first..len])];
    let [Some(first), Some(second)] = both else { return false };
    *pieces = [first, second];
    true
}

#[inline(always)] // A few instructions.
fn put_date(day: i64, days: &mut Days, lead: Option<u8>, piece: &mut Piece) -> bool {
    let Some(text) = days.text(day) else { return false };
    let start = begin(lead, piece);
    piece[start..start + 10].copy_from_slice(&text[..10]);
    piece[LEN_AT] = start as u8 + 10;
    true
}

#[inline(always)] // A few instructions.
fn put_date_of(seconds: i64, days: &mut Days, lead: Option<u8>, piece: &mut Piece) -> bool {
    put_date(seconds.div_euclid(room::SECONDS_PER_DAY), days, lead, piece)
}

/// Puts the time of day, and a `Z`.
#[inline(always)] // A few instructions.
fn put_time(seconds: i64, utc: bool, piece: &mut Piece) -> bool {
    let of_day = seconds.rem_euclid(room::SECONDS_PER_DAY).unsigned_abs();
    let end = room::put_time_of_day(of_day, piece, 0);
    piece[end] = b'Z';
    piece[LEN_AT] = end as u8 + u8::from(utc); // 9 or 10
    true
}

#[inline]
fn put_fraction(fraction: u64, unit: TimeUnit, utc: bool, piece: &mut Piece) {
    let end = if fraction == 0 { 0 } else { room::put_fraction(fraction, unit, piece, 0) };
    piece[end] = b'Z';
    piece[LEN_AT] = end as u8 + u8::from(utc); // at most 11
}

/// Texts of at most eight bytes: a word each.
fn short_texts<M: Marks>(place: Place, cells: Cells<'_>, form: &CellForm<M>) -> u64 {
    match place.nullable {
        false => short_texts_of::<false, M>(place, cells, form),
        true => short_texts_of::<true, M>(place, cells, form),
    }
}

fn short_texts_of<const NULLABLE: bool, M: Marks>(
    place: Place,
    cells: Cells<'_>,
    form: &CellForm<M>,
) -> u64 {
    let (presence, at, record_bytes) = (place.start, place.value(), cells.record_bytes);
    assert!(record_bytes >= 8 && presence <= at && at < record_bytes);
    // A word within the record. The bytes before the text leave at its low end.
    let from = at.min(record_bytes - 8);
    let before = 8 * (at - from) as u32; // at most 56
    let of_text = first_bytes(place.width());
    let plain_from = PlainFrom::new(form.marks.end());
    // No clean text has the word in place of a missing one.
    let (word_left, words_left) = match &form.words[..] {
        [first, others @ ..] => (first[0], others),
        [] => (u64::MAX, &[][..]),
    };
    let (lead, start) = (form.lead.unwrap_or(0), usize::from(form.lead.is_some()));
    each(cells, |record, pieces| {
        if NULLABLE && record[presence] != 1 {
            return put_null(record[presence], &form.null, pieces);
        }
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&record[from..from + 8]);
        let word = (u64::from_le_bytes(bytes) >> before) & of_text;
        let is_clean =
            plain_from.begins(word) || word != 0 && care(word, len_of(word), form.marks) == 0;
        let [piece] = pieces;
        piece[0] = lead;
        piece[start..start + 8].copy_from_slice(&word.to_le_bytes());
        piece[LEN_AT] = (start + len_of(word)) as u8; // at most 9
        let is_word = word == word_left || words_left.iter().any(|[other, _]| *other == word);
        is_clean && !is_word
    })
}

/// Texts of nine bytes or more: two words each, which overlap.
fn long_texts<M: Marks>(place: Place, cells: Cells<'_>, form: &CellForm<M>) -> u64 {
    let (at, end) = (place.value(), place.end);
    let second = place.width() - 8;
    assert!(end <= cells.record_bytes && second <= TEXT_BYTES_MAX - 8 && place.start < end);
    each(cells, |record, pieces| {
        if place.nullable && record[place.start] != 1 {
            return put_null(record[place.start], &form.null, pieces);
        }
        let [mut low_bytes, mut high_bytes] = [[0; 8]; 2];
        low_bytes.copy_from_slice(&record[at..at + 8]);
        high_bytes.copy_from_slice(&record[end - 8..end]);
        let [low, high] = [low_bytes, high_bytes].map(u64::from_le_bytes);
        let len = if high == 0 { len_of(low) } else { second + len_of(high) };
        let marked =
            care(low, len.min(8), form.marks) | care(high, len.saturating_sub(second), form.marks);
        let [piece] = pieces;
        let start = begin(form.lead, piece);
        piece[start..start + 8].copy_from_slice(&low_bytes);
        piece[start + second..start + second + 8].copy_from_slice(&high_bytes);
        piece[LEN_AT] = (start + len) as u8; // at most 15
        len > 0 && marked == 0 && !form.words.contains(&[low, high])
    })
}

/// Whether all bytes of a text are ASCII from a byte on, and so no marks.
#[derive(Clone, Copy)]
struct PlainFrom {
    /// What carries such a byte, and no lesser one, into its high bit.
    carry: u64,
}

impl PlainFrom {
    /// `end` is ASCII.
    fn new(end: u8) -> Self {
        Self { carry: repeated(0x80 - end.min(0x7f)) }
    }

    /// Whether `word` begins with such bytes, at least one, and has only padding after them.
    #[inline(always)] // A few instructions.
    fn begins(self, word: u64) -> bool {
        // All bits, and so no text, for a word without a byte.
        let of_text = HIGH_BITS >> (word.leading_zeros() & 0x38);
        ((word.wrapping_add(self.carry) ^ of_text) | word) & HIGH_BITS == 0
    }
}

#[cfg(test)]
mod tests;
