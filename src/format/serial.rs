//! The types of fields as values of serde (feature `serde`).
//!
//! A flag is a boolean, a text a string, a nullable value an option. A variant is its name, or its
//! number if no variant has it, and a character is a string of one, or its number. A UUID is its
//! text, or its bytes in a form that people do not read.

use std::fmt;
use std::marker::PhantomData;

use serde_core::de::{Error, Unexpected, Visitor};
use serde_core::{Deserialize, Deserializer, Serialize, Serializer};
use zerocopy::FromBytes;

use super::enumeration::{Enum, RecordEnum};
use super::types::{Bool, Char, Nullable, Utf8};
use super::uuid::Uuid;

impl Serialize for Bool {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bool(self.get())
    }
}

impl<'de> Deserialize<'de> for Bool {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        bool::deserialize(from).map(Self::new)
    }
}

impl<T: Copy + Serialize> Serialize for Nullable<T> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.get().serialize(to)
    }
}

impl<'de, T: Copy + FromBytes + Deserialize<'de>> Deserialize<'de> for Nullable<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        Option::deserialize(from).map(Self::from)
    }
}

/// Bytes that are not UTF-8 are an error.
impl<const N: usize> Serialize for Utf8<N> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str().map_err(serde_core::ser::Error::custom)?)
    }
}

impl<'de, const N: usize> Deserialize<'de> for Utf8<N> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Text<const N: usize>;
        impl<const N: usize> Visitor<'_> for Text<N> {
            type Value = Utf8<N>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text of at most {N} bytes")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Utf8::new(text).map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }
        }
        from.deserialize_str(Text)
    }
}

impl Serialize for Char {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self.get() {
            Some(value) => to.serialize_char(value),
            None => to.serialize_u32(self.number()),
        }
    }
}

impl<'de> Deserialize<'de> for Char {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        char::deserialize(from).map(Self::new)
    }
}

/// As in the crate `uuid`: a text for people, and bytes otherwise.
impl Serialize for Uuid {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match to.is_human_readable() {
            true => to.collect_str(self),
            false => to.serialize_bytes(&self.bytes()),
        }
    }
}

impl<'de> Deserialize<'de> for Uuid {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Id;
        impl Visitor<'_> for Id {
            type Value = Uuid;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a UUID")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                text.parse().map_err(|_| E::invalid_value(Unexpected::Str(text), &self))
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Self::Value, E> {
                let bytes = <[u8; 16]>::try_from(bytes);
                bytes.map(Uuid::new).map_err(|_| E::invalid_length(16, &self))
            }
        }
        match from.is_human_readable() {
            true => from.deserialize_str(Id),
            false => from.deserialize_bytes(Id),
        }
    }
}

impl<E: RecordEnum> Serialize for Enum<E> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        if let Some(name) = self.name() {
            return to.serialize_str(name);
        }
        let number: i128 = self.number().into();
        match (i64::try_from(number), u64::try_from(number)) {
            (Ok(number), _) => to.serialize_i64(number),
            (_, Ok(number)) => to.serialize_u64(number),
            _ => Err(serde_core::ser::Error::custom("a number of more than 64 bits")),
        }
    }
}

impl<'de, E: RecordEnum> Deserialize<'de> for Enum<E> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(NameOrNumber(PhantomData))
    }
}

/// The field with this number; `None` if its integer cannot have it.
fn of_number<E: RecordEnum>(number: i128) -> Option<Enum<E>> {
    E::Repr::try_from(number).ok().map(Enum::from_number)
}

struct NameOrNumber<E>(PhantomData<E>);

impl<V: RecordEnum> Visitor<'_> for NameOrNumber<V> {
    type Value = Enum<V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the name or the number of a variant of {}", V::NAME)
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        let found = V::VARIANTS.iter().find(|(known, _)| *known == name);
        let found = found.and_then(|(_, number)| of_number(*number));
        found.ok_or_else(|| E::invalid_value(Unexpected::Str(name), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Self::Value, E> {
        let found = of_number(number.into());
        found.ok_or_else(|| E::invalid_value(Unexpected::Signed(number), &self))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Self::Value, E> {
        let found = of_number(number.into());
        found.ok_or_else(|| E::invalid_value(Unexpected::Unsigned(number), &self))
    }
}
