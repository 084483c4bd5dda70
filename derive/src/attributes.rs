//! The content of `#[repr(…)]` and `#[record(…)]`.

use proc_macro2::{Ident, Span};
use syn::ext::IdentExt;
use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Attribute, Data, DeriveInput, Error, Field, LitStr, Meta, Path, Result, Token, Variant};

use crate::types::text;

/// The longest name in a schema, in bytes.
const MAX_NAME_BYTES: usize = 1024;

/// The longest name of a variant, in bytes.
const MAX_VARIANT_NAME_BYTES: usize = 65_535;

/// The attributes of a field: their names, and how they are written.
const OF_FIELDS: [(&str, &str); 9] = [
    ("timestamp", "timestamp = \"us\""),
    ("duration", "duration = \"us\""),
    ("date", "date"),
    ("utf8", "utf8"),
    ("utc", "utc"),
    ("display", "display = \"uuid\""),
    ("nested", "nested"),
    ("rename", "rename = \"name\""),
    ("skip", "skip"),
];
/// The same of a struct.
const OF_STRUCTS: [(&str, &str); 2] = [("getters", "getters"), ("crate", "crate = \"path\"")];
/// The same of an enum.
const OF_ENUMS: [(&str, &str); 1] = [("crate", "crate = \"path\"")];

/// Other words for what an attribute of a field does.
const OTHER_WORDS: [(&str, &str); 22] = [
    ("time", "timestamp"),
    ("datetime", "timestamp"),
    ("unit", "timestamp"),
    ("interval", "duration"),
    ("timedelta", "duration"),
    ("day", "date"),
    ("date32", "date"),
    ("text", "utf8"),
    ("str", "utf8"),
    ("string", "utf8"),
    ("uuid", "display"),
    ("hex", "display"),
    ("form", "display"),
    ("format", "display"),
    ("nest", "nested"),
    ("flatten", "nested"),
    ("group", "nested"),
    ("name", "rename"),
    ("column", "rename"),
    ("ignore", "skip"),
    ("pad", "skip"),
    ("padding", "skip"),
];

/// Another meaning of a field's bytes than that of their type.
pub(crate) enum Meaning {
    /// Days since 1970-01-01.
    Date,
    /// A time in the unit that this variant of `TimeUnit` names.
    Timestamp(Ident),
    /// A length of time in such a unit.
    Duration(Ident),
    /// Text.
    Utf8,
    /// Values shown in the form of that name, which this variant of `DisplayHint` names.
    Display(&'static str, Ident),
    /// The fields of another record.
    Nested,
}

/// The attributes of one field.
pub(crate) struct FieldAttributes {
    /// Its name in the schema.
    pub(crate) name: String,
    /// Where that name is given.
    pub(crate) name_span: Span,
    /// The meaning of its bytes, if an attribute gives one.
    pub(crate) meaning: Option<Meaning>,
    /// Whether it is a timestamp in UTC.
    pub(crate) utc: bool,
    /// Whether its bytes do not belong to a field.
    pub(crate) skip: bool,
    /// The attributes so far.
    given: Vec<String>,
}

impl FieldAttributes {
    /// Reads the attributes of a field that has a name.
    pub(crate) fn parse(field: &Field) -> Result<Self> {
        let Some(ident) = &field.ident else {
            return Err(Error::new(field.span(), "a record's field needs a name"));
        };
        let mut found = Self {
            // `r#type` is the field `type`.
            name: ident.unraw().to_string(),
            name_span: ident.span(),
            meaning: None,
            utc: false,
            skip: false,
            given: Vec::new(),
        };
        let mut utc = None;
        for attribute in record_attributes(&field.attrs) {
            let takes = format!("a field takes {}", list(&OF_FIELDS));
            nested(attribute, &takes, |meta| {
                if meta.path.is_ident("utc") {
                    utc = Some(meta.path.span());
                }
                found.parse_one(&meta)
            })?;
        }
        if let (Some(span), false) = (utc, matches!(found.meaning, Some(Meaning::Timestamp(_)))) {
            let message = "`utc` belongs to a timestamp: write `timestamp = \"us\", utc`";
            return Err(Error::new(span, message));
        }
        Ok(found)
    }

    /// Whether the field is a record of its own, or an array of records.
    pub(crate) fn is_nested(&self) -> bool {
        matches!(self.meaning, Some(Meaning::Nested))
    }

    fn parse_one(&mut self, meta: &ParseNestedMeta<'_>) -> Result<()> {
        let key = text(&meta.path);
        if self.given.contains(&key) {
            return Err(meta.error(format!("the field has `{key}` twice: remove one")));
        }
        match key.as_str() {
            "timestamp" => self.mean(meta, Meaning::Timestamp(time_unit(meta, &key)?))?,
            "duration" => self.mean(meta, Meaning::Duration(time_unit(meta, &key)?))?,
            "date" => self.mean(meta, Meaning::Date)?,
            "utf8" => self.mean(meta, Meaning::Utf8)?,
            "display" => self.mean(meta, display(meta)?)?,
            "nested" => self.mean(meta, Meaning::Nested)?,
            "utc" => self.utc = true,
            "skip" => self.skip = true,
            "rename" => {
                let name = string(meta, "`rename` needs a name: write `rename = \"name\"`")?;
                check_name(&name)?;
                (self.name, self.name_span) = (name.value(), name.span());
            }
            _ => return Err(unknown_of_field(meta, &key)),
        }
        if meta.input.peek(Token![=]) || meta.input.peek(syn::token::Paren) {
            return Err(meta.error(format!("`{key}` takes no value: write `{key}` alone")));
        }
        self.given.push(key);
        Ok(())
    }

    fn mean(&mut self, meta: &ParseNestedMeta<'_>, meaning: Meaning) -> Result<()> {
        if self.meaning.replace(meaning).is_some() {
            let message = "a field has one of `timestamp`, `duration`, `date`, `utf8`, \
                           `display` and `nested`: remove the others";
            return Err(meta.error(message));
        }
        Ok(())
    }
}

/// The attributes of one variant of an enum.
pub(crate) struct VariantAttributes {
    /// Its name in the schema.
    pub(crate) name: String,
    /// Where that name is given.
    pub(crate) span: Span,
}

impl VariantAttributes {
    /// Reads the attributes of a variant.
    pub(crate) fn parse(variant: &Variant) -> Result<Self> {
        let name = variant.ident.unraw().to_string();
        let mut found = Self { name, span: variant.ident.span() };
        let takes = "a variant takes `rename = \"name\"`";
        for attribute in record_attributes(&variant.attrs) {
            nested(attribute, takes, |meta| {
                if !meta.path.is_ident("rename") {
                    let key = text(&meta.path);
                    return Err(meta.error(format!("unknown attribute `{key}`: {takes}")));
                }
                let name = string(&meta, "`rename` needs a name: write `rename = \"name\"`")?;
                (found.name, found.span) = (name.value(), name.span());
                Ok(())
            })?;
        }
        found.check_name()?;
        Ok(found)
    }

    fn check_name(&self) -> Result<()> {
        if !is_name(&self.name, MAX_VARIANT_NAME_BYTES) {
            let message = "a variant's name has 1 to 65535 bytes and no control characters: write \
                           another one";
            return Err(Error::new(self.span, message));
        }
        if self.name.parse::<i128>().is_ok() {
            let message = "a variant's name cannot be a number, because text would be taken for \
                           that value: write another one";
            return Err(Error::new(self.span, message));
        }
        Ok(())
    }
}

fn time_unit(meta: &ParseNestedMeta<'_>, key: &str) -> Result<Ident> {
    let units = "\"s\", \"ms\", \"us\" or \"ns\"";
    let missing = format!("`{key}` needs its unit, {units}: write `{key} = \"us\"`, for example");
    let unit = string(meta, &missing)?;
    let variant = match unit.value().as_str() {
        "s" => "Second",
        "ms" => "Millisecond",
        "us" => "Microsecond",
        "ns" => "Nanosecond",
        other => {
            let message = format!("the unit of a {key} is {units}, and not {other:?}");
            return Err(Error::new(unit.span(), message));
        }
    };
    Ok(Ident::new(variant, Span::call_site()))
}

fn display(meta: &ParseNestedMeta<'_>) -> Result<Meaning> {
    const FORMS: [(&str, &str); 5] =
        [("uuid", "Uuid"), ("hex", "Hex"), ("char", "Char"), ("ipv4", "Ipv4"), ("ipv6", "Ipv6")];
    let forms = "\"uuid\", \"hex\", \"char\", \"ipv4\" or \"ipv6\"";
    let missing = format!("`display` needs its form, {forms}: write `display = \"uuid\"`");
    let form = string(meta, &missing)?;
    match FORMS.iter().find(|(name, _)| *name == form.value()) {
        Some((name, variant)) => Ok(Meaning::Display(name, Ident::new(variant, Span::call_site()))),
        None => {
            let message = format!("the form of a value is {forms}, and not {:?}", form.value());
            Err(Error::new(form.span(), message))
        }
    }
}

/// The string after the name of an attribute; `missing` is the error if there is another thing.
fn string(meta: &ParseNestedMeta<'_>, missing: &str) -> Result<LitStr> {
    meta.value().and_then(|value| value.parse()).map_err(|_| meta.error(missing))
}

/// Whether a schema takes `text` as a name of at most `max_bytes`.
fn is_name(text: &str, max_bytes: usize) -> bool {
    (1..=max_bytes).contains(&text.len()) && !text.chars().any(char::is_control)
}

fn check_name(name: &LitStr) -> Result<()> {
    if !is_name(&name.value(), MAX_NAME_BYTES) {
        let message = "a name has 1 to 1024 bytes and no control characters: write another one";
        return Err(Error::new(name.span(), message));
    }
    Ok(())
}

fn unknown_of_field(meta: &ParseNestedMeta<'_>, key: &str) -> Error {
    let hint = match key {
        "crate" => " (`crate` belongs on the struct)".to_owned(),
        "getters" | "getter" | "get" => " (`getters` belongs on the struct)".to_owned(),
        "nullable" | "null" | "optional" => {
            " (a field that can be null has the type `flatrec::Nullable<T>`)".to_owned()
        }
        _ => match similar(key) {
            Some(written) => format!(" (did you mean `{written}`?)"),
            None => String::new(),
        },
    };
    let takes = list(&OF_FIELDS);
    meta.error(format!("unknown attribute `{key}`{hint}: a field takes {takes}"))
}

/// The attribute of a field that was meant, as it is written.
fn similar(key: &str) -> Option<&'static str> {
    let key = key.to_lowercase();
    let word = OTHER_WORDS.iter().find(|(word, _)| *word == key).map_or(&key[..], |found| found.1);
    let distance = |known: &str| edits(word, known);
    let (known, written) = OF_FIELDS.iter().min_by_key(|(known, _)| distance(known))?;
    let most = if known.len() > 4 { 2 } else { 1 };
    (distance(known) <= most).then_some(written)
}

/// How many letters must be added, removed or replaced to make one word of the other.
fn edits(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (line, letter) in from.chars().enumerate() {
        let mut diagonal = std::mem::replace(&mut row[0], line + 1);
        for (column, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

/// "`a`, `b` and `c`", as they are written.
fn list(of: &[(&str, &str)]) -> String {
    let written: Vec<String> = of.iter().map(|(_, written)| format!("`{written}`")).collect();
    match written.split_last() {
        Some((last, others)) if !others.is_empty() => format!("{} and {last}", others.join(", ")),
        _ => written.concat(),
    }
}

fn record_attributes(attributes: &[Attribute]) -> impl Iterator<Item = &Attribute> {
    attributes.iter().filter(|attribute| attribute.path().is_ident("record"))
}

/// Reads each part of `#[record(…)]`; `takes` says what may stand there.
fn nested(
    attribute: &Attribute,
    takes: &str,
    logic: impl FnMut(ParseNestedMeta<'_>) -> Result<()>,
) -> Result<()> {
    if !matches!(attribute.meta, Meta::List(_)) {
        let message = format!("`record` needs parentheses, `#[record(…)]`: {takes}");
        return Err(Error::new(attribute.meta.span(), message));
    }
    attribute.parse_nested_meta(logic).map_err(|error| {
        let literal = error.to_string().starts_with("unexpected literal");
        if literal { Error::new(error.span(), takes) } else { error }
    })
}

/// The attributes of a struct or an enum.
pub(crate) struct ItemAttributes {
    /// The path of flatrec, which is `::flatrec` if no attribute gives another one.
    pub(crate) flatrec: Path,
    /// Whether the struct gets a method for each field.
    pub(crate) getters: bool,
}

impl ItemAttributes {
    /// The attributes, and the fault of one.
    pub(crate) fn parse(input: &DeriveInput) -> (Self, Result<()>) {
        let item = if matches!(input.data, Data::Enum(_)) { "enum" } else { "struct" };
        let takes = match item {
            "enum" => format!("an enum takes {}", list(&OF_ENUMS)),
            _ => format!("a struct takes {}", list(&OF_STRUCTS)),
        };
        let (mut path, mut getters) = (None, false);
        let mut outcome = Ok(());
        for attribute in record_attributes(&input.attrs) {
            let read = nested(attribute, &takes, |meta| {
                let key = text(&meta.path);
                let twice = match key.as_str() {
                    "crate" => path.replace(path_of_flatrec(&meta)?).is_some(),
                    "getters" if item == "struct" => std::mem::replace(&mut getters, true),
                    _ => {
                        let known = OF_FIELDS.iter().any(|(field, _)| *field == key);
                        let hint = match known {
                            true => format!(" (`{key}` belongs on a field)"),
                            false => String::new(),
                        };
                        return Err(meta.error(format!("unknown attribute `{key}`{hint}: {takes}")));
                    }
                };
                match twice {
                    true => Err(meta.error(format!("the {item} has `{key}` twice: remove one"))),
                    false => Ok(()),
                }
            });
            outcome = outcome.and(read);
        }
        (Self { flatrec: path.unwrap_or_else(|| syn::parse_quote!(::flatrec)), getters }, outcome)
    }
}

fn path_of_flatrec(meta: &ParseNestedMeta<'_>) -> Result<Path> {
    let missing = "`crate` needs the path of flatrec: write `crate = \"path\"`";
    let given = string(meta, missing)?;
    given.parse().map_err(|_| Error::new(given.span(), missing))
}

/// What `#[repr(…)]` says about padding.
#[derive(Clone, Copy, Default)]
pub(crate) struct Repr {
    /// Whether `packed` may stand beside the others.
    pub(crate) can_be_packed: bool,
}

/// Refuses a struct whose layout the compiler may choose differently each time.
pub(crate) fn check_repr(input: &DeriveInput) -> Result<Repr> {
    let (mut stated, mut aligned, mut transparent) = (false, false, None);
    for attribute in input.attrs.iter().filter(|attribute| attribute.path().is_ident("repr")) {
        attribute.parse_nested_meta(|meta| {
            stated |= meta.path.is_ident("C");
            if meta.path.is_ident("transparent") {
                transparent = Some(meta.path.span());
            }
            aligned |= meta.path.is_ident("align");
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
        return Ok(Repr { can_be_packed: !aligned });
    }
    if let Some(span) = transparent {
        let message = "a record cannot be transparent, because it could never get a second field: \
                       write `#[repr(C)]`, which lays out one field the same";
        return Err(Error::new(span, message));
    }
    let message = "a record's layout must be stated, because files outlive compilers: add \
                   `#[repr(C)]` (naturally aligned) or `#[repr(C, packed)]` (no padding)";
    Err(Error::new(input.ident.span(), message))
}
