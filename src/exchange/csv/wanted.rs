//! What the options say of the fields of a new store: their types, their widths, and nulls.

use crate::error::{Error, ErrorKind, Result, nearest, quoted};
use crate::format::{DataType, Field};

/// The wishes of the options about fields.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Wanted {
    /// Whether every field is nullable.
    pub(super) nullable: bool,
    /// Whether inference takes the narrowest types.
    pub(super) narrow: bool,
    /// The width of text fields.
    pub(super) text_width: Option<u32>,
    /// The types of columns by their names; of two for one column the last counts.
    pub(super) types: Vec<(String, DataType)>,
}

impl Wanted {
    /// The type that was asked for a column.
    pub(super) fn type_of(&self, column: &str) -> Option<DataType> {
        let mut types = self.types.iter().rev();
        types.find(|(name, _)| name == column).map(|&(_, data_type)| data_type)
    }

    /// The field as it was asked for.
    pub(super) fn adapted(&self, mut field: Field) -> Field {
        if let Some(data_type) = self.type_of(field.name()) {
            field.utc &= matches!(data_type, DataType::Timestamp(_));
            field.data_type = data_type;
        } else if let (DataType::Utf8(_), Some(width_bytes)) = (field.data_type, self.text_width) {
            field.data_type = DataType::Utf8(width_bytes);
        }
        field.nullable |= self.nullable;
        field
    }

    /// Refuses the name of a column that is not among `columns`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidArgument`], with the nearest name.
    pub(super) fn check_names<'n>(
        &self,
        columns: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<()> {
        let is_unknown = |name: &str| !columns.clone().any(|column| column == name);
        let Some((name, _)) = self.types.iter().find(|(name, _)| is_unknown(name)) else {
            return Ok(());
        };
        let error = Error::new(ErrorKind::InvalidArgument, "choose the type of a column of")
            .detail(format!("no column {}", quoted(name)));
        Err(match nearest(name, columns.clone()) {
            Some(near) => error.advice(format!("did you mean {}?", quoted(near))),
            None => error.advice(format!("the columns are {}", list(columns))),
        })
    }
}

/// The first dozen names, as a list in a sentence.
fn list<'n>(names: impl Iterator<Item = &'n str> + Clone) -> String {
    const SHOWN_MAX: usize = 12;
    let shown: Vec<String> = names.clone().take(SHOWN_MAX).map(quoted).collect();
    match names.count() - shown.len() {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}
