//! What to write in place of a type that cannot be a field's.
//!
//! A derive sees a type as it is spelled, and a name can mean any type. So a [`Fault`] is certain
//! only where Rust's syntax or one of its own names, with the number of arguments that it takes
//! there, leaves no doubt. Elsewhere the compiler decides, and the fault is the message for a type
//! that it refuses.

use quote::ToTokens;
use syn::{Expr, ExprLit, GenericArgument, Lit, PathArguments, Type, TypeArray, TypePath};

/// Why a type cannot be a field's.
pub(crate) struct Fault {
    /// The type, why it cannot be stored, and what to write.
    pub(crate) message: String,
    /// What to write.
    pub(crate) advice: String,
    /// Whether it holds for every type of that name.
    pub(crate) certain: bool,
    /// Whether it lies in the combination of types that can each be a field's.
    pub(crate) of_combination: bool,
}

/// The fault of a type, if its name gives it away.
pub(crate) fn fault(of: &Type) -> Option<Fault> {
    let Advice { why, instead, rest, certain } = advice(of)?;
    let advice = match instead {
        Some(instead) => format!("write `{instead}`{rest}"),
        None => rest.to_owned(),
    };
    let message = format!("a record cannot hold `{}`: {why} ({advice})", text(of));
    let of_combination =
        matches!(without_groups(of), Type::Array(_)) || argument_of(of, "Nullable").is_some();
    Some(Fault { message, advice, certain, of_combination })
}

/// The fault of the type of a nested record.
pub(crate) fn fault_of_nested(of: &Type) -> Option<Fault> {
    let (mut record, mut depth) = (without_groups(of), 0);
    while let Type::Array(array) = record {
        (record, depth) = (without_groups(&array.elem), depth + 1);
    }
    let (why, advice) = match argument_of(record, "Nullable").or(argument_of(record, "Option")) {
        Some(wrapped) => {
            let why = "only a field can be null, and a nested record is several fields";
            (why, format!("write `{}` and make its fields nullable", rebuilt(of, &text(wrapped))))
        }
        None if depth > 1 => {
            let why = "an array of nested records has one dimension";
            (why, format!("write `[{}; N]`, where N is the number of all", text(record)))
        }
        None => return fault(of).filter(|fault| fault.certain),
    };
    let message = format!("a record cannot nest `{}`: {why} ({advice})", text(of));
    Some(Fault { message, advice, certain: true, of_combination: true })
}

/// The array type `of`, of one dimension or several, with another element.
fn rebuilt(of: &Type, element: &str) -> String {
    match without_groups(of) {
        Type::Array(array) => {
            format!("[{}; {}]", rebuilt(&array.elem, element), text(&array.len))
        }
        _ => element.to_owned(),
    }
}

/// A [`Fault`] whose type may be an element of another.
struct Advice {
    why: &'static str,
    /// The type to write.
    instead: Option<String>,
    /// What to write beside it, or what to do if there is no such type.
    rest: &'static str,
    certain: bool,
}

impl Advice {
    fn instead(why: &'static str, instead: impl Into<String>, rest: &'static str) -> Option<Self> {
        Some(Self { why, instead: Some(instead.into()), rest, certain: true })
    }

    fn only(why: &'static str, rest: &'static str) -> Option<Self> {
        Some(Self { why, instead: None, rest, certain: true })
    }

    fn nullable(self) -> Option<Self> {
        Some(Self { instead: self.instead.map(|it| nullable(&it)), ..self })
    }
}

const ELSEWHERE: &str = "its content lies elsewhere in memory, and a file keeps only the record";
const LAYOUT: &str = "Rust does not promise its layout";
const LOCAL: &str = "its value has a meaning only in this process";
const MACHINE: &str = "its size depends on the machine";
const INVALID: &str = "not every pattern of its bytes is valid";
const SHARED: &str = "a record in a file cannot be changed through a shared reference";
const EMPTY: &str = "a field needs bytes";
const NOT_ZERO: &str = "0 is not valid, and a file can hold it";
const NO_TYPE: &str = "a schema has no type for it";

const TEXT: &str = ", or `[u8; N]` with `#[record(utf8)]`: N is the longest text, in bytes";
const BYTES: &str = ": N is the greatest length, in bytes";
const ELEMENTS: &str = ": N is the greatest length; a field beside it can hold the length in use";
const ARRAY_OF_NULLABLE: &str = ": a whole array can be null, and an element cannot";

fn advice(of: &Type) -> Option<Advice> {
    match of {
        Type::Paren(of) => advice(&of.elem),
        Type::Group(of) => advice(&of.elem),
        Type::Array(of) => advice_for_array(of),
        Type::Slice(of) => Advice::instead(ELSEWHERE, array_of(&of.elem), ELEMENTS),
        Type::Reference(of) => advice_for_pointee(&of.elem),
        Type::Ptr(_) | Type::BareFn(_) => {
            Advice::only(LOCAL, "store an id or an index, for example as `u64`")
        }
        Type::Tuple(of) if of.elems.is_empty() => Advice::only(EMPTY, "remove the field"),
        Type::Tuple(_) => Advice::only(LAYOUT, "write each element as a field of its own"),
        Type::Never(_) => Advice::only(EMPTY, "remove the field"),
        Type::TraitObject(_) | Type::ImplTrait(_) => {
            Advice::only(ELSEWHERE, "write a type of fixed size")
        }
        Type::Path(of) => {
            let (name, arguments) = name_and_arguments(of)?;
            if is_of_rust(of) {
                advice_for_rust(&name, &arguments).or_else(|| advice_if_refused(&name, &arguments))
            } else {
                advice_if_refused(&name, &arguments)
            }
        }
        _ => None,
    }
}

fn advice_for_array(of: &TypeArray) -> Option<Advice> {
    let mut element = without_groups(&of.elem);
    while let Type::Array(inner) = element {
        element = without_groups(&inner.elem);
    }
    if let Some(wrapped) = argument_of(element, "Nullable").or(argument_of(element, "Option")) {
        let array = rebuilt(&Type::Array(of.clone()), &instead_of(wrapped));
        let mut found = Advice::instead(NO_TYPE, nullable(&array), ARRAY_OF_NULLABLE)?;
        found.certain = argument_of(element, "Option").is_some();
        return Some(found);
    }
    if number(&of.len) == Some(0) {
        let mut found = Advice::only(EMPTY, "remove the field")?;
        found.certain = false;
        return Some(found);
    }
    let mut found = advice(without_groups(&of.elem))?;
    found.instead = found.instead.map(|it| format!("[{it}; {}]", text(&of.len)));
    Some(found)
}

fn advice_for_pointee(of: &Type) -> Option<Advice> {
    match without_groups(of) {
        Type::Slice(of) => Advice::instead(ELSEWHERE, array_of(&of.elem), ELEMENTS),
        Type::TraitObject(_) => Advice::only(ELSEWHERE, "write a type of fixed size"),
        of => match advice(of) {
            Some(inner) => Some(Advice { why: ELSEWHERE, certain: true, ..inner }),
            None => Advice::instead(ELSEWHERE, text(of), ": the value itself"),
        },
    }
}

/// What to write in a nullable type for a name that may be that of the user's own enum.
fn of_enum(inner: &Type) -> &'static str {
    let Type::Path(of) = inner else { return "" };
    let is_own = |(name, arguments): (String, Vec<&Type>)| {
        let is_known = ["Bool", "Char", "Uuid"].contains(&&*name);
        arguments.is_empty() && !is_known && name.starts_with(char::is_uppercase)
    };
    match of.path.segments.len() == 1 && name_and_arguments(of).is_some_and(is_own) {
        true => ", with `flatrec::Enum<…>` around the name of an enum",
        false => "",
    }
}

/// The advice for a name of Rust or of its standard library.
fn advice_for_rust(name: &str, arguments: &[&Type]) -> Option<Advice> {
    match (name, arguments) {
        ("bool", []) => Advice::instead(INVALID, "flatrec::Bool", ""),
        ("char", []) => Advice::instead(INVALID, "flatrec::Char", ""),
        ("usize", []) => Advice::instead(MACHINE, "u64", ", or the same of `u32`"),
        ("isize", []) => Advice::instead(MACHINE, "i64", ", or the same of `i32`"),
        ("f16", []) => Advice::instead(NO_TYPE, "f32", ", or its bits as `u16`"),
        ("f128", []) => Advice::instead(NO_TYPE, "f64", ", or its bits as `u128`"),
        ("str" | "String", []) => Advice::instead(ELSEWHERE, "flatrec::Utf8<N>", TEXT),
        ("Path" | "PathBuf" | "OsStr" | "OsString" | "CStr" | "CString", []) => {
            Advice::instead(ELSEWHERE, "[u8; N]", BYTES)
        }
        ("Option", [of]) => match without_groups(of) {
            inner if argument_of(inner, "Option").is_some() => advice(inner),
            inner => match advice(inner) {
                Some(inner) => inner.nullable(),
                None => Advice::instead(LAYOUT, nullable(&text(inner)), of_enum(inner)),
            },
        },
        ("Vec" | "VecDeque" | "BinaryHeap", [of]) => {
            Advice::instead(ELSEWHERE, array_of(of), ELEMENTS)
        }
        ("Box" | "Rc" | "Arc" | "Cow", [of]) => advice_for_pointee(of),
        ("HashMap" | "BTreeMap", [_, _]) | ("HashSet" | "BTreeSet", [_]) => {
            Advice::only(ELSEWHERE, "store its entries as records of their own")
        }
        ("Cell" | "RefCell" | "Mutex" | "RwLock" | "UnsafeCell" | "OnceCell", [of]) => {
            Advice::instead(SHARED, instead_of(of), ": the value itself")
        }
        ("PhantomData", [_]) => Advice::only(EMPTY, "remove the field"),
        _ => {
            let of = number_after(name, "Atomic")?;
            Advice::instead(SHARED, instead_of(&of), ": the value itself")
        }
    }
}

/// The advice for a name that another crate may give to a type that can be a field's.
fn advice_if_refused(name: &str, arguments: &[&Type]) -> Option<Advice> {
    let found = match (name, arguments) {
        ("Nullable", [of]) => match argument_of(of, "Nullable") {
            Some(inner) => Advice::instead(NO_TYPE, nullable(&instead_of(inner)), ": null once"),
            None => advice(of)?.nullable(),
        },
        ("NonZero" | "Wrapping" | "Saturating", [of]) => {
            let why = if name == "NonZero" { NOT_ZERO } else { NO_TYPE };
            Advice::instead(why, instead_of(of), "")
        }
        ("Duration" | "TimeDelta", []) => {
            Advice::instead(LAYOUT, "i64", " with `#[record(duration = \"us\")]`")
        }
        (
            "SystemTime" | "DateTime" | "NaiveDateTime" | "OffsetDateTime" | "Timestamp" | "Zoned",
            _,
        ) => Advice::instead(LAYOUT, "i64", " with `#[record(timestamp = \"us\", utc)]`"),
        ("NaiveDate" | "Date", []) => Advice::instead(LAYOUT, "i32", " with `#[record(date)]`"),
        ("Instant", []) => {
            let rest = " with `#[record(timestamp = \"us\", utc)]`, of `SystemTime`";
            Advice::instead(LOCAL, "i64", rest)
        }
        ("Ipv4Addr", []) => Advice::instead(
            NO_TYPE,
            "[u8; 4]",
            " with `#[record(display = \"ipv4\")]`, and `octets`",
        ),
        ("Ipv6Addr", []) => Advice::instead(
            NO_TYPE,
            "[u8; 16]",
            " with `#[record(display = \"ipv6\")]`, and `octets`",
        ),
        ("Uuid", []) => {
            Advice::instead(NO_TYPE, "flatrec::Uuid", ", which the feature `uuid` converts")
        }
        _ => {
            let of = number_after(name, "NonZero")?;
            Advice::instead(NOT_ZERO, instead_of(&of), "")
        }
    }?;
    Some(Advice { certain: false, ..found })
}

/// The type `u8` for the name `AtomicU8`, after the prefix `Atomic`.
fn number_after(name: &str, prefix: &str) -> Option<Type> {
    syn::parse_str(&name.strip_prefix(prefix)?.to_lowercase()).ok()
}

/// The type to write for `of`: itself, if it has no fault, or none that a type mends.
fn instead_of(of: &Type) -> String {
    advice(of).and_then(|advice| advice.instead).unwrap_or_else(|| text(of))
}

fn nullable(of: &str) -> String {
    format!("flatrec::Nullable<{of}>")
}

fn array_of(of: &Type) -> String {
    format!("[{}; N]", instead_of(of))
}

fn without_groups(of: &Type) -> &Type {
    match of {
        Type::Paren(of) => without_groups(&of.elem),
        Type::Group(of) => without_groups(&of.elem),
        of => of,
    }
}

/// The last name of a path and the types among its arguments.
fn name_and_arguments(of: &TypePath) -> Option<(String, Vec<&Type>)> {
    let last = of.path.segments.last().filter(|_| of.qself.is_none())?;
    let arguments = match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            let types = arguments.args.iter().filter_map(|argument| match argument {
                GenericArgument::Type(of) => Some(of),
                _ => None,
            });
            types.collect()
        }
        _ => Vec::new(),
    };
    Some((last.ident.to_string(), arguments))
}

/// Whether a path is a name alone, or one below the standard library.
fn is_of_rust(of: &TypePath) -> bool {
    let first = of.path.segments[0].ident.to_string();
    of.path.segments.len() == 1 || ["std", "core", "alloc"].contains(&first.as_str())
}

/// The one argument of the type `name<…>`.
fn argument_of<'a>(of: &'a Type, name: &str) -> Option<&'a Type> {
    let Type::Path(path) = without_groups(of) else { return None };
    match name_and_arguments(path)? {
        (found, arguments) if found == name && arguments.len() == 1 => Some(arguments[0]),
        _ => None,
    }
}

fn number(of: &Expr) -> Option<u64> {
    match of {
        Expr::Lit(ExprLit { lit: Lit::Int(number), .. }) => number.base10_parse().ok(),
        _ => None,
    }
}

/// The tokens as a person writes them.
pub(crate) fn text(of: &impl ToTokens) -> String {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let spelled = of.to_token_stream().to_string();
    let mut text = String::new();
    let mut rest = spelled.chars().peekable();
    while let Some(c) = rest.next() {
        if !c.is_whitespace() {
            text.push(c);
            continue;
        }
        while rest.next_if(|c| c.is_whitespace()).is_some() {}
        let (Some(before), Some(&after)) = (text.chars().last(), rest.peek()) else { continue };
        let words = is_word(before) && (is_word(after) || "'[".contains(after));
        let operator = |c| "+=-".contains(c);
        if words || ",;".contains(before) || operator(before) || operator(after) {
            text.push(' ');
        }
    }
    text.replace("->", "-> ").replace("->  ", "-> ")
}
