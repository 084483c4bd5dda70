//! Conditions over the fields of a record: the language of `scan --where`.
//!
//! A [`Filter`] is a boolean expression in SQL's words. It is read once, checked against a
//! [`Schema`], and then applied to records as they lie in the file.
//!
//! [`Store::filter`](crate::Store::filter) and [`Snapshot::filter`](crate::Snapshot::filter) find
//! the records for which it is true, [`Copies::matching`](crate::Copies::matching) copies them, and
//! `count_where` counts them. These evaluate the condition for some thousand records at a time.
//! [`Filter::matches`] is for one record.
//!
//! # The language
//!
//! | written | means |
//! | --- | --- |
//! | `delay`, `"dep delay"` | a field: see [below](#names-of-fields) |
//! | `5`, `-2.5`, `1e3` | a number |
//! | `'JFK'`, `'it''s'` | text, or a value in the form of the field beside it |
//! | `DATE '2013-01-31'`, `TIMESTAMP '2013-01-31 05:00:00'` | a date, a timestamp |
//! | `X'00ff'` | bytes, beside a binary field |
//! | `TRUE`, `FALSE` | a condition by itself, or the value of a bool field |
//! | `=` `<>` `!=` `<` `<=` `>` `>=` | comparisons of a field with a value or another field |
//! | `a BETWEEN 1 AND 2`, `a NOT BETWEEN …` | `a >= 1 AND a <= 2`, and its opposite |
//! | `a IN (1, 2)`, `a NOT IN …` | one of the values, or none of them |
//! | `a LIKE 'N1%'`, `… ESCAPE '!'` | `%` is any text, `_` any one character |
//! | `a IS NULL`, `a IS NOT NULL` | whether a nullable field holds a value |
//! | `c IS [NOT] TRUE`, `… FALSE`, `… UNKNOWN` | the value of a condition |
//! | `NOT c`, `c AND d`, `c OR d`, `( c )` | in this order of strength |
//!
//! Beside a field of that kind, text is a date, a timestamp (`'2013-01-31'`) or a duration
//! (`'PT1.5S'`), the name of a variant (`side = 'Buy'`), or a value in the field's form of display
//! (a UUID).
//!
//! # Names of fields
//!
//! A name stands as it is if it has only letters, digits and `_`, begins with no digit, and is no
//! word of the language. Every name can stand in double quotes, in which a double quote is written
//! twice: `"dep delay"`, `"a=b"`, `"5"" pipe"`. [`written_name`] gives a name in this form, as
//! errors show it, and [`read_name`] reads one.
//!
//! Names must match exactly; the words of SQL match in either case. The language has no arithmetic,
//! no functions and no elements of arrays; an error names what was refused.
//!
//! # Null
//!
//! Logic has SQL's three values. A comparison with a null is *unknown*; `NOT` unknown is unknown;
//! `AND` is false if one side is false, else unknown if one side is; `OR` is true if one side is
//! true, else unknown if one side is. A record matches if the whole condition is *true*: neither
//! `delay > 5` nor `NOT delay > 5` finds a record whose delay is null, `delay IS NULL` does.
//!
//! # How values compare
//!
//! - Integers compare exactly, whatever their types and signs, also with `2.5` or with numbers past
//!   64 bits; so do integer fields with float fields.
//! - A number compared with a float field is first read as that field's own type, as `load` does:
//!   `x = 0.1` finds what was loaded from the text `0.1`, also in a `float32` field. A number that
//!   the type does not keep is an error ([`Field::parse_text`] has the rule): `9007199254740993`
//!   would find another number.
//! - `007` beside a field of numbers is an error, too: no number type gives its zeros back. The
//!   infinities of a float field are `'inf'` and `'-inf'`.
//! - NaN is unequal to everything, including itself, and neither less nor greater: `x <> x` finds
//!   it.
//! - Text compares by its UTF-8 bytes, which is the order of its code points.
//! - Dates and timestamps compare as instants, whatever their units; a date is its midnight. A
//!   literal without a zone has the field's own: UTC if the field says `utc`.

mod batch;
mod check;
mod like;
mod literal;
mod name;
mod node;
mod parse;
mod scalar;
mod scan;
mod suggest;
#[cfg(test)]
mod tests;

use std::fmt;

use self::batch::{MATCH, Rows, Run, Term};
pub use self::name::{read_name, written_name};
pub use self::scan::{Matches, MatchingCopies};
use crate::error::{Error, ErrorKind, Result};
use crate::format::{Field, Schema};

/// The operation in every error of reading a condition.
const READ: &str = "read the condition";

/// A boolean expression over the fields of one schema; the [module](self) describes the language.
///
/// ```
/// use flatrec::query::Filter;
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([
///     Field::new("id", DataType::UInt16),
///     Field::new("code", DataType::Utf8(3)),
/// ])?;
/// let filter = Filter::parse("id > 500 AND code IN ('JFK', 'LGA')", &schema)?;
/// assert!(filter.matches(b"\xff\xffJFK")?);
/// assert!(!filter.matches(b"\xff\xffEWR")?);
///
/// let error = Filter::parse("ide > 500", &schema).unwrap_err();
/// assert!(error.to_string().contains("no field \"ide\" (did you mean \"id\"?)"));
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone)]
pub struct Filter {
    text: Box<str>,
    term: Term,
    record_size: usize,
    /// The tree that `term` was prepared from, by which tests define its value.
    #[cfg(test)]
    root: node::Node,
}

/// One more than [`Term::scratch_lanes`] of any condition: each level of nesting needs one, and a
/// `BETWEEN` one more.
const LANES_MAX: usize = 64;
const _: () = assert!(parse::DEPTH_MAX + 2 < LANES_MAX);

impl Filter {
    /// Reads `text` and checks it against `schema`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the text is not a condition: bad syntax, a field that the
    /// schema lacks, values compared with a field of another kind, SQL outside the language, more
    /// than 10,000 words and operators, or nesting past 40 levels. [`ErrorKind::InvalidValue`] for
    /// a literal that its field's type cannot represent, such as the 30th of February.
    pub fn parse(text: &str, schema: &Schema) -> Result<Self> {
        let root = parse::on_a_deep_stack(|| {
            let expression = parse::expression(text)?;
            check::condition(expression, schema)
        })?;
        let record_size = usize::try_from(schema.record_size())
            .map_err(|_| Error::new(ErrorKind::OutOfRange, READ).detail("the record's size"))?;
        Ok(Self {
            text: text.into(),
            #[cfg(test)]
            root: root.clone(),
            term: Term::of(root),
            record_size,
        })
    }

    /// Whether the condition is true of `record`, the bytes of one record.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`] if the length of `record` differs from that of the schema's
    /// records; [`ErrorKind::Corrupt`] with the field's name if a presence byte or a bool is
    /// neither 0 nor 1. Fields that do not decide the condition may not be read: if `a` is true, `a
    /// OR b` is true without `b`.
    pub fn matches(&self, record: &[u8]) -> Result<bool> {
        if record.len() != self.record_size {
            return Err(self.wrong_length(record.len()));
        }
        self.is_true_of(record)
    }

    /// As [`Filter::matches`], for a record and the bytes up to the next.
    fn is_true_of(&self, stride: &[u8]) -> Result<bool> {
        let mut lanes = [0; LANES_MAX];
        let (lane, scratch) = lanes.split_at_mut(1);
        let runs = [Run::new(stride, stride.len())];
        let evaluated = self.term.eval(Rows::new(&runs, stride.len()), lane, scratch);
        evaluated.map_err(|damaged| damaged.damaged(&stride[..self.record_size]))?;
        Ok(lane[0] == MATCH)
    }

    #[cold]
    fn wrong_length(&self, len_bytes: usize) -> Error {
        Error::new(ErrorKind::InvalidArgument, "filter").detail(format!(
            "the condition needs records of {} bytes, not {len_bytes}",
            self.record_size
        ))
    }
}

impl fmt::Display for Filter {
    /// The condition as it was written.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Filter").field(&self.text).finish()
    }
}

/// The field with that name; the error for an unknown name suggests the nearest one.
///
/// ```
/// use flatrec::{DataType, Field, Schema, query};
/// let schema = Schema::packed([Field::new("delay", DataType::Int64)])?;
/// assert_eq!(query::field(&schema, "delay")?.data_type(), DataType::Int64);
/// let error = query::field(&schema, "dely").unwrap_err();
/// assert!(error.to_string().ends_with("no field \"dely\" (did you mean \"delay\"?)"));
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidArgument`] if the schema has no field with that name.
pub fn field<'s>(schema: &'s Schema, name: &str) -> Result<&'s Field> {
    suggest::field(schema, name, "find the field")
}
