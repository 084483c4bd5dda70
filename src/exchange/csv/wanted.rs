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
    /// Texts that mean null in a column only, by its name.
    pub(super) null_texts: Vec<(String, String)>,
}

impl Wanted {
    /// The type that was asked for a column.
    pub(super) fn type_of(&self, column: &str) -> Option<DataType> {
        let mut types = self.types.iter().rev();
        types.find(|(name, _)| name == column).map(|&(_, data_type)| data_type)
    }

    /// The texts that mean null in this column only.
    pub(super) fn null_texts_of(&self, column: &str) -> impl Iterator<Item = &String> {
        let texts = self.null_texts.iter();
        texts.filter(move |(name, _)| name == column).map(|(_, text)| text)
    }

    /// The field as it was asked for.
    pub(super) fn adapted(&self, mut field: Field) -> Field {
        if let Some(data_type) = self.type_of(field.name()) {
            field = field.made_of(data_type);
        } else if let (DataType::Utf8(_), Some(width_bytes)) = (field.data_type, self.text_width) {
            field.data_type = DataType::Utf8(width_bytes);
        }
        field.nullable |= self.nullable;
        field
    }

    /// Refuses the name of a column with a text for null that is not among `columns`.
    ///
    /// # Errors
    /// As [`Wanted::check_names`].
    pub(super) fn check_null_texts<'n>(
        &self,
        columns: impl Iterator<Item = &'n str> + Clone,
    ) -> Result<()> {
        Self { null_texts: self.null_texts.clone(), ..Self::default() }.check_names(columns)
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
        let types = self.types.iter().map(|(name, _)| name);
        let names = types.chain(self.null_texts.iter().map(|(name, _)| name));
        let Some(name) = names.into_iter().find(|name| is_unknown(name)) else {
            return Ok(());
        };
        let error = Error::new(ErrorKind::InvalidArgument, "find a column of")
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
