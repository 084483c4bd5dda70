//! File mapping objects for users: files and named memory that processes share by views.
//!
//! A [`Mapping`] is a growable array of bytes opened with one [`Access`](crate::io::Access); a
//! [`View`](crate::io::View) is one mapped range of it, and a [`TypedView`] one of values.

// Typed views need `unsafe`; each block has its own proof.
#![allow(unsafe_code)]

mod initialising;
mod named;
mod object;
#[cfg(test)]
mod tests;
mod typed;

pub use object::Mapping;
pub use typed::TypedView;
