//! Tables whose columns are divided by spaces.
//!
//! Such a file has one column for every delimiter that is looked for. Loaded as that column it
//! would be text, without a word, so it is refused; the caller names the delimiter, which may be a
//! comma.

use crate::error::{Error, ErrorKind, Result};
use crate::format::fit_float;

/// Refuses rows that seem to be divided by spaces: each line of `text`, the first block, has as
/// many words, two at least, and one of them is a number in each line of `rows`.
///
/// # Errors
/// [`ErrorKind::InvalidValue`] if it is so.
pub(super) fn check(text: &[u8], rows: &[u8]) -> Result<()> {
    let Some(columns) = words_of_each_line(text) else { return Ok(()) };
    if columns < 2 || !has_number_column(rows, columns) {
        return Ok(());
    }
    let has_gaps = lines(text).any(has_gap);
    let advice = match has_gaps {
        true => {
            "make one space of each gap (awk '{$1=$1};1') and use CsvOptions::delimiter; with a \
             comma as the delimiter it is one column of text"
        }
        false => "use CsvOptions::delimiter with a space; with a comma it is one column of text",
    };
    Err(Error::new(ErrorKind::InvalidValue, "read the header of")
        .detail(format!("the lines look like {columns} columns that spaces divide"))
        .advice(advice))
}

/// Whether a line has spaces at one of its ends, or two together: each space would divide columns.
fn has_gap(line: &[u8]) -> bool {
    line.starts_with(b" ") || line.ends_with(b" ") || line.windows(2).any(|pair| pair == b"  ")
}

/// The lines that are not blank.
fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let lines = text.split(|byte| matches!(byte, b'\n' | b'\r'));
    lines.filter(|line| !line.trim_ascii().is_empty())
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|&byte| byte == b' ').filter(|word| !word.is_empty())
}

/// The number of words, if each line has as many.
fn words_of_each_line(text: &[u8]) -> Option<usize> {
    let mut counts = lines(text).map(|line| words(line).count());
    let first = counts.next()?;
    counts.all(|count| count == first).then_some(first)
}

/// Whether there are rows, and one of `columns` words is a number in each of them.
fn has_number_column(rows: &[u8], columns: usize) -> bool {
    let is_number =
        |word: &[u8]| std::str::from_utf8(word).is_ok_and(|word| fit_float::<f64>(word).is_ok());
    let mut all_numbers = vec![true; columns];
    let mut count = 0;
    for line in lines(rows) {
        count += 1;
        for (all, word) in all_numbers.iter_mut().zip(words(line)) {
            *all = *all && is_number(word);
        }
    }
    count > 0 && all_numbers.contains(&true)
}
