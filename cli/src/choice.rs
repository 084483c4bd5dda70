//! The choice of records to list, of their fields, and of the form: common to `scan` and `tail`.

use flatrec::query::Filter;
use flatrec::{Copies, Field, Schema};

use crate::condition;
use crate::failure::Failure;
use crate::field_names;
use crate::output::Format;

/// The options of that choice.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice {
    /// Fields to show, in this order; the default is all
    #[arg(long, value_name = "FIELD,…", allow_hyphen_values = true)]
    select: Vec<String>,

    /// Only records for which this condition is true (see below)
    #[arg(long = "where", value_name = "CONDITION", allow_hyphen_values = true)]
    condition: Option<String>,

    /// Begin each row with the record's number, in a column `id`; tables show it anyway
    #[arg(long)]
    with_id: bool,

    /// Output format; tables also show each record's number
    #[arg(long, value_enum, default_value_t)]
    pub(crate) format: Format,
}

impl Choice {
    /// The fields to show, of records with this schema.
    pub(crate) fn fields(&self, schema: &Schema) -> Result<Vec<Field>, Failure> {
        match self.select.is_empty() {
            true => Ok(schema.fields().to_vec()),
            false => field_names::all(schema, &self.select),
        }
    }

    /// The name of the column with the record's number, if there is one beside `fields`.
    pub(crate) fn id_column(&self, fields: &[Field]) -> Result<Option<&'static str>, Failure> {
        id_column(self.with_id, fields)
    }

    /// The condition, if there is one; its error may look at `records`.
    pub(crate) fn filter(
        &self,
        schema: &Schema,
        records: Copies<'_>,
    ) -> Result<Option<Filter>, Failure> {
        let parse = |text: &String| condition::parse(text, schema, records);
        self.condition.as_ref().map(parse).transpose()
    }
}

/// The name of the column of `--with-id`.
const ID: &str = "id";

/// The name of the column with the record's number, if `wanted`.
pub(crate) fn id_column(wanted: bool, fields: &[Field]) -> Result<Option<&'static str>, Failure> {
    match wanted && fields.iter().any(|field| field.name() == ID) {
        true => Err(Failure::Message(format!(
            "--with-id adds a column {ID}, and a field has that name (leave it out with --select)"
        ))),
        false => Ok(wanted.then_some(ID)),
    }
}
