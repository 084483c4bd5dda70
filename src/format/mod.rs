//! The bytes of a store, and nothing but bytes: no file is opened here.
//!
//! What a header slot, a field descriptor, a value and a checksum look like, how untrusted bytes
//! become trusted ones, and how a Rust type says which fields it has.

pub(crate) mod schema;

pub use schema::{DataType, Field, MAX_RECORD_BYTES, Schema, TimeUnit};
