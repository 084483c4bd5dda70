//! The first line of CSV, by which a reader finds the delimiter.

/// What a reader may take for the delimiter of a file with one column.
const DELIMITERS: [char; 5] = [',', ';', '\t', '|', ' '];

/// Whether the line of the only cell `text` names a delimiter, if the next line has that.
pub(super) fn names_delimiter(text: &str) -> bool {
    text.trim_start_matches('"').starts_with("sep=")
}

/// Whether a reader would not take `text`, without quotes, for the cell that it is: number `at` of
/// `count` cells of the first line.
///
/// It takes a comma for the delimiter where the first line has one, and otherwise another character
/// that divides all rows, so that each must be in quotes in a file of one column. A line that is
/// `sep=` and a character names the delimiter; the last cell may be empty, and the delimiter itself
/// that character.
pub(super) fn is_misread(text: &str, at: usize, count: usize, delimiter: u8) -> bool {
    let names_delimiter = at == 0 && text.starts_with("sep=");
    let is_divided = match count {
        1 => text.contains(DELIMITERS),
        _ => delimiter != b',' && text.contains(','),
    };
    names_delimiter || is_divided
}
