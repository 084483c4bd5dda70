//! Points of LAS 1.2 to 1.4, the format of laser scanners.
//!
//! ```text
//! 0 LASF  24 version (2)  94 header bytes (u16)  96 offset of points (u32)
//! 100 records before them (u32)  104 format (u8)  105 point bytes (u16)  107 points (u32)
//! 131 scales (3 f64)  155 offsets (3 f64)
//! 247 points (u64, from 1.4 on)
//! ```
//!
//! A coordinate is `X * scale + offset`. `X` keeps the integer of the file.

mod extra;

use super::super::column::{Column, Encoding};
use super::super::kind::ForeignKind;
use super::super::layout::{ForeignLayout, Parts};
use super::super::source::{Source, corrupt, unsupported};
use crate::error::Result;
use crate::format::{DataType, Field};

const MAGIC: &[u8] = b"LASF";
/// The header of version 1.2; the fields that are read lie in it, but for the long count.
const HEADER_BYTES: usize = 227;
const LONG_COUNT_OFFSET: u64 = 247;
/// The largest number of digits after a decimal point that is tried.
const SCALE_MAX: i32 = 12;

pub(super) fn detect(source: &Source) -> Result<Option<ForeignLayout>> {
    match source.at_most(0, MAGIC.len())? == MAGIC {
        true => layout(source).map(Some),
        false => Ok(None),
    }
}

pub(super) fn layout(source: &Source) -> Result<ForeignLayout> {
    let head = source.exactly(0, HEADER_BYTES, "the header")?;
    if !head.starts_with(MAGIC) {
        return Err(corrupt(0, "a LAS file begins with LASF"));
    }
    let u16_at = |at: usize| u16::from_le_bytes([head[at], head[at + 1]]);
    let u32_at =
        |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let (major, minor) = (head[24], head[25]);
    if major != 1 || !(1..=4).contains(&minor) {
        return Err(unsupported(24, format!("version {major}.{minor}, and not 1.1 to 1.4")));
    }
    let format = head[104];
    if format & 0xC0 != 0 {
        return Err(unsupported(104, "the points are compressed (LAZ)")
            .advice("decompress them first, for example with laszip or pdal"));
    }
    if format > 10 {
        return Err(unsupported(104, format!("point format {format}, and not 0 to 10")));
    }
    let (offset, stride) = (u32_at(96), u16_at(105));
    let count = match minor {
        4 => {
            let bytes = source.exactly(LONG_COUNT_OFFSET, 8, "the header")?;
            bytes.iter().rev().fold(0, |count, &byte| count << 8 | u64::from(byte))
        }
        _ => u32_at(107).into(),
    };
    let triple = |at: usize| -> [f64; 3] {
        [0, 8, 16].map(|more| {
            let mut bytes = [0; 8];
            bytes.copy_from_slice(&head[at + more..at + more + 8]);
            f64::from_le_bytes(bytes)
        })
    };
    let (scales, offsets) = (triple(131), triple(155));
    let mut points = Points::default();
    points.add_format(format);
    for (index, column) in points.columns.iter_mut().take(3).enumerate() {
        // The annotation has no place for an offset.
        if let Some(digits) = digits_of(scales[index]).filter(|_| offsets[index] == 0.0) {
            column.field = column.field.clone().with_scale(digits);
        }
    }
    let described = extra::fields(source, u16_at(94).into(), u32_at(100))?;
    points.add_extra(described, stride, format)?;
    let mut parts = Parts::new(ForeignKind::Las, offset.into(), count, stride.into());
    let Points { columns, summarised, scalings, .. } = points;
    parts.columns = columns;
    let shown = |numbers: [f64; 3]| numbers.map(|number| number.to_string()).join(", ");
    parts.facts = vec![
        ("version", format!("{major}.{minor}")),
        ("point format", format.to_string()),
        ("scale of X, Y, Z", shown(scales)),
        ("offset of X, Y, Z", shown(offsets)),
    ];
    if !scalings.is_empty() {
        parts.facts.push(("scale and offset of extra fields", scalings.join("; ")));
    }
    let bounds = "the least and the greatest of all";
    parts.edits.summarised = [("X", bounds), ("Y", bounds), ("Z", bounds)]
        .into_iter()
        .chain([("return_number", "the number of points for each of them")])
        .map(|(name, what)| (name.to_owned(), what))
        .chain(summarised.into_iter().map(|name| (name, bounds)))
        .collect();
    parts.checked()
}

/// The number of digits after the decimal point, if the scale is a power of ten.
fn digits_of(scale: f64) -> Option<i32> {
    (0..=SCALE_MAX).find(|&digits| format!("1e-{digits}").parse() == Ok(scale))
}

/// The columns of a point, one behind the other.
#[derive(Default)]
struct Points {
    columns: Vec<Column>,
    at: u32,
    /// Names of extra fields of which the file has the least or the greatest value.
    summarised: Vec<String>,
    /// The scale and the offset of extra fields, as text.
    scalings: Vec<String>,
}

impl Points {
    fn add_format(&mut self, format: u8) {
        for name in ["X", "Y", "Z"] {
            self.plain(name, DataType::Int32);
        }
        self.plain("intensity", DataType::UInt16);
        if format < 6 {
            self.bits(&[
                ("return_number", 3),
                ("number_of_returns", 3),
                ("scan_direction_flag", 1),
                ("edge_of_flight_line", 1),
            ]);
            self.bits(&[
                ("classification", 5),
                ("synthetic", 1),
                ("key_point", 1),
                ("withheld", 1),
            ]);
            self.plain("scan_angle_rank", DataType::Int8);
            self.plain("user_data", DataType::UInt8);
            self.plain("point_source_id", DataType::UInt16);
        } else {
            self.bits(&[("return_number", 4), ("number_of_returns", 4)]);
            self.bits(&[
                ("synthetic", 1),
                ("key_point", 1),
                ("withheld", 1),
                ("overlap", 1),
                ("scanner_channel", 2),
                ("scan_direction_flag", 1),
                ("edge_of_flight_line", 1),
            ]);
            self.plain("classification", DataType::UInt8);
            self.plain("user_data", DataType::UInt8);
            self.plain("scan_angle", DataType::Int16);
            self.plain("point_source_id", DataType::UInt16);
        }
        if !matches!(format, 0 | 2) {
            self.plain("gps_time", DataType::Float64);
        }
        if matches!(format, 2 | 3 | 5 | 7 | 8 | 10) {
            for name in ["red", "green", "blue"] {
                self.plain(name, DataType::UInt16);
            }
        }
        if matches!(format, 8 | 10) {
            self.plain("nir", DataType::UInt16);
        }
        if matches!(format, 4 | 5 | 9 | 10) {
            self.plain("wavepacket_index", DataType::UInt8);
            self.plain("wavepacket_offset", DataType::UInt64);
            self.plain("wavepacket_size", DataType::UInt32);
            for name in ["return_point_wave_location", "x_t", "y_t", "z_t"] {
                self.plain(name, DataType::Float32);
            }
        }
    }

    /// Adds the fields that the file describes, and the bytes behind them up to those of a point.
    fn add_extra(&mut self, described: Vec<extra::Extra>, stride: u16, format: u8) -> Result<()> {
        let stride = u32::from(stride);
        if stride < self.at {
            let detail = format!("points of format {format} have {} bytes, not {stride}", self.at);
            return Err(corrupt(105, detail));
        }
        for extra::Extra { mut field, scaling, has_bounds } in described {
            if let Some((scale, offset)) = scaling {
                self.scalings.push(format!("{} {scale}, {offset}", field.name()));
                let digits = digits_of(scale).filter(|_| offset == 0.0);
                let is_integer = field.data_type().integer_range().is_some();
                if let Some(digits) = digits.filter(|_| is_integer && field.array_len().is_none()) {
                    field = field.with_scale(digits);
                }
            }
            if has_bounds {
                self.summarised.push(field.name().to_owned());
            }
            let column = Column::plain(field, self.at);
            self.at = column.end();
            self.columns.push(column);
        }
        let rest = stride.checked_sub(self.at).ok_or_else(|| {
            let detail = format!("its extra fields end at byte {}, and a point {stride}", self.at);
            corrupt(105, detail)
        })?;
        if rest > 0 {
            self.plain("extra_bytes", DataType::Binary(rest));
        }
        Ok(())
    }

    fn plain(&mut self, name: &str, data_type: DataType) {
        let column = Column::plain(Field::new(name, data_type), self.at);
        self.at = column.end();
        self.columns.push(column);
    }

    /// The parts of one byte, from its lowest bit on; a part of one bit is a flag.
    fn bits(&mut self, parts: &[(&str, u8)]) {
        let mut shift = 0;
        for &(name, bits) in parts {
            let data_type = if bits == 1 { DataType::Bool } else { DataType::UInt8 };
            self.columns.push(Column {
                field: Field::new(name, data_type),
                at: self.at,
                width: 1,
                encoding: Encoding::Bits { shift, bits },
            });
            shift += bits;
        }
        self.at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_points_of_every_format_have_the_length_of_the_standard() {
        let lengths = [20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67];
        for (format, len) in (0..).zip(lengths) {
            let mut points = Points::default();
            points.add_format(format);
            assert_eq!(points.at, len, "format {format}");
        }
    }

    #[test]
    fn only_powers_of_ten_are_a_number_of_digits() {
        for (scale, digits) in
            [(0.01, Some(2)), (1.0, Some(0)), (0.001, Some(3)), (0.5, None), (f64::NAN, None)]
        {
            assert_eq!(digits_of(scale), digits, "{scale}");
        }
    }
}
