//! Prints the public items of a crate, one a line, from the JSON that rustdoc wrote.

use std::process::ExitCode;

use public_api::Builder;

/// Traits that the compiler implements by itself and that callers do not rely on.
const UNINTERESTING: &[&str] =
    &["Freeze", "RefUnwindSafe", "Unpin", "UnsafeUnpin", "UnwindSafe", "StructuralPartialEq"];

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1) else {
        eprintln!("usage: flatrec-public-api JSON");
        return ExitCode::from(2);
    };
    let items = match Builder::from_rustdoc_json(path).omit_blanket_impls(true).build() {
        Ok(items) => items,
        Err(error) => {
            eprintln!("flatrec-public-api: {error}");
            return ExitCode::FAILURE;
        }
    };
    for item in items.items().map(ToString::to_string).filter(|item| is_interesting(item)) {
        println!("{item}");
    }
    ExitCode::SUCCESS
}

fn is_interesting(item: &str) -> bool {
    // They exist in the documentation alone.
    if item.starts_with("pub mod flatrec::documents") {
        return false;
    }
    let Some((implemented, _)) = item.split_once(" for ") else { return true };
    let name = implemented.rsplit("::").next().unwrap_or_default();
    !(implemented.starts_with("impl") && UNINTERESTING.contains(&name))
}
