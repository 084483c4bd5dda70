//! Batches of the data sets CIFAR-10 and CIFAR-100: the label or labels of an image, and its
//! pixels. The files have no header.

use super::super::column::Column;
use super::super::kind::ForeignKind;
use super::super::layout::{ForeignLayout, Parts, count_to_end};
use super::super::source::Source;
use crate::error::Result;
use crate::format::{DataType, Field, Variant};

/// Red, green and blue of 32 rows of 32 pixels.
const SHAPE: [u32; 3] = [3, 32, 32];

/// The names of the labels of CIFAR-10.
const LABELS: [&str; 10] =
    ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"];

pub(super) fn layout(source: &Source, kind: ForeignKind) -> Result<ForeignLayout> {
    let labels: Vec<Field> = match kind {
        ForeignKind::Cifar100 => {
            ["coarse_label", "fine_label"].map(|name| Field::new(name, DataType::UInt8)).to_vec()
        }
        _ => {
            let variants = (0..).zip(LABELS).map(|(value, name)| Variant::new(value, name));
            vec![Field::new("label", DataType::UInt8).with_variants(variants)]
        }
    };
    let image = Field::new("image", DataType::UInt8).with_shape(SHAPE);
    let mut columns = Vec::new();
    for field in labels.into_iter().chain([image]) {
        let at = columns.last().map_or(0, Column::end);
        columns.push(Column::plain(field, at));
    }
    let stride = u64::from(columns.last().map_or(0, Column::end));
    let count = count_to_end(source.len_bytes(), 0, stride)?;
    let mut parts = Parts::new(kind, 0, count, stride);
    parts.columns = columns;
    parts.checked()
}
