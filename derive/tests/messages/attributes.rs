//! Attributes of fields.

use crate::{Row, check};

/// Finds a misuse that is several errors, or one that does not say what to write.
#[test]
fn a_misused_attribute_is_one_error_that_says_what_to_write() {
    let rows = MISUSED.iter().map(|(name, program, expected)| Row::new(name, *program, expected));
    check(&rows.collect::<Vec<_>>());
}

/// A name, the program, and the parts of it that are marked with their texts.
const MISUSED: crate::Programs = &[
    (
        "timestamp without a unit",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp)] \
         a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "timestamp",
            "`timestamp` needs its unit, \"s\", \"ms\", \"us\" or \"ns\": write `timestamp \
                 = \"us\"`, for example",
        )],
    ),
    (
        "a unit without quotes",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp = \
         us)] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "timestamp =",
            "`timestamp` needs its unit, \"s\", \"ms\", \"us\" or \"ns\": write `timestamp \
                 = \"us\"`, for example",
        )],
    ),
    (
        "a unit in parentheses",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { \
         #[record(timestamp(\"us\"))] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "timestamp",
            "`timestamp` needs its unit, \"s\", \"ms\", \"us\" or \"ns\": write `timestamp \
                 = \"us\"`, for example",
        )],
    ),
    (
        "an unknown unit",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp = \
         \"seconds\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "\"seconds\"",
            "the unit of a timestamp is \"s\", \"ms\", \"us\" or \"ns\", and not \"seconds\"",
        )],
    ),
    (
        "a misspelled attribute",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestmp = \
         \"us\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "timestmp",
            "unknown attribute `timestmp` (did you mean `timestamp = \"us\"`?): a field \
                 takes {takes}",
        )],
    ),
    (
        "another word",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(ignore)] a: \
         i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("ignore", "unknown attribute `ignore` (did you mean `skip`?): a field takes {takes}")],
    ),
    (
        "another word for rename",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(name = \
         \"b\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "name",
            "unknown attribute `name` (did you mean `rename = \"name\"`?): a field takes \
                 {takes}",
        )],
    ),
    (
        "an unlike word",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(color)] a: \
         i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("color", "unknown attribute `color`: a field takes {takes}")],
    ),
    (
        "nullable",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(nullable)] \
         a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "nullable",
            "unknown attribute `nullable` (a field that can be null has the type \
                 `flatrec::Nullable<T>`): a field takes {takes}",
        )],
    ),
    (
        "an attribute of the struct",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(crate = \
         \"flatrec\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "crate",
            "unknown attribute `crate` (`crate` belongs on the struct): a field takes \
                 {takes}",
        )],
    ),
    (
        "utf8 of a number",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(utf8)] a: \
         u32 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("u32", "`utf8` needs bytes: write `[u8; N]` in place of `u32`")],
    ),
    (
        "utf8 of numbers",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(utf8)] a: \
         [u16; 4] }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("[u16; 4]", "`utf8` needs bytes: write `[u8; N]` in place of `[u16; 4]`")],
    ),
    (
        "utf8 of text",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(utf8)] a: \
         flatrec::Utf8<4> }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "flatrec::Utf8<4>",
            "`utf8` needs bytes: write `[u8; N]` in place of `flatrec::Utf8<4>`",
        )],
    ),
    (
        "timestamp of u64",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp = \
         \"us\")] a: u64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "u64",
            "`timestamp` needs a signed integer of 64 bits: write `i64` or \
                 `flatrec::le::I64` in place of `u64`",
        )],
    ),
    (
        "timestamp of bytes",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp = \
         \"us\")] a: [u8; 8] }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "[u8; 8]",
            "`timestamp` needs a signed integer of 64 bits: write `i64` or \
                 `flatrec::le::I64` in place of `[u8; 8]`",
        )],
    ),
    (
        "timestamp of f64",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp = \
         \"us\")] a: flatrec::Nullable<f64> }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "flatrec::Nullable<f64>",
            "`timestamp` needs a signed integer of 64 bits: write `i64` or \
                 `flatrec::le::I64` in place of `flatrec::Nullable<f64>`",
        )],
    ),
    (
        "date of i64",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(date)] a: \
         i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "i64",
            "`date` needs a signed integer of 32 bits: write `i32` or `flatrec::le::I32` \
                 in place of `i64`",
        )],
    ),
    (
        "date of u32",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(date)] a: \
         u32 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "u32",
            "`date` needs a signed integer of 32 bits: write `i32` or `flatrec::le::I32` \
                 in place of `u32`",
        )],
    ),
    (
        "utc without timestamp",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(utc)] a: i64 \
         }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("utc", "`utc` belongs to a timestamp: write `timestamp = \"us\", utc`")],
    ),
    (
        "utc of a date",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(date, utc)] \
         a: i32 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("utc", "`utc` belongs to a timestamp: write `timestamp = \"us\", utc`")],
    ),
    (
        "utc with a value",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp = \
         \"us\", utc = true)] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("utc", "`utc` takes no value: write `utc` alone")],
    ),
    (
        "duration without a unit",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(duration)] \
         a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "duration",
            "`duration` needs its unit, \"s\", \"ms\", \"us\" or \"ns\": write `duration = \
                 \"us\"`, for example",
        )],
    ),
    (
        "an unknown unit of a duration",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(duration = \
         \"h\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("\"h\"", "the unit of a duration is \"s\", \"ms\", \"us\" or \"ns\", and not \"h\"")],
    ),
    (
        "utc of a duration",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(duration = \
         \"us\", utc)] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("utc", "`utc` belongs to a timestamp: write `timestamp = \"us\", utc`")],
    ),
    (
        "duration and timestamp",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(duration = \
         \"us\", timestamp = \"us\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "timestamp = \"us\"",
            "a field has one of `timestamp`, `duration`, `date`, `utf8`, `display` and `nested`: remove the \
             others",
        )],
    ),
    (
        "duration of u64",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(duration = \
         \"us\")] a: u64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "u64",
            "`duration` needs a signed integer of 64 bits: write `i64` or \
                 `flatrec::le::I64` in place of `u64`",
        )],
    ),
    (
        "another word for duration",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timedelta = \
         \"us\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "timedelta",
            "unknown attribute `timedelta` (did you mean `duration = \"us\"`?): a field \
                 takes {takes}",
        )],
    ),
    (
        "date with a value",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(date = \
         \"2024\")] a: i32 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("date", "`date` takes no value: write `date` alone")],
    ),
    (
        "an unknown form",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(display = \
         \"roman\")] a: u8 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "\"roman\"",
            "the form of a value is \"uuid\", \"hex\", \"char\", \"ipv4\" or \"ipv6\", and not \
             \"roman\"",
        )],
    ),
    (
        "a form without a name",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(display)] a: u8 \
         }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "display",
            "`display` needs its form, \"uuid\", \"hex\", \"char\", \"ipv4\" or \"ipv6\": write \
             `display = \"uuid\"`",
        )],
    ),
    (
        "uuid of 8 bytes",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(display = \
         \"uuid\")] a: [u8; 8] }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "[u8; 8]",
            "`display = \"uuid\"` needs 16 bytes: write `[u8; 16]` in place of `[u8; 8]`",
        )],
    ),
    (
        "hex of a signed integer",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(display = \
         \"hex\")] a: i8 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "i8",
            "`display = \"hex\"` needs bytes or an unsigned integer: write `[u8; N]` in place of \
             `i8`",
        )],
    ),
    (
        "an empty name",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(rename = \
         \"\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("\"\"", "a name has 1 to 1024 bytes and no control characters: write another one")],
    ),
    (
        "a name with a line",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(rename = \
         \"a\\nb\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("\"a\\nb\"", "a name has 1 to 1024 bytes and no control characters: write another one")],
    ),
    (
        "rename without a name",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(rename)] a: \
         i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("rename", "`rename` needs a name: write `rename = \"name\"`")],
    ),
    (
        "an attribute twice",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(skip, skip)] \
         a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("skip", "the field has `skip` twice: remove one")],
    ),
    (
        "rename twice",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(rename = \
         \"x\", rename = \"y\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("rename", "the field has `rename` twice: remove one")],
    ),
    (
        "timestamp twice",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp = \
         \"us\", timestamp = \"us\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("timestamp", "the field has `timestamp` twice: remove one")],
    ),
    (
        "two meanings",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp = \
         \"us\", date)] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "date",
            "a field has one of `timestamp`, `duration`, `date`, `utf8`, `display` and `nested`: remove the \
             others",
        )],
    ),
    (
        "skipped alone",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(skip)] a: \
         i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("a", "a record needs a field that is not skipped: remove `skip` from one")],
    ),
    (
        "a string",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(\"utf8\")] \
         a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("\"utf8\"", "a field takes {takes}")],
    ),
    (
        "without parentheses",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record] a: i64 \
         }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("record", "`record` needs parentheses, `#[record(…)]`: a field takes {takes}")],
    ),
    (
        "with an equals sign",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record = \"utf8\"] \
         a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("record", "`record` needs parentheses, `#[record(…)]`: a field takes {takes}")],
    ),
    (
        "in two attributes",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(rename = \
         \"b\")] #[record(rename = \"c\")] a: i64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("rename", "the field has `rename` twice: remove one")],
    ),
    (
        "a name twice",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { a: u8, \
         #[record(rename = \"a\")] b: u8 }\n",
        &[(
            "\"a\"",
            "two fields have the name \"a\": write `#[record(rename = \"…\")]` with \
                 another name at one of them",
        )],
    ),
    (
        "a name twice, renamed first",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(rename = \
         \"b\")] a: u8, b: u8 }\n",
        &[(
            "b",
            "two fields have the name \"b\": write `#[record(rename = \"…\")]` with \
                 another name at one of them",
        )],
    ),
    (
        "timestamp of a bad type",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(timestamp = \
         \"us\")] a: std::time::SystemTime }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "std::time::SystemTime",
            "a record cannot hold `std::time::SystemTime`: Rust does not promise its \
                 layout (write `i64` with `#[record(timestamp = \"us\", utc)]`)",
        )],
    ),
    (
        "utf8 of String",
        "#[derive(flatrec::Record)]\n#[repr(C)]\nstruct A { #[record(utf8)] a: String }\nfn \
         user(_: flatrec::Store<A>) {}\n",
        &[(
            "String",
            "a record cannot hold `String`: its content lies elsewhere in memory, and a \
                 file keeps only the record (write `flatrec::Utf8<N>`, or `[u8; N]` with \
                 `#[record(utf8)]`: N is the longest text, in bytes)",
        )],
    ),
    (
        "timestamp of an alias",
        "type Time = u64;\n#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { \
         #[record(timestamp = \"us\")] a: Time }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "Time",
            "`timestamp` needs a signed integer of 64 bits: write `i64` or \
                 `flatrec::le::I64` in place of `Time`",
        )],
    ),
];
