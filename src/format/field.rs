//! One field of a record: its name, its type, its place, and what its annotations say.

use std::fmt;

use super::annotations::{Annotations, DisplayHint, Variant};
use super::data_type::{DataType, TimeUnit};
use crate::error::named;

/// One field of a record: its name, its type, and its place.
///
/// ```
/// use flatrec::{DataType, Field};
/// let field = Field::new("delay", DataType::Int64).nullable();
/// assert_eq!(field.size_bytes(), 9); // a presence byte, then the value
/// assert_eq!(field.to_string(), "delay: int64 nullable at 0");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Field {
    pub(crate) name: String,
    pub(crate) data_type: DataType,
    pub(crate) offset: u32,
    /// `None` for a single value; `Some(n)` for a fixed array of `n` ≥ 1 elements.
    pub(crate) array_len: Option<u32>,
    pub(crate) nullable: bool,
    pub(crate) big_endian: bool,
    pub(crate) utc: bool,
    /// `None` without any: most fields have none, and a descriptor's bytes must pay for a field.
    pub(super) annotations: Option<Box<Annotations>>,
}

impl Field {
    /// A single value at offset 0: see [`Field::at`], and
    /// [`Schema::packed`](crate::Schema::packed).
    pub fn new(name: impl Into<String>, data_type: DataType) -> Self {
        Self {
            name: name.into(),
            data_type,
            offset: 0,
            array_len: None,
            nullable: false,
            big_endian: false,
            utc: false,
            annotations: None,
        }
    }

    /// The same field at `offset` bytes from the start of the record.
    pub fn at(mut self, offset: u32) -> Self {
        self.offset = offset;
        self
    }

    /// The same field as a fixed array of `len` elements.
    pub fn array(mut self, len: u32) -> Self {
        self.array_len = Some(len);
        self
    }

    /// The same field with a presence byte (1 present, 0 null) before the value.
    pub fn nullable(mut self) -> Self {
        self.nullable = true;
        self
    }

    /// The same field without a presence byte.
    #[cfg(feature = "exchange")]
    pub(crate) fn present(mut self) -> Self {
        self.nullable = false;
        self
    }

    /// The same field with its elements stored big-endian (foreign files).
    pub fn big_endian(mut self) -> Self {
        self.big_endian = true;
        self
    }

    /// The same timestamp field, with values known to be in UTC: their text ends in `Z`.
    pub fn utc(mut self) -> Self {
        self.utc = true;
        self
    }

    /// The same integer field as an enumeration: `variants` names its values. A record may hold
    /// other values too.
    ///
    /// ```
    /// use flatrec::{DataType, Field, Variant};
    /// let side = Field::new("side", DataType::UInt8)
    ///     .with_variants([Variant::new(1, "Buy"), Variant::new(2, "Sell")]);
    /// assert_eq!(side.variants()[1].name(), "Sell");
    /// assert_eq!(side.variant_named("Buy").map(Variant::value), Some(1));
    /// ```
    pub fn with_variants(mut self, variants: impl IntoIterator<Item = Variant>) -> Self {
        let mut variants: Vec<Variant> = variants.into_iter().collect();
        variants.sort_by_key(Variant::value);
        self.annotate(|annotations| annotations.variants = variants);
        self
    }

    /// The same array field with several dimensions, whose lengths multiply to the array's. The
    /// last index varies fastest.
    ///
    /// ```
    /// use flatrec::{DataType, Field};
    /// let matrix = Field::new("matrix", DataType::Float64).with_shape([4, 2]);
    /// assert_eq!(matrix.array_len(), Some(8));
    /// assert_eq!(matrix.shape(), [4, 2]);
    /// ```
    pub fn with_shape(mut self, shape: impl IntoIterator<Item = u32>) -> Self {
        let shape: Vec<u32> = shape.into_iter().collect();
        self.array_len = Some(shape.iter().fold(1, |len, &next| u32::saturating_mul(len, next)));
        let shape = if shape.len() > 1 { shape } else { Vec::new() };
        self.annotate(|annotations| annotations.shape = shape);
        self
    }

    /// The same field, whose values are shown and read in that form.
    ///
    /// ```
    /// use flatrec::{DataType, DisplayHint, Field};
    /// let id = Field::new("id", DataType::Binary(16)).with_display(DisplayHint::Uuid);
    /// assert_eq!(id.display(), Some(DisplayHint::Uuid));
    /// ```
    pub fn with_display(mut self, display: DisplayHint) -> Self {
        self.annotate(|annotations| annotations.display = Some(display));
        self
    }

    /// The same integer field, whose values are decimals: the integer times 10^(-`scale`).
    ///
    /// ```
    /// use flatrec::{DataType, Field};
    /// let price = Field::new("price", DataType::Int64).with_scale(2); // in cents
    /// assert_eq!(price.scale(), Some(2));
    /// ```
    pub fn with_scale(mut self, scale: i32) -> Self {
        self.annotate(|annotations| annotations.scale = Some(scale));
        self
    }

    /// The same timestamp field, whose text is a number of `unit` since 1970 and not a date. A
    /// number that the field's own unit does not hold exactly does not fit. Dates are read, too.
    ///
    /// ```
    /// use flatrec::{DataType, Field, TimeUnit, Value};
    /// let at = Field::new("at", DataType::Timestamp(TimeUnit::Millisecond))
    ///     .with_epoch(TimeUnit::Second);
    /// assert_eq!(at.epoch(), Some(TimeUnit::Second));
    /// let mut record = [0; 8];
    /// at.parse_text("1357016400.25", &mut record)?;
    /// assert_eq!(at.read(&record)?, Value::Timestamp(1_357_016_400_250, TimeUnit::Millisecond));
    /// let mut text = String::new();
    /// at.format_text(&record, &mut text)?;
    /// assert_eq!(text, "1357016400.25");
    /// # Ok::<(), flatrec::Error>(())
    /// ```
    pub fn with_epoch(mut self, unit: TimeUnit) -> Self {
        self.annotate(|annotations| annotations.epoch = Some(unit));
        self
    }

    /// The same field, with the texts that mean null where its values come from, such as `NA`.
    ///
    /// ```
    /// use flatrec::{DataType, Field};
    /// let delay = Field::new("delay", DataType::Int16).nullable().with_null_words(["NA", "-"]);
    /// assert_eq!(delay.null_words(), ["NA", "-"]);
    /// ```
    pub fn with_null_words<W: Into<String>>(mut self, words: impl IntoIterator<Item = W>) -> Self {
        let words = words.into_iter().map(Into::into).collect();
        self.annotate(|annotations| annotations.null_words = words);
        self
    }

    /// Changes the annotations, and drops them if nothing is left.
    pub(super) fn annotate(&mut self, change: impl FnOnce(&mut Annotations)) {
        let mut annotations = self.annotations.take().unwrap_or_default();
        change(&mut annotations);
        self.annotations = (*annotations != Annotations::default()).then_some(annotations);
    }

    /// The field with another type, without what that has no place for: a text has neither names
    /// of values nor a form, and only a timestamp has an epoch and a zone.
    #[cfg(feature = "exchange")]
    pub(crate) fn made_of(mut self, data_type: DataType) -> Self {
        let is_text = matches!(data_type, DataType::Utf8(_));
        let is_time = matches!(data_type, DataType::Timestamp(_));
        self.utc &= is_time;
        self.data_type = data_type;
        if self.annotations.is_some() {
            self.annotate(|annotations| {
                annotations.epoch = annotations.epoch.filter(|_| is_time);
                if is_text {
                    annotations.variants.clear();
                    annotations.display = None;
                }
            });
        }
        self
    }

    /// Whether both fields have the same name, and the same bytes mean the same values of the same
    /// types. Annotations do not count.
    pub(crate) fn has_layout_of(&self, other: &Self) -> bool {
        let layout = |field: &Self| {
            let &Self { data_type, offset, array_len, nullable, big_endian, utc, .. } = field;
            (data_type, offset, array_len, nullable, big_endian, utc)
        };
        self.name == other.name && layout(self) == layout(other)
    }

    /// Whether both fields differ in their names and offsets at most.
    #[cfg(feature = "exchange")]
    pub(crate) fn same_values(&self, other: &Self) -> bool {
        let Self { name, offset, .. } = self;
        *self == Self { name: name.clone(), offset: *offset, ..other.clone() }
    }

    /// The names of an enumeration's values, in the order of the values; empty for other fields.
    pub fn variants(&self) -> &[Variant] {
        self.annotations.as_deref().map_or(&[], |annotations| &annotations.variants)
    }

    /// The variant with that name.
    pub fn variant_named(&self, name: &str) -> Option<&Variant> {
        self.variants().iter().find(|variant| variant.name() == name)
    }

    /// The variant with that value.
    pub fn variant_of(&self, value: i128) -> Option<&Variant> {
        let at = self.variants().binary_search_by_key(&value, Variant::value).ok()?;
        self.variants().get(at)
    }

    /// The lengths of the dimensions of an array with several; empty for other fields.
    pub fn shape(&self) -> &[u32] {
        self.annotations.as_deref().map_or(&[], |annotations| &annotations.shape)
    }

    /// The form in which values are shown, if it is not the type's.
    pub fn display(&self) -> Option<DisplayHint> {
        self.annotations.as_deref()?.display
    }

    /// Whether values can have a text that is not their type's: a variant's name, a form, or a
    /// number since 1970.
    #[cfg(any(feature = "query", feature = "exchange"))]
    pub(crate) fn has_own_text(&self) -> bool {
        self.display().is_some() || self.epoch().is_some() || !self.variants().is_empty()
    }

    /// The digits behind the decimal point, for an integer that stands for a decimal.
    pub fn scale(&self) -> Option<i32> {
        self.annotations.as_deref()?.scale
    }

    /// The unit of the numbers that stand for timestamps in text.
    pub fn epoch(&self) -> Option<TimeUnit> {
        self.annotations.as_deref()?.epoch
    }

    /// The texts that mean null where the values come from.
    pub fn null_words(&self) -> &[String] {
        self.annotations.as_deref().map_or(&[], |annotations| &annotations.null_words)
    }

    /// The texts that mean null in the field: its own, or those of the record if it has none.
    pub(crate) fn null_words_or<'w>(&'w self, of_record: &'w [String]) -> &'w [String] {
        match self.null_words() {
            [] => of_record,
            own => own,
        }
    }

    /// The field's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The type of one element.
    pub fn data_type(&self) -> DataType {
        self.data_type
    }

    /// Bytes from the start of the record to the field (to its presence byte, if nullable).
    pub fn offset(&self) -> u32 {
        self.offset
    }

    /// The number of elements, for a fixed array.
    pub fn array_len(&self) -> Option<u32> {
        self.array_len
    }

    /// Whether a presence byte precedes the value.
    pub fn is_nullable(&self) -> bool {
        self.nullable
    }

    /// Whether elements are stored big-endian.
    pub fn is_big_endian(&self) -> bool {
        self.big_endian
    }

    /// Whether this timestamp is known to be in UTC.
    pub fn is_utc(&self) -> bool {
        self.utc
    }

    /// The bytes of the field in a record, including its presence byte.
    ///
    /// Saturates for fields that no schema accepts.
    pub fn size_bytes(&self) -> u32 {
        let elements = self.array_len.unwrap_or(1);
        let value = self.data_type.size_bytes().saturating_mul(elements);
        value.saturating_add(u32::from(self.nullable))
    }

    /// The alignment of such a value in C.
    pub(crate) fn natural_alignment(&self) -> u32 {
        match self.data_type {
            DataType::Utf8(_) | DataType::Binary(_) => 1,
            _ if self.nullable => 1,
            data_type => data_type.size_bytes(),
        }
    }

    /// Everything except the name: `int64 nullable at 8`.
    pub(crate) fn layout(&self) -> FieldLayout<'_> {
        FieldLayout(self)
    }
}

/// [`Field::layout`]'s text.
pub(crate) struct FieldLayout<'a>(&'a Field);

/// The name is escaped as by [`printable`](crate::printable), and cut after 60 characters.
impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", named(&self.name), self.layout())
    }
}

impl fmt::Display for FieldLayout<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Field { data_type, array_len, nullable, big_endian, utc, offset, .. } = *self.0;
        write!(f, "{data_type}")?;
        if let Some(len) = array_len {
            write!(f, "[{len}]")?;
        }
        for (set, word) in [(nullable, "nullable"), (big_endian, "big-endian"), (utc, "utc")] {
            if set {
                write!(f, " {word}")?;
            }
        }
        write!(f, " at {offset}")
    }
}
