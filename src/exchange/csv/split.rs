//! From bytes to rows and fields: the grammar of CSV.
//!
//! ```text
//! file   = row *( end row ) [ end ]          end = LF, CR LF or CR
//! row    = field *( delimiter field )
//! field  = plain | '"' *( any byte but '"', or '""' ) '"'
//! plain  = any bytes but the delimiter, LF and CR, the first of them not '"'
//! ```
//!
//! A quote has a meaning only at the start of a field; elsewhere in a plain field it is text. Text
//! outside the grammar (after a closing quote, or a quote that is never closed) makes a bad row,
//! and the splitter continues after it. A blank line is skipped, except in a file of one column,
//! where it is a row with a null value.
//!
//! The work has two steps, which keep the processor's pipelines busy: [`mark`] lists the places of
//! delimiters, line ends and quotes, 64 bytes at a time; [`Splitter::rows`] walks that list.
//! [`last_row_end`] has the same grammar and finds where to cut a block; a property test compares
//! the two with each other and with csv-core.

use std::ops::ControlFlow;

use memchr::{memchr, memchr_iter, memchr2, memchr3, memrchr2};

use super::parse::Cell;

const QUOTE: u8 = b'"';
const BLOCK_BYTES: usize = 64;

/// What tells fields and rows apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Form {
    pub(super) delimiter: u8,
    /// A line that begins with this byte, where a row could begin, is no row.
    pub(super) comment: Option<u8>,
}

impl Form {
    /// Whether a comment begins at the start of `rest`.
    #[inline]
    fn begins_comment(self, rest: &[u8]) -> bool {
        self.comment.is_some() && rest.first() == self.comment.as_ref()
    }

    /// The start of the row behind the comments at `start`; `Err` with the start of one that does
    /// not end.
    fn after_comments(self, text: &[u8], mut start: usize) -> Result<usize, usize> {
        while self.begins_comment(&text[start..]) {
            let end = start + line_end(&text[start..]);
            if !matches!(text[..end].last(), Some(b'\n' | b'\r')) {
                return Err(start);
            }
            start = end;
        }
        Ok(start)
    }
}

/// The form of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Plain,
    Quoted,
    /// Quoted, with doubled quotes inside.
    Escaped,
}

/// The place of a field's text, without its quotes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    start: u32,
    end: u32,
    shape: Shape,
}

impl Span {
    /// A field without quotes.
    pub(super) fn plain(start: u32, end: u32) -> Self {
        Self { start, end, shape: Shape::Plain }
    }

    /// The field's text, and the bytes after it; uses `scratch` to make doubled quotes single.
    #[inline]
    pub(super) fn cell<'t>(&self, text: &'t [u8], scratch: &'t mut Vec<u8>) -> Cell<'t> {
        let (start, end) = (self.start as usize, self.end as usize);
        if self.shape == Shape::Escaped {
            unescape(&text[start..end], scratch);
            return Cell::new(scratch, scratch.len());
        }
        Cell::new(&text[start..], end - start)
    }

    /// Where the text begins.
    pub(super) fn start(&self) -> usize {
        self.start as usize
    }

    #[inline]
    pub(super) fn is_quoted(&self) -> bool {
        self.shape != Shape::Plain
    }
}

#[cold]
fn unescape(raw: &[u8], into: &mut Vec<u8>) {
    into.clear();
    let mut rest = raw;
    while let Some(at) = memchr(QUOTE, rest) {
        into.extend_from_slice(&rest[..=at]);
        rest = rest.get(at + 2..).unwrap_or_default(); // the second of two quotes
    }
    into.extend_from_slice(rest);
}

/// Why a row is malformed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Malformed {
    TextAfterQuote,
    UnclosedQuote,
}

/// One row of a text.
#[derive(Debug)]
pub(super) struct Row<'s> {
    /// The place of the row.
    pub(super) start: usize,
    /// The place of the next row.
    pub(super) next: usize,
    pub(super) spans: &'s [Span],
    pub(super) malformed: Option<Malformed>,
}

/// Splits texts into rows; keeps its buffers from text to text.
#[derive(Debug)]
pub(super) struct Splitter {
    form: Form,
    /// Whether a blank line is a row (of one null).
    one_column: bool,
    marks: Vec<u32>,
    spans: Vec<Span>,
}

impl Splitter {
    pub(super) fn new(form: Form, one_column: bool) -> Self {
        Self { form, one_column, marks: Vec::new(), spans: Vec::new() }
    }

    /// Lists the fields of a plain text: one without quotes, carriage returns and comments. Returns
    /// whether it is one.
    ///
    /// # Panics
    /// As [`Splitter::rows`].
    pub(super) fn grid(&self, text: &[u8], grid: &mut Grid) -> bool {
        assert!(u32::try_from(text.len()).is_ok(), "blocks are far shorter than 4 GiB");
        let is_plain = self.form.comment.is_none() && memchr2(QUOTE, b'\r', text).is_none();
        if is_plain {
            grid.list(text, self.form.delimiter);
        }
        is_plain
    }

    /// Calls `row` for each row of `text` until it breaks. `text` starts with a row.
    ///
    /// # Panics
    /// If `text` is longer than 4 GiB, far more than a block.
    pub(super) fn rows<B>(
        &mut self,
        text: &[u8],
        mut row: impl FnMut(Row<'_>) -> ControlFlow<B>,
    ) -> ControlFlow<B> {
        assert!(u32::try_from(text.len()).is_ok(), "blocks are far shorter than 4 GiB");
        let delimiter = self.form.delimiter;
        let count = mark(text, delimiter, &mut self.marks);
        let mut walk =
            Walk { text, delimiter, marks: &self.marks[..count], spans: &mut self.spans };
        let mut start = 0;
        while start < text.len() {
            if self.form.begins_comment(&text[start..]) {
                start += line_end(&text[start..]);
                walk.skip_to(start);
                continue;
            }
            walk.spans.clear();
            let (next, malformed) = walk.row(start as u32);
            let next = next as usize;
            let blank =
                matches!(**walk.spans, [span] if span.start == span.end && !span.is_quoted());
            if !blank || self.one_column {
                row(Row { start, next, spans: walk.spans, malformed })?;
            }
            start = next;
        }
        ControlFlow::Continue(())
    }
}

/// The fields of a plain text.
#[derive(Debug, Default)]
pub(super) struct Grid {
    /// The start of each field, and of one behind the text: an end of field comes before each but
    /// the first.
    starts: Vec<u32>,
    /// For each line the number of fields up to its end.
    fields: Vec<u32>,
    /// The number of line ends: the last line may have none.
    pub(super) line_ends: usize,
}

impl Grid {
    /// The starts from field `first` on.
    pub(super) fn starts_from(&self, first: usize) -> &[u32] {
        &self.starts[first..]
    }

    /// For each line the number of fields up to its end.
    pub(super) fn fields(&self) -> &[u32] {
        &self.fields
    }

    fn list(&mut self, text: &[u8], delimiter: u8) {
        let Self { starts, fields, line_ends } = self;
        fields.clear();
        let mut count = 0; // of field ends
        let blocks = text.chunks_exact(BLOCK_BYTES);
        let tail = blocks.remainder();
        let tail_start = text.len() - tail.len();
        for (index, block) in blocks.enumerate() {
            if starts.len() < count + 1 + BLOCK_BYTES {
                starts.resize((2 * starts.len()).max(1024) + BLOCK_BYTES, 0);
            }
            let ends = bits_of(block, |byte| (byte == delimiter) | (byte == b'\n'));
            let base = (index * BLOCK_BYTES) as u32 + 1; // the text is below 4 GiB
            let mut left = ends;
            for start in &mut starts[count + 1..count + 1 + BLOCK_BYTES] {
                if left == 0 {
                    break;
                }
                *start = base + left.trailing_zeros();
                left &= left - 1;
                count += 1;
            }
        }
        starts.resize(starts.len().max(count + tail.len() + 2), 0);
        starts[0] = 0;
        for (at, &byte) in tail.iter().enumerate() {
            if byte == delimiter || byte == b'\n' {
                count += 1;
                starts[count] = (tail_start + at + 1) as u32;
            }
        }
        let mut width = 0; // of the line before
        let mut first = 0;
        for at in memchr_iter(b'\n', text) {
            let next = at as u32 + 1;
            // Most lines have as many fields as the one before.
            let mut end = first + width;
            if width == 0 || end > count || starts[end] != next {
                end = first + 1 + starts[first + 1..count].partition_point(|start| *start < next);
            }
            fields.push(end as u32);
            (width, first) = (end - first, end);
        }
        *line_ends = fields.len();
        if !matches!(text.last(), None | Some(b'\n')) {
            count += 1;
            starts[count] = text.len() as u32 + 1;
            fields.push(count as u32);
        }
    }
}

/// A walk over the marks of a text, row by row.
struct Walk<'t> {
    text: &'t [u8],
    delimiter: u8,
    /// The marks ahead.
    marks: &'t [u32],
    spans: &'t mut Vec<Span>,
}

impl Walk<'_> {
    /// Passes the marks before `place`.
    #[cold]
    fn skip_to(&mut self, place: usize) {
        let passed = self.marks.partition_point(|mark| (*mark as usize) < place);
        self.marks = &self.marks[passed..];
    }

    /// Collects the fields of the row that begins at `start`, and returns where the next one
    /// begins.
    #[inline]
    fn row(&mut self, start: u32) -> (u32, Option<Malformed>) {
        let mut field = start;
        let mut malformed = None;
        loop {
            let delimited = if self.text.get(field as usize) == Some(&QUOTE) {
                self.quoted(field, &mut malformed)
            } else {
                let (end, delimited) = self.plain();
                self.spans.push(Span { start: field, end, shape: Shape::Plain });
                delimited
            };
            match delimited {
                Ok(next_field) => field = next_field,
                Err(next_row) => return (next_row, malformed),
            }
        }
    }

    /// Passes the rest of a plain field. Returns its end, and `Ok` with the start of the next field
    /// or `Err` with that of the next row.
    #[inline]
    fn plain(&mut self) -> (u32, Result<u32, u32>) {
        while let Some((&mark, rest)) = self.marks.split_first() {
            self.marks = rest;
            let byte = self.text[mark as usize];
            if byte == self.delimiter {
                return (mark, Ok(mark + 1));
            }
            if byte == b'\n' {
                return (mark, Err(mark + 1));
            }
            if byte == b'\r' {
                return (mark, Err(self.after_return(mark)));
            }
        }
        let len = self.text.len() as u32; // asserted to fit
        (len, Err(len))
    }

    /// The start of the row after the carriage return at `at`, whose mark is passed; passes that of
    /// a line feed after it.
    #[inline]
    fn after_return(&mut self, at: u32) -> u32 {
        if self.text.get(at as usize + 1) != Some(&b'\n') {
            return at + 1;
        }
        self.marks = self.marks.get(1..).unwrap_or_default();
        at + 2
    }

    /// Passes the quoted field at `field` and its end; results as of [`Walk::plain`].
    fn quoted(&mut self, field: u32, malformed: &mut Option<Malformed>) -> Result<u32, u32> {
        let len = self.text.len() as u32; // asserted to fit
        let mut shape = Shape::Quoted;
        let mut quotes = self.marks.iter().enumerate().skip(1);
        let close = loop {
            let Some((at, &mark)) = quotes.next() else {
                self.marks = &[];
                self.spans.push(Span { start: field + 1, end: len, shape });
                *malformed = Some(Malformed::UnclosedQuote);
                return Err(len);
            };
            if self.text[mark as usize] != QUOTE {
                continue;
            }
            if self.text.get(mark as usize + 1) == Some(&QUOTE) {
                quotes.next();
                shape = Shape::Escaped;
                continue;
            }
            self.marks = &self.marks[at + 1..];
            break mark;
        };
        self.spans.push(Span { start: field + 1, end: close, shape });
        let (end, delimited) = self.plain();
        if end != close + 1 {
            *malformed = Some(Malformed::TextAfterQuote);
        }
        delimited
    }
}

/// Lists in `marks` the places of delimiters, line ends and quotes in `text`, and returns how many
/// there are; the rest of `marks` has no meaning.
fn mark(text: &[u8], delimiter: u8, marks: &mut Vec<u32>) -> usize {
    let is_mark =
        |byte: u8| (byte == delimiter) | (byte == b'\n') | (byte == b'\r') | (byte == QUOTE);
    let mut count = 0;
    let blocks = text.chunks_exact(BLOCK_BYTES);
    let tail = blocks.remainder();
    let tail_start = text.len() - tail.len();
    for (index, block) in blocks.enumerate() {
        let mut bits = bits_of(block, is_mark);
        if marks.len() < count + BLOCK_BYTES {
            marks.resize((2 * marks.len()).max(1024) + BLOCK_BYTES, 0);
        }
        let base = (index * BLOCK_BYTES) as u32; // the text is asserted to be below 4 GiB
        for place in &mut marks[count..count + BLOCK_BYTES] {
            if bits == 0 {
                break;
            }
            *place = base + bits.trailing_zeros();
            bits &= bits - 1;
            count += 1;
        }
    }
    marks.resize(marks.len().max(count + tail.len()), 0);
    for (at, _) in tail.iter().enumerate().filter(|&(_, &byte)| is_mark(byte)) {
        marks[count] = (tail_start + at) as u32;
        count += 1;
    }
    count
}

/// A bit for each of 64 bytes.
#[inline(always)]
fn bits_of(block: &[u8], is_hit: impl Fn(u8) -> bool) -> u64 {
    // Two loops of fixed length that compilers turn into vector instructions.
    let mut hits = [0u8; BLOCK_BYTES];
    for (hit, &byte) in hits.iter_mut().zip(block) {
        *hit = u8::from(is_hit(byte));
    }
    let mut bits = 0u64;
    for (word, eight) in hits.chunks_exact(8).enumerate() {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(eight);
        // Moves the low bits of eight bytes into the top byte.
        let packed = u64::from_le_bytes(bytes).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        bits |= packed << (8 * word);
    }
    bits
}

/// The end of the last complete row of `text`, which starts with a row; 0 if there is no complete
/// row. A row that ends in a CR at the end of `text` may not be complete: an LF may follow.
pub(super) fn last_row_end(text: &[u8], form: Form) -> usize {
    let text = text.strip_suffix(b"\r").unwrap_or(text);
    if memchr(QUOTE, text).is_none() {
        return memrchr2(b'\n', b'\r', text).map_or(0, |at| at + 1);
    }
    let mut row_start = match form.after_comments(text, 0) {
        Ok(start) => start,
        Err(start) => return start,
    };
    let mut position = row_start; // always outside quotes
    while let Some(at) = memchr3(QUOTE, b'\n', b'\r', &text[position..]).map(|at| position + at) {
        position = at + 1;
        if text[at] != QUOTE {
            position += usize::from(text[at..].starts_with(b"\r\n"));
            row_start = match form.after_comments(text, position) {
                Ok(start) => start,
                Err(start) => return start,
            };
            position = row_start;
            continue;
        }
        let opens = at == row_start || text[at - 1] == form.delimiter;
        if opens {
            match closing_quote(text, position) {
                Some(close) => position = close + 1,
                None => return row_start,
            }
        }
    }
    row_start
}

/// The end of the first line of `text`, behind its line end.
pub(super) fn line_end(text: &[u8]) -> usize {
    match memchr2(b'\n', b'\r', text) {
        Some(at) if text[at..].starts_with(b"\r\n") => at + 2,
        Some(at) => at + 1,
        None => text.len(),
    }
}

/// The quote that closes the field whose text begins at `position`. A quote at the end of `text`
/// may be the first of two and does not count.
fn closing_quote(text: &[u8], mut position: usize) -> Option<usize> {
    loop {
        let at = position + memchr(QUOTE, &text[position..])?;
        if *text.get(at + 1)? != QUOTE {
            return Some(at);
        }
        position = at + 2;
    }
}

/// The number of line ends in `text`.
pub(super) fn count_lines(text: &[u8]) -> u64 {
    let is_alone = |at: &usize| text.get(at + 1) != Some(&b'\n');
    let returns = memchr_iter(b'\r', text).filter(is_alone).count();
    (memchr_iter(b'\n', text).count() + returns) as u64
}

#[cfg(test)]
mod tests;
