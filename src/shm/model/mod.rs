//! A model of the programs that share a store. It runs the code of [`super::protocol`] itself in
//! every order that matters, over words that a scheduler provides.
//!
//! - [`scheduler`]: actors take turns; between two steps another may continue, or die.
//! - [`memory`]: shared words, with a buffer for each actor's stores.
//! - [`plan`], [`explorer`]: the orders to try. First many at random, each repeatable by its
//!   number; then all without unusual events, with one, with two and so on, as far as their number
//!   allows. An unusual event stops an actor between two steps, delays a store, or kills an actor.
//!   A faulty execution runs again, and the test prints its steps.
//! - [`disk`], [`actors`]: what a writer and its readers do around the protocol, over a header, an
//!   array of a few records and a log, small enough to be compared after every change.
//! - [`scenarios`]: the actors and their actions, and the steps that tests leave out to see a
//!   fault.
//!
//! The model checks, in every order:
//!
//! - Each record that a live snapshot reads through the array is what it was in that commit, from
//!   its first moment to its last. A snapshot is of a published commit, or of one that a dead
//!   writer has left.
//! - No part of the log is reused while a reader with permission reads it, and no reader gets
//!   permission for a part that was reused.
//! - A published commit is in the log, and stays there until it is in the array.
//! - Without readers a checkpoint reaches everything, wherever an actor died. A reader that has to
//!   try again succeeds once the writer is quiet.
//!
//! About the memory: real words are loaded and stored in sequential order ([`super::words`]), and a
//! machine that keeps this order has no buffers. The model is weaker on purpose: other actors see
//! an actor's stores later, though in order (as x86 does for plain stores), while reads and writes
//! of the disk are never late. So the model shows that the fences suffice, whatever a compiler or a
//! port to other words changes, as long as the stores of one actor are seen in order. Killing a
//! process may lose the content of its buffer, as if the process had died earlier.
//!
//! `FLATREC_INTERLEAVINGS` is the number of orders of each scenario to try, of both kinds.

mod actors;
mod disk;
mod explorer;
mod memory;
mod plan;
mod scenarios;
mod scheduler;
