//! Values whose text is a word for null: a reader would take them for null.

use crate::error::{Error, ErrorKind, Result, quoted};
use crate::format::Field;

/// The null words of a field; empty if no value has the text of one.
#[derive(Debug, Default)]
pub(super) struct Words(Vec<String>);

impl Words {
    /// The null words of a field that is not text.
    pub(super) fn of_values(field: &Field, null_words: &[String]) -> Self {
        let words = field.null_words_or(null_words);
        match words.iter().any(|word| is_value(field, word)) {
            true => Self(words.to_vec()),
            false => Self::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    #[inline]
    pub(super) fn have(&self, text: &[u8]) -> bool {
        self.0.iter().any(|word| word.as_bytes() == text)
    }

    /// Another text of the value whose text is one of the words.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidValue`] if the field's type has no other.
    pub(super) fn other_spelling(&self, field: &Field, text: &str, null: &str) -> Result<String> {
        let is_free = |other: &String| {
            !self.have(other.as_bytes())
                && other != null
                && text_of(field, other).as_deref() == Some(text)
        };
        spellings(text).into_iter().find(is_free).ok_or_else(|| {
            let name = quoted(field.name());
            Error::new(ErrorKind::InvalidValue, "write")
                .detail(format!(
                    "the value of {name} is {text}, which is one of the field's words for null, \
                     and a load would take it for that"
                ))
                .advice("set it to null or to another value, or write NDJSON")
        })
    }
}

/// Whether a value of the field has this text.
pub(super) fn is_value(field: &Field, text: &str) -> bool {
    text_of(field, text).as_deref() == Some(text)
}

/// The text of the value that `text` has in the field, if it has one.
fn text_of(field: &Field, text: &str) -> Option<String> {
    let field = field.clone().at(0);
    let mut record = vec![0; usize::try_from(field.size_bytes()).ok()?];
    field.parse_text(text, &mut record).ok()?;
    let mut written = String::new();
    field.format_text(&record, &mut written).ok()?;
    Some(written)
}

/// Other texts of a number: with more zeros at its end, or with fewer, or in other letters.
fn spellings(text: &str) -> Vec<String> {
    let (mantissa, exponent) = text.split_at(text.find('e').unwrap_or(text.len()));
    let point = if mantissa.contains('.') { "" } else { "." };
    let zeros = ["0", "00", "000"].map(|zeros| format!("{mantissa}{point}{zeros}{exponent}"));
    let whole = mantissa.strip_suffix(".0").map(|whole| format!("{whole}{exponent}"));
    let letters = [text.to_ascii_lowercase(), text.to_ascii_uppercase()];
    zeros.into_iter().chain(whole).chain(letters).collect()
}
