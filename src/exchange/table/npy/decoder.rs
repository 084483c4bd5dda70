//! From the elements of an array to records.

use super::dtype::{Dtype, Kind, Leaf};
use crate::exchange::table::source::Column;
use crate::format::{DataType, Field, MAX_RECORD_BYTES, Schema};

/// numpy's value for no time.
const NOT_A_TIME: i64 = i64::MIN;

/// How the bytes of an element become those of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Decoder {
    /// The length of an element.
    pub(super) element_bytes: usize,
    steps: Vec<Step>,
}

/// A part of an element that becomes a part of a record, `to` being its place there.
#[derive(Clone, Debug, PartialEq)]
struct Step {
    from: usize,
    to: usize,
    count: usize,
    /// The number of the field, for errors.
    column: usize,
    way: Way,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// As many bytes as `count` says.
    Copy,
    /// Values of so many bytes, big-endian.
    Swap(usize),
    Half {
        big_endian: bool,
    },
    Unicode {
        chars: usize,
        big_endian: bool,
    },
    /// A presence byte and a time. Null is what is no time, and what the byte at that place of the
    /// element says.
    Time {
        days: bool,
        big_endian: bool,
        valid: Option<usize>,
    },
    /// Times in an array, of which none can be null.
    Times {
        days: bool,
        big_endian: bool,
    },
}

impl Decoder {
    /// The decoder of elements, and the columns that it makes, after byte `base` of the record. An
    /// element that is no record has that `name` and that shape. The fields of `target` say what
    /// the bytes mean where numpy has no type for it.
    ///
    /// # Errors
    /// Why an element cannot be one.
    pub(super) fn new(
        dtype: &Dtype,
        (name, shape): (&str, &[u32]),
        target: Option<&Schema>,
        (base, first_column): (usize, usize),
    ) -> Result<(Self, Vec<Column>), String> {
        let count = shape.iter().fold(1u64, |count, &len| count.saturating_mul(len.into()));
        let size_bytes = count.saturating_mul(dtype.size_bytes as u64);
        let element_bytes = usize::try_from(size_bytes)
            .ok()
            .filter(|&bytes| bytes <= MAX_RECORD_BYTES as usize)
            .ok_or("a row of more than 16 MiB")?;
        let (steps, columns) = Default::default();
        let mut maker = Maker { steps, columns, end: base, first_column };
        for (leaf, valid) in values_of(dtype, name, shape) {
            maker.add(&leaf, valid, target);
        }
        let Maker { steps, columns, .. } = maker;
        Ok((Self { element_bytes, steps: merged(steps) }, columns))
    }

    /// The decoder of one value, whose bytes begin with its presence byte if it has one, and the
    /// field that it fills.
    pub(super) fn of_value(leaf: &Leaf, has_presence: bool) -> (Self, Field) {
        let (steps, columns) = Default::default();
        let mut maker = Maker { steps, columns, end: 0, first_column: 0 };
        let start = usize::from(has_presence);
        let leaf = Leaf { at: start, ..leaf.clone() };
        let element_bytes = start + leaf.size_bytes() as usize;
        maker.add(&leaf, has_presence.then_some(0), None);
        let Maker { steps, mut columns, .. } = maker;
        (Self { element_bytes, steps: merged(steps) }, columns.remove(0).field)
    }

    /// Whether the records, of `record_bytes` bytes, are the elements byte for byte.
    pub(super) fn is_copy(&self, record_bytes: usize) -> bool {
        record_bytes == self.element_bytes
            && matches!(&self.steps[..], [Step { from: 0, to: 0, count, way: Way::Copy, .. }]
                if *count == record_bytes)
    }

    /// Makes a part of `record`, whose bytes are zero, of an element.
    ///
    /// # Errors
    /// The number of the field, and why it cannot hold the value.
    pub(super) fn decode(&self, element: &[u8], record: &mut [u8]) -> Result<(), (usize, String)> {
        for step in &self.steps {
            let (from, into) = (&element[step.from..], &mut record[step.to..]);
            step.take(from, into, element).map_err(|why| (step.column, why))?;
        }
        Ok(())
    }
}

impl Decoder {
    /// Fills `element` with the bytes of the values in `record`: what [`Decoder::decode`] does,
    /// back. A float becomes the nearest one of 16 bits.
    ///
    /// # Errors
    /// Why the element cannot have a value.
    pub(super) fn encode(&self, record: &[u8], element: &mut [u8]) -> Result<(), String> {
        self.steps.iter().try_for_each(|step| step.give(&record[step.to..], element))
    }
}

impl Step {
    /// Fills the part of `element` for the part of a record that begins with `value`.
    fn give(&self, value: &[u8], element: &mut [u8]) -> Result<(), String> {
        let count = self.count;
        let into = &mut element[self.from..];
        match self.way {
            Way::Copy => into[..count].copy_from_slice(&value[..count]),
            Way::Swap(width) => {
                let into = into[..width * count].chunks_exact_mut(width);
                for (into, value) in into.zip(value.chunks_exact(width)) {
                    into.copy_from_slice(value);
                    into.reverse();
                }
            }
            Way::Half { big_endian } => {
                let pairs = into.chunks_exact_mut(2).zip(value.chunks_exact(4));
                for (into, value) in pairs.take(count) {
                    let bits = half(f32::from_le_bytes([value[0], value[1], value[2], value[3]]));
                    let bits = if big_endian { bits.swap_bytes() } else { bits };
                    into.copy_from_slice(&bits.to_le_bytes());
                }
            }
            Way::Unicode { chars, big_endian } => {
                let width = 4 * chars;
                let pairs = into.chunks_exact_mut(width).zip(value.chunks_exact(width));
                for (into, value) in pairs.take(count) {
                    give_text(value, big_endian, into)?;
                }
            }
            Way::Time { days, big_endian, valid } => {
                let time = match value[0] {
                    0 => NOT_A_TIME,
                    _ => time_of(&value[1..], days),
                };
                give_time(time, big_endian, &mut into[..8]);
                if let Some(at) = valid {
                    element[at] = value[0];
                }
            }
            Way::Times { days, big_endian } => {
                let width = if days { 4 } else { 8 };
                let pairs = into.chunks_exact_mut(8).zip(value.chunks_exact(width));
                for (into, value) in pairs.take(count) {
                    give_time(time_of(value, days), big_endian, into);
                }
            }
        }
        Ok(())
    }
}

/// The time of a record: days of 32 bits, or 64 bits of a unit.
fn time_of(value: &[u8], days: bool) -> i64 {
    match days {
        true => i32::from_le_bytes([value[0], value[1], value[2], value[3]]).into(),
        false => time(value, false),
    }
}

fn give_time(time: i64, big_endian: bool, into: &mut [u8]) {
    let bytes = if big_endian { time.to_be_bytes() } else { time.to_le_bytes() };
    into.copy_from_slice(&bytes);
}

/// Writes a text as code points of 32 bits, with NULs behind it.
fn give_text(value: &[u8], big_endian: bool, into: &mut [u8]) -> Result<(), String> {
    let text = std::str::from_utf8(value).map_err(|error| error.to_string())?;
    let text = text.trim_end_matches('\0');
    let (chars, room) = (text.chars().count(), into.len() / 4);
    if chars > room {
        return Err(format!("the text has {chars} characters, the field {room}"));
    }
    into.fill(0);
    for (letter, into) in text.chars().zip(into.chunks_exact_mut(4)) {
        let point = u32::from(letter);
        let bytes = if big_endian { point.to_be_bytes() } else { point.to_le_bytes() };
        into.copy_from_slice(&bytes);
    }
    Ok(())
}

/// The values of an element in order, each with the place of its presence byte. The value of an
/// element that is no record has that `name` and that shape.
pub(super) fn values_of(dtype: &Dtype, name: &str, shape: &[u32]) -> Vec<(Leaf, Option<usize>)> {
    let mut values = Vec::with_capacity(dtype.leaves.len());
    let mut leaves = dtype.leaves.iter().peekable();
    while let Some(leaf) = leaves.next() {
        let mut leaf = leaf.clone();
        if !dtype.is_structured {
            leaf.name = name.to_owned();
            leaf.shape = [shape, &leaf.shape].concat();
        }
        let value = leaves.next_if(|next| is_presence_of(&leaf, next));
        let valid = value.map(|value| std::mem::replace(&mut leaf, value.clone()).at);
        values.push((leaf, valid));
    }
    values
}

/// Whether `presence` is the byte that flatrec writes before a nullable `value`.
fn is_presence_of(presence: &Leaf, value: &Leaf) -> bool {
    presence.name.strip_suffix("__valid") == Some(&value.name)
        && matches!(presence.kind, Kind::Number(DataType::UInt8 | DataType::Bool))
        && presence.shape.is_empty()
        && presence.at + 1 == value.at
}

struct Maker {
    steps: Vec<Step>,
    columns: Vec<Column>,
    end: usize,
    first_column: usize,
}

impl Maker {
    /// Adds a field; `valid` is the place of its presence byte in the element.
    fn add(&mut self, leaf: &Leaf, valid: Option<usize>, target: Option<&Schema>) {
        let wanted = target.and_then(|target| target.field(&leaf.name));
        let wanted = wanted.map(Field::data_type);
        let data_type = data_type_of(leaf.kind, wanted);
        let is_array = !leaf.shape.is_empty();
        let is_time = matches!(leaf.kind, Kind::Time(_) | Kind::Days);
        let mut field = Field::new(&leaf.name, data_type);
        if is_array {
            field = field.with_shape(leaf.shape.iter().copied());
        }
        if valid.is_some() || is_time && !is_array {
            field = field.nullable();
        }
        // A schema checks later that the record is not too long.
        let field = field.at(u32::try_from(self.end).unwrap_or(u32::MAX));
        let column = self.first_column + self.columns.len();
        let (from, to) = (leaf.at, self.end);
        let value = to + usize::from(field.is_nullable());
        let (big_endian, count) = (leaf.big_endian, leaf.count() as usize);
        let days = leaf.kind == Kind::Days;
        let width = leaf.kind.size_bytes() as usize;
        let step = |from, to, count, way| Step { from, to, count, column, way };
        match (valid, leaf.kind) {
            (Some(valid), _) if !is_time || is_array => {
                self.steps.push(step(valid, to, 1, Way::Copy));
            }
            _ => {}
        }
        self.steps.push(match leaf.kind {
            Kind::Time(_) | Kind::Days if is_array => {
                step(from, value, count, Way::Times { days, big_endian })
            }
            Kind::Time(_) | Kind::Days => step(from, to, 1, Way::Time { days, big_endian, valid }),
            Kind::Half => step(from, value, count, Way::Half { big_endian }),
            Kind::Unicode(chars) => {
                let chars = chars as usize;
                step(from, value, count, Way::Unicode { chars, big_endian })
            }
            _ if big_endian && width > 1 => step(from, value, count, Way::Swap(width)),
            _ => step(from, value, width * count, Way::Copy),
        });
        self.end = to + field.size_bytes() as usize;
        self.columns.push(Column {
            is_width_measured: matches!(leaf.kind, Kind::Unicode(_)),
            are_nulls_measured: is_time && !is_array && valid.is_none(),
            may_be_binary: matches!(field.data_type(), DataType::Utf8(_))
                && matches!(leaf.kind, Kind::Bytes(_)),
            field,
        });
    }
}

/// The type of such a value in a record; the field that it will fill may have another one of the
/// same bytes.
fn data_type_of(kind: Kind, wanted: Option<DataType>) -> DataType {
    match (kind, wanted) {
        (Kind::Number(DataType::Int32), Some(DataType::Date32)) => DataType::Date32,
        (Kind::Number(data_type) | Kind::Time(data_type), _) => data_type,
        (Kind::Half, _) => DataType::Float32,
        (Kind::Days, _) => DataType::Date32,
        (Kind::Bytes(len), Some(DataType::Binary(_))) => DataType::Binary(len),
        (Kind::Bytes(len), _) => DataType::Utf8(len),
        (Kind::Unicode(chars), _) => DataType::Utf8(chars.saturating_mul(4)),
        (Kind::Void(16), Some(wanted @ (DataType::Int128 | DataType::UInt128))) => wanted,
        (Kind::Void(len), _) => DataType::Binary(len),
    }
}

/// The same steps, with one copy for bytes that lie together in both.
fn merged(steps: Vec<Step>) -> Vec<Step> {
    let mut merged: Vec<Step> = Vec::new();
    for step in steps {
        match merged.last_mut() {
            Some(last)
                if last.way == Way::Copy
                    && step.way == Way::Copy
                    && last.from + last.count == step.from
                    && last.to + last.count == step.to =>
            {
                last.count += step.count;
            }
            _ => merged.push(step),
        }
    }
    merged
}

impl Step {
    /// Makes the part of a record that begins with `into` of the part of `element` that begins with
    /// `from`.
    #[inline]
    fn take(&self, from: &[u8], into: &mut [u8], element: &[u8]) -> Result<(), String> {
        let count = self.count;
        match self.way {
            Way::Copy => into[..count].copy_from_slice(&from[..count]),
            Way::Swap(width) => {
                let into = into[..width * count].chunks_exact_mut(width);
                for (into, from) in into.zip(from.chunks_exact(width)) {
                    into.copy_from_slice(from);
                    into.reverse();
                }
            }
            Way::Half { big_endian } => {
                for (into, from) in into.chunks_exact_mut(4).zip(from.chunks_exact(2)).take(count) {
                    let bits = u16::from_le_bytes([from[0], from[1]]);
                    let bits = if big_endian { bits.swap_bytes() } else { bits };
                    into.copy_from_slice(&single(bits).to_le_bytes());
                }
            }
            Way::Unicode { chars, big_endian } => {
                let width = 4 * chars;
                let pairs = into.chunks_exact_mut(width).zip(from.chunks_exact(width));
                for (into, from) in pairs.take(count) {
                    encode(from, big_endian, into)?;
                }
            }
            Way::Time { days, big_endian, valid } => {
                let time = time(from, big_endian);
                if time == NOT_A_TIME || valid.is_some_and(|at| element[at] == 0) {
                    return Ok(());
                }
                // A byte that is neither 0 nor 1 stays, and is damage.
                into[0] = valid.map_or(1, |at| element[at]);
                put_time(time, days, &mut into[1..])?;
            }
            Way::Times { days, big_endian } => {
                let width = if days { 4 } else { 8 };
                let pairs = into.chunks_exact_mut(width).zip(from.chunks_exact(8));
                for (into, from) in pairs.take(count) {
                    let time = time(from, big_endian);
                    if time == NOT_A_TIME {
                        return Err("NaT in an array, whose elements cannot be null".into());
                    }
                    put_time(time, days, into)?;
                }
            }
        }
        Ok(())
    }
}

fn time(from: &[u8], big_endian: bool) -> i64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&from[..8]);
    if big_endian { i64::from_be_bytes(bytes) } else { i64::from_le_bytes(bytes) }
}

fn put_time(time: i64, days: bool, into: &mut [u8]) -> Result<(), String> {
    if days {
        let days = i32::try_from(time).map_err(|_| format!("the day {time} is out of range"))?;
        into[..4].copy_from_slice(&days.to_le_bytes());
    } else {
        into[..8].copy_from_slice(&time.to_le_bytes());
    }
    Ok(())
}

/// Writes code points of 32 bits as UTF-8, without the NULs at their end.
fn encode(from: &[u8], big_endian: bool, into: &mut [u8]) -> Result<(), String> {
    let mut len = 0;
    let used = from.iter().rposition(|&byte| byte != 0).map_or(0, |last| last / 4 + 1);
    for point in from.chunks_exact(4).take(used) {
        let point = [point[0], point[1], point[2], point[3]];
        let point = if big_endian { u32::from_be_bytes(point) } else { u32::from_le_bytes(point) };
        let letter = char::from_u32(point);
        let letter = letter.ok_or_else(|| format!("text: U+{point:04X} is no character"))?;
        len += letter.encode_utf8(&mut into[len..]).len();
    }
    Ok(())
}

/// The float of 32 bits with the value of that of 16 bits: each has one.
fn single(half: u16) -> f32 {
    let sign = u32::from(half >> 15) << 31;
    let exponent = u32::from(half >> 10 & 0x1f);
    let fraction = u32::from(half & 0x3ff);
    match exponent {
        // Zero, and numbers of less than 2^-14.
        0 => {
            let size = fraction as f32 / 16_777_216.0;
            f32::from_bits(size.to_bits() | sign)
        }
        0x1f => f32::from_bits(sign | 0x7f80_0000 | fraction << 13),
        _ => f32::from_bits(sign | (exponent + 112) << 23 | fraction << 13),
    }
}

/// The nearest float of 16 bits.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16) as u16 & 0x8000;
    let size = f64::from(value.abs());
    let exponent = (bits >> 23 & 0xff) as i32 - 127;
    sign | match () {
        () if value.is_nan() => 0x7e00,
        // Half way from the largest to the next one, which would be 65536.
        () if size >= 65520.0 => 0x7c00,
        // A sum that reaches the next exponent has the bits of it.
        () if exponent < -14 => (size * 2f64.powi(24)).round_ties_even() as u16,
        () => {
            let fraction = (size / 2f64.powi(exponent) - 1.0) * 1024.0;
            ((exponent + 15) as u16) * 1024 + fraction.round_ties_even() as u16
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_half_comes_back() {
        for bits in 0..=u16::MAX {
            let value = single(bits);
            let expected = if value.is_nan() { bits & 0x8000 | 0x7e00 } else { bits };
            assert_eq!(half(value), expected, "{bits:#06x}");
        }
        for (value, nearest) in
            [(0.1, 0x2e66), (65519.9, 0x7bff), (65520.0, 0x7c00), (1e-9, 0), (6e-8, 1)]
        {
            assert_eq!(half(value), nearest, "{value}");
        }
    }

    #[test]
    fn each_half_has_its_single() {
        for (half, value) in [
            (0x0000, 0.0),
            (0x8000, -0.0),
            (0x0001, 2f32.powi(-24)),
            (0x03ff, 1023.0 * 2f32.powi(-24)),
            (0x0400, 2f32.powi(-14)),
            (0x3c00, 1.0),
            (0xc000, -2.0),
            (0x3555, 0.333_251_95),
            (0x7bff, 65504.0),
            (0x7c00, f32::INFINITY),
            (0xfc00, f32::NEG_INFINITY),
        ] {
            assert_eq!(single(half).to_bits(), f32::to_bits(value), "{half:#06x}");
        }
        assert!(single(0x7e01).is_nan());
    }
}
