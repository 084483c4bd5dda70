//! The content of `#[repr(…)]` and `#[record(…)]`.

use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, DeriveInput, Error, Field, LitStr, Path, Result, Token};

/// The longest name in a schema, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// Another meaning of a field's bytes than that of their type.
pub(crate) enum Meaning {
    /// Days since 1970-01-01.
    Date,
    /// A time in the unit named by this variant of `TimeUnit`.
    Timestamp(&'static str),
    /// Text.
    Utf8,
}

/// The attributes of one field.
pub(crate) struct FieldAttributes {
    /// Its name in the schema.
    pub(crate) name: String,
    /// The meaning of its bytes, if an attribute gives one.
    pub(crate) meaning: Option<Meaning>,
    /// Whether it is a timestamp in UTC.
    pub(crate) utc: bool,
    /// Whether its bytes do not belong to a field.
    pub(crate) skip: bool,
}

impl FieldAttributes {
    /// Reads the attributes of a field that has a name.
    pub(crate) fn parse(field: &Field) -> Result<Self> {
        let name = match &field.ident {
            // `r#type` is the field `type`.
            Some(ident) => ident.to_string().trim_start_matches("r#").to_owned(),
            None => return Err(Error::new(field.span(), "a record's field needs a name")),
        };
        let mut found = Self { name, meaning: None, utc: false, skip: false };
        for attribute in record_attributes(&field.attrs) {
            attribute.parse_nested_meta(|meta| found.parse_one(&meta))?;
        }
        if found.utc && !matches!(found.meaning, Some(Meaning::Timestamp(_))) {
            let message = "`utc` belongs to a timestamp: `#[record(timestamp = \"ms\", utc)]`";
            return Err(Error::new(field.span(), message));
        }
        Ok(found)
    }

    fn parse_one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        if meta.path.is_ident("timestamp") {
            let unit: LitStr = meta.value()?.parse()?;
            self.mean(meta, Meaning::Timestamp(time_unit(&unit)?))
        } else if meta.path.is_ident("date") {
            self.mean(meta, Meaning::Date)
        } else if meta.path.is_ident("utf8") {
            self.mean(meta, Meaning::Utf8)
        } else if meta.path.is_ident("utc") {
            self.utc = true;
            Ok(())
        } else if meta.path.is_ident("skip") {
            self.skip = true;
            Ok(())
        } else if meta.path.is_ident("rename") {
            let name: LitStr = meta.value()?.parse()?;
            check_name(&name)?;
            self.name = name.value();
            Ok(())
        } else {
            Err(meta.error("expected `timestamp`, `date`, `utf8`, `utc`, `rename` or `skip`"))
        }
    }

    fn mean(&mut self, meta: &ParseNestedMeta<'_>, meaning: Meaning) -> Result<()> {
        if self.meaning.replace(meaning).is_some() {
            return Err(meta.error("a field is one of `timestamp`, `date` and `utf8`"));
        }
        Ok(())
    }
}

fn time_unit(unit: &LitStr) -> Result<&'static str> {
    match unit.value().as_str() {
        "s" => Ok("Second"),
        "ms" => Ok("Millisecond"),
        "us" => Ok("Microsecond"),
        "ns" => Ok("Nanosecond"),
        _ => Err(Error::new(unit.span(), "expected \"s\", \"ms\", \"us\" or \"ns\"")),
    }
}

fn check_name(name: &LitStr) -> Result<()> {
    let text = name.value();
    if text.is_empty() || text.len() > MAX_NAME_BYTES || text.chars().any(char::is_control) {
        let message = "a name has 1 to 1024 bytes and no control characters";
        return Err(Error::new(name.span(), message));
    }
    Ok(())
}

fn record_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("record"))
}

/// The path of flatrec: `::flatrec`, or the one in an attribute of the struct.
pub(crate) fn crate_path(input: &DeriveInput) -> Result<Path> {
    let mut path: Path = syn::parse_quote!(::flatrec);
    for attribute in record_attributes(&input.attrs) {
        attribute.parse_nested_meta(|meta| {
            if !meta.path.is_ident("crate") {
                return Err(meta.error("expected `crate = \"path\"`"));
            }
            path = meta.value()?.parse::<LitStr>()?.parse()?;
            Ok(())
        })?;
    }
    Ok(path)
}

/// Refuses a struct whose layout the compiler may choose differently each time.
pub(crate) fn check_repr(input: &DeriveInput) -> Result<()> {
    let mut stated = false;
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            stated |= meta.path.is_ident("C") || meta.path.is_ident("transparent");
            if meta.input.peek(syn::token::Paren) {
                let arguments;
                syn::parenthesized!(arguments in meta.input);
                arguments.parse::<proc_macro2::TokenStream>()?;
            } else if meta.input.peek(Token![=]) {
                meta.value()?.parse::<syn::Expr>()?;
            }
            Ok(())
        })?;
    }
    if stated {
        return Ok(());
    }
    let message = "a record's layout must be stated, because files outlive compilers: add \
                   `#[repr(C)]` (naturally aligned), `#[repr(C, packed)]` (no padding) or \
                   `#[repr(transparent)]`";
    Err(Error::new(input.ident.span(), message))
}
