//! Record numbers from a file or from standard input, one a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use crate::failure::Failure;
use crate::get;
use crate::output::cut;

/// A line is longer than any number: the file is another one.
const LINE_BYTES_MAX: u64 = 1_000;

/// The numbers of a file, in its order. Blank lines do not count.
pub(crate) struct IdFile {
    name: PathBuf,
    lines: Box<dyn BufRead>,
    line: u64,
}

impl IdFile {
    /// Opens the file at `path`, or standard input for `-`.
    pub(crate) fn open(path: &Path) -> Result<Self, Failure> {
        if path.as_os_str() == "-" {
            let lines = Box::new(BufReader::new(io::stdin()));
            return Ok(Self { name: "standard input".into(), lines, line: 0 });
        }
        let file = File::open(path)
            .map_err(|error| Failure::Message(format!("open {}: {error}", path.display())))?;
        Ok(Self { name: path.to_owned(), lines: Box::new(BufReader::new(file)), line: 0 })
    }

    /// The next number, and its line; `None` after the last.
    pub(crate) fn next_id(&mut self) -> Result<Option<(u64, u64)>, Failure> {
        use io::Read as _;
        let mut line = Vec::new();
        loop {
            line.clear();
            self.line += 1;
            let mut limited = (&mut self.lines).take(LINE_BYTES_MAX);
            let read = limited.read_until(b'\n', &mut line).map_err(|error| {
                Failure::Message(format!("read {}: {error}", self.name.display()))
            })?;
            if read == 0 {
                return Ok(None);
            }
            let text = String::from_utf8_lossy(&line);
            let text = if self.line == 1 { text.trim_start_matches('\u{feff}') } else { &*text };
            if text.trim().is_empty() && (read as u64) < LINE_BYTES_MAX {
                continue;
            }
            return match get::parse_id(text.trim()) {
                Ok(id) => Ok(Some((id, self.line))),
                Err(why) => {
                    let why = format!("{:?} is not a record number: {why}", cut(text.trim(), 60));
                    Err(Failure::Message(why).on_line(&self.name, self.line))
                }
            };
        }
    }

    pub(crate) fn name(&self) -> &Path {
        &self.name
    }
}
