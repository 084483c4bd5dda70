//! Code that several test programs share. Each program uses a part of it.

#![allow(dead_code, reason = "each program uses a part")]

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
#[cfg(feature = "exchange")]
pub(crate) mod packed;
#[cfg(feature = "derive")]
pub(crate) mod patched;
#[cfg(feature = "exchange")]
pub(crate) mod point_sink;
pub(crate) mod process;
pub(crate) mod random;
pub(crate) mod script;
pub(crate) mod settings;
pub(crate) mod shell;
pub(crate) mod skip;
