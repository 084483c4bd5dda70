//! The project's documents as pages of flatrec's documentation.
//!
//! In the repository their links lead from file to file. The documentation has no such files, so a
//! link to a document becomes a link to the module that shows it. The `#` of a link stays, because
//! rustdoc makes the same anchors of headings as the hosts of repositories do.

use std::path::Path;

/// The text of a document of the crate that is compiled, with links to modules.
pub(crate) fn text(path: &str) -> Result<String, String> {
    let root = std::env::var_os("CARGO_MANIFEST_DIR").ok_or("cargo did not set the directory")?;
    let file = Path::new(&root).join(path);
    let text = std::fs::read_to_string(&file);
    text.map(|text| with_modules(&text)).map_err(|error| format!("{}: {error}", file.display()))
}

fn with_modules(text: &str) -> String {
    const LINK: &str = "](";
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once(LINK) {
        done += before;
        done += LINK;
        let target = behind.split(')').next().unwrap_or_default();
        rest = match module(target) {
            Some(module) => {
                done += &module;
                &behind[target.len()..]
            }
            None => behind,
        };
    }
    done + rest
}

/// The module that shows the document `target`, a path that may end with an anchor.
fn module(target: &str) -> Option<String> {
    let (path, anchor) = target.split_at(target.find('#').unwrap_or(target.len()));
    let name = path.strip_suffix(".md").filter(|name| !name.contains(':'))?;
    let name = name.rsplit('/').next()?.to_lowercase();
    Some(format!("crate::documents::{name}{anchor}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_to_documents_become_links_to_modules() {
        let links = "[a](GUIDE.md), [b](docs/WIN32.md#the-calls) and [`c`](../README.md)";
        let expected = "[a](crate::documents::guide), [b](crate::documents::win32#the-calls) \
                        and [`c`](crate::documents::readme)";
        assert_eq!(with_modules(links), expected);
    }

    #[test]
    fn other_links_stay() {
        let links = "[a](#b), [c](https://docs.rs/d.md), [e](f.rs), g.md, [h](i.md";
        assert_eq!(with_modules(links), links.replace("i.md", "crate::documents::i"));
    }

    #[test]
    fn a_document_that_is_missing_is_named() {
        assert!(text("docs/MISSING.md").unwrap_err().contains("docs/MISSING.md"));
        assert!(text("Cargo.toml").unwrap().contains("flatrec-derive"));
    }
}
