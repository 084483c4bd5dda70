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
