//! What the command line says of the fields of a new store.

use flatrec::DataType;
use flatrec::exchange::CsvOptions;
use serde_json::{Map, Value, json};

use crate::field_names;

/// The types and widths of the fields, and whether they can be null.
#[derive(Clone, Debug, Default, PartialEq, clap::Args)]
pub(crate) struct FieldArgs {
    /// Let every field be null, so that later files can have nulls anywhere. Each field takes
    /// another byte
    #[arg(long, conflicts_with = "append")]
    nullable: bool,

    /// Make text fields N bytes wide, so that later files can have longer texts; with a name, make
    /// that column text, whatever its values are. May be given several times
    #[arg(long, value_name = "[COLUMN=]N", value_parser = parse_width, conflicts_with = "append")]
    text_width: Vec<Width>,

    /// Give a column this type, such as int16 or timestamp(ms). May be given several times
    #[arg(long = "type", value_name = "COLUMN=TYPE", value_parser = parse_type)]
    #[arg(conflicts_with = "append")]
    types: Vec<(String, DataType)>,

    /// Find the narrowest type of each number: int8, int16, int32 or int64, never an unsigned one,
    /// and float32 if an export then writes the same texts. Later files must fit these, too
    #[arg(long, conflicts_with_all = ["append", "schema"])]
    narrow: bool,
}

/// The width of all texts, or of those in one column.
#[derive(Clone, Debug, PartialEq)]
struct Width {
    column: Option<String>,
    bytes: u32,
}

impl FieldArgs {
    /// The options with those of the fields.
    pub(crate) fn apply(&self, options: CsvOptions) -> CsvOptions {
        let mut options = options.nullable(self.nullable).narrow(self.narrow);
        for (column, data_type) in &self.types {
            options = options.data_type_of(column, *data_type);
        }
        for width in &self.text_width {
            options = match &width.column {
                Some(column) => options.text_width_of(column, width.bytes),
                None => options.text_width(width.bytes),
            };
        }
        options
    }

    /// Whether numbers get their narrowest types.
    pub(crate) fn is_narrow(&self) -> bool {
        self.narrow
    }

    /// The first option given that only CSV and NDJSON have.
    pub(crate) fn option_of_text(&self) -> Option<&'static str> {
        self.narrow.then_some("--narrow")
    }

    /// The options by their names, to compare with those of an interrupted load.
    pub(crate) fn choices(&self) -> Map<String, Value> {
        let width = |width: &Width| match &width.column {
            Some(column) => format!("{}={}", field_names::before_equals(column), width.bytes),
            None => width.bytes.to_string(),
        };
        let widths: Vec<String> = self.text_width.iter().map(width).collect();
        let types = self.types.iter().map(|(column, data_type)| {
            format!("{}={data_type}", field_names::before_equals(column))
        });
        Map::from_iter([
            ("--nullable".into(), self.nullable.into()),
            ("--text-width".into(), json!(widths)),
            ("--type".into(), json!(types.collect::<Vec<_>>())),
            ("--narrow".into(), self.narrow.into()),
        ])
    }
}

/// `16`, or `station=16`.
fn parse_width(text: &str) -> Result<Width, String> {
    let (column, bytes) = match text.contains('=') {
        true => field_names::column_and(text).map(|(column, bytes)| (Some(column), bytes))?,
        false => (None, text.to_owned()),
    };
    match bytes.parse() {
        Ok(0) => Err("a text needs one byte at least".into()),
        Ok(bytes) => Ok(Width { column, bytes }),
        Err(_) => Err("it must be a number of bytes, or COLUMN= and that".into()),
    }
}

/// `delay=int16`.
fn parse_type(text: &str) -> Result<(String, DataType), String> {
    if !text.contains('=') {
        return Err("it must be COLUMN=TYPE".into());
    }
    let (column, data_type) = field_names::column_and(text)?;
    let data_type = data_type.parse().map_err(|error: flatrec::Error| error.to_string())?;
    Ok((column, data_type))
}
