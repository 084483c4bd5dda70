//! The schema: the fields of a record, their types and their places.
//!
//! Invariants of every [`Schema`] (checked by [`Schema::new`], so no other code checks them): at
//! least one field; names non-empty, unique and without control characters; fields in the order of
//! their offsets, without overlap, within the record; the record between 1 byte and 16 MiB;
//! annotations fit the fields' types.

use super::annotations::{Group, RecordAnnotations};
use super::data_type::DataType;
use super::field::Field;
use crate::error::{Error, ErrorKind, Result, quoted};

/// The largest record, and the largest stride: 16 MiB.
pub const MAX_RECORD_BYTES: u32 = 16 << 20;

/// The largest alignment of a record: a page, the smallest alignment of a mapping.
pub(crate) const MAX_ALIGNMENT_BYTES: u32 = 4096;

/// The longest name of a field, in bytes of UTF-8.
pub(crate) const MAX_NAME_BYTES: usize = 1024;

/// The fields of a record, its size and its alignment.
///
/// ```
/// use flatrec::{DataType, Field, Schema};
/// let schema = Schema::packed([
///     Field::new("id", DataType::UInt32),
///     Field::new("name", DataType::Utf8(10)),
///     Field::new("score", DataType::Float64).nullable(),
/// ])?;
/// assert_eq!(schema.record_size(), 4 + 10 + 9);
/// assert_eq!(schema.field("name").unwrap().offset(), 4);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schema {
    fields: Vec<Field>,
    record_size: u32,
    alignment: u32,
    pub(super) annotations: RecordAnnotations,
}

impl Schema {
    /// A schema of `fields` at their offsets, in records of `record_size` bytes aligned to
    /// `alignment`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] if an invariant of the module does not hold: no field, an
    /// empty, over-long or repeated name, overlapping fields, a field past the record's end, a
    /// record larger than 16 MiB, an alignment that is not a power of two or does not divide the
    /// size.
    pub fn new(mut fields: Vec<Field>, record_size: u32, alignment: u32) -> Result<Self> {
        fields.sort_by_key(|field| field.offset);
        let invalid = |detail: String| Error::new(ErrorKind::InvalidSchema, "check").detail(detail);
        if fields.is_empty() {
            return Err(invalid("a record needs at least one field".into()));
        }
        for field in &fields {
            check_field(field).map_err(|detail| invalid(format!("field {field}: {detail}")))?;
        }
        if record_size == 0 || record_size > MAX_RECORD_BYTES {
            return Err(invalid(format!(
                "a record must have 1 to {MAX_RECORD_BYTES} bytes, not {record_size}"
            )));
        }
        if !alignment.is_power_of_two()
            || alignment > MAX_ALIGNMENT_BYTES
            || record_size % alignment != 0
        {
            return Err(invalid(format!(
                "alignment {alignment} must be a power of two up to \
                 {MAX_ALIGNMENT_BYTES} that divides the record size {record_size}"
            )));
        }
        let mut names = std::collections::HashSet::with_capacity(fields.len());
        let mut end = 0u64;
        for field in &fields {
            if !names.insert(field.name.as_str()) {
                return Err(invalid(format!("two fields are named {}", quoted(&field.name))));
            }
            if u64::from(field.offset) < end {
                return Err(invalid(format!("field {field}: overlaps the field before it")));
            }
            end = u64::from(field.offset) + u64::from(field.size_bytes());
            if end > u64::from(record_size) {
                return Err(invalid(format!(
                    "field {field}: ends at byte {end}, past the record's {record_size}"
                )));
            }
        }
        Ok(Self { fields, record_size, alignment, annotations: RecordAnnotations::default() })
    }

    /// A schema of `fields` in the given order, without gaps.
    ///
    /// # Errors
    /// As [`Schema::new`].
    pub fn packed(fields: impl IntoIterator<Item = Field>) -> Result<Self> {
        let mut offset = 0u32;
        let mut placed = Vec::new();
        for field in fields {
            let field = field.at(offset);
            offset = offset.saturating_add(field.size_bytes());
            placed.push(field);
        }
        Self::new(placed, offset, 1)
    }

    /// The same schema, some of whose fields are parts of nested records. The groups come in the
    /// order of their first fields, an outer one before those in it.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] if a group has no field or fields past the last, if it lies
    /// partly in another one, or if its fields' names do not begin with its name.
    pub fn with_groups(mut self, groups: impl IntoIterator<Item = Group>) -> Result<Self> {
        self.annotations.groups = groups.into_iter().collect();
        self.checked()
    }

    /// The same schema, with the texts that mean null where its records come from, such as `NA`:
    /// for the fields that have none of their own.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] for a text of more than 65535 bytes.
    ///
    /// ```
    /// use flatrec::{DataType, Field, Schema};
    /// let schema = Schema::packed([Field::new("delay", DataType::Int16).nullable()])?
    ///     .with_null_words(["NA"])?;
    /// assert_eq!(schema.null_words(), ["NA"]);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn with_null_words<W: Into<String>>(
        mut self,
        words: impl IntoIterator<Item = W>,
    ) -> Result<Self> {
        self.annotations.null_words = words.into_iter().map(Into::into).collect();
        self.checked()
    }

    /// The same schema, after a check of the annotations of the record.
    fn checked(self) -> Result<Self> {
        let names: Vec<&str> = self.fields.iter().map(Field::name).collect();
        match self.annotations.check(&names) {
            Ok(()) => Ok(self),
            Err(why) => Err(Error::new(ErrorKind::InvalidSchema, "check").detail(why)),
        }
    }

    /// The same schema with each field changed, and the annotations of the record. If a field gets
    /// another size, they all follow one another without gaps.
    ///
    /// # Errors
    /// As [`Schema::new`].
    #[cfg(feature = "exchange")]
    pub(crate) fn map_fields(&self, change: impl FnMut(Field) -> Field) -> Result<Self> {
        let fields: Vec<Field> = self.fields.iter().cloned().map(change).collect();
        let sizes =
            |fields: &[Field]| -> Vec<u32> { fields.iter().map(Field::size_bytes).collect() };
        let schema = match sizes(&fields) == sizes(&self.fields) {
            true => Self::new(fields, self.record_size, self.alignment)?,
            false => Self::packed(fields)?,
        };
        schema.annotated(self.annotations.clone())
    }

    /// The same schema with these annotations of the record.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSchema`] if they do not fit the fields.
    pub(super) fn annotated(mut self, annotations: RecordAnnotations) -> Result<Self> {
        self.annotations = annotations;
        self.checked()
    }

    /// The nested records, in the order of their first fields, an outer one before those in it.
    pub fn groups(&self) -> &[Group] {
        &self.annotations.groups
    }

    /// The texts that mean null where the records come from.
    pub fn null_words(&self) -> &[String] {
        &self.annotations.null_words
    }

    /// The fields, in the order of their offsets.
    pub fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// The field with that name.
    pub fn field(&self, name: &str) -> Option<&Field> {
        self.fields.iter().find(|field| field.name == name)
    }

    /// Bytes of one record.
    pub fn record_size(&self) -> u32 {
        self.record_size
    }

    /// The alignment of a record in bytes.
    pub fn alignment(&self) -> u32 {
        self.alignment
    }
}

/// The fault of a field by itself.
fn check_field(field: &Field) -> Result<(), String> {
    check_layout(field)?;
    match field.annotations.as_deref() {
        None => Ok(()),
        Some(annotations) => annotations.check(field.data_type, field.array_len),
    }
}

fn check_layout(field: &Field) -> Result<(), &'static str> {
    if field.name.is_empty() {
        return Err("the name is empty");
    }
    if field.name.len() > MAX_NAME_BYTES {
        return Err("the name is longer than 1024 bytes");
    }
    if field.name.chars().any(char::is_control) {
        return Err("the name has a control character");
    }
    if field.array_len == Some(0) {
        return Err("an array needs at least one element");
    }
    if field.data_type.size_bytes() == 0 {
        return Err("utf8 and binary need at least one byte");
    }
    if field.utc && !matches!(field.data_type, DataType::Timestamp(_)) {
        return Err("only a timestamp can be in UTC");
    }
    Ok(())
}

#[cfg(test)]
pub(in crate::format) mod tests;
