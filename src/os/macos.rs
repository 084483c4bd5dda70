//! What macOS does its own way. Written from the manual pages; not run.
