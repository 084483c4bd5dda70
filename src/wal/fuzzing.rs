//! What the fuzz target of the log calls, compiled under `cfg(fuzzing)` alone.
