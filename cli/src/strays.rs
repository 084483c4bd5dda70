//! Tells of columns that `load` makes text only because of a few values.

use flatrec::exchange::Strays;

use crate::failure::say;
use crate::field_names;
use crate::output::cut;
use crate::shell;
use crate::verify::counted;

/// The most columns to tell of: a wide file may have thousands.
const COLUMNS_MAX: usize = 5;
/// The longest text that is shown whole, and that may be a word for null.
const TEXT_CHARS_MAX: usize = 40;

/// Says which columns these are, because of which values, and how to load them otherwise.
pub(crate) fn tell(columns: &[Strays]) {
    columns.iter().take(COLUMNS_MAX).for_each(|column| say(&line(column)));
    let Some((first, _)) = columns.split_first().filter(|_| columns.len() > COLUMNS_MAX) else {
        return;
    };
    let more = counted((columns.len() - COLUMNS_MAX) as u64, "column");
    let help = match options(first) {
        Some(options) if columns.iter().all(|column| column.texts == first.texts) => options,
        _ => "load --schema gives the types".into(),
    };
    say(&format!("of {more} more the same can be said ({help})"));
}

fn line(column: &Strays) -> String {
    let Strays { field, texts, lines, values, .. } = column;
    let shown: Vec<String> = texts
        .iter()
        .zip(lines)
        .map(|(text, line)| format!("{:?} on line {line}", cut(text, TEXT_CHARS_MAX)))
        .collect();
    let first = if *values > texts.len() as u64 { "first " } else { "" };
    let values = counted(*values, "value");
    let name = cut(field.name(), 60);
    let reason =
        format!("column {name:?} is text only because of {values}, {first}{}", shown.join(", "));
    let field_type = field.data_type();
    match options(column) {
        Some(options) => format!("{reason} (with {options} it is {field_type})"),
        None => {
            let column = field_names::before_equals(field.name());
            match shell::option("--type", &format!("{column}={field_type}")) {
                Some(option) => {
                    format!("{reason} (with {option} they do not fit, and --rejects takes them)")
                }
                None => format!("{reason} (load --schema gives the types)"),
            }
        }
    }
}

/// The options that make the texts null; `None` if one of them may be more than a word for null:
/// one with digits may be a number, which must not get lost.
fn options(column: &Strays) -> Option<String> {
    let is_word = |text: &String| {
        let is_short = text.chars().count() <= TEXT_CHARS_MAX;
        is_short && !text.contains(|letter: char| letter.is_ascii_digit() || letter.is_control())
    };
    let option = |text: &String| shell::option("--null", text);
    let options: Option<Vec<String>> = column.texts.iter().map(option).collect();
    options.filter(|_| column.texts.iter().all(is_word)).map(|options| options.join(" "))
}
