//! `#[derive(Record)]` for flatrec: from a struct to the fields of a schema, checked at compile
//! time. `#[derive(RecordEnum)]` gives an `enum` the numbers and names that a field can have.
//!
//! `derive(Record)` proves the conditions in the `# Safety` section of `flatrec::Record`:
//! - every field's type is a `FieldType`, and so valid for any bytes, without padding and without
//!   interior mutability, by zerocopy's traits; or it is a `Record` or an array of one, which
//!   promises the same;
//! - the fields follow each other without a gap and fill the struct, by assertions on `offset_of!`
//!   and `size_of`;
//! - the layout is the one of `repr(C)`, so that future compilers read today's files;
//! - there are no generic parameters, so that all of this is checked where the struct is written.

mod attributes;
mod document;
mod enumeration;
mod expand;
mod problems;
mod types;

use proc_macro::TokenStream;

/// Makes a struct the type of a store's records.
///
/// The struct must be `Copy`, must not be generic, and needs named fields and a stated layout:
/// `#[repr(C)]` for natural alignment, without padding; or `#[repr(C, packed)]` for no gaps,
/// whatever the fields. Each field's type must be a
/// [`flatrec::FieldType`](https://docs.rs/flatrec/latest/flatrec/trait.FieldType.html), whose
/// documentation lists them (`Nullable`, `Utf8`, `Enum` and so on), or a record with the attribute
/// `nested`.
///
/// | attribute of a field | of type | meaning |
/// | --- | --- | --- |
/// | `#[record(timestamp = "ms")]` | `i64` or `le::I64` | time since 1970; `s`, `ms`, `us`, `ns` |
/// | `#[record(timestamp = "ms", utc)]` | the same | known to be in UTC |
/// | `#[record(duration = "ms")]` | the same | a length of time |
/// | `#[record(date)]` | `i32` or `le::I32` | days since 1970-01-01 |
/// | `#[record(utf8)]` | `[u8; N]` | text, padded with NUL |
/// | `#[record(display = "uuid")]` | `[u8; 16]` | shown so; `ipv6` too |
/// | `#[record(display = "ipv4")]` | `[u8; 4]` | shown so |
/// | `#[record(display = "hex")]` | `[u8; N]`, unsigned integers | shown so |
/// | `#[record(display = "char")]` | `u32` or `le::U32` | shown so, as `flatrec::Char` is |
/// | `#[record(nested)]` | another record, or an array of records | its fields |
/// | `#[record(rename = "type")]` | any | the field's name in the schema |
/// | `#[record(skip)]` | any | bytes without a field: explicit padding |
///
/// Each also applies inside `Nullable<…>` and fixed arrays, except `nested`.
///
/// | attribute of the struct | meaning |
/// | --- | --- |
/// | `#[record(getters)]` | a method for each field, which copies its value |
/// | `#[record(crate = "path")]` | the path of flatrec, if it is not `::flatrec` |
///
/// ```
/// use flatrec::{Nullable, Record};
///
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Trade {
///     #[record(timestamp = "ns", utc)]
///     at: i64,
///     price: f64,
///     shares: u32,
///     #[record(utf8)]
///     venue: [u8; 4],
///     #[record(timestamp = "s")]
///     settled: Nullable<i64>,
///     #[record(skip)]
///     _padding: [u8; 7],
/// }
///
/// let schema = Trade::schema()?;
/// let lines: Vec<String> = schema.fields().iter().map(ToString::to_string).collect();
/// assert_eq!(
///     lines,
///     [
///         "at: timestamp(ns) utc at 0",
///         "price: float64 at 8",
///         "shares: uint32 at 16",
///         "venue: utf8(4) at 20",
///         "settled: timestamp(s) nullable at 24",
///     ]
/// );
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// # Packed records
///
/// Rust has no references to fields of a packed struct that may not be aligned, so `&tick.price`
/// and `assert_eq!(tick.price, …)` do not compile. A copy does: `{ tick.price }`, `let price =
/// tick.price`, arguments and operators. The methods of `getters` copy, too:
///
/// ```
/// use flatrec::Record;
///
/// #[derive(Clone, Copy, Record)]
/// #[record(getters)]
/// #[repr(C, packed)]
/// struct Tick {
///     venue: u8,
///     price: f64,
/// }
///
/// let tick = Tick { venue: 1, price: 12.5 };
/// assert_eq!({ tick.price }, 12.5);
/// assert_eq!(tick.price(), 12.5);
/// ```
///
/// # Nested records
///
/// A schema is a flat list of fields. The fields of a nested record have names with a dot, and the
/// schema has a [`Group`](https://docs.rs/flatrec/latest/flatrec/struct.Group.html) of them:
///
/// ```
/// use flatrec::Record;
///
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Leg {
///     price: f64,
///     count: u32,
///     venue: u32,
/// }
///
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Spread {
///     #[record(nested)]
///     total: Leg,
///     #[record(nested)]
///     legs: [Leg; 2],
/// }
///
/// let schema = Spread::schema()?;
/// let names: Vec<&str> = schema.fields().iter().map(|field| field.name()).collect();
/// assert_eq!(names[..4], ["total.price", "total.count", "total.venue", "legs[0].price"]);
/// assert_eq!(schema.groups()[1].array_len(), Some(2));
/// # Ok::<(), flatrec::Error>(())
/// ```
///
/// - The attribute is necessary: a type can be a record and a type of a field at once, and a derive
///   cannot ask the compiler which traits a type has.
/// - A nested record cannot be null, because only a field has a presence byte. Its own fields can
///   be nullable.
/// - An array of nested records has one dimension and at most 65,536 records. Each record adds its
///   fields to the schema. An array of numbers has up to 8 dimensions: `[[f64; 2]; 4]` is one field
///   of the shape 4 × 2.
#[proc_macro_derive(Record, attributes(record))]
pub fn derive_record(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    expand::expand(&input).unwrap_or_else(|faults| expand::refusal(&input, &faults)).into()
}

/// Lets records hold an `enum` without data, as `flatrec::Enum<…>`.
///
/// The enum must be `Copy`, must not be generic, and needs a stated integer: `#[repr(u8)]`, for
/// example, or another of `u8` to `u64` and `i8` to `i64`. The schema keeps the names of its
/// variants; `#[record(rename = "name")]` at a variant gives it another one. On the enum,
/// `#[record(crate = "path")]` gives the path of flatrec, if it is not `::flatrec`.
///
/// ```
/// use flatrec::{Enum, Record, RecordEnum};
///
/// #[derive(Clone, Copy, Debug, PartialEq, RecordEnum)]
/// #[repr(u8)]
/// enum Side {
///     Buy = 1,
///     Sell = 2,
/// }
///
/// #[derive(Clone, Copy, Record)]
/// #[repr(C)]
/// struct Order {
///     side: Enum<Side>,
/// }
///
/// let order = Order { side: Side::Buy.into() };
/// assert!(order.side == Side::Buy);
/// match order.side.get() {
///     Ok(Side::Buy) => {}
///     Ok(Side::Sell) => unreachable!(),
///     Err(unknown) => panic!("{unknown}"), // any bytes are sound
/// }
/// ```
#[proc_macro_derive(RecordEnum, attributes(record))]
pub fn derive_record_enum(input: TokenStream) -> TokenStream {
    let input = syn::parse_macro_input!(input as syn::DeriveInput);
    enumeration::expand(&input)
        .unwrap_or_else(|faults| enumeration::refusal(&input, &faults))
        .into()
}

/// The text of a document as a string literal, for flatrec's own documentation.
#[doc(hidden)]
#[proc_macro]
pub fn document(path: TokenStream) -> TokenStream {
    let path = syn::parse_macro_input!(path as syn::LitStr);
    let text = document::text(&path.value()).map_err(|error| syn::Error::new(path.span(), error));
    match text {
        Ok(text) => quote::quote!(#text).into(),
        Err(error) => error.into_compile_error().into(),
    }
}
