//! The house rules that a machine can check: which modules may use which, and the largest lengths.
//!
//! - A module of `src/` uses only modules of lower rank, and names them from where they live:
//!   `crate::x` and a `super::` that climbs as far are read alike.
//! - The files of a folder use one another in no ring, a parent with its own children excepted.
//! - Files, functions and lines have a length ([`FILE_LINES_MAX`] and so on), and so have
//!   the lines of documents.
//! - `unsafe` stays where it has a home or a reason ([`UNSAFE_HOMES`], [`UNSAFE_FILES`]).
//! - Some calls have no place in a library ([`BANNED`]).
//! - Sentences name their actors ([`words`]).
//!
//! All checks but the last read tokens. They ignore comments, strings and character literals, and
//! do not expand macros.

mod paths;
mod rings;
mod tokens;
mod words;

use std::fs;
use std::path::Path;

use paths::paths;
use tokens::{Token, tokens};

/// Modules of `src/`, lowest first. Modules on one line may not use one another.
const RANKS: &[&[&str]] = &[
    &["documents", "error", "number"],
    &["step", "trace"],
    &["os"],
    &["format"],
    &["io"],
    &["shm"],
    &["mapping", "array", "overlay", "sums", "wal"],
    &["txn"],
    &["store"],
    &["db"],
    &["maintenance"],
    &["sim", "index", "query"],
    &["exchange"],
    &["foreign"],
];

const FOLDERS: &[&str] =
    &["src", "derive/src", "cli/src", "cli/tests", "tests", "benches", "examples", "scripts"];
const FILE_LINES_MAX: usize = 600;
const FUNCTION_LINES_MAX: usize = 70;
const LINE_CHARS_MAX: usize = 100;

/// Folders that may use `unsafe`.
const UNSAFE_HOMES: &[&str] =
    &["src/os/", "src/io/", "src/shm/words.rs", "src/mapping/", "src/array/"];

/// Other files of `src/` and `cli/src/` that may use `unsafe`, each with its reason.
const UNSAFE_FILES: &[(&str, &str)] = &[
    ("src/sim/exclusive.rs", "opens stores over a simulated disk that is the history's alone"),
    ("src/sim/transactional.rs", "opens stores over a simulated disk that is the history's alone"),
    ("src/format/record.rs", "Record is an unsafe trait, and its casts are what it promises"),
    (
        "src/store/exclusive_file.rs",
        "passes on its opener's promise that only this handle changes the file",
    ),
    (
        "src/store/exclusive_file/resume.rs",
        "as src/store/exclusive_file.rs, for a store that was left unfinished",
    ),
    ("src/store/opening.rs", "asks that promise of a caller that opens files of its own"),
    ("src/db/database/opening.rs", "asks that promise of callers with a backing of their own"),
    ("src/txn/engine/mod.rs", "shows its transaction the file, which its locks keep for it"),
    ("src/foreign/in_place.rs", "lends records of a file that its caller promises not to change"),
    ("src/db/snapshot.rs", "lends records of a state, which the engine keeps as they are"),
    ("src/db/tests.rs", "tests of what is opened by that promise"),
    ("src/maintenance/scan/tests.rs", "tests of what is opened by that promise"),
    ("cli/src/bench/ways/map.rs", "is what the safe ways are measured against"),
    ("cli/src/interrupt/console.rs", "asks Windows for the events of the console"),
    ("cli/src/interrupt/signals.rs", "asks what becomes of a signal"),
];

/// Calls that `src/` and `cli/src/` may not use outside tests, as tokens; the folders and files
/// that may; and the reason.
const BANNED: &[(&[&str], &[&str], &str)] = &[
    (&["todo", "!"], &[], "finish it"),
    (&["unimplemented", "!"], &[], "finish it, or return ErrorKind::Unsupported"),
    (&["dbg", "!"], &[], "remove it"),
    // The listed files wait for a lock for a limited time, which no system offers, or for another
    // process's report, which not every system offers.
    (
        &["thread", ":", ":", "sleep"],
        &["src/shm/lock_file.rs", "src/os/mod.rs"],
        "wait for what happens, not for time",
    ),
    (&["println", "!"], &["cli/src/"], "a library does not print"),
    (&["print", "!"], &["cli/src/"], "a library does not print"),
    (&["eprintln", "!"], &["cli/src/"], "a library does not print"),
    (&["eprint", "!"], &["cli/src/"], "a library does not print"),
    (&["fs2", ":", ":"], &["src/os/"], "one folder changes when fs2 must be replaced"),
];

/// Finds code that breaks a house rule.
#[test]
fn the_code_keeps_the_house_rules() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in FOLDERS {
        collect(root, &root.join(folder), &mut files);
    }
    assert!(files.iter().any(|(path, _)| path == "src/lib.rs"), "no sources found");
    assert!(files.iter().any(|(path, _)| path == "tests/tidy/main.rs"), "no tests found");

    let mut faults: Vec<String> =
        files.iter().flat_map(|(path, source)| faults_of(path, source)).collect();
    faults.extend(rings::faults(&files));
    for (path, reason) in UNSAFE_FILES {
        let folder = path.split_inclusive('/').next().unwrap_or(path);
        if !files.iter().any(|(file, _)| file.starts_with(folder)) {
            continue; // The published crate has no command.
        }
        let used = files.iter().any(|(file, source)| file == path && says_unsafe(source));
        if !used {
            faults.push(format!("{path}: it uses no unsafe ({reason}): remove it from the list"));
        }
    }
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Finds a line of a document that is too long.
#[test]
fn documents_have_short_lines() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    words::collect(root, root, &mut files);
    files.retain(|(path, _)| path.ends_with(".md"));
    assert!(files.iter().any(|(path, _)| path == "README.md"), "no documents found");
    let faults: Vec<String> = files
        .iter()
        .flat_map(|(path, text)| long_lines(text).map(move |(line, fault)| (path, line, fault)))
        .map(|(path, line, fault)| format!("{path}:{line}: {fault}"))
        .collect();
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

/// Finds a module of `tests/it` or `tests/longer` that its program does not run. Cargo finds the
/// programs of `tests/` itself, but not their modules.
#[test]
fn the_integration_tests_name_each_of_their_modules() {
    for program in ["it", "longer"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(program);
        let main = fs::read_to_string(folder.join("main.rs")).unwrap();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let module = path.file_stem().unwrap().to_str().unwrap();
            let named = main.lines().any(|line| line == format!("mod {module};"));
            assert!(named || module == "main", "tests/{program}/main.rs does not name {module}");
        }
    }
}

/// Adds the Rust files below `folder` by their paths from `root`, with slashes on every system.
fn collect(root: &Path, folder: &Path, into: &mut Vec<(String, String)>) {
    let Ok(entries) = fs::read_dir(folder) else {
        return; // The crate or its package does not have this folder.
    };
    for entry in entries {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if path.file_name().is_some_and(|name| name != "target") {
                collect(root, &path, into);
            }
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let name = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            into.push((name, fs::read_to_string(&path).unwrap()));
        }
    }
}

/// Returns the faults of a file.
fn faults_of(path: &str, source: &str) -> Vec<String> {
    let tokens = tokens(source);
    let mut faults = lengths(source);
    faults.extend(long_functions(&tokens));
    if path.starts_with("src/") {
        faults.extend(upward_uses(path, &tokens));
    }
    if path.starts_with("src/") || path.starts_with("cli/src/") {
        faults.extend(homeless_unsafe(path, &tokens));
        faults.extend(banned_calls(path, &tokens));
    }
    faults.iter().map(|(line, fault)| format!("{path}:{line}: {fault}")).collect()
}

/// A line, counted from 1, and its fault.
type Fault = (usize, String);

fn lengths(source: &str) -> Vec<Fault> {
    let mut faults = Vec::new();
    let lines = source.lines().count();
    if lines > FILE_LINES_MAX {
        faults.push((lines, format!("the file has {lines} lines, of {FILE_LINES_MAX}")));
    }
    faults.extend(long_lines(source));
    faults
}

fn long_lines(text: &str) -> impl Iterator<Item = Fault> {
    let lines = text.lines().map(|line| line.chars().count()).enumerate();
    lines
        .filter(|(_, chars)| *chars > LINE_CHARS_MAX)
        .map(|(index, chars)| (index + 1, format!("the line has {chars} characters")))
}

fn long_functions(tokens: &[Token<'_>]) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (index, pair) in tokens.windows(2).enumerate() {
        // `fn` without a name is a pointer type.
        if pair[0].text != "fn" || !pair[1].is_word() {
            continue;
        }
        let Some(end) = end_of_item(tokens, index) else { continue };
        let lines = tokens[end].line - pair[0].line + 1;
        if lines > FUNCTION_LINES_MAX {
            faults.push((pair[0].line, format!("fn {} has {lines} lines", pair[1].text)));
        }
    }
    faults
}

fn upward_uses(path: &str, tokens: &[Token<'_>]) -> Vec<Fault> {
    let module = module_of(path);
    let own = module[0].as_str();
    if own == "lib" {
        return Vec::new(); // The crate's root uses every module.
    }
    let Some(own_rank) = rank_of(own) else {
        return vec![(1, format!("module {own} has no rank: see RANKS"))];
    };
    let mut faults = Vec::new();
    let mut used: Vec<(usize, String)> =
        paths(&module, tokens).into_iter().map(|(line, path)| (line, path[0].clone())).collect();
    used.dedup();
    for (line, used) in used.into_iter().filter(|(_, used)| used != own) {
        match rank_of(&used) {
            Some(rank) if rank < own_rank => {}
            Some(_) => faults.push((line, format!("{own} may not use {used}: see RANKS"))),
            None => {
                let fault = format!("crate::{used} is no module: name it from where it lives");
                faults.push((line, fault));
            }
        }
    }
    faults
}

/// The module that a file of `src/` is, from the crate's root.
fn module_of(path: &str) -> paths::Path {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs").trim_end_matches("/mod");
    inside.split('/').map(str::to_owned).collect()
}

fn rank_of(module: &str) -> Option<usize> {
    RANKS.iter().position(|equals| equals.contains(&module))
}

fn homeless_unsafe(path: &str, tokens: &[Token<'_>]) -> Vec<Fault> {
    let at_home = UNSAFE_HOMES.iter().any(|home| path.starts_with(home));
    if at_home || UNSAFE_FILES.iter().any(|(file, _)| *file == path) {
        return Vec::new();
    }
    let found = tokens.iter().filter(|token| token.text == "unsafe");
    found.map(|token| (token.line, "unsafe away from home: see UNSAFE_HOMES".into())).collect()
}

fn says_unsafe(source: &str) -> bool {
    tokens(source).iter().any(|token| token.text == "unsafe")
}

fn banned_calls(path: &str, tokens: &[Token<'_>]) -> Vec<Fault> {
    if path.ends_with("/tests.rs") || path.contains("/tests/") {
        return Vec::new();
    }
    let in_test = test_code(tokens);
    let mut faults = Vec::new();
    for (call, welcome_in, why) in BANNED {
        if welcome_in.iter().any(|place| path.starts_with(place)) {
            continue;
        }
        for (index, window) in tokens.windows(call.len()).enumerate() {
            let found = window.iter().map(|token| token.text).eq(call.iter().copied());
            if found && !in_test[index] {
                faults.push((window[0].line, format!("{}: {why}", call.concat())));
            }
        }
    }
    faults
}

/// Says for each token whether it belongs to an item under `#[cfg(test)]` or `#[test]`.
fn test_code(tokens: &[Token<'_>]) -> Vec<bool> {
    const MARKS: &[&[&str]] = &[
        &["#", "[", "cfg", "(", "test", ")", "]"],
        &["#", "[", "cfg", "(", "all", "(", "test", ","],
        &["#", "[", "test", "]"],
    ];
    let mut marked = vec![false; tokens.len()];
    for index in 0..tokens.len() {
        let rest = || tokens[index..].iter().map(|token| token.text);
        if MARKS.iter().any(|mark| rest().take(mark.len()).eq(mark.iter().copied())) {
            let end = end_of_item(tokens, index).unwrap_or(tokens.len() - 1);
            marked[index..=end].fill(true);
        }
    }
    marked
}

/// The end of the item that begins at `start`: the brace that closes its first brace, or a
/// semicolon before any brace. Skips parentheses and brackets.
fn end_of_item(tokens: &[Token<'_>], start: usize) -> Option<usize> {
    let mut braces = 0_usize;
    let mut others = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(start) {
        match token.text {
            "(" | "[" => others += 1,
            ")" | "]" => others = others.saturating_sub(1),
            "{" if braces > 0 || others == 0 => braces += 1,
            "}" if braces == 1 => return Some(index),
            "}" => braces = braces.saturating_sub(1),
            ";" if braces == 0 && others == 0 => return Some(index),
            _ => {}
        }
    }
    None
}

mod tests {
    use super::*;

    fn texts(source: &str) -> String {
        let texts: Vec<&str> = tokens(source).iter().map(|token| token.text).collect();
        texts.join(" ")
    }

    /// The lines of the faults that `check` finds.
    fn lines(faults: Vec<Fault>) -> Vec<usize> {
        faults.into_iter().map(|(line, _)| line).collect()
    }

    /// Finds a comment, string or lifetime that the rules take for code.
    #[test]
    fn tokens_leave_out_what_is_not_code() {
        assert_eq!(texts("a // b\nc /* d /* e */ f */ g"), "a c g");
        assert_eq!(texts(r#"a("b \" unsafe", 'c', '\'', '"', b'x', b"y")"#), "a ( , , , , , )");
        assert_eq!(texts("r\"a\\\" b r#\"c \" d\"# e br##\"f\"# g\"## h"), "b e h");
        assert_eq!(texts("fn f<'a>(x: &'a str) -> '_ {}"), "fn f < > ( x : & str ) - > { }");
        assert_eq!(texts("let r#type = b + c; 'é' 'ß"), "let r # type = b + c ;");
        assert_eq!(texts("\"open"), "");
        assert_eq!(texts("/* open"), "");
        let lines: Vec<usize> = tokens("a\n\"b\nc\" d\n/*\n*/ e").iter().map(|t| t.line).collect();
        assert_eq!(lines, [1, 3, 5]);
    }

    /// Finds a form of `use` that the rule about ranks overlooks.
    #[test]
    fn upward_uses_are_found_however_they_are_written() {
        let check = |path: &str, source| lines(upward_uses(path, &tokens(source)));
        assert!(check("src/array/mod.rs", "use crate::format::Field;\nuse crate::os;").is_empty());
        assert!(check("src/array/mod.rs", "use crate::array::a; use super::os::x;").is_empty());
        assert!(check("src/lib.rs", "use crate::db::X;").is_empty());

        assert_eq!(check("src/os/unix.rs", "\nuse crate::io::View;"), [2]);
        assert_eq!(check("src/os/unix.rs", "fn f() { crate::db::g() }"), [1]);
        assert_eq!(
            check("src/format/a.rs", "use crate::{\n os::{x, db},\n wal::y,\n db};"),
            [3, 4]
        );
        assert_eq!(check("src/query/mod.rs", "use crate::sim::Disk;"), [1], "a sibling");
        assert_eq!(check("src/error.rs", "use crate::os::page;"), [1]);
        assert_eq!(check("src/db/mod.rs", "use crate::Store;"), [1], "through the root");
        assert_eq!(check("src/db/mod.rs", "use crate::*;"), [1]);
        assert_eq!(check("src/attic/mod.rs", ""), [1], "no rank");
    }

    /// Finds a path through `super` that the rule about ranks overlooks.
    #[test]
    fn upward_uses_are_found_through_super() {
        let check = |path: &str, source| lines(upward_uses(path, &tokens(source)));
        assert_eq!(check("src/os/mod.rs", "use super::db::X;"), [1]);
        assert_eq!(check("src/os/unix.rs", "use super::super::{error, db};"), [1]);
        assert!(check("src/os/unix.rs", "use super::db;").is_empty(), "that is os::db");
        assert!(check("src/db/mod.rs", "use super::os::X;").is_empty());
        let in_tests = "mod tests { use super::super::db; mod inner {} } use super::super::wal;";
        assert_eq!(check("src/os/unix.rs", &in_tests.replace("} use", "}\nuse")), [2]);
    }

    /// Finds a limit that is off by one.
    #[test]
    fn lengths_are_counted_to_the_line_and_the_character() {
        let lines_of = |count: usize| "x\n".repeat(count);
        assert!(lengths(&lines_of(FILE_LINES_MAX)).is_empty());
        assert_eq!(lengths(&lines_of(FILE_LINES_MAX + 1)).len(), 1);
        assert!(lengths(&"ä".repeat(LINE_CHARS_MAX)).is_empty());
        let long = format!("short\n{}", "x".repeat(LINE_CHARS_MAX + 1));
        assert_eq!(lines(lengths(&long)), [2]);
    }

    /// Finds a function that is counted too long or too short.
    #[test]
    fn functions_end_where_their_braces_close() {
        let function = |lines: usize| {
            let body = "    if x { '{'; \"}\"; } // {\n".repeat(lines - 2);
            format!("fn f(x: [u8; 2]) -> bool {{\n{body}}}\nfn g();\n")
        };
        assert!(long_functions(&tokens(&function(FUNCTION_LINES_MAX))).is_empty());
        let long = format!("\n{}", function(FUNCTION_LINES_MAX + 1));
        assert_eq!(lines(long_functions(&tokens(&long))), [2]);
        let pointers = format!("type F = fn(u8);{}fn f() {{}}", "\n".repeat(100));
        assert!(long_functions(&tokens(&pointers)).is_empty());
    }

    /// Finds an `unsafe` that the rule overlooks, or one in a comment that it reports.
    #[test]
    fn unsafe_has_a_home() {
        let source = "// unsafe\nfn f() { unsafe { g() } }";
        assert_eq!(lines(homeless_unsafe("src/db/mod.rs", &tokens(source))), [2]);
        assert!(homeless_unsafe("src/os/unix.rs", &tokens(source)).is_empty());
        assert!(homeless_unsafe("src/io/view.rs", &tokens(source)).is_empty());
        assert!(homeless_unsafe("src/db/mod.rs", &tokens("#![deny(unsafe_code)]")).is_empty());
        assert!(says_unsafe(source) && !says_unsafe("// unsafe"));
    }

    /// Finds a banned call that the rule overlooks, or one in a test that it reports.
    #[test]
    fn banned_calls_are_found_outside_tests() {
        let check = |path: &str, source: &str| lines(banned_calls(path, &tokens(source)));
        let source = "fn f() {\n todo!();\n dbg!(1);\n std::thread::sleep(t);\n println!();\n}";
        assert_eq!(check("src/db/mod.rs", source), [2, 3, 4, 5]);
        assert_eq!(check("cli/src/info.rs", source), [2, 3, 4]);
        assert_eq!(check("src/db/mod.rs", "fn f() { unimplemented!() }"), [1]);
        assert_eq!(check("src/io/mod.rs", "fs2::FileExt::unlock(f)"), [1]);
        assert!(check("src/os/unix.rs", "fs2::FileExt::unlock(f)").is_empty());
        assert!(check("src/db/mod.rs", "// todo!()\nlet x = \"dbg!\"; let todo = 1;").is_empty());

        let in_tests = "#[cfg(test)]\nmod tests {\n fn f() { dbg!(1); }\n}\nfn g() { dbg!(2); }";
        assert_eq!(check("src/db/mod.rs", in_tests), [5]);
        let method = "#[cfg(all(test, unix))]\nfn f(x: [u8; 2]) { dbg!(1) }\nfn g() { dbg!(2) }";
        assert_eq!(check("src/db/mod.rs", method), [3]);
        assert_eq!(check("src/db/mod.rs", "#[cfg(test)]\nmod tests;\nfn g() { dbg!(2) }"), [3]);
        assert!(check("src/db/tests.rs", source).is_empty());
        assert!(check("src/db/tests/deep.rs", source).is_empty());
    }

    /// Finds a fault that names the wrong place.
    #[test]
    fn a_fault_names_its_file_and_line() {
        let faults = faults_of("src/os/x.rs", "\nuse crate::db::X;\n");
        assert_eq!(faults, ["src/os/x.rs:2: os may not use db: see RANKS"]);
        assert!(
            faults_of("tests/x.rs", "use crate::db::X; fn f() { unsafe { dbg!(1) } }").is_empty()
        );
    }
}
