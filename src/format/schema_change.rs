//! A change of a schema: fields that are added, dropped, renamed, or get another type.

use super::annotations::Group;
use super::data_type::DataType;
use super::field::Field;
use super::schema::Schema;
use super::value::Value;
use crate::error::{Error, ErrorKind, Result, named, nearest};
use crate::number::len_of;

/// How a store's schema changes: what [`migrate`](crate::migrate) does to each record.
///
/// A field keeps its values through every change that does not drop it. The changes apply in the
/// order in which they are given, so a field is named as the changes before have left it.
///
/// ```
/// use flatrec::{DataType, Field, Schema, SchemaChange};
/// let old = Schema::packed([
///     Field::new("id", DataType::Int32),
///     Field::new("px", DataType::Float64),
///     Field::new("note", DataType::Utf8(20)),
/// ])?;
/// let new = SchemaChange::new()
///     .retype("id", DataType::Int64)
///     .rename("px", "price")
///     .drop_field("note")
///     .add_field(Field::new("venue", DataType::Utf8(4)).nullable())
///     .apply(&old)?;
/// let names: Vec<&str> = new.fields().iter().map(Field::name).collect();
/// assert_eq!(names, ["id", "price", "venue"]);
/// assert_eq!(new.record_size(), 8 + 8 + 5);
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a change does nothing until it is given to a function"]
pub struct SchemaChange {
    edits: Vec<Edit>,
    target: Option<Schema>,
    fills: Vec<(String, Fill)>,
}

#[derive(Clone, Debug)]
enum Edit {
    Add(Field),
    Drop(String),
    Rename(String, String),
    Retype(String, DataType),
    Nullable(String),
}

/// A value for records that have none.
#[derive(Clone, Debug)]
enum Fill {
    Value(Value<'static>),
    #[cfg(feature = "text")]
    Text(String),
}

/// A field of the new schema, and where its values come from.
#[derive(Clone, Debug)]
pub(crate) struct NewField {
    /// The field that had the values; `None` for an added one.
    pub(crate) source: Option<Field>,
    pub(crate) field: Field,
    /// The bytes of the field for a record that has no value for it.
    pub(crate) fill: Option<Vec<u8>>,
}

/// A change of one certain schema.
#[derive(Clone, Debug)]
pub(crate) struct Changed {
    pub(crate) schema: Schema,
    /// The fields of `schema`, in its order.
    pub(crate) fields: Vec<NewField>,
    /// The names of the fields that are left out.
    pub(crate) dropped: Vec<String>,
}

impl SchemaChange {
    /// A change that leaves the schema as it is.
    ///
    /// ```
    /// use flatrec::{DataType, Field, Schema, SchemaChange};
    /// let schema = Schema::packed([Field::new("n", DataType::Int64)])?;
    /// assert_eq!(SchemaChange::new().apply(&schema)?, schema);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn new() -> Self {
        Self::default()
    }

    /// A change to `schema`. Fields keep the values of the fields with the same names. What else
    /// happens has to be said: [`SchemaChange::rename`] for a field that has another name in
    /// `schema`, and [`SchemaChange::drop_field`] for one that `schema` does not have.
    ///
    /// ```
    /// use flatrec::{DataType, Field, Schema, SchemaChange};
    /// let old = Schema::packed(["a", "b"].map(|name| Field::new(name, DataType::Int64)))?;
    /// let new = Schema::packed([Field::new("c", DataType::Int64)])?;
    /// assert!(SchemaChange::to(new.clone()).apply(&old).is_err()); // what becomes of a and b?
    /// let change = SchemaChange::to(new.clone()).rename("a", "c").drop_field("b");
    /// assert_eq!(change.apply(&old)?, new);
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn to(schema: Schema) -> Self {
        Self { target: Some(schema), ..Self::default() }
    }

    /// Adds a field behind all others. Its values are null, or those of [`SchemaChange::fill`].
    ///
    /// ```
    /// use flatrec::{DataType, Field, SchemaChange};
    /// let venue = Field::new("venue", DataType::Utf8(4)).nullable();
    /// let change = SchemaChange::new().add_field(venue);
    /// ```
    pub fn add_field(mut self, field: Field) -> Self {
        self.edits.push(Edit::Add(field));
        self
    }

    /// Leaves out a field with all its values.
    ///
    /// ```
    /// let change = flatrec::SchemaChange::new().drop_field("note");
    /// ```
    pub fn drop_field(mut self, name: impl Into<String>) -> Self {
        self.edits.push(Edit::Drop(name.into()));
        self
    }

    /// Gives a field another name.
    ///
    /// ```
    /// let change = flatrec::SchemaChange::new().rename("px", "price");
    /// ```
    pub fn rename(mut self, from: impl Into<String>, to: impl Into<String>) -> Self {
        self.edits.push(Edit::Rename(from.into(), to.into()));
        self
    }

    /// Gives a field another type. Annotations that the new type cannot have are left out.
    ///
    /// ```
    /// use flatrec::{DataType, SchemaChange};
    /// let change = SchemaChange::new().retype("n", DataType::Int64);
    /// ```
    pub fn retype(mut self, name: impl Into<String>, data_type: DataType) -> Self {
        self.edits.push(Edit::Retype(name.into(), data_type));
        self
    }

    /// Lets a field be null.
    ///
    /// ```
    /// let change = flatrec::SchemaChange::new().make_nullable("delay");
    /// ```
    pub fn make_nullable(mut self, name: impl Into<String>) -> Self {
        self.edits.push(Edit::Nullable(name.into()));
        self
    }

    /// The value of the field `name` of the new schema in records that have none: in all, for an
    /// added field; where the value was null, for one that is no longer nullable.
    ///
    /// ```
    /// use flatrec::{DataType, Field, SchemaChange, Value};
    /// let change = SchemaChange::new()
    ///     .add_field(Field::new("lot", DataType::UInt16))
    ///     .fill("lot", Value::UInt(1));
    /// ```
    pub fn fill(mut self, name: impl Into<String>, value: Value<'static>) -> Self {
        self.fills.push((name.into(), Fill::Value(value)));
        self
    }

    /// As [`SchemaChange::fill`], with a value in text, as [`Field::parse_text`] reads it.
    ///
    /// ```
    /// use flatrec::{DataType, Field, SchemaChange};
    /// let change = SchemaChange::new()
    ///     .add_field(Field::new("listed", DataType::Date32))
    ///     .fill_text("listed", "2013-01-31");
    /// ```
    #[cfg(feature = "text")]
    pub fn fill_text(mut self, name: impl Into<String>, text: impl Into<String>) -> Self {
        self.fills.push((name.into(), Fill::Text(text.into())));
        self
    }

    /// The schema that `schema` becomes.
    ///
    /// Where a field gets another size, is added or left out, the fields of a schema with alignment
    /// 1 follow one another without gaps. With a larger alignment they lie as in a `repr(C)`
    /// struct.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] if there is no field with a name that the change gives;
    /// [`ErrorKind::InvalidArgument`] if a value cannot become one of the new type, if a field that
    /// cannot be null has no value, or if it is not said what becomes of a field;
    /// [`ErrorKind::InvalidSchema`] if the new fields do not make a record.
    pub fn apply(&self, schema: &Schema) -> Result<Schema> {
        self.of(schema).map(|changed| changed.schema)
    }

    /// The change of `old`.
    pub(crate) fn of(&self, old: &Schema) -> Result<Changed> {
        let mut fields: Vec<(Option<Field>, Field)> =
            old.fields().iter().map(|field| (Some(field.clone()), field.clone())).collect();
        let mut dropped = Vec::new();
        for edit in &self.edits {
            edit.apply(&mut fields, &mut dropped)?;
        }
        let (schema, fields) = match &self.target {
            Some(target) => (target.clone(), paired(target, fields)?),
            None => {
                let schema = placed(old, &fields)?;
                let sources = fields.into_iter().map(|(source, _)| source);
                let fields = sources.zip(schema.fields().iter().cloned()).collect();
                (schema, fields)
            }
        };
        let fields: Result<Vec<NewField>> =
            fields.into_iter().map(|(source, field)| self.filled(source, field)).collect();
        let fields = fields?;
        if let Some((name, _)) = self.fills.iter().find(|(name, _)| schema.field(name).is_none()) {
            return Err(no_field(name, schema.fields().iter().map(Field::name)));
        }
        Ok(Changed { schema, fields, dropped })
    }

    /// The field with the value for records without one.
    fn filled(&self, source: Option<Field>, field: Field) -> Result<NewField> {
        let fill = self.fills.iter().rfind(|(name, _)| name == field.name());
        let fill = fill.map(|(_, fill)| fill.bytes(&field)).transpose()?;
        if source.is_none() && !field.is_nullable() && fill.is_none() {
            return Err(invalid(&field, "the field is new and cannot be null")
                .advice("give it a value for the records that exist, or let it be null"));
        }
        Ok(NewField { source, field, fill })
    }
}

impl Edit {
    fn apply(
        &self,
        fields: &mut Vec<(Option<Field>, Field)>,
        dropped: &mut Vec<String>,
    ) -> Result<()> {
        match self {
            Self::Add(field) => fields.push((None, field.clone())),
            Self::Drop(name) => {
                let (source, field) = fields.remove(position(fields, name)?);
                dropped.push(source.unwrap_or(field).name);
            }
            Self::Rename(from, to) => {
                let at = position(fields, from)?;
                fields[at].1.name.clone_from(to);
            }
            Self::Retype(name, data_type) => {
                let at = position(fields, name)?;
                fields[at].1 = fields[at].1.retyped(*data_type);
            }
            Self::Nullable(name) => {
                let at = position(fields, name)?;
                fields[at].1.nullable = true;
            }
        }
        Ok(())
    }
}

impl Fill {
    /// The bytes of `field` with that value.
    fn bytes(&self, field: &Field) -> Result<Vec<u8>> {
        let field = field.clone().at(0);
        let mut bytes = vec![0; len_of(field.size_bytes())];
        match self {
            Self::Value(value) => field.write(&mut bytes, value)?,
            #[cfg(feature = "text")]
            Self::Text(text) => field.parse_text(text, &mut bytes)?,
        }
        Ok(bytes)
    }
}

impl Field {
    /// The same field with another type, without the annotations that the type cannot have.
    fn retyped(&self, data_type: DataType) -> Self {
        let mut field = Self { data_type, ..self.clone() };
        field.utc &= matches!(data_type, DataType::Timestamp(_));
        let array_len = field.array_len;
        field.annotate(|annotations| annotations.retain_for(data_type, array_len));
        field
    }
}

fn position(fields: &[(Option<Field>, Field)], name: &str) -> Result<usize> {
    fields
        .iter()
        .position(|(_, field)| field.name() == name)
        .ok_or_else(|| no_field(name, fields.iter().map(|(_, field)| field.name())))
}

fn no_field<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Error {
    let error = Error::new(ErrorKind::NotFound, "change the schema")
        .detail(format!("there is no field {}", named(name)));
    match nearest(name, names) {
        Some(nearest) => error.advice(format!("the nearest name is {}", named(nearest))),
        None => error,
    }
}

fn invalid(field: &Field, why: &str) -> Error {
    Error::new(ErrorKind::InvalidArgument, "change the schema")
        .field(field.name())
        .detail(format!("field {}: {why}", named(field.name())))
}

/// The fields of `target` with the changed fields of the same names.
fn paired(
    target: &Schema,
    fields: Vec<(Option<Field>, Field)>,
) -> Result<Vec<(Option<Field>, Field)>> {
    let left: Vec<_> =
        fields.iter().filter(|(_, field)| target.field(field.name()).is_none()).collect();
    if let Some((_, field)) = left.first() {
        let more = match left.len() - 1 {
            0 => String::new(),
            more => format!(" (and {more} more)"),
        };
        let why = format!("the new schema has no field with this name{more}");
        return Err(invalid(field, &why)
            .advice("rename the field to the one that gets its values, or drop it"));
    }
    let source = |name: &str| fields.iter().find(|(_, field)| field.name() == name);
    let pair = |field: &Field| {
        (source(field.name()).and_then(|(source, _)| source.clone()), field.clone())
    };
    Ok(target.fields().iter().map(pair).collect())
}

/// The schema of `fields` in their order, with the annotations of `old`.
fn placed(old: &Schema, fields: &[(Option<Field>, Field)]) -> Result<Schema> {
    let same = fields.len() == old.fields().len()
        && fields.iter().zip(old.fields()).all(|((source, field), old)| {
            source.as_ref() == Some(old) && field.size_bytes() == old.size_bytes()
        });
    let new: Vec<Field> = fields.iter().map(|(_, field)| field.clone()).collect();
    let schema = match (same, old.alignment()) {
        (true, alignment) => Schema::new(new, old.record_size(), alignment)?,
        (false, 1) => Schema::packed(new)?,
        (false, alignment) => aligned(new, alignment)?,
    };
    let mut annotations = old.annotations.clone();
    annotations.groups =
        old.groups().iter().filter_map(|group| moved(group, old, fields)).collect();
    schema.annotated(annotations)
}

/// The group where its fields are now, if all of them are there, side by side and with its name.
fn moved(group: &Group, old: &Schema, fields: &[(Option<Field>, Field)]) -> Option<Group> {
    let range = group.fields();
    let members = &old.fields()[range.start as usize..range.end as usize];
    let is_first = |(source, _): &(Option<Field>, Field)| source.as_ref() == members.first();
    let first = fields.iter().position(is_first)?;
    let now = fields.get(first..first + members.len())?;
    let stays = now.iter().zip(members).all(|((source, field), member)| {
        source.as_ref() == Some(member) && field.name() == member.name()
    });
    let first = u32::try_from(first).ok()?;
    stays.then(|| Group { first, ..group.clone() })
}

/// A schema of `fields` in the given order, each at a multiple of its natural alignment.
fn aligned(fields: Vec<Field>, alignment: u32) -> Result<Schema> {
    let mut end = 0_u32;
    let mut placed = Vec::with_capacity(fields.len());
    for field in fields {
        let offset = end.next_multiple_of(field.natural_alignment().min(alignment));
        let field = field.at(offset);
        end = offset.saturating_add(field.size_bytes()).min(u32::MAX / 2);
        placed.push(field);
    }
    Schema::new(placed, end.next_multiple_of(alignment), alignment)
}

/// The names of added fields, in the order of the new schema.
pub(crate) fn added(fields: &[NewField]) -> Vec<String> {
    let added = fields.iter().filter(|field| field.source.is_none());
    added.map(|field| field.field.name.clone()).collect()
}
