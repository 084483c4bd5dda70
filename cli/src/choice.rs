//! The choice of records to list, of their fields, and of the form: common to `scan` and `tail`.

use flatrec::query::{self, Filter};
use flatrec::{Field, Schema};

use crate::failure::Failure;
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
        if self.select.is_empty() {
            return Ok(schema.fields().to_vec());
        }
        let mut fields = Vec::new();
        for list in &self.select {
            // The name of a field may contain a comma.
            if let Some(field) = schema.field(list) {
                fields.push(field.clone());
                continue;
            }
            for name in list.split(',') {
                fields.push(query::field(schema, name.trim())?.clone());
            }
        }
        Ok(fields)
    }

    /// The condition, if there is one; an error refers to the description of the language.
    pub(crate) fn filter(&self, schema: &Schema) -> Result<Option<Filter>, Failure> {
        let Some(condition) = &self.condition else { return Ok(None) };
        Filter::parse(condition, schema).map(Some).map_err(|error| {
            let text = error.to_string();
            let text = text.replace("(see flatrec::query, or --help)", "");
            Failure::Message(format!(
                "{}; for what conditions can say, see: flatrec scan --help",
                text.trim_end()
            ))
        })
    }
}
