//! Rings of files: files of a folder of `src/` that use one another, directly or through others.
//!
//! A *unit* is a file of the folder with the folder of its children, if it has one. The folder's
//! own file (`mod.rs`, or `x.rs` beside `x/`) is the parent of all units. It may use them and they
//! may use it. A name that it passes on from a unit counts as that unit's. Code that only tests
//! compile may use everything.

use std::collections::{BTreeMap, BTreeSet};

use super::paths::{Path, paths, tree};
use super::tokens::{Token, text_at, tokens};
use super::{module_of, test_code};

/// The other units that each unit of a folder uses.
type Uses = BTreeMap<String, BTreeSet<String>>;

/// A module in a file of its own, without its code for tests.
struct Module<'a> {
    path: Path,
    tokens: Vec<Token<'a>>,
    /// The paths in it that begin with `crate` or `super`, from the crate's root.
    uses: Vec<Path>,
}

/// The folders with rings, each with its longest ring.
pub(crate) fn faults(files: &[(String, String)]) -> Vec<String> {
    let modules = modules(files);
    let folders: BTreeSet<&[String]> =
        modules.keys().filter(|path| path.len() > 1).map(|path| &path[..path.len() - 1]).collect();
    let mut faults = Vec::new();
    for folder in folders {
        let name = format!("src/{}", folder.join("/"));
        let ring = longest_ring(&uses_between_units(folder, &modules));
        if !ring.is_empty() {
            let files = ring.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
            faults.push(format!("{name}: {} files in a ring: {files}", ring.len()));
        }
    }
    faults
}

fn modules(files: &[(String, String)]) -> BTreeMap<Path, Module<'_>> {
    let mut modules = BTreeMap::new();
    let mut only_tests = Vec::new();
    for (file, source) in files {
        if !file.starts_with("src/") || file == "src/lib.rs" {
            continue;
        }
        let path = module_of(file);
        let all = tokens(source);
        let is_test = test_code(&all);
        for at in (0..all.len()).filter(|&at| is_test[at] && all[at].text == "mod") {
            if text_at(&all, at + 2) == ";" {
                only_tests.push([&path[..], &[text_at(&all, at + 1).to_owned()]].concat());
            }
        }
        let tokens: Vec<Token<'_>> =
            all.into_iter().zip(is_test).filter(|(_, test)| !test).map(|(it, _)| it).collect();
        let uses = paths(&path, &tokens).into_iter().map(|(_, used)| used).collect();
        modules.insert(path.clone(), Module { path, tokens, uses });
    }
    modules.retain(|path, _| !only_tests.iter().any(|test| path.starts_with(test)));
    modules
}

fn uses_between_units(folder: &[String], modules: &BTreeMap<Path, Module<'_>>) -> Uses {
    let is_below = |path: &Path| path.len() > folder.len() && path.starts_with(folder);
    let below = || modules.values().filter(|module| is_below(&module.path));
    let units: BTreeSet<&String> = below().map(|module| &module.path[folder.len()]).collect();
    let passed_on = modules.get(folder).map(|parent| passed_on(&parent.tokens));
    let mut uses = Uses::new();
    for module in below() {
        let own = &module.path[folder.len()];
        for used in module.uses.iter().filter(|used| is_below(used)) {
            let head = &used[folder.len()];
            let unit = match units.contains(head) {
                true => Some(head),
                false => passed_on.as_ref().and_then(|names| names.get(head)),
            };
            if let Some(unit) = unit.filter(|unit| *unit != own) {
                uses.entry(own.clone()).or_default().insert(unit.clone());
            }
        }
    }
    uses
}

/// The names that a module takes from its children, each with its child.
fn passed_on(tokens: &[Token<'_>]) -> BTreeMap<String, String> {
    let mut names = BTreeMap::new();
    for at in (0..tokens.len()).filter(|&at| tokens[at].text == "use") {
        let mut found = Vec::new();
        tree(tokens, at + 1, &[], &mut found);
        for path in found.into_iter().filter(|path| path.len() > 1) {
            let (head, name) = (path[0].text, path[path.len() - 1].text);
            if !["crate", "super", "std"].contains(&head) {
                names.insert(name.to_owned(), head.to_owned());
            }
        }
    }
    names
}

/// The largest set of units that all use one another, directly or through others.
fn longest_ring(uses: &Uses) -> BTreeSet<String> {
    let reached = |from: &String| {
        let mut reached = BTreeSet::new();
        let mut open = vec![from];
        while let Some(unit) = open.pop() {
            for next in uses.get(unit).into_iter().flatten() {
                if reached.insert(next.clone()) {
                    open.push(next);
                }
            }
        }
        reached
    };
    let all: Uses = uses.keys().map(|unit| (unit.clone(), reached(unit))).collect();
    let ring_of = |unit: &String| -> BTreeSet<String> {
        let is_mutual = |other: &&String| all.get(*other).is_some_and(|it| it.contains(unit));
        all[unit].iter().filter(is_mutual).cloned().collect()
    };
    uses.keys().map(ring_of).max_by_key(BTreeSet::len).unwrap_or_default()
}

mod tests {
    use super::*;

    fn check(files: &[(&str, &str)]) -> Vec<String> {
        let owned = |(path, source): &(&str, &str)| ((*path).to_owned(), (*source).to_owned());
        faults(&files.iter().map(owned).collect::<Vec<_>>())
    }

    /// Finds a form of `use` that the rule about rings overlooks.
    #[test]
    fn a_ring_is_found_however_it_is_written() {
        let ways = [
            "use super::b::B;",
            "use crate::x::{c as d, b::{self, B}};",
            "use super::B;",
            "fn f() { super::b::g() }",
            "mod inner { use super::super::b; }",
        ];
        let parent = ("src/x/mod.rs", "mod a; mod b; pub use b::{B, C as D};");
        for way in ways {
            let files = [parent, ("src/x/a.rs", way), ("src/x/b/deep.rs", "use crate::x::a::A;")];
            assert_eq!(check(&files), ["src/x: 2 files in a ring: a, b"], "{way}");
        }
    }

    /// Finds a ring that is reported although a parent or a test closes it.
    #[test]
    fn parents_and_tests_are_in_no_ring() {
        let files = [
            ("src/x/mod.rs", "mod a; mod b; use a::A; #[cfg(test)] mod t;"),
            ("src/x/a.rs", "use super::X; #[cfg(test)] mod tests { use super::super::b; }"),
            ("src/x/b.rs", "use super::a::A; mod c;"),
            ("src/x/b/c.rs", "use super::B;"),
            ("src/x/t.rs", "use super::b;"),
        ];
        assert_eq!(check(&files), Vec::<String>::new());
    }
}
