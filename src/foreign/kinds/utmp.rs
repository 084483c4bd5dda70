//! Logins of Linux: `utmp`, `wtmp` and `btmp`, as x86-64 and most other machines of 64 bits write
//! them. The files have no header.

use super::super::charset::Charset;
use super::super::column::{Column, Encoding, TextEnd};
use super::super::kind::ForeignKind;
use super::super::layout::{ForeignLayout, Parts, count_to_end};
use super::super::source::Source;
use crate::error::Result;
use crate::format::{DataType, DisplayHint, Field, TimeUnit, Variant};

const STRIDE: u64 = 384;

/// The kinds of records, from 0 on.
const TYPES: [&str; 10] = [
    "EMPTY",
    "RUN_LVL",
    "BOOT_TIME",
    "NEW_TIME",
    "OLD_TIME",
    "INIT_PROCESS",
    "LOGIN_PROCESS",
    "USER_PROCESS",
    "DEAD_PROCESS",
    "ACCOUNTING",
];

pub(super) fn layout(source: &Source) -> Result<ForeignLayout> {
    let count = count_to_end(source.len_bytes(), 0, STRIDE)?;
    let types = (0..).zip(TYPES).map(|(value, name)| Variant::new(value, name));
    let text = |name: &str, at, width| Column {
        field: Field::new(name, DataType::Utf8(width)),
        at,
        width,
        encoding: Encoding::Text(TextEnd::Nul, Charset::Utf8),
    };
    let number = |name: &str, data_type, at| Column::plain(Field::new(name, data_type), at);
    let mut parts = Parts::new(ForeignKind::Utmp, 0, count, STRIDE);
    parts.columns = vec![
        Column::plain(Field::new("type", DataType::Int16).with_variants(types), 0),
        number("pid", DataType::Int32, 4),
        text("line", 8, 32),
        text("id", 40, 4),
        text("user", 44, 32),
        text("host", 76, 256),
        number("exit_termination", DataType::Int16, 332),
        number("exit_status", DataType::Int16, 334),
        number("session", DataType::Int32, 336),
        Column {
            field: Field::new("time", DataType::Timestamp(TimeUnit::Microsecond)).utc(),
            at: 340,
            width: 8,
            encoding: Encoding::SecondsAndMicros,
        },
        Column {
            field: Field::new("addr", DataType::Binary(16))
                .with_display(DisplayHint::Ipv6)
                .nullable(),
            at: 348,
            width: 16,
            encoding: Encoding::Address,
        },
    ];
    parts.checked()
}
