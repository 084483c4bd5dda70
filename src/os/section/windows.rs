//! Sections on Windows.
