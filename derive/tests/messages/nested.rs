//! Nested records.

use crate::{Row, check};

/// A record that nests another type.
fn nesting(declarations: &str, field_type: &str) -> String {
    format!(
        "#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\nstruct Leg {{ id: u8 }}\n\
         {declarations}\n#[derive(Clone, Copy, flatrec::Record)]\n#[repr(C)]\n\
         struct A {{ #[record(nested)] a: {field_type} }}\nfn user(_: flatrec::Store<A>) {{}}\n"
    )
}

/// Finds a nested record that is refused, or a fault that is several errors or does not say what to
/// write.
#[test]
fn a_nested_record_with_a_fault_is_one_error_that_says_what_to_write() {
    let null = "only a field can be null, and a nested record is several fields (write";
    let fault = |declarations: &str, of: &str, text: &str| {
        Row::new(of, nesting(declarations, of), &[(of, text)])
    };
    check(&[
        Row::new("a record", nesting("", "Leg"), &[]),
        Row::new("an array", nesting("", "[Leg; 3]"), &[]),
        Row::new("an alias", nesting("type Legs = [Leg; 2];", "Legs"), &[]),
        fault(
            "",
            "flatrec::Nullable<Leg>",
            &format!(
                "a record cannot nest `flatrec::Nullable<Leg>`: {null} `Leg` and make its fields \
                 nullable)"
            ),
        ),
        fault(
            "",
            "[Option<Leg>; 2]",
            &format!(
                "a record cannot nest `[Option<Leg>; 2]`: {null} `[Leg; 2]` and make its fields \
                 nullable)"
            ),
        ),
        fault(
            "",
            "[[Leg; 2]; 4]",
            "a record cannot nest `[[Leg; 2]; 4]`: an array of nested records has one dimension \
             (write `[Leg; N]`, where N is the number of all)",
        ),
        fault("", "[Leg; 0]", "an array needs at least one record: write a length above 0"),
        fault(
            "",
            "[Leg; 70_000]",
            "an array has at most 65536 nested records: write a smaller length",
        ),
        fault("", "u32", "`u32` is not a record, so a record cannot nest it"),
        fault(
            "",
            "bool",
            "a record cannot hold `bool`: not every pattern of its bytes is valid (write \
             `flatrec::Bool`)",
        ),
        fault(
            "#[derive(Clone, Copy)]\nstruct Plain { id: u8 }",
            "Plain",
            "`Plain` is not a record, so a record cannot nest it",
        ),
        fault(
            "type Maybe = flatrec::Nullable<Leg>;",
            "Maybe",
            "`Nullable<Leg>` is not a record, so a record cannot nest it",
        ),
    ]);
}
