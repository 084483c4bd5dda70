//! A JSON object as names and values; nested objects become names with dots.

use std::borrow::Cow;
use std::fmt;

use serde_core::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::error::quoted;

/// Deeper objects are refused: the reader calls itself for each level.
const DEPTH_MAX: usize = 32;

/// A value that is no object, with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Literal<'l> {
    Null,
    /// A number or a bool, as it is written.
    Bare(&'l str),
    /// A string, without quotes and escapes.
    Text(Cow<'l, str>),
    /// An array, as it is written.
    Array(&'l str),
}

/// The members of an object, and of those within it.
pub(super) type Members<'l> = Vec<(Cow<'l, str>, Literal<'l>)>;

/// Reads a line as an object.
///
/// # Errors
/// Why the line is not an object, and where.
pub(super) fn members_of<'l>(line: &'l [u8], members: &mut Members<'l>) -> Result<(), String> {
    members.clear();
    let object: Object<'l> = serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        let why = match line.trim_ascii_start().first() {
            Some(b'{') => text.rsplit_once(" at line ").map_or(&*text, |(why, _)| why),
            Some(b'[') => "the line begins an array and not an object",
            _ => "the line is no JSON object",
        };
        format!("column {}: {why}", error.column().max(1))
    })?;
    add(object, "", 0, members)
}

fn add<'l>(
    object: Object<'l>,
    outer: &str,
    depth: usize,
    members: &mut Members<'l>,
) -> Result<(), String> {
    if depth > DEPTH_MAX {
        return Err(format!("objects in one another, more than {DEPTH_MAX} deep"));
    }
    for (key, raw) in object.0 {
        let name = if outer.is_empty() { key } else { Cow::Owned(format!("{outer}.{key}")) };
        let raw = raw.get();
        if raw.starts_with('{') {
            let inner: Object<'l> = serde_json::from_str(raw).map_err(|error| error.to_string())?;
            add(inner, &name, depth + 1, members)?;
        } else {
            members.push((name, literal_of(raw)?));
        }
    }
    Ok(())
}

/// A value that is no object.
fn literal_of(raw: &str) -> Result<Literal<'_>, String> {
    Ok(match raw.as_bytes() {
        [b'n', ..] => Literal::Null,
        [b'[', ..] => Literal::Array(raw),
        [b'"', text @ .., b'"'] if !text.contains(&b'\\') => {
            Literal::Text(Cow::Borrowed(&raw[1..raw.len() - 1]))
        }
        [b'"', ..] => {
            let text = serde_json::from_str(raw);
            Literal::Text(Cow::Owned(text.map_err(|error| error.to_string())?))
        }
        _ => Literal::Bare(raw),
    })
}

/// Calls `visit` with each value in an array, and returns the lengths of its dimensions.
///
/// # Errors
/// Why it has no place in a store: arrays of different lengths, no elements, null or objects in it.
pub(super) fn shape_of<'l>(
    array: &'l str,
    visit: &mut impl FnMut(Literal<'l>),
) -> Result<Vec<u32>, String> {
    fn shape<'l>(
        array: &'l str,
        depth: usize,
        visit: &mut impl FnMut(Literal<'l>),
    ) -> Result<Vec<u32>, String> {
        if depth > DEPTH_MAX {
            return Err(format!("arrays in one another, more than {DEPTH_MAX} deep"));
        }
        let elements: Elements<'l> = serde_json::from_str(array).map_err(|it| it.to_string())?;
        let len = u32::try_from(elements.0.len()).map_err(|_| "a long array".to_owned())?;
        let mut inner: Option<Vec<u32>> = None;
        for element in elements.0 {
            let of_element = match element.get().as_bytes() {
                [b'[', ..] => shape(element.get(), depth + 1, visit)?,
                [b'{', ..] => return Err("an array of objects".into()),
                [b'n', ..] => return Err("null in an array, whose elements cannot be null".into()),
                _ => {
                    visit(literal_of(element.get())?);
                    Vec::new()
                }
            };
            match &inner {
                Some(inner) if *inner != of_element => {
                    return Err("arrays of different lengths in an array".into());
                }
                Some(_) => {}
                None => inner = Some(of_element),
            }
        }
        let inner = inner.ok_or("an array without elements")?;
        Ok([vec![len], inner].concat())
    }
    shape(array, 0, visit)
}

/// An object's members, in their order, with the values as they are written.
struct Object<'l>(Vec<(Cow<'l, str>, &'l RawValue)>);

impl<'de: 'l, 'l> Deserialize<'de> for Object<'l> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor;
        impl<'de> Visitor<'de> for ObjectVisitor {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(8));
                while let Some(Key(key)) = map.next_key()? {
                    if key.is_empty() {
                        return Err(A::Error::custom("an empty name"));
                    }
                    members.push((key, map.next_value()?));
                }
                Ok(members)
            }
        }
        deserializer.deserialize_map(ObjectVisitor).map(Object)
    }
}

/// A name, which borrows if it has no escapes.
struct Key<'l>(Cow<'l, str>);

impl<'de: 'l, 'l> Deserialize<'de> for Key<'l> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl<'de> Visitor<'de> for KeyVisitor {
            type Value = Cow<'de, str>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a name")
            }

            fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Cow::Borrowed(name))
            }

            fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Cow::Owned(name.to_owned()))
            }
        }
        deserializer.deserialize_str(KeyVisitor).map(Key)
    }
}

/// The elements of an array, as they are written.
struct Elements<'l>(Vec<&'l RawValue>);

impl<'de: 'l, 'l> Deserialize<'de> for Elements<'l> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ElementsVisitor;
        impl<'de> Visitor<'de> for ElementsVisitor {
            type Value = Vec<&'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut elements = Vec::new();
                while let Some(element) = seq.next_element()? {
                    elements.push(element);
                }
                Ok(elements)
            }
        }
        deserializer.deserialize_seq(ElementsVisitor).map(Elements)
    }
}

/// The reason for a name that an object has twice.
pub(super) fn twice(name: &str) -> String {
    format!("the name {} is there twice", quoted(name))
}
