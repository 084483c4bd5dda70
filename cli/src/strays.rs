//! Tells of columns that `load` makes text only because of a few values.

use flatrec::exchange::Strays;

use crate::failure::say;
use crate::verify::counted;

/// The most columns to tell of: a wide file may have thousands.
const COLUMNS_MAX: usize = 5;

/// Says which columns these are, because of which values, and how to load them otherwise.
pub(crate) fn tell(columns: &[Strays]) {
    columns.iter().take(COLUMNS_MAX).for_each(|column| say(&line(column)));
    let more = columns.len().saturating_sub(COLUMNS_MAX);
    if more > 0 {
        let more = counted(more as u64, "column");
        say(&format!("of {more} more the same can be said (load --schema gives the types)"));
    }
}

fn line(column: &Strays) -> String {
    let Strays { field, texts, values, .. } = column;
    let quoted: Vec<String> = texts.iter().map(|text| format!("{text:?}")).collect();
    let values = counted(*values, "value");
    let field_type = field.data_type();
    let mut name: String = field.name().chars().take(60).collect();
    if name.len() < field.name().len() {
        name.push('…');
    }
    let reason = format!("column {name:?} is text only because of {values}: {}", quoted.join(", "));
    // A word with digits may be a number, which is not to be lost.
    if texts.iter().any(|text| text.contains(|letter: char| letter.is_ascii_digit())) {
        return format!("{reason} (otherwise it would be {field_type})");
    }
    let options: Vec<String> = texts.iter().map(|text| format!("--null {}", shell(text))).collect();
    format!("{reason} (with {} it is {field_type})", options.join(" "))
}

/// The text as a word of a shell.
pub(crate) fn shell(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_./+,:%@".contains(&byte);
    match !text.is_empty() && text.bytes().all(plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
