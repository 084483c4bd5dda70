#!/usr/bin/env python3
"""Checks that the links of the documents and of the crates' documentation lead somewhere.

    scripts/links.py [FOLDER]

FOLDER is where `cargo doc --workspace --no-deps` has written: target/doc, or CARGO_TARGET_DIR's. A
link that is relative must lead to a file: in a document to one of the repository, and of the package
if the document is in one, because the package is all that its reader has; in the documentation to a
page of it. A link to docs.rs must lead to a page of these packages. An anchor must exist in the file.
Links to other hosts are not followed. Every document of flatrec must be a module of src/documents.rs,
or docs.rs would not show it.
"""

import functools
import html
import os
import pathlib
import re
import subprocess
import sys
import urllib.parse

ROOT = pathlib.Path(__file__).resolve().parent.parent
# Each package and its folder.
PACKAGES = {"flatrec": "", "flatrec-cli": "cli/", "flatrec-derive": "derive/"}
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)|^\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.M)
# The documentation of the crate tracing, which rustdoc repeats for each type, has a link that leads
# somewhere among that crate's pages only.
REPEATED = "dispatcher#setting-the-default-subscriber"
HOSTED = re.compile(r"https://docs\.rs/(flatrec[a-z-]*)(?:/([^/#]+)/?([^#]*))?(?:#.*)?$")


def main() -> None:
    if len(sys.argv) > 2:
        sys.exit(__doc__)
    target = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target"))
    pages = pathlib.Path(sys.argv[1]) if len(sys.argv) == 2 else target / "doc"
    if not (pages / "flatrec" / "index.html").exists():
        sys.exit(f"{pages} has no documentation: run `cargo doc --workspace --no-deps` first")
    packed = {name: packaged(name, folder) for name, folder in PACKAGES.items()}
    documents = tracked("*.md")
    links = [link for path in documents for link in links_of_document(path, packed, pages)]
    links += [link for page in sorted(pages.glob("flatrec*/**/*.html")) for link in links_of_page(page, pages)]
    faults = [f"{source}: {target}: {fault}" for source, target, fault in links if fault]
    faults += modules(packed["flatrec"])
    if faults:
        sys.exit("\n".join([*faults, f"{len(faults)} faults"]))
    print(f"{len(links)} links of {len(documents)} documents and the crates' pages lead somewhere")


def tracked(pattern: str) -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", pattern]
    return subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout.split()


def packaged(name: str, folder: str) -> set[str]:
    """The files of a package, by their paths in the repository."""
    command = ["cargo", "package", "--list", "--allow-dirty", "--package", name]
    listed = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True,
                            stderr=subprocess.DEVNULL).stdout
    return {folder + path for path in listed.splitlines()}


def links_of_document(path: str, packed: dict[str, set[str]], pages: pathlib.Path) -> list[tuple]:
    """Each link of a document: where it stands, what it is, and what is wrong with it, or ""."""
    found = []
    for number, line in lines_of_text(path):
        for match in LINK.finditer(line):
            target = match[1] or match[2]
            found.append((f"{path}:{number}", target, fault_of_document(path, target, packed, pages)))
    return found


def lines_of_text(path: str) -> list[tuple[int, str]]:
    """The numbered lines of a document that are no code."""
    lines, fenced = [], False
    for number, line in enumerate((ROOT / path).read_text().splitlines(), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced:
            lines.append((number, re.sub(r"`[^`]*`", lambda code: code[0].replace("](", "] ("), line)))
    return lines


def fault_of_document(path: str, target: str, packed: dict[str, set[str]], pages: pathlib.Path) -> str:
    if hosted := HOSTED.match(target):
        return fault_of_hosted(hosted, pages, target)
    if re.match(r"[a-z]+:", target):
        return ""
    name, _, anchor = target.partition("#")
    file = os.path.normpath(os.path.join(os.path.dirname(path), name)) if name else path
    if not (ROOT / file).exists():
        return "no such file"
    for package, files in packed.items():
        if path in files and file not in files:
            return f"the package {package} has no such file"
    if anchor and anchor not in anchors_of_document(file):
        return "no heading makes this anchor"
    return ""


@functools.cache
def anchors_of_document(path: str) -> set[str]:
    """The anchors of headings, as rustdoc and the hosts of repositories make them."""
    anchors: set[str] = set()
    for _, line in lines_of_text(path):
        if heading := re.match(r"#+ (.*)", line):
            kept = (c for c in heading[1].strip().lower() if c.isalnum() or c in "-_ ")
            anchor, again = "".join(kept).replace(" ", "-"), 0
            while (made := f"{anchor}-{again}" if again else anchor) in anchors:
                again += 1
            anchors.add(made)
    return anchors


def fault_of_hosted(hosted: re.Match, pages: pathlib.Path, target: str) -> str:
    """A page of docs.rs is one of the documentation that was built here."""
    package, version, path = hosted[1], hosted[2], hosted[3]
    if package not in PACKAGES:
        return "no such package"
    page = path or package.replace("-", "_") + "/"
    if version not in (None, "latest"):
        return "write `latest`, or the link grows old"
    return fault_of_file(pages / page, target.partition("#")[2])


def links_of_page(page: pathlib.Path, pages: pathlib.Path) -> list[tuple]:
    found = []
    for href in re.findall(r'<a\b[^>]*?\bhref="([^"]*)"', text_of(page)):
        target = html.unescape(href)
        if hosted := HOSTED.match(target):
            fault = fault_of_hosted(hosted, pages, target)
        elif target == REPEATED or re.match(r"[a-z]+:", target):
            continue
        else:
            name, _, anchor = target.partition("#")
            file = page.parent / urllib.parse.unquote(name) if name else page
            fault = fault_of_file(file, anchor)
        found.append((str(page.relative_to(pages)), target, fault))
    return found


def fault_of_file(file: pathlib.Path, anchor: str) -> str:
    file = pathlib.Path(os.path.normpath(file))
    file = file / "index.html" if file.is_dir() else file
    if not file.is_file():
        return "no such page"
    # The lines of sources are anchors that a program in the page makes.
    if anchor and "src" not in file.parts and anchor not in ids_of(file):
        return "the page has no such anchor"
    return ""


@functools.cache
def text_of(page: pathlib.Path) -> str:
    return page.read_text()


@functools.cache
def ids_of(page: pathlib.Path) -> set[str]:
    return {html.unescape(made) for made in re.findall(r'\bid="([^"]*)"', text_of(page))}


def modules(files: set[str]) -> list[str]:
    shown = re.findall(r'^ +([a-z0-9_]+) "([^"]+)"$', (ROOT / "src/documents.rs").read_text(), re.M)
    faults = [f"src/documents.rs: {name} shows {path}: name it {pathlib.Path(path).stem.lower()}"
              for name, path in shown if name != pathlib.Path(path).stem.lower()]
    missing = {path for path in files if path.endswith(".md")} - {path for _, path in shown}
    return faults + [f"src/documents.rs: shows no {path}" for path in sorted(missing)]


if __name__ == "__main__":
    main()
