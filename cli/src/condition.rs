//! Conditions on the command line, and what is wrong with one.

use flatrec::query::Filter;
use flatrec::{Cause, Copies, DataType, Field, Schema, Value};

use crate::failure::{Failure, without_advice};
use crate::output::cut;
use crate::strays;

/// What help says about conditions, before the names of fields.
pub(crate) const HELP: &str = "\
Conditions:
  fields         delay, or \"dep delay\": see below
  values         5, -2.5, 'text', TRUE, DATE '2013-01-31', TIMESTAMP '2013-01-31 05:00:00',
                 X'00ff'; beside such a field also '2013-01-31', a duration ('PT1.5S'), the name
                 of a value ('Buy'), a UUID or an IP address
  comparisons    =  <>  <  <=  >  >=  BETWEEN a AND b  IN (a, b)  LIKE 'N1%'  IS [NOT] NULL
  logic          NOT, AND, OR, parentheses; a comparison with null is neither true nor false,
                 and only records for which the condition is true match";

/// How many records show why a column is text.
const SAMPLE_RECORDS: usize = 10_000;
/// How many values of them an error shows.
const SHOWN_MAX: usize = 3;
/// How much of each.
const TEXT_CHARS_MAX: usize = 20;

/// The condition. Its error refers to the description of the language, and may look at `records`.
pub(crate) fn parse(text: &str, schema: &Schema, records: Copies<'_>) -> Result<Filter, Failure> {
    Filter::parse(text, schema).map_err(|error| {
        let field = error.field_name().and_then(|name| schema.field(name));
        let told = match (error.cause(), field) {
            (Some(Cause::TextWithNumber), Some(field)) => {
                format!("{} ({})", without_advice(&error), why_text(field, records))
            }
            (Some(Cause::OutsideLanguage), _) => without_advice(&error),
            _ => error.to_string(),
        };
        let see = "for what conditions can say, see: flatrec scan --help";
        Failure::Message(format!("{told}; {see}"))
    })
}

/// Why the field is text, and what to do if its values are numbers.
fn why_text(field: &Field, mut records: Copies<'_>) -> String {
    let number = Field::new("number", DataType::Float64);
    let (mut numbers, mut texts, mut others) = (0, 0, Vec::new());
    while numbers + texts < SAMPLE_RECORDS {
        // A fault of the store is another error than this one.
        let Ok(Some((_, record))) = records.next_record() else { break };
        let Ok(Value::Text(text)) = field.read(record) else { continue };
        if number.parse_text_rounded(text, &mut [0; 8]).is_ok() {
            numbers += 1;
            continue;
        }
        texts += 1;
        if others.len() <= SHOWN_MAX && !others.iter().any(|other| other == text) {
            others.push(text.to_owned());
        }
    }
    let quoted = |text: &String| format!("{:?}", cut(text, TEXT_CHARS_MAX));
    let shown: Vec<String> = others.iter().take(SHOWN_MAX).map(quoted).collect();
    let shown = shown.join(", ");
    if numbers == 0 && texts > 0 {
        return format!("its values are text, such as {shown}: compare it with such a text");
    }
    let nulls: Option<Vec<String>> =
        others.iter().map(|text| strays::null_in(field.name(), text)).collect();
    let nulls = nulls.filter(|_| others.iter().all(|text| strays::is_word(text)));
    let again = match (others.len(), nulls) {
        (0, _) => {
            "with --null-in for each word that is no number (load names them), and it has numbers"
                .to_owned()
        }
        (1..=SHOWN_MAX, Some(nulls)) if texts < numbers => {
            format!("with {}, and it has numbers", nulls.join(" "))
        }
        _ => "with a --schema that makes it a number, and other rows set aside with --rejects FILE"
            .to_owned(),
    };
    let because =
        if shown.is_empty() { shown } else { format!(", because of values like {shown}") };
    format!(
        "the column is text{because}: load the file again {again}; text in single quotes compares \
         letter by letter, so that '1000' is less than '400'"
    )
}
