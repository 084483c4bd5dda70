//! What several test programs share. Each program names what it needs of it.

#![allow(dead_code, reason = "no program needs all of it")]

pub(crate) mod dead;
#[cfg(feature = "derive")]
pub(crate) mod every_way;
pub(crate) mod fields;
pub(crate) mod files;
pub(crate) mod hooked;
pub(crate) mod mapped;
pub(crate) mod mounts;
#[cfg(feature = "derive")]
pub(crate) mod numbered;
#[cfg(feature = "derive")]
pub(crate) mod patched;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod skip;
