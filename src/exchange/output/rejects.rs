//! Bad rows, kept for the user.

use std::io::Write;

use crate::error::{Error, Result};
use crate::exchange::Reject;

/// Writes bad rows that were set aside as CSV of four columns: `line`, `column` (empty if no single
/// column is at fault), `reason`, and `row`, the row as it was in the file.
///
/// ```
/// use flatrec::exchange::{Reject, RejectWriter};
/// let mut rejects = RejectWriter::new(Vec::new())?;
/// let reject = Reject { line: 3, column: Some("id"), reason: "not a number", row: b"x,\"y\"" };
/// rejects.write(&reject)?;
/// let text = String::from_utf8(rejects.finish()?).unwrap();
/// assert_eq!(text, "line,column,reason,row\n3,id,not a number,\"x,\"\"y\"\"\"\n");
/// # Ok::<(), flatrec::Error>(())
/// ```
#[derive(Debug)]
pub struct RejectWriter<W: Write> {
    out: W,
}

impl<W: Write> RejectWriter<W> {
    /// Writes the names of the columns.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn new(mut out: W) -> Result<Self> {
        out.write_all(b"line,column,reason,row\n").map_err(|error| Error::io("write", error))?;
        Ok(Self { out })
    }

    /// A writer that continues the file of an earlier one, which has written the names.
    pub fn resume(out: W) -> Self {
        Self { out }
    }

    /// The writer underneath.
    pub fn get_mut(&mut self) -> &mut W {
        &mut self.out
    }

    /// Writes a row.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn write(&mut self, reject: &Reject<'_>) -> Result<()> {
        let mut line = format!("{},", reject.line).into_bytes();
        push(reject.column.unwrap_or_default().as_bytes(), &mut line);
        line.push(b',');
        push(reject.reason.as_bytes(), &mut line);
        line.push(b',');
        push(reject.row, &mut line);
        line.push(b'\n');
        self.out.write_all(&line).map_err(|error| Error::io("write", error))
    }

    /// Flushes and returns the writer underneath.
    ///
    /// # Errors
    /// An error of the writer underneath.
    pub fn finish(mut self) -> Result<W> {
        self.out.flush().map_err(|error| Error::io("write", error))?;
        Ok(self.out)
    }
}

/// Appends a field, in quotes if it needs them. The row may have any bytes, also invalid UTF-8.
fn push(field: &[u8], line: &mut Vec<u8>) {
    if !field.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r')) {
        line.extend_from_slice(field);
        return;
    }
    line.push(b'"');
    for &byte in field {
        if byte == b'"' {
            line.push(b'"');
        }
        line.push(byte);
    }
    line.push(b'"');
}
