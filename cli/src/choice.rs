//! Which records a command lists, which of their fields, and how: what `scan` and `tail` share.

use flatrec::query::{self, Filter};
use flatrec::{Field, Schema};

use crate::failure::Failure;
use crate::output::Format;

/// The options that say so.
#[derive(Debug, clap::Args)]
pub(crate) struct Choice {
    /// Fields to show, in this order; all unless said
    #[arg(long, value_name = "FIELD,…")]
    select: Vec<String>,

    /// Only records for which this is true (see below)
    #[arg(long = "where", value_name = "CONDITION")]
    condition: Option<String>,

    /// How to write; tables show each record's number too
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
            // A name may have a comma of its own.
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

    /// The condition, if there is one; an error leads to the description of the language.
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
