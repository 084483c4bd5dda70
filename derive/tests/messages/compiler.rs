//! The compiler, asked about programs that use the library.

use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde_json::Value;

/// A program without a fault.
const PROBE: &str = "#[derive(Clone, Copy, flatrec::Record)] #[repr(C)] pub struct A { a: u8 }";

/// An error or a warning of the compiler.
pub(crate) struct Fault {
    /// The part of the program that it marks.
    pub(crate) at: String,
    /// Its text.
    pub(crate) text: String,
    /// What it says beside the marked part.
    pub(crate) label: String,
    /// How many lines the compiler shows.
    pub(crate) lines: usize,
}

pub(crate) struct Compiler {
    rustc: OsString,
    /// The folder of the libraries that cargo built.
    libraries: PathBuf,
    flatrec: PathBuf,
}

impl Compiler {
    /// The compiler with the newest library that it accepts. Cargo brought the one of this test up
    /// to date, so that a newer one was built from the same sources, for other features.
    pub(crate) fn find() -> Result<Self, String> {
        let program = std::env::current_exe().map_err(|error| error.to_string())?;
        let libraries = program.parent().ok_or("the test lies in no folder")?.to_path_buf();
        let mut found: Vec<(SystemTime, PathBuf)> = Vec::new();
        for entry in std::fs::read_dir(&libraries).map_err(|error| error.to_string())? {
            let path = entry.map_err(|error| error.to_string())?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if name.starts_with("libflatrec-") && name.ends_with(".rlib") {
                let built = path.metadata().and_then(|it| it.modified());
                found.push((built.map_err(|error| error.to_string())?, path));
            }
        }
        found.sort();
        let mut why = format!("{} has no libflatrec-*.rlib", libraries.display());
        while let Some((_, flatrec)) = found.pop() {
            let compiler = Self { rustc: rustc(), libraries: libraries.clone(), flatrec };
            match compiler.run(PROBE) {
                Ok(faults) if faults.is_empty() => return Ok(compiler),
                Ok(faults) => why = faults.into_iter().map(|fault| fault.text).collect(),
                Err(error) => return Err(error.to_string()),
            }
        }
        Err(why)
    }

    /// The errors and warnings about `program`, in the order of their places.
    pub(crate) fn check(&self, program: &str) -> Vec<Fault> {
        self.run(&format!("#![allow(dead_code)]\n{program}")).expect("the compiler has run before")
    }

    fn run(&self, program: &str) -> std::io::Result<Vec<Fault>> {
        let dependencies = format!("dependency={}", self.libraries.display());
        let mut child = Command::new(&self.rustc)
            .args(["-", "--edition", "2021", "--crate-type", "lib", "--crate-name", "program"])
            .args(["--emit", "metadata", "--error-format", "json", "--out-dir"])
            .arg(env!("CARGO_TARGET_TMPDIR"))
            .args(["-L", &dependencies, "--extern"])
            .arg(format!("flatrec={}", self.flatrec.display()))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        child.stdin.take().expect("it is piped").write_all(program.as_bytes())?;
        let output = child.wait_with_output()?;
        let messages = String::from_utf8_lossy(&output.stderr);
        let mut faults: Vec<(u64, Fault)> =
            messages.lines().filter_map(|line| fault(program, line)).collect();
        faults.sort_by_key(|(place, _)| *place);
        assert!(output.status.success() || !faults.is_empty(), "no error of its own: {messages}");
        Ok(faults.into_iter().map(|(_, fault)| fault).collect())
    }
}

/// The compiler that cargo uses.
fn rustc() -> OsString {
    let beside = |cargo: OsString| {
        let rustc =
            Path::new(&cargo).with_file_name(format!("rustc{}", std::env::consts::EXE_SUFFIX));
        rustc.exists().then(|| rustc.into_os_string())
    };
    std::env::var_os("RUSTC")
        .or_else(|| std::env::var_os("CARGO").and_then(beside))
        .unwrap_or_else(|| "rustc".into())
}

/// The fault that a line of the compiler's output describes, and its place in the program.
fn fault(program: &str, line: &str) -> Option<(u64, Fault)> {
    let Ok(message) = serde_json::from_str::<Value>(line) else {
        // A message of the loader, or the compiler's own failure.
        let (at, label) = Default::default();
        let fault = Fault { at, text: line.to_owned(), label, lines: 1 };
        return Some((0, fault));
    };
    let level = message["level"].as_str()?;
    let text = message["message"].as_str()?;
    if !(level.starts_with("error") || level == "warning")
        || text.starts_with("aborting due to")
        || text.ends_with("emitted")
    {
        return None;
    }
    let primary = message["spans"].as_array()?.iter().find(|it| it["is_primary"] == true);
    let mut label = "";
    let (mut start, mut end) = (0, 0);
    if let Some(mut span) = primary {
        label = span["label"].as_str().unwrap_or_default();
        // A place in a macro of another crate is the place of its call.
        while span["file_name"] != "<anon>" && span["expansion"].is_object() {
            span = &span["expansion"]["span"];
        }
        (start, end) = (span["byte_start"].as_u64()?, span["byte_end"].as_u64()?);
    }
    let at = program.get(usize::try_from(start).ok()?..usize::try_from(end).ok()?);
    let lines = message["rendered"].as_str().unwrap_or_default().lines().count();
    let text = panic_text(text, label).to_owned();
    let (at, label) = (at.unwrap_or_default().to_owned(), label.to_owned());
    Some((start, Fault { at, text, label, lines }))
}

/// The text of a panic in a constant, which the versions of the compiler show in two ways.
fn panic_text<'a>(text: &'a str, label: &'a str) -> &'a str {
    if let Some(panic) = text.strip_prefix("evaluation panicked: ") {
        return panic;
    }
    let of_label = || label.split_once("panicked at '")?.1.rsplit_once("', ").map(|it| it.0);
    of_label().unwrap_or(text)
}
