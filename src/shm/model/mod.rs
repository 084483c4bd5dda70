//! A model of the programs that share a store, to run [`super::protocol`] in every order that
//! matters: the code itself, over words that a scheduler hands out.
//!
//! - [`scheduler`]: actors take turns, and between any two steps another may go on, or die.
//! - [`memory`]: shared words, with a buffer in front of each actor's stores.
//! - [`plan`], [`explorer`]: which orders are tried. First many at random, each with a number by
//!   which it comes again; then all with no unusual event, with one, with two and so on (somebody
//!   is stopped in mid-course, a store arrives late, somebody dies), as far as the number of them
//!   allows. What goes wrong is run again and told step by step.
//! - [`disk`], [`actors`]: what a writer and its readers do around the protocol, over a header, an
//!   array of a few records and a log, all small enough to be compared after every change.
//! - [`scenarios`]: who does what, and the steps that are left out to see that it is noticed.
//!
//! What is checked, in every order:
//!
//! - Each record that a live snapshot reads through the array is what it was in that commit, from
//!   its first moment to its last; and a snapshot is of a commit that was published, or that a dead
//!   writer has left.
//! - No part of the log is used anew while a reader reads it that was told that it may, and none
//!   is promised that is gone.
//! - Nothing is published that is not in the log, or vanishes from it before it is in the array.
//! - With no reader left a checkpoint reaches everything, whoever died where; and a reader that has
//!   to try again gets what it wants once the writer is quiet.
//!
//! About the memory: real words are loaded and stored in sequential order ([`super::words`]), and a
//! machine that keeps to that has no buffers. The model is weaker on purpose: what an actor stores
//! is seen by others later, though in order (as x86 would do it for plain stores), while reads and
//! writes of the disk are never late. So the fences are shown to be enough by themselves, whatever
//! a compiler or a port to other words makes of the rest; only that stores of one actor are seen in
//! their order is relied upon besides. Killing a process may lose what is in its buffer, which is
//! as if it had died earlier.
//!
//! `FLATREC_INTERLEAVINGS` is how many orders of each scenario are tried, of either kind.

mod actors;
mod disk;
mod explorer;
mod memory;
mod plan;
mod scenarios;
mod scheduler;
