//! Windows: `ReadFile` at offsets, `LockFileEx`, working sets, sections over the page file.
