//! What only the rows tell of the columns of a table.

use super::source::{Block, Column};
use crate::format::{DataType, Field, Value};
use crate::number::len_of;

/// The facts about one column.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    longest_bytes: usize,
    has_null: bool,
    has_other_bytes: bool,
}

impl Facts {
    /// Notes the values of the column in the rows of `block`.
    pub(super) fn note(&mut self, column: &Column, field: &Field, block: &Block) {
        if !column.is_open() {
            return;
        }
        let mut faults = block.faults.iter().map(|(row, ..)| *row).peekable();
        for (number, row) in block.records.chunks_exact(block.record_bytes).enumerate() {
            if faults.next_if_eq(&number).is_some() {
                continue;
            }
            if field.is_nullable() && row[len_of(field.offset())] == 0 {
                self.has_null = true;
                continue;
            }
            if let (true, DataType::Binary(width)) = (column.is_width_measured, field.data_type()) {
                self.longest_bytes = self.longest_bytes.max(len_of(width));
            } else if column.is_width_measured || column.may_be_binary {
                match field.read(row) {
                    Ok(Value::Text(text)) => {
                        self.longest_bytes = self.longest_bytes.max(text.len());
                    }
                    Ok(Value::Array(texts)) => {
                        for text in texts.iter() {
                            match text {
                                Ok(Value::Text(text)) => {
                                    self.longest_bytes = self.longest_bytes.max(text.len());
                                }
                                Ok(_) => {}
                                Err(_) => self.has_other_bytes = true,
                            }
                        }
                    }
                    Ok(_) => {}
                    Err(_) => self.has_other_bytes = true,
                }
            }
        }
    }

    /// Adds the facts of other rows.
    #[cfg(feature = "parquet")]
    pub(super) fn merge(&mut self, other: &Self) {
        self.longest_bytes = self.longest_bytes.max(other.longest_bytes);
        self.has_null |= other.has_null;
        self.has_other_bytes |= other.has_other_bytes;
    }

    /// Notes whether there are nulls.
    #[cfg(feature = "parquet")]
    pub(super) fn note_nulls(&mut self, has_null: bool) {
        self.has_null |= has_null;
    }

    /// The field that holds every value of the column.
    pub(super) fn field(&self, column: &Column) -> Field {
        let mut field = column.field.clone();
        if let DataType::Utf8(width) = field.data_type() {
            if column.may_be_binary && self.has_other_bytes {
                field = field.made_of(DataType::Binary(width));
            } else if column.is_width_measured {
                let longest = u32::try_from(self.longest_bytes.max(1)).unwrap_or(u32::MAX);
                field = field.made_of(DataType::Utf8(longest));
            }
        }
        if let (true, DataType::Binary(_)) = (column.is_width_measured, field.data_type()) {
            let longest = u32::try_from(self.longest_bytes.max(1)).unwrap_or(u32::MAX);
            field = field.made_of(DataType::Binary(longest));
        }
        match column.are_nulls_measured && !self.has_null {
            true => field.present(),
            false => field,
        }
    }
}
