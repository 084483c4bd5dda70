//! Tells of columns that `load` makes text only because of a few values.

use flatrec::exchange::Strays;
use flatrec::{DataType, Field, Schema};

use crate::failure::say;
use crate::field_names;
use crate::output::cut;
use crate::shell;
use crate::verify::counted;

/// The most columns to tell of: a wide file may have thousands.
const COLUMNS_MAX: usize = 5;
/// The longest text that is shown whole, and that may be a word for null.
const TEXT_CHARS_MAX: usize = 40;

/// Says which columns of the schema these are, because of which values, and how to load them
/// otherwise.
pub(crate) fn tell(columns: &[Strays], schema: &Schema) {
    let others: Vec<&Field> = schema
        .fields()
        .iter()
        .filter(|field| columns.iter().all(|column| column.field.name() != field.name()))
        .collect();
    columns.iter().take(COLUMNS_MAX).for_each(|column| say(&line(column, &others)));
    let Some((first, _)) = columns.split_first().filter(|_| columns.len() > COLUMNS_MAX) else {
        return;
    };
    let more = counted((columns.len() - COLUMNS_MAX) as u64, "column");
    let is_general = first.texts.iter().all(|text| is_free(text, &others));
    let help = match null_options(first, &others) {
        Some(options) if is_general && columns.iter().all(|column| column.texts == first.texts) => {
            options
        }
        _ => "load --schema gives the types".into(),
    };
    say(&format!("of {more} more the same can be said ({help})"));
}

fn line(column: &Strays, others: &[&Field]) -> String {
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
    let typed = || {
        let column = field_names::before_equals(field.name());
        shell::option("--type", &format!("{column}={field_type}"))
    };
    if let Some(option) = typed().filter(|_| texts.iter().all(|text| is_value(text, field))) {
        return format!("{reason} (with {option} all its values are of that type)");
    }
    match null_options(column, others) {
        Some(options) => format!("{reason} (with {options} it is {field_type})"),
        None => match typed() {
            Some(option) => {
                format!("{reason} (with {option} they do not fit, and --rejects takes them)")
            }
            None => format!("{reason} (load --schema gives the types)"),
        },
    }
}

/// Whether the field takes the text.
fn is_value(text: &str, field: &Field) -> bool {
    let alone = field.clone().at(0);
    alone.parse_text(text, &mut vec![0; alone.size_bytes() as usize]).is_ok()
}

/// Whether none of these fields may have the text as a value, so that it can mean null in every
/// column.
fn is_free(text: &str, fields: &[&Field]) -> bool {
    let may_have =
        |field: &&Field| matches!(field.data_type(), DataType::Utf8(_)) || is_value(text, field);
    !fields.iter().any(may_have)
}

/// Whether the text may be a word for null. One with digits may be a number, which must not get
/// lost, and one for yes or no a value.
pub(crate) fn is_word(text: &str) -> bool {
    const TRUTHS: [&str; 10] = ["true", "false", "t", "f", "yes", "no", "y", "n", "on", "off"];
    let is_short = text.chars().count() <= TEXT_CHARS_MAX;
    let is_truth = TRUTHS.contains(&&*text.to_ascii_lowercase());
    let is_plain = !text.contains(|letter: char| letter.is_ascii_digit() || letter.is_control());
    is_short && is_plain && !is_truth
}

/// The option by which the text means null in the column only.
pub(crate) fn null_in(column: &str, text: &str) -> Option<String> {
    shell::option("--null-in", &field_names::text_of(column, text))
}

/// The options that make the texts null, in every column only if no column of `others` may have the
/// text; `None` if one of them may be more than a word for null.
fn null_options(column: &Strays, others: &[&Field]) -> Option<String> {
    let option = |text: &String| match is_free(text, others) {
        true => shell::option("--null", text),
        false => null_in(column.field.name(), text),
    };
    let options: Option<Vec<String>> = column.texts.iter().map(option).collect();
    options
        .filter(|_| column.texts.iter().all(|text| is_word(text)))
        .map(|options| options.join(" "))
}
