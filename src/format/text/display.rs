//! The forms of [`DisplayHint`] and the names of variants, from and to text.

use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Refusal, epoch, push};
use crate::format::annotations::{DisplayHint, Variant};
use crate::format::data_type::DataType;
use crate::format::field::Field;
use crate::format::uuid::Uuid;
use crate::format::value::Value;

/// The name of the variant with that value.
pub(in crate::format) fn variant_name<'f>(field: &'f Field, value: &Value<'_>) -> Option<&'f str> {
    let value = match *value {
        Value::Int(value) => value.into(),
        Value::UInt(value) => value.into(),
        _ => return None,
    };
    field.variant_of(value).map(Variant::name)
}

/// Appends `value` in the field's form; `false` if it has none for the value.
pub(super) fn push_displayed(field: &Field, value: &Value<'_>, out: &mut String) -> bool {
    if let (Some(unit), Value::Timestamp(time, own)) = (field.epoch(), *value) {
        epoch::push_number(time, own, unit, out);
        return true;
    }
    match (field.display(), *value) {
        (Some(DisplayHint::Uuid), Value::Binary(bytes)) => match <[u8; 16]>::try_from(bytes) {
            Ok(bytes) => push(out, format_args!("{}", Uuid::new(bytes))),
            Err(_) => return false,
        },
        (Some(DisplayHint::Ipv4), Value::Binary(bytes)) => match <[u8; 4]>::try_from(bytes) {
            Ok(bytes) => push(out, format_args!("{}", Ipv4Addr::from(bytes))),
            Err(_) => return false,
        },
        (Some(DisplayHint::Ipv6), Value::Binary(bytes)) => match <[u8; 16]>::try_from(bytes) {
            Ok(bytes) => push(out, format_args!("{}", Ipv6Addr::from(bytes))),
            Err(_) => return false,
        },
        (Some(DisplayHint::Char), Value::UInt(value)) => {
            match u32::try_from(value).ok().and_then(char::from_u32) {
                Some(letter) => out.push(letter),
                // Not a character: as a number with a mark that no character's text has.
                None => push(out, format_args!("U+{value:X}")),
            }
        }
        (Some(DisplayHint::Hex), Value::UInt(value)) => push(out, format_args!("0x{value:x}")),
        (Some(DisplayHint::Hex), Value::UInt128(value)) => push(out, format_args!("0x{value:x}")),
        _ => return false,
    }
    true
}

/// The value of `text` in the field's form, in little-endian bytes in `into`; `None` if the field
/// has no form of its own.
pub(super) fn parse_displayed(
    field: &Field,
    text: &str,
    into: &mut [u8],
) -> Option<Result<(), Refusal>> {
    if let Some(variant) = field.variant_named(text) {
        into.copy_from_slice(&variant.value().to_le_bytes()[..into.len()]);
        return Some(Ok(()));
    }
    let not = |what: &'static str| Refusal::Not(what);
    Some(match field.display()? {
        DisplayHint::Uuid => match Uuid::parse(text) {
            Some(id) => put(&id.bytes(), into),
            None => Err(not("UUID")),
        },
        DisplayHint::Ipv4 => match text.parse::<Ipv4Addr>() {
            Ok(address) => put(&address.octets(), into),
            Err(_) => Err(not("IPv4 address")),
        },
        DisplayHint::Ipv6 => match text.parse::<Ipv6Addr>() {
            Ok(address) => put(&address.octets(), into),
            Err(_) => Err(not("IPv6 address")),
        },
        DisplayHint::Char => parse_char(text).and_then(|letter| put(&letter.to_le_bytes(), into)),
        // The text of bytes has hexadecimal digits in any case.
        DisplayHint::Hex if matches!(field.data_type(), DataType::Binary(_)) => return None,
        DisplayHint::Hex => parse_hex_number(text.strip_prefix("0x")?, into),
    })
}

fn parse_hex_number(digits: &str, into: &mut [u8]) -> Result<(), Refusal> {
    let not = Refusal::Not("number like 0x1f");
    if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return Err(not);
    }
    let value = u128::from_str_radix(digits, 16).map_err(|_| not)?;
    let bytes = value.to_le_bytes();
    let (low, high) = bytes.split_at(into.len());
    if high.iter().any(|&byte| byte != 0) {
        return Err(Refusal::Because("it is out of range".into()));
    }
    put(low, into)
}

fn put(bytes: &[u8], into: &mut [u8]) -> Result<(), Refusal> {
    into.copy_from_slice(bytes);
    Ok(())
}

/// A single character, or `U+` and the digits of another number.
fn parse_char(text: &str) -> Result<u32, Refusal> {
    let mut letters = text.chars();
    if let (Some(letter), None) = (letters.next(), letters.next()) {
        return Ok(letter.into());
    }
    let digits = text.strip_prefix("U+").filter(|digits| !digits.starts_with(['+', '-']));
    digits
        .and_then(|digits| u32::from_str_radix(digits, 16).ok())
        .ok_or(Refusal::Not("single character"))
}
