//! The types of Arrow as fields, and those that have no place in a store.

use arrow_schema::{DataType as Arrow, Field as ArrowField, Schema as ArrowSchema};

use crate::error::{Error, ErrorKind, Result, quoted};
use crate::exchange::schema_text::variants_from_json;
use crate::exchange::table::source::{Column, Decimals};
use crate::format::{DataType, DisplayHint, Field, Schema, TimeUnit};

/// A column of a batch, or one within a structure.
#[derive(Clone, Debug)]
pub(super) struct Leaf {
    /// The number of the column, and that of each child within it.
    pub(super) path: Vec<usize>,
    /// The type of a value, which is no list.
    pub(super) element: Arrow,
    /// The number of values in a row.
    pub(super) count: usize,
    pub(super) column: Column,
}

/// Deeper structures are refused.
const DEPTH_MAX: usize = 32;
const FLATTEN: &str = "write its values as columns of their own, or leave the column out";

/// The columns of a schema. `target` says what a decimal of 39 digits becomes.
///
/// # Errors
/// [`ErrorKind::Unsupported`] for a type that has no place in a store.
pub(super) fn leaves_of(
    schema: &ArrowSchema,
    target: Option<&Schema>,
    decimals: Decimals,
) -> Result<Vec<Leaf>> {
    // The nulls of a store that was exported are known.
    let is_own = schema.metadata().contains_key(super::OWN);
    let mut adding = Adding { leaves: Vec::new(), target, is_own, decimals };
    for (at, field) in schema.fields().iter().enumerate() {
        adding.add(field, &[at], "", false)?;
    }
    Ok(adding.leaves)
}

struct Adding<'t> {
    leaves: Vec<Leaf>,
    target: Option<&'t Schema>,
    is_own: bool,
    decimals: Decimals,
}

impl Adding<'_> {
    fn add(
        &mut self,
        field: &ArrowField,
        path: &[usize],
        outer: &str,
        is_nullable: bool,
    ) -> Result<()> {
        let name = format!("{outer}{}", field.name());
        let is_nullable = is_nullable || field.is_nullable();
        let refused = |what: &str, advice: &'static str| {
            Error::new(ErrorKind::Unsupported, "read")
                .detail(format!("column {}: {what}", quoted(&name)))
                .advice(advice)
        };
        if let Arrow::Struct(children) = field.data_type() {
            if path.len() > DEPTH_MAX {
                return Err(refused("structures in one another", FLATTEN));
            }
            for (at, child) in children.iter().enumerate() {
                let path = [path, &[at]].concat();
                self.add(child, &path, &format!("{name}."), is_nullable)?;
            }
            return Ok(());
        }
        let mut shape = Vec::new();
        let mut element = field.data_type();
        while let Arrow::FixedSizeList(child, len) = element {
            let len = u32::try_from(*len).ok().filter(|&len| len > 0);
            shape.push(len.ok_or_else(|| refused("a list without elements", FLATTEN))?);
            element = child.data_type();
        }
        let element = match element {
            Arrow::Dictionary(_, values) if shape.is_empty() => &**values,
            other => other,
        };
        let data_type = self.data_type_of(element, &name).map_err(|(why, advice)| {
            let why = format!("{why} has no place in a record of fixed size");
            refused(&why, advice)
        })?;
        let mut made = Field::new(&name, data_type);
        if !shape.is_empty() {
            made = made.with_shape(shape.iter().copied());
        }
        if !self.are_floats(element) {
            made = annotated(made, element, field);
        }
        let count = made.array_len().map_or(1, |len| len as usize);
        if is_nullable || *element == Arrow::Null {
            made = made.nullable();
        }
        let width = width_of(field).filter(|_| matches!(data_type, DataType::Utf8(_)));
        if let Some(width) = width {
            made = made.made_of(DataType::Utf8(width));
        }
        let is_measured = matches!(data_type, DataType::Utf8(_)) && width.is_none()
            || matches!(element, Arrow::Binary | Arrow::LargeBinary | Arrow::BinaryView);
        let column = Column {
            is_width_measured: is_measured,
            are_nulls_measured: is_nullable && !self.is_own,
            may_be_binary: false,
            field: made,
        };
        self.leaves.push(Leaf { path: path.to_vec(), element: element.clone(), count, column });
        Ok(())
    }

    /// Whether values become floats of other numbers. Integers without a scale stay as they are.
    fn are_floats(&self, element: &Arrow) -> bool {
        self.decimals == Decimals::Floats && scale_of(element).is_some_and(|scale| scale != 0)
    }

    /// The type of a value.
    ///
    /// # Errors
    /// What has no place in a store, and what to do.
    fn data_type_of(
        &self,
        element: &Arrow,
        name: &str,
    ) -> Result<DataType, (String, &'static str)> {
        let wanted = self.target.and_then(|target| target.field(name)).map(Field::data_type);
        Ok(match element {
            Arrow::Boolean => DataType::Bool,
            Arrow::Int8 => DataType::Int8,
            Arrow::Int16 => DataType::Int16,
            Arrow::Int32 => DataType::Int32,
            Arrow::Int64 => DataType::Int64,
            Arrow::UInt8 => DataType::UInt8,
            Arrow::UInt16 => DataType::UInt16,
            Arrow::UInt32 => DataType::UInt32,
            Arrow::UInt64 => DataType::UInt64,
            Arrow::Float16 | Arrow::Float32 => DataType::Float32,
            Arrow::Float64 => DataType::Float64,
            Arrow::Date32 | Arrow::Date64 => DataType::Date32,
            Arrow::Timestamp(unit, _) => DataType::Timestamp(unit_of(*unit)),
            Arrow::Time32(unit) | Arrow::Time64(unit) | Arrow::Duration(unit) => {
                DataType::Duration(unit_of(*unit))
            }
            Arrow::Null | Arrow::Utf8 | Arrow::LargeUtf8 | Arrow::Utf8View => DataType::Utf8(1),
            Arrow::Binary | Arrow::LargeBinary | Arrow::BinaryView => DataType::Binary(1),
            Arrow::FixedSizeBinary(len) => match u32::try_from(*len) {
                Ok(len @ 1..) => DataType::Binary(len),
                _ => return Err((element.to_string(), FLATTEN)),
            },
            Arrow::Decimal32(digits, _)
            | Arrow::Decimal64(digits, _)
            | Arrow::Decimal128(digits, _)
            | Arrow::Decimal256(digits, _) => match (digits, wanted) {
                _ if self.are_floats(element) => DataType::Float64,
                (39.., Some(DataType::UInt128)) => DataType::UInt128,
                (..=9, _) => DataType::Int32,
                (10..=18, _) => DataType::Int64,
                _ => DataType::Int128,
            },
            Arrow::List(_)
            | Arrow::LargeList(_)
            | Arrow::ListView(_)
            | Arrow::LargeListView(_)
            | Arrow::Map(..) => {
                return Err((
                    format!("{element}, of varying length,"),
                    "cast it to a list of fixed size, write a row for each element, or leave the \
                     column out",
                ));
            }
            other => return Err((other.to_string(), FLATTEN)),
        })
    }
}

/// The digits after the point of a decimal.
pub(super) fn scale_of(element: &Arrow) -> Option<i8> {
    match element {
        Arrow::Decimal32(_, scale)
        | Arrow::Decimal64(_, scale)
        | Arrow::Decimal128(_, scale)
        | Arrow::Decimal256(_, scale) => Some(*scale),
        _ => None,
    }
}

/// The field with what its type and its metadata say.
fn annotated(mut field: Field, element: &Arrow, from: &ArrowField) -> Field {
    match element {
        Arrow::Timestamp(_, Some(_)) => field = field.utc(),
        Arrow::FixedSizeBinary(16) => {
            let name = from.metadata().get("ARROW:extension:name");
            if name.is_some_and(|name| name == "arrow.uuid") {
                field = field.with_display(DisplayHint::Uuid);
            }
        }
        _ => {}
    }
    if let Some(scale) = scale_of(element).filter(|&scale| scale != 0) {
        field = field.with_scale(scale.into());
    }
    for (key, value) in from.metadata() {
        // The metadata may be another program's, with another meaning: then a field that says so
        // has no place in a schema.
        let noted = noted(field.clone(), key, value);
        field = noted.filter(|it| Schema::packed([it.clone()]).is_ok()).unwrap_or(field);
    }
    field
}

/// The field with what an export has noted.
fn noted(field: Field, key: &str, value: &str) -> Option<Field> {
    Some(match key {
        "variants" => field.with_variants(variants_from_json(value)?),
        "display" => field.with_display(DisplayHint::named(value)?),
        "scale" => field.with_scale(value.parse().ok()?),
        "epoch" => field.with_epoch(TimeUnit::named(value)?),
        "shape" => {
            let lens = value.trim_matches(['[', ']']).split(',').map(|len| len.trim().parse());
            let lens: Vec<u32> = lens.collect::<Result<_, _>>().ok()?;
            let all = lens.iter().try_fold(1u32, |all, &len| all.checked_mul(len));
            if all.is_none() || all != field.array_len() {
                return None;
            }
            field.with_shape(lens)
        }
        _ => return None,
    })
}

/// The width of a text, as an export notes it.
fn width_of(field: &ArrowField) -> Option<u32> {
    let width: u32 = field.metadata().get("width")?.parse().ok()?;
    (1..=crate::format::MAX_RECORD_BYTES).contains(&width).then_some(width)
}

fn unit_of(unit: arrow_schema::TimeUnit) -> TimeUnit {
    match unit {
        arrow_schema::TimeUnit::Second => TimeUnit::Second,
        arrow_schema::TimeUnit::Millisecond => TimeUnit::Millisecond,
        arrow_schema::TimeUnit::Microsecond => TimeUnit::Microsecond,
        arrow_schema::TimeUnit::Nanosecond => TimeUnit::Nanosecond,
    }
}
