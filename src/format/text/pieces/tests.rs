//! Random fields and values, beside [`Field::format_text`].

use proptest::prelude::*;

use super::super::padded::equal_in;
use super::*;
use crate::format::{DataType, Field};

#[derive(Clone, Copy, Debug)]
struct Marked(u8);

impl Marks for Marked {
    fn has(self, byte: u8) -> bool {
        byte == self.0
    }

    fn end(self) -> u8 {
        self.0 + 1
    }

    fn in_word(self, word: u64) -> u64 {
        equal_in(word, self.0)
    }
}

fn any_field() -> impl Strategy<Value = Field> {
    use DataType::*;
    let unit = || {
        prop_oneof![
            Just(TimeUnit::Second),
            Just(TimeUnit::Millisecond),
            Just(TimeUnit::Microsecond),
            Just(TimeUnit::Nanosecond),
        ]
    };
    let data_type = prop_oneof![
        prop::sample::select(vec![Int8, Int16, Int32, Int64, UInt8, UInt16, UInt32, UInt64]),
        prop::sample::select(vec![Bool, Float32, Float64, Date32]),
        unit().prop_map(Timestamp),
        (1_u32..=TEXT_BYTES_MAX as u32).prop_map(Utf8),
    ];
    (data_type, any::<[bool; 2]>()).prop_map(|(data_type, [nullable, utc])| {
        let field = Field::new("f", data_type);
        let field = if nullable { field.nullable() } else { field };
        if utc && matches!(data_type, Timestamp(_)) { field.utc() } else { field }
    })
}

/// Bytes of values: of all sizes, of few digits, or of texts.
fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    let letter = prop::sample::select(&b"abcx-.019, \xC3\xA9"[..]);
    prop_oneof![
        prop::collection::vec(any::<u8>(), 16),
        (-20_000_i64..2_000_000_000).prop_map(|it| [it.to_le_bytes(), [0; 8]].concat()),
        (-2_000_000_i64..90_000_000)
            .prop_map(|it| [(it as f64 / 100.0).to_le_bytes(), [0; 8]].concat()),
        (0..15_usize, prop::collection::vec(letter, 16)).prop_map(|(len, mut letters)| {
            letters[len..].fill(0);
            letters
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    /// Finds a loop that writes a value in another form than the field, takes bytes of its
    /// neighbours, or takes a value that it should leave.
    #[test]
    fn the_loops_write_what_format_text_writes(
        field in any_field(),
        before in 0_u32..12,
        after in 0_usize..12,
        lead in prop_oneof![Just(None), Just(Some(b';'))],
        mark in prop::sample::select(&b"x,."[..]),
        values in prop::collection::vec((any_bytes(), 0_u8..40), 1..=ROWS_MAX),
    ) {
        let field = field.at(before);
        let (_, _, field_end) = field.range().unwrap();
        let record_bytes = field_end + after;
        let mut records = Vec::new();
        for (bytes, presence) in &values {
            let mut record = vec![b'?'; record_bytes];
            let place = &mut record[before as usize..field_end];
            let (first, value) = place.split_at_mut(usize::from(field.is_nullable()));
            first.iter_mut().for_each(|it| *it = if *presence > 3 { 1 } else { *presence });
            value.copy_from_slice(&bytes[..value.len()]);
            records.extend(record);
        }
        let mut prepared = PreparedField::new(&field);
        let Some(count) = prepared.pieces(record_bytes) else { return Ok(()) };
        let words = prepared.word("abc").into_iter().collect();
        let null = piece_of(lead, b"NA").unwrap();
        let form = CellForm { lead, null, marks: Marked(mark), words };
        let mut pieces = vec![[b'!'; PIECE_BYTES]; values.len() * (count + 2)];
        let (pieces_per_row, first) = (count + 2, 1);
        let cells =
            Cells { records: &records, record_bytes, pieces: &mut pieces, pieces_per_row, first };
        let left = prepared.fill(cells, &form);
        for (at, (record, row)) in
            records.chunks(record_bytes).zip(pieces.chunks(pieces_per_row)).enumerate()
        {
            prop_assert!([row[0], row[count + 1]] == [[b'!'; PIECE_BYTES]; 2]);
            let mut text = String::new();
            let read = field.format_text(record, &mut text);
            let own = &row[1..=count];
            if left >> at & 1 == 1 {
                prop_assert!(is_left(&own[0]));
                let is_text = prepared.is_text();
                let has_care = text.is_empty() || text == "abc" || !text.is_ascii()
                    || text.as_bytes().contains(&mark);
                // Integers of 14 digits, and what is no plain number or date.
                let is_long = text.len() > 13
                    || text.contains('e')
                    || text.starts_with(['+', '-', 'i', 'N'])
                    || matches!(field.data_type(), DataType::Float32) && text.len() > 10;
                prop_assert!(read.is_err() || if is_text { has_care } else { is_long }, "{}", text);
                continue;
            }
            prop_assert!(read.is_ok());
            let mut room = [0; 128];
            let end = join(own, &mut room, 0);
            let shown = if text.is_empty() { "NA" } else { &*text };
            let expected = [lead.as_slice(), shown.as_bytes()].concat();
            prop_assert_eq!(&room[..end], &expected[..]);
        }
    }
}

#[test]
fn whole_words_are_left() {
    for width in [3, 8, 9, 14] {
        let field = Field::new("f", DataType::Utf8(width)).at(0);
        let mut prepared = PreparedField::new(&field);
        let record_bytes = (width as usize).max(8);
        let mut records = Vec::new();
        for text in ["NA", "NAN", "N"] {
            let mut record = vec![0; record_bytes];
            record[..text.len()].copy_from_slice(text.as_bytes());
            records.extend(record);
        }
        let words = prepared.word("NA").into_iter().collect();
        let form = CellForm { lead: None, null: Piece::default(), marks: Marked(b','), words };
        let mut pieces = [Piece::default(); 3];
        let (pieces_per_row, first) = (1, 0);
        let cells =
            Cells { records: &records, record_bytes, pieces: &mut pieces, pieces_per_row, first };
        assert_eq!(prepared.fill(cells, &form), 1, "width {width}");
        let mut text = [0; 64];
        let end = join(&pieces[1..], &mut text, 0);
        assert_eq!(&text[..end], b"NANN");
    }
    let field = Field::new("f", DataType::Utf8(3)).at(0);
    assert!(PreparedField::new(&field).word("none").is_none());
}
