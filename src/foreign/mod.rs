//! Flat files of other programs, read in place or record by record, without a conversion before.
//!
//! A [`ForeignLayout`] says where the records of a file lie and what their bytes mean. It comes
//! from the file itself ([`ForeignLayout::detect`], [`ForeignLayout::of_kind`]) or from a layout
//! file ([`ForeignLayout::from_json`]). A [`ForeignFile`] copies records, as stores do. A
//! [`ForeignView`] lends them in place, and a [`ForeignEditor`] changes them. The document
//! [FOREIGN.md](crate::documents::foreign) describes every kind.
//!
//! Invariants:
//!
//! - A layout is valid for every file: its fields lie within its records, and its records end below
//!   2^63. [`ForeignFile::open`] compares it with the file's length.
//! - No length in a file takes memory before that many bytes were read.
//! - No value is changed to fit: what does not decode is an error, which names the record.
//!
//! ```
//! use flatrec::Value;
//! use flatrec::foreign::{ForeignFile, ForeignLayout};
//! # let dir = tempfile::tempdir()?;
//! # let path = dir.path().join("points.bin");
//! std::fs::write(&path, b"HEAD\0\0\0\x01a\0\0\0\0\0\x02b\0\0")?;
//! let layout = r#"{ "offset": 4, "fields": [
//!     { "name": "id", "type": "uint32", "endian": "big" },
//!     { "name": "name", "type": "utf8(3)" }
//! ] }"#;
//! let layout = ForeignLayout::from_json(layout, &path)?;
//! let file = ForeignFile::open(&path, &layout)?;
//! assert_eq!(file.count(), 2);
//! let record = file.copy(1)?.expect("a record");
//! let fields = file.schema().fields();
//! assert_eq!(fields[0].read(&record)?, Value::UInt(2));
//! assert_eq!(fields[1].read(&record)?, Value::Text("b"));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod charset;
mod column;
mod decode;
mod describe;
mod edit;
mod encode;
mod file;
mod in_place;
mod json;
mod kind;
mod kinds;
mod layout;
mod scaled;
mod source;
#[cfg(test)]
mod tests;
mod values;
mod values_back;

pub use edit::ForeignEditor;
pub use file::ForeignFile;
pub use in_place::ForeignView;
pub use kind::ForeignKind;
pub use layout::ForeignLayout;
