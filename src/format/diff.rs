//! The differences between the schema that a caller expects and the one in a file.

use std::collections::HashMap;

use super::annotations::Variant;
use super::field::Field;
use super::schema::Schema;
use crate::error::{Error, ErrorKind, Result, named};

impl Schema {
    /// The reasons why records of the schema `found` cannot be read as records of this one: a line
    /// for each field that differs, is missing or is unexpected, then one for the sizes, and one
    /// for all fields that only lie elsewhere. Empty if the schemas agree.
    ///
    /// The alignments are not compared. A 64-bit number is aligned to 8 bytes on some systems and
    /// to 4 on others, with the same bytes in the file; and records of the same size are aligned
    /// for a type wherever they begin at a multiple of its alignment, as data does.
    ///
    /// Of the annotations only variants of enumerations are compared: a value that has two names is
    /// a difference, and so is a name with two values. Variants may be missing on either side.
    ///
    /// ```
    /// use flatrec::{DataType, Field, Schema};
    /// let expected = Schema::packed([Field::new("id", DataType::Int64)])?;
    /// let found = Schema::packed([Field::new("id", DataType::Int32)])?;
    /// assert_eq!(
    ///     expected.diff(&found),
    ///     [
    ///         "id: expected int64 at 0, found int32 at 0",
    ///         "record size: expected 8 bytes, found 4",
    ///     ]
    /// );
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn diff(&self, found: &Schema) -> Vec<String> {
        let by_name: HashMap<&str, &Field> =
            found.fields().iter().map(|field| (field.name(), field)).collect();
        let (mut lines, mut moved) = (Vec::new(), Vec::new());
        for field in self.fields() {
            match by_name.get(field.name()) {
                Some(&other) if other.has_layout_of(field) => lines.extend(renamed(field, other)),
                Some(&other) if other.clone().at(field.offset).has_layout_of(field) => {
                    moved.push((field, other));
                }
                Some(other) => lines.push(format!(
                    "{}: expected {}, found {}",
                    named(field.name()),
                    field.layout(),
                    other.layout()
                )),
                None => {
                    let (name, layout) = (named(field.name()), field.layout());
                    lines.push(format!("{name}: expected {layout}, not found"));
                }
            }
        }
        let expected: std::collections::HashSet<&str> =
            self.fields().iter().map(Field::name).collect();
        for field in found.fields().iter().filter(|field| !expected.contains(field.name())) {
            let (name, layout) = (named(field.name()), field.layout());
            lines.push(format!("{name}: not expected, found {layout}"));
        }
        lines.extend(self.size_diff(found));
        lines.extend(moved_fields(&moved));
        lines
    }

    /// The part of [`Schema::diff`] about sizes.
    fn size_diff(&self, found: &Schema) -> Option<String> {
        let (expected, found) = (self.record_size(), found.record_size());
        (expected != found)
            .then(|| format!("record size: expected {expected} bytes, found {found}"))
    }

    /// Refuses a file with another schema.
    pub(crate) fn check_found(&self, found: &Schema) -> Result<()> {
        refuse(self.diff(found))
    }

    /// Refuses a file with records of another size.
    pub(crate) fn check_found_size(&self, found: &Schema) -> Result<()> {
        refuse(self.size_diff(found).into_iter().collect())
    }
}

/// The first value that both fields name, with different names, or name with two values.
fn renamed(expected: &Field, found: &Field) -> Option<String> {
    let differs = |variant: &&Variant| {
        let of_value = found.variant_of(variant.value()).map(Variant::name);
        let of_name = found.variant_named(variant.name()).map(Variant::value);
        of_value.is_some_and(|name| name != variant.name())
            || of_name.is_some_and(|value| value != variant.value())
    };
    let variant = expected.variants().iter().find(differs)?;
    let other = found.variant_of(variant.value()).or(found.variant_named(variant.name()))?;
    let name = named(expected.name());
    Some(format!("{name}: expected the variant {variant}, found {other}"))
}

/// Tells of fields that differ in their offsets alone: mostly because one before them differs.
fn moved_fields(moved: &[(&Field, &Field)]) -> Option<String> {
    let (expected, found) = moved.first()?;
    let more = match moved.len() - 1 {
        0 => String::new(),
        1 => " (and 1 more field lies elsewhere)".to_owned(),
        more => format!(" (and {more} more fields lie elsewhere)"),
    };
    let (name, expected, found) = (named(expected.name()), expected.layout(), found.layout());
    Some(format!("{name}: expected {expected}, found {found}{more}"))
}

fn refuse(differences: Vec<String>) -> Result<()> {
    if differences.is_empty() {
        return Ok(());
    }
    Err(Error::new(ErrorKind::SchemaMismatch, "check schema").detail(differences.join("; ")))
}
