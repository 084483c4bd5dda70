//! Nested records: fields of a struct that are structs with schemas of their own.
//!
//! A schema is a flat list of fields, so a nested record becomes its fields, whose names begin with
//! the field's name and a dot, and a [`Group`] that says so.

use std::mem::size_of;

use super::annotations::Group;
use super::field::Field;
use super::record::{Record, size_and_alignment};
use super::schema::Schema;
use crate::error::{Error, ErrorKind, Result};

/// The longest array of nested records: each adds its fields to the schema.
const RECORDS_MAX: usize = 65_536;

/// A record, or an array of records: the type of a field with the attribute `nested`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a record, so a record cannot nest it",
    label = "not a record",
    note = "derive it: `#[derive(Clone, Copy, flatrec::Record)] #[repr(C)]`",
    note = "a type that is a field by itself needs no `nested`"
)]
pub trait Nested: Copy + Send + Sync + 'static {
    /// The record.
    type Record: Record;
    /// The number of records, of an array.
    const LEN: Option<usize>;
}

#[diagnostic::do_not_recommend]
impl<R: Record> Nested for R {
    type Record = R;
    const LEN: Option<usize> = None;
}

#[diagnostic::do_not_recommend]
impl<R: Record, const N: usize> Nested for [R; N] {
    type Record = R;
    const LEN: Option<usize> = Some(N);
}

/// The compiler's type of a nested field. [`Schema::nested_of`] makes it.
#[derive(Clone, Copy, Debug)]
pub struct NestedInfo {
    schema: fn() -> Result<Schema>,
    len: Option<usize>,
    native_endian: bool,
    size: usize,
}

// The output of the derive calls it, as it calls `Schema::field_of`.
impl Schema {
    /// What is known of a record's nested record.
    #[doc(hidden)]
    pub const fn nested_of<R, T: Nested>(_: fn(R) -> T) -> NestedInfo {
        NestedInfo {
            schema: T::Record::schema,
            len: T::LEN,
            native_endian: T::Record::NATIVE_ENDIAN,
            size: size_of::<T>(),
        }
    }

    /// The schema of a record's parts, with the size and alignment of the record.
    #[doc(hidden)]
    pub fn of_record<R>(parts: Vec<Part>) -> Result<Self> {
        let (size, alignment) = size_and_alignment::<R>()?;
        let mut flat = Flat::default();
        for part in parts {
            flat.put(part)?;
        }
        Self::new(flat.fields, size, alignment)?.with_groups(flat.groups)
    }
}

impl NestedInfo {
    /// Why this type cannot be nested; `None` if it can.
    pub const fn problem(&self) -> Option<&'static str> {
        match self.len {
            Some(0) => Some("an array needs at least one record: write a length above 0"),
            Some(len) if len > RECORDS_MAX => {
                Some("an array has at most 65536 nested records: write a smaller length")
            }
            _ => None,
        }
    }

    /// Whether bytes of the nested record are in the host's order.
    pub const fn native_endian(&self) -> bool {
        self.native_endian
    }

    /// How many bytes the field has.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// The part at byte `offset` of a struct.
    pub fn part(&self, name: &str, offset: usize) -> Part {
        Part(Kind::Nested { info: *self, name: name.to_owned(), offset })
    }
}

/// A part of a struct: a field or a nested record.
#[derive(Debug)]
pub struct Part(Kind);

#[derive(Debug)]
enum Kind {
    Field(Field),
    Nested { info: NestedInfo, name: String, offset: usize },
}

impl From<Field> for Part {
    fn from(field: Field) -> Self {
        Self(Kind::Field(field))
    }
}

/// The fields and groups of the parts so far.
#[derive(Default)]
struct Flat {
    fields: Vec<Field>,
    groups: Vec<Group>,
}

impl Flat {
    fn put(&mut self, part: Part) -> Result<()> {
        let (info, name, offset) = match part.0 {
            Kind::Field(field) => {
                self.fields.push(field);
                return Ok(());
            }
            Kind::Nested { info, name, offset } => (info, name, offset),
        };
        let inner = (info.schema)()?;
        let first = self.next();
        let count = u32::try_from(inner.fields().len()).map_err(|_| too_many(&name))?;
        match info.len {
            None => {
                self.groups.push(Group::new(name.as_str(), first..first + count));
                self.put_record(&format!("{name}."), &inner, offset)
            }
            Some(len) => {
                let records = u32::try_from(len).map_err(|_| too_many(&name))?;
                let all = records.checked_mul(count).and_then(|all| first.checked_add(all));
                let fields = first..all.ok_or_else(|| too_many(&name))?;
                self.groups.push(Group::new(name.as_str(), fields).array(records));
                let size = info.size / len.max(1);
                (0..len).try_for_each(|index| {
                    self.put_record(&format!("{name}[{index}]."), &inner, offset + index * size)
                })
            }
        }
    }

    /// The number of the next field.
    fn next(&self) -> u32 {
        u32::try_from(self.fields.len()).expect("a record of 16 MiB has fewer fields")
    }

    /// Puts the fields and groups of a record that begins at `offset`.
    fn put_record(&mut self, prefix: &str, record: &Schema, offset: usize) -> Result<()> {
        let first = self.next();
        let offset = u32::try_from(offset).expect("offsets in a record are below 16 MiB");
        for field in record.fields() {
            let mut field = field.clone();
            field.name.insert_str(0, prefix);
            field.offset += offset;
            if field.null_words().is_empty() && !record.null_words().is_empty() {
                field = field.with_null_words(record.null_words());
            }
            self.fields.push(field);
        }
        self.groups.extend(record.groups().iter().map(|group| Group {
            name: format!("{prefix}{}", group.name),
            first: group.first + first,
            ..group.clone()
        }));
        Ok(())
    }
}

fn too_many(name: &str) -> Error {
    Error::new(ErrorKind::InvalidSchema, "check")
        .detail(format!("the nested records {name} have more than 2^32 fields"))
}
