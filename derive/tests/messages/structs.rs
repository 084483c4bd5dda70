//! Structs whose kind or layout is not that of a record.

use crate::{Row, check};

/// Finds a struct that is several errors, or one that does not say what to write: each fault is an
/// error of its own, and a use of the record is not.
#[test]
fn a_struct_with_a_fault_is_one_error_that_says_what_to_write() {
    let rows = STRUCTS.iter().map(|(name, program, expected)| Row::new(name, *program, expected));
    check(&rows.collect::<Vec<_>>());
}

/// A name, the program, and the parts of it that are marked with their texts.
const STRUCTS: crate::Programs = &[
    (
        "no repr",
        "#[derive(Clone, Copy, flatrec::Record)]\nstruct A { a: u8 }\nfn user(_: \
         flatrec::Store<A>) {}\n",
        &[(
            "A",
            "a record's layout must be stated, because files outlive compilers: add \
                 `#[repr(C)]` (naturally aligned) or `#[repr(C, packed)]` (no padding)",
        )],
    ),
    (
        "packed alone",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(packed)]\nstruct A { a: u8 }\nfn \
         user(_: flatrec::Store<A>) {}\n",
        &[(
            "A",
            "a record's layout must be stated, because files outlive compilers: add \
                 `#[repr(C)]` (naturally aligned) or `#[repr(C, packed)]` (no padding)",
        )],
    ),
    (
        "align alone",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(align(8))]\nstruct A { a: u64 }\nfn \
         user(_: flatrec::Store<A>) {}\n",
        &[(
            "A",
            "a record's layout must be stated, because files outlive compilers: add \
                 `#[repr(C)]` (naturally aligned) or `#[repr(C, packed)]` (no padding)",
        )],
    ),
    (
        "not Copy",
        "#[derive(flatrec::Record)]\n#[repr(C)]\nstruct A { a: u8, b: [u8; 2] }\nfn user(_: \
         flatrec::Store<A>) {}\n",
        &[("A", "the trait bound `A: Copy` is not satisfied")],
    ),
    (
        "a type parameter",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A<T> { a: T }\nfn user(_: \
         flatrec::Store<A<u8>>) {}\n",
        &[(
            "<T>",
            "a record cannot be generic, because a file has one layout, which is checked \
                 where the struct is written: write a struct for each type or length, for \
                 example with a `macro_rules!`",
        )],
    ),
    (
        "a length parameter",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A<const N: usize> { a: \
         [u8; N] }\nfn user(_: flatrec::Store<A<4>>) {}\n",
        &[(
            "<const N: usize>",
            "a record cannot be generic, because a file has one layout, which is checked \
                 where the struct is written: write a struct for each type or length, for \
                 example with a `macro_rules!`",
        )],
    ),
    (
        "a lifetime",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A<'a> { a: &'a str }\nfn \
         user(_: flatrec::Store<A<'static>>) {}\n",
        &[(
            "&'a str",
            "a record cannot hold `&'a str`: its content lies elsewhere in memory, and a \
                 file keeps only the record (write `flatrec::Utf8<N>`, or `[u8; N]` with \
                 `#[record(utf8)]`: N is the longest text, in bytes)",
        )],
    ),
    (
        "a lifetime of a marker",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A<'a> { a: Of<'a> \
         }\n#[derive(Clone, Copy)]\nstruct Of<'a>(&'a u8);\n",
        &[(
            "<'a>",
            "a record cannot be generic, because a file has one layout, which is checked \
                 where the struct is written: write a struct for each type or length, for \
                 example with a `macro_rules!`",
        )],
    ),
    (
        "a parameter with bounds",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A<T: Copy = u8> where T: \
         Send { a: T }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "<T: Copy = u8>",
            "a record cannot be generic, because a file has one layout, which is checked \
                 where the struct is written: write a struct for each type or length, for \
                 example with a `macro_rules!`",
        )],
    ),
    (
        "an enum",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(u8)]\nenum A { B, C }\nfn user(_: \
         flatrec::Store<A>) {}\n",
        &[(
            "A",
            "an enum cannot be a record, because not every byte is one of its variants: \
                 derive `flatrec::RecordEnum`, and write a struct with a field `Enum<A>`",
        )],
    ),
    (
        "a union",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nunion A { a: u8, b: i8 }\nfn \
         user(_: flatrec::Store<A>) {}\n",
        &[(
            "A",
            "a union cannot be a record, because a file does not know which of its fields \
                 is in use: write a struct",
        )],
    ),
    (
        "a tuple struct",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A(u8, u16);\nfn user(_: \
         flatrec::Store<A>) {}\n",
        &[(
            "A",
            "a record's fields need names, which the file keeps: write `struct A { name: \
                 type, … }`",
        )],
    ),
    (
        "a unit struct",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A;\nfn user(_: \
         flatrec::Store<A>) {}\n",
        &[(
            "A",
            "a record's fields need names, which the file keeps: write `struct A { name: \
                 type, … }`",
        )],
    ),
    (
        "no fields",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A {}\nfn user(_: \
         flatrec::Store<A>) {}\n",
        &[("A", "a record needs at least one field: write `struct A { name: type, … }`")],
    ),
    (
        "transparent tuple",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(transparent)]\nstruct A(u64);\nfn \
         user(_: flatrec::Store<A>) {}\n",
        &[(
            "A",
            "a record's fields need names, which the file keeps: write `struct A { name: \
                 type, … }`",
        )],
    ),
    (
        "an attribute of a field",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[record(rename = \
         \"b\")]\n#[repr(C)]\nstruct A { a: u8 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "rename",
            "unknown attribute `rename` (`rename` belongs on a field): a struct takes \
                 `getters` and `crate = \"path\"`",
        )],
    ),
    (
        "an unknown attribute",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[record(table = \"b\")]\n#[repr(C)]\nstruct \
         A { a: u8 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "table",
            "unknown attribute `table`: a struct takes `getters` and \
             `crate = \"path\"`",
        )],
    ),
    (
        "crate without a path",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[record(crate)]\n#[repr(C)]\nstruct A { a: \
         u8 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("crate", "`crate` needs the path of flatrec: write `crate = \"path\"`")],
    ),
    (
        "crate with a number",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[record(crate = \"1\")]\n#[repr(C)]\nstruct \
         A { a: u8 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("\"1\"", "`crate` needs the path of flatrec: write `crate = \"path\"`")],
    ),
    (
        "a transparent record",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(transparent)]\nstruct A { a: u64 }\nfn \
         user(_: flatrec::Store<A>) {}\n",
        &[(
            "transparent",
            "a record cannot be transparent, because it could never get a second field: write \
             `#[repr(C)]`, which lays out one field the same",
        )],
    ),
    (
        "getters twice",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[record(getters)]\n#[record(getters)]\n\
         #[repr(C)]\nstruct A { a: u8 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("getters", "the struct has `getters` twice: remove one")],
    ),
    (
        "crate twice",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[record(crate = \"flatrec\", crate = \
         \"flatrec\")]\n#[repr(C)]\nstruct A { a: u8 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("crate = \"flatrec\"", "the struct has `crate` twice: remove one")],
    ),
    (
        "padding between",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { flag: u8, at: u64 \
         }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "at",
            "`A` has 7 bytes of padding between `flag` and `at`, which a file cannot hold: \
                 write `#[record(skip)] _padding: [u8; 7]` between them, or state `#[repr(C, \
                 packed)]`",
        )],
    ),
    (
        "padding of one byte",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { flag: u8, count: u16 \
         }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "count",
            "`A` has 1 byte of padding between `flag` and `count`, which a file cannot \
                 hold: write `#[record(skip)] _padding: [u8; 1]` between them, or state \
                 `#[repr(C, packed)]`",
        )],
    ),
    (
        "padding after",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { at: u64, count: u32 \
         }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "count",
            "`A` has 4 bytes of padding after `count`, which a file cannot hold: write \
                 `#[record(skip)] _padding: [u8; 4]` after it, or state `#[repr(C, packed)]`",
        )],
    ),
    (
        "two gaps",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { flag: u8, count: u16, \
         _padding: [u8; 2], third: u8, rest: u64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[
            (
                "count",
                "`A` has 1 byte of padding between `flag` and `count`, which a file cannot \
                 hold: write `#[record(skip)] _padding2: [u8; 1]` between them, or state \
                 `#[repr(C, packed)]`",
            ),
            (
                "rest",
                "`A` has 1 byte of padding between `third` and `rest`, which a file cannot \
                 hold: write `#[record(skip)] _padding3: [u8; 1]` between them, or state \
                 `#[repr(C, packed)]`",
            ),
        ],
    ),
    (
        "padding in packed(2)",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C, packed(2))]\nstruct A { flag: u8, \
         at: u64 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "at",
            "`A` has 1 byte of padding between `flag` and `at`, which a file cannot hold: \
                 write `#[record(skip)] _padding: [u8; 1]` between them, or state `#[repr(C, \
                 packed)]`",
        )],
    ),
    (
        "padding from align",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C, align(8))]\nstruct A { flag: u8 \
         }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "flag",
            "`A` has 7 bytes of padding after `flag`, which a file cannot hold: write \
                 `#[record(skip)] _padding: [u8; 7]` after it",
        )],
    ),
    (
        "raw name",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { r#type: u8, at: u32 \
         }\nfn user(_: flatrec::Store<A>) {}\n",
        &[(
            "at",
            "`A` has 3 bytes of padding between `r#type` and `at`, which a file cannot \
                 hold: write `#[record(skip)] _padding: [u8; 3]` between them, or state \
                 `#[repr(C, packed)]`",
        )],
    ),
    (
        "padding before a skipped field",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { flag: u8, \
         #[record(skip)] rest: [u16; 2] , more: u8}\nfn user(_: flatrec::Store<A>) {}\n",
        &[
            (
                "rest",
                "`A` has 1 byte of padding between `flag` and `rest`, which a file cannot \
                 hold: write `#[record(skip)] _padding: [u8; 1]` between them, or state \
                 `#[repr(C, packed)]`",
            ),
            (
                "more",
                "`A` has 1 byte of padding after `more`, which a file cannot hold: write \
                 `#[record(skip)] _padding2: [u8; 1]` after it, or state `#[repr(C, packed)]`",
            ),
        ],
    ),
    (
        "too large",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct A { a: [u8; 10_000_000], \
         b: [u8; 10_000_000] }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("A", "a record has at most 16 MiB: write smaller fields, or several records")],
    ),
    (
        "aligned too much",
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C, align(8192))]\nstruct A { a: [u8; \
         8192] }\nfn user(_: flatrec::Store<A>) {}\n",
        &[("A", "a record is aligned to 4096 bytes at most: write `align(4096)` or less")],
    ),
    (
        "several faults",
        "#[derive(Clone, Copy, flatrec::Record)]\nstruct A { #[record(timestamp = \"h\")] a: \
         bool, #[record(color)] b: u8 }\nfn user(_: flatrec::Store<A>) {}\n",
        &[
            (
                "A",
                "a record's layout must be stated, because files outlive compilers: add \
                 `#[repr(C)]` (naturally aligned) or `#[repr(C, packed)]` (no padding)",
            ),
            ("\"h\"", "the unit of a timestamp is \"s\", \"ms\", \"us\" or \"ns\", and not \"h\""),
            (
                "bool",
                "a record cannot hold `bool`: not every pattern of its bytes is valid (write \
                 `flatrec::Bool`)",
            ),
            ("color", "unknown attribute `color`: a field takes {takes}"),
        ],
    ),
];
