//! docs/WIN32.md agrees with the code: every name that it calls flatrec's own exists and is public.
//!
//! The documentation's examples compile and run its Rust. This test reads the tables and the notes
//! under them. Each name between backticks in a last column, and each `Type::member` anywhere, must
//! be in the sources or in [`NOT_OURS`].

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

const DOCUMENT: &str = include_str!("../../docs/WIN32.md");

/// Names of others in last columns, and paths of others anywhere.
const NOT_OURS: &[&str] =
    &["Command::stdin", "File::set_modified", "File::try_clone", "SeCreateGlobalPrivilege", "Vec"];

/// The calls that a Win32 programmer looks for.
const SOUGHT: &[&str] = &[
    "CreateFile",
    "CreateFileMapping",
    "OpenFileMapping",
    "MapViewOfFile",
    "MapViewOfFileEx",
    "MapViewOfFile3",
    "UnmapViewOfFile",
    "FlushViewOfFile",
    "FlushFileBuffers",
    "CloseHandle",
    "DuplicateHandle",
    "PAGE_READONLY",
    "PAGE_READWRITE",
    "PAGE_WRITECOPY",
    "FILE_MAP_READ",
    "FILE_MAP_WRITE",
    "FILE_MAP_COPY",
    "SEC_COMMIT",
    "SEC_RESERVE",
    "SEC_IMAGE",
    "SEC_LARGE_PAGES",
    "VirtualFree",
    "VirtualProtect",
    "VirtualLock",
    "VirtualUnlock",
    "VirtualQuery",
    "PrefetchVirtualMemory",
    "QueryWorkingSetEx",
    "SetProcessWorkingSetSize",
    "PageFaultCount",
    "EXCEPTION_IN_PAGE_ERROR",
    "ERROR_MAPPED_ALIGNMENT",
    "ERROR_USER_MAPPED_FILE",
    "ERROR_FILE_INVALID",
    "ERROR_NOT_ENOUGH_MEMORY",
    "ERROR_DISK_FULL",
    "FSCTL_SET_SPARSE",
    "FileAllocationInfo",
    "SetEndOfFile",
    "SetFileValidData",
    "LockFileEx",
    "ReplaceFile",
];

/// The cells of a line of a table, in which a pipe behind a backslash is text.
fn cells(line: &str) -> Vec<String> {
    let line = line.replace("\\|", "\u{1}");
    let inner = line.trim().trim_start_matches('|').trim_end_matches('|');
    inner.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect()
}

/// The texts between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// The text of the paragraphs and lists, without tables and blocks of code.
fn prose() -> String {
    let mut in_code = false;
    let mut prose = String::new();
    for line in DOCUMENT.lines() {
        if line.starts_with("```") {
            in_code = !in_code;
        } else if !in_code && !line.starts_with('|') {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// Every row of every table, without the head rows.
fn rows() -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut columns = None;
    for line in DOCUMENT.lines() {
        if !line.starts_with('|') {
            columns = None;
            continue;
        }
        let row = cells(line);
        match columns {
            None => {
                assert_eq!(row.last().map(String::as_str), Some("flatrec"), "{line}");
                columns = Some(row.len());
            }
            Some(columns) => {
                assert_eq!(row.len(), columns, "{line}");
                rows.push(row);
            }
        }
    }
    rows.retain(|row| !row.iter().all(|cell| cell == "---"));
    rows
}

fn sources(folder: &Path, into: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            into.push(fs::read_to_string(&path).unwrap());
        }
    }
}

/// Whether `text` has `word` as a whole word.
fn has_word(text: &str, word: &str) -> bool {
    let is_part = |character: char| character.is_alphanumeric() || character == '_';
    text.split(|character| !is_part(character)).any(|found| found == word)
}

fn is_declared(source: &str, kinds: &[&str], name: &str) -> bool {
    source.lines().map(str::trim_start).any(|line| {
        kinds.iter().any(|kind| {
            let rest = line.strip_prefix(kind).and_then(|rest| rest.strip_prefix(name));
            rest.is_some_and(|rest| !rest.starts_with(|next: char| next.is_alphanumeric()))
        })
    })
}

const FUNCTIONS: &[&str] = &["pub fn ", "pub unsafe fn "];
const TYPES: &[&str] = &["pub struct ", "pub enum ", "pub trait ", "pub type "];

/// Whether the member is declared in a file that declares or implements its type.
fn has_member(source: &str, of: &str, member: &str) -> bool {
    if !source.contains(of) || !source.contains(member) {
        return false;
    }
    let implements = source.lines().any(|line| line.starts_with("impl") && has_word(line, of));
    let is_trait = is_declared(source, &["pub trait "], of);
    let is_enum = is_declared(source, &["pub enum "], of);
    let is_struct = is_declared(source, &["pub struct "], of);
    (implements && is_declared(source, FUNCTIONS, member))
        || (is_trait && is_declared(source, &["fn "], member))
        || (is_enum && is_declared(source, &[""], member))
        || (is_struct && is_declared(source, &["pub "], member))
}

fn exists(sources: &[String], public: &str, name: &str) -> bool {
    match name.split_once("::") {
        Some((of, member)) => {
            has_word(public, of) && sources.iter().any(|source| has_member(source, of, member))
        }
        None => {
            let kinds = [TYPES, FUNCTIONS].concat();
            has_word(public, name) && sources.iter().any(|source| is_declared(source, &kinds, name))
        }
    }
}

/// The public names of the file: the text of its `pub use` statements.
fn exports(file: &Path) -> String {
    let source = fs::read_to_string(file).unwrap();
    // The statements of a public module in the file are indented.
    let source = source.replace("\n    pub use ", "\npub use ");
    let statements = source.split("\npub use ").skip(1);
    statements.map(|rest| rest.split(';').next().unwrap()).collect::<Vec<_>>().join("\n")
}

/// Finds a name in the Win32 document that the library no longer has.
#[test]
fn every_name_that_the_document_calls_ours_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    sources(&root, &mut all);
    let public = exports(&root.join("lib.rs"));

    let rows = rows();
    let is_path = |name: &&str| name.chars().all(|c| c.is_alphanumeric() || "_:".contains(c));
    let prose = prose();
    let in_tables = rows.iter().flat_map(|row| quoted(row.last().unwrap()));
    let is_member = |name: &&str| name.contains("::") && name.starts_with(char::is_uppercase);
    let in_prose = quoted(&prose).filter(is_member);
    let names = BTreeSet::from_iter(in_tables.chain(in_prose).filter(is_path));
    let not_ours = BTreeSet::from_iter(NOT_OURS.iter().copied());
    let missing: Vec<_> =
        names.difference(&not_ours).filter(|name| !exists(&all, &public, name)).collect();
    assert!(missing.is_empty(), "the sources do not have these as public names: {missing:?}");
    let unread: Vec<_> = not_ours.difference(&names).collect();
    assert!(unread.is_empty(), "the document does not have: {unread:?}");
}

/// Finds a Win32 call that the document leaves out.
#[test]
fn every_sought_call_is_in_a_table() {
    let rows = rows();
    for sought in SOUGHT {
        let is_there = rows.iter().any(|row| {
            let theirs = &row[..row.len() - 1];
            theirs.iter().flat_map(|cell| quoted(cell)).any(|text| has_word(text, sought))
        });
        assert!(is_there, "the tables do not have {sought}");
    }
}

/// Finds a row of the document without an answer.
#[test]
fn every_row_has_an_answer() {
    for row in rows() {
        let answer = row.last().unwrap();
        assert!(
            !answer.is_empty() && answer != "None",
            "the row has no answer and no reason: {row:?}"
        );
    }
}
