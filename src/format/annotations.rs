//! What a schema says beyond the layout of its fields: the names of an enumeration's values, shapes
//! of arrays, forms in which values are shown, nested records.
//!
//! Annotations never change which bytes a value has. `annotation_block` says where they lie in the
//! file.

use std::fmt;
use std::ops::Range;

use super::data_type::{DataType, TimeUnit};

/// The most digits by which a decimal is scaled.
const SCALE_MAX: i32 = 38;

/// A value of an enumeration, and its name.
///
/// ```
/// use flatrec::Variant;
/// let buy = Variant::new(1, "Buy");
/// assert_eq!((buy.value(), buy.name()), (1, "Buy"));
/// assert_eq!(buy.to_string(), "Buy = 1");
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    value: i128,
    name: String,
}

impl Variant {
    /// The variant `name`, which is stored as `value`.
    pub fn new(value: impl Into<i128>, name: impl Into<String>) -> Self {
        Self { value: value.into(), name: name.into() }
    }

    /// The stored value, which fits in the field's type.
    pub fn value(&self) -> i128 {
        self.value
    }

    /// The name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} = {}", self.name, self.value)
    }
}

/// A form in which values are shown and read, other than that of their type.
///
/// ```
/// use flatrec::DisplayHint;
/// assert_eq!(DisplayHint::named("uuid"), Some(DisplayHint::Uuid));
/// assert_eq!(DisplayHint::Ipv4.name(), "ipv4");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DisplayHint {
    /// 16 bytes as `67e55044-10b1-426f-9247-bb680e5fe0c8`.
    Uuid,
    /// Bytes or an unsigned integer as hexadecimal digits.
    Hex,
    /// A `uint32` as the character with that Unicode scalar value.
    Char,
    /// 4 bytes as `192.0.2.1`.
    Ipv4,
    /// 16 bytes as `2001:db8::1`.
    Ipv6,
}

impl DisplayHint {
    const ALL: [Self; 5] = [Self::Uuid, Self::Hex, Self::Char, Self::Ipv4, Self::Ipv6];

    /// The form with that name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|display| display.name() == name)
    }

    /// The form's name in files and schemas.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uuid => "uuid",
            Self::Hex => "hex",
            Self::Char => "char",
            Self::Ipv4 => "ipv4",
            Self::Ipv6 => "ipv6",
        }
    }

    /// The types whose values have this form.
    pub(super) const fn takes(self, data_type: DataType) -> bool {
        match self {
            Self::Uuid | Self::Ipv6 => matches!(data_type, DataType::Binary(16)),
            Self::Ipv4 => matches!(data_type, DataType::Binary(4)),
            Self::Char => matches!(data_type, DataType::UInt32),
            Self::Hex => matches!(
                data_type,
                DataType::Binary(_)
                    | DataType::UInt8
                    | DataType::UInt16
                    | DataType::UInt32
                    | DataType::UInt64
                    | DataType::UInt128
            ),
        }
    }
}

/// Fields that are one nested record, or an array of nested records.
///
/// ```
/// use flatrec::{DataType, Field, Group, Schema};
/// let schema = Schema::packed(["id", "pos.x", "pos.y"].map(|n| Field::new(n, DataType::Int32)))?
///     .with_groups([Group::new("pos", 1..3)])?;
/// assert_eq!(schema.groups()[0].name(), "pos");
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Group {
    pub(super) name: String,
    pub(super) first: u32,
    pub(super) fields: u32,
    pub(super) array_len: Option<u32>,
}

impl Group {
    /// One nested record, whose parts are the fields with these numbers. Their names begin with
    /// `name` and a dot.
    ///
    /// # Panics
    /// If the range ends before it begins, or past 2^32.
    pub fn new(name: impl Into<String>, fields: Range<u32>) -> Self {
        assert!(fields.start <= fields.end, "a group of the fields {fields:?}");
        let first = fields.start;
        Self { name: name.into(), first, fields: fields.end - first, array_len: None }
    }

    /// The same fields as an array of `len` nested records: their names begin with `name[0].`,
    /// `name[1].` and so on.
    pub fn array(mut self, len: u32) -> Self {
        self.array_len = Some(len);
        self
    }

    /// The name of the nested record.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The numbers of its fields in the schema.
    pub fn fields(&self) -> Range<u32> {
        self.first..self.first + self.fields
    }

    /// The number of nested records, for an array of them.
    pub fn array_len(&self) -> Option<u32> {
        self.array_len
    }
}

/// The annotations of one field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Annotations {
    pub(super) variants: Vec<Variant>,
    pub(super) shape: Vec<u32>,
    pub(super) display: Option<DisplayHint>,
    pub(super) scale: Option<i32>,
    pub(super) epoch: Option<TimeUnit>,
    pub(super) null_words: Vec<String>,
    pub(super) unknown: Vec<Unknown>,
}

/// The annotations of a record as a whole.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct RecordAnnotations {
    pub(super) null_words: Vec<String>,
    pub(super) groups: Vec<Group>,
    pub(super) unknown: Vec<Unknown>,
}

/// An annotation that only later programs know. It is kept and copied.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Unknown {
    pub(super) kind: u16,
    pub(super) content: Vec<u8>,
}

impl Annotations {
    /// The fault of the annotations of a field of that type.
    pub(super) fn check(&self, data_type: DataType, array_len: Option<u32>) -> Result<(), String> {
        check_variants(data_type, &self.variants)?;
        if !self.shape.is_empty() {
            check_shape(array_len, &self.shape)?;
        }
        if let Some(display) = self.display.filter(|display| !display.takes(data_type)) {
            return Err(format!("{data_type} cannot be shown as {}", display.name()));
        }
        if let Some(scale) = self.scale {
            let signed = data_type.integer_range().is_some_and(|(least, _)| least < 0);
            if !signed && data_type != DataType::Int128 {
                return Err("only a signed integer can stand for a decimal".into());
            }
            // Its absolute value might not fit in 32 bits.
            if !(-SCALE_MAX..=SCALE_MAX).contains(&scale) {
                let most = SCALE_MAX;
                return Err(format!("a decimal is scaled by at most {most} digits, not {scale}"));
            }
        }
        if self.epoch.is_some() && !matches!(data_type, DataType::Timestamp(_)) {
            return Err("only a timestamp is a time since 1970".into());
        }
        check_words(&self.null_words)
    }

    /// Leaves out what a field of that type cannot have.
    pub(super) fn retain_for(&mut self, data_type: DataType, array_len: Option<u32>) {
        let fits = |part: Self| part.check(data_type, array_len).is_ok();
        let Self { variants, display, scale, epoch, .. } = self.clone();
        if !fits(Self { variants, ..Self::default() }) {
            self.variants.clear();
        }
        self.display = display.filter(|_| fits(Self { display, ..Self::default() }));
        self.scale = scale.filter(|_| fits(Self { scale, ..Self::default() }));
        self.epoch = epoch.filter(|_| fits(Self { epoch, ..Self::default() }));
    }
}

fn check_variants(data_type: DataType, variants: &[Variant]) -> Result<(), String> {
    if variants.is_empty() {
        return Ok(());
    }
    let Some((least, greatest)) = data_type.integer_range() else {
        return Err(format!("{data_type} cannot have variants: only integers of 1 to 8 bytes can"));
    };
    let mut names = std::collections::HashSet::with_capacity(variants.len());
    for (at, variant) in variants.iter().enumerate() {
        let Variant { value, name } = variant;
        if !(least..=greatest).contains(value) {
            return Err(format!("the variant {variant} does not fit in {data_type}"));
        }
        if at > 0 && variants[at - 1].value >= *value {
            return Err(format!("two variants have the value {value}, or they are in disorder"));
        }
        if name.is_empty() || name.chars().any(char::is_control) {
            return Err(format!("the variant of {value} needs a name without control characters"));
        }
        if name.parse::<i128>().is_ok() {
            // Its text would be taken for a value.
            return Err(format!("the variant of {value} is named {name:?}, which is a number"));
        }
        if !names.insert(name) {
            return Err(format!("two variants are named {name:?}"));
        }
    }
    variants.iter().try_for_each(|variant| check_text(&variant.name))
}

fn check_shape(array_len: Option<u32>, shape: &[u32]) -> Result<(), String> {
    let product =
        shape.iter().try_fold(1_u32, |len, &next| len.checked_mul(next).filter(|&len| len > 0));
    if shape.len() < 2 || product.is_none() || product != array_len {
        let len = array_len.map_or_else(|| "no array".into(), |len| format!("{len} elements"));
        return Err(format!("the dimensions {shape:?} do not make {len}"));
    }
    Ok(())
}

fn check_words(words: &[String]) -> Result<(), String> {
    words.iter().try_for_each(|word| check_text(word))
}

fn check_text(text: &str) -> Result<(), String> {
    match u16::try_from(text.len()) {
        Ok(_) => Ok(()),
        Err(_) => Err(format!("a text of {} bytes in an annotation; 65535 fit", text.len())),
    }
}

impl RecordAnnotations {
    /// The fault of the annotations of a record whose fields have these `names`.
    pub(super) fn check(&self, names: &[&str]) -> Result<(), String> {
        check_words(&self.null_words)?;
        // The ends of the groups that the next one can lie in, and their names, innermost last. A
        // longer name for each limits the depth, and so the work, whatever a file says.
        let mut around: Vec<(u64, &str)> = Vec::new();
        let mut last = (0, u64::MAX);
        for group in &self.groups {
            let about = |why: &str| format!("group {:?}: {why}", group.name);
            let first = u64::from(group.first);
            let end = first + u64::from(group.fields);
            if group.fields == 0 || end > names.len() as u64 {
                return Err(about("it needs at least one field of the record"));
            }
            if first < last.0 || first == last.0 && end > last.1 {
                return Err(about("groups go from the first to the last, and outer before inner"));
            }
            while around.last().is_some_and(|&(end, _)| end <= first) {
                around.pop();
            }
            if let Some(&(outer_end, outer)) = around.last() {
                if end > outer_end {
                    return Err(about("it lies partly in another group"));
                }
                if group.name.len() <= outer.len() {
                    return Err(about("a group within another has a longer name"));
                }
            }
            group.check_names(names).map_err(|why| about(&why))?;
            around.push((end, &group.name));
            last = (first, end);
        }
        Ok(())
    }
}

impl Group {
    /// Checks that the names of the fields begin with the group's.
    fn check_names(&self, names: &[&str]) -> Result<(), String> {
        let Some(records) = self.array_len else {
            return self.check_prefix(names, self.fields(), ".");
        };
        if records == 0 || self.fields % records != 0 {
            return Err(format!("{} fields are not {records} equal records", self.fields));
        }
        let each = self.fields / records;
        (0..records).try_for_each(|index| {
            let first = self.first + index * each;
            self.check_prefix(names, first..first + each, &format!("[{index}]."))
        })
    }

    fn check_prefix(&self, names: &[&str], part: Range<u32>, dot: &str) -> Result<(), String> {
        let part = crate::number::len_of(part.start)..crate::number::len_of(part.end);
        let is_part = |name: &str| {
            let rest = name.strip_prefix(&self.name).and_then(|rest| rest.strip_prefix(dot));
            rest.is_some_and(|rest| !rest.is_empty())
        };
        match names[part].iter().find(|name| !is_part(name)) {
            None => Ok(()),
            Some(name) => Err(format!("{name:?} does not begin with {}{dot}", self.name)),
        }
    }
}
