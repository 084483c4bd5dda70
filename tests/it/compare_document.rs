//! docs/COMPARE.md shows the programs of compare/, which `scripts/compare.sh` builds and runs.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

const DOCUMENT: &str = include_str!("../../docs/COMPARE.md");

/// The programs by their names.
fn programs() -> BTreeMap<String, String> {
    let compare = Path::new(env!("CARGO_MANIFEST_DIR")).join("compare");
    let mut programs = BTreeMap::new();
    for (folder, extension) in [(compare.join("src/bin"), "rs"), (compare, "py")] {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|it| it == extension) {
                let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
                programs.insert(name, fs::read_to_string(path).unwrap());
            }
        }
    }
    programs
}

/// The text of each block of Rust or Python in the document, after the heading above it.
fn blocks() -> Vec<(&'static str, String)> {
    let mut blocks = Vec::new();
    let mut heading = "";
    let mut lines = DOCUMENT.lines();
    while let Some(line) = lines.next() {
        if let Some(title) = line.strip_prefix("### ") {
            heading = title;
        } else if line.starts_with("```rust") || line == "```python" {
            let text = lines.by_ref().take_while(|line| *line != "```");
            blocks.push((heading, text.map(|line| format!("{line}\n")).collect()));
        }
    }
    blocks
}

/// Finds a program that was changed in only one of the two places.
#[test]
fn the_document_shows_the_programs_as_they_are() {
    let mut programs = programs();
    assert!(programs.len() > 2, "no programs found");
    for (heading, text) in blocks() {
        let shown = programs.iter().find(|(_, program)| **program == text);
        let name = shown.map(|(name, _)| name.clone());
        let name = name.unwrap_or_else(|| panic!("{heading}: no file of compare/ has its text"));
        programs.remove(&name);
    }
    assert!(programs.is_empty(), "the document does not show {:?}", programs.keys());
}

/// Finds a table that counts the lines of an earlier program.
#[test]
fn the_documents_table_has_the_lines_of_each_program() {
    for (name, program) in programs() {
        let row = format!("| `{name}` | {} |", program.lines().count());
        assert!(DOCUMENT.lines().any(|line| line.starts_with(&row)), "no row begins with {row}");
    }
}
